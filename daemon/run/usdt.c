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

/* What a function can be, by its caller. */
enum rank {
	RANK_NONE,	 /* no endpoint */
	RANK_CALLED,	 /* a package's function that a framework's dispatcher called */
	RANK_OUTERMOST,	 /* the application's own, nothing of its own around */
	RANK_GENERIC,	 /* its own, called by a dispatcher that calls much else, too */
	RANK_DISPATCHED, /* its own, the first one inside a framework's dispatcher */
	RANK_NAMED,	 /* --endpoint names it */
};

static struct active *innermost(const struct lane *lane)
{
	return lane->active_count ? &lane->active[lane->active_count - 1] : NULL;
}

static bool any_active(const struct lane *lane, enum rank rank)
{
	for (unsigned i = 0; i < lane->active_count; i++)
		if (lane->active[i].rank == rank)
			return true;
	return false;
}

/* The rank of a function of the application's own that was called by `caller` (NULL: not known, or none). */
static enum rank rank_of_own(const struct lane *lane, const struct code *code, const struct code *caller,
			     bool *ret_sure)
{
	const struct active *around = innermost(lane);

	if (caller && caller->dispatcher &&
	    dispatcher_called_by(caller->dispatcher, caller->file, around ? around->code->file : NULL,
				 around ? around->code->name : NULL)) {
		*ret_sure = true;
		if (!caller->dispatcher->generic)
			return RANK_DISPATCHED;
		return any_active(lane, RANK_DISPATCHED) ? RANK_NONE : RANK_GENERIC;
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

static enum rank rank_of(const struct run_stage *stage, const struct lane *lane, const struct code *code,
			 const struct code *caller, bool *ret_sure)
{
	bool own_caller = caller && caller->own != CODE_FOREIGN;
	const struct active *around = innermost(lane);

	*ret_sure = false;
	if (stage->rules.patterns) {
		*ret_sure = true;
		return code->named_by_user && !lane->active_count ? RANK_NAMED : RANK_NONE;
	}
	if (code->kind != CODE_FUNCTION)
		return RANK_NONE;
	if (code->own == CODE_FOREIGN)
		return caller && caller->dispatcher && !caller->dispatcher->generic ? RANK_CALLED : RANK_NONE;
	/* Typed code counts among its like only: libraries generate such functions. */
	if (code->own == CODE_TYPED && !(caller && caller->own == CODE_TYPED))
		return RANK_NONE;
	/* It may be what a decorator stands for: a run without calls only if others had some. */
	if (caller && caller->wrapper && around && around->code->wrapper)
		return around->rank;
	if (own_caller && caller->kind != CODE_MODULE && !caller->dispatcher)
		return RANK_NONE;
	return rank_of_own(lane, code, caller, ret_sure);
}

/* A run without calls, if that is what it was: the function is an endpoint, and no other one was inside it. */
static void end_without_calls(struct run_stage *stage, uint32_t pid, struct lane *lane, const struct active *active,
			      uint64_t time)
{
	char route[PROTOCOL_OPERATION_SIZE] = "";
	struct run run = {
	    .pid = pid,
	    .tid = lane->tid,
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
	request_claim(lane, route);
	run.route = *route ? route : NULL;
	stage->sink.ran(stage->sink.context, &run);
}

/* Ends the innermost one. Not exact: its return was not seen, and `time` is only when that was noticed. */
static void end_innermost(struct run_stage *stage, uint32_t pid, struct lane *lane, uint64_t time, bool exact)
{
	struct active *active = &lane->active[--lane->active_count];
	struct open_run *run = active->run;

	if (run) {
		run->run.ended = exact ? time : run->last;
		run->run.exact = exact;
		request_claim(lane, run->route);
		book_close(stage, run);
	} else if (exact) {
		end_without_calls(stage, pid, lane, active, time);
	}
	code_release(&stage->codes, active->code);
}

void usdt_end_all(struct run_stage *stage, uint32_t pid, struct lane *lane, bool exact)
{
	while (lane->active_count) {
		struct open_run *run = innermost(lane)->run;

		if (run && !exact)
			run->run.partial = true;
		end_innermost(stage, pid, lane, stage->now, exact);
	}
}

void usdt_end_dispatched(struct run_stage *stage, uint32_t pid, struct lane *lane)
{
	unsigned outermost = 0;

	while (outermost < lane->active_count &&
	       (lane->active[outermost].rank == RANK_OUTERMOST || lane->active[outermost].rank == RANK_NAMED))
		outermost++;
	while (lane->active_count > outermost)
		end_innermost(stage, pid, lane, stage->now, false);
}

static int push(struct lane *lane, const struct nt_function *record, struct code *code, enum rank rank, bool sure)
{
	if (!lane->active)
		lane->active = calloc(STAGE_MAX_ACTIVE, sizeof(*lane->active));
	if (!lane->active)
		return -ENOMEM;
	if (lane->active_count == STAGE_MAX_ACTIVE)
		return 0; /* so deep an endpoint inside endpoints is found another way */
	for (unsigned i = 0; i < lane->active_count && rank != RANK_CALLED; i++)
		lane->active[i].around = true;
	lane->active[lane->active_count++] = (struct active){
	    .frame = record->frame,
	    .began = record->h.time,
	    .code = code_hold(code),
	    .rank = rank,
	    .sure = sure,
	};
	return 0;
}

/* Ends what is inside the frame, whose returns were lost; true if the innermost one is that frame's now. */
static bool unwind_to(struct run_stage *stage, struct lane *lane, const struct nt_function *record,
		      uint64_t code /* 0: any */)
{
	unsigned at = lane->active_count;

	while (at > 0 &&
	       (lane->active[at - 1].frame != record->frame || (code && lane->active[at - 1].code->address != code)))
		at--;
	if (!at)
		return false;
	while (lane->active_count > at)
		end_innermost(stage, record->h.pid, lane, record->h.time, false);
	return true;
}

static int entered(struct run_stage *stage, struct process *process, const struct nt_function *record,
		   struct code *code)
{
	const struct code *caller = record->caller ? code_find(process, record->caller) : NULL;
	struct lane *lane = lane_get(stage, process, record->h.tid, 0);
	enum rank rank;
	bool sure;

	if (!lane)
		return 0;
	/* The frame was given to a new call: the older one is over. */
	if (unwind_to(stage, lane, record, 0))
		end_innermost(stage, record->h.pid, lane, record->h.time, false);
	rank = rank_of(stage, lane, code, caller && caller->known ? caller : NULL, &sure);
	if (rank == RANK_NONE)
		return 0;
	/* Whatever the last run of it was known by: it is over. */
	calls_leave_endpoint(stage, lane, code);
	return push(lane, record, code, rank, sure);
}

static void returned(struct run_stage *stage, struct process *process, const struct nt_function *record)
{
	struct lane *lane = lane_find(process, record->h.tid, 0);

	if (lane && unwind_to(stage, lane, record, record->code))
		end_innermost(stage, record->h.pid, lane, record->h.time, true);
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
static void drop_absent(struct run_stage *stage, struct lane *lane, uint32_t pid, const struct stack *stack)
{
	if (stack->depth == NT_MAX_FRAMES)
		return; /* it may be further out */
	while (lane->active_count && !on_stack(stack, innermost(lane)->code))
		end_innermost(stage, pid, lane, stage->now, false);
}

struct open_run *usdt_run(struct run_stage *stage, struct lane *lane, uint32_t pid, const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;

	drop_absent(stage, lane, pid, stack);
	for (unsigned i = lane->active_count; i-- > 0;) {
		struct active *active = &lane->active[i];

		if (active->code != verdict->code)
			continue;
		if (!active->run) {
			active->run = book_open(stage, RUN_BY_USDT, lane, pid, active->code, verdict->endpoint);
			if (!active->run)
				return NULL;
			active->run->run.began = active->began;
			request_claim(lane, active->run->route);
		}
		return active->run;
	}
	return NULL;
}
