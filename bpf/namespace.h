/*
 * namespace.h: whose numbers processes and threads go by.
 *
 * The kernel's own are those of the first pid namespace. A daemon in another one, as a sidecar is, knows processes by
 * the numbers that its own /proc shows; so these are what records carry and what the tables have that it fills. A table
 * that is the kernel side's alone (threads) may use the kernel's own, which cost nothing.
 */
#ifndef NT_NAMESPACE_H
#define NT_NAMESPACE_H

#include "common.h"

/* Set by the daemon before loading: it is not in the first pid namespace. */
const volatile __u32 cfg_nested = 0;

/* Set by namespace_learn(). */
__u64 own_namespace; /* struct pid_namespace * of the daemon, which lives as long as the daemon does */
__u32 own_level;     /* how deep it lies below the first one */

/* Are there typed pointers to the kernel's structures (5.11 on)? They are followed without a call. */
#define HAS_TYPED_TASK bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

/*
 * The one of its numbers that counts in the daemon's namespace; 0: nobody sees it from there. A function of its own,
 * because inlined it would cost each of its callers stack.
 */
static __noinline __u32 pid_number(struct pid *pid)
{
	__u32 level = own_level;
	struct upid upid;

	if (!pid || (HAS_TYPED_TASK ? pid->level : BPF_CORE_READ(pid, level)) < level)
		return 0;
	/* Its size and both its fields have been the same since there are pid namespaces. */
	if (bpf_probe_read_kernel(&upid, sizeof(upid),
				  (void *)pid + bpf_core_field_offset(pid->numbers) + level * sizeof(upid)))
		return 0;
	return (__u64)upid.ns == own_namespace ? upid.nr : 0;
}

/* A task's process; 0: it is not to be seen by the daemon. */
static __always_inline __u32 task_process(struct task_struct *task)
{
	if (!cfg_nested)
		return BPF_CORE_READ(task, tgid);
	return pid_number(HAS_TYPED_TASK ? task->signal->pids[PIDTYPE_TGID]
					 : BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
}

/* A task's thread; 0: likewise. */
static __always_inline __u32 task_thread(struct task_struct *task)
{
	if (!cfg_nested)
		return BPF_CORE_READ(task, pid);
	return pid_number(HAS_TYPED_TASK ? task->thread_pid : BPF_CORE_READ(task, thread_pid));
}

/* Of the task that we run in. */
static __always_inline __u32 current_process(void)
{
	if (!cfg_nested)
		return bpf_get_current_pid_tgid() >> 32;
	if (HAS_TYPED_TASK)
		return task_process(bpf_get_current_task_btf());
	return task_process((void *)bpf_get_current_task());
}

/* Process << 32 | thread of the task that we run in. */
static __always_inline __u64 current_id(void)
{
	if (!cfg_nested)
		return bpf_get_current_pid_tgid();
	if (HAS_TYPED_TASK)
		return (__u64)current_process() << 32 | task_thread(bpf_get_current_task_btf());
	return (__u64)current_process() << 32 | task_thread((void *)bpf_get_current_task());
}

/* The kernel's own number of the thread that we run in. */
static __always_inline __u32 current_thread(void)
{
	return bpf_get_current_pid_tgid();
}

/* Run once by the daemon in its own name (BPF_PROG_TEST_RUN): no file tells how deep a namespace lies. */
SEC("?raw_tp")
int namespace_learn(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid upid;

	own_level = BPF_CORE_READ(pid, level);
	if (!bpf_probe_read_kernel(&upid, sizeof(upid),
				   (void *)pid + bpf_core_field_offset(pid->numbers) + own_level * sizeof(upid)))
		own_namespace = (__u64)upid.ns;
	return 0;
}

#endif
