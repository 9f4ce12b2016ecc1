/*
 * test_run.c: calls to runs, by each of the ways; reasons for calls in none; ends of processes; bounds.
 */
#include "run_world.h"

/* --- calls in no run --- */

static void each_reason(void **state)
{
	static const struct {
		uint8_t walk;
		uint64_t stack;
		enum run_reason reason;
	} cases[] = {
	    {NT_WALK_NONE, 0, RUN_OWNER_UNKNOWN},
	    {NT_WALK_OK, 0, RUN_NO_ENDPOINT}, /* no Python runs there */
	    {NT_WALK_OK, 1, RUN_NO_ENDPOINT},
	    {NT_WALK_OK, 99, RUN_WALK_FAILED}, /* that stack never came */
	    {NT_WALK_OK, 3, RUN_WALK_FAILED},  /* its code never came */
	    {NT_WALK_NO_THREAD, 0, RUN_NO_PYTHON_THREAD},
	    {NT_WALK_FAILED, 0, RUN_WALK_FAILED},
	    {NT_WALK_TRUNCATED, 0, RUN_WALK_FAILED},
	    {NT_WALK_TRUNCATED, 2, RUN_WALK_FAILED}, /* who is the outermost is not known */
	    {NT_WALK_UNSUPPORTED, 0, RUN_INTERPRETER_UNSUPPORTED},
	    {200, 1, RUN_WALK_FAILED},
	};
	struct world *world = *state;

	STACK(world, PID, 1, FOREVER, INSIDE, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, 0xffff0000, BEFORE, REDIS, BEFORE);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct call *call = calloc(1, sizeof(*call));

		call->owner =
		    (struct call_owner){.pid = PID, .tid = TID, .walk = cases[i].walk, .stack = cases[i].stack};
		call->out_first = ++world->now;
		world->calls.began(world->calls.context, call);
		world->calls.ended(world->calls.context, call);
		assert_int_equal(world->call_count, i + 1);
		assert_ptr_equal(world->called[i].call, call);
		assert_null(world->called[i].endpoint);
		assert_int_equal(world->called[i].reason, cases[i].reason);
		free(call);
	}
	assert_int_equal(run_stage_stats(world->stage)->stacks_unknown, 2);
	flush(world);
	assert_int_equal(world->run_count, 0);
}

static void a_message_has_no_owner(void **state)
{
	struct world *world = *state;
	struct call *call;

	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	call = begin_kind(world, CALL_MESSAGE, (struct from){PID, TID, 2, 3, 1, 1});
	end_call(world, call);
	assert_int_equal(world->called[0].reason, RUN_OWNER_UNKNOWN);
}

/* A dispatcher on the part that was walked is enough. */
static void a_truncated_stack_with_a_dispatcher(void **state)
{
	struct world *world = *state;
	struct call *call = calloc(1, sizeof(*call));

	STACK(world, PID, 1, FLASK, BEFORE, VIEW, BEFORE, REDIS, BEFORE);
	call->owner = (struct call_owner){.pid = PID, .tid = TID, .walk = NT_WALK_TRUNCATED, .stack = 1};
	call->out_first = 2000;
	world->calls.began(world->calls.context, call);
	world->calls.ended(world->calls.context, call);
	free(call);
	assert_string_equal(world->called[0].endpoint, "views.homepage");
}

/* --- by calls --- */

#define HERE(id, state) ((struct from){PID, TID, id, 3, state, 1})

static void stacks_of_job(struct world *world)
{
	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, AFTER, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, AFTER, JOB, BEFORE, REDIS, BEFORE);
}

static void a_run_is_its_calls(void **state)
{
	struct world *world = *state;
	const struct run *run = &world->runs[0].run;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(2, 5));
	assert_int_equal(world->run_count, 0);
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, true);
	assert_int_equal(run->began, 1010);
	assert_int_equal(run->ended, 1220);
	assert_int_equal(run->network, 200);
	assert_int_equal(run->round_trips, 2);
	assert_int_equal(run->pid, PID);
	assert_int_equal(run->tid, TID);
	assert_null(run->route);
	assert_string_equal(world->called[0].site, "job.job");
}

static void the_module_names_the_endpoint(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	record_module(&world->record, world->now, PID, JOB, "shop.jobs");
	feed(world);
	do_call(world, HERE(1, 5));
	flush(world);
	assert_run(world, 0, "shop.jobs.job", RUN_BY_CALLS, 1, true);
}

static void what_cannot_be_reached_is_a_new_run(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	for (int i = 0; i < 3; i++) {
		do_call(world, HERE(1, 5));
		do_call(world, HERE(2, 5));
	}
	flush(world);
	assert_int_equal(world->run_count, 3);
	for (int i = 0; i < 3; i++)
		assert_run(world, i, "job.job", RUN_BY_CALLS, 2, true);
}

static void one_site_again_is_a_new_run(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	for (int i = 0; i < 3; i++)
		do_call(world, HERE(1, 5));
	flush(world);
	assert_int_equal(world->run_count, 3);
}

static void a_callers_state_that_changed_is_a_new_run(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(2, 6)); /* reachable, but the caller moved on */
	do_call(world, HERE(2, 7));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 1, true);
}

static void a_generator_goes_on(void **state)
{
	struct world *world = *state;
	uint32_t states[3] = {0};
	struct call_owner owner = {
	    .pid = PID, .tid = TID, .walk = NT_WALK_OK, .state_count = 3, .states = states, .frame = 0x100};

	STACK(world, PID, 1, MAIN, BEFORE, STREAM, BEFORE | GENERATOR, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, STREAM, AFTER | GENERATOR, REDIS, BEFORE);
	for (unsigned i = 0; i < 4; i++) {
		owner.stack = 1 + i % 2;
		owner.frame = i < 2 ? 0x100 : 0x200;
		for (unsigned j = 0; j < 3; j++)
			states[j] = i; /* who asks it for more is elsewhere each time */
		end_call(world, begin_owned(world, CALL_EXCHANGE, 1, &owner));
	}
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.stream", RUN_BY_CALLS, 2, false);
	assert_run(world, 1, "views.stream", RUN_BY_CALLS, 2, false);
}

static void a_caller_at_another_place_is_a_new_run(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	STACK(world, PID, 4, MAIN, AFTER, JOB, AFTER, REDIS, BEFORE);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(4, 5));
	flush(world);
	assert_int_equal(world->run_count, 2);
}

static void a_loop_in_the_endpoint_is_one_run(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, LOOPS, INSIDE, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, LOOPS, INSIDE_TOO, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, LOOPS, AFTER, REDIS, BEFORE);
	for (int i = 0; i < 4; i++) {
		do_call(world, HERE(1, 5));
		do_call(world, HERE(2, 5));
	}
	do_call(world, HERE(3, 5));
	do_call(world, HERE(1, 5)); /* the loop is past: another run */
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.loops", RUN_BY_CALLS, 9, true);
}

/* The endpoint stands still while a function that it called makes several calls. */
static void the_flow_is_followed_inwards(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, HELPER, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, HELPER, AFTER, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, JOB, BEFORE, LOOPS, INSIDE, REDIS, BEFORE);
	do_call(world, (struct from){PID, TID, 1, 4, 5, 1});
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1}); /* further in the helper: same run */
	do_call(world, (struct from){PID, TID, 1, 4, 5, 1}); /* back in it: another run */
	do_call(world, (struct from){PID, TID, 3, 4, 5, 1}); /* another function from the same place: another run */
	do_call(world, (struct from){PID, TID, 3, 4, 5, 1}); /* in its loop: same run */
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, true);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 1, true);
	assert_run(world, 2, "job.job", RUN_BY_CALLS, 2, true);
}

static void a_caller_that_may_repeat_unseen_is_not_exact(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, FOREVER, INSIDE, JOB, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, FOREVER, INSIDE, JOB, AFTER);
	STACK(world, PID, 3, MAIN, BEFORE, EACH, INSIDE, HELPER, BEFORE);
	STACK(world, PID, 4, MAIN, BEFORE, EACH, INSIDE, HELPER, AFTER);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(2, 5));
	do_call(world, HERE(1, 5));
	do_call(world, HERE(3, 5));
	do_call(world, HERE(4, 5));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, false);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 1, true);
	assert_run(world, 2, "job.helper", RUN_BY_CALLS, 2, true); /* a `for` with a local shows each round */
}

/* map() and its like stand between two frames: what they call from one place is one execution of who called them. */
static void callbacks_from_c_are_in_one_run(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, HELPER, BEFORE | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, HOOK, BEFORE | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	for (int i = 0; i < 3; i++)
		do_call(world, (struct from){PID, TID, 1, 4, 5, 1});
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1}); /* map() over functions */
	do_call(world, (struct from){PID, TID, 1, 4, 6, 1}); /* the caller moved on */
	do_call(world, HERE(3, 6));			     /* and here the same place called something else before */
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 4, true);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 2, true);
}

static void callbacks_in_a_loop_unseen_are_not_exact(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, FOREVER, INSIDE, JOB, BEFORE, HELPER, BEFORE | FROM_C);
	do_call(world, (struct from){PID, TID, 1, 4, 5, 1});
	do_call(world, (struct from){PID, TID, 1, 4, 5, 1});
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, false);
}

/* The callback is the endpoint: its runs are told apart by its own code, or are not exact. */
static void callbacks_as_endpoints(void **state)
{
	struct world *world = *state;

	assert_int_equal(run_stage_add_pattern(world->stage, "job.helper"), 0);
	assert_int_equal(run_stage_add_pattern(world->stage, "job.loops"), 0);
	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, HELPER, BEFORE | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, HELPER, AFTER | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, JOB, AFTER, LOOPS, INSIDE | FROM_C, REDIS, BEFORE);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(1, 5));
	do_call(world, HERE(2, 5)); /* on in the second one, or in a third that did not come by there */
	do_call(world, HERE(3, 5));
	do_call(world, HERE(3, 5));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "job.helper", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "job.helper", RUN_BY_CALLS, 2, false);
	assert_run(world, 2, "job.loops", RUN_BY_CALLS, 2, false);
}

/* What calls through C as often as it calls. */
static void one_call_through_c_is_one_call(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, WRAPPER, BEFORE, HELPER, BEFORE | FROM_C);
	STACK(world, PID, 2, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, LOOPS, INSIDE | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, WRAPPER, BEFORE, LOOPS, INSIDE | FROM_C, REDIS, BEFORE);
	STACK(world, PID, 4, MAIN, BEFORE, WRAPPER, AFTER, LOOPS, INSIDE | FROM_C | GENERATOR, REDIS, BEFORE);
	for (uint64_t id = 1; id <= 4; id++) {
		do_call(world, (struct from){PID, TID, id, 4, 5, 1});
		do_call(world, (struct from){PID, TID, id, 4, 5, 1});
	}
	flush(world);
	assert_int_equal(world->run_count, 5);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 1, true);
	for (unsigned i = 2; i < 5; i++)
		assert_run(world, i, "job.loops", RUN_BY_CALLS, 2, true);
}

static void unknown_code_is_one_run_and_not_exact(void **state)
{
	static const struct test_code no_code = {0xde000, "/srv/job.py", "dark", NULL, 0, 0, 0};
	static const struct test_code dark_caller = {0xdf000, DIST "dark.py", "caller", NULL, 0, 0, 0};
	struct world *world = *state;

	feed_code(world, PID, &no_code);
	feed_code(world, PID, &dark_caller);
	STACK(world, PID, 1, MAIN, BEFORE, 0xde000, AFTER, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, 0xde000, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, 0xdf000, BEFORE, JOB, BEFORE);
	STACK(world, PID, 4, MAIN, BEFORE, 0xdf000, BEFORE, JOB, AFTER);
	do_call(world, HERE(1, 5));
	do_call(world, HERE(2, 5));
	do_call(world, HERE(3, 5));
	do_call(world, HERE(4, 5));
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.dark", RUN_BY_CALLS, 2, true); /* nobody could have called it again */
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 2, false);
}

static void states_that_did_not_come_are_not_exact(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	do_call(world, (struct from){PID, TID, 1, 0, 5, 1});
	do_call(world, (struct from){PID, TID, 2, 0, 5, 1});
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, false);
}

/* The kernel side sends the states of the callers only, once it was told which those are. */
static void the_callers_states_are_enough(void **state)
{
	struct world *world = *state;
	struct nt_stack_note note;

	stacks_of_job(world);
	STACK(world, PID, 8, WORKER, BEFORE, REDIS, BEFORE);
	assert_true(note_of(world, PID, 1, &note));
	assert_int_equal(note.states_from, 2);
	assert_int_equal(note.endpoint, 2);
	assert_true(note_of(world, PID, 8, &note));
	assert_int_equal(note.states_from, 2); /* no endpoint: none */
	assert_int_equal(note.endpoint, 0);
	assert_false(note_of(world, PID, 99, &note));
	assert_false(note_of(world, PID + 1, 1, &note));
	do_call(world, (struct from){PID, TID, 1, 1, 5, 1});
	do_call(world, HERE(2, 5)); /* one of three is the caller's */
	do_call(world, (struct from){PID, TID, 2, 1, 6, 1});
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, true);
}

static void recursion_is_the_outermost(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, JOB, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, JOB, BEFORE, JOB, BEFORE, JOB, BEFORE);
	do_call(world, HERE(1, 5));
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1}); /* deeper from the same place: it cannot be */
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
}

static void a_pipeline_is_in_one_run(void **state)
{
	struct world *world = *state;
	struct call *calls[3];

	stacks_of_job(world);
	for (int i = 0; i < 3; i++) {
		world->now -= i ? 10 : 0; /* in the same segment */
		calls[i] = begin_call(world, HERE(1, 5));
		calls[i]->round_trip = i == 0;
	}
	for (int i = 0; i < 3; i++)
		end_call(world, calls[i]);
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 3, true);
	assert_int_equal(world->runs[0].run.round_trips, 1);
	assert_int_equal(world->runs[0].run.network, 300);
}

static void threads_have_runs_of_their_own(void **state)
{
	struct world *world = *state;
	struct call *a, *b;

	stacks_of_job(world);
	a = begin_call(world, HERE(1, 5));
	b = begin_call(world, (struct from){PID, TID + 1, 1, 3, 5, 2});
	end_call(world, b);
	end_call(world, a);
	do_call(world, HERE(2, 5));
	do_call(world, (struct from){PID, TID + 1, 2, 3, 5, 2});
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 2, true);
	assert_run(world, 1, "job.job", RUN_BY_CALLS, 2, true);
}

static void another_endpoint_ends_it_unless_it_is_nested(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, WORKER, BEFORE, MIDDLEWARE, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, WORKER, BEFORE, MIDDLEWARE, INSIDE, FLASK, BEFORE, VIEW, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, WORKER, BEFORE, MIDDLEWARE, AFTER);
	STACK(world, PID, 4, MAIN, BEFORE, REDIS, AFTER);
	do_call(world, HERE(1, 5));
	do_call(world, (struct from){PID, TID, 2, 5, 5, 1});
	assert_int_equal(world->run_count, 0);
	do_call(world, HERE(3, 5));
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "views.homepage", RUN_BY_CALLS, 1, true);
	do_call(world, (struct from){PID, TID, 4, 2, 5, 1}); /* the body of the script: the rest has returned */
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "middleware.timing", RUN_BY_CALLS, 2, true);
	flush(world);
	assert_run(world, 2, "job.<module>", RUN_BY_CALLS, 1, true);
}

static void a_quiet_run_ends_at_a_flush(void **state)
{
	struct world *world = *state;
	struct call *call;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	call = begin_call(world, (struct from){PID, TID + 1, 1, 3, 5, 2});
	run_stage_flush(world->stage, world->now + 900000000, false);
	assert_int_equal(world->run_count, 0);
	run_stage_flush(world->stage, world->now + 1100000000, false);
	assert_int_equal(world->run_count, 1); /* the other one has an open call */
	end_call(world, call);
	assert_int_equal(world->run_count, 1);
	run_stage_flush(world->stage, world->now + 1100000000, false);
	assert_int_equal(world->run_count, 2);
}

static void parallel_calls_count_once(void **state)
{
	struct world *world = *state;
	struct call *calls[40];
	uint64_t start;

	STACK(world, PID, 1, MAIN, BEFORE, LOOPS, INSIDE, REDIS, BEFORE);
	for (int i = 0; i < 40; i++)
		calls[i] = begin_call(world, HERE(1, 5));
	start = calls[0]->out_first;
	for (int i = 39; i >= 0; i--) /* the last one first */
		end_call(world, calls[i]);
	flush(world);
	assert_run(world, 0, "job.loops", RUN_BY_CALLS, 40, true);
	assert_int_equal(world->runs[0].run.network, world->now - start);
}

static void connects_take_part(void **state)
{
	struct world *world = *state;
	struct call *connect, *failed;

	stacks_of_job(world);
	connect = begin_kind(world, CALL_CONNECT, HERE(1, 5));
	end_call(world, connect);
	failed = begin_kind(world, CALL_CONNECT, HERE(2, 5));
	failed->error = true;
	end_call(world, failed);
	flush(world);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->runs[0].run.connects, 1);
	assert_int_equal(world->runs[0].run.errors, 1);
	assert_int_equal(world->runs[0].run.network, 200);
	assert_int_equal(world->call_count, 2);
}

/* A connection on which nothing was sent: its connect ends late, and does not keep the run. */
static void an_open_connect_does_not_keep_a_run(void **state)
{
	struct world *world = *state;
	struct call *connect, *call;

	stacks_of_job(world);
	connect = begin_kind(world, CALL_CONNECT, HERE(1, 5));
	world->now += 50;
	connect->in_first = connect->in_last = world->now;
	do_call(world, HERE(2, 5));
	call = begin_call(world, HERE(1, 6)); /* the next run */
	assert_int_equal(world->run_count, 0);
	run_stage_flush(world->stage, world->now, false);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->runs[0].run.connects, 1);
	assert_int_equal(world->runs[0].run.network, 150);
	world->calls.ended(world->calls.context, connect);
	free(connect);
	assert_string_equal(world->called[1].endpoint, "job.job");
	end_call(world, call);
}

static void a_run_waits_for_its_calls(void **state)
{
	struct world *world = *state;
	struct call *late;

	stacks_of_job(world);
	late = begin_call(world, HERE(1, 5));
	do_call(world, HERE(1, 6));
	run_stage_flush(world->stage, world->now, false);
	assert_int_equal(world->run_count, 0);
	end_call(world, late);
	assert_int_equal(world->run_count, 1);
	assert_int_equal(world->call_count, 2); /* called before ran */
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
}

/* --- by request --- */

static void stacks_of_view(struct world *world)
{
	STACK(world, PID, 1, MAIN, BEFORE, WORKER, INSIDE, FLASK, BEFORE, VIEW, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 2, MAIN, BEFORE, WORKER, INSIDE, MIDDLEWARE, BEFORE, REDIS, BEFORE);
	STACK(world, PID, 3, MAIN, BEFORE, WORKER, INSIDE, FLASK, BEFORE, STATIC, BEFORE, REDIS, BEFORE);
}

#define VIEW_OF(thread) ((struct from){PID, thread, 1, 5, 5, 1})

static void a_request_is_a_run(void **state)
{
	struct world *world = *state;
	struct call *request;
	uint64_t received;

	stacks_of_view(world);
	for (int i = 0; i < 2; i++) { /* keep-alive: two on one connection */
		request = begin_request(world, TID, 9, i ? "GET /two" : "GET /one");
		received = world->now;
		do_call(world, VIEW_OF(TID));
		do_call(world, VIEW_OF(TID)); /* the same place again: still this request's */
		respond(world, request);
		end_request(world, request);
		assert_int_equal(world->run_count, i + 1);
		assert_run(world, i, "views.homepage", RUN_BY_REQUEST, 2, true);
		assert_int_equal(world->runs[i].run.began, received);
		assert_int_equal(world->runs[i].run.ended, world->now);
		assert_string_equal(world->runs[i].route, i ? "GET /two" : "GET /one");
	}
	assert_int_equal(world->request_count, 2);
	assert_int_equal(world->requests_with_run, 2);
}

static void threads_answer_their_own_requests(void **state)
{
	struct world *world = *state;
	struct call *one, *two, *slow;

	stacks_of_view(world);
	one = begin_request(world, TID, 1, "GET /one");
	two = begin_request(world, TID + 1, 2, "GET /two");
	slow = begin_call(world, VIEW_OF(TID));
	do_call(world, VIEW_OF(TID + 1));
	respond(world, two);
	end_request(world, two);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[0].route, "GET /two");
	respond(world, one);
	end_request(world, one);
	assert_int_equal(world->run_count, 1); /* its call has not ended */
	end_call(world, slow);
	assert_int_equal(world->run_count, 2);
	assert_string_equal(world->runs[1].route, "GET /one");
	assert_int_equal(world->runs[1].run.ended, world->now); /* extended to that */
}

static void endpoints_of_one_request_are_runs_each(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1});
	do_call(world, VIEW_OF(TID));
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1});
	respond(world, request);
	end_request(world, request);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_run(world, 1, "middleware.timing", RUN_BY_REQUEST, 2, true);
	assert_int_equal(world->requests_with_run, 1);
}

static void a_request_without_an_endpoint(void **state)
{
	struct world *world = *state;
	struct call *request = begin_request(world, TID, 1, "GET /favicon.ico");

	respond(world, request);
	end_request(world, request);
	assert_int_equal(world->request_count, 1);
	assert_int_equal(world->requests_with_run, 0);
}

/* After the response the thread is in no request. */
static void what_comes_after_is_by_calls(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	respond(world, request);
	end_request(world, request);
	do_call(world, VIEW_OF(TID));
	assert_int_equal(world->run_count, 0);
	request = begin_request(world, TID, 1, "GET /"); /* reading the next one ends it */
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "views.homepage", RUN_BY_CALLS, 1, true);
	end_request(world, request);
}

/* A response whose end is not known yet gives way to the next request. */
static void the_next_request_takes_over(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	stacks_of_view(world);
	one = begin_request(world, TID, 1, "GET /one");
	do_call(world, VIEW_OF(TID));
	respond(world, one);
	two = begin_request(world, TID, 2, "GET /two");
	do_call(world, VIEW_OF(TID));
	respond(world, two);
	end_request(world, one);
	end_request(world, two);
	assert_int_equal(world->run_count, 2);
	assert_string_equal(world->runs[0].route, "GET /one");
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_run(world, 1, "views.homepage", RUN_BY_REQUEST, 1, true);
}

/* Two requests in one segment: answered in order. */
static void pipelined_requests_come_in_order(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	stacks_of_view(world);
	one = begin_request(world, TID, 1, "GET /one");
	two = begin_request(world, TID, 1, "GET /two");
	do_call(world, VIEW_OF(TID));
	respond(world, one);
	end_request(world, one);
	do_call(world, VIEW_OF(TID));
	do_call(world, VIEW_OF(TID));
	respond(world, two);
	end_request(world, two);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_run(world, 1, "views.homepage", RUN_BY_REQUEST, 2, true);
}

/* Unanswered requests of two connections on one thread: it serves them by turns, and whose a call is nobody knows. */
static void no_guess_between_requests(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	stacks_of_view(world);
	one = begin_request(world, TID, 1, "GET /one");
	two = begin_request(world, TID, 2, "GET /two");
	do_call(world, VIEW_OF(TID));
	respond(world, one);
	end_request(world, one);
	respond(world, two);
	end_request(world, two);
	flush(world);
	assert_run(world, 0, "views.homepage", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->requests_with_run, 0);
}

static void a_capture_ends_in_a_request(void **state)
{
	struct world *world = *state;
	struct call *request, *call;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	call = begin_call(world, VIEW_OF(TID));
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	end_call(world, call); /* late, but told all the same */
	end_request(world, request);
	assert_int_equal(world->run_count, 1);
	assert_int_equal(count_partial(world), 1);
	assert_int_equal(world->call_count, 1);
	assert_int_equal(world->requests_with_run, 1);
}

/* Its first calls and the request itself were before the capture; the next one is seen from the start. */
static void a_capture_begins_in_a_request(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	STACK(world, PID, 4, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	do_call(world, VIEW_OF(TID));
	do_call(world, VIEW_OF(TID + 1)); /* a thread that never reads a request may be given its work */
	do_call(world, (struct from){PID, TID + 2, 4, 3, 5, 1});
	for (uint32_t tid = TID; tid <= TID + 2; tid += 2) {
		request = begin_request(world, tid, tid, "GET /");
		do_call(world, VIEW_OF(tid));
		respond(world, request);
		end_request(world, request);
	}
	flush(world);
	assert_int_equal(world->run_count, 5);
	assert_int_equal(count_partial(world), 1);
	assert_run(world, 0, "views.homepage", RUN_BY_CALLS, 1, true);
	assert_true(world->runs[0].run.partial);
}

/* What the endpoint still does for a client that is gone is the rest of its run. */
static void a_client_that_goes(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	do_call(world, VIEW_OF(TID));
	end_request(world, request);
	do_call(world, VIEW_OF(TID));
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_int_equal(count_partial(world), 2);
}

static void a_run_knows_its_backends(void **state)
{
	static const uint16_t ports[] = {1, 2, 1, 1};
	struct world *world = *state;
	const struct run *run = &world->runs[0].run;

	stacks_of_view(world);
	struct call *request = begin_request(world, TID, 1, "GET /");

	for (unsigned i = 0; i < 4 + 2 * RUN_MAX_BACKENDS; i++) {
		struct call *call = begin_call(world, VIEW_OF(TID));

		call->backend.port = i < 4 ? ports[i] : (uint16_t)i;
		call->protocol = i == 3 ? "redis" : "http";
		end_call(world, call);
	}
	respond(world, request);
	end_request(world, request);
	assert_int_equal(run->calls, 4 + 2 * RUN_MAX_BACKENDS);
	assert_int_equal(run->backend_count, RUN_MAX_BACKENDS); /* calls to more are in `calls` only */
	assert_int_equal(run->backends[0].calls, 2);
	assert_int_equal(run->backends[1].where.port, 2);
	assert_int_equal(run->backends[1].calls, 1);
	assert_string_equal(run->backends[2].protocol, "redis");
	assert_false(run->partial);
}

/* --- by entry and return --- */

static void entry_and_return_are_exact(void **state)
{
	struct world *world = *state;
	uint64_t entered;

	stacks_of_job(world);
	for (int i = 0; i < 2; i++) {
		function(world, TID, JOB, MAIN, 0x100, false);
		entered = world->now;
		do_call(world, HERE(1, 5));
		do_call(world, HERE(1, 5)); /* by calls this would be two */
		function(world, TID, JOB, MAIN, 0x100, true);
		assert_int_equal(world->run_count, i + 1);
		assert_run(world, i, "job.job", RUN_BY_USDT, 2, true);
		assert_int_equal(world->runs[i].run.began, entered);
		assert_int_equal(world->runs[i].run.ended, world->now);
	}
}

static void a_run_without_calls_is_a_run(void **state)
{
	struct world *world = *state;

	function(world, TID, JOB, MAIN, 0x100, false);
	function(world, TID, JOB, MAIN, 0x100, true);
	function(world, TID, VIEW, FLASK, 0x100, false);
	function(world, TID, VIEW, FLASK, 0x100, true);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_USDT, 0, true);
	assert_run(world, 1, "views.homepage", RUN_BY_USDT, 0, true);
}

/* A server's dispatcher calls much else than the application. */
static void what_a_server_calls_counts_with_its_first_call(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, WORKER, INSIDE, MIDDLEWARE, BEFORE);
	for (int i = 0; i < 3; i++) {
		function(world, TID, MIDDLEWARE, WORKER, 0x100, false);
		if (i == 1)
			do_call(world, (struct from){PID, TID, 1, 2, 5, 1});
		function(world, TID, MIDDLEWARE, WORKER, 0x100, true);
	}
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "middleware.timing", RUN_BY_USDT, 1, true);
	assert_run(world, 1, "middleware.timing", RUN_BY_USDT, 0, true);
}

static void unpaired_returns_end_nothing(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	function(world, TID, JOB, MAIN, 0x100, true);
	function(world, TID, JOB, MAIN, 0x100, false);
	function(world, TID, JOB, MAIN, 0x200, true);	  /* another frame */
	function(world, TID, HELPER, MAIN, 0x100, true);  /* another function */
	function(world, TID + 1, JOB, MAIN, 0x100, true); /* another thread */
	assert_int_equal(world->run_count, 0);
	do_call(world, HERE(1, 5));
	function(world, TID, JOB, MAIN, 0x100, true);
	function(world, TID, JOB, MAIN, 0x100, true); /* 3.15 gives two for some */
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_USDT, 1, true);
}

static void a_lost_return_is_noticed(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	function(world, TID, JOB, MAIN, 0x100, false);
	do_call(world, HERE(1, 5));
	function(world, TID, JOB, MAIN, 0x100, false); /* the frame is another call's now */
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_USDT, 1, false);
	do_call(world, HERE(1, 5));
	function(world, TID, JOB, MAIN, 0x100, true);
	assert_run(world, 1, "job.job", RUN_BY_USDT, 1, true);

	function(world, TID, JOB, MAIN, 0x100, false);
	STACK(world, PID, 9, MAIN, BEFORE, HELPER, BEFORE, REDIS, BEFORE);
	do_call(world, HERE(9, 5)); /* this stack has no job() on it */
	function(world, TID, JOB, MAIN, 0x100, true);
	flush(world);
	assert_int_equal(world->run_count, 3); /* of job() without a known end there is no run without calls */
	assert_run(world, 2, "job.helper", RUN_BY_CALLS, 1, true);
}

static void middleware_without_calls_is_no_run(void **state)
{
	struct world *world = *state;

	stacks_of_view(world);
	function(world, TID, MIDDLEWARE, WORKER, 0x100, false);
	function(world, TID, VIEW, FLASK, 0x200, false);
	function(world, TID, HOOK, REDIS, 0x300, false); /* a callback in the view is no endpoint */
	function(world, TID, HOOK, REDIS, 0x300, true);
	function(world, TID, VIEW, FLASK, 0x200, true);
	function(world, TID, MIDDLEWARE, WORKER, 0x100, true);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "views.homepage", RUN_BY_USDT, 0, true);

	function(world, TID, MIDDLEWARE, WORKER, 0x100, false);
	do_call(world, (struct from){PID, TID, 2, 4, 5, 1});
	function(world, TID, VIEW, FLASK, 0x200, false);
	do_call(world, VIEW_OF(TID));
	function(world, TID, VIEW, FLASK, 0x200, true);
	function(world, TID, MIDDLEWARE, WORKER, 0x100, true);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 1, "views.homepage", RUN_BY_USDT, 1, true);
	assert_run(world, 2, "middleware.timing", RUN_BY_USDT, 1, true);
}

/* What library code calls back is an endpoint only if it made calls as one. */
static void a_hook_counts_once_it_made_a_call(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, MAIN, BEFORE, WORKER, INSIDE, HOOK, BEFORE);
	function(world, TID, HOOK, REDIS, 0x100, false);
	function(world, TID, HOOK, REDIS, 0x100, true);
	assert_int_equal(world->run_count, 0);
	function(world, TID, HOOK, REDIS, 0x100, false);
	do_call(world, HERE(1, 5));
	function(world, TID, HOOK, REDIS, 0x100, true);
	function(world, TID, HOOK, REDIS, 0x100, false);
	function(world, TID, HOOK, REDIS, 0x100, true);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "hooks.before", RUN_BY_USDT, 1, true);
	assert_run(world, 1, "hooks.before", RUN_BY_USDT, 0, true);
}

static void a_packages_view(void **state)
{
	struct world *world = *state;

	stacks_of_view(world);
	function(world, TID, STATIC, FLASK, 0x100, false); /* it may be anything that the dispatcher calls */
	function(world, TID, STATIC, FLASK, 0x100, true);
	assert_int_equal(world->run_count, 0);
	function(world, TID, STATIC, FLASK, 0x100, false);
	do_call(world, (struct from){PID, TID, 3, 5, 5, 1});
	function(world, TID, STATIC, FLASK, 0x100, true);
	assert_run(world, 0, "app.Flask.send_static_file", RUN_BY_USDT, 1, true);

	function(world, TID, STATIC, FLASK, 0x100, false); /* or a decorator around the view */
	function(world, TID, VIEW, STATIC, 0x200, false);
	do_call(world, VIEW_OF(TID));
	function(world, TID, VIEW, STATIC, 0x200, true);
	function(world, TID, STATIC, FLASK, 0x100, true);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "views.homepage", RUN_BY_USDT, 1, true);
}

static void a_decorator_stands_for_what_it_calls(void **state)
{
	struct world *world = *state;

	STACK(world, PID, 1, WORKER, INSIDE, FLASK, BEFORE, DECORATOR, BEFORE, VIEW, BEFORE);
	STACK(world, PID, 2, WORKER, INSIDE, FLASK, BEFORE, DECORATOR, BEFORE);
	for (int i = 0; i < 2; i++) {
		function(world, TID, DECORATOR, FLASK, 0x100, false);
		if (i)
			do_call(world, (struct from){PID, TID, 2, 5, 5, 1}); /* one of its own */
		function(world, TID, VIEW, DECORATOR, 0x200, false);
		do_call(world, (struct from){PID, TID, 1, 5, 5, 1});
		function(world, TID, VIEW, DECORATOR, 0x200, true);
		function(world, TID, DECORATOR, FLASK, 0x100, true);
	}
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "views.homepage", RUN_BY_USDT, 1, true);
	assert_run(world, 1, "views.homepage", RUN_BY_USDT, 1, true);
	assert_run(world, 2, "auth.login.<locals>.wrapper", RUN_BY_USDT, 1, true);
}

/* Attached in the middle of a run: no entry was seen. */
static void without_an_entry_it_is_by_request_or_calls(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	do_call(world, VIEW_OF(TID));
	function(world, TID, VIEW, FLASK, 0x100, true);
	respond(world, request);
	end_request(world, request);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);

	do_call(world, VIEW_OF(TID));
	function(world, TID, VIEW, FLASK, 0x100, false); /* the next run begins: that one is over */
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "views.homepage", RUN_BY_CALLS, 1, true);
}

static void a_run_by_entry_knows_its_request(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	for (int calls = 0; calls < 2; calls++) {
		request = begin_request(world, TID, 1, "GET /");
		function(world, TID, VIEW, FLASK, 0x100, false);
		if (calls)
			do_call(world, VIEW_OF(TID));
		function(world, TID, VIEW, FLASK, 0x100, true);
		respond(world, request);
		end_request(world, request);
		assert_run(world, calls, "views.homepage", RUN_BY_USDT, calls, true);
		assert_string_equal(world->runs[calls].route, "GET /");
	}
	assert_int_equal(world->requests_with_run, 2);
}

/* The probes were off for a while, or the record was lost: the next request is another run. */
static void a_lost_return_does_not_take_the_next_request(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /one");
	function(world, TID, VIEW, FLASK, 0x100, false);
	do_call(world, VIEW_OF(TID));
	respond(world, request);
	end_request(world, request);
	assert_int_equal(world->run_count, 0);
	request = begin_request(world, TID, 1, "GET /two");
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "views.homepage", RUN_BY_USDT, 1, false);
	do_call(world, VIEW_OF(TID));
	respond(world, request);
	end_request(world, request);
	assert_run(world, 1, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[1].route, "GET /two");
}

static void patterns_alone_decide(void **state)
{
	struct world *world = *state;

	assert_int_equal(run_stage_add_pattern(world->stage, "job.helper"), 0);
	STACK(world, PID, 1, MAIN, BEFORE, JOB, BEFORE, HELPER, BEFORE);
	assert_int_equal(run_stage_judge(world->stage, PID, HELPER), NT_CODE_JUDGED | NT_CODE_ENDPOINT);
	assert_int_equal(run_stage_judge(world->stage, PID, JOB), NT_CODE_JUDGED);
	assert_int_equal(run_stage_judge(world->stage, PID, 0x12345), 0);
	assert_int_equal(run_stage_judge(world->stage, PID + 1, JOB), 0);
	function(world, TID, JOB, MAIN, 0x100, false);
	function(world, TID, HELPER, JOB, 0x200, false);
	function(world, TID, HELPER, HELPER, 0x300, false); /* recursion */
	do_call(world, HERE(1, 5));
	function(world, TID, HELPER, HELPER, 0x300, true);
	function(world, TID, HELPER, JOB, 0x200, true);
	function(world, TID, JOB, MAIN, 0x100, true);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.helper", RUN_BY_USDT, 1, true);
}

static void the_capture_ends_inside(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	function(world, TID, JOB, MAIN, 0x100, false);
	do_call(world, HERE(1, 5));
	function(world, TID + 1, JOB, MAIN, 0x100, false);
	flush(world);
	assert_int_equal(world->run_count, 1); /* the other one may have no end */
	assert_run(world, 0, "job.job", RUN_BY_USDT, 1, false);
	assert_int_equal(count_partial(world), 1);
}

static void deep_nesting_is_bounded(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 100; i++)
		function(world, TID, VIEW, FLASK, 0x100 + i * 0x10, false);
	for (int i = 99; i >= 0; i--)
		function(world, TID, VIEW, FLASK, 0x100 + i * 0x10, true);
	assert_int_equal(world->run_count, 1); /* the innermost that was kept; the others had one inside */
}

/* --- code objects and processes that go --- */

static void another_function_at_the_same_address(void **state)
{
	static const struct test_code other = {JOB, "/srv/job.py", "other", straight_code, sizeof(straight_code), 0, 0};
	struct world *world = *state;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	feed_code(world, PID, &other);
	STACK(world, PID, 20, MAIN, BEFORE, JOB, AFTER, REDIS, BEFORE);
	do_call(world, HERE(20, 5));
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "job.job", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "job.other", RUN_BY_CALLS, 1, true);
}

static void a_process_ends_its_runs(void **state)
{
	struct world *world = *state;
	struct call *call, *request;

	stacks_of_view(world);
	request = begin_request(world, TID, 1, "GET /");
	call = begin_call(world, VIEW_OF(TID));
	do_call(world, VIEW_OF(TID + 1));
	function(world, TID + 2, JOB, MAIN, 0x100, false);
	record_begin(&world->record, NT_EXIT, sizeof(struct nt_head), world->now, PID);
	feed(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.homepage", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "job.job", RUN_BY_USDT, 0, true);
	end_call(world, call); /* what was under way ends as it would have */
	end_request(world, request);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 2, "views.homepage", RUN_BY_REQUEST, 1, true);
	do_call(world, VIEW_OF(TID)); /* its stacks are gone */
	assert_int_equal(world->called[2].reason, RUN_WALK_FAILED);
	assert_int_equal(run_stage_judge(world->stage, PID, JOB), 0);
}

static void exec_forgets_the_program(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	record_begin(&world->record, NT_EXEC, sizeof(struct nt_head), world->now, PID);
	feed(world);
	assert_int_equal(world->run_count, 1);
	feed_process(world, PID);
	stacks_of_job(world);
	do_call(world, HERE(2, 5));
	flush(world);
	assert_int_equal(world->run_count, 2);
}

static void a_child_speaks_for_itself(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	do_call(world, HERE(1, 5));
	record_begin(&world->record, NT_FORK, sizeof(struct nt_fork), world->now, PID);
	world->record.fork.child = PID + 1;
	feed(world);
	assert_int_equal(world->run_count, 0); /* the parent goes on */
	do_call(world, (struct from){PID + 1, TID + 1, 1, 3, 5, 1});
	assert_int_equal(world->called[1].reason, RUN_WALK_FAILED); /* it has not told of this stack */
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		feed_code(world, PID + 1, &codes[i]);
	STACK(world, PID + 1, 1, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE);
	/* It runs its parent's version: that one site is no loop is read from its code. */
	do_call(world, (struct from){PID + 1, TID + 1, 1, 3, 5, 1});
	do_call(world, (struct from){PID + 1, TID + 1, 1, 3, 5, 1});
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_ptr_equal(world->runs[0].run.endpoint, world->runs[1].run.endpoint); /* one function, one endpoint */
}

static void a_pid_comes_again(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	record_process(&world->record, world->now, PID, "python3");
	world->record.process.start = 55;
	feed(world); /* now it is known when it started */
	do_call(world, HERE(1, 5));
	assert_string_equal(world->called[0].endpoint, "job.job");
	feed(world); /* told again: nothing new */
	do_call(world, HERE(1, 5));
	record_process(&world->record, world->now, PID, "python3");
	world->record.process.start = 66;
	feed(world);
	do_call(world, HERE(1, 5));
	assert_int_equal(world->called[2].reason, RUN_WALK_FAILED);
	assert_string_equal(world->called[1].endpoint, "job.job");
}

/* f_lasti of 3.9 counts bytes; the names are plain. */
static void python_39(void **state)
{
	static const uint8_t code[] = {9, 0, 9, 0, 9, 0, 113, 2, 9, 0, 9, 0}; /* JUMP_ABSOLUTE at 6 to 2 */
	static const struct test_code loops = {0xe000, "/srv/old.py", "work", code, sizeof(code), 1, 0};
	struct world *world = *state;

	record_process(&world->record, world->now, PID + 9, "python3.9");
	world->record.process.python_minor = 9;
	feed(world);
	feed_code(world, PID + 9, &loops);
	STACK(world, PID + 9, 1, 0xe000, 4);
	STACK(world, PID + 9, 2, 0xe000, 8);
	do_call(world, (struct from){PID + 9, TID, 1, 1, 5, 1});
	do_call(world, (struct from){PID + 9, TID, 1, 1, 5, 1});
	do_call(world, (struct from){PID + 9, TID, 2, 1, 5, 1});
	do_call(world, (struct from){PID + 9, TID, 2, 1, 5, 1});
	flush(world);
	assert_int_equal(world->run_count, 2);
	/* It is called from C, who knows how often: so not exact. */
	assert_run(world, 0, "old.work", RUN_BY_CALLS, 3, false);
	assert_run(world, 1, "old.work", RUN_BY_CALLS, 1, true);
}

/* --- bounds and chance --- */

static void open_runs_are_bounded(void **state)
{
	struct world *world = *state;
	struct call **calls = calloc(RUN_MAX_OPEN + 2, sizeof(*calls));

	stacks_of_job(world);
	for (unsigned i = 0; i < RUN_MAX_OPEN + 2; i++)
		calls[i] = begin_call(world, (struct from){PID, 1000 + i, 1, 3, 5, i});
	assert_int_equal(run_stage_stats(world->stage)->runs_refused, 2);
	for (unsigned i = 0; i < RUN_MAX_OPEN + 2; i++)
		end_call(world, calls[i]);
	flush(world);
	assert_int_equal(world->run_count, RUN_MAX_OPEN);
	assert_int_equal(world->call_count, RUN_MAX_OPEN + 2);
	free(calls);
}

static void an_idle_thread_is_forgotten(void **state)
{
	struct world *world = *state;

	stacks_of_job(world);
	for (unsigned i = 0; i < 70000; i++) { /* more threads than there is room for at once */
		do_call(world, (struct from){PID, 1000 + i, 1, 3, 5, i});
		if (i % 10000 == 0) {
			world->now += 100000000000;
			run_stage_flush(world->stage, world->now, false);
		}
	}
	flush(world);
	assert_int_equal(run_stage_stats(world->stage)->runs_refused, 0);
	assert_int_equal(world->run_count, 70000);
}

static void malformed_records(void **state)
{
	struct world *world = *state;

	record_begin(&world->record, NT_FUNCTION, sizeof(struct nt_head), world->now, PID);
	assert_true(run_stage_feed(world->stage, &world->record.head) < 0);
	record_module(&world->record, world->now, PID, JOB, "m");
	world->record.module.module_size = 9;
	assert_true(run_stage_feed(world->stage, &world->record.head) < 0);
	record_begin(&world->record, 9999, sizeof(struct nt_head), world->now, PID);
	feed(world);
	run_stage_free(NULL);
}

#define FLYING 24

/* Of the calls that the sink was told since the last time, those with an endpoint; takes all of them off `begun`. */
static unsigned take_calls_seen(struct world *world, unsigned *begun)
{
	unsigned with_endpoint = 0;

	for (unsigned i = 0; i < world->call_count; i++)
		with_endpoint += world->called[i].endpoint != NULL;
	*begun -= world->call_count;
	world->call_count = 0;
	return with_endpoint;
}

/* Whatever comes in whatever order: each call is told once, and the runs add up to those that were in one. */
static void nothing_is_lost_or_counted_twice(void **state)
{
	struct world *world = *state;
	struct call *flying[FLYING] = {0};
	unsigned begun = 0, requests = 0, in_runs = 0;

	stacks_of_view(world);
	STACK(world, PID, 4, MAIN, BEFORE, LOOPS, INSIDE, REDIS, BEFORE);
	STACK(world, PID, 5, MAIN, BEFORE, FOREVER, INSIDE, JOB, BEFORE);
	STACK(world, PID, 6, MAIN, BEFORE, FOREVER, INSIDE, JOB, AFTER);
	for (int step = 0; step < 20000; step++) {
		struct call **slot = &flying[test_random_below(FLYING)];
		uint32_t tid = TID + (uint32_t)test_random_below(3);
		static const uint64_t functions[][2] = {{JOB, FOREVER}, {VIEW, FLASK}, {MIDDLEWARE, WORKER}};
		const uint64_t *function_of = functions[test_random_below(3)];

		switch (test_random_below(8)) {
		case 0:
			function(world, tid, function_of[0], function_of[1], 0x100 * (1 + test_random_below(3)),
				 test_random_below(2));
			break;
		case 1:
			if (test_random_below(50) == 0)
				run_stage_flush(world->stage, world->now, false);
			break;
		case 2:
			if (!*slot) {
				*slot = begin_request(world, tid, test_random_below(4), "GET /");
				requests++;
			} else if ((*slot)->kind == CALL_REQUEST) {
				respond(world, *slot);
			}
			break;
		default:
			if (!*slot) {
				uint64_t id = 1 + test_random_below(7); /* 7 is unknown */

				*slot = begin_call(world, (struct from){PID, tid, id,
									id < 4	 ? 5
									: id < 5 ? 4
										 : 3,
									(uint32_t)test_random_below(3), 1});
				begun++;
			} else {
				if ((*slot)->kind == CALL_REQUEST)
					end_request(world, *slot);
				else
					end_call(world, *slot);
				*slot = NULL;
			}
		}
		in_runs += take_calls_seen(world, &begun);
	}
	for (int i = 0; i < FLYING; i++) {
		if (flying[i] && flying[i]->kind == CALL_REQUEST)
			end_request(world, flying[i]);
		else if (flying[i])
			end_call(world, flying[i]);
		in_runs += take_calls_seen(world, &begun);
	}
	flush(world);
	assert_int_equal(begun, 0);
	assert_int_equal(world->request_count, requests);
	assert_int_equal(world->calls_in_runs, in_runs);
	assert_true(in_runs > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_reason),
	    TEST(a_message_has_no_owner),
	    TEST(a_truncated_stack_with_a_dispatcher),
	    TEST(a_run_is_its_calls),
	    TEST(the_module_names_the_endpoint),
	    TEST(what_cannot_be_reached_is_a_new_run),
	    TEST(one_site_again_is_a_new_run),
	    TEST(a_callers_state_that_changed_is_a_new_run),
	    TEST(a_generator_goes_on),
	    TEST(a_caller_at_another_place_is_a_new_run),
	    TEST(a_loop_in_the_endpoint_is_one_run),
	    TEST(the_flow_is_followed_inwards),
	    TEST(a_caller_that_may_repeat_unseen_is_not_exact),
	    TEST(callbacks_from_c_are_in_one_run),
	    TEST(callbacks_in_a_loop_unseen_are_not_exact),
	    TEST(callbacks_as_endpoints),
	    TEST(one_call_through_c_is_one_call),
	    TEST(unknown_code_is_one_run_and_not_exact),
	    TEST(states_that_did_not_come_are_not_exact),
	    TEST(the_callers_states_are_enough),
	    TEST(recursion_is_the_outermost),
	    TEST(a_pipeline_is_in_one_run),
	    TEST(threads_have_runs_of_their_own),
	    TEST(another_endpoint_ends_it_unless_it_is_nested),
	    TEST(a_quiet_run_ends_at_a_flush),
	    TEST(parallel_calls_count_once),
	    TEST(connects_take_part),
	    TEST(an_open_connect_does_not_keep_a_run),
	    TEST(a_run_waits_for_its_calls),
	    TEST(a_request_is_a_run),
	    TEST(threads_answer_their_own_requests),
	    TEST(endpoints_of_one_request_are_runs_each),
	    TEST(a_request_without_an_endpoint),
	    TEST(what_comes_after_is_by_calls),
	    TEST(the_next_request_takes_over),
	    TEST(pipelined_requests_come_in_order),
	    TEST(no_guess_between_requests),
	    TEST(a_capture_ends_in_a_request),
	    TEST(a_capture_begins_in_a_request),
	    TEST(a_client_that_goes),
	    TEST(a_run_knows_its_backends),
	    TEST(entry_and_return_are_exact),
	    TEST(a_run_without_calls_is_a_run),
	    TEST(what_a_server_calls_counts_with_its_first_call),
	    TEST(unpaired_returns_end_nothing),
	    TEST(a_lost_return_is_noticed),
	    TEST(middleware_without_calls_is_no_run),
	    TEST(a_hook_counts_once_it_made_a_call),
	    TEST(a_packages_view),
	    TEST(a_decorator_stands_for_what_it_calls),
	    TEST(without_an_entry_it_is_by_request_or_calls),
	    TEST(a_run_by_entry_knows_its_request),
	    TEST(a_lost_return_does_not_take_the_next_request),
	    TEST(patterns_alone_decide),
	    TEST(the_capture_ends_inside),
	    TEST(deep_nesting_is_bounded),
	    TEST(another_function_at_the_same_address),
	    TEST(a_process_ends_its_runs),
	    TEST(exec_forgets_the_program),
	    TEST(a_child_speaks_for_itself),
	    TEST(a_pid_comes_again),
	    TEST(python_39),
	    TEST(open_runs_are_bounded),
	    TEST(an_idle_thread_is_forgotten),
	    TEST(malformed_records),
	    TEST(nothing_is_lost_or_counted_twice),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
