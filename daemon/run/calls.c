/*
 * calls.c: runs by their calls alone, see stage.h.
 *
 * Where neither probes nor a request tell where a run begins, the next call begins a new one if
 * it cannot be in the same: when a caller of the endpoint has moved on, or when its place in the endpoint cannot be
 * reached from the last call's. What cannot be told apart stays one run, and `exact` says whether it could
 * have been several (docs/inside.md). A function written in C that calls back in a loop, map() for one, has no frame
 * and no code to look at, but from 3.11 on the walk says where one stands between two frames.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#define CO_GENERATOR 0x20 /* co_flags, the same in all versions */

void callers_free(struct run_stage *stage, struct callers *callers)
{
	if (!callers)
		return;
	stack_release(&stage->codes, callers->stack);
	free(callers);
}

/* The states of the endpoint's callers, its lane's first: those of the outermost frames came. NULL: not all of them
 * did. */
static const uint32_t *states_outside(const struct call *call, const struct stack *stack)
{
	uint32_t count = stack->depth - stack->verdict.index - 1;

	if (!call->owner.states || call->owner.state_count < count)
		return NULL;
	return call->owner.states + call->owner.state_count - count;
}

/*
 * Is something being thrown into what the caller waits for (its task was cancelled)? Then it stands elsewhere in its
 * `await` until it goes on, with a state that says nothing.
 */
static bool is_thrown(const struct stack_frame *frame, uint32_t instruction)
{
	struct stack_frame there = *frame;

	there.instruction = instruction;
	return flow_is_thrown(code_flow(frame->code), frame_offset(&there));
}

static void remember_states(struct callers *callers, const uint32_t *states, const struct stack_frame *frames)
{
	for (uint32_t i = 0; i < callers->count; i++) {
		if (callers->known && is_thrown(&frames[i], frames[i].instruction))
			continue;
		callers->at[i] = frames[i].instruction;
		callers->states[i] = states[i];
	}
}

/* Remembers a call as the last one of its run. */
static void remember(struct run_stage *stage, struct callers *callers, const struct call *call, struct stack *stack)
{
	const uint32_t *states = states_outside(call, stack);

	if (callers->stack != stack) {
		stack_release(&stage->codes, callers->stack);
		callers->stack = stack_hold(stack);
	}
	callers->connection = call->connection;
	callers->first = call->out_first;
	callers->connected = call->kind == CALL_CONNECT;
	callers->frame = who_frame(&call->owner, stack, stack->verdict.index);
	callers->index = stack->verdict.index;
	callers->count = stack->verdict.outside;
	if (states)
		remember_states(callers, states, stack->frames + stack->verdict.index + 1);
	callers->known = states != NULL;
}

/*
 * Another request in the same message, or in the same system call; or what C code first asks on the connection that it
 * has just made, like a name look-up or a client library in C.
 */
static bool is_same_message(const struct callers *last, const struct call *call, const struct stack *stack)
{
	return call->kind == CALL_EXCHANGE && call->connection == last->connection && stack == last->stack &&
	       (!call->round_trip || call->out_first == last->first || last->connected);
}

/* Has the caller number `i` moved on, as far as its instruction and, if it came, its state tell? */
static bool caller_moved(const struct callers *last, uint32_t i, const struct stack_frame *frame,
			 const uint32_t *states)
{
	struct stack_frame before = last->stack->frames[last->index + 1 + i];

	if (before.code != frame->code)
		return true;
	if (last->known)
		before.instruction = last->at[i];
	if (before.instruction == frame->instruction)
		return last->known && states && last->states[i] != states[i];
	if (!is_thrown(frame, before.instruction) && !is_thrown(frame, frame->instruction))
		return true;
	return flow_instruction(code_flow(frame->code), frame_offset(&before)) !=
	       flow_instruction(code_flow(frame->code), frame_offset(frame));
}

/* Is the endpoint a generator? It goes on where it was, whoever asks it for more, and however often. */
static bool is_generator(const struct stack *stack)
{
	const struct stack_frame *frame = &stack->frames[stack->verdict.index];

	return frame->generator && frame->code->flags & CO_GENERATOR;
}

/* Has a caller of the endpoint moved on? */
static bool callers_moved(const struct callers *last, const struct call *call, const struct stack *stack)
{
	const uint32_t *states = states_outside(call, stack);
	uint64_t frame = who_frame(&call->owner, stack, stack->verdict.index);

	if (last->count != stack->verdict.outside || (frame && last->frame && frame != last->frame))
		return true;
	if (frame && frame == last->frame && is_generator(stack))
		return false;
	for (uint32_t i = 0; i < last->count; i++)
		if (caller_moved(last, i, &stack->frames[stack->verdict.index + 1 + i], states))
			return true;
	return false;
}

/* Is it a function of `threading` or `runpy` that calls what it calls once, whatever its code looks like? */
static bool is_starter(const struct code *code)
{
	static const struct {
		const char *file, *name;
	} starters[] = {
	    {"/threading.py", "_bootstrap"},	  {"/threading.py", "_bootstrap_inner"},     {"/threading.py", "run"},
	    {"/runpy.py", "_run_module_as_main"}, {"<frozen runpy>", "_run_module_as_main"},
	};
	const char *dot = strrchr(code->name, '.'), *name = dot ? dot + 1 : code->name;
	size_t size = strlen(code->file);

	for (size_t i = 0; i < sizeof(starters) / sizeof(*starters) && code->own == CODE_FOREIGN; i++) {
		size_t tail = strlen(starters[i].file);

		if (size >= tail && !strcmp(code->file + size - tail, starters[i].file) &&
		    !strcmp(name, starters[i].name))
			return true;
	}
	return false;
}

/* Did C code enter frame `i` that may have done so before, for the same call of it? */
static bool enters_again(const struct stack *stack, int i)
{
	const struct stack_frame *caller = &stack->frames[i + 1];

	/* What C code enters of a generator is where it was: await and for do no more than that. */
	if (i < 0 || i + 1 >= (int)stack->depth || !stack->frames[i].from_c || stack->frames[i].generator)
		return false;
	return !is_starter(caller->code) && !flow_calls_once(code_flow(caller->code), frame_offset(caller));
}

/*
 * Can this stack come after the last one within one execution of the endpoint? From the endpoint's frame inwards: where
 * two frames stand at different places, the code says. Where they stand at the same place, it is one execution of what
 * is called there, whose frames come next, unless a loop leads back here or C code calls from here.
 */
static bool find_reaches(const struct callers *last, const struct stack *stack)
{
	int from = last->index, to = stack->verdict.index;

	for (; from >= 0 && to >= 0; from--, to--) {
		const struct stack_frame *a = &last->stack->frames[from], *b = &stack->frames[to];
		uint32_t at_a = frame_offset(a), at_b = frame_offset(b);
		const struct flow *flow = code_flow(b->code);

		if (a->code != b->code)
			return false;
		if (!flow || at_a == CODE_NO_OFFSET || at_b == CODE_NO_OFFSET || flow_reaches(flow, at_a, at_b))
			return true;
		if (flow_instruction(flow, at_a) != flow_instruction(flow, at_b))
			return false;
		if (enters_again(last->stack, from - 1) || enters_again(stack, to - 1))
			return true;
	}
	/* The last was done by C code that has now called Python code: a task that begins as it is made. */
	return from < 0 && to >= 0 && stack->frames[to].from_c;
}

/* Loops come by the same few places: mostly the answer is the one that was found last. */
static bool reaches(const struct callers *last, struct stack *stack)
{
	struct stack_verdict *verdict = &stack->verdict;

	if (verdict->after != last->stack->number || verdict->after_index != last->index) {
		verdict->reached = find_reaches(last, stack);
		verdict->after = last->stack->number;
		verdict->after_index = last->index;
	}
	return verdict->reached;
}

/* Is the outermost frame one that nobody calls twice? What is called from C is anybody's guess. */
static bool is_thread_start(const struct code *code)
{
	return code->kind == CODE_MODULE || is_starter(code);
}

bool calls_repeat_unseen(const struct stack *stack, uint32_t index)
{
	uint32_t last = index + stack->verdict.outside;

	/* A task begins with its coroutine, and only once. */
	if (stack->verdict.root < 0 &&
	    (stack->depth == NT_MAX_FRAMES || !is_thread_start(stack->frames[stack->depth - 1].code)))
		return true;
	for (uint32_t i = index; i < last; i++) {
		const struct stack_frame *frame = &stack->frames[i], *caller = frame + 1;
		uint32_t at = frame_offset(caller);

		if (at == CODE_NO_OFFSET)
			return true;
		if (is_starter(caller->code))
			continue;
		if (flow_repeats_unseen(code_flow(caller->code), at))
			return true;
		/* A generator goes on with what it was at, and nobody calls a module's body twice. */
		if (!frame->generator && frame->code->kind != CODE_MODULE && enters_again(stack, (int)i))
			return true;
	}
	return false;
}

static void unlink_run(struct open_run **link, const struct open_run *run)
{
	while (*link != run)
		link = &(*link)->peer;
	*link = run->peer;
}

/* Which request it answered may still show: it waits, in the place of the one that has waited longest. */
static void wait_for_response(struct run_stage *stage, struct lane *lane, struct open_run *run)
{
	struct open_run **end = &lane->closed;
	unsigned count = 1;

	run->peer = lane->closed;
	lane->closed = run;
	for (; *end && count <= STAGE_MAX_CLOSED; end = &(*end)->peer)
		count++;
	if (!*end)
		return;
	run = *end;
	*end = NULL;
	book_close(stage, run);
}

/* Did its task begin before the capture? So it is where others are told of as they begin, with the request in hand. */
static bool is_from_before(struct run_stage *stage, const struct open_run *run)
{
	const struct process *process = NULL;

	if (run->untold && !stage->deaf)
		process = process_find(&stage->codes, run->run.pid);
	return process && process->tasks_answer;
}

static void close_run(struct run_stage *stage, struct open_run *run)
{
	struct lane *lane = run->lane;

	unlink_run(&lane->runs, run);
	/* On a thread that reads its requests itself, a run without one is what was left of one when the capture began.
	 */
	run->run.partial = (run->unasked && lane->answers && !lane->task) || is_from_before(stage, run);
	run->lane = NULL;
	if (run->unasked && stage->serves && !lane->answers && stage->run_count < RUN_MAX_OPEN / 2)
		wait_for_response(stage, lane, run);
	else
		book_close(stage, run);
}

void calls_report(struct run_stage *stage, struct lane *lane)
{
	while (lane->closed) {
		struct open_run *run = lane->closed;

		lane->closed = run->peer;
		run->run.partial |= is_from_before(stage, run);
		book_close(stage, run);
	}
}

/* Gives those of a list that began after the request was there. */
static void give(struct run_stage *stage, struct open_run **link, struct request *request)
{
	while (*link) {
		struct open_run *run = *link, *other = request->runs;

		if (run->opened < request->call->out_first) {
			link = &run->peer;
			continue;
		}
		*link = run->peer;
		run->lane = NULL;
		while (other && other->run.endpoint != run->run.endpoint)
			other = other->peer;
		if (run->run.calls || run->run.connects || run->bindings || run->code->own != CODE_FOREIGN)
			request->had_run = true;
		if (other) {
			book_merge(stage, other, run);
			continue;
		}
		run->run.source = RUN_BY_REQUEST;
		run->run.exact = true;
		run->peer = request->runs;
		request->runs = run;
	}
}

void calls_give(struct run_stage *stage, struct lane *lane, struct request *request)
{
	give(stage, &lane->closed, request);
	give(stage, &lane->runs, request);
	calls_report(stage, lane);
}

/* Is the endpoint at work for a dispatcher? */
static bool is_dispatched(const struct stack *stack)
{
	for (uint32_t i = stack->verdict.index + 1; i < stack->depth; i++)
		if (stack->frames[i].code->dispatcher)
			return true;
	return false;
}

static struct open_run *begin(struct run_stage *stage, const struct who *who, const struct call *call)
{
	const struct stack_verdict *verdict = &who->stack->verdict;
	struct lane *lane = who->lane;
	struct callers *callers = calloc(1, sizeof(*callers));
	struct open_run *run;

	if (!callers)
		return NULL;
	run = book_open(stage, RUN_BY_CALLS, lane, call->owner.pid, verdict->code, verdict->endpoint);
	if (!run) {
		free(callers);
		return NULL;
	}
	run->opened = call->out_first;
	run->callers = callers;
	remember(stage, callers, call, who->stack);
	run->lane = lane;
	run->unasked = !lane->requests && is_dispatched(who->stack);
	run->untold = run->unasked && lane->task && !lane->ran && !who->origin;
	lane->ran = true;
	run->peer = lane->runs;
	lane->runs = run;
	return run;
}

struct open_run *calls_run(struct run_stage *stage, const struct who *who, const struct call *call)
{
	struct stack *stack = who->stack;
	struct open_run *run = who->lane->runs;

	while (run && run->code != stack->verdict.code)
		run = run->peer;
	if (!run)
		return begin(stage, who, call);
	if (!is_same_message(run->callers, call, stack)) {
		if (callers_moved(run->callers, call, stack) || !reaches(run->callers, stack)) {
			close_run(stage, run);
			return begin(stage, who, call);
		}
		/* The next generator can have the same address. */
		if (stack->verdict.repeats_unseen || is_generator(stack) || !run->callers->known ||
		    !states_outside(call, stack))
			run->run.exact = false;
	}
	remember(stage, run->callers, call, stack);
	return run;
}

static bool is_on(const struct stack *stack, const struct code *code)
{
	for (uint32_t i = 0; stack && i < stack->depth; i++)
		if (stack->frames[i].code == code)
			return true;
	return false;
}

void calls_leave(struct run_stage *stage, struct lane *lane, const struct stack *stack)
{
	struct open_run *run = lane->runs;

	while (run) {
		struct open_run *next = run->peer;

		if (!is_on(stack, run->code))
			close_run(stage, run);
		run = next;
	}
}

void calls_leave_endpoint(struct run_stage *stage, struct lane *lane, const struct code *code)
{
	struct open_run *run = lane->runs;

	while (run) {
		struct open_run *next = run->peer;

		if (run->code == code)
			close_run(stage, run);
		run = next;
	}
}

void calls_flush(struct run_stage *stage, struct lane *lane, uint64_t before)
{
	struct open_run *run = lane->runs;

	while (run) {
		struct open_run *next = run->peer;

		if (!run->open_calls && run->last < before)
			close_run(stage, run);
		run = next;
	}
	if (lane->closed && lane->closed->last < before)
		calls_report(stage, lane);
}
