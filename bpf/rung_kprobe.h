/*
 * rung_kprobe.h: the middle rung: kprobes on the socket functions say which socket a thread is at; the
 * end of the system call says how it went. No kretprobe: its pool of instances loses threads that block,
 * without a word (docs/inside.md).
 */
#ifndef NT_RUNG_KPROBE_H
#define NT_RUNG_KPROBE_H

#include "connection.h"
#include "segment.h"

static __always_inline int kprobe_enter(struct sock *sk)
{
	struct thread *thread = thread_traced();

	if (!thread)
		return 0;
	/* sendfile and sendmmsg come here several times in one call: it began with the first. */
	if (thread->socket != (__u64)sk)
		thread->first = bpf_ktime_get_ns();
	thread->socket = (__u64)sk;
	return 0;
}

static __always_inline int kprobe_destroy(struct sock *sk)
{
	on_datagram_close(sk);
	return 0;
}

static __always_inline int kprobe_connect(struct sock *sk)
{
	struct thread *thread = thread_traced();

	if (!thread)
		return 0;
	thread->socket = (__u64)sk;
	thread->connecting = 0;
	return 0;
}

/* A program on a function whose first argument is the socket. */
#define KPROBE(name, function, handler)                                                                                \
	SEC("?kprobe/" #function)                                                                                      \
	int BPF_KPROBE(name, struct sock *sk)                                                                          \
	{                                                                                                              \
		return handler(sk);                                                                                    \
	}

KPROBE(kprobe_sendmsg, tcp_sendmsg, kprobe_enter)
KPROBE(kprobe_recvmsg, tcp_recvmsg, kprobe_enter)
/* Up to 6.4 sendfile and splice to a socket come this way and never through tcp_sendmsg. */
KPROBE(kprobe_sendpage, tcp_sendpage, kprobe_enter)
KPROBE(kprobe_udp_sendmsg, udp_sendmsg, kprobe_enter)
KPROBE(kprobe_udpv6_sendmsg, udpv6_sendmsg, kprobe_enter)
KPROBE(kprobe_udp_recvmsg, udp_recvmsg, kprobe_enter)
KPROBE(kprobe_udpv6_recvmsg, udpv6_recvmsg, kprobe_enter)
KPROBE(kprobe_udp_destroy, udp_destroy_sock, kprobe_destroy)
KPROBE(kprobe_udpv6_destroy, udpv6_destroy_sock, kprobe_destroy)
KPROBE(kprobe_v4_connect, tcp_v4_connect, kprobe_connect)
KPROBE(kprobe_v6_connect, tcp_v6_connect, kprobe_connect)

SEC("?kprobe/tcp_splice_read")
int BPF_KPROBE(kprobe_splice_read, struct socket *socket)
{
	return kprobe_enter(BPF_CORE_READ(socket, sk));
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(kprobe_exit, struct pt_regs *regs, long result)
{
	__u64 number = regs->orig_ax;
	struct nt_target *target;
	struct thread *thread;
	struct sock *sk;
	__u32 tid;

	if (!syscall_receives(number) && !syscall_sends(number) && number != SYSCALL_CONNECT)
		return 0;
	target = target_get();
	if (!target)
		return 0;
	tid = current_thread();
	thread = bpf_map_lookup_elem(&threads, &tid);
	if (!thread || !thread->socket)
		return 0;
	sk = (void *)thread->socket;
	thread->socket = 0;
	if (number == SYSCALL_CONNECT) {
		if (result < 0)
			on_connect_failed(target, thread, sk, -result);
		return 0;
	}
	if (!syscall_read_view(regs, number, &thread->call.view))
		return 0;
	if (number == SYSCALL_SPLICE)
		thread->call.view.direction = sk == socket_of_fd(thread->call.view.fd) ? NT_IN : NT_OUT;
	else if (sk != socket_of_fd(thread->call.view.fd))
		return 0; /* left behind by a call that is not in our table, as io_uring's */
	on_result(target, thread, sk, result);
	return 0;
}

#endif
