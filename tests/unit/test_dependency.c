/*
 * test_dependency.c: which calls of a run need others' answers: each way to see it, and its twin in which it is not so.
 */
#include "made_run.h"

#include "../../daemon/finding/plan.h"

static struct finding_stage *stage;
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

/* Between two calls of the run as it is now. */
static enum dependency between(uint32_t i, uint32_t j)
{
	struct plan plan = {.stage = stage, .run = &made.run, .rules = finding_stage_rules(stage)};

	return dependency_between(&plan, i, j);
}

/* A read over HTTP of something new: by itself it has to do with nothing. */
static struct run_call *http(void)
{
	struct run_call *call = made_http(&made, "GET /thing/?", made_number(), made_number());

	call->pooled = true;
	return call;
}

static struct run_call *get(uint64_t key, uint64_t connection)
{
	struct run_call *call = made_get(&made, key, made_number());

	call->connection = connection;
	return call;
}

static uint32_t value(void)
{
	return (uint32_t)test_random();
}

static void test_nothing(void **state)
{
	(void)state;
	made_answers_with(http(), 1);
	made_asks_with(http(), 2);
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
}

static void test_value(void **state)
{
	uint32_t passed = value();

	(void)state;
	made_answers_with(http(), passed);
	http();
	made_asks_with(get(made_number(), 5), passed);
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
	assert_int_equal(between(1, 2), DEPENDENCY_NONE);
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
}

static void test_value_for_many(void **state)
{
	uint32_t passed = value();

	(void)state;
	made_answers_with(http(), passed);
	made_asks_with(http(), passed);
	made_asks_with(http(), passed);
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
	assert_int_equal(between(1, 2), DEPENDENCY_NONE);
}

static void test_value_from_many(void **state)
{
	uint32_t passed = value();

	(void)state;
	made_answers_with(http(), passed);
	made_answers_with(http(), passed);
	made_asks_with(http(), passed);
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
	assert_int_equal(between(1, 2), DEPENDENCY_SEEN);
}

/* The same was asked and answered before: who needs it had it from there, unless something was written since. */
static void test_said_again(void **state)
{
	uint32_t passed = value();
	uint64_t key = made_number(), answer = made_number();

	(void)state;
	made_answers_with(made_get(&made, key, answer), passed);
	made_answers_with(made_get(&made, key, answer), passed);
	made_set(&made, made_number());
	made_answers_with(made_get(&made, key, answer), passed);
	made_answers_with(made_get(&made, key, answer + 1), passed);
	made_asks_with(http(), passed);
	assert_int_equal(between(0, 5), DEPENDENCY_SEEN);
	assert_int_equal(between(1, 5), DEPENDENCY_NONE);
	assert_int_equal(between(3, 5), DEPENDENCY_SEEN);
	assert_int_equal(between(4, 5), DEPENDENCY_SEEN);
}

/* The answer repeats what was asked: who asks with it again has it from where the first one had it. */
static void test_echo(void **state)
{
	uint32_t known = value();
	struct run_call *call = http();

	(void)state;
	made_asks_with(call, known);
	made_answers_with(call, known);
	made_asks_with(http(), known);
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
}

/* Another call asked with it while the answer had not begun. */
static void test_known_to_another(void **state)
{
	uint32_t known = value();
	struct run_call *call = http(), *other = http();

	(void)state;
	other->lane = 7;
	made_overlap(other);
	call->in_first = other->out_first + 10;
	call->in_last = call->in_first + 10;
	made_answers_with(call, known);
	made_asks_with(other, known);
	made_asks_with(http(), known);
	assert_int_equal(between(0, 2), DEPENDENCY_NONE);
	other->out_first = call->in_first + 1;
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
}

static void test_known_from_the_request(void **state)
{
	uint32_t known = value();
	struct call_content asked = {.request_value_count = 1, .request_values = &known};

	(void)state;
	made_answers_with(http(), known);
	made_asks_with(http(), known);
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	made.run.asked = &asked;
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
}

static void test_connections(void **state)
{
	(void)state;
	get(made_number(), 5);
	get(made_number(), 5);
	get(made_number(), 6);
	http();
	http();
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	assert_int_equal(between(0, 2), DEPENDENCY_NONE);
	assert_int_equal(between(3, 4), DEPENDENCY_NONE);
}

static void test_connects(void **state)
{
	struct run_call *connect = made_add_bare(&made, "http", "connect");

	(void)state;
	connect->kind = CALL_CONNECT;
	connect->connection = 2;
	http();
	http()->connection = 3;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	assert_int_equal(between(0, 2), DEPENDENCY_NONE);
	connect->error = true;
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
}

static void test_asked_again(void **state)
{
	uint64_t request = made_number();

	(void)state;
	made_http(&made, "GET /job/?", request, made_number())->pooled = true;
	made_http(&made, "GET /job/?", request, made_number())->pooled = true;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	made.calls[1].where.port++;
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
}

/* What went wrong or was not there may be why the next one was asked at all. */
static void test_decisions(void **state)
{
	struct run_call *call = http();

	(void)state;
	http();
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
	call->error = true;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	call->error = false;
	call->client_error = true;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	call->client_error = false;
	call->content->missing = true;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	call->content->missing = false;
	call->answered = false;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
}

static void test_written_and_read(void **state)
{
	uint64_t key = made_number();
	struct run_call *write = made_set(&made, key), *read;

	(void)state;
	read = get(key, 5);
	get(key ^ 2, 6);
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	assert_int_equal(between(0, 2), DEPENDENCY_NONE);
	read->where.port++;
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
	write->content->access = PROTOCOL_OTHER;
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
	write->content->access = PROTOCOL_WRITE;
	write->content->items_cut = true;
	assert_int_equal(between(0, 2), DEPENDENCY_SEEN);
}

static void test_read_and_written(void **state)
{
	struct run_call *read = http(), *write;

	(void)state;
	write = made_set(&made, made_number());
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	read->lane = 9;
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
	write->where = read->where;
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
}

static void test_unknown(void **state)
{
	uint32_t passed = value();
	struct run_call *from = http(), *to = http();
	struct call_content *content = from->content;

	(void)state;
	made_answers_with(from, passed);
	content->opaque = true;
	assert_int_equal(between(0, 1), DEPENDENCY_UNKNOWN);
	content->opaque = false;
	content->answer_cut = true;
	assert_int_equal(between(0, 1), DEPENDENCY_UNKNOWN);
	made_asks_with(to, passed); /* what is there is enough to see it */
	assert_int_equal(between(0, 1), DEPENDENCY_SEEN);
	to->content->request_values[0]++;
	content->answer_cut = false;
	to->content->request_cut = true;
	assert_int_equal(between(0, 1), DEPENDENCY_UNKNOWN);
	to->content->request_cut = false;
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
	from->content = NULL;
	assert_int_equal(between(0, 1), DEPENDENCY_UNKNOWN);
}

/* The definition, as plainly as it can be said. */
static bool was_passed(const struct run_call *from, const struct run_call *to)
{
	for (uint32_t k = 0; k < to->content->request_value_count; k++) {
		uint32_t passed = to->content->request_values[k];
		bool known = false, answered = false;

		for (size_t i = 0; i < made.run.made_count; i++) {
			const struct run_call *call = &made.calls[i];

			for (uint32_t n = 0; n < call->content->request_value_count; n++)
				known |= call->content->request_values[n] == passed && call->out_first < from->in_first;
		}
		for (uint32_t n = 0; n < from->content->answer_value_count; n++)
			answered |= from->content->answer_values[n] == passed;
		if (answered && !known)
			return true;
	}
	return false;
}

static void test_any_run(void **state)
{
	struct plan plan = {.stage = stage, .run = &made.run, .rules = finding_stage_rules(stage)};
	uint32_t values = 4 + (uint32_t)test_random_below(200), seen = 0;

	(void)state;
	while (made.run.made_count < MADE_MAX) {
		struct run_call *call = http();

		for (uint64_t k = test_random_below(8); k > 0; k--)
			made_answers_with(call, (uint32_t)test_random_below(values));
		for (uint64_t k = test_random_below(4); k > 0; k--)
			made_asks_with(call, (uint32_t)test_random_below(values));
	}
	for (uint32_t j = 0; j < MADE_MAX; j++)
		for (uint32_t i = 0; i < j; i++) {
			bool passed = was_passed(&made.calls[i], &made.calls[j]);

			assert_int_equal(dependency_between(&plan, i, j), passed ? DEPENDENCY_SEEN : DEPENDENCY_NONE);
			seen += passed;
		}
	print_message("%u of %u depend\n", seen, MADE_MAX * (MADE_MAX - 1) / 2);
}

/* More values than are kept: that nothing was passed on is not known then. */
static void test_too_many_values(void **state)
{
	static uint32_t values[20][CONTENT_MAX_VALUES];

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		struct run_call *call = http();

		for (uint32_t k = 0; k < CONTENT_MAX_VALUES; k++)
			values[i][k] = i * CONTENT_MAX_VALUES + k;
		call->content->request_values = values[i];
		call->content->request_value_count = CONTENT_MAX_VALUES;
	}
	assert_int_equal(between(0, 1), DEPENDENCY_NONE);
	assert_int_equal(between(0, 19), DEPENDENCY_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(test_value, begin, end),
	    cmocka_unit_test_setup_teardown(test_value_for_many, begin, end),
	    cmocka_unit_test_setup_teardown(test_value_from_many, begin, end),
	    cmocka_unit_test_setup_teardown(test_said_again, begin, end),
	    cmocka_unit_test_setup_teardown(test_echo, begin, end),
	    cmocka_unit_test_setup_teardown(test_known_to_another, begin, end),
	    cmocka_unit_test_setup_teardown(test_known_from_the_request, begin, end),
	    cmocka_unit_test_setup_teardown(test_connections, begin, end),
	    cmocka_unit_test_setup_teardown(test_connects, begin, end),
	    cmocka_unit_test_setup_teardown(test_asked_again, begin, end),
	    cmocka_unit_test_setup_teardown(test_decisions, begin, end),
	    cmocka_unit_test_setup_teardown(test_written_and_read, begin, end),
	    cmocka_unit_test_setup_teardown(test_read_and_written, begin, end),
	    cmocka_unit_test_setup_teardown(test_unknown, begin, end),
	    cmocka_unit_test_setup_teardown(test_any_run, begin, end),
	    cmocka_unit_test_setup_teardown(test_too_many_values, begin, end),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
