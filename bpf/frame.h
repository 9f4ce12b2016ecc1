/*
 * frame.h: one frame of CPython's: brings it from the target's memory, and adds it to those that were walked.
 *
 * From 3.11 on, frames that call each other lie side by side on a stack of CPython's own, so one read brings several:
 * the window. A generator's is in an object of its own.
 */
#ifndef NT_FRAME_H
#define NT_FRAME_H

#include "maps.h"

#define FIELD_MASK 0x7full /* of a field's offset in what is read of a frame */
#define FRAME_HEAD 80	   /* bytes from where an interpreter frame begins to what the walk needs */
#define PAGE 4096ull
#define UNREADABLE (~0ull)
#define OWNER_GENERATOR 1
#define FROM_C_BIT 47 /* where nt_frame.from_c is in a stack's hash: no address of a target has this bit */
#define FROM_C (1ull << FROM_C_BIT)
#define HASH_FACTOR 0x9e3779b97f4a7c15ull /* odd: a stack's hash is a polynomial of its frames (chain.h) */

/*
 * Fills the window up to the end of the head of `frame`. From 3.11 on, frames that call each other lie side by side on
 * a stack of CPython's own, the caller below: so one read brings several.
 */
static __always_inline bool window_fill(struct scratch *s, __u64 frame)
{
	__u64 from, bytes;

	/* Right below what it has: more of it is wanted than was thought. */
	if (s->window_at - frame < WINDOW_SIZE)
		s->window_wanted = s->window_wanted < WINDOW_SIZE / 2 ? 2 * s->window_wanted : WINDOW_SIZE;
	from = frame + FRAME_HEAD - s->window_wanted;
	/* What lies below the page may be no memory at all, which would be found out by a fault each time. */
	if (from < (frame & ~(PAGE - 1)))
		from = frame & ~(PAGE - 1);
	bytes = frame + FRAME_HEAD - from;
	barrier_var(bytes);
	if (bytes > WINDOW_SIZE || bpf_probe_read_user(s->window + WINDOW_START, bytes, (const void *)from)) {
		s->window_at = WINDOW_NOWHERE;
		return false;
	}
	s->window_at = from;
	s->window_last = frame - from;
	return true;
}

/*
 * Where in s->window an interpreter frame's head is, once it is there: among its neighbours, or alone, before them.
 * UNREADABLE: it cannot be read.
 */
static __always_inline __u64 frame_bring(struct scratch *s, __u64 frame)
{
	__u64 behind = frame - s->window_at;

	if (behind <= s->window_last)
		return WINDOW_START + behind;
	if (s->above - frame < WINDOW_SIZE && window_fill(s, frame))
		return WINDOW_START + s->window_last;
	return bpf_probe_read_user(s->window, FRAME_HEAD, (const void *)frame) ? UNREADABLE : 0;
}

/* A frame's head from a field on, whose offset is from where the frame begins. */
static __always_inline const __u8 *frame_from(const struct scratch *s, __u64 at, __u64 field)
{
	return s->window + (at & WINDOW_MASK & ~7ull) + (field & FIELD_MASK);
}

/* Eight bytes of it. Such fields are aligned: the mask cuts nothing off. */
static __always_inline __u64 frame_field(const struct scratch *s, __u64 at, __u64 field)
{
	return *(const __u64 *)frame_from(s, at, field & ~7ull);
}

/* Adds a frame to those that were walked. False: there is no place for it. */
static __always_inline bool frame_add(struct scratch *s, __u64 frame, __u64 code, __u32 instruction, __u8 owner,
				      __u64 from_c)
{
	/* Kept in memory: the verifier need not tell a round with three frames left out from one with four. */
	__u64 depth = s->depth, step = (code ^ (__u64)instruction << 48 ^ from_c << FROM_C_BIT) * 0x9e3779b97f4a7c15ull;

	if (depth >= NT_MAX_FRAMES)
		return false;
	struct nt_frame *out = &s->frames[depth & NT_MAX_FRAMES];
	out->code = code;
	out->instruction = instruction;
	out->owner = owner;
	out->from_c = from_c;
	s->addresses[depth & NT_MAX_FRAMES] = frame;
	s->hash = s->hash * HASH_FACTOR + (step ^ step >> 32);
	s->hashes[depth & NT_MAX_FRAMES] = s->hash;
	s->depth = depth + 1;
	s->above = frame;
	if (owner == OWNER_GENERATOR) {
		s->owner.coroutine = frame;
		s->above = 0; /* it is in an object of its own, and what is beside that is chance */
	}
	return true;
}

#endif
