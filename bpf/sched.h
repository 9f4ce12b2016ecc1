/*
 * sched.h: what the targets' threads spend their time on, reckoned where the scheduler goes from one thread to another.
 *
 * cpu: from the moment that a thread gets the CPU to the moment that it leaves it, by our clock; interrupts in between
 * are in it. run_queue: the kernel counts it (run_delay), for a thread that was preempted as for one that was woken, at
 * the moment that it gets the CPU, but after the tracepoint: so what a switch adds to it is seen the next time that the
 * thread is looked at while it runs, which is when it is switched away or a record is made (thread.h). lock: off the
 * CPU within futex(2), less the run_delay of that time, and so only what it was blocked. A thread that is preempted
 * within futex(2) is ready all the time, which leaves nothing. sleep: likewise within a sleep. Time off the CPU within
 * any other system call, most of it waiting for the network, is none of these.
 *
 * A switch between other processes' threads costs the tracepoint and two looks at a table of numbers.
 */
#ifndef NT_SCHED_H
#define NT_SCHED_H

#include "thread.h"

/*
 * What a thread that leaves the CPU waits for, by the system call that it is in. Interrupts and faults that come from
 * user mode have no number of one there.
 */
static __always_inline __u32 waits_of(const struct pt_regs *regs)
{
	switch (regs->orig_ax) {
	case 202: /* futex */
	case 449: /* futex_waitv */
	case 455: /* futex_wait */
		return WAITS_LOCK;
	case 35:  /* nanosleep */
	case 230: /* clock_nanosleep */
		return WAITS_SLEEP;
	case 23:  /* select */
	case 270: /* pselect6: of no descriptor at all; time.sleep() before CPython 3.11 */
		return regs->di ? WAITS_OTHER : WAITS_SLEEP;
	case 7:	  /* poll */
	case 271: /* ppoll */
		return regs->si ? WAITS_OTHER : WAITS_SLEEP;
	}
	return WAITS_OTHER;
}

static __always_inline __u32 task_waits(struct task_struct *task)
{
	struct pt_regs regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return waits_of((void *)bpf_task_pt_regs(task));
	if (bpf_probe_read_kernel(&regs, sizeof(regs), task->stack + THREAD_SIZE - sizeof(regs)))
		return WAITS_OTHER;
	return waits_of(&regs);
}

/* The entry of a task's thread, if it is a target's. */
static __always_inline struct thread *thread_of(struct task_struct *task)
{
	__u32 tid = task->pid;

	return *thread_mark(tid) ? bpf_map_lookup_elem(&threads, &tid) : NULL;
}

static __always_inline void thread_leaves(struct thread *thread, struct task_struct *task, __u64 now)
{
	__u64 run_delay = task_run_delay(task);

	thread->times.cpu += now - thread->since;
	times_add_away(thread, run_delay, &thread->times);
	thread->delay = run_delay;
	thread->away = 0;
	thread->waits = task_waits(task);
	thread->since = now;
}

static __always_inline void thread_comes(struct thread *thread, __u64 now)
{
	thread->away = now - thread->since;
	thread->since = now;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempted, struct task_struct *previous, struct task_struct *next)
{
	struct thread *thread = thread_of(previous);

	if (thread)
		thread_leaves(thread, previous, bpf_ktime_get_ns());
	thread = thread_of(next);
	if (thread)
		thread_comes(thread, bpf_ktime_get_ns());
	return 0;
}

#endif
