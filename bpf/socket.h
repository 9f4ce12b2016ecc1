/*
 * socket.h: which socket it is: what the kernel knows of it, its place in the tables, and what the daemon is told of
 * it.
 */
#ifndef NT_SOCKET_H
#define NT_SOCKET_H

#include "thread.h"

#define TCP_NAGLE_OFF 1 /* of tcp_sock.nonagle */

#define PORT_NAMES 53 /* RFC 1035 */

#define EAGAIN 11
#define EPIPE 32
#define EPROTO 71
#define EADDRNOTAVAIL 99
#define ENETDOWN 100 /* to 104: ENETUNREACH, ENETRESET, ECONNABORTED, ECONNRESET */
#define ECONNRESET 104
#define ETIMEDOUT 110 /* to 113: ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH */
#define EHOSTUNREACH 113
#define ECANCELED 125

/* Errors that mean something to the connection, unlike EAGAIN, EINTR and the caller's own mistakes. */
static __always_inline bool error_matters(__s64 error)
{
	return error == EPIPE || error == EPROTO || (error >= ENETDOWN && error <= ECONNRESET) ||
	       (error >= ETIMEDOUT && error <= EHOSTUNREACH);
}

static __always_inline bool socket_is_tcp(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), protocol;

	if (family != AF_INET && family != AF_INET6)
		return false;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	return protocol == IPPROTO_TCP;
}

/* Does it ask a name server, by UDP? Such a socket is connected, as the resolvers of C libraries do it. */
static __always_inline bool socket_is_resolver(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), protocol;

	if (BPF_CORE_READ(sk, __sk_common.skc_dport) != __builtin_bswap16(PORT_NAMES) ||
	    (family != AF_INET && family != AF_INET6))
		return false;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	return protocol == IPPROTO_UDP;
}

/* Where the current process's table of files has a descriptor; NULL: it is none. */
static __always_inline struct file **file_slot(__s32 fd)
{
	struct fdtable *table;

	if (fd < 0)
		return NULL;
	/* Typed pointers are followed without a call; the helper that gives one came with 5.11. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct task_struct *task = bpf_get_current_task_btf();

		table = task->files->fdt;
		return (__u32)fd < table->max_fds ? table->fd + fd : NULL;
	}
	struct task_struct *task = (void *)bpf_get_current_task();

	table = BPF_CORE_READ(task, files, fdt);
	return (__u32)fd < BPF_CORE_READ(table, max_fds) ? BPF_CORE_READ(table, fd) + fd : NULL;
}

/* The socket behind a file descriptor of the current process, of whatever protocol; NULL if it is none. */
static __noinline struct sock *socket_of_fd(__s32 fd)
{
	struct file *file = NULL, **slot = file_slot(fd);
	struct {
		struct file *file;
		struct sock *sk;
	} pair = {};
	struct socket *socket;

	if (!slot || bpf_probe_read_kernel(&file, sizeof(file), slot) || !file)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	if (!socket)
		return NULL;
	/* Neighbours on all kernels so far: one read. */
	if (bpf_core_field_offset(socket->sk) == bpf_core_field_offset(socket->file) + 8) {
		bpf_probe_read_kernel(&pair, sizeof(pair), (void *)socket + bpf_core_field_offset(socket->file));
	} else {
		pair.file = BPF_CORE_READ(socket, file);
		pair.sk = BPF_CORE_READ(socket, sk);
	}
	/* Only a socket's private data points back at the file: stricter than the inode's type, and one read less. */
	return pair.file == file ? pair.sk : NULL;
}

static __always_inline void address_read(struct sock *sk, struct nt_socket *record)
{
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (record->family == AF_INET) {
		BPF_CORE_READ_INTO((__u32 *)record->remote, sk, __sk_common.skc_daddr);
		BPF_CORE_READ_INTO((__u32 *)record->local, sk, __sk_common.skc_rcv_saddr);
		return;
	}
	BPF_CORE_READ_INTO(&record->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	BPF_CORE_READ_INTO(&record->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
}

/* ::ffff:a.b.c.d is IPv4 to everybody but the application's call of socket(). */
static __always_inline void address_unmap(struct nt_socket *record)
{
	__u32 *remote = (__u32 *)record->remote, *local = (__u32 *)record->local;

	if (record->family != AF_INET6 || remote[0] || remote[1] || remote[2] != __builtin_bswap32(0xffff))
		return;
	record->family = AF_INET;
	remote[0] = remote[3];
	remote[2] = remote[3] = 0;
	local[0] = local[3];
	local[1] = local[2] = local[3] = 0;
}

static __always_inline bool socket_is_accepted(struct sock *sk)
{
	struct nt_listener key = {};

	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	return bpf_map_lookup_elem(&listeners, &key) != NULL;
}

/*
 * A number that no other connection has: when it was given, and on which CPU. A counter would need an addition that
 * also tells its result, which old kernels do not have, since programs can be preempted. The time's highest bits fall
 * out: they are the same again after 26 days, to the nanosecond.
 */
static __always_inline __u64 connection_number(void)
{
	return bpf_ktime_get_ns() << 13 | bpf_get_smp_processor_id();
}

/* The kernel has sockets of its own, without a file: a network file system's is used by whichever process reads. */
static __always_inline bool socket_has_file(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file) != NULL;
}

static __always_inline void sequence_numbers(struct sock *sk, __u32 *ret_pair)
{
	struct tcp_sock *tcp = (void *)sk;

	ret_pair[NT_OUT] = BPF_CORE_READ(tcp, write_seq);
	ret_pair[NT_IN] = BPF_CORE_READ(tcp, copied_seq);
}

/* How often the kernel had to send the socket's packets again since this was asked last. */
static __always_inline __u16 retransmits_since(struct sock *sk, struct socket_state *state)
{
	__u32 total = BPF_CORE_READ((struct tcp_sock *)sk, total_retrans), more = total - state->retransmits;

	state->retransmits = total;
	return more < 0xffff ? more : 0xffff;
}

static __always_inline bool socket_may_delay(struct sock *sk)
{
	const struct tcp_sock *tcp = (void *)sk;

	return !(BPF_CORE_READ_BITFIELD_PROBED(tcp, nonagle) & TCP_NAGLE_OFF);
}

/*
 * Tells the daemon of a socket. Whoever finds one that was not told of does it: the thread that gave it its place can
 * be interrupted before, and its connection's first bytes must not come first. Twice does no harm.
 */
static __noinline void socket_announce(struct sock *sk, struct socket_state *state)
{
	struct nt_socket record = {.transport = state->datagrams ? NT_UDP : NT_TCP};

	head_fill(&record.h, NT_SOCKET, sizeof(record), bpf_ktime_get_ns());
	record.connection = state->connection;
	record.role = state->role;
	record.before = state->role == NT_ROLE_CLIENT && !state->connecting && !state->datagrams;
	address_read(sk, &record);
	address_unmap(&record);
	record_send(&record, sizeof(record), wakeup_flags());
	state->announced = 1;
}

/* Gives a socket its place in the table and tells the daemon. NULL: the table is full, or the socket is no process's.
 */
static __noinline struct socket_state *socket_open(struct sock *sk, bool connecting)
{
	struct socket_state fresh = {.direction = NO_DIRECTION, .connecting = connecting}, *state;
	__u64 key = (__u64)sk;

	if (!socket_has_file(sk))
		return NULL;
	fresh.connection = connection_number();
	/* Not on a port that a target listens on: it connected, if not now, then before the trace. Its bytes are no
	 * help: an answer of redis looks like a request. */
	fresh.role = !connecting && socket_is_accepted(sk) ? NT_ROLE_SERVER : NT_ROLE_CLIENT;
	sequence_numbers(sk, fresh.base);
	retransmits_since(sk, &fresh);
	/* Two threads can use it for the first time at once: the first one's number counts. */
	bpf_map_update_elem(&sockets, &key, &fresh, connecting ? BPF_ANY : BPF_NOEXIST);
	state = bpf_map_lookup_elem(&sockets, &key);
	if (!state)
		stat_add(NT_STAT_SOCKETS, 1);
	else if (!state->announced)
		socket_announce(sk, state);
	return state;
}

static __always_inline struct socket_state *socket_find(struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&sockets, &key);
}

/* A socket of UDP that asks a name server; NULL if it is none, or has no place. */
static __noinline struct socket_state *datagram_socket(struct sock *sk)
{
	struct socket_state fresh = {.direction = NO_DIRECTION, .role = NT_ROLE_CLIENT, .datagrams = 1}, *state;
	__u64 key = (__u64)sk;

	if (!socket_is_resolver(sk))
		return NULL;
	fresh.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	state = bpf_map_lookup_elem(&datagram_sockets, &key);
	if (!state || state->port != fresh.port) {
		fresh.connection = connection_number();
		bpf_map_update_elem(&datagram_sockets, &key, &fresh, BPF_ANY);
		state = bpf_map_lookup_elem(&datagram_sockets, &key);
		if (!state)
			stat_add(NT_STAT_SOCKETS, 1);
	}
	if (state && !state->announced)
		socket_announce(sk, state);
	return state;
}

/* It is being closed. */
static __noinline void on_datagram_close(struct sock *sk)
{
	__u64 key = (__u64)sk;
	const struct socket_state *state = bpf_map_lookup_elem(&datagram_sockets, &key);
	struct nt_close record = {};

	if (!state)
		return;
	head_fill(&record.h, NT_CLOSE, sizeof(record), bpf_ktime_get_ns());
	record.h.pid = state->pid;
	record.h.tid = state->tid;
	record.connection = state->connection;
	record.bytes_out = state->counted[NT_OUT];
	record.bytes_in = state->counted[NT_IN];
	bpf_map_delete_elem(&datagram_sockets, &key);
	record_send(&record, sizeof(record), wakeup_flags());
}

#endif
