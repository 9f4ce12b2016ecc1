/*
 * request.c: runs by the request that the thread is answering, see stage.h.
 *
 * A thread answers a request from its first byte until the response was sent, or until it reads the next request. When
 * several connections have unanswered requests on one thread, it serves them by turns (an event loop, greenlets), and
 * which one a call is for this way does not know.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void request_leave_thread(struct request *request)
{
	if (!request->thread)
		return;
	DL_DELETE2(request->thread->requests, request, thread_prev, thread_next);
	request->thread = NULL;
}

/*
 * A thread that reads a request is done with what it has answered, and is in no endpoint's run. Only its youngest
 * request can be answered and still be here (request_responding()).
 */
static void thread_reads(struct run_stage *stage, struct thread *thread, uint32_t pid)
{
	struct request *youngest = thread->requests ? thread->requests->thread_prev : NULL;

	if (youngest && youngest->call->in_first)
		request_leave_thread(youngest);
	usdt_end_dispatched(stage, pid, thread);
	calls_leave(stage, thread, NULL);
}

void request_began(struct run_stage *stage, struct call *call)
{
	struct process *process = process_find(&stage->codes, call->owner.pid);
	struct request *request = calloc(1, sizeof(*request));

	call->user = request;
	if (!request)
		return;
	request->call = call;
	DL_APPEND(stage->requests, request);
	request->thread = process ? thread_get(stage, process, call->owner.tid) : NULL;
	if (!request->thread)
		return;
	request->thread->answers = true;
	thread_reads(stage, request->thread, call->owner.pid);
	DL_APPEND2(request->thread->requests, request, thread_prev, thread_next);
}

void request_responding(struct call *call)
{
	struct request *request = call->user;

	/* While it answers, others wait on its thread: after this it is their turn, unless they are in line behind it.
	 */
	if (request && request->thread && request->thread_next &&
	    request->thread_next->call->connection != call->connection)
		request_leave_thread(request);
}

/* The request that the thread is answering. Of several on one connection, answers come in order. */
static struct request *current(const struct thread *thread)
{
	struct request *oldest = thread->requests;

	for (const struct request *request = oldest; request; request = request->thread_next)
		if (request->call->connection != oldest->call->connection)
			return NULL;
	return oldest;
}

void request_claim(struct thread *thread, char *route)
{
	struct request *request = current(thread);

	if (!request)
		return;
	request->had_run = true;
	memcpy(route, request->call->operation, PROTOCOL_OPERATION_SIZE);
}

struct open_run *request_run(struct run_stage *stage, struct thread *thread, uint32_t pid, const struct stack *stack)
{
	const struct stack_verdict *verdict = &stack->verdict;
	struct request *request = current(thread);
	struct open_run *run;

	if (!request)
		return NULL;
	for (run = request->runs; run; run = run->peer)
		if (run->run.endpoint == verdict->endpoint)
			return run;
	run = book_open(stage, RUN_BY_REQUEST, thread, pid, verdict->code, verdict->endpoint);
	if (!run)
		return NULL;
	run->peer = request->runs;
	request->runs = run;
	request->had_run = true;
	return run;
}

void request_end_runs(struct run_stage *stage, struct request *request)
{
	const struct call *call = request->call;

	while (request->runs) {
		struct open_run *run = request->runs;

		request->runs = run->peer;
		run->run.began = call->out_last ? call->out_last : call->out_first;
		run->run.ended = call->in_first;
		/* Not answered: the client went, or the capture ended, while it was at work. */
		run->run.partial = !call->in_first;
		memcpy(run->route, call->operation, sizeof(run->route));
		book_close(stage, run);
	}
}

void request_ended(struct run_stage *stage, struct call *call)
{
	struct request *request = call->user;
	bool had_run = request && request->had_run;

	if (request) {
		request_end_runs(stage, request);
		request_leave_thread(request);
		DL_DELETE(stage->requests, request);
		free(request);
	}
	call->user = NULL;
	stage->sink.requested(stage->sink.context, call, had_run);
}

void request_clear(struct run_stage *stage)
{
	while (stage->requests) {
		struct request *request = stage->requests;

		request_leave_thread(request);
		DL_DELETE(stage->requests, request);
		free(request);
	}
}
