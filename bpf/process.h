/*
 * process.h: follows the targets' processes: forks, new programs, ends.
 */
#ifndef NT_PROCESS_H
#define NT_PROCESS_H

#include "handover.h"

/* A pid comes again after thousands of others at the earliest, long after the clock has moved on. */
static __always_inline __u32 new_generation(__u64 now)
{
	return (__u32)(now >> 8) | 1;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct nt_target *target, copy;
	struct nt_fork record = {};
	__u32 pid, child_pid;
	__u64 now;

	if (parent->tgid == child->tgid) {
		on_thread(task_thread(child));
		return 0;
	}
	pid = task_process(parent);
	child_pid = task_process(child);
	target = bpf_map_lookup_elem(&targets, &pid);
	if (!target || !(target->flags & NT_TARGET_FOLLOW))
		return 0;
	now = bpf_ktime_get_ns();
	copy = *target;
	copy.generation = new_generation(now);
	if (bpf_map_update_elem(&targets, &child_pid, &copy, BPF_ANY))
		stat_add(NT_STAT_PROCESSES, 1);
	head_fill(&record.h, NT_FORK, sizeof(record), now);
	record.h.pid = pid;
	record.child = child_pid;
	record.generation = copy.generation;
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 pid = task_process(task), thread = task->pid;
	__u32 caller = old_pid; /* another one than the process's first thread has called it, perhaps */
	struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);
	struct nt_head record = {};
	__u64 now;

	if (!target && !(cfg_watch_execs && pid))
		return 0;
	now = bpf_ktime_get_ns();
	if (target) {
		target->flags &= ~NT_TARGET_PYTHON;
		target->generation = new_generation(now);
	}
	thread_forget(caller);
	thread_forget(thread);
	head_fill(&record, NT_EXEC, sizeof(record), now);
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 thread = task->pid, pid;
	struct nt_head record = {};

	thread_forget(thread);
	if (task->signal->live.counter)
		return 0;
	pid = task_process(task);
	if (!bpf_map_lookup_elem(&targets, &pid))
		return 0;
	head_fill(&record, NT_EXIT, sizeof(record), bpf_ktime_get_ns());
	record.pid = pid;
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	bpf_map_delete_elem(&targets, &pid);
	return 0;
}

#endif
