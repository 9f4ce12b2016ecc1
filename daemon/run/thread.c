/*
 * thread.c: the threads of a process, see stage.h.
 */
#include "stage.h"

#include <stdlib.h>

struct thread *thread_find(struct process *process, uint32_t tid)
{
	struct thread *thread;

	HASH_FIND(hh, process->threads, &tid, sizeof(tid), thread);
	return thread;
}

struct thread *thread_get(struct run_stage *stage, struct process *process, uint32_t tid)
{
	struct thread *thread = thread_find(process, tid);

	if (!thread && stage->thread_count < STAGE_MAX_THREADS) {
		thread = calloc(1, sizeof(*thread));
		if (!thread)
			return NULL;
		thread->tid = tid;
		HASH_ADD(hh, process->threads, tid, sizeof(thread->tid), thread);
		if (thread->refused) {
			free(thread);
			return NULL;
		}
		stage->thread_count++;
	}
	if (thread)
		thread->seen = stage->now;
	return thread;
}

bool thread_is_idle(const struct thread *thread)
{
	return !thread->active_count && !thread->requests && !thread->runs;
}

void thread_remove(struct run_stage *stage, struct process *process, struct thread *thread)
{
	usdt_end_all(stage, process->pid, thread, true);
	calls_leave(stage, thread, NULL);
	while (thread->requests)
		request_leave_thread(thread->requests);
	thread_free(stage, process, thread);
}

void thread_free(struct run_stage *stage, struct process *process, struct thread *thread)
{
	for (unsigned i = 0; i < thread->active_count; i++)
		code_release(&stage->codes, thread->active[i].code);
	HASH_DEL(process->threads, thread);
	stage->thread_count--;
	free(thread->active);
	free(thread);
}
