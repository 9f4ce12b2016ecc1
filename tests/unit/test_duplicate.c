/*
 * test_duplicate.c: what was asked before in the same run, and runs of which nothing is said (found.h).
 */
#include "found.h"

/* The same key twice, with something else between. */
static struct run_call *ask_twice(void)
{
	uint64_t key = made_number(), answer = made_number();

	made_get(&made, key, answer);
	some_call();
	return made_get(&made, key, answer);
}

static void test_duplicate(void **state)
{
	struct run_call *again = ask_twice();
	const struct finding *found;

	(void)state;
	again->site = &made_sites[1];
	found = only(FINDING_DUPLICATE);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->calls, 1);
	assert_int_equal(found->candidates, 2);
	assert_string_equal(found->operation, "GET user:?");
	assert_string_equal(found->protocol, "redis");
	assert_string_equal(found->evidence, "same request and answer within one run");
	/* The place is that of the one that need not be made. */
	assert_int_equal(found->site_count, 1);
	assert_ptr_equal(found->sites[0].site, &made_sites[1]);
}

static void test_duplicates_of_two_keys(void **state)
{
	uint64_t a = made_number(), b = made_number(), answer = made_number();

	(void)state;
	for (int i = 0; i < 3; i++) {
		made_get(&made, a, answer);
		made_get(&made, b, answer ^ 2);
	}
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 4);
}

static void test_duplicate_without_keys(void **state)
{
	uint64_t request = made_number(), answer = made_number();

	(void)state;
	made_http(&made, "GET /price/?", request, answer)->client_error = true;
	made_http(&made, "GET /price/?", request, answer)->client_error = true;
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

static void test_duplicates_at_once(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer)->lane = 5;
	made_overlap(made_get(&made, key, answer));
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

static void test_other_answer(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer);
	made_get(&made, key, answer ^ 2);
	made_get(&made, key, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_other_backend(void **state)
{
	(void)state;
	ask_twice()->where.address[3]++;
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_other_key(void **state)
{
	(void)state;
	made_get(&made, made_number(), 9);
	made_get(&made, made_number(), 9);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

/* Asked again because the first time it went wrong. */
static void test_retries(void **state)
{
	struct run_call *again = ask_twice();

	(void)state;
	made.calls[0].error = true;
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	made.calls[0].error = false;
	made.calls[0].answered = false;
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	made.calls[0].answered = true;
	again->error = true;
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_posts(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		made_add(&made, "http", "POST /charge", PROTOCOL_OTHER, 9, 11);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_connection_talk(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		made_add(&made, "redis", "PING", PROTOCOL_CONTROL, 9, 11);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_write_between(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer);
	made_set(&made, key);
	made_get(&made, key, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	made_get(&made, key, answer); /* from the write on, it counts anew */
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

static void test_write_of_another_key(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_get(&made, key, answer);
	made_set(&made, made_number());
	made_get(&made, key, answer);
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

/* It began before the first read, and nobody knows whether that saw it. */
static void test_write_during_the_first(void **state)
{
	uint64_t key = made_number(), answer = made_number();
	struct run_call *write = made_set(&made, key);

	(void)state;
	made_get(&made, key, answer);
	write->in_last = made.now;
	made_get(&made, key, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_write_before_both(void **state)
{
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_set(&made, key);
	made_get(&made, key, answer);
	made_get(&made, key, answer);
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

/* What a command does is not known, or not even which it was: it may have changed anything there. */
static void test_unknown_between(void **state)
{
	uint64_t key = made_number(), answer = made_number();
	struct run_call *between;

	(void)state;
	made_get(&made, key, answer);
	between = made_add(&made, "redis", "EVALSHA", PROTOCOL_OTHER, 9, 9);
	made_get(&made, key, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	between->content = NULL;
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	between->where.port++;
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

/* A read that names no keys may read what any write writes. */
static void test_write_before_read_without_keys(void **state)
{
	uint64_t request = made_number(), answer = made_number();

	(void)state;
	made_add(&made, "redis", "DBSIZE", PROTOCOL_READ, request, answer);
	made_set(&made, made_number());
	made_add(&made, "redis", "DBSIZE", PROTOCOL_READ, request, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_multi_get_of_known_keys(void **state)
{
	uint64_t keys[3] = {made_number(), made_number(), made_number()};
	const struct finding *found;

	(void)state;
	add_multi_get(keys, 2);
	made_get(&made, keys[2], keys[2] ^ 4);
	add_multi_get(keys, 3);
	found = only(FINDING_DUPLICATE);
	assert_int_equal(found->needless, 3);
	assert_int_equal(found->calls, 1);
	assert_string_equal(found->operation, "MGET user:?");
	assert_string_equal(found->evidence, "same request and answer within one run");
}

static void test_get_of_what_a_multi_get_had(void **state)
{
	uint64_t keys[2] = {made_number(), made_number()};

	(void)state;
	add_multi_get(keys, 2);
	made_get(&made, keys[1], keys[1] ^ 4);
	assert_string_equal(only(FINDING_DUPLICATE)->operation, "GET user:?");
}

static void test_multi_get_of_some_known_keys(void **state)
{
	uint64_t keys[3] = {made_number(), made_number(), made_number()};
	const struct finding *found;

	(void)state;
	add_multi_get(keys, 2);
	add_multi_get(keys + 1, 2);
	found = only(FINDING_DUPLICATE);
	assert_int_equal(found->needless, 1);
	assert_string_equal(found->evidence,
			    "some keys of it were asked for before within one run, with the same answer");
	assert_int_equal(found->saving.high, 0);
}

static void test_multi_get_of_new_keys(void **state)
{
	uint64_t keys[4] = {made_number(), made_number(), made_number(), made_number()};

	(void)state;
	keys[3] = keys[2]; /* twice in one request is its own affair */
	add_multi_get(keys, 2);
	add_multi_get(keys + 2, 2);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
}

static void test_pipelined(void **state)
{
	struct run_call *again = ask_twice();

	(void)state;
	again->round_trip = false;
	assert_string_equal(only(FINDING_DUPLICATE)->evidence, "same request and answer within one run, in pipelines");
}

static void test_least_duplicates(void **state)
{
	struct finding_rules rules = *finding_stage_rules(stage);
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	rules.duplicate.least = 3;
	finding_stage_set_rules(stage, &rules);
	made_get(&made, key, answer);
	made_get(&made, key, answer);
	assert_int_equal(count_of(FINDING_DUPLICATE), 0);
	made_get(&made, key, answer);
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 2);
}

static void test_answers_that_do_not_matter(void **state)
{
	struct finding_rules rules = *finding_stage_rules(stage);
	uint64_t key = made_number();

	(void)state;
	rules.duplicate.same_answer = false;
	finding_stage_set_rules(stage, &rules);
	made_get(&made, key, made_number());
	made_get(&made, key, made_number());
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 1);
}

/* What nobody can tell apart is not looked at. */
static void test_run_that_is_not_exact(void **state)
{
	(void)state;
	ask_twice();
	made.run.exact = false;
	look();
	assert_false(report.analysed);
	assert_int_equal(report.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_duplicate),
	    CASE(test_duplicates_of_two_keys),
	    CASE(test_duplicate_without_keys),
	    CASE(test_duplicates_at_once),
	    CASE(test_other_answer),
	    CASE(test_other_backend),
	    CASE(test_other_key),
	    CASE(test_retries),
	    CASE(test_posts),
	    CASE(test_connection_talk),
	    CASE(test_write_between),
	    CASE(test_write_of_another_key),
	    CASE(test_write_during_the_first),
	    CASE(test_write_before_both),
	    CASE(test_unknown_between),
	    CASE(test_write_before_read_without_keys),
	    CASE(test_multi_get_of_known_keys),
	    CASE(test_get_of_what_a_multi_get_had),
	    CASE(test_multi_get_of_some_known_keys),
	    CASE(test_multi_get_of_new_keys),
	    CASE(test_pipelined),
	    CASE(test_least_duplicates),
	    CASE(test_answers_that_do_not_matter),
	    CASE(test_run_that_is_not_exact),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
