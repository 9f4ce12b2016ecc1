/*
 * handover.h: who gave work to another thread or task, and who wants something to be sent by others.
 *
 * Uprobes on C functions of CPython's modules and of uvloop (daemon/target/hooks.c finds them, daemon/kernel/handover.c
 * attaches). They are attached to a file, and every process that has it mapped gets here: only targets get any further.
 * One program for each function and way in which it gets its arguments: kernels before 5.15 have no cookies to tell by.
 */
#ifndef NT_HANDOVER_H
#define NT_HANDOVER_H

#include "segment.h"

#define TUPLE_SIZE 16 /* PyVarObject.ob_size */

/* Where the walk found no room or no thread: without a word of it, work of before would seem to go on. */
static __noinline int handover_send_bare(__u64 what, __u8 kind)
{
	struct nt_handover record = {.what = what, .kind = kind, .owner.walk = NT_WALK_FAILED};

	stat_add(NT_STAT_STACKS, 1);
	head_fill(&record.h, NT_HANDOVER, sizeof(record), bpf_ktime_get_ns());
	return record_send(&record, sizeof(record), wakeup_flags()) == 0;
}

/* The current thread gives work to `what`. 1 if that was sent. Global: see tstate_search_some(). */
__noinline int handover_send(__u64 what, __u32 kind, __u32 which)
{
	struct nt_target *target = target_get();
	struct nt_handover *record;
	struct thread *thread;
	struct scratch *s;

	if (!target || !(target->flags & NT_TARGET_PYTHON))
		return 0;
	thread = thread_get();
	if (!thread)
		return handover_send_bare(what, kind);
	s = scratch_get(which);
	if (!s)
		return handover_send_bare(what, kind);
	python_walk(target, thread, s, which);
	if (s->owner.walk == NT_WALK_FAILED)
		stat_add(NT_STAT_STACKS, 1);
	record = (void *)s->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->what = what;
	record->kind = kind;
	record->owner = s->owner;
	__u32 size = owner_append(s, sizeof(*record));
	head_fill(&record->h, NT_HANDOVER, size, bpf_ktime_get_ns());
	int sent = size <= sizeof(*record) + OWNER_SIZE && record_send(record, size, wakeup_flags()) == 0;
	scratch_put(s);
	return sent;
}

/* The target that the program runs in, if its frames can be walked. */
static __always_inline struct nt_target *handover_target(void)
{
	struct nt_target *target = target_get();

	return target && target->flags & NT_TARGET_PYTHON ? target : NULL;
}

/* A coroutine's frame, as a walk shows it. 0: it is no generator or coroutine of CPython's own. */
static __always_inline __u64 coroutine_frame(const struct nt_layout *layout, __u64 coroutine)
{
	__u64 frame = coroutine + layout->generator_frame, back = 0;
	__u8 owner = 0;

	if (layout->frame_kind)
		return read_user(&owner, frame + layout->frame_owner) && owner == OWNER_GENERATOR ? frame : 0;
	if (!read_user(&frame, frame) || !read_user(&back, frame + layout->frame_generator))
		return 0;
	return back == coroutine ? frame : 0;
}

/* Task.__init__(self, coro, ...): `arguments` is a tuple without self. */
static __always_inline void on_task(const struct nt_target *target, __u64 arguments)
{
	__u64 count = 0, coroutine = 0, frame;

	if (!read_user(&count, arguments + TUPLE_SIZE) || !count ||
	    !read_user(&coroutine, arguments + target->layout.tuple_items))
		return;
	frame = coroutine_frame(&target->layout, coroutine);
	if (frame)
		handover_send(frame, NT_HANDOVER_TASK, SCRATCH_UPROBE);
}

/*
 * Processes whose deque.pop() is probed, by id: from then on it is known of each thread of anyio's who gave it the work
 * that it does. Not inherited: the probe is the process's alone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u8);
} anyio_processes SEC(".maps");

static __always_inline bool anyio_is_watched(void)
{
	__u32 pid = current_id() >> 32;

	return bpf_map_lookup_elem(&anyio_processes, &pid) != NULL;
}

/* struct dequeobject of Modules/_collectionsmodule.c, the same in 3.8 to 3.15. */
#define DEQUE_LAST_BLOCK 32
#define DEQUE_LAST_INDEX 48
#define DEQUE_BLOCK_ITEMS 8

/* The function that takes an idle thread of anyio's, by the first letters of its name: others' pops are not reported.
 */
#define TAKER "run_sync_in_work"
#define TAKER_WORDS 2

/* Is the innermost frame that function's? */
static __always_inline bool taker_calls(const struct nt_target *target, struct thread *thread)
{
	const struct nt_layout *layout = &target->layout;
	__u64 tstate = tstate_find(target, thread), frame = 0, code = 0, name = 0;
	__u64 found[TAKER_WORDS], wanted[TAKER_WORDS];

	if (!tstate || !frame_top(layout, tstate, &frame) || !frame || !read_user(&code, frame + layout->frame_code) ||
	    !read_user(&name, (code & ~TAG) + layout->code_name) || !read_user(&found, name + layout->unicode_ascii))
		return false;
	__builtin_memcpy(wanted, TAKER, sizeof(wanted));
	return found[0] == wanted[0] && found[1] == wanted[1];
}

/*
 * deque.pop() by anyio: an idle thread, the object, is about to get work. The work itself goes through a queue written
 * in Python, but the thread's frames show the same object.
 */
static __always_inline void on_deque_pop(const struct nt_target *target, struct thread *thread, __u64 deque)
{
	__u64 block = 0, index = 0, item = 0;

	if (!taker_calls(target, thread))
		return;
	if (read_user(&block, deque + DEQUE_LAST_BLOCK) && read_user(&index, deque + DEQUE_LAST_INDEX) &&
	    read_user(&item, block + DEQUE_BLOCK_ITEMS + index * 8) && item)
		handover_send(item, NT_HANDOVER_ITEM, SCRATCH_UPROBE);
}

/*
 * uvloop's UVStream, a type made by Cython: behind the object's head stand the table of its C methods and the handle of
 * libuv, which points back at the object (uv_handle_t.data).
 */
#define STREAM_FIELDS 16
#define STREAM_MAX_FIELDS 4

/* struct uv_stream_s of include/uv.h and uv/unix.h: the same in all of libuv 1. */
#define UV_TYPE 16
#define UV_STREAM_FD 184 /* io_watcher.fd */
#define UV_TCP 12

/* The descriptor of a stream's TCP socket; negative: it has none. */
static __always_inline __s32 stream_fd(__u64 stream)
{
	__u64 fields[STREAM_MAX_FIELDS], back;
	__u32 type;
	__s32 fd;

	if (!read_user(&fields, stream + STREAM_FIELDS))
		return -1;
	for (int i = 0; i < STREAM_MAX_FIELDS; i++) {
		if (!fields[i] || !read_user(&back, fields[i]) || back != stream)
			continue;
		if (read_user(&type, fields[i] + UV_TYPE) && type == UV_TCP && read_user(&fd, fields[i] + UV_STREAM_FD))
			return fd;
	}
	return -1;
}

#define OBJECT_TYPE 8
#define TYPE_FLAGS 168
#define TYPE_IS_BYTES (1ull << 27) /* Py_TPFLAGS_BYTES_SUBCLASS */

/* How many bytes are in a `bytes`; 0: it is another kind of object, or not known. False: none, so none will be sent. */
static __always_inline bool bytes_size(const struct nt_layout *layout, __u64 object, __u64 *ret_size)
{
	__u64 type = 0, flags = 0;

	*ret_size = 0;
	if (!read_user(&type, object + OBJECT_TYPE) || !read_user(&flags, type + TYPE_FLAGS) ||
	    !(flags & TYPE_IS_BYTES) || !read_user(ret_size, object + layout->bytes_length))
		return true;
	return *ret_size;
}

/* UVStream.write(self, data): a callback of the loop will send it. */
static __always_inline void on_stream_write(const struct nt_target *target, __u64 stream, __u64 data)
{
	__s32 fd = stream_fd(stream);
	__u64 size;

	if (fd >= 0 && bytes_size(&target->layout, data, &size))
		intent_send(fd, size, SCRATCH_UPROBE);
}

/*
 * One program does the rest of all the probes: the verifier looks at the walk once for each program that has it, which
 * is most of the time that attaching takes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} handover_programs SEC(".maps");

enum probe { PROBE_TASK_INIT, PROBE_QUEUE_PUT, PROBE_STREAM_WRITE, PROBE_STREAM_WRITE_ARRAY, PROBE_DEQUE_POP };

SEC("?uprobe")
int BPF_KPROBE(handover_rest, __u64 self, __u64 second)
{
	const struct nt_target *target = handover_target();
	struct thread *thread = thread_get();
	__u64 argument = second;

	if (!target || !thread)
		return 0;
	/* Where the arguments are in an array, self is not in it. */
	if ((thread->probe == PROBE_QUEUE_PUT || thread->probe == PROBE_STREAM_WRITE_ARRAY) &&
	    !read_user(&argument, second))
		return 0;
	switch (thread->probe) {
	case PROBE_TASK_INIT:
		on_task(target, argument);
		break;
	case PROBE_QUEUE_PUT:
		if (argument)
			handover_send(argument, NT_HANDOVER_ITEM, SCRATCH_UPROBE);
		break;
	case PROBE_DEQUE_POP:
		on_deque_pop(target, thread, self);
		break;
	default:
		on_stream_write(target, self, argument);
	}
	return 0;
}

static __always_inline int handover_begin(void *ctx, enum probe probe)
{
	struct thread *thread;

	if (!handover_target())
		return 0;
	thread = thread_get();
	if (!thread)
		return 0;
	thread->probe = probe;
	bpf_tail_call(ctx, &handover_programs, 0);
	stat_add(NT_STAT_STACKS, 1); /* it came back: there is no such program */
	return 0;
}

SEC("?uprobe")
int task_init(struct pt_regs *ctx)
{
	return handover_begin(ctx, PROBE_TASK_INIT);
}

SEC("?uprobe")
int queue_put(struct pt_regs *ctx)
{
	return handover_begin(ctx, PROBE_QUEUE_PUT);
}

SEC("?uprobe")
int stream_write(struct pt_regs *ctx)
{
	return handover_begin(ctx, PROBE_STREAM_WRITE);
}

SEC("?uprobe")
int stream_write_array(struct pt_regs *ctx)
{
	return handover_begin(ctx, PROBE_STREAM_WRITE_ARRAY);
}

SEC("?uprobe")
int deque_pop(struct pt_regs *ctx)
{
	return handover_begin(ctx, PROBE_DEQUE_POP);
}

/*
 * A thread of a target starts another one. Where threads of anyio's are known by their objects, this one's first work
 * is told of under its object as well, which the innermost frame, Thread.start(), has for its first local: no deque
 * gives it.
 */
static __always_inline void on_thread(__u32 child)
{
	const struct nt_target *target = handover_target();
	__u64 tstate, frame = 0, object = 0;
	struct thread *thread;

	if (!target)
		return;
	handover_send(child, NT_HANDOVER_THREAD, SCRATCH_SYSCALL);
	thread = anyio_is_watched() ? thread_get() : NULL;
	tstate = thread ? tstate_find(target, thread) : 0;
	if (tstate && frame_top(&target->layout, tstate, &frame) && frame &&
	    read_user(&object, frame + target->layout.frame_locals) && object)
		handover_send(object & ~TAG, NT_HANDOVER_ITEM, SCRATCH_SYSCALL);
}

#endif
