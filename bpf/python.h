/*
 * python.h: walks the Python frames of the current thread.
 *
 * All offsets are data (struct nt_layout in the target's entry). The thread state comes from the
 * thread-specific slot that CPython keeps it in, which is right also while the interpreter lock is
 * released; where the interpreter has none, from its list of threads. A walk gives the frames (code object and
 * instruction) and a state for each frame (event.h, struct nt_owner). A stack that was seen before
 * travels as its hash alone.
 */
#ifndef NT_PYTHON_H
#define NT_PYTHON_H

#include "maps.h"

#define TSS_NONE 0xffff
#define CFRAME_NONE 0xffff
#define GLIBC_SPECIFIC 0x310	/* struct pthread.specific_1stblock, glibc 2.31 to 2.43, x86-64 */
#define GLIBC_SPECIFIC_KEYS 32	/* keys in that block; a thread state's key is among the process's first */
#define MAX_THREADS 512		/* of a process, looked through when there is no slot */
#define HEAP_FRAME_BASE 16	/* 3.8-3.10: a frame's window starts at its ob_size */
#define HEAP_FRAME_LOCALS 8	/* pointers of a heap frame's locals that are looked at */
#define OWNER_GENERATOR 1
#define OWNER_C_STACK 3		/* the interpreter's own entry frames: 3 from 3.12, and 4 from 3.14 */

static __always_inline __u64 thread_pointer(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread.fsbase);
}

/* The slot of the thread state's key in this thread's block; 0 when there is none yet. */
static __always_inline __u64 tss_find_slot(const struct nt_target *target, __u64 tp)
{
	struct {
		__s32 initialised;
		__u32 key;
	} tss;

	if (target->layout.runtime_tss_key == TSS_NONE)
		return 0;
	if (!read_user(&tss, target->runtime + target->layout.runtime_tss_key - 4))
		return 0;
	if (!tss.initialised || tss.key >= GLIBC_SPECIFIC_KEYS)
		return 0;
	return tp + GLIBC_SPECIFIC + tss.key * 16 + 8;
}

/* The thread state whose pthread_self is `tp`, from the main interpreter's list. */
static __noinline __u64 tstate_search(const struct nt_target *target, __u64 tp)
{
	__u64 interpreter = 0, tstate = 0, id;

	if (!read_user(&interpreter, target->runtime + target->layout.runtime_interpreters) || !interpreter)
		return 0;
	if (!read_user(&tstate, interpreter + target->layout.interpreter_threads))
		return 0;
	for (int i = 0; i < MAX_THREADS && tstate; i++) {
		if (!read_user(&id, tstate + target->layout.tstate_thread_id))
			return 0;
		if (id == tp)
			return tstate;
		if (!read_user(&tstate, tstate + target->layout.tstate_next))
			return 0;
	}
	return 0;
}

static __always_inline bool tstate_is_of(const struct nt_target *target, __u64 tstate, __u64 tp)
{
	__u64 id;

	return read_user(&id, tstate + target->layout.tstate_thread_id) && id == tp;
}

/*
 * This thread's state; 0: CPython does not know the thread. The slot's place is remembered, not what it holds:
 * embedders swap thread states under a living thread.
 */
static __always_inline __u64 tstate_find(const struct nt_target *target, struct thread *thread)
{
	__u64 tstate = 0, tp;

	if (thread->tss_slot) {
		if (read_user(&tstate, thread->tss_slot))
			return tstate;
		return 0;
	}
	tp = thread_pointer();
	if (thread->tstate && tstate_is_of(target, thread->tstate, tp))
		return thread->tstate;
	thread->tstate = 0;
	__u64 slot = tss_find_slot(target, tp);
	/* Another C library keeps its slots elsewhere: believe this one only when what it holds knows the thread. */
	if (slot && read_user(&tstate, slot) && tstate && tstate_is_of(target, tstate, tp)) {
		thread->tss_slot = slot;
		return tstate;
	}
	tstate = tstate_search(target, tp);
	thread->tstate = tstate;
	return tstate;
}

/* The frame that the thread state is in; 0 none. False if a read failed. */
static __always_inline bool frame_top(const struct nt_layout *layout, __u64 tstate, __u64 *ret_frame)
{
	__u64 at = tstate + layout->tstate_frame;

	if (layout->cframe_frame != CFRAME_NONE) {
		if (!read_user(&at, at))
			return false;
		if (!at) {
			*ret_frame = 0;
			return true;
		}
		at += layout->cframe_frame;
	}
	return read_user(ret_frame, at);
}

/* Eight bytes of the window at a field's offset. */
static __always_inline __u64 window_read(const struct scratch *s, __u32 at)
{
	at &= 0xf8; /* the window has FRAME_WINDOW + 8 = 200 bytes */
	if (at > FRAME_WINDOW)
		return 0;
	return *(const __u64 *)(s->window + at);
}

static __always_inline __u32 mix32(__u64 h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15ull;
	return h >> 32;
}

/*
 * A number that stays as long as the frame does not move on: from its instruction and the pointers
 * among its locals and evaluation stack. `limit` is where the callee's frame begins on the same stack,
 * so that nothing behind this frame is taken for its locals.
 */
static __always_inline __u32 frame_state(const struct scratch *s, __u32 locals, __u32 limit, __u64 seed)
{
	__u64 h = seed;

#pragma unroll
	for (int i = 0; i < (FRAME_WINDOW - 72) / 8; i++) {
		__u32 at = locals + i * 8;

		if (at + 8 > limit)
			break;
		h = (h ^ window_read(s, at)) * 0x100000001b3ull;
	}
	return mix32(h);
}

static __always_inline __u32 heap_frame_state(struct scratch *s, __u64 frame, __u32 locals, __u64 slots, __u64 seed)
{
	if (slots > HEAP_FRAME_LOCALS)
		slots = HEAP_FRAME_LOCALS;
	if (bpf_probe_read_user(s->window, HEAP_FRAME_LOCALS * 8, (const void *)(frame + locals)))
		return mix32(seed);
	return frame_state(s, 0, slots * 8, seed);
}

/*
 * Walks into s->frames, s->states and s->depth. *ret_hash names the stack within the process,
 * *ret_coroutine is the outermost frame that a coroutine owns.
 */
static __noinline int python_walk_frames(const struct nt_target *target, struct scratch *s, __u64 frame,
					 __u64 *ret_hash, __u64 *ret_coroutine)
{
	const struct nt_layout *layout = &target->layout;
	bool heap = layout->frame_kind == 0;
	__u32 base = heap ? HEAP_FRAME_BASE : 0;
	__u64 hash = 0xcbf29ce484222325ull, callee = 0, coroutine = 0;
	__u32 depth = 0;

	for (int i = 0; i < NT_MAX_FRAMES + 1 && frame; i++) {
		if (bpf_probe_read_user(s->window, heap ? 104 : FRAME_WINDOW, (const void *)(frame + base)) &&
		    bpf_probe_read_user(s->window, heap ? 104 : 80, (const void *)(frame + base)))
			return NT_WALK_FAILED;
		__u64 code = window_read(s, layout->frame_code - base) & ~1ull; /* 3.14 tags it */
		__u64 previous = window_read(s, layout->frame_previous - base);
		__u64 at = window_read(s, layout->frame_instruction - base);
		__u8 owner = 0;

		if (heap)
			at = (__u32)at;
		else
			owner = window_read(s, layout->frame_owner) >> (layout->frame_owner & 7) * 8;
		if (owner >= OWNER_C_STACK) {
			frame = previous;
			continue;
		}
		if (depth >= NT_MAX_FRAMES)
			break;
		if (!heap)
			at -= code;
		struct nt_frame *out = &s->frames[depth & NT_MAX_FRAMES];
		out->code = code;
		out->instruction = at;
		out->owner = owner;
		__u64 step = (code ^ at << 48) * 0x9e3779b97f4a7c15ull;
		hash = (hash ^ step ^ step >> 29) * 0x100000001b3ull;

		__u32 state;
		if (heap) {
			state = heap_frame_state(s, frame, layout->frame_locals, window_read(s, 0), step ^ frame);
		} else {
			__u64 limit = callee - frame;

			/* A generator's frame lies in its own object: what is behind it is not its. */
			if (owner || limit > FRAME_WINDOW)
				limit = owner || limit > 8192 ? 0 : FRAME_WINDOW;
			state = frame_state(s, layout->frame_locals, limit, step ^ frame);
		}
		s->states[depth & NT_MAX_FRAMES] = state;
		if (owner == OWNER_GENERATOR)
			coroutine = frame;
		depth++;
		callee = frame;
		frame = previous;
	}
	s->depth = depth;
	*ret_hash = hash;
	*ret_coroutine = coroutine;
	return frame ? NT_WALK_TRUNCATED : NT_WALK_OK;
}

/* Copies a Python string's bytes to `to`; returns how many, and their width. */
static __always_inline __u32 string_read(const struct nt_layout *layout, __u64 string, __u8 *to, __u8 *ret_kind)
{
	__u64 length = 0, data;
	__u32 state = 0, kind;

	*ret_kind = 1;
	if (!read_user(&length, string + layout->unicode_length) || !read_user(&state, string + layout->unicode_state))
		return 0;
	kind = state >> 2 & 7;
	if (kind != 2 && kind != 4)
		kind = 1;
	data = string + ((state & 0x60) == 0x60 ? layout->unicode_ascii : layout->unicode_compact);
	length *= kind;
	if (length > NT_MAX_NAME) { /* the end of a path says more than its beginning */
		data += length - NT_MAX_NAME;
		length = NT_MAX_NAME;
	}
	*ret_kind = kind;
	if (bpf_probe_read_user(to, length & (2 * NT_MAX_NAME - 1), (const void *)data))
		return 0;
	return length & (2 * NT_MAX_NAME - 1);
}

/* Sends a code object's name, file, line table and instructions. True if they were sent. */
static __noinline bool code_send(const struct nt_layout *layout, struct scratch *s, __u64 code)
{
	struct nt_code *record = (void *)s->code;
	__u64 file = 0, name = 0, lines = 0, bytes = 0, size;
	__u32 at = sizeof(*record), n;

	__builtin_memset(record, 0, sizeof(*record));
	record->code = code;
	record->code_start = layout->frame_kind ? layout->code_bytes : 0;
	if (!read_user(&record->first_line, code + layout->code_first_line) ||
	    !read_user(&file, code + layout->code_file) || !read_user(&lines, code + layout->code_lines) ||
	    !read_user(&name, code + (layout->code_qualname ? layout->code_qualname : layout->code_name)))
		return false;
	record->qualified = layout->code_qualname != 0;

	n = string_read(layout, file, s->code + at, &record->file_kind);
	record->file_size = n;
	at += nt_pad8(n) & (2 * NT_MAX_NAME - 1);
	n = string_read(layout, name, s->code + at, &record->name_kind);
	record->name_size = n;
	at += nt_pad8(n) & (2 * NT_MAX_NAME - 1);

	size = 0;
	read_user(&size, lines + layout->bytes_length);
	record->lines_full = size;
	if (size > NT_MAX_TABLE)
		size = NT_MAX_TABLE;
	size &= 2 * NT_MAX_TABLE - 1;
	if (at > sizeof(*record) + 2 * NT_MAX_NAME)
		return false;
	if (bpf_probe_read_user(s->code + at, size, (const void *)(lines + layout->bytes_data)))
		size = 0;
	record->lines_size = size;
	at += nt_pad8(size) & (2 * NT_MAX_TABLE - 1);

	/* 3.8-3.10 keep the instructions in a bytes object; from 3.11 they end the code object, in ob_size units. */
	size = 0;
	if (layout->frame_kind) {
		read_user(&size, code + 16);
		size *= 2;
		bytes = code + layout->code_bytes;
	} else if (read_user(&bytes, code + layout->code_bytes)) {
		read_user(&size, bytes + layout->bytes_length);
		bytes += layout->bytes_data;
	}
	record->code_full = size;
	if (size > NT_MAX_TABLE)
		size = NT_MAX_TABLE;
	size &= 2 * NT_MAX_TABLE - 1;
	if (at > sizeof(*record) + 2 * NT_MAX_NAME + NT_MAX_TABLE)
		return false;
	if (bpf_probe_read_user(s->code + at, size, (const void *)bytes))
		size = 0;
	record->code_size = size;
	at += nt_pad8(size) & (2 * NT_MAX_TABLE - 1);

	if (at > CODE_SIZE)
		return false;
	head_fill(&record->h, NT_CODE, at, bpf_ktime_get_ns());
	return record_send(record, at, wakeup_flags()) == 0;
}

/* Makes sure that the daemon knows a code object; returns what it said of it so far. */
static __always_inline __u32 code_announce(const struct nt_target *target, struct scratch *s, __u64 code)
{
	struct nt_code_key key = {.code = code, .pid = bpf_get_current_pid_tgid() >> 32};
	__u32 *known = bpf_map_lookup_elem(&codes, &key), flags = NT_CODE_KNOWN;

	if (known)
		return *known;
	if (!code_send(&target->layout, s, code))
		return 0;
	if (bpf_map_update_elem(&codes, &key, &flags, BPF_NOEXIST))
		stat_add(NT_STAT_CODE_TABLE, 1);
	return flags;
}

/* Sends the stack that was just walked, with the code objects in it, unless it was sent before. */
static __always_inline bool stack_announce(const struct nt_target *target, struct scratch *s, __u64 hash)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, depth = s->depth;

	if (bpf_map_lookup_elem(&stacks, &hash))
		return true;
	if (depth > NT_MAX_FRAMES)
		return false;
	for (__u32 i = 0; i < NT_MAX_FRAMES; i++) {
		if (i >= depth)
			break;
		code_announce(target, s, s->frames[i].code);
	}
	s->stack.stack = hash;
	s->stack.depth = depth;
	s->stack.reserved = 0;
	__u32 size = sizeof(s->stack) + depth * sizeof(struct nt_frame);
	if (size > sizeof(s->stack) + sizeof(s->frames))
		return false;
	head_fill(&s->stack.h, NT_STACK, size, bpf_ktime_get_ns());
	if (record_send(&s->stack, size, wakeup_flags()))
		return false;
	if (bpf_map_update_elem(&stacks, &hash, &pid, BPF_NOEXIST))
		stat_add(NT_STAT_STACK_TABLE, 1);
	return true;
}

/* Finds out who runs: fills `owner`, and s->states with owner->depth states. */
static __always_inline void python_walk(const struct nt_target *target, struct thread *thread, struct scratch *s,
					struct nt_owner *owner)
{
	__u64 tstate, frame = 0, hash = 0, coroutine = 0;

	s->depth = 0;
	if (!(target->flags & NT_TARGET_PYTHON)) {
		owner->walk = NT_WALK_UNSUPPORTED;
		return;
	}
	tstate = tstate_find(target, thread);
	if (!tstate) {
		owner->walk = NT_WALK_NO_THREAD;
		return;
	}
	if (!frame_top(&target->layout, tstate, &frame)) {
		owner->walk = NT_WALK_FAILED;
		stat_add(NT_STAT_STACKS, 1);
		return;
	}
	owner->walk = python_walk_frames(target, s, frame, &hash, &coroutine);
	hash ^= (bpf_get_current_pid_tgid() >> 32) * 0x9e3779b97f4a7c15ull;
	if (owner->walk == NT_WALK_FAILED || !stack_announce(target, s, hash)) {
		owner->walk = NT_WALK_FAILED;
		s->depth = 0;
		stat_add(NT_STAT_STACKS, 1);
		return;
	}
	owner->stack = hash;
	owner->coroutine = coroutine;
	owner->depth = s->depth;
}

#endif
