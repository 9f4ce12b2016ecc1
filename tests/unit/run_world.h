/*
 * run_world.h: a run stage with a process whose code objects it knows, fed with records and calls made by hand; what
 * its sink was told is kept. For the tests of runs: test_run.c, test_lanes.c.
 */
#ifndef NT_TEST_RUN_WORLD_H
#define NT_TEST_RUN_WORLD_H

#include "test.h"

#include <stdbool.h>

#include "../../daemon/run/run.h"
#include "stacks.h"

#define PID 7
#define TID 70
#define DIST "/usr/lib/python3/dist-packages/"
#define MAX_SEEN 64

/* Code of 3.11: 100 units of NOP. */
#define UNITS 100
enum { NOP = 9, CALL_FUNCTION_EX = 142, FOR_ITER = 93, STORE_FAST = 125, JUMP_BACKWARD = 140 };

/* Places in it, in bytes: before, in and after the loop that loop_code and for_code have from 20 to 60. */
enum { BEFORE = 10, INSIDE = 30, INSIDE_TOO = 40, AFTER = 80, LATER = 90 };

/* Added to a place: C code entered the frame, or a generator owns it. */
#define FROM_C (UINT64_C(1) << 32)
#define GENERATOR (UINT64_C(1) << 33)

static uint8_t straight_code[2 * UNITS], loop_code[2 * UNITS], for_code[2 * UNITS], star_code[2 * UNITS];

/* Addresses of code objects. */
enum {
	MAIN = 0x1000,	/* __main__'s body */
	JOB = 0x2000,	/* a function of the application's own, straight */
	LOOPS = 0x3000, /* one with a loop in it */
	HELPER = 0x4000,
	REDIS = 0x5000,
	FLASK = 0x6000,
	VIEW = 0x7000,
	WORKER = 0x8000,
	MIDDLEWARE = 0x9000,
	FOREVER = 0xa000, /* calls in a `while` */
	EACH = 0xb000,	  /* calls in a `for` */
	HOOK = 0xc000,
	STATIC = 0xd000,  /* a package's view */
	WRAPPER = 0xe000, /* calls its function with *args, at BEFORE */
	THREAD = 0xf000,
	BOOTSTRAP = 0x10000,
	DECORATOR = 0x11000, /* of the application's own */
	STREAM = 0x12000,    /* likewise, a generator */
};

static const struct test_code codes[] = {
    {MAIN, "/srv/job.py", "<module>", straight_code, sizeof(straight_code), 0, 0},
    {JOB, "/srv/job.py", "job", straight_code, sizeof(straight_code), 0, 0},
    {LOOPS, "/srv/job.py", "loops", loop_code, sizeof(loop_code), 0, 0},
    {HELPER, "/srv/job.py", "helper", straight_code, sizeof(straight_code), 0, 0},
    {REDIS, DIST "redis/client.py", "Redis.get", straight_code, sizeof(straight_code), 0, 0},
    {FLASK, DIST "flask/app.py", "Flask.dispatch_request", straight_code, sizeof(straight_code), 0, 0},
    {VIEW, "/srv/shop/views.py", "homepage", straight_code, sizeof(straight_code), 0, 0},
    {WORKER, DIST "gunicorn/workers/sync.py", "SyncWorker.handle_request", loop_code, sizeof(loop_code), 0, 0},
    {MIDDLEWARE, "/srv/shop/middleware.py", "timing", straight_code, sizeof(straight_code), 0, 0},
    {FOREVER, DIST "pool/worker.py", "forever", loop_code, sizeof(loop_code), 0, 0},
    {EACH, DIST "pool/worker.py", "each", for_code, sizeof(for_code), 0, 0},
    {HOOK, "/srv/shop/hooks.py", "before", straight_code, sizeof(straight_code), 0, 0},
    {STATIC, DIST "flask/app.py", "Flask.send_static_file", straight_code, sizeof(straight_code), 0, 0},
    {WRAPPER, DIST "wrapper.py", "wrapper", star_code, sizeof(star_code), 0, 0},
    {THREAD, "/usr/lib/python3.11/threading.py", "Thread.run", loop_code, sizeof(loop_code), 0, 0},
    {BOOTSTRAP, "/usr/lib/python3.11/threading.py", "Thread._bootstrap", straight_code, sizeof(straight_code), 0, 0},
    {DECORATOR, "/srv/shop/auth.py", "login.<locals>.wrapper", star_code, sizeof(star_code), 0, 0x1c},
    {STREAM, "/srv/shop/views.py", "stream", straight_code, sizeof(straight_code), 0, 0x20},
};

/* What the sink was told. */
struct seen_run {
	struct run run;
	char route[64];
};

struct seen_call {
	const struct call *call;
	const char *endpoint; /* NULL: none */
	const char *site;
	enum run_reason reason;
};

struct world {
	struct run_stage *stage;
	struct call_sink calls;
	uint64_t now;
	unsigned run_count, call_count, request_count, requests_with_run;
	struct seen_run runs[MAX_SEEN]; /* the last ones, as long as there is room */
	struct seen_call called[MAX_SEEN];
	uint64_t calls_in_runs, connects_in_runs;
	union record record;
};

static inline void take_called(void *context, const struct call *call, const struct run_endpoint *endpoint,
			       const struct run_site *site, enum run_reason reason)
{
	struct world *world = context;

	if (world->call_count < MAX_SEEN)
		world->called[world->call_count] =
		    (struct seen_call){call, endpoint ? endpoint->name : NULL, site ? site->function : NULL, reason};
	world->call_count++;
}

static inline void take_ran(void *context, const struct run *run)
{
	struct world *world = context;

	assert_non_null(run->endpoint);
	assert_true(run->ended >= run->began);
	if (run->source == RUN_BY_CALLS)
		assert_true(run->network <= run->ended - run->began);
	world->calls_in_runs += run->calls;
	world->connects_in_runs += run->connects;
	if (world->run_count < MAX_SEEN) {
		world->runs[world->run_count].run = *run;
		snprintf(world->runs[world->run_count].route, 64, "%s", run->route ? run->route : "");
	}
	world->run_count++;
}

static inline void take_requested(void *context, const struct call *request, bool had_run)
{
	struct world *world = context;

	assert_int_equal(request->kind, CALL_REQUEST);
	world->request_count++;
	world->requests_with_run += had_run;
}

static inline void feed(struct world *world)
{
	assert_int_equal(run_stage_feed(world->stage, &world->record.head), 0);
}

static inline void feed_code(struct world *world, uint32_t pid, const struct test_code *code)
{
	record_test_code(&world->record, world->now, pid, code);
	feed(world);
}

static inline void feed_process(struct world *world, uint32_t pid)
{
	record_process(&world->record, world->now, pid, "python3");
	feed(world);
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		feed_code(world, pid, &codes[i]);
}

static inline int begin(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct run_sink sink = {.context = world, .called = take_called, .ran = take_ran, .requested = take_requested};

	for (int i = 0; i < UNITS; i++)
		straight_code[2 * i] = loop_code[2 * i] = for_code[2 * i] = star_code[2 * i] = NOP;
	star_code[BEFORE] = CALL_FUNCTION_EX;
	loop_code[60] = for_code[60] = JUMP_BACKWARD;
	loop_code[61] = for_code[61] = 30 + 1 - 10;
	for_code[20] = FOR_ITER;
	for_code[22] = STORE_FAST;
	world->stage = run_stage_new(&sink);
	world->calls = run_stage_sink(world->stage);
	world->now = 1000;
	feed_process(world, PID);
	*state = world;
	return 0;
}

static inline int end(void **state)
{
	struct world *world = *state;

	run_stage_free(world->stage);
	free(world);
	return 0;
}

/* A stack from its outermost frame on: pairs of code and instruction, ended by 0. Its id tells it from the others. */
#define STACK(world, pid, id, ...) feed_stack(world, pid, id, (const uint64_t[]){__VA_ARGS__, 0})

static inline void feed_stack(struct world *world, uint32_t pid, uint64_t id, const uint64_t *frames)
{
	struct nt_frame list[NT_MAX_FRAMES] = {0};
	unsigned depth = 0;

	while (frames[2 * depth])
		depth++;
	for (unsigned i = 0; i < depth; i++) {
		list[depth - 1 - i].code = frames[2 * i];
		list[depth - 1 - i].instruction = (uint32_t)frames[2 * i + 1];
		list[depth - 1 - i].from_c = frames[2 * i + 1] & FROM_C ? 1 : 0;
		list[depth - 1 - i].owner = frames[2 * i + 1] & GENERATOR ? 1 : 0;
	}
	record_frames(&world->record, world->now, pid, id, list, depth);
	feed(world);
}

/* Where a call comes from. `caller`: the state of every frame. */
struct from {
	uint32_t pid, tid;
	uint64_t stack;
	uint8_t depth;
	uint32_t caller;
	uint64_t connection;
};

/* A call of who the owner says. */
static inline struct call *begin_owned(struct world *world, enum call_kind kind, uint64_t connection,
				       const struct call_owner *owner)
{
	struct call *call = calloc(1, sizeof(*call));

	world->now += 10;
	call->kind = kind;
	call->connection = connection;
	call->protocol = "tcp";
	call->owner = *owner;
	call->owner.time = world->now;
	call->out_first = call->out_last = world->now;
	call->round_trip = true;
	world->calls.began(world->calls.context, call);
	call->owner.states = NULL;
	call->owner.places = NULL;
	return call;
}

static inline struct call *begin_kind(struct world *world, enum call_kind kind, struct from from)
{
	uint32_t states[NT_MAX_FRAMES];
	struct call_owner owner = {.pid = from.pid,
				   .tid = from.tid,
				   .stack = from.stack,
				   .walk = NT_WALK_OK,
				   .state_count = from.depth,
				   .states = states};

	for (int i = 0; i < from.depth; i++)
		states[i] = from.caller;
	return begin_owned(world, kind, from.connection, &owner);
}

static inline struct call *begin_call(struct world *world, struct from from)
{
	return begin_kind(world, CALL_EXCHANGE, from);
}

/* Answered after 100 ns. */
static inline void end_call(struct world *world, struct call *call)
{
	world->now += 100;
	call->in_first = call->in_last = world->now;
	call->answered = true;
	world->calls.ended(world->calls.context, call);
	free(call);
}

static inline void do_call(struct world *world, struct from from)
{
	end_call(world, begin_call(world, from));
}

static inline struct call *begin_request(struct world *world, uint32_t tid, uint64_t connection, const char *operation)
{
	struct call *call =
	    begin_kind(world, CALL_REQUEST, (struct from){.pid = PID, .tid = tid, .connection = connection});

	call->out_last = world->now;
	snprintf(call->operation, sizeof(call->operation), "%s", operation);
	world->calls.received(world->calls.context, call);
	return call;
}

static inline void respond(struct world *world, struct call *request)
{
	world->now += 10;
	request->in_first = world->now;
	world->calls.responding(world->calls.context, request);
}

static inline void end_request(struct world *world, struct call *request)
{
	request->in_last = world->now;
	world->calls.ended(world->calls.context, request);
	free(request);
}

static inline void function(struct world *world, uint32_t tid, uint64_t code, uint64_t caller, uint64_t frame,
			    bool returned)
{
	world->now += 10;
	record_function(&world->record, world->now, PID, tid, code, caller, frame, returned);
	feed(world);
}

static inline void flush(struct world *world)
{
	run_stage_flush(world->stage, world->now, true);
}

static inline void assert_run(const struct world *world, unsigned index, const char *endpoint, enum run_source source,
			      unsigned calls, bool exact)
{
	const struct run *run = &world->runs[index].run;

	assert_true(index < world->run_count);
	assert_string_equal(run->endpoint->name, endpoint);
	assert_int_equal(run->source, source);
	assert_int_equal(run->calls, calls);
	assert_int_equal(run->exact, exact);
}

static inline unsigned count_partial(const struct world *world)
{
	unsigned count = 0;

	for (unsigned i = 0; i < world->run_count; i++)
		count += world->runs[i].run.partial;
	return count;
}

/* What the kernel side is told of a stack that came from the first thread. */
static inline bool note_of(struct world *world, uint32_t pid, uint64_t stack, struct nt_stack_note *ret_note)
{
	struct nt_stack record = {.h = {.pid = pid, .tid = TID}, .stack = stack};

	return run_stage_note(world->stage, &record, ret_note);
}

#endif
