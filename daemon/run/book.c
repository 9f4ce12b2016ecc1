/*
 * book.c: the open runs and the calls in them, see stage.h.
 *
 * A run is reported when it is over and all its calls have ended: their ends come in any order, and often after
 * the run's own.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define BOOK_MANY_SPANS (SPANS_MAX / 2)
#define BOOK_MAX_SPARE 256 /* bindings */
#define BOOK_LINGER                                                                                                    \
	UINT64_C(1000000000) /* ns that a run is kept when it is over, for calls that it has handed over               \
			      */

static void end_lingering(struct run_stage *stage, struct open_run *run);

/* The bindings of calls for which there was no memory. */
static struct binding no_memory = {.reason = RUN_WALK_FAILED};

struct open_run *book_open(struct run_stage *stage, enum run_source source, struct lane *lane, uint32_t pid,
			   struct code *code, const struct run_endpoint *endpoint)
{
	struct open_run *run;

	if (stage->run_count >= RUN_MAX_OPEN)
		stage_make_room(stage);
	if (stage->run_count >= RUN_MAX_OPEN && stage->lingering)
		end_lingering(stage, stage->lingering);
	if (stage->run_count >= RUN_MAX_OPEN)
		return NULL;
	run = calloc(1, sizeof(*run));
	if (!run)
		return NULL;
	run->run = (struct run){
	    .endpoint = endpoint,
	    .pid = pid,
	    .tid = lane->tid,
	    .source = source,
	    .exact = true,
	};
	run->alone = !lane->id;
	run->number = ++stage->numbers;
	HASH_ADD(hh, stage->runs_by_number, number, sizeof(run->number), run);
	if (run->refused) {
		free(run);
		return NULL;
	}
	run->code = code_hold(code);
	DL_APPEND(stage->runs, run);
	stage->run_count++;
	return run;
}

struct open_run *book_find(const struct run_stage *stage, uint64_t number)
{
	struct open_run *run;

	HASH_FIND(hh, stage->runs_by_number, &number, sizeof(number), run);
	return run && (!run->over || run->lingers) ? run : NULL;
}

static void run_free(struct run_stage *stage, struct open_run *run)
{
	DL_DELETE(stage->runs, run);
	HASH_DEL(stage->runs_by_number, run);
	stage->run_count--;
	callers_free(stage, run->callers);
	kept_clear(stage, run);
	content_release(run->run.asked);
	code_release(&stage->codes, run->code);
	free(run);
}

static void add_backend(struct run *run, const char *protocol, const struct call_backend *where, uint64_t calls)
{
	size_t i = 0;

	while (i < run->backend_count &&
	       (run->backends[i].protocol != protocol || memcmp(&run->backends[i].where, where, sizeof(*where)) != 0))
		i++;
	if (i == RUN_MAX_BACKENDS)
		return;
	if (i == run->backend_count) {
		run->backends[i] = (struct run_backend){.protocol = protocol, .where = *where};
		run->backend_count++;
	}
	run->backends[i].calls += calls;
}

static void count_call(struct open_run *run, const struct call *call)
{
	if (call->kind == CALL_CONNECT && !call->error) {
		run->run.connects++;
		return;
	}
	run->run.calls++;
	add_backend(&run->run, call->protocol, &call->backend, 1);
	run->run.round_trips += call->round_trip;
	run->run.errors += call->error;
}

/* The last time at which something of the call was seen. */
static uint64_t call_end(const struct call *call)
{
	uint64_t end = call->in_last;

	if (call->in_first > end)
		end = call->in_first;
	if (call->out_last > end)
		end = call->out_last;
	return call->out_first > end ? call->out_first : end;
}

static uint64_t difference(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

/* Is it the account of the run's own thread? Where it says that no CPU was used, the kernel side does not count. */
static bool is_own(const struct open_run *run, const struct call_times *times)
{
	return run->alone && times->tid == run->run.tid && times->spent.cpu;
}

void book_leave_network(struct open_run *run, const struct call_times *times)
{
	if (!is_own(run, times) || run->bindings)
		return;
	run->beside = *times;
	run->run.timed = true;
}

void book_enter_network(struct open_run *run, const struct call_times *times)
{
	struct nt_times *spent = &run->run.spent, *from = &run->beside.spent;

	if (!is_own(run, times) || !run->beside.tid)
		return;
	spent->cpu += difference(from->cpu, times->spent.cpu);
	spent->run_queue += difference(from->run_queue, times->spent.run_queue);
	spent->lock += difference(from->lock, times->spent.lock);
	spent->sleep += difference(from->sleep, times->spent.sleep);
	run->beside.tid = 0;
}

/* The call's part of its run is known: counts it, and its time. */
static void settle_call(struct run_stage *stage, struct open_run *run, const struct binding *binding)
{
	const struct call *call = binding->call;
	uint64_t end = call_end(call);

	count_call(run, call);
	kept_add(stage, run, binding);
	if (binding->late)
		return;
	if (end > run->last)
		run->last = end;
	book_leave_network(run, &call->in_times);
	spans_add(&run->network, call->out_first, end);
	/* Calls of one run begin in order: nothing will come that begins before the oldest open one. */
	if (!run->bindings)
		spans_settle(&run->network, UINT64_MAX);
	else if (run->network.count > BOOK_MANY_SPANS)
		spans_settle(&run->network, run->bindings->call->out_first);
}

static void report(struct run_stage *stage, struct open_run *run)
{
	struct run *out = &run->run;

	if (out->source == RUN_BY_CALLS) {
		out->began = run->first;
		out->ended = run->last;
	} else if (out->source == RUN_BY_REQUEST) {
		if (run->first < out->began)
			out->began = run->first;
		if (run->last > out->ended)
			out->ended = run->last;
	}
	if (out->ended < out->began)
		out->ended = out->began;
	out->network = spans_length(&run->network);
	out->route = *run->route ? run->route : NULL;
	kept_order(run);
	/* It only handed over work, which asked nothing of the network. */
	if (out->calls || out->connects || out->source == RUN_BY_USDT)
		stage->sink.ran(stage->sink.context, out);
	run_free(stage, run);
}

/* Both are of one request, and one's calls come after the other's: the younger one's spans are added as they are. */
void book_merge(struct run_stage *stage, struct open_run *into, struct open_run *from)
{
	struct run *to = &into->run, *more = &from->run;

	while (from->bindings) {
		struct binding *binding = from->bindings;

		DL_DELETE(from->bindings, binding);
		binding->run = into;
		DL_APPEND(into->bindings, binding);
	}
	into->handed |= from->handed;
	into->open_calls += from->open_calls;
	into->open_connects += from->open_connects;
	to->calls += more->calls;
	to->round_trips += more->round_trips;
	to->errors += more->errors;
	to->connects += more->connects;
	for (size_t i = 0; i < more->backend_count; i++)
		add_backend(to, more->backends[i].protocol, &more->backends[i].where, more->backends[i].calls);
	if (from->first && (!into->first || from->first < into->first))
		into->first = from->first;
	if (from->last > into->last)
		into->last = from->last;
	spans_merge(&into->network, &from->network);
	kept_merge(stage, into, from);
	run_free(stage, from);
}

/* Nothing more is waited for. */
static void end_lingering(struct run_stage *stage, struct open_run *run)
{
	DL_DELETE2(stage->lingering, run, linger_prev, linger_next);
	run->lingers = false;
	if (!run->bindings)
		report(stage, run);
}

static void end_old_lingering(struct run_stage *stage, uint64_t before)
{
	while (stage->lingering && stage->lingering->closed < before)
		end_lingering(stage, stage->lingering);
}

void book_close(struct run_stage *stage, struct open_run *run)
{
	run->over = true;
	if (run->handed) {
		end_old_lingering(stage, stage->now > BOOK_LINGER ? stage->now - BOOK_LINGER : 0);
		run->lingers = true;
		run->closed = stage->now;
		DL_APPEND2(stage->lingering, run, linger_prev, linger_next);
	} else if (!run->bindings) {
		report(stage, run);
	}
}

/* Lets go of calls that have not ended, with what is known of them. */
static void release_bindings(struct run_stage *stage, struct open_run *run)
{
	while (run->bindings) {
		struct binding *binding = run->bindings;

		DL_DELETE(run->bindings, binding);
		settle_call(stage, run, binding);
		binding->run = NULL;
		DL_APPEND(stage->loose, binding);
	}
	run->open_calls = 0;
	run->open_connects = 0;
}

void book_flush(struct run_stage *stage, bool at_end)
{
	struct open_run *next;

	end_old_lingering(stage, at_end ? UINT64_MAX : stage->now > BOOK_LINGER ? stage->now - BOOK_LINGER : 0);
	for (struct open_run *run = stage->runs; run; run = next) {
		next = run->next;
		if (!at_end && (!run->over || run->lingers || run->open_calls))
			continue;
		release_bindings(stage, run);
		report(stage, run);
	}
}

/* NULL without memory. */
static struct binding *binding_new(struct run_stage *stage)
{
	struct binding *binding = stage->spare;

	if (!binding)
		return calloc(1, sizeof(*binding));
	stage->spare = binding->next;
	stage->spare_count--;
	*binding = (struct binding){.run = NULL};
	return binding;
}

static void binding_free(struct run_stage *stage, struct binding *binding)
{
	if (stage->spare_count == BOOK_MAX_SPARE) {
		free(binding);
		return;
	}
	binding->next = stage->spare;
	stage->spare = binding;
	stage->spare_count++;
}

struct binding *book_bind(struct run_stage *stage, struct call *call, struct open_run *run,
			  const struct run_endpoint *endpoint, const struct run_site *site, enum run_reason reason)
{
	struct binding *binding = binding_new(stage);

	if (!binding)
		return &no_memory;
	binding->call = call;
	binding->site = site;
	binding->reason = reason;
	binding->run = run;
	binding->endpoint = endpoint;
	if (!run) {
		DL_APPEND(stage->loose, binding);
		return binding;
	}
	binding->endpoint = run->run.endpoint;
	run->code->called = true;
	DL_APPEND(run->bindings, binding);
	if (call->kind == CALL_CONNECT)
		run->open_connects++;
	else
		run->open_calls++;
	/* One that has only handed over begins with what others do for it. */
	binding->late = run->over && (run->first || run->run.source != RUN_BY_CALLS);
	if (binding->late)
		return binding;
	book_enter_network(run, &call->out_times);
	if (!run->first || call->out_first < run->first)
		run->first = call->out_first;
	if (call->out_first > run->last)
		run->last = call->out_first;
	return binding;
}

void book_end_call(struct run_stage *stage, const struct call *call)
{
	struct binding *binding = call->user;
	struct open_run *run = binding->run;

	stage->sink.called(stage->sink.context, call, binding->endpoint, binding->site, binding->reason);
	if (binding == &no_memory)
		return;
	if (!run) {
		DL_DELETE(stage->loose, binding);
		binding_free(stage, binding);
		return;
	}
	DL_DELETE(run->bindings, binding);
	if (call->kind == CALL_CONNECT)
		run->open_connects--;
	else
		run->open_calls--;
	settle_call(stage, run, binding);
	binding_free(stage, binding);
	if (run->over && !run->lingers && !run->bindings)
		report(stage, run);
}

static void bindings_free(struct binding **bindings)
{
	struct binding *next;

	for (struct binding *binding = *bindings; binding; binding = next) {
		next = binding->next;
		free(binding);
	}
	*bindings = NULL;
}

void book_clear(struct run_stage *stage)
{
	stage->lingering = NULL;
	while (stage->runs) {
		bindings_free(&stage->runs->bindings);
		run_free(stage, stage->runs);
	}
	bindings_free(&stage->loose);
	bindings_free(&stage->spare);
}
