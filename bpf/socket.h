/*
 * socket.h: the handlers that every rung of hooks calls: a socket is used, bytes were moved, a
 * connect began or ended, a connection is over.
 */
#ifndef NT_SOCKET_H
#define NT_SOCKET_H

#include "python.h"
#include "syscall.h"

#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_FIN_WAIT1 4
#define TCP_CLOSE 7
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10

#define TCP_NAGLE_OFF 1 /* of tcp_sock.nonagle */

#define SHUTDOWN_RECEIVE 1
#define SHUTDOWN_SEND 2
#define SHUTDOWN_BOTH 3

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

/* Appends up to `want` bytes at `address` to the record that ends at s->end, of payload that begins at `start`. True if
 * all were. */
static __always_inline bool payload_append(struct scratch *s, __u32 start, __u64 address, __u64 want)
{
	__u64 at = s->end & 0x3fff, room = start + s->room - at, n = want < room ? want : room;

	barrier_var(n); /* the compiler knows more than the verifier of 6.1 and would leave the check out */
	if (at >= PAYLOAD_START + NT_MAX_PAYLOAD || n > NT_MAX_PAYLOAD)
		return false;
	if (bpf_probe_read_user(s->record + at, n, (const void *)address)) {
		stat_add(NT_STAT_PAYLOAD, 1);
		return false;
	}
	s->end = at + n;
	return n == want;
}

/* Likewise from the first of `parts` parts. Global: see tstate_search_some(). */
__noinline int payload_append_vector(__u64 start, __u64 vector, __u64 parts, __u64 bytes)
{
	__u32 which = SCRATCH_SYSCALL;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	for (__u64 i = 0; i < MAX_VECTORS; i++) {
		struct iovec part;

		if (i >= parts || !bytes || !read_user(&part, vector + i * sizeof(part)))
			break;
		__u64 n = part.iov_len < bytes ? part.iov_len : bytes;

		bytes -= n;
		if (!payload_append(s, start, (__u64)part.iov_base, n))
			break;
	}
	return 0;
}

/* Appends the first bytes that the call moved to the record. */
static __noinline void payload_read(struct scratch *s, const struct syscall_view *view, __u64 bytes)
{
	struct user_msghdr message;
	__u32 start = s->end;

	if (view->discard)
		return;
	switch (view->kind) {
	case BUFFER_PLAIN:
		payload_append(s, start, view->buffer, bytes);
		break;
	case BUFFER_VECTOR:
		payload_append_vector(start, view->buffer, view->count, bytes);
		break;
	case BUFFER_MESSAGE:
	case BUFFER_MESSAGES:
		if (read_user(&message, view->buffer))
			payload_append_vector(start, (__u64)message.msg_iov, message.msg_iovlen, bytes);
		break;
	}
}

/* Errors that mean something to the connection, unlike EAGAIN, EINTR and the caller's own mistakes. */
static __always_inline bool error_matters(__s64 error)
{
	return error == EPIPE || error == EPROTO || (error >= ENETDOWN && error <= ECONNRESET) ||
	       (error >= ETIMEDOUT && error <= EHOSTUNREACH);
}

/* The fixed part of a segment's record, for `bytes` of the call. */
static __always_inline void segment_fill(struct nt_segment *record, const struct socket_call *call, __u64 connection,
					 __u64 bytes)
{
	record->connection = connection;
	record->first = call->first;
	record->bytes = bytes;
	record->error = call->error;
	record->direction = call->view.direction;
}

/* How many of the `rest` bytes the next record stands for: all, unless payload of what is behind it is wanted too. */
static __always_inline __u64 segment_part(const struct socket_call *call, __u64 rest)
{
	bool more = call->view.kind == BUFFER_PLAIN && rest > NT_MAX_PAYLOAD && call->allowed > NT_MAX_PAYLOAD;

	return more ? NT_MAX_PAYLOAD : rest;
}

static __always_inline void segment_finish(struct scratch *s, struct thread *thread, __u32 start, __u64 now)
{
	struct socket_call *call = &thread->call;
	struct nt_segment *record = (void *)s->record;
	__u64 size = (s->end + 7ull) & 0x3ff8;

	record->captured = s->end - start;
	call->allowed = call->allowed > record->bytes ? call->allowed - record->bytes : 0;
	call->sent += record->bytes;
	thread_times(thread, now, &record->times);
	head_fill(&record->h, NT_SEGMENT, size, now);
	if (size <= PAYLOAD_START + NT_MAX_PAYLOAD)
		record_send(record, size, wakeup_flags());
}

/* Fills s->owner, if the current thread's call is one whose owner is wanted. */
static __always_inline void segment_owner(const struct nt_target *target, struct thread *thread,
					  const struct socket_state *state, struct scratch *s)
{
	const struct socket_call *call = &thread->call;

	/* Who sends owns the call; the answer's bytes need no owner of their own. Of a client's request it tells who
	 * reads it and who answers. */
	if (state->role == NT_ROLE_SERVER ? call->turn && call->bytes
					  : call->view.direction == NT_OUT && (call->turn || call->allowed))
		python_walk(target, thread, s, SCRATCH_SYSCALL);
	else
		__builtin_memset(&s->owner, 0, sizeof(s->owner));
	if (s->owner.walk == NT_WALK_FAILED && state->role != NT_ROLE_SERVER)
		stat_add(NT_STAT_STACKS, 1);
}

/* Sends the current thread's call, or the first part of it, with its owner. */
static __noinline void segment_send(const struct nt_target *target, struct thread *thread, struct socket_state *state,
				    struct scratch *s, __u64 now)
{
	struct socket_call *call = &thread->call;
	struct nt_segment *record = (void *)s->record;
	__u32 at = sizeof(*record);

	/* First of all, because the walk may use the record's place for records of its own. */
	segment_owner(target, thread, state, s);
	__builtin_memset(record, 0, sizeof(*record));
	segment_fill(record, call, state->connection, segment_part(call, call->bytes));
	record->owner = s->owner;
	record->calls = 1;
	record->retransmits = call->retransmits;
	record->flags = (call->turn ? NT_SEGMENT_TURN : 0) | (!call->bytes && !call->error ? NT_SEGMENT_EOF : 0) |
			(call->nagle ? NT_SEGMENT_NAGLE : 0);
	at = owner_append(s, at);
	s->end = at;
	s->room = call->allowed < NT_MAX_PAYLOAD ? call->allowed : NT_MAX_PAYLOAD;
	if (record->bytes)
		payload_read(s, &call->view, record->bytes);
	segment_finish(s, thread, at, now);
}

#define MAX_PARTS (NT_MAX_CAPTURE / NT_MAX_PAYLOAD)

/* Sends the rest of the current thread's call, in parts. Global: see tstate_search_some(). */
__noinline int segment_send_rest(__u64 connection, __u64 now)
{
	__u32 tid = current_thread(), which = SCRATCH_SYSCALL;
	struct thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s || !thread)
		return 0;
	struct socket_call *call = &thread->call;
	struct nt_segment *record = (void *)s->record;

	for (int i = 0; i < MAX_PARTS && call->sent < call->bytes; i++) {
		__builtin_memset(record, 0, sizeof(*record));
		segment_fill(record, call, connection, segment_part(call, call->bytes - call->sent));
		s->end = sizeof(*record);
		s->room = call->allowed < NT_MAX_PAYLOAD ? call->allowed : NT_MAX_PAYLOAD;
		payload_append(s, sizeof(*record), call->view.buffer + call->sent, record->bytes);
		segment_finish(s, thread, sizeof(*record), now);
	}
	return 0;
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

/* A socket that bytes were moved on; NULL if it is none that is told of, or has no place. */
static __always_inline struct socket_state *segment_socket(struct sock *sk, __u8 direction, __u64 bytes)
{
	struct socket_state *state = socket_find(sk);

	if (state && !state->connecting) {
		if (!state->announced)
			socket_announce(sk, state);
		return state;
	}
	if (!socket_is_tcp(sk))
		return datagram_socket(sk);
	if (!state)
		state = socket_open(sk, false);
	if (!state)
		return NULL;
	state->connecting = 0;
	if (direction <= NT_IN && state->counted[NT_OUT] + state->counted[NT_IN] == 0)
		state->base[direction & 1] -= bytes; /* they are moved already */
	return state;
}

/* A thread of a target moved thread->call.bytes (or got its error) on a socket. */
static __noinline void on_segment(const struct nt_target *target, struct thread *thread, struct sock *sk)
{
	struct socket_call *call = &thread->call;
	__u64 id = current_id(), now = bpf_ktime_get_ns();
	__u8 direction = call->view.direction;
	struct socket_state *state;
	struct scratch *s;

	if (direction > NT_IN)
		return;
	state = segment_socket(sk, direction, call->bytes);
	if (!state || (state->datagrams && !call->bytes && !call->error)) /* an empty datagram ends nothing */
		return;
	call->turn = state->direction != direction || (direction == NT_OUT && state->sender != (__u32)id);
	if (call->turn) {
		state->direction = direction;
		state->message_bytes = 0;
	}
	if (direction == NT_OUT)
		state->sender = id;
	else
		call->first = now; /* until now it only waited */
	call->nagle = direction == NT_OUT && !call->turn && call->bytes && !state->datagrams && socket_may_delay(sk);
	call->retransmits = direction == NT_IN && call->turn && !state->datagrams ? retransmits_since(sk, state) : 0;
	state->pid = id >> 32;
	state->tid = id;
	state->counted[direction & 1] += call->bytes;
	/* Of a long message the beginning says what it is: the rest costs a record's head a call. */
	call->sent = 0;
	call->allowed = state->message_bytes < cfg_capture ? cfg_capture - state->message_bytes : 0;
	state->message_bytes += call->bytes;
	s = scratch_get(SCRATCH_SYSCALL);
	if (!s) {
		stat_add(NT_STAT_RECORDS, 1);
		return;
	}
	segment_send(target, thread, state, s, now);
	if (call->sent < call->bytes)
		segment_send_rest(state->connection, now);
	scratch_put(s);
}

/* Was the beginning of a message sent? Then its owner is known. */
static __always_inline bool socket_is_sending(struct sock *sk)
{
	const struct socket_state *state = socket_find(sk);

	return state && state->direction == NT_OUT;
}

/*
 * The current thread wants `bytes` (0: not known how many) to be sent on a socket, and another one, or a callback, will
 * do it: sends a segment that says who.
 */
static __noinline void on_intent(const struct nt_target *target, struct thread *thread, struct sock *sk, __u64 bytes,
				 __u32 which)
{
	struct socket_state *state = socket_find(sk);
	__u64 now = bpf_ktime_get_ns();
	struct nt_segment *record;
	struct scratch *s;

	if (!state && socket_is_tcp(sk))
		state = socket_open(sk, false);
	if (!state)
		return;
	if (!state->announced)
		socket_announce(sk, state);
	s = scratch_get(which);
	if (!s) {
		stat_add(NT_STAT_RECORDS, 1);
		return;
	}
	python_walk(target, thread, s, which);
	if (s->owner.walk == NT_WALK_FAILED && state->role != NT_ROLE_SERVER)
		stat_add(NT_STAT_STACKS, 1);
	record = (void *)s->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->connection = state->connection;
	record->first = now;
	record->bytes = bytes;
	record->direction = NT_OUT;
	record->flags = NT_SEGMENT_INTENT;
	record->owner = s->owner;
	thread_times(thread, now, &record->times);
	__u32 size = owner_append(s, sizeof(*record));
	head_fill(&record->h, NT_SEGMENT, size, now);
	if (size <= PAYLOAD_START)
		record_send(record, size, wakeup_flags());
	scratch_put(s);
}

/* Likewise, for programs behind uprobes, which know a descriptor. Global: see tstate_search_some(). */
__noinline int intent_send(__s32 fd, __u64 bytes, __u32 which)
{
	struct nt_target *target = target_get();
	struct thread *thread;
	struct sock *sk;

	if (!target)
		return 0;
	thread = thread_get();
	sk = socket_of_fd(fd);
	if (thread && sk)
		on_intent(target, thread, sk, bytes, which);
	return 0;
}

/* The result of a socket call, as the caller gets it: what of it counts. */
static __always_inline void on_result(const struct nt_target *target, struct thread *thread, struct sock *sk,
				      __s64 result)
{
	struct socket_call *call = &thread->call;
	const struct syscall_view *view = &call->view;

	call->first = thread->first;
	call->bytes = 0;
	call->error = 0;
	if (result == -EAGAIN && view->direction == NT_OUT) {
		if (!socket_is_sending(sk))
			on_intent(target, thread, sk, 0, SCRATCH_SYSCALL);
		return;
	}
	if (result < 0) {
		if (!error_matters(-result))
			return;
		call->error = -result;
		on_segment(target, thread, sk);
		return;
	}
	if (view->aside)
		return;
	if (view->kind == BUFFER_MESSAGES)
		result = messages_bytes(view->buffer, result);
	if (result == 0 && (view->direction == NT_OUT || (view->kind == BUFFER_PLAIN && view->count == 0)))
		return; /* a receive of nothing is not the end of the stream */
	call->bytes = result;
	on_segment(target, thread, sk);
}

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

/* connect(2) sent its first packet; runs in the thread that called it. */
static __always_inline void on_connecting(struct sock *sk)
{
	struct nt_target *target = target_get();
	__u64 id = current_id();
	struct socket_state *state;
	struct thread *thread;

	if (!target)
		return;
	thread = thread_get();
	if (!thread)
		return;
	thread->connecting = 1;
	state = socket_find(sk);
	if (state)
		socket_end(sk, state);
	state = socket_open(sk, true);
	if (!state)
		return;
	state->pid = id >> 32;
	state->tid = id;
	connect_begin_send(target, thread, state);
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
	__u64 id = current_id();

	if (state) {
		if (state->connecting && BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
			connect_give_up(sk, state, error);
		return;
	}
	if (thread->connecting || (!error_matters(error) && error != EADDRNOTAVAIL) || !socket_is_tcp(sk))
		return;
	thread->connecting = 1; /* a v4-mapped connect comes here from two functions */
	state = socket_open(sk, true);
	if (!state)
		return;
	state->pid = id >> 32;
	state->tid = id;
	connect_begin_send(target, thread, state);
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

#endif
