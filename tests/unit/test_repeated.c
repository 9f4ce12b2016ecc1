/*
 * test_repeated.c: what earlier runs were answered already (found.h).
 */
#include "found.h"

static const struct finding *only_repeated(void)
{
	static struct finding found;

	found = *only(FINDING_REPEATED);
	return &found;
}

static void test_repeated(void **state)
{
	uint64_t request = made_number(), answer = made_number();
	const struct finding *found;

	(void)state;
	for (int i = 0; i < 3; i++) {
		made_http(&made, "GET /rates", request, answer);
		made_http(&made, "GET /rates", made_number(), made_number());
		next_run(made_time());
	}
	made_http(&made, "GET /rates", request, answer);
	look();
	assert_int_equal(report.then.high, 0);		 /* what takes a cache is not among all findings together */
	made_http(&made, "GET /rates", request, answer); /* a duplicate, and no candidate */
	next_run(0);
	made_http(&made, "GET /rates", request, answer);
	made_http(&made, "GET /rates", request, answer);
	found = only_repeated();
	assert_int_equal(found->calls, 1);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 1);
}

static void test_repeated_tells_candidates_of_earlier_runs(void **state)
{
	uint64_t request = made_number(), answer = made_number();
	const struct finding *found;

	(void)state;
	made_http(&made, "GET /rates", request, answer);
	made_http(&made, "GET /rates", made_number(), made_number());
	assert_int_equal(count_of(FINDING_REPEATED), 0);
	made_begin(&made);
	made_http(&made, "GET /rates", made_number(), made_number());
	assert_int_equal(count_of(FINDING_REPEATED), 0);
	made_begin(&made);
	made.now += MADE_MS * 1000;
	made_http(&made, "GET /rates", request, answer);
	found = only_repeated();
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 4);
	/* From then on each run tells its own, with hits or without. */
	made_begin(&made);
	made_http(&made, "GET /rates", made_number(), made_number());
	found = only_repeated();
	assert_int_equal(found->calls, 0);
	assert_int_equal(found->needless, 0);
	assert_int_equal(found->candidates, 1);
	assert_string_equal(found->operation, "GET /rates");
}

/* What a cache would have answered in the second run. */
static uint32_t hits_of(void)
{
	uint32_t hits = 0;

	look();
	for (size_t i = 0; i < report.count; i++)
		hits += report.findings[i].kind == FINDING_REPEATED ? report.findings[i].needless : 0;
	return hits;
}

static void test_repeated_within_window(void **state)
{
	uint64_t key = made_number(), answer = made_number(), window = finding_stage_rules(stage)->repeated.window;

	(void)state;
	made_get(&made, key, answer);
	next_run(window / 2);
	made_get(&made, key, answer);
	assert_int_equal(hits_of(), 1);
	next_run(window / 2); /* the answer would be older by now: nothing has fetched it anew */
	made_get(&made, key, answer);
	assert_int_equal(hits_of(), 0);
}

static void test_repeated_with_another_answer(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer);
	next_run(0);
	made_get(&made, key, answer ^ 2);
	assert_int_equal(hits_of(), 0);
	next_run(0);
	made_get(&made, key, answer ^ 2);
	assert_int_equal(hits_of(), 1);
}

static void test_repeated_after_a_write(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer);
	next_run(0);
	made_set(&made, key);
	next_run(0);
	made_get(&made, key, answer);
	assert_int_equal(hits_of(), 0);
	next_run(0);
	made_set(&made, key ^ 2);
	made_get(&made, key, answer);
	assert_int_equal(hits_of(), 1);
	next_run(0);
	made_add_bare(&made, "redis", "EVAL");
	made_get(&made, key, answer);
	assert_int_equal(hits_of(), 0);
}

static void test_repeated_keys_of_a_multi_get(void **state)
{
	uint64_t keys[3] = {made_number(), made_number(), made_number()};

	(void)state;
	add_multi_get(keys, 2);
	next_run(0);
	add_multi_get(keys + 1, 2);
	assert_int_equal(hits_of(), 0); /* one of two had to be fetched */
	next_run(0);
	add_multi_get(keys, 3);
	assert_int_equal(hits_of(), 1);
}

/* The answer came when this one was asked already. */
static void test_repeated_beside(void **state)
{
	uint64_t key = made_number(), answer = made_number();
	struct run_call first = *made_get(&made, key, answer), *call;

	(void)state;
	look();
	made_begin(&made);
	call = made_get(&made, key, answer);
	call->out_first = first.out_first + 1;
	assert_int_equal(hits_of(), 0);
}

/* More than there is room for: the oldest ones leave, and that is counted. */
static void test_repeated_bounds(void **state)
{
	uint64_t id = made_number() & UINT32_MAX, asked = 0;

	(void)state;
	for (int run = 0; asked < 65536 + MADE_MAX; run++) {
		for (int i = 0; i < MADE_MAX; i++, asked++)
			made_get(&made, id + asked, 9);
		made.run.ended = made.now = made.run.began + MADE_MS;
		look();
		made_begin(&made);
	}
	assert_int_equal(finding_stage_stats(stage)->answers_refused, MADE_MAX);
	made_get(&made, id, 9)->out_first += 1000 * MADE_MS;
	assert_int_equal(hits_of(), 0);
	made_begin(&made);
	made_get(&made, id + asked - 1, 9)->out_first += 1000 * MADE_MS;
	assert_int_equal(hits_of(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_repeated),
	    CASE(test_repeated_tells_candidates_of_earlier_runs),
	    CASE(test_repeated_within_window),
	    CASE(test_repeated_with_another_answer),
	    CASE(test_repeated_after_a_write),
	    CASE(test_repeated_keys_of_a_multi_get),
	    CASE(test_repeated_beside),
	    CASE(test_repeated_bounds),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
