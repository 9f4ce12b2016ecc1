/*
 * who.c: who did something: what a record's owner says, see stage.h.
 *
 * A stack tells the endpoint; what the frames' addresses are now tells which of the many that stand at the same place:
 * a task by its coroutine, a greenlet by its outermost frame, a piece of work that a pool does by its object.
 */
#include "stage.h"

#define CO_COROUTINES 0x180   /* coroutines, and those made by types.coroutine() */
#define CO_ASYNCHRONOUS 0x380 /* coroutines, those made by types.coroutine(), asynchronous generators */

#define EAGER_MINOR 12 /* 3.12: Task(eager_start=True) */

/* The outermost frame that a generator owns: a task's coroutine, unless it is a plain generator. */
static int find_outermost(const struct stack *stack)
{
	for (int i = (int)stack->depth - 1; i >= 0; i--)
		if (stack->frames[i].generator)
			return stack->frames[i].code->flags & CO_ASYNCHRONOUS ? i : -1;
	return -1;
}

/* Does a task begin with this frame, at once and inside of who made it? Then that one calls, and awaits nothing. */
static bool begins_task(const struct stack *stack, int i)
{
	const struct stack_frame *frame = &stack->frames[i], *caller = frame + 1;
	uint32_t at = frame_offset(caller);

	return frame->from_c && frame->generator && frame->code->flags & CO_COROUTINES && at != CODE_NO_OFFSET &&
	       frame->code->minor >= EAGER_MINOR && !flow_awaits(code_flow(caller->code), at);
}

static int find_root(const struct stack *stack, bool *ret_eager)
{
	int outermost = find_outermost(stack);

	*ret_eager = false;
	for (int i = 0; i < outermost; i++)
		if (begins_task(stack, i)) {
			*ret_eager = true;
			return i;
		}
	return outermost;
}

static int find_landmark(const struct stack *stack, enum landmark landmark)
{
	for (uint32_t i = 0; i < stack->depth; i++)
		if (stack->frames[i].code->landmark == landmark)
			return (int)i;
	return -1;
}

/* Of a frame and those outside of it, whose hash is given. */
static uint64_t hash_frame(uint64_t outside, const struct stack_frame *frame)
{
	uint64_t hash = (outside ^ frame->code->address) * 0x9e3779b97f4a7c15;

	return (hash ^ hash >> 29 ^ frame->instruction) * 0xbf58476d1ce4e5b9;
}

static bool is_loop(const struct process *process, uint64_t hash)
{
	for (unsigned i = 0; i < process->loop_count; i++)
		if (process->loops[i] == hash)
			return true;
	return false;
}

/* uvloop has no frames. What is outside of a task is a loop all the same: it is known again without one inside. */
static void learn_loop(struct run_stage *stage, struct process *process, const struct stack *stack, int root)
{
	uint64_t hash = 0;

	if (root == (int)stack->depth - 1 || find_landmark(stack, LANDMARK_LOOP) > root)
		return;
	for (int i = (int)stack->depth - 1; i > root; i--)
		hash = hash_frame(hash, &stack->frames[i]);
	if (is_loop(process, hash) || process->loop_count == PROCESS_MAX_LOOPS)
		return;
	process->loops[process->loop_count++] = hash;
	stage_forget_verdicts(stage);
	origin_revise(stage, process);
	request_revise(stage, process);
}

/* How many frames, from the innermost on, are inside of the innermost loop on the stack; all, if there is none. */
static uint32_t find_loop(const struct process *process, const struct stack *stack)
{
	int landmark = find_landmark(stack, LANDMARK_LOOP);
	uint32_t inside = landmark >= 0 ? (uint32_t)landmark : stack->depth;
	uint64_t hash = 0;

	for (uint32_t i = stack->depth; i-- > 0 && process->loop_count;) {
		hash = hash_frame(hash, &stack->frames[i]);
		if (i < inside && is_loop(process, hash))
			inside = i;
	}
	return inside;
}

/* How many frames, from the innermost on, work for the same thing: an event loop works for many. */
static uint32_t find_inside(const struct process *process, const struct stack *stack, int root)
{
	return root >= 0 ? (uint32_t)root + 1 : find_loop(process, stack);
}

static void judge_endpoint(struct run_stage *stage, const struct process *process, struct stack *stack, int index)
{
	struct stack_verdict *verdict = &stack->verdict;
	uint32_t last = stack->depth;

	/* A task that begins inside of the endpoint is a part of it as long as that is on the stack. */
	if (verdict->eager && index > verdict->root) {
		verdict->eager = false;
		verdict->root = (int16_t)find_outermost(stack);
		verdict->inside = (uint16_t)find_inside(process, stack, verdict->root);
	}
	/* An endpoint that runs the loop itself is not the task's: its lane is the thread. */
	if (verdict->root >= 0 && index > verdict->root)
		verdict->root = -1;
	if (verdict->root >= 0)
		last = (uint32_t)verdict->root + 1;
	verdict->index = (uint16_t)index;
	verdict->outside = (uint16_t)(last - (uint32_t)index - 1);
	verdict->code = stack->frames[index].code;
	verdict->endpoint = place_endpoint(&stage->places, verdict->code);
	verdict->repeats_unseen = calls_repeat_unseen(stack, (uint32_t)index);
}

/* The frame whose first local names the work; -1: none. */
static int find_carrier(const struct stack *stack)
{
	int carrier = find_landmark(stack, LANDMARK_CARRIER);

	return carrier >= 0 ? carrier : find_landmark(stack, LANDMARK_SERVANT);
}

bool who_judge(struct run_stage *stage, struct process *process, struct stack *stack)
{
	struct stack_verdict *verdict = &stack->verdict;
	int index, site, root;
	bool eager;

	if (verdict->generation == stage->generation)
		return true;
	for (uint32_t i = 0; i < stack->depth; i++)
		if (!stack->frames[i].code->known)
			return false;
	root = find_root(stack, &eager);
	if (root >= 0 && !eager)
		learn_loop(stage, process, stack, root);
	*verdict = (struct stack_verdict){
	    .root = (int16_t)root,
	    .eager = eager,
	    .carrier = (int16_t)find_carrier(stack),
	    .worker = find_landmark(stack, LANDMARK_WORKER) >= 0 || find_landmark(stack, LANDMARK_SERVANT) >= 0,
	    .afterwards = find_landmark(stack, LANDMARK_AFTERWARDS) >= 0,
	    .received = find_landmark(stack, LANDMARK_RECEIVER) >= 0,
	};
	verdict->inside = (uint16_t)find_inside(process, stack, verdict->root);
	index = endpoint_find(&stage->rules, stack, verdict->inside, &verdict->certain);
	site = endpoint_find_site(stack, verdict->inside, index);
	if (site >= 0)
		verdict->site = place_site(&stage->places, &stack->frames[site]);
	if (index >= 0)
		judge_endpoint(stage, process, stack, index);
	verdict->generation = stage->generation;
	return true;
}

/* Why an owner has no stack to look at; RUN_REASON_COUNT: it has one. */
static enum run_reason reason_of(const struct call_owner *owner)
{
	switch (owner->walk) {
	case NT_WALK_NONE:
		return RUN_OWNER_UNKNOWN;
	case NT_WALK_OK:
		/* CPython knows the thread, but it runs no Python. */
		return owner->stack ? RUN_REASON_COUNT : RUN_NO_ENDPOINT;
	case NT_WALK_TRUNCATED:
		return owner->stack ? RUN_REASON_COUNT : RUN_WALK_FAILED;
	case NT_WALK_NO_THREAD:
		return RUN_NO_PYTHON_THREAD;
	case NT_WALK_UNSUPPORTED:
		return RUN_INTERPRETER_UNSUPPORTED;
	case NT_WALK_SKIPPED:
		return RUN_NOT_SAMPLED;
	default:
		return RUN_WALK_FAILED;
	}
}

uint64_t who_frame(const struct call_owner *owner, const struct stack *stack, uint32_t index)
{
	if (owner->places && index < owner->place_count)
		return owner->places[index].frame;
	return stack->verdict.endpoint && index == stack->verdict.index ? owner->frame : 0;
}

static uint64_t carried_item(const struct call_owner *owner, const struct stack *stack)
{
	if (stack->verdict.carrier < 0)
		return 0;
	if (owner->places && stack->verdict.carrier < owner->place_count)
		return owner->places[stack->verdict.carrier].local;
	return owner->item;
}

/* The address of the frame of the task's coroutine; 0: there is none, or it did not come. */
static uint64_t find_task(const struct call_owner *owner, const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;

	if (verdict->root < 0)
		return 0;
	if (!verdict->eager)
		return owner->coroutine;
	return owner->places && verdict->root < owner->place_count ? owner->places[verdict->root].frame : 0;
}

static const struct origin *find_origin(const struct call_owner *owner, const struct who *who)
{
	const struct stack_verdict *verdict = &who->stack->verdict;
	uint64_t item;

	if (verdict->root >= 0)
		return origin_find(who->process, NT_HANDOVER_TASK, find_task(owner, who->stack));
	item = carried_item(owner, who->stack);
	if (item)
		return origin_find(who->process, NT_HANDOVER_ITEM, item);
	return verdict->worker ? NULL : origin_find(who->process, NT_HANDOVER_THREAD, owner->tid);
}

enum run_reason who_find(struct run_stage *stage, const struct call_owner *owner, struct who *ret_who)
{
	enum run_reason reason = reason_of(owner);
	struct process *process = process_find(&stage->codes, owner->pid);
	struct stack *stack = process ? stack_find(process, owner->stack) : NULL;
	uint64_t id = 0;

	if (reason != RUN_REASON_COUNT)
		return reason;
	if (!stack || !who_judge(stage, process, stack)) {
		stage->stats.stacks_unknown++;
		return RUN_WALK_FAILED;
	}
	if (stack->verdict.root >= 0)
		id = find_task(owner, stack);
	else if (process->greenlets)
		id = owner->base;
	*ret_who = (struct who){.process = process, .stack = stack};
	ret_who->origin = find_origin(owner, ret_who);
	ret_who->gone = ret_who->origin && stack->verdict.root >= 0 && ret_who->origin->since > owner->time;
	if (ret_who->gone) {
		ret_who->origin = NULL;
		return RUN_REASON_COUNT;
	}
	ret_who->lane = lane_get(stage, process, owner->tid, id);
	if (ret_who->lane)
		ret_who->lane->task = stack->verdict.root >= 0;
	return RUN_REASON_COUNT;
}

const struct run_endpoint *who_inherits(struct run_stage *stage, const struct who *who)
{
	const struct origin *origin = who->origin;
	const struct open_run *run;

	if (!origin || !origin->endpoint)
		return NULL;
	/* A thread that outlives the run which started it has a life of its own. */
	run = book_find(stage, origin->run);
	if (origin->kind == NT_HANDOVER_THREAD && (!run || run->over))
		return NULL;
	/* A dispatcher says who it works for. What the user names is the outermost, which is the one that handed over.
	 */
	if (who->stack->verdict.certain && !stage->rules.patterns)
		return NULL;
	if (origin->package && who->stack->verdict.endpoint && !who_is_package(stage, who))
		return NULL;
	return origin->endpoint;
}

bool who_is_package(const struct run_stage *stage, const struct who *who)
{
	const struct stack_verdict *verdict = &who->stack->verdict;

	return !stage->rules.patterns && verdict->endpoint && verdict->code->own == CODE_FOREIGN;
}

bool who_is_loop(const struct who *who)
{
	return who->stack->verdict.root < 0 && who->stack->verdict.inside < who->stack->depth;
}

struct request *who_request(struct run_stage *stage, const struct who *who)
{
	/* What a loop has read for one of many is not told by this: those are shared. */
	struct request *request = who->lane ? request_current(who->lane) : NULL;

	/* What was read on a connection just now is being looked at: it is that one's. */
	if (!request && who->lane && who->stack->verdict.received && who->stack->verdict.root < 0)
		request = request_read(who->lane);

	if (who->stack->verdict.afterwards)
		return NULL;
	if (request || !who->origin || who->origin->kind == NT_HANDOVER_THREAD)
		return request;
	return request_find(stage, who->origin->request);
}
