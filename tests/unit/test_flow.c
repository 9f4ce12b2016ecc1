/*
 * test_flow.c: what can be executed after what, in code that each version compiled and specialised.
 */
#include "test.h"

#include <string.h>

#include "../../daemon/run/flow.h"
#include "code_fixtures.h"

#define FIXTURE_COUNT (sizeof(code_fixtures) / sizeof(*code_fixtures))

typedef void (*fixture_test)(const struct code_fixture *fixture, const struct flow *flow);

static void with_each_version(fixture_test test)
{
	for (size_t i = 0; i < FIXTURE_COUNT; i++) {
		const struct code_fixture *fixture = &code_fixtures[i];
		struct flow *flow = flow_new(fixture->minor, fixture->code, fixture->code_size);

		if (!flow)
			fail_msg("3.%u cannot be read", fixture->minor);
		test(fixture, flow);
		flow_free(flow);
	}
}

#define assert_reaches(flow, from, to, minor)                                                                          \
	do {                                                                                                           \
		if (!flow_reaches(flow, from, to))                                                                     \
			fail_msg("3.%u: " #to " cannot follow " #from, minor);                                         \
	} while (0)
#define assert_not_reaches(flow, from, to, minor)                                                                      \
	do {                                                                                                           \
		if (flow_reaches(flow, from, to))                                                                      \
			fail_msg("3.%u: " #to " can follow " #from, minor);                                            \
	} while (0)

static void check_loops(const struct code_fixture *f, const struct flow *flow)
{
	assert_reaches(flow, f->calls.b, f->calls.b, f->minor);
	assert_reaches(flow, f->calls.c, f->calls.b, f->minor);
	assert_reaches(flow, f->calls.b, f->calls.c, f->minor);
	assert_reaches(flow, f->calls.d, f->calls.d, f->minor);
	assert_reaches(flow, f->calls.a, f->calls.k, f->minor);
}

static void loops_come_again(void **state)
{
	(void)state;
	with_each_version(check_loops);
}

static void check_straight(const struct code_fixture *f, const struct flow *flow)
{
	assert_not_reaches(flow, f->calls.a, f->calls.a, f->minor);
	assert_not_reaches(flow, f->calls.b, f->calls.a, f->minor);
	assert_not_reaches(flow, f->calls.d, f->calls.c, f->minor);
	assert_not_reaches(flow, f->calls.k, f->calls.d, f->minor);
	assert_not_reaches(flow, f->calls.e, f->calls.d, f->minor);
	assert_not_reaches(flow, f->calls.k, f->calls.e, f->minor);
	/* `except` may stand behind all the rest, but goes on to `finally`. */
	assert_not_reaches(flow, f->calls.g, f->calls.e, f->minor);
	assert_reaches(flow, f->calls.g, f->calls.h, f->minor);
}

static void what_is_past_does_not_come_again(void **state)
{
	(void)state;
	with_each_version(check_straight);
}

static void check_unseen(const struct code_fixture *f, const struct flow *flow)
{
	assert_false(flow_repeats_unseen(flow, f->calls.a));
	assert_false(flow_repeats_unseen(flow, f->calls.b)); /* for item in: `item` changes */
	assert_false(flow_repeats_unseen(flow, f->calls.c));
	assert_true(flow_repeats_unseen(flow, f->calls.d)); /* while */
}

static void a_for_loop_is_seen_a_while_loop_is_not(void **state)
{
	(void)state;
	with_each_version(check_unseen);
}

/* In 3.11 and 3.12 a frame that called Python code inline stands at the call's last inline cache. */
static void check_caches(const struct code_fixture *f, const struct flow *flow)
{
	uint32_t inside = f->calls.a + 2;

	if (f->minor < 11) {
		assert_int_equal(flow_instruction(flow, inside), inside);
		return;
	}
	assert_int_equal(flow_instruction(flow, inside), f->calls.a);
	assert_int_equal(flow_instruction(flow, inside + 1), f->calls.a);
	assert_not_reaches(flow, f->calls.a, inside, f->minor);
}

static void caches_belong_to_their_instruction(void **state)
{
	(void)state;
	with_each_version(check_caches);
}

static void nothing_known_is_everything_possible(void **state)
{
	struct flow *flow = flow_new(9, code_fixtures[1].code, code_fixtures[1].code_size);
	uint32_t beyond = code_fixtures[1].code_size;

	(void)state;
	assert_true(flow_reaches(NULL, 10, 0));
	assert_true(flow_repeats_unseen(NULL, 10));
	assert_int_equal(flow_instruction(NULL, 7), 7);
	assert_true(flow_reaches(flow, beyond, 0));
	assert_true(flow_repeats_unseen(flow, beyond));
	flow_free(flow);
	flow_free(NULL);
	assert_null(flow_new(7, code_fixtures[1].code, 10));
	assert_null(flow_new(99, code_fixtures[1].code, 10));
	assert_null(flow_new(11, code_fixtures[1].code, 0));
}

/* A debugger's or a JIT's instruction stands for one that is kept elsewhere, which may be a jump. */
static void hidden_instructions_make_it_unknown(void **state)
{
	static const struct {
		uint8_t minor, opcode;
	} hidden[] = {{12, 254}, {12, 253}, {13, 254}, {13, 70}, {14, 255}, {14, 254}, {15, 253}, {15, 254}};

	(void)state;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		uint8_t code[8] = {0};

		/* 0 is CACHE, or a NOP's neighbour: no instruction that matters in any of these */
		code[4] = hidden[i].opcode;
		assert_null(flow_new(hidden[i].minor, code, sizeof(code)));
	}
}

/* 3.8: `finally` is called, and its end jumps back behind the call. */
static void finally_of_38_goes_back(void **state)
{
	static const uint8_t code[] = {
	    9,	 0, /* 0 NOP */
	    162, 4, /* 2 CALL_FINALLY to 8 */
	    9,	 0, /* 4 NOP: a call behind it */
	    83,	 0, /* 6 RETURN_VALUE */
	    9,	 0, /* 8 NOP: the block */
	    88,	 0, /* 10 END_FINALLY */
	};
	struct flow *flow = flow_new(8, code, sizeof(code));

	(void)state;
	assert_non_null(flow);
	assert_true(flow_reaches(flow, 8, 4));
	assert_false(flow_reaches(flow, 8, 0));
	assert_false(flow_reaches(flow, 4, 0));
	flow_free(flow);
}

/* 3.13 on: handlers stand at the end, and go on behind their `with` or `try` by a jump that is no loop. */
static void handlers_go_on_without_a_loop(void **state)
{
	static const struct {
		uint8_t minor, handler, resume;
	} versions[] = {{13, 33, 78}, {14, 32, 76}, {15, 30, 75}};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		uint8_t code[2 * 20] = {0};
		struct flow *flow;

		code[2 * 10] = versions[i].handler;
		code[2 * 14] = versions[i].resume; /* to 15 - 11: behind a `with` */
		code[2 * 14 + 1] = 11;
		flow = flow_new(versions[i].minor, code, sizeof(code));
		assert_non_null(flow);
		assert_false(flow_repeats_unseen(flow, 2 * 6));
		assert_false(flow_reaches(flow, 2 * 6, 2 * 6));
		assert_false(flow_reaches(flow, 2 * 6, 2 * 5));
		assert_true(flow_reaches(flow, 2 * 2, 2 * 12)); /* into a handler */
		assert_true(flow_reaches(flow, 2 * 12, 2 * 6)); /* and out of it */
		assert_false(flow_reaches(flow, 2 * 12, 2 * 2));
		assert_false(flow_reaches(flow, 2 * 12, 2 * 12));
		flow_free(flow);
	}
}

/* From 3.11 on: SEND, YIELD_VALUE, RESUME, and a jump back. From 3.12 on a handler that goes on behind them. */
static void awaiting_is_no_loop(void **state)
{
	static const struct {
		uint8_t minor, send, caches, resume, thrown, back;
	} versions[] = {{11, 123, 0, 134, 0, 0},
			{12, 123, 1, 134, 55, 140},
			{13, 104, 1, 78, 8, 78},
			{14, 106, 1, 76, 7, 76},
			{15, 105, 1, 75, 7, 75}};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		uint8_t code[2 * 20] = {0}, caches = versions[i].caches;
		uint32_t send = 2 * 4, yield = send + 2 + 2 * caches, jump = yield + 4;
		struct flow *flow;

		code[send] = versions[i].send;
		code[jump] = versions[i].resume;
		code[jump + 1] = 4 + caches;
		code[2 * 14] = versions[i].thrown;
		code[2 * 15] = versions[i].back;
		code[2 * 15 + 1] = versions[i].thrown ? 6 : 0;
		flow = flow_new(versions[i].minor, code, sizeof(code));
		assert_non_null(flow);
		assert_false(flow_repeats_unseen(flow, send));
		assert_false(flow_reaches(flow, send, send));
		assert_false(flow_repeats_unseen(flow, 2 * 12)); /* the handler is of no others */
		assert_false(flow_reaches(flow, 2 * 15, 2 * 11));
		for (uint32_t at = send; at <= jump; at += 2) {
			assert_int_equal(flow_instruction(flow, at), send);
			assert_int_equal(flow_is_thrown(flow, at), at >= yield);
		}
		assert_int_equal(flow_instruction(flow, jump + 2), jump + 2);
		assert_false(flow_is_thrown(flow, jump + 2));
		assert_false(flow_is_thrown(flow, sizeof(code)));
		flow_free(flow);
	}
}

static void awaiting_was_one_instruction(void **state)
{
	const uint8_t code[] = {9, 0, 9, 0, 100, 0, 72, 0, 9, 0};

	(void)state;
	for (uint8_t minor = 8; minor <= 10; minor++) {
		struct flow *flow = flow_new(minor, code, sizeof(code));

		assert_non_null(flow);
		assert_false(flow_is_thrown(flow, 2));
		assert_true(flow_is_thrown(flow, 4));
		assert_false(flow_is_thrown(flow, 6));
		assert_int_equal(flow_instruction(flow, 6), flow_instruction(flow, 4));
		assert_false(flow_reaches(flow, 6, 4));
		assert_int_equal(flow_instruction(flow, 2), 2);
		flow_free(flow);
	}
	assert_false(flow_is_thrown(NULL, 0));
}

/* Of what calls through C, `with` and f(*args) do so once. */
static void some_instructions_call_once(void **state)
{
	static const struct {
		uint8_t minor, opcode;
		bool once;
	} cases[] = {{11, 142, true}, {11, 53, true}, {11, 171, false}, {12, 142, true}, {12, 171, false},
		     {13, 54, true},  {13, 44, true}, {13, 53, false},	{14, 4, true},	 {14, 52, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const uint8_t code[] = {cases[i].opcode, 0, 0, 0, 0, 0, 0, 0, 0, 0};
		struct flow *flow = flow_new(cases[i].minor, code, sizeof(code));

		assert_non_null(flow);
		assert_int_equal(flow_calls_once(flow, 0), cases[i].once);
		assert_false(flow_calls_once(flow, sizeof(code)));
		flow_free(flow);
	}
	assert_false(flow_calls_once(NULL, 0));
}

/* An argument of more than a byte, and a chain of two jumps of which neither alone leads far enough. */
static void long_jumps_and_chains(void **state)
{
	uint8_t code[2 * 700];
	struct flow *flow;

	(void)state;
	for (size_t i = 0; i < sizeof(code); i += 2) {
		code[i] = 9; /* NOP in 3.11 */
		code[i + 1] = 0;
	}
	code[2 * 600] = 144; /* EXTENDED_ARG */
	code[2 * 600 + 1] = 1;
	code[2 * 601] = 140; /* JUMP_BACKWARD 0x12c: to 602 - 300 */
	code[2 * 601 + 1] = 0x2c;
	code[2 * 400] = 140; /* to 401 - 200, reached from 302 on */
	code[2 * 400 + 1] = 200;
	flow = flow_new(11, code, sizeof(code));
	assert_non_null(flow);
	assert_true(flow_reaches(flow, 2 * 601, 2 * 302));
	assert_true(flow_reaches(flow, 2 * 500, 2 * 302));
	assert_true(flow_reaches(flow, 2 * 500, 2 * 201)); /* by both */
	assert_false(flow_reaches(flow, 2 * 500, 2 * 200));
	assert_true(flow_reaches(flow, 2 * 300, 2 * 201));
	assert_false(flow_reaches(flow, 2 * 650, 2 * 640));
	assert_true(flow_reaches(flow, 2 * 401, 2 * 400)); /* forward again after a jump back */
	flow_free(flow);
}

/* Followed step by step, without any cleverness. */
static bool walk_reaches(const uint8_t *code, uint32_t units, uint32_t from, uint32_t to)
{
	uint32_t lowest = from;
	bool moved = true, jumped = false;

	while (moved) {
		moved = false;
		for (uint32_t at = lowest; at < units; at++) {
			uint32_t target = code[2 * at] == 140
					      ? at + 1 - (code[2 * at + 1] < at + 1 ? code[2 * at + 1] : at + 1)
					      : at + 1;

			if (target > at)
				continue;
			jumped |= target <= to && to <= at;
			if (target < lowest) {
				lowest = target;
				moved = true;
			}
		}
	}
	return to > from || (to < from ? lowest <= to : jumped);
}

static void random_jumps_as_a_walk_finds_them(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		uint32_t units = 1 + test_random_below(60);
		uint8_t *code = malloc(units * 2);
		struct flow *flow;

		for (uint32_t i = 0; i < units; i++) {
			code[2 * i] = test_random_below(6) ? 9 : 140;
			code[2 * i + 1] = test_random_below(90);
		}
		flow = flow_new(11, code, units * 2);
		assert_non_null(flow);
		for (uint32_t from = 0; from < units; from++)
			for (uint32_t to = 0; to < units; to++)
				assert_int_equal(flow_reaches(flow, from * 2, to * 2),
						 walk_reaches(code, units, from, to));
		flow_free(flow);
		free(code);
	}
}

static void random_bytes_do_no_harm(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = test_random_below(60);
		uint8_t *code = malloc(size ? size : 1);
		struct flow *flow;

		for (size_t i = 0; i < size; i++)
			code[i] = (uint8_t)test_random();
		flow = flow_new((uint8_t)(8 + test_random_below(8)), code, size);
		flow_reaches(flow, (uint32_t)test_random_below(70), (uint32_t)test_random_below(70));
		flow_repeats_unseen(flow, (uint32_t)test_random_below(70));
		flow_free(flow);
		free(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loops_come_again),
	    cmocka_unit_test(what_is_past_does_not_come_again),
	    cmocka_unit_test(a_for_loop_is_seen_a_while_loop_is_not),
	    cmocka_unit_test(caches_belong_to_their_instruction),
	    cmocka_unit_test(nothing_known_is_everything_possible),
	    cmocka_unit_test(hidden_instructions_make_it_unknown),
	    cmocka_unit_test(finally_of_38_goes_back),
	    cmocka_unit_test(handlers_go_on_without_a_loop),
	    cmocka_unit_test(awaiting_is_no_loop),
	    cmocka_unit_test(awaiting_was_one_instruction),
	    cmocka_unit_test(some_instructions_call_once),
	    cmocka_unit_test(long_jumps_and_chains),
	    cmocka_unit_test(random_jumps_as_a_walk_finds_them),
	    cmocka_unit_test(random_bytes_do_no_harm),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
