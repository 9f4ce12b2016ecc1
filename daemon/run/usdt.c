/*
 * usdt.c: runs by entry and return of the endpoint's function, see stage.h.
 *
 * A lane's functions that may be endpoints are kept between entry and return, innermost last. "May be" is what the
 * rules of endpoint.h say as far as a function and its caller tell; which one it is for a call, the call's
 * own stack says. Entry and return are paired by frame and code, never by counting: probes skip some (facts of
 * CPython 3.11 and 3.15), and records get lost.
 *
 * A coroutine's or generator's function is left and entered again at each suspension. While it waits, it is kept, but
 * around nothing; it is over when it returns for good, or when its frame is another one's. So its run has its waiting
 * in it.
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

/* Of those that run. */
static struct active *innermost(const struct lane *lane)
{
	for (unsigned i = lane->active_count; i-- > 0;)
		if (!lane->active[i].suspended)
			return &lane->active[i];
	return NULL;
}

static bool any_active(const struct lane *lane, enum rank rank)
{
	for (unsigned i = 0; i < lane->active_count; i++)
		if (lane->active[i].rank == rank && !lane->active[i].suspended)
			return true;
	return false;
}

static bool is_initialiser(const struct code *code)
{
	const char *dot = strrchr(code->name, '.');

	return !strcmp(dot ? dot + 1 : code->name, "__init__");
}

/* The rank of a function of the application's own that was called by `caller` (NULL: not known, or none). */
static enum rank rank_of_own(const struct lane *lane, const struct code *code, const struct code *caller,
			     bool *ret_sure)
{
	const struct active *around = innermost(lane);

	if (caller && caller->dispatcher &&
	    dispatcher_called_by(caller->dispatcher, caller->file, around ? around->code->file : NULL,
				 around ? around->code->name : NULL)) {
		/* What else it calls, and what makes a view's object, are endpoints only if they made calls as ones. */
		*ret_sure = !caller->dispatcher->generic && !is_initialiser(code);
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
		return code->named_by_user && !around ? RANK_NAMED : RANK_NONE;
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
	const struct call *request;
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
	request = request_claim(lane);
	run.route = request && *request->operation ? request->operation : NULL;
	stage->sink.ran(stage->sink.context, &run);
}

/* How one ends. */
struct ending {
	uint32_t pid;
	uint64_t time;
	bool exact;		 /* its return was seen; else `time` is only when that was noticed */
	struct call_times spent; /* by the thread until then, where its return was seen */
};

static void end_run(struct run_stage *stage, struct lane *lane, const struct active *active,
		    const struct ending *ending)
{
	struct open_run *run = active->run;

	run->run.ended = ending->exact ? ending->time : run->last;
	run->run.exact = ending->exact;
	book_enter_network(run, &ending->spent);
	request_tell(request_claim(lane), run);
	book_close(stage, run);
}

static void end_active(struct run_stage *stage, struct lane *lane, struct active *active, const struct ending *ending)
{
	struct active ended = *active;

	memmove(active, active + 1, (char *)&lane->active[lane->active_count] - (char *)(active + 1));
	lane->active_count--;
	if (ended.run)
		end_run(stage, lane, &ended, ending);
	else if (ending->exact)
		end_without_calls(stage, ending->pid, lane, &ended, ending->time);
	code_release(&stage->codes, ended.code);
}

/* Ends the one that was entered last, or waits. */
static void end_last(struct run_stage *stage, uint32_t pid, struct lane *lane, bool exact)
{
	const struct ending ending = {.pid = pid, .time = stage->now, .exact = exact};

	end_active(stage, lane, &lane->active[lane->active_count - 1], &ending);
}

void usdt_end_all(struct run_stage *stage, uint32_t pid, struct lane *lane, bool exact)
{
	while (lane->active_count) {
		struct open_run *run = lane->active[lane->active_count - 1].run;

		if (run && !exact)
			run->run.partial = true;
		end_last(stage, pid, lane, exact);
	}
}

void usdt_end_dispatched(struct run_stage *stage, uint32_t pid, struct lane *lane)
{
	unsigned outermost = 0;

	while (outermost < lane->active_count &&
	       (lane->active[outermost].rank == RANK_OUTERMOST || lane->active[outermost].rank == RANK_NAMED))
		outermost++;
	while (lane->active_count > outermost)
		end_last(stage, pid, lane, false);
}

/* Generators that nobody goes on with, and nobody closes, would take all the room. */
static void make_room(struct run_stage *stage, uint32_t pid, struct lane *lane)
{
	const struct ending ending = {.pid = pid, .time = stage->now};

	for (unsigned i = 0; i < lane->active_count && lane->active_count == STAGE_MAX_ACTIVE; i++)
		if (lane->active[i].suspended)
			end_active(stage, lane, &lane->active[i], &ending);
}

/* What the thread had spent at an entry or a return. */
static struct call_times spent_at(const struct nt_function *record)
{
	return (struct call_times){.tid = record->h.tid, .spent = record->times};
}

static int push(struct run_stage *stage, struct lane *lane, const struct nt_function *record, struct code *code,
		enum rank rank, bool sure)
{
	if (!lane->active)
		lane->active = calloc(STAGE_MAX_ACTIVE, sizeof(*lane->active));
	if (!lane->active)
		return -ENOMEM;
	make_room(stage, record->h.pid, lane);
	if (lane->active_count == STAGE_MAX_ACTIVE)
		return 0; /* so deep an endpoint inside endpoints is found another way */
	for (unsigned i = 0; i < lane->active_count && rank != RANK_CALLED; i++)
		if (!lane->active[i].suspended)
			lane->active[i].around = true;
	lane->active[lane->active_count++] = (struct active){
	    .frame = record->frame,
	    .began = record->h.time,
	    .began_at = spent_at(record),
	    .code = code_hold(code),
	    .rank = rank,
	    .sure = sure,
	};
	return 0;
}

static struct active *find_active(const struct lane *lane, uint64_t frame, uint64_t code /* 0: any */)
{
	for (unsigned i = lane->active_count; i-- > 0;)
		if (lane->active[i].frame == frame && (!code || lane->active[i].code->address == code))
			return &lane->active[i];
	return NULL;
}

/* Ends what runs inside of one that is left: those returns were lost. */
static void end_inside(struct run_stage *stage, struct lane *lane, const struct nt_function *record,
		       const struct active *active)
{
	const struct ending ending = {.pid = record->h.pid, .time = record->h.time};

	for (unsigned i = lane->active_count; !active->suspended && &lane->active[i - 1] > active; i--)
		if (!lane->active[i - 1].suspended)
			end_active(stage, lane, &lane->active[i - 1], &ending);
}

/* The lane that a function runs in, as who.c has it. */
static uint64_t lane_id(const struct process *process, const struct nt_function *record)
{
	if (record->coroutine)
		return record->coroutine;
	return process->greenlets ? record->base : 0;
}

static int entered(struct run_stage *stage, struct process *process, const struct nt_function *record,
		   struct code *code)
{
	const struct code *caller = record->caller ? code_find(process, record->caller) : NULL;
	const struct ending unseen = {.pid = record->h.pid, .time = record->h.time};
	struct lane *lane = lane_get(stage, process, record->h.tid, lane_id(process, record));
	struct active *old;
	enum rank rank;
	bool sure;

	if (!lane)
		return 0;
	lane->task = record->coroutine != 0;
	/* The frame was given to a new call: the older one is over. */
	old = find_active(lane, record->frame, 0);
	if (old) {
		end_inside(stage, lane, record, old);
		end_active(stage, lane, old, &unseen);
	}
	rank = rank_of(stage, lane, code, caller && caller->known ? caller : NULL, &sure);
	if (rank == RANK_NONE)
		return 0;
	/* Whatever the last run of it was known by: it is over. */
	calls_leave_endpoint(stage, lane, code);
	return push(stage, lane, record, code, rank, sure);
}

/* While it waits, what its thread spends is others'. */
static void suspended(struct active *active, const struct nt_function *record)
{
	const struct call_times spent = spent_at(record);

	active->suspended = active->waited = true;
	if (active->run)
		book_enter_network(active->run, &spent);
}

/* It goes on: what runs now is inside of what ran last. */
static void resumed(struct lane *lane, struct active *active, const struct nt_function *record)
{
	const struct call_times spent = spent_at(record);
	struct active again = *active;
	struct active *last = &lane->active[lane->active_count - 1];

	again.suspended = false;
	if (again.run)
		book_leave_network(again.run, &spent);
	memmove(active, active + 1, (char *)last - (char *)active);
	*last = again;
}

static void passed(struct run_stage *stage, struct process *process, const struct nt_function *record)
{
	struct lane *lane = lane_find(process, record->h.tid, lane_id(process, record));
	struct active *active = lane ? find_active(lane, record->frame, record->code) : NULL;
	const struct ending ending = {
	    .pid = record->h.pid, .time = record->h.time, .exact = true, .spent = spent_at(record)};

	if (!active)
		return; /* it began before the capture, or is no endpoint */
	lane->tid = record->h.tid;
	if (record->passage == NT_RESUMED) {
		if (active->suspended)
			resumed(lane, active, record);
		return;
	}
	end_inside(stage, lane, record, active);
	if (record->passage == NT_SUSPENDED)
		suspended(active, record);
	else
		end_active(stage, lane, active, &ending);
}

int usdt_feed(struct run_stage *stage, const struct nt_function *record)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	struct code *code;

	if (!process)
		return 0;
	if (record->passage != NT_ENTERED) {
		passed(stage, process, record);
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

/* What runs and is not on the stack of a call has returned, and that record was lost. */
static void drop_absent(struct run_stage *stage, struct lane *lane, uint32_t pid, const struct stack *stack)
{
	const struct ending unseen = {.pid = pid, .time = stage->now};
	struct active *active;

	/* It may be further out. In a task the call may be one that was asked for before, and is made only now. */
	if (stack->depth == NT_MAX_FRAMES || lane->task)
		return;
	while ((active = innermost(lane)) && !on_stack(stack, active->code))
		end_active(stage, lane, active, &unseen);
}

/* The one that is this stack's endpoint; NULL: its entry was not seen. */
static struct active *find_endpoint(const struct lane *lane, const struct call_owner *owner, const struct stack *stack)
{
	uint64_t frame = who_frame(owner, stack, stack->verdict.index);

	for (unsigned i = lane->active_count; i-- > 0;) {
		struct active *active = &lane->active[i];

		if (active->code == stack->verdict.code && (frame ? active->frame == frame : !active->suspended))
			return active;
	}
	return NULL;
}

struct open_run *usdt_run(struct run_stage *stage, struct lane *lane, const struct call_owner *owner,
			  const struct stack *stack)
{
	struct active *active;

	drop_absent(stage, lane, owner->pid, stack);
	active = find_endpoint(lane, owner, stack);
	if (!active)
		return NULL;
	if (!active->run) {
		active->run = book_open(stage, RUN_BY_USDT, lane, owner->pid, active->code, stack->verdict.endpoint);
		if (!active->run)
			return NULL;
		active->run->run.began = active->began;
		if (!active->waited)
			book_leave_network(active->run, &active->began_at);
		request_tell(request_claim(lane), active->run);
	}
	return active->run;
}
