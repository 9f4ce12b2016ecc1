/*
 * rung_fentry.h: the highest rung: entry and exit of the socket functions, with their results, and no
 * hook on the system calls of anybody else.
 */
#ifndef NT_RUNG_FENTRY_H
#define NT_RUNG_FENTRY_H

#include "connection.h"
#include "segment.h"

/*
 * What the system call that the thread is in was asked to do, from the registers with which it came into the kernel.
 * False: it is none that carries a buffer we know.
 */
static __noinline bool fentry_read_view(struct syscall_view *view)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	void *stack = BPF_CORE_READ(task, stack);
	struct pt_regs regs, *at = stack + THREAD_SIZE - sizeof(regs);

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)) {
		struct task_struct *typed = bpf_get_current_task_btf();

		at = (void *)bpf_task_pt_regs(typed);
	}
	return bpf_probe_read_kernel(&regs, sizeof(regs), at) == 0 && syscall_read_view(&regs, regs.orig_ax, view);
}

static __always_inline int fentry_enter(struct sock *sk)
{
	struct thread *thread = thread_traced();

	if (thread)
		thread->first = bpf_ktime_get_ns();
	return 0;
}

/* `direction` is what the function says; the system call only lends its buffer, if it is `buffered`. */
static __always_inline int fentry_exit(struct sock *sk, __u8 direction, bool buffered, __s64 result)
{
	struct nt_target *target;
	struct thread *thread = thread_of_target(&target);
	struct syscall_view *view;

	if (!thread)
		return 0;
	view = &thread->call.view;
	/* One message of several: the function's result is its bytes, but which of them it was is not known. */
	if (!buffered || !fentry_read_view(view) || view->kind == BUFFER_MESSAGES) {
		view->kind = BUFFER_NONE;
		view->count = 1;
		view->discard = 0;
	}
	view->direction = direction;
	view->aside = 0;
	on_result(target, thread, sk, result);
	return 0;
}

/* A function that sends: when it began, and how it went. */
#define FENTRY_SENDS(name, function)                                                                                   \
	SEC("?fentry/" #function)                                                                                      \
	int BPF_PROG(fentry_##name, struct sock *sk)                                                                   \
	{                                                                                                              \
		return fentry_enter(sk);                                                                               \
	}                                                                                                              \
	SEC("?fexit/" #function)                                                                                       \
	int BPF_PROG(fexit_##name, struct sock *sk, struct msghdr *message, __u64 size, int result)                    \
	{                                                                                                              \
		return fentry_exit(sk, NT_OUT, true, result);                                                          \
	}

FENTRY_SENDS(sendmsg, tcp_sendmsg)
FENTRY_SENDS(udp_sendmsg, udp_sendmsg)
FENTRY_SENDS(udpv6_sendmsg, udpv6_sendmsg)

/* Nothing received where there was no room for anything is not the end of the stream. */
static __always_inline int fentry_received(struct socket *socket, __u64 size, int flags, int result)
{
	if (flags & MSG_ASIDE || (size == 0 && result == 0))
		return 0;
	return fentry_exit(BPF_CORE_READ(socket, sk), NT_IN, true, result);
}

/* tcp_recvmsg has 4, 5 or 6 arguments by kernel; what calls it has 4 on all. */
SEC("?fexit/inet_recvmsg")
int BPF_PROG(fexit_recvmsg, struct socket *socket, struct msghdr *message, __u64 size, int flags, int result)
{
	return fentry_received(socket, size, flags, result);
}

SEC("?fexit/inet6_recvmsg")
int BPF_PROG(fexit_recvmsg6, struct socket *socket, struct msghdr *message, __u64 size, int flags, int result)
{
	return fentry_received(socket, size, flags, result);
}

SEC("?fentry/tcp_sendpage")
int BPF_PROG(fentry_sendpage, struct sock *sk)
{
	return fentry_enter(sk);
}

/* Up to 6.4: sendfile and splice to a socket. */
SEC("?fexit/tcp_sendpage")
int BPF_PROG(fexit_sendpage, struct sock *sk, void *page, int offset, __u64 size, int flags, int result)
{
	return fentry_exit(sk, NT_OUT, false, result);
}

SEC("?fexit/tcp_splice_read")
int BPF_PROG(fexit_splice_read, struct socket *socket, void *position, void *pipe, __u64 size, unsigned int flags,
	     __s64 result)
{
	return fentry_exit(BPF_CORE_READ(socket, sk), NT_IN, false, result);
}

/* Of UDP: the socket goes. */
#define FENTRY_DESTROYS(name, function)                                                                                \
	SEC("?fentry/" #function)                                                                                      \
	int BPF_PROG(fentry_##name, struct sock *sk)                                                                   \
	{                                                                                                              \
		on_datagram_close(sk);                                                                                 \
		return 0;                                                                                              \
	}

FENTRY_DESTROYS(udp_destroy, udp_destroy_sock)
FENTRY_DESTROYS(udpv6_destroy, udpv6_destroy_sock)

static __always_inline int fentry_connect(void)
{
	struct thread *thread = thread_traced();

	if (thread)
		thread->connecting = 0;
	return 0;
}

static __always_inline int fexit_connect(struct sock *sk, int result)
{
	struct nt_target *target;
	struct thread *thread;

	if (result >= 0)
		return 0;
	thread = thread_of_target(&target);
	if (thread)
		on_connect_failed(target, thread, sk, -result);
	return 0;
}

#define FENTRY_CONNECTS(name, function)                                                                                \
	SEC("?fentry/" #function)                                                                                      \
	int BPF_PROG(fentry_##name, struct sock *sk)                                                                   \
	{                                                                                                              \
		return fentry_connect();                                                                               \
	}                                                                                                              \
	SEC("?fexit/" #function)                                                                                       \
	int BPF_PROG(fexit_##name, struct sock *sk, void *address, int length, int result)                             \
	{                                                                                                              \
		return fexit_connect(sk, result);                                                                      \
	}

FENTRY_CONNECTS(v4_connect, tcp_v4_connect)
FENTRY_CONNECTS(v6_connect, tcp_v6_connect)

#endif
