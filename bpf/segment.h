/*
 * segment.h: bytes were moved on a socket, or somebody wants them to be: the handlers that every rung of hooks calls
 * for that, and the records that they send.
 */
#ifndef NT_SEGMENT_H
#define NT_SEGMENT_H

#include "python.h"
#include "socket.h"
#include "syscall.h"

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
	struct nt_target *target;
	struct thread *thread = thread_of_target(&target);
	struct sock *sk = thread ? socket_of_fd(fd) : NULL;

	if (sk)
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

#endif
