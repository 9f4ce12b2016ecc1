/*
 * test_lanes.c: whose work it is where many things take turns on a thread: tasks of an event loop, greenlets, pools;
 * and where the work was handed over.
 */
#include "run_world.h"

#include <string.h>

#define LOOP_FRAMES 4 /* of each stack that LOOP() makes */
#define ROOT (GENERATOR | FROM_C)
#define CO_COROUTINE 0x80
#define CO_GENERATOR 0x20

/* Addresses of code objects, beside those of run_world.h. */
enum {
	RUN_FOREVER = 0x20000,
	RUN_ONCE = 0x21000,
	HANDLE = 0x22000,
	READ_READY = 0x23000,
	RECEIVED = 0x24000,
	SEARCH = 0x25000, /* the application's own coroutines */
	FETCH = 0x26000,
	STORE = 0x27000,
	CLIENT = 0x28000, /* a package's */
	GATHER = 0x29000,
	RUN_ENDPOINT = 0x2a000, /* FastAPI's dispatcher */
	RUN_ASGI = 0x2b000,
	START = 0x2c000, /* aiohttp: a connection's task, and the dispatcher in it */
	DISPATCH = 0x2d000,
	POOL = 0x2e000,
	ITEM = 0x2f000,
	SUBMIT = 0x30000,
	LEGACY = 0x31000, /* a plain generator */
	HUB = 0x32000,
	SERVE = 0x33000, /* gevent's */
	HANDLER = 0x34000,
	ANYIO = 0x35000,
	ERRORS = 0x36000,
	BACKGROUND = 0x37000,
};

static const struct test_code async_codes[] = {
#define CODE(address, file, name, code, flags)                                                                         \
	{                                                                                                              \
		address, file, name, code, 2 * UNITS, 0, flags                                                         \
	}
    CODE(RUN_FOREVER, "/usr/lib/python3.11/asyncio/base_events.py", "BaseEventLoop.run_forever", loop_code, 0),
    CODE(RUN_ONCE, "/usr/lib/python3.11/asyncio/base_events.py", "BaseEventLoop._run_once", loop_code, 0),
    CODE(HANDLE, "/usr/lib/python3.11/asyncio/events.py", "Handle._run", straight_code, 0),
    CODE(READ_READY, "/usr/lib/python3.11/asyncio/selector_events.py",
	 "_SelectorSocketTransport._read_ready__data_received", straight_code, 0),
    CODE(RECEIVED, DIST "uvicorn/protocols/http/h11_impl.py", "H11Protocol.data_received", straight_code, 0),
    CODE(SEARCH, "/srv/shop/api.py", "search", straight_code, CO_COROUTINE),
    CODE(FETCH, "/srv/shop/api.py", "fetch", straight_code, CO_COROUTINE),
    CODE(STORE, "/srv/shop/api.py", "store", straight_code, CO_COROUTINE),
    CODE(CLIENT, DIST "redis/asyncio/client.py", "Redis.execute_command", straight_code, CO_COROUTINE),
    CODE(GATHER, "/usr/lib/python3.11/asyncio/tasks.py", "gather", loop_code, 0),
    CODE(RUN_ENDPOINT, DIST "fastapi/routing.py", "run_endpoint_function", straight_code, CO_COROUTINE),
    CODE(RUN_ASGI, DIST "uvicorn/protocols/http/h11_impl.py", "RequestResponseCycle.run_asgi", straight_code,
	 CO_COROUTINE),
    CODE(ERRORS, DIST "starlette/middleware/errors.py", "ServerErrorMiddleware.__call__", straight_code, CO_COROUTINE),
    CODE(BACKGROUND, DIST "starlette/background.py", "BackgroundTask.__call__", straight_code, CO_COROUTINE),
    CODE(START, DIST "aiohttp/web_protocol.py", "RequestHandler.start", loop_code, CO_COROUTINE),
    CODE(DISPATCH, DIST "aiohttp/web_app.py", "Application._handle", straight_code, CO_COROUTINE),
    CODE(POOL, "/usr/lib/python3.11/concurrent/futures/thread.py", "_worker", loop_code, 0),
    CODE(ITEM, "/usr/lib/python3.11/concurrent/futures/thread.py", "_WorkItem.run", straight_code, 0),
    CODE(SUBMIT, "/usr/lib/python3.11/concurrent/futures/thread.py", "ThreadPoolExecutor.submit", straight_code, 0),
    CODE(ANYIO, DIST "anyio/_backends/_asyncio.py", "WorkerThread.run", loop_code, 0),
    CODE(LEGACY, "/srv/shop/old.py", "lines", straight_code, CO_GENERATOR),
    CODE(SERVE, DIST "gevent/baseserver.py", "_handle_and_close_when_done", straight_code, 0),
    CODE(HANDLER, "/srv/shop/green.py", "handle", straight_code, 0),
#undef CODE
};

/* Of stacks, by their ids: how many frames, and how many of the outermost are an event loop's. */
static uint8_t depths[64], loops[64];

/* gevent's code comes where a test wants it. */
static int begin_lanes(void **state)
{
	begin(state);
	for (size_t i = 0; i < sizeof(async_codes) / sizeof(*async_codes); i++)
		if (async_codes[i].address != SERVE)
			feed_code(*state, PID, &async_codes[i]);
	return 0;
}

#define LOOP(world, id, ...)                                                                                           \
	add_stack(                                                                                                     \
	    world, id, LOOP_FRAMES,                                                                                    \
	    (const uint64_t[]){MAIN, BEFORE, RUN_FOREVER, INSIDE, RUN_ONCE, INSIDE, HANDLE, BEFORE, __VA_ARGS__, 0})
#define PLAIN(world, id, ...) add_stack(world, id, 0, (const uint64_t[]){__VA_ARGS__, 0})

static void add_stack(struct world *world, uint64_t id, uint8_t loop, const uint64_t *frames)
{
	depths[id] = 0;
	while (frames[2 * depths[id]])
		depths[id]++;
	loops[id] = loop;
	feed_stack(world, PID, id, frames);
}

/* Where something happens. */
struct at {
	uint64_t stack;
	uint64_t task, base, frame, item; /* addresses: struct nt_owner's */
	uint32_t tid;			  /* 0: TID */
	uint32_t callers;		  /* the state of all frames but an event loop's, which is new each time */
	const struct nt_place *places;	  /* of all frames; NULL: of none */
};

#define AT(...) (&(struct at){__VA_ARGS__})

static struct call_owner owner_of(const struct world *world, const struct at *at, uint32_t *states)
{
	uint8_t depth = depths[at->stack];

	for (int i = 0; i < depth; i++)
		states[i] = i < depth - loops[at->stack] ? at->callers : (uint32_t)world->now + 1000;
	return (struct call_owner){
	    .pid = PID,
	    .tid = at->tid ? at->tid : TID,
	    .stack = at->stack,
	    .coroutine = at->task,
	    .base = at->base,
	    .frame = at->frame,
	    .item = at->item,
	    .walk = NT_WALK_OK,
	    .state_count = depth,
	    .place_count = at->places ? depth : 0,
	    .states = states,
	    .places = at->places,
	};
}

static struct call *begin_at(struct world *world, enum call_kind kind, uint64_t connection, const struct at *at)
{
	uint32_t states[NT_MAX_FRAMES];
	struct call_owner owner = owner_of(world, at, states);

	return begin_owned(world, kind, connection, &owner);
}

static void call_at(struct world *world, const struct at *at)
{
	end_call(world, begin_at(world, CALL_EXCHANGE, 1, at));
}

/* The endpoint that the last call was given to. */
static const char *last_endpoint(const struct world *world)
{
	const char *name = world->called[world->call_count - 1].endpoint;

	return name ? name : "none";
}

/* How many runs there were like this, in whatever order. */
static unsigned count_runs(const struct world *world, const char *endpoint, enum run_source source, unsigned calls)
{
	unsigned count = 0;

	for (unsigned i = 0; i < world->run_count && i < MAX_SEEN; i++) {
		const struct run *run = &world->runs[i].run;

		count += !strcmp(run->endpoint->name, endpoint) && run->source == source && run->calls == calls;
	}
	return count;
}

/* Bytes came in on a connection. */
static void read_from(struct world *world, uint32_t tid, uint64_t connection)
{
	record_segment(&world->record, world->now, PID, connection, NT_IN, "", 0);
	world->record.head.tid = tid;
	feed(world);
}

static struct call *request_at(struct world *world, uint64_t connection, const char *operation, const struct at *at)
{
	struct call *call = begin_at(world, CALL_REQUEST, connection, at);

	snprintf(call->operation, sizeof(call->operation), "%s", operation);
	world->calls.received(world->calls.context, call);
	read_from(world, at->tid ? at->tid : TID, connection);
	return call;
}

/* The response is sent by `at`, whole. */
static void answer_at(struct world *world, struct call *request, const struct at *at)
{
	uint32_t states[NT_MAX_FRAMES];
	struct call_owner by = owner_of(world, at, states);

	by.states = NULL;
	by.places = NULL;
	world->now += 10;
	by.time = request->in_first = world->now;
	world->calls.answering(world->calls.context, request, &by);
	world->calls.responding(world->calls.context, request);
	end_request(world, request);
}

static void hand_over(struct world *world, enum nt_handover_kind kind, uint64_t what, const struct at *at)
{
	uint32_t states[NT_MAX_FRAMES];
	struct call_owner owner = owner_of(world, at, states);

	world->now += 10;
	record_begin(&world->record, NT_HANDOVER, sizeof(world->record.handover), world->now, PID);
	world->record.head.tid = owner.tid;
	world->record.handover.what = what;
	world->record.handover.kind = (uint8_t)kind;
	world->record.handover.owner = (struct nt_owner){
	    .stack = owner.stack,
	    .coroutine = owner.coroutine,
	    .base = owner.base,
	    .frame = owner.frame,
	    .item = owner.item,
	    .walk = NT_WALK_OK,
	    .states = owner.state_count,
	    .places = owner.place_count,
	};
	record_append(&world->record, states, owner.state_count * sizeof(*states));
	if (at->places)
		record_append(&world->record, at->places, owner.place_count * sizeof(*at->places));
	feed(world);
}

/* --- tasks --- */

/* Two places of search() below the loop, and one of fetch(), each the root of a task. */
static void stacks_of_tasks(struct world *world)
{
	LOOP(world, 1, SEARCH, BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	LOOP(world, 2, SEARCH, AFTER | ROOT, CLIENT, BEFORE | GENERATOR);
	LOOP(world, 3, FETCH, BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	LOOP(world, 4, FETCH, AFTER | ROOT, CLIENT, BEFORE | GENERATOR);
}

static void tasks_that_take_turns(void **state)
{
	struct world *world = *state;
	struct call *slow;

	stacks_of_tasks(world);
	slow = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 1, .task = 0xb0));
	call_at(world, AT(.stack = 2, .task = 0xb0));
	end_call(world, slow);
	call_at(world, AT(.stack = 3, .task = 0xc0));
	call_at(world, AT(.stack = 2, .task = 0xa0));
	call_at(world, AT(.stack = 4, .task = 0xc0));
	assert_int_equal(world->run_count, 0);
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 2, true);
	assert_run(world, 1, "api.search", RUN_BY_CALLS, 2, true);
	assert_run(world, 2, "api.fetch", RUN_BY_CALLS, 2, true);
	assert_true(world->runs[0].run.network > world->runs[1].run.network);
}

static void a_coroutines_address_is_used_again(void **state)
{
	struct world *world = *state;

	stacks_of_tasks(world);
	LOOP(world, 9, CLIENT, BEFORE);
	call_at(world, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 1, .task = 0xb0));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 9));
	assert_int_equal(world->run_count, 1); /* the one before is over */
	call_at(world, AT(.stack = 2, .task = 0xa0));
	call_at(world, AT(.stack = 2, .task = 0xb0));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "api.search", RUN_BY_CALLS, 2, true);
	assert_run(world, 2, "api.search", RUN_BY_CALLS, 1, true);
}

/* Its new task is made by the very one that had the address: what is handed over is still the giver's. */
static void a_task_whose_address_is_its_givers(void **state)
{
	struct world *world = *state;
	struct call *slow;

	stacks_of_tasks(world);
	slow = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 1, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2, .task = 0xa0));
	call_at(world, AT(.stack = 3, .task = 0xa0));
	assert_string_equal(last_endpoint(world), "api.search");
	end_call(world, slow);
	flush(world);
	assert_int_equal(world->run_count, 1); /* over with its task, it was kept for what it has handed over */
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 2, true);
}

/* A task has wanted something to be sent, and is over when it is: by then its address is another one's. */
static void a_task_that_is_gone(void **state)
{
	struct world *world = *state;
	uint32_t states[NT_MAX_FRAMES];
	struct call_owner owner;
	struct call *request;

	stacks_of_tasks(world);
	LOOP(world, 5, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	LOOP(world, 6, RUN_ENDPOINT, BEFORE | ROOT, STORE, BEFORE | GENERATOR);
	LOOP(world, 7, READ_READY, BEFORE | FROM_C);
	owner = owner_of(world, AT(.stack = 3, .task = 0xa1), states);
	request = request_at(world, 9, "GET /", AT(.stack = 7));
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 5, .task = 0xa0));
	for (unsigned i = 0; i < 2; i++) {
		struct call call = {.kind = CALL_EXCHANGE, .protocol = "tcp", .owner = owner, .out_first = world->now};

		call.owner.time = world->now - 100;
		call.owner.stack = i ? 6 : 3;
		world->calls.began(world->calls.context, &call);
		world->calls.ended(world->calls.context, &call);
		/* What a dispatcher has called was its own endpoint, whoever made it. */
		assert_string_equal(last_endpoint(world), i ? "api.store" : "none");
	}
	call_at(world, AT(.stack = 3, .task = 0xa1));
	assert_string_equal(last_endpoint(world), "api.search");
	owner.time = world->now - 1000;
	owner.states = NULL;
	world->calls.answering(world->calls.context, request, &owner);
	end_request(world, request);
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 1, true);
}

/* A connection's task, which answers one request after the other. */
static void stacks_of_aiohttp(struct world *world)
{
	LOOP(world, 1, START, INSIDE | ROOT, DISPATCH, BEFORE | GENERATOR, SEARCH, BEFORE | GENERATOR, CLIENT, BEFORE);
	LOOP(world, 2, START, INSIDE | ROOT, DISPATCH, BEFORE | GENERATOR, SEARCH, AFTER | GENERATOR, CLIENT, BEFORE);
	LOOP(world, 3, START, INSIDE | ROOT, DISPATCH, BEFORE | GENERATOR, SEARCH, LATER | GENERATOR, CLIENT, BEFORE);
	LOOP(world, 4, START, INSIDE_TOO | ROOT);    /* it sends the response */
	LOOP(world, 5, READ_READY, BEFORE | FROM_C); /* the loop reads */
	LOOP(world, 6, START, INSIDE | ROOT, DISPATCH, BEFORE | GENERATOR, STORE, BEFORE | GENERATOR, CLIENT, BEFORE);
}

static void runs_in_one_task(void **state)
{
	struct world *world = *state;

	stacks_of_aiohttp(world);
	call_at(world, AT(.stack = 1, .task = 0xa0, .callers = 5));
	call_at(world, AT(.stack = 2, .task = 0xa0, .callers = 5)); /* the loop has moved on: that says nothing */
	call_at(world, AT(.stack = 3, .task = 0xa0, .callers = 6)); /* a caller in the task has */
	call_at(world, AT(.stack = 1, .task = 0xb0, .callers = 5, .frame = 0x100));
	call_at(world, AT(.stack = 2, .task = 0xb0, .callers = 5)); /* it was not asked for: it may be the same */
	call_at(world, AT(.stack = 3, .task = 0xb0, .callers = 5, .frame = 0x100));
	call_at(world, AT(.stack = 1, .task = 0xc0, .callers = 5, .frame = 0x100));
	call_at(world, AT(.stack = 2, .task = 0xc0, .callers = 5, .frame = 0x200));
	flush(world);
	assert_int_equal(world->run_count, 5);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 2, false); /* start() calls in a `while` */
	assert_run(world, 1, "api.search", RUN_BY_CALLS, 1, true);  /* 0xc0's first */
	assert_run(world, 2, "api.search", RUN_BY_CALLS, 1, true);
	assert_run(world, 3, "api.search", RUN_BY_CALLS, 3, false);
	assert_run(world, 4, "api.search", RUN_BY_CALLS, 1, true);
}

/* A plain generator that is the outermost one is nobody's task. */
static void a_generator_is_no_task(void **state)
{
	struct world *world = *state;

	PLAIN(world, 1, MAIN, BEFORE, LEGACY, BEFORE | ROOT, REDIS, BEFORE);
	PLAIN(world, 2, MAIN, BEFORE, LEGACY, AFTER | ROOT, REDIS, BEFORE);
	call_at(world, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 2, .task = 0xb0)); /* of one thread all the same */
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "old.lines", RUN_BY_CALLS, 2, false); /* but who knows which generator */
}

/* --- work that is handed over --- */

/* The parent hands its children over in gather(), then they call in any order; one of them has a child as well. */
static void gather(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	stacks_of_tasks(world);
	LOOP(world, 5, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	LOOP(world, 6, FETCH, INSIDE | ROOT, GATHER, INSIDE);
	LOOP(world, 7, STORE, BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	for (uint64_t parent = 0xa0; parent <= 0xb0; parent += 0x10) {
		call_at(world, AT(.stack = 1, .task = parent));
		hand_over(world, NT_HANDOVER_TASK, parent + 1, AT(.stack = 5, .task = parent));
		hand_over(world, NT_HANDOVER_TASK, parent + 2, AT(.stack = 5, .task = parent));
	}
	hand_over(world, NT_HANDOVER_TASK, 0xa3, AT(.stack = 6, .task = 0xa1));
	one = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 3, .task = 0xa1));
	two = begin_at(world, CALL_EXCHANGE, 2, AT(.stack = 3, .task = 0xa2));
	end_call(world, one);
	end_call(world, two);
	for (uint64_t child = 0xb1; child <= 0xb2; child++)
		call_at(world, AT(.stack = 3, .task = child));
	call_at(world, AT(.stack = 7, .task = 0xa3));
	assert_string_equal(last_endpoint(world), "api.search");
	call_at(world, AT(.stack = 4, .task = 0xd0)); /* nobody's child */
	assert_string_equal(last_endpoint(world), "api.fetch");
	call_at(world, AT(.stack = 2, .task = 0xa0));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_int_equal(count_runs(world, "api.search", RUN_BY_CALLS, 5), 1);
	assert_int_equal(count_runs(world, "api.search", RUN_BY_CALLS, 3), 1);
	assert_int_equal(count_runs(world, "api.fetch", RUN_BY_CALLS, 1), 1);
	for (unsigned i = 0; i < 3; i++)
		if (world->runs[i].run.calls == 5)
			assert_int_equal(world->runs[i].run.network, 510); /* two children's calls overlapped */
}

/* A parent that made no call of its own, and children that made none. */
static void only_who_calls_has_a_run(void **state)
{
	struct world *world = *state;

	stacks_of_tasks(world);
	LOOP(world, 5, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 5, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xb1, AT(.stack = 5, .task = 0xb0));
	call_at(world, AT(.stack = 3, .task = 0xa1));
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 1, true);
}

/* For a second what it does still counts in the run, but takes none of its time. */
static void a_task_outlives_its_run(void **state)
{
	struct world *world = *state;
	uint64_t ended;

	stacks_of_aiohttp(world);
	LOOP(world, 7, START, INSIDE | ROOT, DISPATCH, BEFORE | GENERATOR, SEARCH, BEFORE | GENERATOR, GATHER, INSIDE);
	LOOP(world, 8, FETCH, BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 7, .task = 0xa0, .frame = 0x100));
	call_at(world, AT(.stack = 8, .task = 0xa1));
	ended = world->now;
	call_at(world, AT(.stack = 1, .task = 0xa0, .frame = 0x200)); /* the next run */
	call_at(world, AT(.stack = 8, .task = 0xa1));
	assert_string_equal(last_endpoint(world), "api.search");
	world->now += 2000000000;
	run_stage_flush(world->stage, world->now, false);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 2, true);
	assert_int_equal(world->runs[0].run.ended, ended);
	assert_int_equal(world->runs[0].run.network, 100);
	call_at(world, AT(.stack = 8, .task = 0xa1)); /* too late for that one, and none of the next */
	assert_string_equal(last_endpoint(world), "api.search");
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "api.search", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->call_count, 4);
	assert_int_equal(world->calls_in_runs, 3);
}

static void stacks_of_a_pool(struct world *world)
{
	PLAIN(world, 1, MAIN, BEFORE, JOB, BEFORE, SUBMIT, BEFORE);
	PLAIN(world, 6, MAIN, BEFORE, JOB, INSIDE, SUBMIT, BEFORE);
	PLAIN(world, 2, MAIN, BEFORE, JOB, AFTER, REDIS, BEFORE);
	PLAIN(world, 3, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, POOL, INSIDE, ITEM, BEFORE, HELPER, BEFORE, REDIS,
	      BEFORE);
	PLAIN(world, 4, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, HELPER, BEFORE, REDIS, BEFORE);
	PLAIN(world, 5, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, POOL, AFTER, HELPER, BEFORE, REDIS, BEFORE);
}

static void a_pools_work(void **state)
{
	struct world *world = *state;
	struct nt_place places[6] = {{.frame = 1}};
	struct nt_stack_note note;

	stacks_of_a_pool(world);
	assert_true(note_of(world, PID, 3, &note));
	assert_int_equal(note.carrier, 3); /* the third from the innermost on */
	assert_true(note_of(world, PID, 2, &note));
	assert_int_equal(note.carrier, 0);
	hand_over(world, NT_HANDOVER_ITEM, 0x770, AT(.stack = 1));
	hand_over(world, NT_HANDOVER_ITEM, 0x780, AT(.stack = 6));
	places[2].local = 0x770;
	call_at(world, AT(.stack = 3, .tid = 80, .places = places));
	assert_string_equal(last_endpoint(world), "job.job");
	call_at(world, AT(.stack = 3, .tid = 81, .item = 0x780));
	assert_string_equal(last_endpoint(world), "job.job");
	call_at(world, AT(.stack = 3, .tid = 81, .item = 0x790)); /* nobody is known to have given it */
	assert_string_equal(last_endpoint(world), "job.helper");
	call_at(world, AT(.stack = 2));
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_int_equal(count_runs(world, "job.job", RUN_BY_CALLS, 3), 1);
	assert_int_equal(count_runs(world, "job.helper", RUN_BY_CALLS, 1), 1);
}

static void a_thread_that_a_run_starts(void **state)
{
	struct world *world = *state;

	stacks_of_a_pool(world);
	hand_over(world, NT_HANDOVER_THREAD, 80, AT(.stack = 1));
	hand_over(world, NT_HANDOVER_THREAD, 81, AT(.stack = 1)); /* the same place: the next run */
	call_at(world, AT(.stack = 4, .tid = 80));
	assert_string_equal(last_endpoint(world), "job.helper"); /* its starter's run is over */
	call_at(world, AT(.stack = 4, .tid = 81));
	assert_string_equal(last_endpoint(world), "job.job");
	call_at(world, AT(.stack = 5, .tid = 81)); /* a pool's: it works for whoever gives it something */
	assert_string_equal(last_endpoint(world), "job.helper");
	call_at(world, AT(.stack = 2));
	call_at(world, AT(.stack = 4, .tid = 81));
	assert_string_equal(last_endpoint(world), "job.job");
	call_at(world, AT(.stack = 2, .callers = 1)); /* the next run: the thread goes on by itself */
	call_at(world, AT(.stack = 4, .tid = 81));
	assert_string_equal(last_endpoint(world), "job.helper");
	flush(world);
	assert_int_equal(count_runs(world, "job.job", RUN_BY_CALLS, 3), 1);
}

/* A thread's id is used again. */
static void a_thread_with_the_id_of_another(void **state)
{
	struct world *world = *state;

	stacks_of_a_pool(world);
	PLAIN(world, 6, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, HELPER, AFTER, REDIS, BEFORE);
	PLAIN(world, 7, MAIN, BEFORE, REDIS, BEFORE);
	call_at(world, AT(.stack = 4, .tid = 80));
	call_at(world, AT(.stack = 4, .tid = 81));
	hand_over(world, NT_HANDOVER_THREAD, 80, AT(.stack = 7));
	call_at(world, AT(.stack = 6, .tid = 80));
	call_at(world, AT(.stack = 6, .tid = 81));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "job.helper", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->runs[0].run.tid, 80);
}

/* --- requests --- */

static void stacks_of_uvicorn(struct world *world)
{
	LOOP(world, 1, READ_READY, BEFORE | FROM_C);
	LOOP(world, 2, READ_READY, BEFORE | FROM_C, RECEIVED, BEFORE);
	LOOP(world, 3, RUN_ASGI, BEFORE | ROOT, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH, BEFORE | GENERATOR, CLIENT,
	     BEFORE);
	LOOP(world, 4, RUN_ASGI, BEFORE | ROOT, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH, AFTER | GENERATOR, CLIENT,
	     BEFORE);
	LOOP(world, 5, RUN_ASGI, AFTER | ROOT);
	LOOP(world, 6, FETCH, BEFORE | ROOT, CLIENT, BEFORE);
	LOOP(world, 7, RUN_ASGI, BEFORE | ROOT, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH, BEFORE | GENERATOR, GATHER,
	     INSIDE);
}

#define LINK ERRORS, BEFORE | GENERATOR

/* Which coroutines the kernel side need not look at: those outside of what says that it is an endpoint. */
static void a_chain_of_coroutines(void **state)
{
	struct world *world = *state;
	struct nt_stack_note note;

	LOOP(world, 1, RUN_ASGI, BEFORE | ROOT, LINK, LINK, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH,
	     BEFORE | GENERATOR, CLIENT, BEFORE);
	assert_true(note_of(world, PID, 1, &note));
	assert_int_equal(note.endpoint, 2);
	assert_int_equal(note.chain_inner, 0); /* too short to be worth it */
	assert_int_equal(note.chain_outer, 0);
	LOOP(world, 2, RUN_ASGI, BEFORE | ROOT, LINK, LINK, LINK, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH,
	     BEFORE | GENERATOR, CLIENT, BEFORE);
	assert_true(note_of(world, PID, 2, &note));
	assert_int_equal(note.chain_inner, 3); /* what calls the dispatcher */
	assert_int_equal(note.chain_outer, 6);
	LOOP(world, 3, RUN_ASGI, BEFORE | ROOT, LINK, ERRORS, BEFORE, LINK, LINK, RUN_ENDPOINT, BEFORE | GENERATOR,
	     SEARCH, BEFORE | GENERATOR);
	assert_true(note_of(world, PID, 3, &note));
	assert_int_equal(note.chain_outer, 0); /* a function among them is called by whatever calls it */
	LOOP(world, 4, RUN_ASGI, BEFORE | ROOT, LINK, BACKGROUND, BEFORE | GENERATOR, LINK, LINK, RUN_ENDPOINT,
	     BEFORE | GENERATOR, SEARCH, BEFORE | GENERATOR);
	assert_true(note_of(world, PID, 4, &note));
	assert_int_equal(note.chain_outer, 0); /* what comes behind the response is another thing */
	LOOP(world, 5, RUN_ASGI, BEFORE | ROOT, LINK, LINK, LINK, LINK, SEARCH, BEFORE | GENERATOR);
	assert_true(note_of(world, PID, 5, &note));
	assert_int_equal(note.chain_outer, 0); /* nothing says that this is an endpoint */
}

/* What the user names is the outermost of its kind, which can be any. */
static void no_chain_where_patterns_decide(void **state)
{
	struct world *world = *state;
	struct nt_stack_note note;

	assert_int_equal(run_stage_add_pattern(world->stage, "api.*"), 0);
	LOOP(world, 2, RUN_ASGI, BEFORE | ROOT, LINK, LINK, LINK, RUN_ENDPOINT, BEFORE | GENERATOR, SEARCH,
	     BEFORE | GENERATOR, CLIENT, BEFORE);
	assert_true(note_of(world, PID, 2, &note));
	assert_int_equal(note.endpoint, 2);
	assert_int_equal(note.chain_outer, 0);
}

/* The task is made while what was read is being looked at. */
static void a_task_for_what_was_read(void **state)
{
	struct world *world = *state;
	struct call *one, *two, *three;

	stacks_of_uvicorn(world);
	one = request_at(world, 9, "GET /one", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	two = request_at(world, 10, "GET /two", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xb0, AT(.stack = 2));
	three = request_at(world, 11, "GET /three", AT(.stack = 1));
	read_from(world, TID, 12); /* a backend's answer: what is made now is for that */
	hand_over(world, NT_HANDOVER_TASK, 0xc0, AT(.stack = 2));
	call_at(world, AT(.stack = 3, .task = 0xa0));
	call_at(world, AT(.stack = 3, .task = 0xb0));
	call_at(world, AT(.stack = 3, .task = 0xb0)); /* the same place: all the same */
	call_at(world, AT(.stack = 3, .task = 0xc0));
	call_at(world, AT(.stack = 4, .task = 0xa0));
	answer_at(world, two, AT(.stack = 5, .task = 0xb0));
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_REQUEST, 2, true);
	assert_string_equal(world->runs[0].route, "GET /two");
	answer_at(world, one, AT(.stack = 5, .task = 0xa0));
	assert_run(world, 1, "api.search", RUN_BY_REQUEST, 2, true);
	assert_string_equal(world->runs[1].route, "GET /one");
	answer_at(world, three, AT(.stack = 5, .task = 0xd0)); /* another one sends it */
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 2, "api.search", RUN_BY_CALLS, 1, true);
	assert_int_equal(world->requests_with_run, 2);
}

/* One request alone on the loop's thread: still it is not everything's that the loop does. */
static void a_loop_does_other_things(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_uvicorn(world);
	LOOP(world, 8, HELPER, BEFORE | FROM_C, REDIS, BEFORE); /* a callback: a timer's, say */
	request = request_at(world, 9, "GET /", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	call_at(world, AT(.stack = 8));
	hand_over(world, NT_HANDOVER_TASK, 0xb0, AT(.stack = 8, .callers = 1));
	call_at(world, AT(.stack = 6, .task = 0xb0));
	call_at(world, AT(.stack = 3, .task = 0xa0));
	answer_at(world, request, AT(.stack = 5, .task = 0xa0));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "job.helper", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "api.search", RUN_BY_REQUEST, 1, true);
	assert_run(world, 2, "job.helper", RUN_BY_CALLS, 1, true); /* what the callback has started */
}

/* A view is a coroutine under a server of threads: the thread runs a loop for it and for nothing else. */
static void a_loop_for_one_request(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	PLAIN(world, 1, MAIN, BEFORE, WORKER, BEFORE);
	PLAIN(world, 2, MAIN, BEFORE, WORKER, BEFORE, FLASK, BEFORE, RUN_FOREVER, INSIDE);
	PLAIN(world, 3, MAIN, BEFORE, WORKER, BEFORE, FLASK, BEFORE, RUN_FOREVER, INSIDE, HANDLE, BEFORE, SEARCH,
	      BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	one = request_at(world, 9, "GET /one", AT(.stack = 1));
	two = request_at(world, 10, "GET /two", AT(.stack = 1, .tid = 80));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	hand_over(world, NT_HANDOVER_TASK, 0xb0, AT(.stack = 2, .tid = 80));
	for (unsigned i = 0; i < 2; i++) {
		call_at(world, AT(.stack = 3, .task = 0xa0));
		call_at(world, AT(.stack = 3, .task = 0xb0, .tid = 80));
	}
	answer_at(world, one, AT(.stack = 1));
	answer_at(world, two, AT(.stack = 1, .tid = 80));
	flush(world);
	assert_int_equal(count_runs(world, "api.search", RUN_BY_REQUEST, 2), 2);
	assert_int_equal(world->requests_with_run, 2);
}

/* A loop without frames: its tasks are what tell that it is one. */
static void a_loop_that_is_not_seen(void **state)
{
	struct world *world = *state;
	struct call *first, *one, *two;

	PLAIN(world, 1, MAIN, BEFORE, JOB, BEFORE);		   /* the loop reads, as which it is not known yet */
	PLAIN(world, 2, MAIN, BEFORE, JOB, BEFORE, REDIS, BEFORE); /* a callback of a package */
	PLAIN(world, 3, MAIN, BEFORE, JOB, BEFORE, START, INSIDE | ROOT, SEARCH, BEFORE | GENERATOR, CLIENT, BEFORE);
	PLAIN(world, 4, MAIN, BEFORE, JOB, BEFORE, START, INSIDE | ROOT);
	PLAIN(world, 5, MAIN, BEFORE, JOB, BEFORE, VIEW, BEFORE, REDIS, BEFORE); /* a callback */
	PLAIN(world, 6, MAIN, BEFORE, JOB, AFTER, REDIS, BEFORE);		 /* when the loop is over */
	first = request_at(world, 8, "GET /first", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	call_at(world, AT(.stack = 5));
	assert_string_equal(last_endpoint(world), "job.job");
	call_at(world, AT(.stack = 3, .task = 0xa0));
	assert_string_equal(last_endpoint(world), "api.search");
	call_at(world, AT(.stack = 5));
	assert_string_equal(last_endpoint(world), "views.homepage");
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 2));
	call_at(world, AT(.stack = 3, .task = 0xa1)); /* another connection's */
	answer_at(world, first, AT(.stack = 4, .task = 0xc0));
	flush(world);
	assert_int_equal(count_runs(world, "api.search", RUN_BY_CALLS, 1), 2);
	world->run_count = 0;

	one = request_at(world, 9, "GET /one", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xb0, AT(.stack = 2)); /* for another connection */
	two = request_at(world, 10, "GET /two", AT(.stack = 1));
	call_at(world, AT(.stack = 3, .task = 0xb0));
	answer_at(world, one, AT(.stack = 4, .task = 0xc0));
	answer_at(world, two, AT(.stack = 4, .task = 0xb0));
	call_at(world, AT(.stack = 6));
	assert_string_equal(last_endpoint(world), "job.job");
	flush(world);
	assert_int_equal(world->requests_with_run, 2); /* the first one, by what came before it was known */
	assert_run(world, 0, "api.search", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[0].route, "GET /two");
}

/* A callback that is given the bytes answers by itself. */
static void a_protocol_that_answers_at_once(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	stacks_of_uvicorn(world);
	LOOP(world, 8, READ_READY, BEFORE | FROM_C, RECEIVED, BEFORE, VIEW, BEFORE, REDIS, BEFORE);
	one = request_at(world, 9, "GET /one", AT(.stack = 1));
	two = request_at(world, 10, "GET /two", AT(.stack = 1));
	call_at(world, AT(.stack = 8));
	answer_at(world, two, AT(.stack = 2));
	read_from(world, TID, 9); /* more of the first one */
	call_at(world, AT(.stack = 8));
	answer_at(world, one, AT(.stack = 2));
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[0].route, "GET /two");
	assert_run(world, 1, "views.homepage", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[1].route, "GET /one");
}

/* Who sends the response is who has answered: its runs since the request came are part of that. */
static void a_task_that_sends_the_response(void **state)
{
	struct world *world = *state;
	struct call *one, *two;
	uint64_t received;

	stacks_of_aiohttp(world);
	one = request_at(world, 9, "GET /one", AT(.stack = 5));
	received = world->now;
	two = request_at(world, 10, "GET /two", AT(.stack = 5));
	call_at(world, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 1, .task = 0xb0));
	call_at(world, AT(.stack = 1, .task = 0xa0)); /* again from there: by calls another run */
	call_at(world, AT(.stack = 6, .task = 0xa0)); /* another endpoint for the same request */
	answer_at(world, one, AT(.stack = 4, .task = 0xa0));
	assert_int_equal(world->run_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool store = strcmp(world->runs[i].run.endpoint->name, "api.search") != 0;

		assert_run(world, i, store ? "api.store" : "api.search", RUN_BY_REQUEST, store ? 1 : 2, true);
		assert_string_equal(world->runs[i].route, "GET /one");
		assert_int_equal(world->runs[i].run.began, received);
		assert_int_equal(world->runs[i].run.ended, world->now);
		assert_int_equal(world->runs[i].run.network, store ? 100 : 200);
		assert_false(world->runs[i].run.partial);
	}
	/* The next request on that connection, in the same task; the other one goes on. */
	one = request_at(world, 9, "GET /three", AT(.stack = 5));
	call_at(world, AT(.stack = 2, .task = 0xb0));
	call_at(world, AT(.stack = 1, .task = 0xa0));
	answer_at(world, one, AT(.stack = 4, .task = 0xa0));
	answer_at(world, two, AT(.stack = 4, .task = 0xb0));
	assert_int_equal(world->run_count, 4);
	assert_run(world, 2, "api.search", RUN_BY_REQUEST, 1, true);
	assert_string_equal(world->runs[2].route, "GET /three");
	assert_run(world, 3, "api.search", RUN_BY_REQUEST, 2, true);
	assert_string_equal(world->runs[3].route, "GET /two");
	assert_int_equal(world->requests_with_run, 3);
}

/* What a task did before the request came is none of it; and what it does after the response is not, either. */
static void before_and_after_a_request(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_aiohttp(world);
	request = request_at(world, 20, "GET /first", AT(.stack = 5)); /* the target is a server */
	call_at(world, AT(.stack = 1, .task = 0xa0));
	answer_at(world, request, AT(.stack = 5));
	request = request_at(world, 9, "GET /", AT(.stack = 5));
	call_at(world, AT(.stack = 6, .task = 0xa0));
	answer_at(world, request, AT(.stack = 4, .task = 0xa0));
	call_at(world, AT(.stack = 2, .task = 0xa0));
	flush(world);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "api.search", RUN_BY_CALLS, 1, true);
	assert_run(world, 1, "api.store", RUN_BY_REQUEST, 1, true);
	assert_run(world, 2, "api.search", RUN_BY_CALLS, 1, true);
}

/* An answer to what was asked before we came: when the work for it began is not known, so no run is measured by it. */
static void a_request_that_was_not_seen(void **state)
{
	struct world *world = *state;
	struct call *call = calloc(1, sizeof(*call));

	PLAIN(world, 1, MAIN, BEFORE, WORKER, INSIDE, FLASK, BEFORE, VIEW, BEFORE, REDIS, BEFORE);
	world->now += 10;
	call->kind = CALL_REQUEST;
	call->protocol = "http";
	call->owner = (struct call_owner){.pid = PID, .tid = TID};
	world->calls.began(world->calls.context, call);
	call->in_first = world->now;
	call_at(world, AT(.stack = 1));
	end_request(world, call);
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_true(world->runs[0].run.began > 1000);
}

/* A child in which a dispatcher has called an endpoint: that is whose calls they are, for the request of the giver. */
static void a_child_with_an_endpoint_of_its_own(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_uvicorn(world);
	LOOP(world, 8, RUN_ASGI, BEFORE | ROOT, STORE, BEFORE | GENERATOR, GATHER, INSIDE); /* middleware */
	LOOP(world, 9, RUN_ASGI, BEFORE | ROOT, STORE, AFTER | GENERATOR, CLIENT, BEFORE);
	request = request_at(world, 9, "GET /", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 8, .task = 0xa0));
	call_at(world, AT(.stack = 3, .task = 0xa1));
	hand_over(world, NT_HANDOVER_TASK, 0xa2, AT(.stack = 7, .task = 0xa1));
	call_at(world, AT(.stack = 6, .task = 0xa2)); /* the child's child is the endpoint's */
	call_at(world, AT(.stack = 9, .task = 0xa0));
	answer_at(world, request, AT(.stack = 5, .task = 0xa0));
	flush(world);
	assert_int_equal(world->run_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool store = strcmp(world->runs[i].run.endpoint->name, "api.search") != 0;

		assert_run(world, i, store ? "api.store" : "api.search", RUN_BY_REQUEST, store ? 1 : 2, true);
		assert_string_equal(world->runs[i].route, "GET /");
	}
}

/* The thread of a pool does work for a request. */
static void a_pools_work_for_a_request(void **state)
{
	struct world *world = *state;
	struct call *request;
	uint64_t answered;

	stacks_of_uvicorn(world);
	PLAIN(world, 10, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, POOL, INSIDE, ITEM, BEFORE, HELPER, BEFORE, REDIS,
	      BEFORE);
	request = request_at(world, 9, "GET /", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	hand_over(world, NT_HANDOVER_ITEM, 0x770, AT(.stack = 7, .task = 0xa0));
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770));
	answer_at(world, request, AT(.stack = 5, .task = 0xa0));
	answered = world->now;
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770));
	assert_string_equal(last_endpoint(world), "api.search"); /* it goes on behind the response */
	flush(world);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_REQUEST, 2, true);
	assert_int_equal(world->runs[0].run.ended, answered);
}

/* anyio's threads are the pieces of work themselves: each time that one is taken, what it does is another request's. */
static void anyios_threads(void **state)
{
	struct world *world = *state;
	struct call *first, *second;
	struct nt_stack_note note;

	stacks_of_uvicorn(world);
	PLAIN(world, 10, BOOTSTRAP, BEFORE | FROM_C, THREAD, BEFORE, ANYIO, BEFORE, HELPER, BEFORE, REDIS, BEFORE);
	assert_true(note_of(world, PID, 10, &note));
	assert_int_equal(note.carrier, 3);
	first = request_at(world, 9, "GET /first", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	second = request_at(world, 10, "GET /second", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xb0, AT(.stack = 2));
	hand_over(world, NT_HANDOVER_THREAD, 80, AT(.stack = 7, .task = 0xa0));
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770)); /* nobody is known to have taken it */
	hand_over(world, NT_HANDOVER_ITEM, 0x770, AT(.stack = 7, .task = 0xa0));
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770));
	hand_over(world, NT_HANDOVER_ITEM, 0x770, AT(.stack = 7, .task = 0xb0));
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770));
	call_at(world, AT(.stack = 10, .tid = 80, .item = 0x770));
	answer_at(world, first, AT(.stack = 5, .task = 0xa0));
	answer_at(world, second, AT(.stack = 5, .task = 0xb0));
	flush(world);
	assert_int_equal(count_runs(world, "job.helper", RUN_BY_REQUEST, 1), 1);
	assert_int_equal(count_runs(world, "job.helper", RUN_BY_REQUEST, 2), 1);
	assert_int_equal(count_runs(world, "job.helper", RUN_BY_CALLS, 1), 1);
	assert_int_equal(world->run_count, 3);
}

/* What was under way when the capture began is cut: nothing told of its task, and others are told of with their
 * request. */
static void a_request_from_before(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_uvicorn(world);
	call_at(world, AT(.stack = 3, .task = 0xf0));
	call_at(world, AT(.stack = 6, .task = 0xe0)); /* no request's, so it may be whole */
	request = request_at(world, 9, "GET /one", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	call_at(world, AT(.stack = 3, .task = 0xa0));
	call_at(world, AT(.stack = 4, .task = 0xf0));
	answer_at(world, request, AT(.stack = 5, .task = 0xa0));
	call_at(world, AT(.stack = 3, .task = 0xf0, .callers = 1)); /* the task goes on with another one */
	flush(world);
	assert_int_equal(world->run_count, 4);
	assert_int_equal(count_partial(world), 1);
	for (unsigned i = 0; i < world->run_count; i++)
		if (world->runs[i].run.partial)
			assert_run(world, i, "api.search", RUN_BY_CALLS, 2, world->runs[i].run.exact);
}

/* Once hand-overs are not told of any more, a task that nothing told of is like any other. */
static void a_request_that_nothing_tells_of(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_uvicorn(world);
	request = request_at(world, 9, "GET /one", AT(.stack = 1));
	hand_over(world, NT_HANDOVER_TASK, 0xa0, AT(.stack = 2));
	call_at(world, AT(.stack = 3, .task = 0xa0));
	answer_at(world, request, AT(.stack = 5, .task = 0xa0));
	run_stage_handovers_end(world->stage);
	call_at(world, AT(.stack = 3, .task = 0xf0));
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_int_equal(count_partial(world), 0);
}

/* A loop with hundreds of requests under way. */
static void many_requests_on_a_loop(void **state)
{
	enum { MANY = 500 };
	struct world *world = *state;
	struct call *requests[MANY];

	stacks_of_uvicorn(world);
	for (uint64_t i = 0; i < MANY; i++) {
		char operation[32];

		snprintf(operation, sizeof(operation), "GET /%u", (unsigned)i);
		requests[i] = request_at(world, 100 + i, operation, AT(.stack = 1));
		hand_over(world, NT_HANDOVER_TASK, 0x10000 + i, AT(.stack = 2));
	}
	for (uint64_t i = 0; i < 2 * MANY; i++)
		call_at(world, AT(.stack = 3 + i / MANY, .task = 0x10000 + i % MANY));
	for (uint64_t i = 0; i < MANY; i++)
		answer_at(world, requests[i], AT(.stack = 5, .task = 0x10000 + i));
	assert_int_equal(world->run_count, MANY);
	assert_int_equal(world->requests_with_run, MANY);
	assert_int_equal(world->calls_in_runs, 2 * MANY);
	for (unsigned i = 0; i < MAX_SEEN; i++) {
		char route[32];

		snprintf(route, sizeof(route), "GET /%u", i);
		assert_run(world, i, "api.search", RUN_BY_REQUEST, 2, true);
		assert_string_equal(world->runs[i].route, route);
	}
}

#define SERVERS 20   /* tasks, a connection each */
#define ASKED 60     /* requests; fewer where the world has no room for more runs */
#define MOST_CALLS 8 /* of a request: as many runs by calls can wait for its response */

/* What a task is at: a request, and how many calls of each of two endpoints it has made for that. */
struct serving {
	struct call *request;
	unsigned calls[2];
};

/* In whatever order tasks are asked, call and answer: each request has the runs and calls that its task made for it. */
static void tasks_in_any_order(void **state)
{
	struct world *world = *state;
	struct serving servers[SERVERS] = {{0}};
	unsigned expected[2][MOST_CALLS + 1] = {{0}}, asked = 0, answered = 0;

	stacks_of_aiohttp(world);
	while (answered < ASKED) {
		unsigned number = (unsigned)test_random_below(SERVERS);
		struct serving *server = &servers[number];
		uint64_t task = 0x1000 * (number + 1), connection = 100 + number, place = 1 + test_random_below(4);
		bool store = place == 4; /* its stack is 6 */

		if (!server->request) {
			if (asked < ASKED / 2 || (asked < ASKED && test_random_below(2))) {
				server->request = request_at(world, connection, "GET /", AT(.stack = 5));
				asked++;
			}
		} else if (server->calls[0] + server->calls[1] < MOST_CALLS && test_random_below(4)) {
			call_at(world, AT(.stack = store ? 6 : place, .task = task, .frame = 1 + test_random_below(2)));
			server->calls[store]++;
		} else {
			answer_at(world, server->request, AT(.stack = 4, .task = task));
			expected[0][server->calls[0]]++;
			expected[1][server->calls[1]]++;
			*server = (struct serving){0};
			answered++;
		}
		if (world->run_count >= MAX_SEEN - 2)
			break;
	}
	for (unsigned i = 0; i < SERVERS; i++)
		if (servers[i].request)
			end_request(world, servers[i].request);
	for (unsigned calls = 1; calls <= MOST_CALLS; calls++) {
		unsigned search = 0, stored = 0;

		for (unsigned i = 0; i < world->run_count; i++) {
			const struct run *run = &world->runs[i].run;
			bool store = strcmp(run->endpoint->name, "api.search") != 0;

			if (run->source == RUN_BY_REQUEST && run->calls == calls)
				store ? stored++ : search++;
		}
		assert_int_equal(search, expected[0][calls]);
		assert_int_equal(stored, expected[1][calls]);
	}
}

/* --- greenlets --- */

static void feed_gevent(struct world *world)
{
	for (size_t i = 0; i < sizeof(async_codes) / sizeof(*async_codes); i++)
		if (async_codes[i].address == SERVE)
			feed_code(world, PID, &async_codes[i]);
	PLAIN(world, 1, SERVE, BEFORE, HANDLER, BEFORE, REDIS, BEFORE);
	PLAIN(world, 2, SERVE, BEFORE, HANDLER, AFTER, REDIS, BEFORE);
	PLAIN(world, 3, SERVE, AFTER);
	PLAIN(world, 4, SERVE, BEFORE, FLASK, BEFORE, VIEW, BEFORE, REDIS, BEFORE);
}

static void greenlets_that_take_turns(void **state)
{
	struct world *world = *state;

	feed_gevent(world);
	for (uint64_t stack = 1; stack <= 2; stack++)
		for (uint64_t base = 0x10; base < 0x40; base += 0x10)
			call_at(world, AT(.stack = stack, .base = base));
	flush(world);
	assert_int_equal(world->run_count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_run(world, i, "green.handle", RUN_BY_CALLS, 2, false); /* called from C: who knows how often */
}

static void a_greenlet_reads_a_request(void **state)
{
	struct world *world = *state;
	struct call *one, *two;

	feed_gevent(world);
	one = request_at(world, 9, "GET /one", AT(.stack = 3, .base = 0x10));
	two = request_at(world, 10, "GET /two", AT(.stack = 3, .base = 0x20));
	for (unsigned i = 0; i < 2; i++) {
		call_at(world, AT(.stack = 4, .base = 0x10));
		call_at(world, AT(.stack = 4, .base = 0x20));
	}
	answer_at(world, two, AT(.stack = 3, .base = 0x20));
	answer_at(world, one, AT(.stack = 3, .base = 0x10));
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "views.homepage", RUN_BY_REQUEST, 2, true);
	assert_string_equal(world->runs[0].route, "GET /two");
	assert_run(world, 1, "views.homepage", RUN_BY_REQUEST, 2, true);
	assert_string_equal(world->runs[1].route, "GET /one");
}

/* --- names that the user gives --- */

/* What is named outermost counts: that is who handed over, whatever is named or dispatched inside. */
static void patterns_and_handovers(void **state)
{
	struct world *world = *state;

	assert_int_equal(run_stage_add_pattern(world->stage, "api.*"), 0);
	stacks_of_tasks(world);
	LOOP(world, 5, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	LOOP(world, 6, RUN_ENDPOINT, BEFORE | ROOT, STORE, BEFORE | GENERATOR);
	LOOP(world, 7, RUN_ENDPOINT, BEFORE | ROOT, REDIS, BEFORE | GENERATOR);
	LOOP(world, 8, CLIENT, BEFORE | ROOT, GATHER, INSIDE);
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 5, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xa2, AT(.stack = 5, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xa3, AT(.stack = 5, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xb1, AT(.stack = 8, .task = 0xb0));
	call_at(world, AT(.stack = 3, .task = 0xa1));
	assert_string_equal(last_endpoint(world), "api.search");
	call_at(world, AT(.stack = 6, .task = 0xa2));
	assert_string_equal(last_endpoint(world), "api.search");
	call_at(world, AT(.stack = 7, .task = 0xa3)); /* nothing named on it */
	assert_string_equal(last_endpoint(world), "api.search");
	call_at(world, AT(.stack = 3, .task = 0xb1)); /* its giver has no endpoint */
	assert_string_equal(last_endpoint(world), "api.fetch");
	call_at(world, AT(.stack = 7, .task = 0xb2));
	assert_string_equal(last_endpoint(world), "none");
	flush(world);
	assert_int_equal(world->run_count, 2);
	assert_int_equal(count_runs(world, "api.search", RUN_BY_CALLS, 3), 1);
	assert_int_equal(count_runs(world, "api.fetch", RUN_BY_CALLS, 1), 1);
}

/* --- bounds --- */

static void handovers_are_bounded(void **state)
{
	struct world *world = *state;

	stacks_of_tasks(world);
	LOOP(world, 5, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	LOOP(world, 6, CLIENT, BEFORE);
	for (uint64_t i = 0; i < 100; i++) /* these tell nothing, and take no place */
		hand_over(world, NT_HANDOVER_TASK, 0x9000000 + i, AT(.stack = 6));
	for (uint64_t i = 0; i < RUN_MAX_ORIGINS + 10; i++)
		hand_over(world, NT_HANDOVER_TASK, 0x1000000 + i, AT(.stack = 5, .task = 0xa0));
	assert_int_equal(run_stage_stats(world->stage)->handovers_lost, 10);
	call_at(world, AT(.stack = 3, .task = 0x1000000)); /* the oldest were forgotten */
	assert_string_equal(last_endpoint(world), "api.fetch");
	call_at(world, AT(.stack = 3, .task = 0x1000000 + 10));
	assert_string_equal(last_endpoint(world), "api.search");
	hand_over(world, NT_HANDOVER_TASK, 0x1000000 + 11, AT(.stack = 6)); /* void */
	call_at(world, AT(.stack = 3, .task = 0x1000000 + 11));
	assert_string_equal(last_endpoint(world), "api.fetch");
	flush(world);
}

/* Of threads that were started by runs that are over, forgetting is no loss. */
static void what_is_of_no_use_is_no_loss(void **state)
{
	struct world *world = *state;

	stacks_of_a_pool(world);
	for (uint32_t i = 0; i < RUN_MAX_ORIGINS + 10; i++)
		hand_over(world, NT_HANDOVER_THREAD, 1000 + i, AT(.stack = 1, .callers = i));
	assert_int_equal(run_stage_stats(world->stage)->handovers_lost, 0);
	flush(world);
	assert_int_equal(world->run_count, 0);
}

static void runs_that_wait_for_a_response_are_bounded(void **state)
{
	struct world *world = *state;
	struct call *request;

	stacks_of_aiohttp(world);
	request = request_at(world, 9, "GET /", AT(.stack = 5));
	for (uint32_t i = 0; i < 20; i++)
		call_at(world, AT(.stack = 1, .task = 0xa0, .callers = i));
	assert_int_equal(world->run_count, 20 - 1 - 8); /* one is open */
	answer_at(world, request, AT(.stack = 4, .task = 0xa0));
	assert_int_equal(world->run_count, 12);
	assert_run(world, 11, "api.search", RUN_BY_REQUEST, 9, true);
	assert_int_equal(world->calls_in_runs, 20);
}

/* --- by entry and return --- */

/* What a probe tells of a coroutine's or generator's function. */
static void pass(struct world *world, uint64_t code, uint64_t frame, uint64_t task, enum nt_passage passage)
{
	world->now += 10;
	record_function(&world->record, world->now, PID, TID, code, HANDLE, frame, false);
	world->record.function.coroutine = task;
	world->record.function.generator = 1;
	world->record.function.passage = passage;
	feed(world);
}

static void stacks_of_coroutines(struct world *world)
{
	assert_int_equal(run_stage_add_pattern(world->stage, "api.*"), 0);
	assert_int_equal(run_stage_add_pattern(world->stage, "old.lines"), 0);
	LOOP(world, 1, SEARCH, BEFORE | ROOT, CLIENT, BEFORE | GENERATOR);
	LOOP(world, 2, SEARCH, AFTER | ROOT, CLIENT, BEFORE | GENERATOR);
	PLAIN(world, 3, MAIN, BEFORE, LEGACY, BEFORE | GENERATOR, REDIS, BEFORE);
	PLAIN(world, 4, MAIN, AFTER, JOB, BEFORE, REDIS, BEFORE);
}

/* The run lasts from the first entry to the last return, however often it waits. */
static void waiting_is_in_the_run(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	pass(world, SEARCH, 0xa0, 0xa0, NT_ENTERED); /* at 1010 */
	call_at(world, AT(.stack = 1, .task = 0xa0, .frame = 0xa0));
	pass(world, SEARCH, 0xa0, 0xa0, NT_SUSPENDED);
	world->now += 5000;
	pass(world, SEARCH, 0xa0, 0xa0, NT_RESUMED);
	call_at(world, AT(.stack = 2, .task = 0xa0, .frame = 0xa0));
	assert_int_equal(world->run_count, 0);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RETURNED);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_USDT, 2, true);
	assert_int_equal(world->runs[0].run.began, 1010);
	assert_int_equal(world->runs[0].run.ended, world->now);
	assert_false(world->runs[0].run.timed);
}

/* Two tasks of one function on one thread: each call is its own task's. One makes none at all. */
static void coroutines_that_take_turns(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	for (uint64_t task = 0xa0; task <= 0xa2; task++) {
		pass(world, SEARCH, task, task, NT_ENTERED);
		pass(world, SEARCH, task, task, NT_SUSPENDED);
	}
	pass(world, SEARCH, 0xa1, 0xa1, NT_RESUMED);
	call_at(world, AT(.stack = 1, .task = 0xa1, .frame = 0xa1));
	pass(world, SEARCH, 0xa1, 0xa1, NT_SUSPENDED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RESUMED);
	call_at(world, AT(.stack = 1, .task = 0xa0, .frame = 0xa0));
	call_at(world, AT(.stack = 2, .task = 0xa0, .frame = 0xa0));
	for (uint64_t task = 0xa0; task <= 0xa2; task++)
		pass(world, SEARCH, task, task, NT_RETURNED);
	assert_int_equal(world->run_count, 3);
	assert_run(world, 0, "api.search", RUN_BY_USDT, 2, true);
	assert_run(world, 1, "api.search", RUN_BY_USDT, 1, true);
	assert_run(world, 2, "api.search", RUN_BY_USDT, 0, true);
}

/* 3.15 tells nothing of an exception that is thrown into what waits: it goes on, or is over, all the same. */
static void a_coroutine_that_is_thrown_into(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	pass(world, SEARCH, 0xa0, 0xa0, NT_ENTERED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_SUSPENDED);
	call_at(world, AT(.stack = 1, .task = 0xa0, .frame = 0xa0)); /* it caught it */
	pass(world, SEARCH, 0xa0, 0xa0, NT_SUSPENDED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RETURNED); /* and this one not */
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_USDT, 1, true);
}

/* Closed without a word, as 3.13 and later do where nothing would catch it: the next one at the address says so. */
static void a_coroutine_that_is_forgotten(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	pass(world, SEARCH, 0xa0, 0xa0, NT_ENTERED);
	call_at(world, AT(.stack = 1, .task = 0xa0, .frame = 0xa0));
	pass(world, SEARCH, 0xa0, 0xa0, NT_SUSPENDED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_ENTERED);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_USDT, 1, false);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RETURNED);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "api.search", RUN_BY_USDT, 0, true);
	pass(world, FETCH, 0xb0, 0xb0, NT_RESUMED); /* begun before the capture */
	pass(world, FETCH, 0xb0, 0xb0, NT_RETURNED);
	assert_int_equal(world->run_count, 2);
}

/* A coroutine within another one: both wait at once, and the inner one is a part of the outer one's run. */
static void coroutines_that_await_each_other(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	LOOP(world, 5, SEARCH, BEFORE | ROOT, FETCH, BEFORE | GENERATOR, CLIENT, BEFORE | GENERATOR);
	pass(world, SEARCH, 0xa0, 0xa0, NT_ENTERED);
	pass(world, FETCH, 0xb0, 0xa0, NT_ENTERED);
	pass(world, FETCH, 0xb0, 0xa0, NT_SUSPENDED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_SUSPENDED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RESUMED);
	pass(world, FETCH, 0xb0, 0xa0, NT_RESUMED);
	call_at(world, AT(.stack = 5, .task = 0xa0, .frame = 0xa0));
	pass(world, FETCH, 0xb0, 0xa0, NT_RETURNED);
	pass(world, SEARCH, 0xa0, 0xa0, NT_RETURNED);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "api.search", RUN_BY_USDT, 1, true);
}

/* A plain generator waits on its thread's own lane: what is called meanwhile is not inside of it. */
static void a_generator_that_waits_is_around_nothing(void **state)
{
	struct world *world = *state;

	assert_int_equal(run_stage_add_pattern(world->stage, "job.job"), 0);
	stacks_of_coroutines(world);
	pass(world, LEGACY, 0xc0, 0, NT_ENTERED);
	call_at(world, AT(.stack = 3, .frame = 0xc0));
	pass(world, LEGACY, 0xc0, 0, NT_SUSPENDED);
	function(world, TID, JOB, MAIN, 0x100, false);
	call_at(world, AT(.stack = 4, .frame = 0x100));
	function(world, TID, JOB, MAIN, 0x100, true);
	assert_int_equal(world->run_count, 1);
	assert_run(world, 0, "job.job", RUN_BY_USDT, 1, true);
	pass(world, LEGACY, 0xc0, 0, NT_RESUMED);
	call_at(world, AT(.stack = 3, .frame = 0xc0));
	pass(world, LEGACY, 0xc0, 0, NT_RETURNED);
	assert_int_equal(world->run_count, 2);
	assert_run(world, 1, "old.lines", RUN_BY_USDT, 2, true);
}

/* Generators that nobody goes on with are given up for others in the end. */
static void generators_that_are_left_are_bounded(void **state)
{
	struct world *world = *state;

	stacks_of_coroutines(world);
	for (uint64_t frame = 1; frame <= 40; frame++) {
		pass(world, LEGACY, frame << 8, 0, NT_ENTERED);
		call_at(world, AT(.stack = 3, .frame = frame << 8));
		pass(world, LEGACY, frame << 8, 0, NT_SUSPENDED);
	}
	assert_int_equal(world->run_count, 40 - 16);
	assert_run(world, 0, "old.lines", RUN_BY_USDT, 1, false);
	assert_int_equal(world->calls_in_runs, 40 - 16);
	flush(world);
	assert_int_equal(world->run_count, 40);
}

/* The same view in two greenlets, which take turns on a thread with frames that are not a generator's. */
static void views_in_greenlets(void **state)
{
	struct world *world = *state;

	assert_int_equal(run_stage_add_pattern(world->stage, "green.handle"), 0);
	stacks_of_coroutines(world);
	feed_code(world, PID, &async_codes[sizeof(async_codes) / sizeof(*async_codes) - 2]); /* gevent's */
	PLAIN(world, 6, SERVE, BEFORE, HANDLER, BEFORE, REDIS, BEFORE);
	for (uint64_t base = 0xd0; base <= 0xd1; base++) {
		record_function(&world->record, world->now += 10, PID, TID, HANDLER, SERVE, base << 8, false);
		world->record.function.base = base;
		feed(world);
	}
	call_at(world, AT(.stack = 6, .base = 0xd0, .frame = 0xd000));
	call_at(world, AT(.stack = 6, .base = 0xd1, .frame = 0xd100));
	call_at(world, AT(.stack = 6, .base = 0xd0, .frame = 0xd000));
	for (uint64_t base = 0xd0; base <= 0xd1; base++) {
		record_function(&world->record, world->now += 10, PID, TID, HANDLER, SERVE, base << 8, true);
		world->record.function.base = base;
		feed(world);
	}
	assert_int_equal(world->run_count, 2);
	assert_run(world, 0, "green.handle", RUN_BY_USDT, 2, true);
	assert_run(world, 1, "green.handle", RUN_BY_USDT, 1, true);
}

/* Lanes that did nothing for long make room, also where no interval ends. */
static void lanes_are_bounded(void **state)
{
	struct world *world = *state;

	stacks_of_tasks(world);
	for (uint64_t i = 0; i < 3 * 65536; i++) {
		world->now += 1000000;
		call_at(world, AT(.stack = 1, .task = 0x1000000 + i));
	}
	assert_int_equal(run_stage_stats(world->stage)->runs_refused, 0);
	flush(world);
	assert_int_equal(world->run_count, 3 * 65536);
}

static void too_many_at_once(void **state)
{
	struct world *world = *state;

	stacks_of_tasks(world);
	for (uint64_t i = 0; i < RUN_MAX_OPEN + 5; i++)
		call_at(world, AT(.stack = 1, .task = 0x1000000 + i));
	assert_int_equal(run_stage_stats(world->stage)->runs_refused, 5);
	assert_int_equal(world->called[0].reason, RUN_NO_ENDPOINT);
	flush(world);
	assert_int_equal(world->run_count, RUN_MAX_OPEN);
}

/* The stage goes with everything open (the sanitizer looks for leaks), and processes go with it. */
static void everything_is_open(void **state)
{
	struct world *world = *state;
	struct call *calls[4];

	feed_gevent(world);
	stacks_of_aiohttp(world);
	LOOP(world, 7, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	calls[0] = request_at(world, 9, "GET /", AT(.stack = 5));
	calls[1] = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 1, .task = 0xa0)); /* the one before waits for a response */
	calls[2] = request_at(world, 10, "GET /", AT(.stack = 1, .task = 0xb0));
	calls[3] = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 1, .task = 0xb0));
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 7, .task = 0xa0));
	hand_over(world, NT_HANDOVER_ITEM, 0xa1, AT(.stack = 7, .task = 0xa0));
	function(world, TID, JOB, MAIN, 0x100, false);
	run_stage_free(world->stage);
	world->stage = NULL;
	for (unsigned i = 0; i < 4; i++)
		free(calls[i]);
}

static void a_process_goes_with_its_lanes(void **state)
{
	struct world *world = *state;
	struct call *request, *call;

	stacks_of_aiohttp(world);
	LOOP(world, 7, SEARCH, INSIDE | ROOT, GATHER, INSIDE);
	request = request_at(world, 9, "GET /", AT(.stack = 5));
	call = begin_at(world, CALL_EXCHANGE, 1, AT(.stack = 1, .task = 0xa0));
	call_at(world, AT(.stack = 1, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 7, .task = 0xa0));
	record_begin(&world->record, NT_EXIT, sizeof(struct nt_head), world->now, PID);
	feed(world);
	assert_int_equal(world->run_count, 1);
	end_call(world, call);
	assert_int_equal(world->run_count, 2);
	answer_at(world, request, AT(.stack = 4, .task = 0xa0));
	hand_over(world, NT_HANDOVER_TASK, 0xa1, AT(.stack = 7, .task = 0xa0)); /* of a process that is not known */
	assert_int_equal(world->request_count, 1);
	assert_int_equal(world->requests_with_run, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_lanes, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(tasks_that_take_turns),
	    TEST(a_coroutines_address_is_used_again),
	    TEST(a_task_whose_address_is_its_givers),
	    TEST(a_task_that_is_gone),
	    TEST(runs_in_one_task),
	    TEST(a_generator_is_no_task),
	    TEST(gather),
	    TEST(only_who_calls_has_a_run),
	    TEST(a_task_outlives_its_run),
	    TEST(a_pools_work),
	    TEST(a_thread_that_a_run_starts),
	    TEST(a_thread_with_the_id_of_another),
	    TEST(a_chain_of_coroutines),
	    TEST(no_chain_where_patterns_decide),
	    TEST(a_task_for_what_was_read),
	    TEST(a_loop_does_other_things),
	    TEST(a_loop_for_one_request),
	    TEST(a_loop_that_is_not_seen),
	    TEST(a_protocol_that_answers_at_once),
	    TEST(a_task_that_sends_the_response),
	    TEST(before_and_after_a_request),
	    TEST(a_request_that_was_not_seen),
	    TEST(a_child_with_an_endpoint_of_its_own),
	    TEST(a_pools_work_for_a_request),
	    TEST(anyios_threads),
	    TEST(a_request_from_before),
	    TEST(a_request_that_nothing_tells_of),
	    TEST(many_requests_on_a_loop),
	    TEST(tasks_in_any_order),
	    TEST(greenlets_that_take_turns),
	    TEST(a_greenlet_reads_a_request),
	    TEST(patterns_and_handovers),
	    TEST(handovers_are_bounded),
	    TEST(what_is_of_no_use_is_no_loss),
	    TEST(runs_that_wait_for_a_response_are_bounded),
	    TEST(waiting_is_in_the_run),
	    TEST(coroutines_that_take_turns),
	    TEST(a_coroutine_that_is_thrown_into),
	    TEST(a_coroutine_that_is_forgotten),
	    TEST(coroutines_that_await_each_other),
	    TEST(a_generator_that_waits_is_around_nothing),
	    TEST(generators_that_are_left_are_bounded),
	    TEST(views_in_greenlets),
	    TEST(lanes_are_bounded),
	    TEST(too_many_at_once),
	    TEST(everything_is_open),
	    TEST(a_process_goes_with_its_lanes),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
