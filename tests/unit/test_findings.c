/*
 * test_findings.c: the kinds of findings, each on runs made by hand: the sin, and its innocent twins that differ in the
 * one thing that matters.
 */
#include "made_run.h"

static struct finding_stage *stage;
static struct finding_report report;
static struct made_run made;

static int begin(void **state)
{
	(void)state;
	stage = finding_stage_new();
	made_begin(&made);
	return stage ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	finding_stage_free(stage);
	return 0;
}

static void look(void)
{
	assert_int_equal(finding_stage_ran(stage, &made.run, &report), 0);
}

static size_t count_of(enum finding_kind kind)
{
	size_t count = 0;

	look();
	for (size_t i = 0; i < report.count; i++)
		count += report.findings[i].kind == kind;
	return count;
}

/* The only one of its kind. */
static const struct finding *only(enum finding_kind kind)
{
	assert_int_equal(count_of(kind), 1);
	for (size_t i = 0; i < report.count; i++)
		if (report.findings[i].kind == kind)
			return &report.findings[i];
	return NULL;
}

static void some_call(void)
{
	made_http(&made, "GET /news", made_number(), made_number());
}

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

static void add_multi_get(const uint64_t *keys, size_t count)
{
	struct run_call *call = made_add(&made, "redis", "MGET user:?", PROTOCOL_READ, made_number(), made_number());

	for (size_t i = 0; i < count; i++)
		made_add_key(call, keys[i], keys[i] ^ 4);
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

/* ---- n_plus_one ---- */

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

/* ---- repeated ---- */

/* One more run, later by that much; what it asked before is the test's to say again. */
static void next_run(uint64_t later)
{
	uint64_t now = made.now;

	look();
	made_begin(&made);
	made.now = made.run.began = now + later;
}

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

/* ---- reconnect ---- */

static void close_connection(uint64_t connection, uint64_t requests, bool by_peer)
{
	finding_stage_closed(stage,
			     &(struct call_closing){
				 .connection = connection, .when = made.now, .requests = requests, .by_peer = by_peer});
}

/* A connect with a greeting, and a call. */
static struct run_call *call_alone(uint64_t connection)
{
	made_connect(&made, connection);
	made_add(&made, "redis", "HELLO", PROTOCOL_CONTROL, 3, 3)->connection = connection;
	made_get(&made, made_number(), 9)->connection = connection;
	return &made.calls[made.run.made_count - 1];
}

static void test_reconnect(void **state)
{
	uint64_t connection = made_number();
	const struct finding *found;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		call_alone(connection + i);
		close_connection(connection + i, 1, i == 1);
	}
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 3);
	assert_int_equal(found->candidates, 3);
	assert_int_equal(found->calls, 6); /* with what is said at the beginning */
	assert_string_equal(found->operation, "connect");
	assert_string_equal(found->evidence, "a connection for each call");
	assert_true(found->saving.expected > 0);
}

static void test_reconnect_because_of_the_backend(void **state)
{
	(void)state;
	call_alone(5);
	close_connection(5, 1, true);
	assert_string_equal(only(FINDING_RECONNECT)->evidence, "a connection for each call, closed by the backend");
}

/* A pool fills: connections stay open, or carry more. */
static void test_pool(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		call_alone(100 + i);
	close_connection(100, 2, false);
	close_connection(101, 7, true);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
	/* That they are closed later, with all that they carried, changes nothing. */
	close_connection(102, 9, false);
	close_connection(103, 2, false);
	next_run(made_time());
	call_alone(200);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
}

static void test_one_of_a_pool(void **state)
{
	const struct finding *found;

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		call_alone(100 + i);
	close_connection(102, 1, false);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 4);
	assert_int_equal(found->calls, 2);
}

/* Each is closed when its run was told of already. */
static void test_closed_late(void **state)
{
	const struct finding *found;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		call_alone(100 + i);
		assert_int_equal(count_of(FINDING_RECONNECT), 0);
		close_connection(100 + i, 1, false);
		made_begin(&made);
	}
	call_alone(103);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 4); /* with the first three, of which nobody knew */
}

/* Others are told of by what became of those that the same place has made, and not where they were used again. */
static void test_still_open(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		call_alone(100 + i);
		close_connection(100 + i, 1, false);
	}
	next_run(0);
	call_alone(200);
	made_get(&made, made_number(), 9)->connection = 200;
	look();
	assert_int_equal(only(FINDING_RECONNECT)->calls, 0);
	next_run(0);
	call_alone(201);
	made.calls[0].site = &made_sites[1];
	assert_int_equal(only(FINDING_RECONNECT)->calls, 0);
	next_run(0);
	call_alone(202);
	assert_int_equal(only(FINDING_RECONNECT)->needless, 1);
}

static void test_failed_connects(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		struct run_call *call = made_connect(&made, 100 + i);

		call->answered = false;
		call->error = true;
		close_connection(100 + i, 0, false);
	}
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
}

static void test_reconnect_bounds(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 16384 + 7; i++)
		close_connection(100 + i, 1, false);
	assert_int_equal(finding_stage_stats(stage)->connections_refused, 7);
	call_alone(106);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
	call_alone(107);
	assert_int_equal(only(FINDING_RECONNECT)->needless, 1);
}

/* ---- slow_start ---- */

static struct run_call *add_bare(const char *protocol, const char *operation, uint16_t port, uint64_t connection)
{
	struct run_call *call = made_add_bare(&made, protocol, operation);

	call->where.port = port;
	call->connection = connection;
	return call;
}

static void test_handshakes(void **state)
{
	const struct finding *found;

	(void)state;
	add_bare("tls", "handshake", 443, 8);
	add_bare("tls", "data", 443, 8);
	add_bare("tls", "handshake", 443, 9);
	add_bare("tls", "data", 443, 9);
	found = only(FINDING_SLOW_START);
	assert_int_equal(found->calls, 2);
	assert_int_equal(found->needless, 2);
	assert_string_equal(found->operation, "handshake");
	assert_string_equal(found->evidence, "TLS handshake inside the run");
	assert_true(found->saving.expected > 0);
}

static void test_connections_made_before(void **state)
{
	(void)state;
	add_bare("tls", "data", 443, 8);
	add_bare("tls", "data", 443, 8);
	assert_int_equal(count_of(FINDING_SLOW_START), 0);
}

static void test_quick_handshake(void **state)
{
	struct run_call *call = add_bare("tls", "handshake", 443, 8);

	(void)state;
	call->in_last = call->in_first = call->out_last;
	assert_int_equal(count_of(FINDING_SLOW_START), 0);
}

static void test_look_ups(void **state)
{
	(void)state;
	add_bare("tcp", "", 53, 8);
	assert_string_equal(only(FINDING_SLOW_START)->evidence, "name look-up inside the run");
}

/* Without the connection, there is no handshake either. */
static void test_reconnect_with_handshakes(void **state)
{
	const struct finding *found;

	(void)state;
	made_connect(&made, 8);
	add_bare("tls", "handshake", 6379, 8);
	add_bare("tls", "data", 6379, 8);
	close_connection(8, 1, false);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->calls, 2);
	assert_int_equal(count_of(FINDING_SLOW_START), 1);
}

/* ---- stalled ---- */

/* A POST that takes `wait` ms until its answer begins, and `parts` ms from that one's first part to its last. */
static struct run_call *post(uint64_t wait, uint64_t parts)
{
	struct run_call *call = made_add(&made, "http", "POST /orders", PROTOCOL_OTHER, made_number(), made_number());

	call->where.port = 80;
	call->in_first = call->out_last + wait * MADE_MS;
	call->in_last = call->in_first + parts * MADE_MS;
	made.now = call->in_last;
	made.run.ended = made.now + MADE_MS;
	return call;
}

/* Likewise in two sends, of which the second may be held back. */
static struct run_call *post_in_parts(uint64_t wait)
{
	struct run_call *call = post(wait, 0);

	call->sends = 2;
	call->held_back = true;
	return call;
}

static uint64_t some_stall(void)
{
	return 39 + test_random_below(10);
}

static void test_request_in_parts(void **state)
{
	const struct finding *found;

	(void)state;
	post_in_parts(1);
	for (int i = 0; i < 3; i++)
		post_in_parts(some_stall());
	found = only(FINDING_STALLED);
	assert_int_equal(found->needless, 3);
	assert_string_equal(found->evidence, "a request in parts waits for a delayed acknowledgement");
	assert_in_range(found->saving.expected, 3 * 37 * MADE_MS, 3 * 50 * MADE_MS);
}

/* One send has nothing to be held back for. */
static void test_request_at_once(void **state)
{
	(void)state;
	post(1, 0);
	post(some_stall(), 0);
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* All of them wait: there is nothing to compare, and the delay is the least that it can be. */
static void test_all_in_parts(void **state)
{
	const struct finding *found;

	(void)state;
	post_in_parts(some_stall());
	post_in_parts(some_stall());
	found = only(FINDING_STALLED);
	assert_int_equal(found->needless, 2);
	assert_in_range(found->saving.expected, 75 * MADE_MS, 77 * MADE_MS);
}

/* Where a machine is busy it takes longer, which says nothing of the backend. */
static void test_stall_on_a_busy_machine(void **state)
{
	(void)state;
	post_in_parts(some_stall());
	for (int i = 0; i < 4; i++)
		post_in_parts(61 + test_random_below(20));
	assert_int_equal(only(FINDING_STALLED)->needless, 1);
}

/* With TCP_NODELAY nothing is held back: the backend takes so long. */
static void test_no_delay(void **state)
{
	(void)state;
	post_in_parts(1)->held_back = false;
	for (int i = 0; i < 8; i++)
		post_in_parts(some_stall())->held_back = false;
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* As long in one send: the backend takes its time, for all of them. */
static void test_backend_that_takes_as_long(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		post(some_stall(), 0);
	post_in_parts(some_stall());
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* Or sometimes this and sometimes that. */
static void test_backend_that_takes_any_time(void **state)
{
	(void)state;
	for (uint64_t wait = 1; wait < 100; wait += 7)
		post_in_parts(wait);
	post_in_parts(some_stall());
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* What is usual was seen in an earlier run. */
static void test_stall_against_earlier_runs(void **state)
{
	(void)state;
	post_in_parts(1);
	next_run(0);
	post_in_parts(some_stall());
	assert_int_equal(only(FINDING_STALLED)->needless, 1);
}

static void test_answer_in_parts(void **state)
{
	(void)state;
	post(1, 0);
	post(1, some_stall());
	assert_string_equal(only(FINDING_STALLED)->evidence, "an answer in parts waits for a delayed acknowledgement");
}

static void test_large_answer(void **state)
{
	(void)state;
	post(1, 0);
	post(1, some_stall())->bytes_in = 1 << 20;
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

static void test_sent_again(void **state)
{
	const struct finding *found;

	(void)state;
	post(50, 0);
	post(250, 0)->retransmits = 1;
	found = only(FINDING_STALLED);
	assert_string_equal(found->evidence, "packets were lost and sent again");
	assert_in_range(found->saving.expected, 190 * MADE_MS, 210 * MADE_MS);
}

/* It was lost, and did not cost anything: the next one brought it to light at once. */
static void test_sent_again_in_time(void **state)
{
	(void)state;
	post(50, 0);
	post(52, 0)->retransmits = 1;
	assert_int_equal(count_of(FINDING_STALLED), 0);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

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
	    CASE(test_repeated),
	    CASE(test_repeated_tells_candidates_of_earlier_runs),
	    CASE(test_repeated_within_window),
	    CASE(test_repeated_with_another_answer),
	    CASE(test_repeated_after_a_write),
	    CASE(test_repeated_keys_of_a_multi_get),
	    CASE(test_repeated_beside),
	    CASE(test_repeated_bounds),
	    CASE(test_reconnect),
	    CASE(test_reconnect_because_of_the_backend),
	    CASE(test_pool),
	    CASE(test_one_of_a_pool),
	    CASE(test_closed_late),
	    CASE(test_still_open),
	    CASE(test_failed_connects),
	    CASE(test_reconnect_bounds),
	    CASE(test_handshakes),
	    CASE(test_connections_made_before),
	    CASE(test_quick_handshake),
	    CASE(test_look_ups),
	    CASE(test_reconnect_with_handshakes),
	    CASE(test_request_in_parts),
	    CASE(test_request_at_once),
	    CASE(test_all_in_parts),
	    CASE(test_stall_on_a_busy_machine),
	    CASE(test_no_delay),
	    CASE(test_backend_that_takes_as_long),
	    CASE(test_backend_that_takes_any_time),
	    CASE(test_stall_against_earlier_runs),
	    CASE(test_answer_in_parts),
	    CASE(test_large_answer),
	    CASE(test_sent_again),
	    CASE(test_sent_again_in_time),
	    CASE(test_run_that_is_not_exact),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
