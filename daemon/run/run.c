/*
 * run.c: the API of run.h: records to the tables they belong to, calls to their runs.
 */
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

#define RUN_IDLE UINT64_C(1000000000)	    /* ns without a call after which a run by calls is over */
#define RUN_LANE_IDLE UINT64_C(60000000000) /* ns without anything after which a lane is forgotten */
#define RUN_TASK_IDLE UINT64_C(10000000000) /* likewise of a task, which waits more and whose end shows otherwise */
#define CHAIN_LEAST 3			    /* links of a chain of coroutines from which on it is worth remembering */

const char *const run_reason_names[RUN_REASON_COUNT] = {
    [RUN_NO_PYTHON_THREAD] = "no_python_thread",
    [RUN_NO_ENDPOINT] = "no_endpoint",
    [RUN_WALK_FAILED] = "walk_failed",
    [RUN_OWNER_UNKNOWN] = "owner_unknown",
    [RUN_INTERPRETER_UNSUPPORTED] = "interpreter_unsupported",
    [RUN_NOT_SAMPLED] = "not_sampled",
};

struct run_stage *run_stage_new(const struct run_sink *sink)
{
	struct run_stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return NULL;
	stage->sink = *sink;
	stage->generation = 1;
	return stage;
}

/* Ends what goes on in a process, whose program or life is over, and forgets it. */
static void drop_process(struct run_stage *stage, uint32_t pid)
{
	struct process *process = process_find(&stage->codes, pid);

	if (!process)
		return;
	while (process->lanes)
		lane_remove(stage, process, process->lanes);
	origin_clear(stage, process);
	process_remove(&stage->codes, process);
}

/* Without telling the sink, which may be gone. */
static void free_processes(struct run_stage *stage)
{
	while (stage->codes.processes) {
		struct process *process = stage->codes.processes;

		while (process->lanes)
			lane_free(stage, process, process->lanes);
		origin_clear(stage, process);
		process_remove(&stage->codes, process);
	}
}

void run_stage_free(struct run_stage *stage)
{
	if (!stage)
		return;
	request_clear(stage);
	book_clear(stage);
	free_processes(stage);
	place_table_clear(&stage->places);
	endpoint_rules_clear(&stage->rules);
	free(stage);
}

void stage_forget_verdicts(struct run_stage *stage)
{
	if (!++stage->generation)
		stage->generation = 1;
}

/* The rules have changed. */
static void classify_all(struct run_stage *stage)
{
	for (struct process *process = stage->codes.processes; process; process = process->hh.next)
		for (struct code *code = process->codes; code; code = code->hh.next)
			endpoint_classify(&stage->rules, code);
	stage_forget_verdicts(stage);
}

void run_stage_handovers_end(struct run_stage *stage)
{
	stage->deaf = true;
}

int run_stage_add_pattern(struct run_stage *stage, const char *pattern)
{
	int error = endpoint_rules_add(&stage->rules, pattern);

	classify_all(stage);
	return error;
}

int run_stage_add_dispatcher(struct run_stage *stage, const char *row)
{
	int error = dispatcher_add(&stage->rules.dispatchers, row);

	classify_all(stage);
	return error;
}

/* Its probes are off from now on: what was entered by them is not seen to return. */
static void end_probed(struct run_stage *stage, struct process *process)
{
	struct lane *lane, *next;

	HASH_ITER (hh, process->lanes, lane, next)
		usdt_end_all(stage, process->pid, lane, false);
}

/* A pid comes again: what was known of it is another process's, if its start says so. */
static int take_process(struct run_stage *stage, const struct nt_process *record)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	uint8_t minor = record->python_major == 3 ? record->python_minor : 0;

	if (process && process->start && process->start != record->start) {
		drop_process(stage, record->h.pid);
		process = NULL;
	}
	if (!process && minor)
		process = process_get(&stage->codes, record->h.pid);
	if (!process)
		return 0;
	process->start = record->start;
	process_set_minor(process, minor);
	if (record->attribution != NT_ATTRIBUTION_USDT || record->paused)
		end_probed(stage, process);
	return 0;
}

/* The child runs the same interpreter; its code objects and stacks it tells of itself. */
static int take_fork(struct run_stage *stage, const struct nt_fork *record)
{
	struct process *parent, *child;

	drop_process(stage, record->child);
	parent = process_find(&stage->codes, record->h.pid);
	if (!parent || !parent->minor)
		return 0;
	child = process_get(&stage->codes, record->child);
	if (child)
		child->minor = parent->minor;
	return 0;
}

static int take_code(struct run_stage *stage, const struct nt_code *record)
{
	struct code *code;
	int error = code_take(&stage->codes, record, &code);

	if (!code)
		return error;
	endpoint_classify(&stage->rules, code);
	/* Their sockets are Python, so what they do shows on the stack. */
	if (strstr(code->file, "/gevent/") || strstr(code->file, "/eventlet/"))
		process_find(&stage->codes, record->h.pid)->greenlets = true;
	return error;
}

static int take_module(struct run_stage *stage, const struct nt_module *record)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	struct code *code = process ? code_find(process, record->code) : NULL;
	int news;

	if (sizeof(*record) + record->module_size > record->h.size)
		return -EBADMSG;
	if (!code)
		return 0;
	news = code_set_module(code, (const char *)(record + 1), record->module_size);
	if (news <= 0)
		return news;
	endpoint_classify(&stage->rules, code);
	if (code->references > 1)
		stage_forget_verdicts(stage);
	return 0;
}

static int take(struct run_stage *stage, const struct nt_head *record)
{
	switch (record->type) {
	case NT_PROCESS:
		return take_process(stage, (const struct nt_process *)record);
	case NT_CODE:
		return take_code(stage, (const struct nt_code *)record);
	case NT_MODULE:
		return take_module(stage, (const struct nt_module *)record);
	case NT_STACK:
		return stack_take(&stage->codes, (const struct nt_stack *)record);
	case NT_FUNCTION:
		return usdt_feed(stage, (const struct nt_function *)record);
	case NT_HANDOVER:
		return bind_handover(stage, (const struct nt_handover *)record);
	case NT_SEGMENT:
		bind_read(stage, (const struct nt_segment *)record);
		return 0;
	case NT_FORK:
		return take_fork(stage, (const struct nt_fork *)record);
	case NT_EXEC:
	case NT_EXIT:
		drop_process(stage, record->pid);
		return 0;
	default:
		return 0;
	}
}

/* What the fixed part of each record takes; what is behind it is checked where it is read. */
static const size_t record_sizes[] = {
    [NT_PROCESS] = sizeof(struct nt_process),	[NT_CODE] = sizeof(struct nt_code),
    [NT_MODULE] = sizeof(struct nt_module),	[NT_STACK] = sizeof(struct nt_stack),
    [NT_FUNCTION] = sizeof(struct nt_function), [NT_FORK] = sizeof(struct nt_fork),
    [NT_HANDOVER] = sizeof(struct nt_handover), [NT_SEGMENT] = sizeof(struct nt_segment),
};

int run_stage_feed(struct run_stage *stage, const struct nt_head *record)
{
	int error;

	if (record->type < sizeof(record_sizes) / sizeof(*record_sizes) && record->size < record_sizes[record->type])
		return -EBADMSG;
	if (record->time > stage->now)
		stage->now = record->time;
	error = take(stage, record);
	/* A full table shows in stacks_unknown, with each call that it costs. */
	return error == -ENOSPC ? 0 : error;
}

static void on_began(void *context, struct call *call)
{
	struct run_stage *stage = context;

	if (call->out_first > stage->now)
		stage->now = call->out_first;
	if (call->kind == CALL_REQUEST)
		request_began(stage, call);
	else
		call->user = bind_call(stage, call);
}

/* When that was is in the call when it ends. */
static void on_received(void *context, struct call *call)
{
	(void)context;
	(void)call;
}

static void on_answering(void *context, struct call *call, const struct call_owner *by)
{
	struct run_stage *stage = context;

	request_answering(stage, call, by);
}

static void on_responding(void *context, struct call *call)
{
	(void)context;
	request_responding(call);
}

static void on_ended(void *context, struct call *call)
{
	struct run_stage *stage = context;

	if (call->in_last > stage->now)
		stage->now = call->in_last;
	if (call->kind == CALL_REQUEST)
		request_ended(stage, call);
	else
		book_end_call(stage, call);
}

static void on_closed(void *context, const struct call_closing *closing)
{
	struct run_stage *stage = context;

	if (stage->sink.closed)
		stage->sink.closed(stage->sink.context, closing);
}

struct call_sink run_stage_sink(struct run_stage *stage)
{
	return (struct call_sink){
	    .context = stage,
	    .began = on_began,
	    .received = on_received,
	    .answering = on_answering,
	    .responding = on_responding,
	    .ended = on_ended,
	    .closed = on_closed,
	};
}

static void flush_lane(struct run_stage *stage, struct process *process, struct lane *lane, uint64_t now, bool at_end)
{
	uint64_t idle;

	if (at_end) {
		usdt_end_all(stage, process->pid, lane, false);
		calls_leave(stage, lane, NULL);
		return;
	}
	idle = lane->task ? RUN_TASK_IDLE : RUN_IDLE;
	calls_flush(stage, lane, now > idle ? now - idle : 0);
	if (lane_is_idle(lane) && lane->seen + (lane->task ? RUN_TASK_IDLE : RUN_LANE_IDLE) < now)
		lane_remove(stage, process, lane);
}

static void flush_lanes(struct run_stage *stage, uint64_t now, bool at_end)
{
	struct lane *next;

	for (struct process *process = stage->codes.processes; process; process = process->hh.next) {
		for (struct lane *lane = process->lanes; lane; lane = next) {
			next = lane->hh.next;
			flush_lane(stage, process, lane, now, at_end);
		}
	}
}

void stage_make_room(struct run_stage *stage)
{
	if (stage->now < stage->tidied + RUN_IDLE)
		return;
	stage->tidied = stage->now;
	flush_lanes(stage, stage->now, false);
	book_flush(stage, false);
}

void run_stage_flush(struct run_stage *stage, uint64_t now, bool at_end)
{
	if (now > stage->now)
		stage->now = now;
	flush_lanes(stage, now, at_end);
	for (struct request *request = stage->requests; request && at_end; request = request->next)
		request_end_runs(stage, request);
	book_flush(stage, at_end);
}

uint32_t run_stage_judge(const struct run_stage *stage, uint32_t pid, uint64_t address)
{
	const struct process *process;
	const struct code *code = NULL;

	HASH_FIND(hh, stage->codes.processes, &pid, sizeof(pid), process);
	if (process)
		HASH_FIND(hh, process->codes, &address, sizeof(address), code);
	return code && code->known ? endpoint_judge(&stage->rules, code) : 0;
}

/* Do the callers' states tell runs apart on this stack? Not where a request does, or a task that is made for one. */
static bool needs_states(struct process *process, uint32_t tid, const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;
	const struct lane *lane = lane_find(process, tid, 0);

	if (verdict->root >= 0)
		return !verdict->certain || verdict->code->named_by_user;
	return !(verdict->certain && lane && lane->answers);
}

/*
 * Finds the chain of coroutines from outside of what says which endpoint it is up to the task's own one: whatever is
 * between, it changes nothing. So it is where the endpoint is certain and no frame between is more than a coroutine.
 */
static void note_chain(const struct run_stage *stage, const struct stack *stack, struct nt_stack_note *note)
{
	const struct stack_verdict *verdict = &stack->verdict;
	int root = verdict->root, inner;

	if (root < 0 || stage->rules.patterns || note->states_from < stack->depth)
		return;
	inner = endpoint_find_dispatcher(stack, verdict->index) + 1;
	if (inner == 0 || root - inner < CHAIN_LEAST)
		return;
	for (int i = inner; i <= root; i++)
		if (!stack->frames[i].generator || stack->frames[i].code->landmark != LANDMARK_NONE)
			return;
	note->chain_inner = (uint8_t)inner;
	note->chain_outer = (uint8_t)root;
}

bool run_stage_note(struct run_stage *stage, const struct nt_stack *record, struct nt_stack_note *ret_note)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	struct stack *stack = process ? stack_find(process, record->stack) : NULL;

	/* Where a task begins inside of another one, all frames' addresses are wanted: one of them is the task's. */
	if (!stack || !who_judge(stage, process, stack) || stack->verdict.eager)
		return false;
	/* The record of a stack has at most NT_MAX_FRAMES. */
	*ret_note = (struct nt_stack_note){
	    .pid = record->h.pid, .flags = NT_STACK_JUDGED, .states_from = (uint8_t)stack->depth};
	if (stack->verdict.endpoint) {
		ret_note->endpoint = (uint8_t)(stack->verdict.index + 1u);
		if (needs_states(process, record->h.tid, stack))
			ret_note->states_from = ret_note->endpoint;
	}
	ret_note->carrier = (uint8_t)(stack->verdict.carrier + 1);
	if (stack->verdict.endpoint)
		note_chain(stage, stack, ret_note);
	return true;
}

const struct run_stats *run_stage_stats(const struct run_stage *stage)
{
	return &stage->stats;
}
