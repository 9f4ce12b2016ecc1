/*
 * connection.h: a TCP connection's life: it begins, fails, listens, ends. The hooks are the same on every rung: both
 * are BTF tracepoints of every kernel from 5.10 on, and rare. Only of a connect that fails a rung tells itself.
 */
#ifndef NT_CONNECTION_H
#define NT_CONNECTION_H

#include "python.h"
#include "socket.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10

#define SHUTDOWN_RECEIVE 1
#define SHUTDOWN_SEND 2
#define SHUTDOWN_BOTH 3

static __noinline void connect_begin_send(const struct nt_target *target, struct thread *thread,
					  struct socket_state *state)
{
	struct scratch *s = scratch_get(SCRATCH_SYSCALL);

	if (!s) {
		stat_add(NT_STAT_RECORDS, 1);
		return;
	}
	struct nt_connect *record = (void *)s->record;
	__u32 at = sizeof(*record);

	python_walk(target, thread, s, SCRATCH_SYSCALL);
	if (s->owner.walk == NT_WALK_FAILED)
		stat_add(NT_STAT_STACKS, 1);
	__builtin_memset(record, 0, sizeof(*record));
	record->owner = s->owner;
	at = owner_append(s, at);
	head_fill(&record->h, NT_CONNECT, at, bpf_ktime_get_ns());
	record->connection = state->connection;
	if (at <= sizeof(*record) + OWNER_SIZE)
		record_send(record, at, wakeup_flags());
	scratch_put(s);
}

static __noinline void connect_end_send(const struct socket_state *state, __s32 error)
{
	struct nt_connect record = {.ended = 1, .error = error};

	head_fill(&record.h, NT_CONNECT, sizeof(record), bpf_ktime_get_ns());
	record.h.pid = state->pid;
	record.h.tid = state->tid;
	record.connection = state->connection;
	record_send(&record, sizeof(record), wakeup_flags());
}

/* The connection is over: sends what is left of it and the kernel's own count of its bytes. */
static __noinline void close_send(struct sock *sk, struct socket_state *state, __s32 error, bool by_peer)
{
	struct nt_close record = {.error = error, .by_peer = by_peer};
	__u8 shutdown = BPF_CORE_READ(sk, sk_shutdown);
	struct tcp_sock *tcp = (void *)sk;
	__u32 now[2];

	sequence_numbers(sk, now);
	/* Read the end of the stream and copied_seq has stepped over the peer's FIN, which is no byte. */
	if (shutdown & SHUTDOWN_RECEIVE && now[NT_IN] == BPF_CORE_READ(tcp, rcv_nxt) &&
	    now[NT_IN] - state->base[NT_IN] == (__u32)state->counted[NT_IN] + 1)
		now[NT_IN]--;
	/* Likewise write_seq over our own, where shutdown(2) sent it. */
	if (now[NT_OUT] - state->base[NT_OUT] == (__u32)state->counted[NT_OUT] + 1 && shutdown & SHUTDOWN_SEND)
		now[NT_OUT]--;
	/* A disconnect (connect(2) to AF_UNSPEC, a close that resets) has put new ones in their place. */
	if (!by_peer && !shutdown) {
		now[NT_OUT] = state->base[NT_OUT] + (__u32)state->counted[NT_OUT];
		now[NT_IN] = state->base[NT_IN] + (__u32)state->counted[NT_IN];
	}
	head_fill(&record.h, NT_CLOSE, sizeof(record), bpf_ktime_get_ns());
	record.h.pid = state->pid;
	record.h.tid = state->tid;
	record.connection = state->connection;
	/* A connect that failed has moved nothing, and its sequence numbers were not there when it began. */
	for (int i = 0; i < 2 && !state->connecting; i++) {
		/* They are 32 bits wide: what differs is the difference, however much was moved. */
		__s32 gap = now[i] - state->base[i] - (__u32)state->counted[i];
		__u64 bytes = state->counted[i] + gap;

		if (i == NT_OUT)
			record.bytes_out = bytes;
		else
			record.bytes_in = bytes;
	}
	state->closed = by_peer ? CLOSED_BY_PEER : CLOSED;
	record_send(&record, sizeof(record), wakeup_flags());
}

/* A connect came to nothing. */
static __noinline void connect_give_up(struct sock *sk, struct socket_state *state, __s32 error)
{
	__u64 key = (__u64)sk;

	connect_end_send(state, error ? error : ECANCELED);
	close_send(sk, state, error, false);
	bpf_map_delete_elem(&sockets, &key);
}

/* A socket that goes, or is connected anew: what the daemon has not heard of its end. */
static __always_inline void socket_end(struct sock *sk, struct socket_state *state)
{
	if (state->connecting)
		connect_give_up(sk, state, 0);
	else if (state->closed != CLOSED)
		close_send(sk, state, 0, false);
}

/* Gives a socket that the current thread connects its place, and tells of it. NULL: it has none. */
static __always_inline struct socket_state *connect_begin(const struct nt_target *target, struct thread *thread,
							  struct sock *sk)
{
	struct socket_state *state = socket_open(sk, true);
	__u64 id = current_id();

	if (!state)
		return NULL;
	state->pid = id >> 32;
	state->tid = id;
	connect_begin_send(target, thread, state);
	return state;
}

/* connect(2) sent its first packet; runs in the thread that called it. */
static __always_inline void on_connecting(struct sock *sk)
{
	struct nt_target *target;
	struct thread *thread = thread_of_target(&target);
	struct socket_state *state;

	if (!thread)
		return;
	thread->connecting = 1;
	state = socket_find(sk);
	if (state)
		socket_end(sk, state);
	connect_begin(target, thread, sk);
}

static __always_inline void on_connected(struct sock *sk)
{
	struct socket_state *state = socket_find(sk);

	if (!state || !state->connecting)
		return;
	state->connecting = 0;
	sequence_numbers(sk, state->base);
	retransmits_since(sk, state); /* the connect's are its own affair */
	connect_end_send(state, 0);
}

/*
 * A connect failed within the call. Without a route the state machine never saw it; without a free port it began
 * there and was taken back (on_closing).
 */
static __noinline void on_connect_failed(const struct nt_target *target, struct thread *thread, struct sock *sk,
					 __s32 error)
{
	struct socket_state *state = socket_find(sk);

	if (state) {
		if (state->connecting && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
			connect_give_up(sk, state, error);
		return;
	}
	if (thread->connecting || (!error_matters(error) && error != EADDRNOTAVAIL) || !socket_is_tcp(sk))
		return;
	thread->connecting = 1; /* a v4-mapped connect comes here from two functions */
	state = connect_begin(target, thread, sk);
	if (state)
		connect_give_up(sk, state, error);
}

static __always_inline void on_listening(struct sock *sk)
{
	__u64 inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	struct nt_listener key = {};
	__u8 listens = NT_LISTENS;

	if (!target_get())
		return;
	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	/* The socket before its port: who forgets a port looks for its sockets once more afterwards. */
	if (bpf_map_update_elem(&listening, &inode, &key, BPF_ANY) ||
	    bpf_map_update_elem(&listeners, &key, &listens, BPF_ANY))
		stat_add(NT_STAT_SOCKETS, 1);
}

/* A socket that listened was closed by the last process that had it, target or not. */
static __always_inline void on_listened(struct sock *sk)
{
	__u64 inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	const struct nt_listener *known = bpf_map_lookup_elem(&listening, &inode);
	__u8 listens = NT_LISTENS_PERHAPS;
	struct nt_listener key;

	if (!known)
		return;
	key = *known;
	bpf_map_delete_elem(&listening, &inode);
	bpf_map_update_elem(&listeners, &key, &listens, BPF_EXIST);
}

/* Is there nothing left that the target could read, not even the end of the stream? */
static __always_inline bool socket_is_read(struct sock *sk)
{
	struct tcp_sock *tcp = (void *)sk;

	return BPF_CORE_READ(tcp, copied_seq) == BPF_CORE_READ(tcp, rcv_nxt);
}

static __always_inline void on_closing(struct sock *sk, __s32 new_state)
{
	struct socket_state *state = socket_find(sk);
	__u8 shutdown;
	__s32 error;
	bool over;

	if (!state || state->closed)
		return;
	error = BPF_CORE_READ(sk, sk_err);
	shutdown = BPF_CORE_READ(sk, sk_shutdown);
	if (state->connecting) {
		/* Neither an error from the network nor a close: connect(2) itself takes it back, and its result says
		 * why. */
		if (error || shutdown)
			connect_give_up(sk, state, error);
		return;
	}
	/* Both sides have ended also after shutdown(2), which the target may call before it reads the answer. */
	over = shutdown == SHUTDOWN_BOTH && !error && socket_is_read(sk);
	if (new_state == TCP_CLOSE || over)
		close_send(sk, state, error, !over);
}

static __always_inline void on_destroy(struct sock *sk)
{
	struct socket_state *state = socket_find(sk);
	__u64 key = (__u64)sk;

	if (!state)
		return;
	socket_end(sk, state);
	bpf_map_delete_elem(&sockets, &key);
}

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
