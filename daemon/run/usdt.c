/*
 * usdt.c: runs by entry and return of the endpoint's function, see stage.h.
 *
 * A thread's functions that may be endpoints are kept between entry and return, innermost last. "May be" is what the
 * rules of endpoint.h say as far as a function and its caller tell; which one it is for a call, the call's
 * own stack says. Entry and return are paired by frame and code, never by counting: probes skip some (facts of
 * CPython 3.11 and 3.15), and records get lost.
 *
 * A coroutine's function enters and returns at each resumption: a run of it is one resumption long here.
 */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "dispatcher.h"

/* What a function can be, by its caller. */
enum rank {
	RANK_NONE,	 /* no endpoint */
	RANK_CALLED,	 /* a package's function that a framework's dispatcher called */
	RANK_OUTERMOST,	 /* the application's own, nothing of its own around */
	RANK_GENERIC,	 /* its own, called by a dispatcher that calls much else, too */
	RANK_DISPATCHED, /* its own, the first one inside a framework's dispatcher */
	RANK_NAMED,	 /* --endpoint names it */
};

static struct active *innermost(const struct thread *thread)
{
	return thread->active_count ? &thread->active[thread->active_count - 1] : NULL;
}

static bool any_active(const struct thread *thread, enum rank rank)
{
	for (unsigned i = 0; i < thread->active_count; i++)
		if (thread->active[i].rank == rank)
			return true;
	return false;
}

/* The rank of a function of the application's own that was called by `caller` (NULL: not known, or none). */
static enum rank rank_of_own(const struct thread *thread, const struct code *code, const struct code *caller,
			     bool *ret_sure)
{
	const struct active *around = innermost(thread);

	if (caller && caller->dispatcher) {
		*ret_sure = true;
		if (!caller->dispatcher->generic)
			return RANK_DISPATCHED;
		return any_active(thread, RANK_DISPATCHED) ? RANK_NONE : RANK_GENERIC;
	}
	/* A package's function inside a dispatcher, a view's decorator mostly, has called it. */
	if (around && around->rank == RANK_CALLED)
		return RANK_DISPATCHED;
	if (around)
		return RANK_NONE;
	/* Library code calls much of the application: it is a run without calls only if others had some. */
	*ret_sure = caller && caller->kind == CODE_MODULE && *code->name != '<';
	return RANK_OUTERMOST;
}

static enum rank rank_of(const struct run_stage *stage, const struct thread *thread, const struct code *code,
			 const struct code *caller, bool *ret_sure)
{
	bool own_caller = caller && caller->own != CODE_FOREIGN;

	*ret_sure = false;
	if (stage->rules.patterns) {
		*ret_sure = true;
		return code->named_by_user && !thread->active_count ? RANK_NAMED : RANK_NONE;
	}
	if (code->kind != CODE_FUNCTION)
		return RANK_NONE;
	if (code->own == CODE_FOREIGN)
		return caller && caller->dispatcher && !caller->dispatcher->generic ? RANK_CALLED : RANK_NONE;
	/* Typed code counts among its like only: libraries generate such functions. */
	if (code->own == CODE_TYPED && !(caller && caller->own == CODE_TYPED))
		return RANK_NONE;
	if (own_caller && caller->kind != CODE_MODULE && !caller->dispatcher)
		return RANK_NONE;
	return rank_of_own(thread, code, caller, ret_sure);
}

/* A run without calls, if that is what it was: the function is an endpoint, and no other one was inside it. */
static void end_without_calls(struct run_stage *stage, uint32_t pid, struct thread *thread, const struct active *active,
			      uint64_t time)
{
	char route[PROTOCOL_OPERATION_SIZE] = "";
	struct run run = {
	    .pid = pid,
	    .tid = thread->tid,
	    .began = active->began,
	    .ended = time > active->began ? time : active->began,
	    .source = RUN_BY_USDT,
	    .exact = true,
	};

	if (active->around || !(active->sure || active->code->called))
		return;
	run.endpoint = place_endpoint(&stage->places, active->code);
	if (!run.endpoint)
		return;
	request_claim(thread, route);
	run.route = *route ? route : NULL;
	stage->sink.ran(stage->sink.context, &run);
}

/* Ends the innermost one. Not exact: its return was not seen, and `time` is only when that was noticed. */
static void end_innermost(struct run_stage *stage, uint32_t pid, struct thread *thread, uint64_t time, bool exact)
{
	struct active *active = &thread->active[--thread->active_count];
	struct open_run *run = active->run;

	if (run) {
		run->run.ended = exact ? time : run->last;
		run->run.exact = exact;
		request_claim(thread, run->route);
		book_close(stage, run);
	} else if (exact) {
		end_without_calls(stage, pid, thread, active, time);
	}
	code_release(&stage->codes, active->code);
}

void usdt_end_all(struct run_stage *stage, uint32_t pid, struct thread *thread, bool exact)
{
	while (thread->active_count) {
		struct open_run *run = innermost(thread)->run;

		if (run && !exact)
			run->run.partial = true;
		end_innermost(stage, pid, thread, stage->now, exact);
	}
}

void usdt_end_dispatched(struct run_stage *stage, uint32_t pid, struct thread *thread)
{
	unsigned outermost = 0;

	while (outermost < thread->active_count &&
	       (thread->active[outermost].rank == RANK_OUTERMOST || thread->active[outermost].rank == RANK_NAMED))
		outermost++;
	while (thread->active_count > outermost)
		end_innermost(stage, pid, thread, stage->now, false);
}

static int push(struct thread *thread, const struct nt_function *record, struct code *code, enum rank rank, bool sure)
{
	if (!thread->active)
		thread->active = calloc(STAGE_MAX_ACTIVE, sizeof(*thread->active));
	if (!thread->active)
		return -ENOMEM;
	if (thread->active_count == STAGE_MAX_ACTIVE)
		return 0; /* so deep an endpoint inside endpoints is found another way */
	for (unsigned i = 0; i < thread->active_count && rank != RANK_CALLED; i++)
		thread->active[i].around = true;
	thread->active[thread->active_count++] = (struct active){
	    .frame = record->frame,
	    .began = record->h.time,
	    .code = code_hold(code),
	    .rank = rank,
	    .sure = sure,
	};
	return 0;
}

/* Ends what is inside the frame, whose returns were lost; true if the innermost one is that frame's now. */
static bool unwind_to(struct run_stage *stage, struct thread *thread, const struct nt_function *record,
		      uint64_t code /* 0: any */)
{
	unsigned at = thread->active_count;

	while (at > 0 && (thread->active[at - 1].frame != record->frame ||
			  (code && thread->active[at - 1].code->address != code)))
		at--;
	if (!at)
		return false;
	while (thread->active_count > at)
		end_innermost(stage, record->h.pid, thread, record->h.time, false);
	return true;
}

static int entered(struct run_stage *stage, struct process *process, const struct nt_function *record,
		   struct code *code)
{
	const struct code *caller = record->caller ? code_find(process, record->caller) : NULL;
	struct thread *thread = thread_get(stage, process, record->h.tid);
	enum rank rank;
	bool sure;

	if (!thread)
		return 0;
	/* The frame was given to a new call: the older one is over. */
	if (unwind_to(stage, thread, record, 0))
		end_innermost(stage, record->h.pid, thread, record->h.time, false);
	rank = rank_of(stage, thread, code, caller && caller->known ? caller : NULL, &sure);
	if (rank == RANK_NONE)
		return 0;
	/* Whatever the last run of it was known by: it is over. */
	calls_leave_endpoint(stage, thread, code);
	return push(thread, record, code, rank, sure);
}

static void returned(struct run_stage *stage, struct process *process, const struct nt_function *record)
{
	struct thread *thread = thread_find(process, record->h.tid);

	if (thread && unwind_to(stage, thread, record, record->code))
		end_innermost(stage, record->h.pid, thread, record->h.time, true);
}

int usdt_feed(struct run_stage *stage, const struct nt_function *record)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	struct code *code;

	if (!process)
		return 0;
	if (record->passage != NT_ENTERED) {
		returned(stage, process, record);
		return 0;
	}
	code = code_find(process, record->code);
	return code && code->known ? entered(stage, process, record, code) : 0;
}

static bool on_stack(const struct stack *stack, const struct code *code)
{
	for (uint32_t i = 0; i < stack->depth; i++)
		if (stack->frames[i].code == code)
			return true;
	return false;
}

/* What is not on the stack of a call has returned, and that record was lost. */
static void drop_absent(struct run_stage *stage, struct thread *thread, uint32_t pid, const struct stack *stack)
{
	if (stack->depth == NT_MAX_FRAMES)
		return; /* it may be further out */
	while (thread->active_count && !on_stack(stack, innermost(thread)->code))
		end_innermost(stage, pid, thread, stage->now, false);
}

struct open_run *usdt_run(struct run_stage *stage, struct thread *thread, uint32_t pid, const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;

	drop_absent(stage, thread, pid, stack);
	for (unsigned i = thread->active_count; i-- > 0;) {
		struct active *active = &thread->active[i];

		if (active->code != verdict->code)
			continue;
		if (!active->run) {
			active->run = book_open(stage, RUN_BY_USDT, thread, pid, active->code, verdict->endpoint);
			if (!active->run)
				return NULL;
			active->run->run.began = active->began;
			request_claim(thread, active->run->route);
		}
		return active->run;
	}
	return NULL;
}
