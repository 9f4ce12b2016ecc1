/*
 * connection.h: the hooks of a TCP connection's life, the same on every rung: both are BTF tracepoints
 * of every kernel from 5.10 on, and rare.
 */
#ifndef NT_CONNECTION_H
#define NT_CONNECTION_H

#include "socket.h"

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_state, struct sock *sk, int old_state, int new_state)
{
	if (old_state == TCP_LISTEN)
		on_listened(sk);
	switch (new_state) {
	case TCP_SYN_SENT:
		if (socket_is_tcp(sk))
			on_connecting(sk);
		break;
	case TCP_ESTABLISHED:
		on_connected(sk);
		break;
	case TCP_LISTEN:
		on_listening(sk);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
	case TCP_CLOSE:
		on_closing(sk, new_state);
		break;
	}
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(connection_destroy, struct sock *sk)
{
	on_destroy(sk);
	return 0;
}

#endif
