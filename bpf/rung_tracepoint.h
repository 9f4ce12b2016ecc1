/*
 * rung_tracepoint.h: the lowest rung: the system calls' own entry and exit, for kernels without kprobes and
 * fentry. A socket is found from its file descriptor.
 */
#ifndef NT_RUNG_TRACEPOINT_H
#define NT_RUNG_TRACEPOINT_H

#include "connection.h"
#include "segment.h"

/* TCP has tracepoints of its own for that. */
static __always_inline int tracepoint_close(__s32 fd)
{
	struct sock *sk = socket_of_fd(fd);

	if (sk)
		on_datagram_close(sk);
	return 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(tracepoint_enter, struct pt_regs *regs, long number)
{
	struct thread *thread;

	if (!syscall_sends(number) && number != SYSCALL_CONNECT && number != SYSCALL_CLOSE)
		return 0;
	thread = thread_traced();
	if (!thread)
		return 0;
	if (number == SYSCALL_CLOSE)
		return tracepoint_close(regs->di);
	thread->first = bpf_ktime_get_ns();
	thread->connecting = 0;
	return 0;
}

static __always_inline int tracepoint_connect_exit(__s32 fd, long result)
{
	struct nt_target *target;
	struct thread *thread;
	struct sock *sk;

	if (result >= 0)
		return 0;
	thread = thread_of_target(&target);
	if (!thread)
		return 0;
	sk = socket_of_fd(fd);
	if (sk)
		on_connect_failed(target, thread, sk, -result);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(tracepoint_exit, struct pt_regs *regs, long result)
{
	__u64 number = regs->orig_ax;
	struct syscall_view *view;
	struct nt_target *target;
	struct thread *thread;
	struct sock *sk;

	if (number == SYSCALL_CONNECT)
		return tracepoint_connect_exit(regs->di, result);
	if (!syscall_receives(number) && !syscall_sends(number))
		return 0;
	if (result < 0 && !error_matters(-result) && !(result == -EAGAIN && syscall_sends(number)))
		return 0;
	thread = thread_of_target(&target);
	if (!thread)
		return 0;
	view = &thread->call.view;
	if (!syscall_read_view(regs, number, view))
		return 0;
	sk = socket_of_fd(view->fd);
	if (number == SYSCALL_SPLICE) {
		view->direction = NT_IN;
		if (!sk || !socket_is_tcp(sk)) {
			view->direction = NT_OUT;
			sk = socket_of_fd(view->buffer);
		}
	}
	if (sk)
		on_result(target, thread, sk, result);
	return 0;
}

#endif
