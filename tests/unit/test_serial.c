/*
 * test_serial.c: calls in a row that could be at once, and rows that only look like it.
 */
#include "made_run.h"

#include "../../daemon/finding/plan.h"

static struct finding_stage *stage;
static struct finding_report report;
static struct made_run made;

/* However little it saves: how long calls take is of chance. */
static int begin(void **state)
{
	struct finding_rules rules = *rules_find("default");

	(void)state;
	rules.serial.saving = 1;
	rules.serial.saving_share = 0;
	stage = finding_stage_new();
	finding_stage_set_rules(stage, &rules);
	made_begin(&made);
	return stage ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	finding_stage_free(stage);
	return 0;
}

/* A path of its own each: it is no N+1, whatever its data. */
static struct run_call *http(void)
{
	char template[32];
	struct run_call *call;

	snprintf(template, sizeof(template), "GET /part%zu", made.run.made_count);
	call = made_http(&made, template, made_number(), made_number());
	call->pooled = true;
	return call;
}

static struct run_call *get(uint64_t connection)
{
	struct run_call *call = made_get(&made, made_number(), made_number());

	call->connection = connection;
	return call;
}

static void pass(struct run_call *from, struct run_call *to)
{
	uint32_t value = (uint32_t)test_random();

	made_answers_with(from, value);
	made_asks_with(to, value);
}

static size_t count(void)
{
	size_t found = 0;

	assert_int_equal(finding_stage_ran(stage, &made.run, &report), 0);
	assert_true(report.analysed);
	for (size_t i = 0; i < report.count; i++)
		found += report.findings[i].kind == FINDING_SERIAL;
	return found;
}

static const struct finding *only(void)
{
	assert_int_equal(count(), 1);
	for (size_t i = 0; i < report.count; i++)
		if (report.findings[i].kind == FINDING_SERIAL)
			return &report.findings[i];
	return NULL;
}

static void test_row(void **state)
{
	uint32_t length = 2 + (uint32_t)test_random_below(10);
	uint64_t sum = 0, longest = 0;
	const struct finding *found;

	(void)state;
	for (uint32_t i = 0; i < length; i++) {
		const struct run_call *call = http();

		sum += call->in_last - call->out_first;
		longest = call->in_last - call->out_first > longest ? call->in_last - call->out_first : longest;
	}
	found = only();
	assert_int_equal(found->calls, length);
	assert_int_equal(found->needless, length);
	assert_string_equal(found->evidence, "in a row, no data seen passed on");
	assert_true(found->saving.low <= found->saving.expected && found->saving.expected <= found->saving.high);
	/* Python does the same as before, whenever that is: at best, all waits but the longest are gone. */
	assert_in_range(found->saving.high, sum - longest, report.wall - longest);
	assert_true(found->saving.expected <= report.then.expected);
}

static void test_chain(void **state)
{
	struct run_call *before = http();

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct run_call *call = http();

		pass(before, call);
		before = call;
	}
	assert_int_equal(count(), 0);
	/* One link without data is a row of two. */
	before->content->request_values[0]++;
	assert_int_equal(only()->calls, 2);
}

/* Each waits for the first one, and for nothing else. */
static void test_fan_out(void **state)
{
	struct run_call *first = http();

	(void)state;
	for (int i = 0; i < 5; i++)
		pass(first, http());
	assert_int_equal(only()->calls, 5);
	assert_ptr_equal(only()->sites[0].site, &made_sites[0]);
}

/* A waits for B, C for D: two and two can be at once, however they lie. */
static void test_two_chains(void **state)
{
	struct run_call *first = http(), *second = http();

	(void)state;
	pass(first, http());
	pass(second, http());
	assert_int_equal(count(), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(report.findings[i].calls, 2);
}

/* The last one waits for the second, so that it comes too late for the first one's group. */
static void test_waits_for_one_between(void **state)
{
	struct run_call *call;

	(void)state;
	http();
	call = http();
	pass(call, http());
	assert_int_equal(only()->calls, 2);
	http();
	assert_int_equal(only()->calls, 3);
}

static void test_others_between(void **state)
{
	struct run_call *write;

	(void)state;
	http();
	write = made_set(&made, made_number());
	http();
	assert_int_equal(only()->calls, 2);
	/* The second one reads what was written. */
	write->where = made.calls[2].where;
	assert_int_equal(count(), 0);
}

static void test_across_protocols(void **state)
{
	(void)state;
	http();
	get(5);
	made_add(&made, "memcache", "get ?", PROTOCOL_READ, made_number(), made_number())->connection = 6;
	http();
	assert_int_equal(only()->calls, 4);
	assert_true(only()->many_backends);
	assert_true(count() == 1 && report.findings[0].protocol);
}

/* The operation that most have stands for all. */
static void test_typical(void **state)
{
	const struct finding *found;

	(void)state;
	get(5);
	for (int i = 0; i < 3; i++)
		made_http(&made, "GET /stock/?", made_number(), made_number())->pooled = true;
	http();
	found = only();
	assert_int_equal(found->calls, 5);
	assert_string_equal(found->operation, "GET /stock/?");
	assert_string_equal(found->protocol, "http");
	assert_int_equal(found->where.port, 80);
}

static void test_connection_keeps_order(void **state)
{
	(void)state;
	get(5);
	get(5);
	assert_int_equal(count(), 0);
	made.calls[1].connection = 6;
	assert_int_equal(only()->calls, 2);
}

static void test_duplicates(void **state)
{
	uint64_t request = made_number();

	(void)state;
	made_http(&made, "GET /rates", request, 5)->pooled = true;
	made_http(&made, "GET /rates", request, 5)->pooled = true;
	assert_int_equal(count(), 0);
}

static void test_writes(void **state)
{
	(void)state;
	http();
	made_set(&made, made_number())->connection = 7;
	made_set(&made, made_number())->connection = 8;
	assert_int_equal(count(), 0);
}

static void test_failures(void **state)
{
	struct run_call *call = http();

	(void)state;
	http();
	call->client_error = true;
	assert_int_equal(count(), 0);
	call->client_error = false;
	call[1].error = true;
	assert_int_equal(count(), 0);
	call[1].error = false;
	assert_int_equal(count(), 1);
}

static void test_already_at_once(void **state)
{
	struct run_call *call;

	(void)state;
	http()->lane = 3;
	call = http();
	call->lane = 4;
	made_overlap(call);
	call = http();
	call->lane = 5;
	call->out_first = call[-1].out_first + 10;
	assert_int_equal(count(), 0);
}

/* Each waits in its own lane for its own: two lanes have nothing in a row. */
static void test_lanes(void **state)
{
	(void)state;
	http()->lane = 3;
	http()->lane = 4;
	assert_int_equal(count(), 0);
	made.calls[1].lane = 3;
	assert_int_equal(count(), 1);
}

static void test_pipeline(void **state)
{
	struct run_call *call;

	(void)state;
	http();
	get(5);
	call = get(5);
	call->round_trip = false;
	made_overlap(call);
	assert_int_equal(count(), 0);
}

/* A new connection for each: the connect comes along with its call. */
static void test_connects(void **state)
{
	const struct finding *found;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		struct run_call *connect = made_add_bare(&made, "http", "connect");

		connect->kind = CALL_CONNECT;
		connect->connection = 10 + i;
		http()->connection = 10 + i;
	}
	found = only();
	assert_int_equal(found->calls, 4);
	assert_true(found->saving.low > 0);
}

static void test_unknown_answer(void **state)
{
	struct run_call *first = http();
	const struct finding *found;

	(void)state;
	http();
	first->content->opaque = true;
	found = only();
	assert_int_equal(found->calls, 2);
	assert_string_equal(found->evidence, "in a row, answers not all there to look at");
	assert_int_equal(found->saving.low, 0);
	assert_int_equal(found->saving.expected, 0);
	assert_true(found->saving.high > 0);
	assert_int_equal(report.then.expected, 0);
	assert_int_equal(report.then.high, found->saving.high);
}

/* Two of them are sure, and three if what is not known is as hoped. */
static void test_partly_unknown(void **state)
{
	(void)state;
	http();
	http()->content->opaque = true;
	http();
	assert_int_equal(count(), 2);
	assert_int_equal(report.findings[0].calls, 2);
	assert_true(report.findings[0].saving.expected > 0);
	assert_int_equal(report.findings[1].calls, 3);
	assert_int_equal(report.findings[1].saving.expected, 0);
	assert_int_equal(report.then.expected, report.findings[0].saving.expected);
	assert_int_equal(report.then.high, report.findings[1].saving.high);
}

/* What is passed on shows, unknown or not. */
static void test_unknown_and_passed(void **state)
{
	struct run_call *first = http();

	(void)state;
	pass(first, http());
	first->content->answer_cut = true;
	assert_int_equal(count(), 0);
}

static void test_thresholds(void **state)
{
	struct finding_rules rules = *finding_stage_rules(stage);

	(void)state;
	http();
	http();
	http();
	rules.serial.least = 3;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 1);
	rules.serial.least = 4;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
	rules.serial.least = 2;
	rules.serial.saving = 1000 * MADE_MS;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
	rules.serial.saving = 0;
	rules.serial.saving_share = 0.95;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
	rules.serial.saving_share = 0;
	rules.serial.call_time = 1000 * MADE_MS;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
	rules.serial.call_time = 0;
	rules.serial.on = false;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
}

/* Rules of those who do not look at data. */
static void test_without_evidence(void **state)
{
	struct finding_rules rules = *finding_stage_rules(stage);
	struct run_call *first = http(), *second = http();

	(void)state;
	pass(first, second);
	assert_int_equal(count(), 0);
	rules.serial.independent = false;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(only()->calls, 2);
	assert_string_equal(only()->evidence, "in a row");
	second->where.port++;
	rules.serial.hosts = 2;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
	rules.serial.hosts = 3;
	rules.serial.gap = second->out_first - first->in_last;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 1);
	rules.serial.gap--;
	finding_stage_set_rules(stage, &rules);
	assert_int_equal(count(), 0);
}

/* Of whatever run: no member of a row has its data from another one, nor from a call after the row's beginning. */
static void test_any_run(void **state)
{
	struct plan plan = {.stage = stage, .run = &made.run, .rules = finding_stage_rules(stage)};
	uint32_t values = 2 + (uint32_t)test_random_below(30);

	(void)state;
	while (made.run.made_count < MADE_MAX) {
		struct run_call *call = test_random_below(2) ? http() : get(test_random_below(4));

		call->lane = test_random_below(2);
		call->content->opaque = !test_random_below(20);
		for (uint64_t k = test_random_below(3); k > 0; k--)
			made_answers_with(call, (uint32_t)test_random_below(values));
		for (uint64_t k = test_random_below(2); k > 0; k--)
			made_asks_with(call, (uint32_t)test_random_below(values));
	}
	finding_serial.find(&plan);
	for (size_t p = 0; p < plan.proposal_count; p++) {
		const struct plan_proposal *proposal = &plan.proposals[p];

		for (uint32_t k = 1; k < proposal->count; k++)
			for (uint32_t i = proposal->calls[0]; i < proposal->calls[k]; i++) {
				enum dependency found = dependency_between(&plan, i, proposal->calls[k]);

				assert_int_equal(made.calls[proposal->calls[k]].lane,
						 made.calls[proposal->calls[0]].lane);
				if (found != DEPENDENCY_UNKNOWN || proposal->sure)
					assert_int_equal(found, DEPENDENCY_NONE);
			}
	}
	free(plan.proposals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_row, begin, end),
	    cmocka_unit_test_setup_teardown(test_chain, begin, end),
	    cmocka_unit_test_setup_teardown(test_fan_out, begin, end),
	    cmocka_unit_test_setup_teardown(test_two_chains, begin, end),
	    cmocka_unit_test_setup_teardown(test_waits_for_one_between, begin, end),
	    cmocka_unit_test_setup_teardown(test_others_between, begin, end),
	    cmocka_unit_test_setup_teardown(test_across_protocols, begin, end),
	    cmocka_unit_test_setup_teardown(test_typical, begin, end),
	    cmocka_unit_test_setup_teardown(test_connection_keeps_order, begin, end),
	    cmocka_unit_test_setup_teardown(test_duplicates, begin, end),
	    cmocka_unit_test_setup_teardown(test_writes, begin, end),
	    cmocka_unit_test_setup_teardown(test_failures, begin, end),
	    cmocka_unit_test_setup_teardown(test_already_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(test_lanes, begin, end),
	    cmocka_unit_test_setup_teardown(test_pipeline, begin, end),
	    cmocka_unit_test_setup_teardown(test_connects, begin, end),
	    cmocka_unit_test_setup_teardown(test_unknown_answer, begin, end),
	    cmocka_unit_test_setup_teardown(test_partly_unknown, begin, end),
	    cmocka_unit_test_setup_teardown(test_unknown_and_passed, begin, end),
	    cmocka_unit_test_setup_teardown(test_thresholds, begin, end),
	    cmocka_unit_test_setup_teardown(test_without_evidence, begin, end),
	    cmocka_unit_test_setup_teardown(test_any_run, begin, end),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
