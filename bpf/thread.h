/*
 * thread.h: the current thread and its process, as the tables know them, and what the thread has spent so far.
 */
#ifndef NT_THREAD_H
#define NT_THREAD_H

#include "maps.h"

#define THREAD_SIZE 16384 /* x86-64's kernel stack; only used before 5.15, which has no padding above it */

/* Set by the daemon before loading: sched.h is on. */
const volatile __u32 cfg_times = 0;

/* Set by the daemon when they cost too much: from then on nobody counts. */
__u32 times_stopped;

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

/* What the kernel itself counts of a task: how long it ran, how long it was ready and had no CPU. Totals, ns. */
struct task_account {
	__u64 ran;	 /* as of when it last left the CPU, or of the last tick if it is on it */
	__u64 run_delay; /* counted when it gets the CPU; 0: not in this kernel */
};

/* Of a typed pointer: such are followed without a call. */
static __always_inline struct task_account task_account(struct task_struct *task)
{
	struct task_account account = {.ran = task->se.sum_exec_runtime};

	if (bpf_core_field_exists(task->sched_info.run_delay))
		account.run_delay = task->sched_info.run_delay;
	return account;
}

static __always_inline struct task_account current_account(void)
{
	struct task_account account = {};

	/* The helper that gives a typed pointer came with 5.11. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return task_account(bpf_get_current_task_btf());
	struct task_struct *task = (void *)bpf_get_current_task();

	account.ran = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (bpf_core_field_exists(task->sched_info.run_delay))
		account.run_delay = BPF_CORE_READ(task, sched_info.run_delay);
	return account;
}

/* How much of a thread's last wait is not in `waited` yet: less than it was away, for then it had to wait for a CPU. */
static __always_inline __u64 thread_unbooked(const struct thread *thread, __u64 run_delay)
{
	__u64 queued = run_delay - thread->delay;

	return thread->away > queued ? thread->away - queued : 0;
}

/* What the current thread has spent until `now`. Reads only: sched.h may come in between. */
static __always_inline void thread_times(const struct thread *thread, __u64 now, struct nt_times *ret_times)
{
	struct task_account account;

	if (!cfg_times || times_stopped)
		return;
	account = current_account();
	ret_times->cpu = thread->ran + (now > thread->since ? now - thread->since : 0);
	ret_times->run_queue = account.run_delay;
	ret_times->lock = thread->waited[WAITS_LOCK];
	ret_times->sleep = thread->waited[WAITS_SLEEP];
	if (thread->waits == WAITS_LOCK)
		ret_times->lock += thread_unbooked(thread, account.run_delay);
	else
		ret_times->sleep += thread_unbooked(thread, account.run_delay);
}

/* Gives the current thread an entry. 1; 0: the table is full. Not inline: it takes much of the stack. */
__noinline int thread_add(__u32 tid)
{
	struct thread fresh = {};

	if (cfg_times) {
		fresh.since = bpf_ktime_get_ns();
		fresh.ran = current_account().ran;
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
	__u32 pid = current_process();
	struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);

	return target && target->flags & NT_TARGET_TRACE ? target : NULL;
}

/* The current thread's entry and its target; NULL: it is no target's, or has no place. */
static __always_inline struct thread *thread_of_target(struct nt_target **ret_target)
{
	*ret_target = target_get();
	return *ret_target ? thread_get() : NULL;
}

/*
 * The current thread's entry, if it is a target's; perhaps also of one that is a target no more, so what uses it must
 * do no harm there. Most targets' threads have one, which then says what they are in one look-up.
 */
static __always_inline struct thread *thread_traced(void)
{
	__u32 tid = current_thread();
	struct thread *thread = *thread_mark(tid) ? bpf_map_lookup_elem(&threads, &tid) : NULL;

	return thread || !target_get() ? thread : thread_get();
}

#endif
