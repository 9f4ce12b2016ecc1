/*
 * process.h: follows the targets' processes: forks, new programs, ends.
 */
#ifndef NT_PROCESS_H
#define NT_PROCESS_H

#include "maps.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = parent->tgid, child_pid = child->tgid;
	struct nt_target *target;
	struct nt_fork record = {};

	if (pid == child_pid)
		return 0; /* a thread */
	target = bpf_map_lookup_elem(&targets, &pid);
	if (!target || !(target->flags & NT_TARGET_FOLLOW))
		return 0;
	if (bpf_map_update_elem(&targets, &child_pid, target, BPF_ANY))
		stat_add(NT_STAT_PROCESSES, 1);
	head_fill(&record.h, NT_FORK, sizeof(record), bpf_ktime_get_ns());
	record.h.pid = pid;
	record.child = child_pid;
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	__u32 pid = task->tgid, tid = old_pid; /* another one's than the process's, if not its first thread called it */
	struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);
	struct nt_head record = {};

	if (!target)
		return 0;
	target->flags &= ~NT_TARGET_PYTHON;
	bpf_map_delete_elem(&threads, &tid);
	bpf_map_delete_elem(&threads, &pid);
	head_fill(&record, NT_EXEC, sizeof(record), bpf_ktime_get_ns());
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 pid = task->tgid, tid = task->pid;
	struct nt_head record = {};

	bpf_map_delete_elem(&threads, &tid);
	if (task->signal->live.counter || !bpf_map_lookup_elem(&targets, &pid))
		return 0;
	head_fill(&record, NT_EXIT, sizeof(record), bpf_ktime_get_ns());
	record.pid = pid;
	record_send(&record, sizeof(record), BPF_RB_FORCE_WAKEUP);
	bpf_map_delete_elem(&targets, &pid);
	return 0;
}

#endif
