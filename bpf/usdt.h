/*
 * usdt.h: entry and return of Python functions, from CPython's own probes, for the functions that matter.
 *
 * The probe has trapped by the time we run, so nothing here makes a call that does not matter
 * cheap; it only keeps it out of the ring buffer. What matters the daemon decides (NT_CODE_* in event.h): a
 * code object that it has not judged yet is let through.
 */
#ifndef NT_USDT_H
#define NT_USDT_H

#include "segment.h"

#define CO_GENERATORS 0x2a0   /* co_flags: generators, coroutines and asynchronous generators */
#define CO_ASYNCHRONOUS 0x380 /* coroutines, those made by types.coroutine(), asynchronous generators */

/* Does a generator or coroutine own the frame? */
static __always_inline bool frame_is_generators(const struct nt_layout *layout, __u64 frame)
{
	__u64 generator = 0;
	__u8 owner = 0;

	if (layout->frame_kind)
		return read_user(&owner, frame + layout->frame_owner) && owner == OWNER_GENERATOR;
	return read_user(&generator, frame + layout->frame_generator) && generator;
}

/* Is the frame behind a YIELD_VALUE, at which a generator waits, or goes on from? */
static __always_inline bool frame_is_at_yield(const struct nt_layout *layout, __u64 frame)
{
	__u64 instruction = 0;
	__u8 opcode = 0;

	return read_user(&instruction, frame + layout->frame_instruction) && read_user(&opcode, instruction - 2) &&
	       (opcode == layout->yields[0] || opcode == layout->yields[1]);
}

/* Of a generator's frame that is being entered: did it wait, or does it only begin? */
static __always_inline bool frame_is_resumed(const struct nt_layout *layout, __u64 frame)
{
	__s32 instruction = -1; /* f_lasti, until it has begun */

	if (layout->frame_kind)
		return frame_is_at_yield(layout, frame);
	return read_user(&instruction, frame + layout->frame_instruction) && instruction >= 0;
}

/* Of one that is being left: is it to go on later? */
static __always_inline bool frame_is_suspended(const struct nt_layout *layout, __u64 frame)
{
	__u64 at = frame + layout->generator_state, pointer = 0;
	__s8 state = 0;

	if (layout->yields[0])
		return frame_is_at_yield(layout, frame);
	if (!layout->suspended_to)
		return read_user(&pointer, at) && pointer;
	if (layout->frame_kind)
		at -= layout->generator_frame;
	return read_user(&state, at) && state >= layout->suspended_from && state <= layout->suspended_to;
}

static __always_inline __u64 frame_code(const struct nt_layout *layout, __u64 frame)
{
	__u64 code = 0;

	read_user(&code, frame + layout->frame_code);
	return code & ~1ull; /* 3.14 tags it */
}

#define MAX_ENTRIES 2 /* frames of the interpreter's own, one behind the other, that C code entered it by */

/* The code object of the frame that called this one, by C code in between or not; 0: none. */
static __always_inline __u64 frame_caller(const struct nt_layout *layout, __u64 frame)
{
	__u8 owner = 0;

	for (int i = 0; i <= MAX_ENTRIES; i++) {
		if (!read_user(&frame, frame + layout->frame_previous) || !frame)
			return 0;
		if (!layout->frame_kind || !read_user(&owner, frame + layout->frame_owner) || owner < OWNER_C_STACK)
			return frame_code(layout, frame);
	}
	return 0;
}

/*
 * The function's frame, its code object and its caller's. False: no frame there, or that of a call that only makes a
 * generator or coroutine: from 3.11 on the function is entered to make it.
 */
static __always_inline bool function_read(const struct nt_target *target, struct thread *thread,
					  struct nt_function *record)
{
	const struct nt_layout *layout = &target->layout;
	__u64 tstate = tstate_find(target, thread);
	__u32 flags = 0;

	if (!tstate || !frame_top(layout, tstate, &record->frame) || !record->frame)
		return false;
	record->code = frame_code(layout, record->frame);
	record->generator = frame_is_generators(layout, record->frame);
	record->caller = frame_caller(layout, record->frame);
	if (!record->code)
		return false;
	return record->generator || !read_user(&flags, record->code + layout->code_flags) || !(flags & CO_GENERATORS);
}

/*
 * Whose work it is: the task's coroutine, the outermost frame. False: another program is at work here, or a frame could
 * not be read.
 */
static __always_inline bool function_find_lane(const struct nt_target *target, struct nt_function *record)
{
	struct scratch *s = scratch_get(SCRATCH_UPROBE);
	__u32 flags = 0, depth;
	int walk;

	if (!s)
		return false;
	s->layout = target->layout;
	s->owner.coroutine = 0;
	walk = python_walk_frames(record->frame, SCRATCH_UPROBE);
	depth = s->depth;
	if (walk == NT_WALK_OK && depth) {
		record->base = s->addresses[(depth - 1) & NT_MAX_FRAMES];
		record->coroutine = s->owner.coroutine;
	}
	scratch_put(s);
	if (record->coroutine &&
	    !(read_user(&flags, frame_code(&target->layout, record->coroutine) + target->layout.code_flags) &&
	      flags & CO_ASYNCHRONOUS))
		record->coroutine = 0;
	return walk != NT_WALK_FAILED;
}

static __always_inline bool function_matters(__u32 code, __u32 caller)
{
	if (!(code & NT_CODE_JUDGED) || code & NT_CODE_ENDPOINT)
		return true;
	if (caller & NT_CODE_DISPATCHER)
		return true;
	return code & NT_CODE_APPLICATION && !(code & NT_CODE_MODULE) &&
	       (!(caller & NT_CODE_APPLICATION) || caller & NT_CODE_MODULE);
}

/* What is known of a code object; sends it first if nothing is. */
static __always_inline __u32 function_flags(const struct nt_target *target, __u64 code)
{
	struct nt_code_key key = {.code = code, .pid = current_process(), .generation = target->generation};
	struct nt_code_note *known = bpf_map_lookup_elem(&codes, &key);
	struct scratch *s;
	__u32 flags;

	if (known)
		return known->flags;
	s = scratch_get(SCRATCH_UPROBE);
	if (!s)
		return 0; /* another program is at it on this CPU: the next call of the function does it */
	flags = code_announce(code, SCRATCH_UPROBE);
	scratch_put(s);
	return flags;
}

static __always_inline __u8 function_passage(const struct nt_target *target, const struct nt_function *record,
					     bool returned)
{
	if (!record->generator)
		return returned ? NT_RETURNED : NT_ENTERED;
	if (returned)
		return frame_is_suspended(&target->layout, record->frame) ? NT_SUSPENDED : NT_RETURNED;
	return frame_is_resumed(&target->layout, record->frame) ? NT_RESUMED : NT_ENTERED;
}

static __always_inline int function_probe(bool returned)
{
	struct nt_target *target = target_get();
	struct nt_function record = {};
	__u32 flags, caller_flags;
	struct thread *thread;
	__u64 now;

	if (!target || !(target->flags & NT_TARGET_PYTHON))
		return 0;
	thread = thread_get();
	if (!thread || !function_read(target, thread, &record))
		return 0;
	flags = function_flags(target, record.code);
	caller_flags = record.caller ? function_flags(target, record.caller) : NT_CODE_JUDGED;
	if (!function_matters(flags, caller_flags))
		return 0;
	now = bpf_ktime_get_ns();
	if (!function_find_lane(target, &record)) {
		stat_add(NT_STAT_STACKS, 1);
		return 0;
	}
	record.passage = function_passage(target, &record, returned);
	thread_times(thread, now, &record.times);
	head_fill(&record.h, NT_FUNCTION, sizeof(record), now);
	record_send(&record, sizeof(record), wakeup_flags());
	return 0;
}

SEC("?usdt")
int BPF_USDT(function_entry)
{
	return function_probe(false);
}

SEC("?usdt")
int BPF_USDT(function_return)
{
	return function_probe(true);
}

/* Counts how often a process calls Python functions, to know before what its probes would cost. */
__u64 function_calls;

SEC("?usdt")
int BPF_USDT(function_count)
{
	__sync_fetch_and_add(&function_calls, 1);
	return 0;
}

#endif
