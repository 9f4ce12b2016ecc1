/*
 * thread.h: the current thread and its process, as the tables know them, and what the thread has spent so far.
 */
#ifndef NT_THREAD_H
#define NT_THREAD_H

#include "maps.h"

#define THREAD_SIZE 16384 /* x86-64's kernel stack; only used before 5.15, which has no padding above it */

/* Set by the daemon before loading: sched.h is on. */
const volatile __u32 cfg_times = 0;

/*
 * How many threads in the table have these lowest bits in their number: what a switch of any other process has to look
 * at. So large that the targets' threads seldom fill more than a few hundredths of it.
 */
#define THREAD_MARKS 16384
__u32 thread_marks[THREAD_MARKS];

static __always_inline __u32 *thread_mark(__u32 tid)
{
	return &thread_marks[tid & (THREAD_MARKS - 1)];
}

/* ns that a task has waited for a CPU in its life; counted when it gets one. 0: this kernel does not say. */
static __always_inline __u64 task_run_delay(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->sched_info.run_delay))
		return 0;
	return BPF_CORE_READ(task, sched_info.run_delay);
}

static __always_inline __u64 current_run_delay(void)
{
	/* Typed pointers are followed without a call; the helper that gives one came with 5.11. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf) &&
	    bpf_core_field_exists(struct task_struct, sched_info.run_delay))
		return bpf_get_current_task_btf()->sched_info.run_delay;
	return task_run_delay((void *)bpf_get_current_task());
}

/* Adds a thread's last time off the CPU to its times, once it is on it again and its wait for it is counted. */
static __always_inline void times_add_away(const struct thread *thread, __u64 run_delay, struct nt_times *times)
{
	__u64 queued = run_delay - thread->delay, blocked = thread->away > queued ? thread->away - queued : 0;

	times->run_queue += queued;
	if (thread->waits == WAITS_LOCK)
		times->lock += blocked;
	if (thread->waits == WAITS_SLEEP)
		times->sleep += blocked;
}

/* What the current thread has spent until `now`. Reads only: sched.h may come in between. */
static __always_inline void thread_times(const struct thread *thread, __u64 now, struct nt_times *ret_times)
{
	if (!cfg_times)
		return;
	*ret_times = thread->times;
	if (now > thread->since)
		ret_times->cpu += now - thread->since;
	times_add_away(thread, current_run_delay(), ret_times);
}

/* Gives the current thread an entry. 1; 0: the table is full. Not inline: it takes much of the stack. */
__noinline int thread_add(__u32 tid)
{
	struct thread fresh = {};

	if (cfg_times) {
		fresh.since = bpf_ktime_get_ns();
		fresh.delay = current_run_delay();
	}
	if (bpf_map_update_elem(&threads, &tid, &fresh, BPF_NOEXIST)) {
		stat_add(NT_STAT_THREADS, 1);
		return 0;
	}
	__sync_fetch_and_add(thread_mark(tid), 1);
	return 1;
}

/* The current thread's entry; made at its first socket call. */
static __always_inline struct thread *thread_get(void)
{
	__u32 tid = current_thread();
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);

	return thread || !thread_add(tid) ? thread : bpf_map_lookup_elem(&threads, &tid);
}

/* The thread ends, or another program begins in it. */
static __always_inline void thread_forget(__u32 tid)
{
	if (!bpf_map_delete_elem(&threads, &tid))
		__sync_fetch_and_add(thread_mark(tid), -1);
}

static __always_inline struct nt_target *target_get(void)
{
	__u32 pid = current_id() >> 32;
	struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);

	return target && target->flags & NT_TARGET_TRACE ? target : NULL;
}

#endif
