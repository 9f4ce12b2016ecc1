/*
 * request.c: runs by the request that the lane is answering, see stage.h.
 *
 * A lane answers a request from its first byte until the response was sent, or until it reads the next request. An
 * event loop reads for all its tasks: which of them answers shows when the task is made for the request (run.c), or at
 * the latest when it sends the response. Until then the request is the loop's, and with several of them on one lane it
 * is not known which one a call is for.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define REQUEST_MAX_ANCESTORS 8 /* tasks that made each other for one request */

/* Are these two of one lane, next to each other, from different connections? NULL: there is none. */
static bool differ(const struct request *a, const struct request *b)
{
	return a && b && a->call->connection != b->call->connection;
}

static void join_lane(struct request *request, struct lane *lane)
{
	struct request *youngest = lane->requests ? lane->requests->lane_prev : NULL;

	request->lane = lane;
	lane->changes += differ(youngest, request);
	DL_APPEND2(lane->requests, request, lane_prev, lane_next);
}

void request_leave_lane(struct request *request)
{
	struct lane *lane = request->lane;
	struct request *before, *behind = request->lane_next;

	if (!lane)
		return;
	before = request == lane->requests ? NULL : request->lane_prev;
	lane->changes += differ(before, behind) - differ(before, request) - differ(request, behind);
	DL_DELETE2(lane->requests, request, lane_prev, lane_next);
	request->lane = NULL;
}

/*
 * A thread that reads a request is done with what it has answered, and is in no endpoint's run. Only its youngest
 * request can be answered and still be here (request_responding()).
 */
static void lane_reads(struct run_stage *stage, struct lane *lane, uint32_t pid)
{
	struct request *youngest = lane->requests ? lane->requests->lane_prev : NULL;

	if (youngest && youngest->call->in_first)
		request_leave_lane(youngest);
	usdt_end_dispatched(stage, pid, lane);
	calls_leave(stage, lane, NULL);
}

/* The lane that read a request. `ret_shared`: it was an event loop, for one of its tasks or callbacks. */
static struct lane *reader_of(struct run_stage *stage, const struct call *call, bool *ret_shared)
{
	struct process *process = process_find(&stage->codes, call->owner.pid);
	struct who who;

	if (!process)
		return NULL;
	if (call->owner.stack && who_find(stage, &call->owner, &who) == RUN_REASON_COUNT) {
		*ret_shared = who_is_loop(&who);
		return who.lane;
	}
	return lane_get(stage, process, call->owner.tid, 0);
}

void request_began(struct run_stage *stage, struct call *call)
{
	struct request *request = calloc(1, sizeof(*request));
	struct lane *lane;

	call->user = request;
	if (!request)
		return;
	request->call = call;
	stage->serves = true;
	request->number = ++stage->numbers;
	HASH_ADD(hh, stage->requests_by_number, number, sizeof(request->number), request);
	if (request->refused) {
		free(request);
		call->user = NULL;
		return;
	}
	DL_APPEND(stage->requests, request);
	/* An answer alone tells nothing of when the work for it began. */
	lane = call->out_first ? reader_of(stage, call, &request->shared) : NULL;
	if (!lane)
		return;
	lane->answers = true;
	lane_reads(stage, lane, call->owner.pid);
	join_lane(request, lane);
}

struct request *request_find(const struct run_stage *stage, uint64_t number)
{
	struct request *request;

	HASH_FIND(hh, stage->requests_by_number, &number, sizeof(number), request);
	return request;
}

void request_revise(struct run_stage *stage, struct process *process)
{
	for (struct request *request = stage->requests; request; request = request->next) {
		const struct call_owner *owner = &request->call->owner;
		struct who reader = {0};

		if (!request->lane || request->answered || owner->pid != process->pid || !owner->stack)
			continue;
		reader.stack = stack_find(process, owner->stack);
		if (reader.stack && who_judge(stage, process, reader.stack) && who_is_loop(&reader))
			request->shared = true;
	}
}

/* The task that sends the response can be made by the one that found it: those made since the request work for it. */
static void give_of_ancestors(struct run_stage *stage, struct request *request, const struct who *who)
{
	const struct origin *origin = who->origin;

	for (unsigned i = 0; i < REQUEST_MAX_ANCESTORS && origin && origin->parent; i++) {
		struct lane *lane = lane_find(who->process, 0, origin->parent);

		if (origin->kind != NT_HANDOVER_TASK || origin->since < request->call->out_first || !lane)
			return;
		origin = origin_find(who->process, NT_HANDOVER_TASK, origin->parent);
		if (origin && origin->since >= request->call->out_first)
			calls_give(stage, lane, request);
	}
}

/* Another lane than the one that read it sends the response: it is the one that answers. */
static void answered_by(struct run_stage *stage, struct request *request, const struct call_owner *by)
{
	struct who who;

	if (who_find(stage, by, &who) != RUN_REASON_COUNT || !who.lane || who.lane == request->lane)
		return;
	/* A loop that sends what one of its tasks has written says nothing of who that was. */
	if (who_is_loop(&who))
		return;
	request_leave_lane(request);
	request->shared = false;
	request->answered = true;
	join_lane(request, who.lane);
	calls_give(stage, who.lane, request);
	give_of_ancestors(stage, request, &who);
}

void request_answering(struct run_stage *stage, struct call *call, const struct call_owner *by)
{
	if (call->user)
		answered_by(stage, call->user, by);
}

void request_responding(const struct call *call)
{
	struct request *request = call->user;

	/* While it answers, others wait on its thread: after this it is their turn, unless they are in line behind it.
	 */
	if (request && request->lane && request->lane_next && request->lane_next->call->connection != call->connection)
		request_leave_lane(request);
}

/* Of several on one connection, answers come in order. */
struct request *request_current(const struct lane *lane)
{
	return lane->requests && !lane->changes && !lane->requests->shared ? lane->requests : NULL;
}

/* The youngest one is the likeliest to be it. */
struct request *request_read(const struct lane *lane)
{
	struct request *request = lane->requests ? lane->requests->lane_prev : NULL;

	while (request && request->call->connection != lane->read)
		request = request == lane->requests ? NULL : request->lane_prev;
	return request;
}

const struct call *request_claim(struct lane *lane)
{
	struct request *request = request_current(lane);

	if (!request)
		return NULL;
	request->had_run = true;
	return request->call;
}

void request_tell(const struct call *request, struct open_run *run)
{
	if (!request)
		return;
	memcpy(run->route, request->operation, sizeof(run->route));
	content_release(run->run.asked);
	run->run.asked = content_hold(request->content);
}

struct open_run *request_run(struct run_stage *stage, struct request *request, struct lane *lane, uint32_t pid,
			     const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;
	struct open_run *run;

	for (run = request->runs; run; run = run->peer)
		if (run->run.endpoint == verdict->endpoint)
			return run;
	run = book_open(stage, RUN_BY_REQUEST, lane, pid, verdict->code, verdict->endpoint);
	if (!run)
		return NULL;
	run->peer = request->runs;
	request->runs = run;
	book_leave_network(run, &request->call->out_times);
	return run;
}

void request_end_runs(struct run_stage *stage, struct request *request)
{
	const struct call *call = request->call;

	while (request->runs) {
		struct open_run *run = request->runs;

		request->runs = run->peer;
		/* A package's function that only handed over work was the framework itself, mostly. */
		if (run->run.calls || run->run.connects || run->bindings || run->code->own != CODE_FOREIGN)
			request->had_run = true;
		run->run.began = call->out_last ? call->out_last : call->out_first;
		run->run.ended = call->in_first;
		book_enter_network(run, &call->in_times); /* the response: the end of what was beside */
		/* Not answered: the client went, or the capture ended, while it was at work. */
		run->run.partial = !call->in_first;
		request_tell(call, run);
		book_close(stage, run);
	}
}

void request_ended(struct run_stage *stage, struct call *call)
{
	struct request *request = call->user;
	bool had_run = false;

	if (request) {
		request_end_runs(stage, request);
		had_run = request->had_run;
		request_leave_lane(request);
		DL_DELETE(stage->requests, request);
		HASH_DEL(stage->requests_by_number, request);
		free(request);
	}
	call->user = NULL;
	stage->sink.requested(stage->sink.context, call, had_run);
}

void request_clear(struct run_stage *stage)
{
	struct request *request, *next;

	HASH_CLEAR(hh, stage->requests_by_number);
	for (request = stage->requests; request; request = next) {
		next = request->next;
		request_leave_lane(request);
		free(request);
	}
	stage->requests = NULL;
}
