/*
 * python.h: walks the Python frames of the current thread.
 *
 * All offsets are data (struct nt_layout in the target's entry). The thread state comes from the
 * thread-specific slot that CPython keeps it in, which is right also while the interpreter lock is
 * released; where the interpreter has none, from its list of threads. A walk gives the frames (code object and
 * instruction), and of some of them a state and a place (event.h, struct nt_owner). A stack that was seen before
 * travels as its hash alone.
 *
 * `which` is the scratch memory that a function works in; its caller holds it.
 */
#ifndef NT_PYTHON_H
#define NT_PYTHON_H

#include "chain.h"
#include "frame.h"
#include "thread.h"

#define TSS_NONE 0xffff
#define CFRAME_NONE 0xffff
#define GLIBC_SPECIFIC 0x310   /* struct pthread.specific_1stblock, glibc 2.31 to 2.43, x86-64 */
#define GLIBC_SPECIFIC_KEYS 32 /* keys in that block; a thread state's key is among the process's first */
#define MAX_THREADS 512	       /* of a process, looked through when there is no slot */
#define SEARCH_SOME 32	       /* of them that one call looks at */
#define TAG 3ull	       /* 3.14 on: what a reference's lowest bits say; an object is at a multiple of 16 */
#define FOUND 1ull	       /* in the address of a thread state, which is aligned */
#define HEAP_FRAME_BASE 16     /* 3.8-3.10: a frame's head starts at its ob_size */
#define HEAP_FRAME_HEAD 104    /* bytes from there to what the walk needs */
#define MAX_FRAME_BYTES 8192   /* a callee further away is in another chunk of the data stack, or no neighbour */
#define WALK_SOME 16	       /* frames that one call walks; divides NT_MAX_FRAMES + 1 */
#define OWNER_C_STACK 3	       /* the interpreter's own entry frames: 3 from 3.12, and 4 from 3.14 */

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

/*
 * Looks for the thread state whose pthread_self is `tp` among some of the interpreter's list, from `tstate` on: returns
 * it with FOUND set, or the next one to look at; 0: the list ends here. A global function, of numbers only, like others
 * with a loop in them: the verifier looks at it once, not at each place that calls it and for each way in which the
 * loop can end.
 */
__noinline __u64 tstate_search_some(__u64 tstate, __u64 tp)
{
	__u32 pid = current_process();
	const struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);
	__u64 id;

	if (!target)
		return 0;
	for (int i = 0; i < SEARCH_SOME && tstate; i++) {
		if (!read_user(&id, tstate + target->layout.tstate_thread_id))
			return 0;
		if (id == tp)
			return tstate | FOUND;
		if (!read_user(&tstate, tstate + target->layout.tstate_next))
			return 0;
	}
	return tstate & ~FOUND;
}

/*
 * The thread state whose pthread_self is `tp`; 0: none. The main interpreter is the last of the list: CPython puts new
 * ones before it. Global: see above.
 */
__noinline __u64 tstate_search(__u64 tp)
{
	__u32 pid = current_process();
	const struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);
	__u64 interpreter = 0, tstate = 0;

	if (!target)
		return 0;
	if (!read_user(&interpreter, target->runtime + target->layout.runtime_interpreters))
		return 0;
	for (int i = 0; i < MAX_THREADS / SEARCH_SOME; i++) {
		if (!tstate && (!interpreter || !read_user(&tstate, interpreter + target->layout.interpreter_threads) ||
				!read_user(&interpreter, interpreter + target->layout.interpreter_next)))
			return 0;
		tstate = tstate_search_some(tstate, tp);
		if (tstate & FOUND)
			return tstate & ~FOUND;
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
	tstate = tstate_search(tp);
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

/*
 * Walks some interpreter frames on from `frame`, into s->frames, addresses, depth, hash and owner.coroutine. Returns
 * the next frame; 0: none, or one that cannot be read. A few at a time, by a global function, because the verifier's
 * work grows with the rounds of a loop: of one with them all it was most of the time that attaching took.
 */
__noinline __u64 python_walk_some(__u64 frame, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	const struct nt_layout *layout = &s->layout;

	for (__u64 i = 0; i < WALK_SOME && frame; i++) {
		__u64 at = frame_bring(s, frame), previous, code, from_c;
		const __u8 *flags;
		__u8 owner;

		if (at == UNREADABLE) {
			s->unreadable = 1;
			return 0;
		}
		barrier_var(at);
		previous = frame_field(s, at, layout->frame_previous);
		flags = frame_from(s, at, layout->frame_owner - 1);
		owner = flags[1];
		if (owner >= OWNER_C_STACK) {
			/* 3.12 on: it is what C code entered the interpreter by. With no frame inside it, that is the
			 * spare one. It is on the C stack, its caller where the others are. */
			s->frames[(s->depth - 1) & NT_MAX_FRAMES].from_c = 1;
			s->hash += FROM_C;
			s->above = previous;
			frame = previous;
			continue;
		}
		code = frame_field(s, at, layout->frame_code) & ~1ull; /* 3.14 tags it */
		from_c = layout->minor == 11 ? flags[0] & 1 : 0;       /* which says so itself: is_entry */
		if (!frame_add(s, frame, code, frame_field(s, at, layout->frame_instruction) - code, owner, from_c))
			break;
		frame = owner == OWNER_GENERATOR && code == s->chain_code ? chain_follow(previous, which) : previous;
	}
	return frame;
}

/* Likewise of heap frames, of which each is an object of its own. */
__noinline __u64 python_walk_some_heap(__u64 frame, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	const struct nt_layout *layout = &s->layout;

	for (__u64 i = 0; i < WALK_SOME && frame; i++) {
		if (bpf_probe_read_user(s->window, HEAP_FRAME_HEAD, (const void *)(frame + HEAP_FRAME_BASE))) {
			s->unreadable = 1;
			return 0;
		}
		if (!frame_add(s, frame, frame_field(s, 0, layout->frame_code - HEAP_FRAME_BASE),
			       frame_field(s, 0, layout->frame_instruction - HEAP_FRAME_BASE),
			       frame_field(s, 0, layout->frame_generator - HEAP_FRAME_BASE) ? OWNER_GENERATOR : 0, 0))
			break;
		frame = frame_field(s, 0, layout->frame_previous - HEAP_FRAME_BASE);
	}
	return frame;
}

/* Walks by s->layout from the innermost frame on; returns an enum nt_walk. */
__noinline int python_walk_frames(__u64 frame, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return NT_WALK_FAILED;
	bool heap = s->layout.frame_kind == 0;

	s->depth = 0;
	s->window_at = WINDOW_NOWHERE;
	s->window_last = 0;
	s->unreadable = 0;
	s->chained = 0;
	s->hash = 0xcbf29ce484222325ull;
	for (int i = 0; i < (NT_MAX_FRAMES + 1) / WALK_SOME && frame; i++)
		frame = heap ? python_walk_some_heap(frame, which) : python_walk_some(frame, which);
	if (s->unreadable)
		return NT_WALK_FAILED;
	s->hash ^= (current_process() ^ (__u64)s->generation << 32) * 0x9e3779b97f4a7c15ull;
	return frame ? NT_WALK_TRUNCATED : NT_WALK_OK;
}

/*
 * Bytes of walked frame `i` that its state is made of. The locals and the evaluation stack, where a `for` keeps its
 * iterator, if the callee's frame lies behind them on the same data stack: there they end.
 *
 * Otherwise only the locals, as many as the code has. So it is with a generator's frame, which lies in its own object:
 * how much of the evaluation stack is in use is not kept while it runs, and behind that is what was there before. What
 * a coroutine awaits changes those slots each time it suspends, by the values that go up and down through all that
 * wait for it, though none of them has moved on.
 */
static __always_inline __u64 frame_locals_size(struct scratch *s, __u32 i)
{
	__u64 frame = s->addresses[i & NT_MAX_FRAMES], size = 0;
	__u32 slots = 0;

	if (s->layout.frame_kind == 0) { /* heap frames say their number of slots, in ob_size */
		read_user(&size, frame + HEAP_FRAME_BASE);
		return size * 8;
	}
	size = s->addresses[(i - 1) & NT_MAX_FRAMES] - frame - s->layout.frame_locals;
	if (i && s->frames[i & NT_MAX_FRAMES].owner != OWNER_GENERATOR && size <= MAX_FRAME_BYTES)
		return size;
	read_user(&slots, s->frames[i & NT_MAX_FRAMES].code + s->layout.code_locals);
	return slots * 8ull;
}

/* Reads them into s->locals; returns how many bytes of it are the frame's own. */
static __always_inline __u64 frame_read_locals(struct scratch *s, __u32 i)
{
	__u64 frame = s->addresses[i & NT_MAX_FRAMES], size = frame_locals_size(s, i);
	/* No more than is the frame's: what lies behind it may be memory that was never used, which cannot be read. */
	__u64 taken = size < LOCALS_SIZE ? size : LOCALS_SIZE;

	if (bpf_probe_read_user(s->locals, taken & (2 * LOCALS_SIZE - 1),
				(const void *)(frame + s->layout.frame_locals)))
		return 0;
	return size;
}

/*
 * A number that stays as long as walked frame `i` does not move on: a hash of its place, its instruction and the
 * pointers among its locals. Global: see tstate_search_some().
 */
__noinline __u64 frame_state(__u32 i, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	const struct nt_frame *frame = &s->frames[i & NT_MAX_FRAMES];
	__u64 h = frame->code ^ (__u64)frame->instruction << 32 ^ s->addresses[i & NT_MAX_FRAMES];
	__u64 own = frame_read_locals(s, i);

	for (__u64 at = 0; at < LOCALS_SIZE; at += 8) {
		if (at + 8 > own)
			break;
		h = (h ^ *(const __u64 *)(s->locals + at)) * 0x100000001b3ull;
	}
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15ull >> 32;
}

/*
 * Fills s->states with those of the walked frames from number `from` on. Returns how many. Global: see
 * tstate_search_some().
 */
__noinline int python_read_states(__u32 from, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	for (__u32 n = 0; n < NT_MAX_FRAMES; n++) {
		if (from + n >= s->depth)
			break;
		s->states[n & NT_MAX_FRAMES] = frame_state(from + n, which);
	}
	return from < s->depth ? s->depth - from : 0;
}

/* The first local of walked frame `i`, the object that it refers to; 0: none, or it could not be read. */
static __always_inline __u64 frame_first_local(const struct scratch *s, __u32 i)
{
	__u64 local;

	if (!read_user(&local, s->addresses[i & NT_MAX_FRAMES] + s->layout.frame_locals))
		return 0;
	return local & ~TAG;
}

/* Fills s->places with those of the walked frames. Returns how many. Global: see tstate_search_some(). */
__noinline int python_read_places(__u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return 0;
	for (__u32 i = 0; i < NT_MAX_FRAMES; i++) {
		if (i >= s->depth)
			break;
		s->places[i].frame = s->addresses[i];
		s->places[i].local = frame_first_local(s, i);
	}
	return s->depth;
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

/*
 * Sends a code object's name, file, line table and instructions, put together in this CPU's scratch `which`, which the
 * caller holds. 1 if they were sent.
 */
__noinline int code_send(__u64 code, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);
	__u32 pid = current_process();
	struct nt_target *target = bpf_map_lookup_elem(&targets, &pid);
	__u64 file = 0, name = 0, lines = 0, bytes = 0, size;
	__u32 at = sizeof(struct nt_code), n;
	const struct nt_layout *layout;
	struct nt_code *record;

	if (!s || !target)
		return 0;
	layout = &target->layout;
	record = (void *)s->code;
	__builtin_memset(record, 0, sizeof(*record));
	record->code = code;
	record->code_start = layout->frame_kind ? layout->code_bytes : 0;
	if (!read_user(&record->first_line, code + layout->code_first_line) ||
	    !read_user(&record->flags, code + layout->code_flags) || !read_user(&file, code + layout->code_file) ||
	    !read_user(&lines, code + layout->code_lines) ||
	    !read_user(&name, code + (layout->code_qualname ? layout->code_qualname : layout->code_name)))
		return 0;
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
		return 0;
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
		return 0;
	if (bpf_probe_read_user(s->code + at, size, (const void *)bytes))
		size = 0;
	record->code_size = size;
	at += nt_pad8(size) & (2 * NT_MAX_TABLE - 1);

	if (at > CODE_SIZE)
		return 0;
	head_fill(&record->h, NT_CODE, at, bpf_ktime_get_ns());
	return record_send(record, at, wakeup_flags()) == 0;
}

/* What tells a code object from another one that was at its address before. False: it cannot be read. */
static __always_inline bool code_identify(const struct nt_target *target, __u64 code, struct nt_code_note *ret_note)
{
	return read_user(&ret_note->first_line, code + target->layout.code_first_line) &&
	       read_user(&ret_note->file, code + target->layout.code_file);
}

/*
 * Makes sure that the daemon knows a code object, and not another one that was there before; returns what it said of it
 * so far. Global: see tstate_search_some().
 */
__noinline __u32 code_announce(__u64 code, __u32 which)
{
	struct nt_code_key key = {.code = code, .pid = current_process()};
	const struct nt_target *target = bpf_map_lookup_elem(&targets, &key.pid);
	struct nt_code_note *known, note = {.flags = NT_CODE_KNOWN};

	if (!target || !code_identify(target, code, &note))
		return 0;
	key.generation = target->generation;
	known = bpf_map_lookup_elem(&codes, &key);
	if (known && known->first_line == note.first_line && known->file == note.file)
		return known->flags;
	if (!code_send(code, which))
		return 0;
	if (bpf_map_update_elem(&codes, &key, &note, BPF_ANY))
		stat_add(NT_STAT_CODE_TABLE, 1);
	return NT_CODE_KNOWN;
}

/* Sends the stack that was just walked, with the code objects in it. 1 if it was sent. */
__noinline int stack_send(__u64 hash, __u32 which)
{
	struct nt_stack_note note = {.pid = current_process()};
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);
	__u32 depth;

	if (!s)
		return 0;
	depth = s->depth;
	if (depth > NT_MAX_FRAMES)
		return 0;
	s->untold = 0;
	for (__u32 i = 0; i < NT_MAX_FRAMES; i++) {
		if (i >= depth)
			break;
		if (!code_announce(s->frames[i].code, which))
			s->untold = 1; /* in memory: the verifier need not follow it */
	}
	s->stack.stack = hash;
	s->stack.depth = depth;
	s->stack.reserved = 0;
	__u32 size = sizeof(s->stack) + depth * sizeof(struct nt_frame);
	if (size > sizeof(s->stack) + sizeof(s->frames))
		return 0;
	head_fill(&s->stack.h, NT_STACK, size, bpf_ktime_get_ns());
	if (record_send(&s->stack, size, wakeup_flags()))
		return 0;
	/* Without one of them the daemon cannot read the stack: next time it is sent again. */
	if (s->untold)
		return 1;
	if (bpf_map_update_elem(&stacks, &hash, &note, BPF_NOEXIST))
		stat_add(NT_STAT_STACK_TABLE, 1);
	return 1;
}

/* What the daemon wants to know of a stack that it has judged; of another one, all of it. */
static __always_inline void owner_describe(struct scratch *s, const struct nt_stack_note *note, __u32 which)
{
	struct nt_owner *owner = &s->owner;
	__u32 from = 0, depth = s->depth;

	if (note && note->flags & NT_STACK_JUDGED) {
		from = note->states_from;
		if (note->endpoint && note->endpoint <= depth)
			owner->frame = s->addresses[(note->endpoint - 1) & NT_MAX_FRAMES];
		if (note->carrier && note->carrier <= depth)
			owner->item = frame_first_local(s, note->carrier - 1);
	} else {
		owner->places = python_read_places(which);
	}
	if (from < depth)
		owner->states = python_read_states(from, which);
}

/* --max-cost: of so many walks one is made. Set by the daemon at any time. */
__u32 walk_one_of = 1;

/* Finds out who runs: fills s->owner, and s->states and s->places as far as it says. */
static __always_inline void python_walk(const struct nt_target *target, struct thread *thread, struct scratch *s,
					__u32 which)
{
	struct nt_owner *owner = &s->owner;
	const struct nt_stack_note *note;
	__u64 tstate, frame = 0;

	__builtin_memset(owner, 0, sizeof(*owner));
	if (!(target->flags & NT_TARGET_PYTHON)) {
		owner->walk = NT_WALK_UNSUPPORTED;
		return;
	}
	/* By chance: counting would fall in step with what a target does in turns. */
	if (walk_one_of > 1 && bpf_get_prandom_u32() % walk_one_of) {
		owner->walk = NT_WALK_SKIPPED;
		return;
	}
	tstate = tstate_find(target, thread);
	if (!tstate) {
		owner->walk = NT_WALK_NO_THREAD;
		return;
	}
	owner->walk = NT_WALK_FAILED;
	if (!frame_top(&target->layout, tstate, &frame))
		return;
	s->layout = target->layout;
	s->generation = target->generation;
	s->window_wanted = thread->window ? thread->window : WINDOW_FIRST;
	s->above = thread->top_apart ? 0 : frame;
	s->chain_code = which == SCRATCH_SYSCALL ? thread->chain_code : 0;
	int walk = python_walk_frames(frame, which);
	thread->window = s->window_wanted;
	thread->top_apart = s->frames[0].owner == OWNER_GENERATOR;
	note = bpf_map_lookup_elem(&stacks, &s->hash);
	if (s->chained && !chain_fits(s, note)) {
		s->chain_code = 0;
		s->above = thread->top_apart ? 0 : frame;
		walk = python_walk_frames(frame, which);
		note = bpf_map_lookup_elem(&stacks, &s->hash);
	}
	if (walk == NT_WALK_FAILED || (!note && !stack_send(s->hash, which))) {
		owner->coroutine = 0;
		return;
	}
	owner->walk = walk;
	owner->stack = s->hash;
	if (walk == NT_WALK_TRUNCATED) /* the outermost frames are not known */
		owner->coroutine = 0;
	else if (s->depth)
		owner->base = s->addresses[(s->depth - 1) & NT_MAX_FRAMES];
	owner_describe(s, note, which);
	if (which == SCRATCH_SYSCALL && note && note->chain_outer && !s->chained && s->layout.frame_kind)
		thread->chain_code = chain_remember(note->chain_inner, note->chain_outer, which);
}

/* Appends what belongs to s->owner to the record that has it and ends at `at`; returns the record's new end. */
static __always_inline __u32 owner_append(struct scratch *s, __u32 at)
{
	__u32 states = s->owner.states * 4, places = s->owner.places * sizeof(struct nt_place);

	if (states && states <= NT_MAX_FRAMES * 4) {
		bpf_probe_read_kernel(s->record + at, states, s->states);
		at += nt_pad8(states);
	}
	if (places && places <= NT_MAX_FRAMES * sizeof(struct nt_place)) {
		bpf_probe_read_kernel(s->record + at, places, s->places);
		at += places;
	}
	return at;
}

#endif
