/*
 * sched.h: what the targets' threads spend their time on, reckoned where the scheduler goes from one thread to another.
 *
 * cpu: what the kernel says that the thread had run when it got the CPU, and since then by our clock.
 * run_queue: the kernel counts it (run_delay), for a thread that was preempted as for one that was woken, when it gets
 *     the CPU, but after the tracepoint.
 * lock, sleep: from leaving the CPU within futex(2) or a sleep to getting it again, by our clock, less the run_delay of
 *     that time, which is known from the next look at the thread while it runs on: it was not blocked any more. One
 *     that is preempted there was ready all the time, which leaves nothing.
 *
 * Time off the CPU within other system calls, most of it waiting for the network, is none of these, and its beginning
 * is not noted. Two things are inexact: what a thread ran between the last tick and its first record is counted after
 * that record, and a wait that a signal has interrupted and the kernel goes on with (restart_syscall(2)) is not counted
 * from then on.
 *
 * A switch between other processes' threads costs the tracepoint and two looks at a table of numbers.
 */
#ifndef NT_SCHED_H
#define NT_SCHED_H

#include "thread.h"

/* By the system call that a task is in. Interrupts and faults that come from user mode have no number of one there. */
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
		return regs->di ? WAITS_NOT : WAITS_SLEEP;
	case 7:	  /* poll */
	case 271: /* ppoll */
		return regs->si ? WAITS_NOT : WAITS_SLEEP;
	}
	return WAITS_NOT;
}

static __always_inline __u32 task_waits(struct task_struct *task)
{
	struct pt_regs regs;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return waits_of((void *)bpf_task_pt_regs(task));
	if (bpf_probe_read_kernel(&regs, sizeof(regs), task->stack + THREAD_SIZE - sizeof(regs)))
		return WAITS_NOT;
	return waits_of(&regs);
}

/* Books the last wait, before the next one or a later turn on the CPU changes what it is reckoned from. */
static __always_inline void thread_book(struct thread *thread, __u64 run_delay)
{
	__u32 waits = thread->waits;

	if (!thread->away || waits > WAITS_SLEEP)
		return;
	thread->waited[waits] += thread_unbooked(thread, run_delay);
	thread->away = 0;
}

static __always_inline void thread_leaves(struct task_struct *task)
{
	__u32 tid = task->pid, waits = task_waits(task);
	struct thread *thread;

	if (waits == WAITS_NOT)
		return;
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread)
		return;
	thread_book(thread, task_account(task).run_delay);
	thread->waits = waits;
	thread->left = bpf_ktime_get_ns();
}

static __always_inline void thread_comes(struct task_struct *task)
{
	struct task_account account;
	struct thread *thread;
	__u32 tid = task->pid;

	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread)
		return;
	account = task_account(task);
	thread_book(thread, account.run_delay);
	thread->ran = account.ran;
	thread->since = bpf_ktime_get_ns();
	if (thread->left) {
		thread->away = thread->since - thread->left;
		thread->left = 0;
		thread->delay = account.run_delay;
	}
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(sched_switch, bool preempted, struct task_struct *previous, struct task_struct *next)
{
	if (*thread_mark(previous->pid))
		thread_leaves(previous);
	if (*thread_mark(next->pid))
		thread_comes(next);
	return 0;
}

#endif
