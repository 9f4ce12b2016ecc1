/*
 * test_n_plus_one.c: many requests of one kind where one would do (found.h).
 */
#include "found.h"

static uint32_t some_value(void)
{
	return (uint32_t)made_number();
}

/* An answer with `count` ids, and a request for each of them. */
static void fan_out(uint32_t count)
{
	struct run_call *source = made_http(&made, "GET /basket", made_number(), made_number());
	uint32_t ids[MADE_MAX];

	for (uint32_t i = 0; i < count; i++)
		made_answers_with(source, ids[i] = some_value());
	for (uint32_t i = 0; i < count; i++)
		made_asks_with(made_get(&made, made_number(), made_number()), ids[i]);
}

static void test_n_plus_one(void **state)
{
	uint32_t count = 4 + (uint32_t)test_random_below(20);
	const struct finding *found;

	(void)state;
	fan_out(count);
	found = only(FINDING_N_PLUS_ONE);
	assert_int_equal(found->calls, count);
	assert_int_equal(found->needless, count - 1);
	assert_string_equal(found->operation, "GET user:?");
	assert_string_equal(found->remedy, "MGET");
	assert_string_equal(found->evidence, "one request for each value of an earlier answer");
	assert_int_equal(report.count, 1);
}

static void test_too_few(void **state)
{
	(void)state;
	fan_out(3);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

/* Asked for where the first one is, what is written in between would not be there yet. */
static void test_n_plus_one_with_writes(void **state)
{
	uint32_t written = 1 + (uint32_t)test_random_below(4);
	uint64_t keys[8];

	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		keys[i] = made_number();
	for (uint32_t i = 0; i < 8; i++) {
		if (i == 8 - written)
			for (uint32_t k = i; k < 8; k++)
				made_set(&made, keys[k])->content->batch = NULL;
		made_get(&made, keys[i], made_number());
		made_set(&made, keys[i])->content->batch = NULL; /* it has been read by then */
	}
	assert_int_equal(only(FINDING_N_PLUS_ONE)->calls, 8 - written);
}

static void test_n_plus_one_of_no_origin(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		made_asks_with(made_get(&made, made_number(), made_number()), some_value());
	assert_string_equal(only(FINDING_N_PLUS_ONE)->evidence, "many requests of one kind in a run");
}

static void test_n_plus_one_over_http(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		made_http(&made, "GET /stock/?", made_number(), made_number());
	assert_string_equal(only(FINDING_N_PLUS_ONE)->remedy, "a batch path, or all at once");
}

/* Different requests whose paths have no data: nothing could ask for them together. */
static void test_paths_without_data(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		made_http(&made, "GET /stock", made_number(), made_number());
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

static void test_no_batch(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		made_get(&made, made_number(), made_number())->content->batch = NULL;
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

/* In a loop of gather() or threads: many calls, and no time in a row. */
static void test_at_once(void **state)
{
	(void)state;
	fan_out(9);
	for (size_t i = 2; i < made.run.made_count; i++)
		made_overlap(&made.calls[i]);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

/* The same again and again is duplicate's. */
static void test_same_requests(void **state)
{
	uint64_t keys[3] = {made_number(), made_number(), made_number()};

	(void)state;
	for (int i = 0; i < 12; i++)
		made_get(&made, keys[i % 3], 9);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 9);
}

static void test_same_among_different(void **state)
{
	uint64_t keys[5];

	(void)state;
	for (int i = 0; i < 10; i++) {
		keys[i % 5] = i < 5 ? made_number() : keys[i % 5];
		made_get(&made, keys[i % 5], 9);
	}
	assert_int_equal(only(FINDING_N_PLUS_ONE)->calls, 5);
	assert_int_equal(only(FINDING_DUPLICATE)->needless, 5);
}

/* Each answer says what to ask for next. */
static void walk_list(bool through_others)
{
	uint32_t id = some_value();

	for (int i = 0; i < 6; i++) {
		struct run_call *call = made_get(&made, made_number(), made_number());

		made_asks_with(call, id);
		made_answers_with(call, id = some_value());
		if (!through_others)
			continue;
		call = made_http(&made, "GET /next", made_number(), made_number());
		made_asks_with(call, id);
		made_answers_with(call, id = some_value());
	}
}

static void test_linked_list(void **state)
{
	(void)state;
	walk_list(false);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

static void test_linked_list_through_others(void **state)
{
	(void)state;
	walk_list(true);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

/* The answers have each other's ids, but those were known before. */
static void test_answers_that_name_known_ids(void **state)
{
	(void)state;
	fan_out(6);
	for (size_t i = 1; i + 1 < made.run.made_count; i++)
		made_answers_with(&made.calls[i], made.calls[i + 1].content->request_values[0]);
	assert_int_equal(only(FINDING_N_PLUS_ONE)->calls, 6);
}

/* A root and its children: the children are one level. */
static void test_tree(void **state)
{
	uint32_t ids[7];
	struct run_call *root = made_get(&made, made_number(), made_number());

	(void)state;
	for (int i = 0; i < 7; i++)
		made_answers_with(root, ids[i] = some_value());
	for (int i = 0; i < 7; i++)
		made_asks_with(made_get(&made, made_number(), made_number()), ids[i]);
	assert_int_equal(only(FINDING_N_PLUS_ONE)->calls, 7);
}

/* Two loops in one: for each value a GET, and with its answer a path. */
static void test_two_in_one_loop(void **state)
{
	uint32_t ids[5], next;
	struct run_call *source = made_http(&made, "GET /basket", made_number(), made_number()), *call;

	(void)state;
	for (int i = 0; i < 5; i++)
		made_answers_with(source, ids[i] = some_value());
	for (int i = 0; i < 5; i++) {
		call = made_get(&made, made_number(), made_number());
		made_asks_with(call, ids[i]);
		made_answers_with(call, next = some_value());
		made_asks_with(made_http(&made, "GET /price/?", made_number(), made_number()), next);
	}
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 2);
}

/* The answers cannot be read, and what is asked next was never seen: perhaps it is in them. */
static void test_unknown_answers(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		struct run_call *call = made_get(&made, made_number(), made_number());

		made_asks_with(call, some_value());
		call->content->opaque = true;
	}
	assert_string_equal(only(FINDING_N_PLUS_ONE)->evidence,
			    "many requests of one kind in a run; some answers are not known");
}

static void test_unknown_answers_of_known_ids(void **state)
{
	(void)state;
	fan_out(6);
	for (size_t i = 1; i < made.run.made_count; i++)
		made.calls[i].content->opaque = true;
	assert_string_equal(only(FINDING_N_PLUS_ONE)->evidence, "one request for each value of an earlier answer");
}

static void test_failed_members(void **state)
{
	(void)state;
	fan_out(6);
	for (size_t i = 1; i < 5; i++)
		made.calls[i].error = true;
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

static void test_other_rules(void **state)
{
	struct finding_rules rules = *finding_stage_rules(stage);

	(void)state;
	fan_out(6);
	rules.n_plus_one.keyed = false;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
	rules.n_plus_one.keyed = true;
	rules.n_plus_one.time = 1000 * MADE_MS;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
	rules.n_plus_one.time = 0;
	rules.n_plus_one.within = 1;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
	rules.n_plus_one.within = 1000 * MADE_MS;
	rules.n_plus_one.source = true;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 1);
	made.calls[0].in_last = made.calls[1].in_last; /* nothing had ended before them */
	assert_int_equal(count_of(FINDING_N_PLUS_ONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_n_plus_one),
	    CASE(test_n_plus_one_with_writes),
	    CASE(test_too_few),
	    CASE(test_n_plus_one_of_no_origin),
	    CASE(test_n_plus_one_over_http),
	    CASE(test_paths_without_data),
	    CASE(test_no_batch),
	    CASE(test_at_once),
	    CASE(test_same_requests),
	    CASE(test_same_among_different),
	    CASE(test_linked_list),
	    CASE(test_linked_list_through_others),
	    CASE(test_answers_that_name_known_ids),
	    CASE(test_tree),
	    CASE(test_two_in_one_loop),
	    CASE(test_unknown_answers),
	    CASE(test_unknown_answers_of_known_ids),
	    CASE(test_failed_members),
	    CASE(test_other_rules),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
