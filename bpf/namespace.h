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

/* The one of its numbers that counts in the daemon's namespace; 0: nobody sees it from there. */
static __always_inline __u32 pid_number(struct pid *pid)
{
	__u32 level = own_level;
	struct upid *upid;

	if (!pid || BPF_CORE_READ(pid, level) < level)
		return 0;
	upid = (void *)pid + bpf_core_field_offset(pid->numbers) + level * bpf_core_type_size(struct upid);
	return (__u64)BPF_CORE_READ(upid, ns) == own_namespace ? BPF_CORE_READ(upid, nr) : 0;
}

static __noinline __u64 task_id_nested(struct task_struct *task)
{
	__u64 pid = pid_number(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));

	return pid ? pid << 32 | pid_number(BPF_CORE_READ(task, thread_pid)) : 0;
}

/* A task's process << 32 | thread; 0: not to be seen by the daemon. */
static __always_inline __u64 task_id(struct task_struct *task)
{
	if (cfg_nested)
		return task_id_nested(task);
	return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
}

/* Likewise of the task that we run in. */
static __always_inline __u64 current_id(void)
{
	return cfg_nested ? task_id_nested((void *)bpf_get_current_task()) : bpf_get_current_pid_tgid();
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
	struct upid *upid;

	own_level = BPF_CORE_READ(pid, level);
	upid = (void *)pid + bpf_core_field_offset(pid->numbers) + own_level * bpf_core_type_size(struct upid);
	own_namespace = (__u64)BPF_CORE_READ(upid, ns);
	return 0;
}

#endif
