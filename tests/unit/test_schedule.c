/*
 * test_schedule.c: what a run would take with calls left out, put together, made at once or shortened.
 */
#include "made_run.h"

#include "../../daemon/finding/timeline.h"

#define US UINT64_C(1000)
#define THREAD_COST (100 * US) /* schedule.c's */
#define TASK_COST (30 * US)

static struct finding_stage *stage;
static struct made_run made;
static struct plan plan;

/* A run of 100 ms whose calls are placed by the tests. */
static int begin(void **state)
{
	(void)state;
	stage = finding_stage_new();
	made_begin(&made);
	made.run.ended = made.run.began + 100 * MADE_MS;
	plan = (struct plan){.stage = stage, .run = &made.run, .rules = finding_stage_rules(stage)};
	return stage ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	free(plan.proposals);
	finding_stage_free(stage);
	return 0;
}

/* A call of this lane, so long after the run's beginning, in ms. */
static struct run_call *place(uint64_t lane, double at, double length)
{
	uint64_t ended = made.run.ended;
	struct run_call *call = made_http(&made, "GET /thing/?", made_number(), made_number());

	made.run.ended = ended;
	call->lane = lane;
	call->out_first = made.run.began + (uint64_t)(at * 1e6);
	call->out_last = call->out_first + 10;
	call->in_last = call->out_first + (uint64_t)(length * 1e6);
	call->in_first = call->in_last - 10;
	return call;
}

static struct plan_proposal *propose(enum plan_change change, uint32_t from, uint32_t to)
{
	struct plan_proposal *proposal = plan_propose(&plan, FINDING_SERIAL, change, MADE_MAX);

	assert_non_null(proposal);
	for (uint32_t i = from; i <= to; i++)
		proposal->calls[proposal->count++] = i;
	return proposal;
}

/* With all that was proposed so far. */
static struct finding_saving saving(void)
{
	const struct plan_proposal *proposals[8];

	for (size_t i = 0; i < plan.proposal_count; i++)
		proposals[i] = &plan.proposals[i];
	return schedule_saving(&plan, proposals, plan.proposal_count);
}

static void assert_saving(uint64_t low, uint64_t expected, uint64_t high)
{
	struct finding_saving found = saving();

	assert_int_equal(found.low, low);
	assert_int_equal(found.expected, expected);
	assert_int_equal(found.high, high);
}

static void test_remove(void **state)
{
	(void)state;
	place(1, 10, 5);
	place(1, 20, 7);
	place(1, 30, 9);
	propose(PLAN_REMOVE, 1, 1);
	assert_saving(7 * MADE_MS, 7 * MADE_MS, 7 * MADE_MS);
	propose(PLAN_REMOVE, 0, 2);
	assert_saving(21 * MADE_MS, 21 * MADE_MS, 21 * MADE_MS);
}

/* Its library's time goes along: what lies between two calls where the application does nothing. */
static void test_library(void **state)
{
	struct finding_saving found;

	(void)state;
	for (int i = 0; i < 10; i++)
		place(1, 10 + 6 * i, 5); /* 1 ms between */
	library_learn(&plan);
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 900 * US, 1100 * US);
	propose(PLAN_REMOVE, 4, 4);
	found = saving();
	assert_int_equal(found.low, 5 * MADE_MS);
	assert_in_range(found.expected, 5900 * US, 6000 * US);
	/* There is no more than 2 ms around it, half of which is the neighbours'. */
	assert_in_range(found.high, found.expected, 6000 * US);
}

/* Calls to others lie between, and the application works: that stays. */
static void test_application_stays(void **state)
{
	struct finding_saving found;

	(void)state;
	for (int i = 0; i < 4; i++)
		place(1, 10 + 6 * i, 5);
	place(1, 50, 5); /* 17 ms after the last one */
	place(1, 70, 5);
	library_learn(&plan);
	propose(PLAN_REMOVE, 4, 4);
	found = saving();
	assert_int_equal(found.low, 5 * MADE_MS);
	assert_in_range(found.expected, 5900 * US, 6100 * US);
	assert_in_range(found.high, found.expected, 7100 * US);
}

/* What has no place is counted, and what has one stays. */
static void test_too_many_backends(void **state)
{
	uint64_t refused = 0;

	(void)state;
	for (uint16_t port = 1; port <= 1030; port++) {
		made.run.made_count = 0;
		plan.timeline = NULL;
		place(1, 10, 5)->where.port = port;
		place(1, 16, 5)->where.port = port;
		library_learn(&plan);
		refused = finding_stage_stats(stage)->libraries_refused;
		assert_int_equal(refused, port > 1024 ? port - 1024 : 0);
	}
	assert_int_equal(library_time(&plan, "http", &made.calls[0].where), 0);
	made.calls[0].where.port = 1024;
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 900 * US, 1100 * US);
}

/* A backend that is never asked twice in a row: its gaps to others tell. */
static void test_library_of_another(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 10; i++)
		place(1, 10 + 6 * i, 5)->where.port = 80 + i % 2;
	assert_int_equal(library_time(&plan, "http", &made.calls[0].where), 0);
	library_learn(&plan);
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 900 * US, 1100 * US);
	assert_in_range(library_time(&plan, "http", &made.calls[1].where), 900 * US, 1100 * US);
}

/* What is learned follows what has changed, and knows any gap. */
static void test_library_changes(void **state)
{
	(void)state;
	place(1, 10, 5);
	place(1, 15, 5);
	library_learn(&plan);
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 1, 2 * US);
	for (uint32_t i = 0; i < 200000; i++) {
		made.calls[0].in_last = made.calls[1].out_first - 2 * MADE_MS;
		plan.timeline = NULL;
		library_learn(&plan);
	}
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 1900 * US, 2100 * US);
	made.calls[1].out_first += 9000 * MADE_MS;
	made.calls[1].in_last += 9000 * MADE_MS;
	made.run.ended += 10000 * MADE_MS;
	plan.timeline = NULL;
	library_learn(&plan);
	assert_in_range(library_time(&plan, "http", &made.calls[0].where), 1900 * US, 2100 * US);
}

static void test_collapse(void **state)
{
	(void)state;
	place(1, 10, 5);
	place(1, 20, 6);
	place(1, 30, 8);
	place(1, 40, 9);
	propose(PLAN_COLLAPSE, 0, 3);
	/* 28 ms become 9; at best 5, at worst 5 and half of what the others take beyond 5. */
	assert_saving(19 * MADE_MS, 19 * MADE_MS, 23 * MADE_MS);
	made.calls[1].in_last += 3 * MADE_MS;
	plan.schedule = NULL;
	plan.timeline = NULL;
	assert_saving((31 - 5) * MADE_MS - 11 * MADE_MS / 2, 22 * MADE_MS, 26 * MADE_MS);
}

static void test_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 7; i++)
		place(RUN_LANE_THREAD | 1, 10 + 7 * i, 7);
	propose(PLAN_AT_ONCE, 0, 6);
	assert_saving(49 * MADE_MS - 8 * MADE_MS - 12 * THREAD_COST, 42 * MADE_MS - 6 * THREAD_COST, 42 * MADE_MS);
	for (int i = 0; i < 7; i++)
		made.calls[i].lane = 1;
	plan.schedule = NULL;
	plan.timeline = NULL;
	assert_saving(49 * MADE_MS - 8 * MADE_MS - 12 * TASK_COST, 42 * MADE_MS - 6 * TASK_COST, 42 * MADE_MS);
}

/* Python does what it does for each call one after the other: with small waits, little is saved. */
static void test_at_once_with_one_cpu(void **state)
{
	struct finding_saving found;

	(void)state;
	for (int i = 0; i < 10; i++)
		place(1, 10 + 5 * i, 1); /* 4 ms of library each */
	library_learn(&plan);
	propose(PLAN_AT_ONCE, 0, 9);
	found = saving();
	assert_in_range(found.expected, 8 * MADE_MS - 9 * TASK_COST, 10 * MADE_MS - 9 * TASK_COST);
	assert_true(found.high <= 10 * MADE_MS);
}

/* Calls between the members stay where they are; likely, one that is given away goes on meanwhile. */
static void test_at_once_around_others(void **state)
{
	(void)state;
	place(1, 10, 7);
	place(1, 20, 30);
	place(1, 60, 14);
	propose(PLAN_AT_ONCE, 0, 2);
	plan.proposals[0].count = 2;
	plan.proposals[0].calls[1] = 2;
	assert_saving(5 * MADE_MS - 2 * TASK_COST, 14 * MADE_MS - TASK_COST, 14 * MADE_MS);
}

static void place_row(bool passed)
{
	place(1, 10, 10);
	place(1, 21, 42);
	place(1, 64, 5)->pooled = true;
	if (passed) {
		made_answers_with(&made.calls[1], 17);
		made_asks_with(&made.calls[2], 17);
	}
	propose(PLAN_AT_ONCE, 0, 1);
}

/* The second call ends at 52, and 31 ms of Python follow, whatever comes before that. */
static void test_at_once_and_on(void **state)
{
	(void)state;
	place_row(false);
	assert_saving(4 * MADE_MS - 2 * TASK_COST, 17 * MADE_MS - TASK_COST, 17 * MADE_MS);
}

/* The third call has to wait for it. */
static void test_at_once_and_needed(void **state)
{
	(void)state;
	place_row(true);
	assert_saving(4 * MADE_MS - 2 * TASK_COST, 12 * MADE_MS - TASK_COST, 12 * MADE_MS);
}

/* Where the first of them is not made, the others are still made there. */
static void test_at_once_without_first(void **state)
{
	(void)state;
	place(1, 10, 10);
	place(1, 30, 20);
	place(1, 60, 10);
	propose(PLAN_AT_ONCE, 0, 2);
	plan.proposals[0].count = 2;
	plan.proposals[0].calls[1] = 2;
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(10 * MADE_MS, 20 * MADE_MS - TASK_COST, 20 * MADE_MS);
}

static void test_shorten(void **state)
{
	struct plan_proposal *proposal;

	(void)state;
	place(1, 10, 7);
	place(1, 20, 5);
	proposal = propose(PLAN_SHORTEN, 0, 1);
	proposal->less[0] = 2 * MADE_MS;
	proposal->less[1] = 50 * MADE_MS;
	assert_saving(7 * MADE_MS, 7 * MADE_MS, 7 * MADE_MS);
}

/* Whatever else is proposed for it, a call that is not made is not made; what is one round trip is one of those at
 * once. */
static void test_together(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++)
		place(1, 10 * i, 7);
	propose(PLAN_AT_ONCE, 0, 5);
	propose(PLAN_COLLAPSE, 0, 4);
	propose(PLAN_REMOVE, 0, 1);
	/* 2, 3 and 4 are one, at the same time as 5. */
	assert_saving(42 * MADE_MS - 8 * MADE_MS - 4 * TASK_COST, 42 * MADE_MS - 2 * TASK_COST, 42 * MADE_MS);
	propose(PLAN_REMOVE, 5, 5);
	assert_saving(35 * MADE_MS, 42 * MADE_MS - TASK_COST, 42 * MADE_MS);
	propose(PLAN_COLLAPSE, 2, 5);
	assert_saving(35 * MADE_MS, 42 * MADE_MS - TASK_COST, 42 * MADE_MS);
}

static void test_not_sure(void **state)
{
	(void)state;
	place(1, 10, 5);
	place(1, 20, 7);
	propose(PLAN_REMOVE, 0, 0)->sure = false;
	assert_saving(0, 0, 5 * MADE_MS);
	propose(PLAN_REMOVE, 1, 1);
	assert_saving(7 * MADE_MS, 7 * MADE_MS, 12 * MADE_MS);
}

/* Only what the end waits for matters: the longer one, as far as it is longer. */
static void test_parallel(void **state)
{
	(void)state;
	place(1, 10, 20);
	place(2, 11, 30);
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(0, 0, 0);
	plan.proposals[0].calls[0] = 1;
	assert_saving(11 * MADE_MS, 11 * MADE_MS, 11 * MADE_MS);
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(31 * MADE_MS - MADE_MS, 31 * MADE_MS - MADE_MS, 31 * MADE_MS - MADE_MS);
}

/* One lane hands work to two others and waits for both. */
static void test_fork_and_join(void **state)
{
	(void)state;
	place(1, 5, 5);	  /* ends at 10 */
	place(2, 12, 10); /* 22 */
	place(3, 13, 20); /* 33 */
	place(1, 35, 5);
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(5 * MADE_MS, 5 * MADE_MS, 5 * MADE_MS);
	plan.proposals[0].calls[0] = 1;
	assert_saving(0, 0, 0);
	plan.proposals[0].calls[0] = 2; /* then the other one is waited for */
	assert_saving(11 * MADE_MS, 11 * MADE_MS, 11 * MADE_MS);
	plan.proposals[0].calls[0] = 3;
	assert_saving(5 * MADE_MS, 5 * MADE_MS, 5 * MADE_MS);
}

/* Each lane goes on by itself. */
static void test_two_lanes(void **state)
{
	(void)state;
	place(1, 10, 10);
	place(2, 11, 10);
	place(1, 22, 10);
	place(2, 24, 30);
	propose(PLAN_REMOVE, 1, 1);
	assert_saving(10 * MADE_MS, 10 * MADE_MS, 10 * MADE_MS);
	plan.proposals[0].calls[0] = 0;
	assert_saving(0, 0, 0);
}

/* A pipeline takes as long as its last command. */
static void test_pipeline(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		place(1, 10, 5 + i)->round_trip = !i;
	propose(PLAN_REMOVE, 0, 1);
	assert_saving(0, 0, 0);
	plan.proposals[0].calls[0] = 2;
	assert_saving(MADE_MS * 2, MADE_MS * 2, MADE_MS * 2);
	propose(PLAN_REMOVE, 0, 1);
	assert_saving(7 * MADE_MS, 7 * MADE_MS, 7 * MADE_MS);
}

static void test_connect(void **state)
{
	(void)state;
	place(1, 10, 3)->kind = CALL_CONNECT;
	place(1, 14, 5);
	place(1, 30, 5);
	propose(PLAN_REMOVE, 1, 1);
	made.calls[2].connection = 9;
	assert_saving(9 * MADE_MS, 9 * MADE_MS, 9 * MADE_MS);
	/* Somebody else goes on with the connection. */
	made.calls[2].connection = made.calls[1].connection;
	plan.schedule = NULL;
	plan.timeline = NULL;
	assert_saving(6 * MADE_MS, 6 * MADE_MS, 6 * MADE_MS);
	/* Without the connect, its call comes earlier. */
	plan.proposals[0].calls[0] = 0;
	assert_saving(3 * MADE_MS, 3 * MADE_MS, 3 * MADE_MS);
}

/* At best, what lies before a connect was for it, as much as a library takes. */
static void test_connect_at_best(void **state)
{
	struct finding_saving found;

	(void)state;
	for (int i = 0; i < 8; i++)
		place(1, 2 + 6 * i, 5); /* 1 ms between */
	place(1, 60, 1)->kind = CALL_CONNECT;
	place(1, 62, 5);
	library_learn(&plan);
	propose(PLAN_REMOVE, 8, 8);
	found = saving();
	assert_int_equal(found.low, MADE_MS);
	assert_int_equal(found.expected, MADE_MS);
	assert_in_range(found.high, 1900 * US, 2100 * US);
}

/* What is made when the run is over, or goes on then, takes nothing of its time. */
static void test_late(void **state)
{
	(void)state;
	place(1, 90, 50);
	place(1, 150, 5)->late = true;
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(10 * MADE_MS, 10 * MADE_MS, 10 * MADE_MS);
	propose(PLAN_REMOVE, 1, 1);
	propose(PLAN_AT_ONCE, 0, 1);
	propose(PLAN_COLLAPSE, 0, 1);
	assert_saving(10 * MADE_MS, 10 * MADE_MS, 10 * MADE_MS);
}

static void test_no_calls(void **state)
{
	(void)state;
	place(1, 150, 5)->late = true;
	propose(PLAN_REMOVE, 0, 0);
	assert_saving(0, 0, 0);
}

static void place_any(void)
{
	double now = 0;

	while (made.run.made_count < MADE_MAX) {
		struct run_call *call;

		now += (double)test_random_below(1000) / 1000;
		call = place(test_random_below(4), now, (double)test_random_below(4000) / 1000);
		call->where.port = (uint16_t)test_random_below(3);
		call->connection = test_random_below(20);
		call->pooled = true;
		if (!test_random_below(8))
			call->kind = CALL_CONNECT;
		call->late = !test_random_below(20);
	}
	made.run.ended = made.run.began + (uint64_t)(now * 1e6) + test_random_below(10) * MADE_MS;
	library_learn(&plan);
}

static void propose_any(void)
{
	struct plan_proposal *proposal = propose((enum plan_change)test_random_below(4), 0, 0);

	proposal->count = 0;
	proposal->sure = test_random_below(4) != 0;
	for (uint32_t i = 0; i < MADE_MAX; i++)
		if (!test_random_below(4)) {
			if (proposal->less)
				proposal->less[proposal->count] = test_random_below(4 * MADE_MS);
			proposal->calls[proposal->count++] = i;
		}
}

/* Nothing is saved by nothing, whatever the lanes do. */
static void test_any_run_as_it_is(void **state)
{
	(void)state;
	place_any();
	assert_saving(0, 0, 0);
	propose(PLAN_AT_ONCE, 3, 3);
	propose(PLAN_COLLAPSE, 5, 5);
	propose(PLAN_SHORTEN, 0, MADE_MAX - 1);
	assert_saving(0, 0, 0);
}

static void test_any_proposals(void **state)
{
	uint64_t wall;

	(void)state;
	place_any();
	wall = made.run.ended - made.run.began;
	for (int i = 0; i < 8; i++) {
		struct finding_saving found;

		propose_any();
		found = saving();
		assert_true(found.low <= found.expected && found.expected <= found.high && found.high <= wall);
	}
}

/* Less work is never slower. */
static void test_any_removals(void **state)
{
	struct finding_saving before = {0}, found;

	(void)state;
	place_any();
	for (uint32_t i = 0; i < 8; i++) {
		propose(PLAN_REMOVE, (uint32_t)test_random_below(MADE_MAX), MADE_MAX - 1);
		found = saving();
		assert_true(found.low >= before.low && found.expected >= before.expected && found.high >= before.high);
		before = found;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_remove, begin, end),
	    cmocka_unit_test_setup_teardown(test_library, begin, end),
	    cmocka_unit_test_setup_teardown(test_too_many_backends, begin, end),
	    cmocka_unit_test_setup_teardown(test_library_of_another, begin, end),
	    cmocka_unit_test_setup_teardown(test_library_changes, begin, end),
	    cmocka_unit_test_setup_teardown(test_application_stays, begin, end),
	    cmocka_unit_test_setup_teardown(test_collapse, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once_with_one_cpu, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once_around_others, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once_and_on, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once_and_needed, begin, end),
	    cmocka_unit_test_setup_teardown(test_at_once_without_first, begin, end),
	    cmocka_unit_test_setup_teardown(test_shorten, begin, end),
	    cmocka_unit_test_setup_teardown(test_together, begin, end),
	    cmocka_unit_test_setup_teardown(test_not_sure, begin, end),
	    cmocka_unit_test_setup_teardown(test_parallel, begin, end),
	    cmocka_unit_test_setup_teardown(test_fork_and_join, begin, end),
	    cmocka_unit_test_setup_teardown(test_two_lanes, begin, end),
	    cmocka_unit_test_setup_teardown(test_pipeline, begin, end),
	    cmocka_unit_test_setup_teardown(test_connect, begin, end),
	    cmocka_unit_test_setup_teardown(test_connect_at_best, begin, end),
	    cmocka_unit_test_setup_teardown(test_late, begin, end),
	    cmocka_unit_test_setup_teardown(test_no_calls, begin, end),
	    cmocka_unit_test_setup_teardown(test_any_run_as_it_is, begin, end),
	    cmocka_unit_test_setup_teardown(test_any_proposals, begin, end),
	    cmocka_unit_test_setup_teardown(test_any_removals, begin, end),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
