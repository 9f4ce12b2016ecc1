/*
 * chain.h: a chain of coroutines that await each other, which a walk (python.h) need not read link by link.
 *
 * Under an asynchronous framework there is a dozen of them between the endpoint and its task, each in an object of its
 * own, so each costs a read. They stay what they are as long as the endpoint runs. A chain that was walked is
 * remembered by its two ends: the inner one, of which the daemon said that nothing outside of it has a say in what the
 * endpoint is, and the outer one, the task's own coroutine. Where both are what they were, the walk goes on behind the
 * outer one. Addresses are used again at once, so what is compared is more:
 *
 * - of the inner one its code, its instruction, and which frame called it;
 * - of the outer one likewise, which ties it to this thread's stack, and that it runs: only what is on a stack does.
 *
 * So the endpoint and the task are those of this moment. What could differ is a link between: one that stands at
 * another's place, while all that is compared is the same as before; neither the endpoint nor its run hang on it.
 */
#ifndef NT_CHAIN_H
#define NT_CHAIN_H

#include "frame.h"

#define CHAIN_BEFORE 8 /* bytes before a generator's frame that are read with it: its state is there, from 3.11 on */

static __always_inline __u64 chain_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * HASH_FACTOR;
	return hash ^ hash >> 32;
}

/* The one in whose place this inner frame's chain is. NULL: never. */
static __always_inline struct chain *chain_find(__u64 inner)
{
	__u32 slot = inner * HASH_FACTOR >> 32 & (CHAINS - 1);

	return bpf_map_lookup_elem(&chains, &slot);
}

/* What an inner frame is, by its number among those that were walked. */
static __always_inline __u64 chain_inner_is(const struct scratch *s, __u64 i, __u64 previous)
{
	const struct nt_frame *frame = &s->frames[i & NT_MAX_FRAMES];
	__u64 hash = current_process() ^ (__u64)s->generation << 32;

	return chain_mix(chain_mix(hash, frame->code ^ (__u64)frame->instruction << 48), previous);
}

/* What an outer frame is, and its caller. 0: it cannot be read. */
static __always_inline __u64 chain_outer_is(struct scratch *s, __u64 outer, __u64 *ret_previous)
{
	const struct nt_layout *layout = &s->layout;
	__u64 state = (CHAIN_BEFORE + layout->generator_state - layout->generator_frame) & (CHAIN_BEFORE - 1), hash;

	*ret_previous = 0;
	if (bpf_probe_read_user(s->window, CHAIN_BEFORE + FRAME_HEAD, (const void *)(outer - CHAIN_BEFORE)))
		return 0;
	*ret_previous = frame_field(s, CHAIN_BEFORE, layout->frame_previous);
	hash = chain_mix(frame_field(s, CHAIN_BEFORE, layout->frame_instruction), *ret_previous);
	return chain_mix(hash, frame_field(s, CHAIN_BEFORE, layout->frame_code)) ^ s->window[state];
}

/*
 * The frame that was walked last, whose caller is `previous`, may be a chain's inner one. If the chain is as it was,
 * its frames count as walked, and the outer one's caller is returned; else `previous`. Global: see
 * tstate_search_some().
 */
__noinline __u64 chain_follow(__u64 previous, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);
	__u64 inner, outer_previous, depth;
	const struct chain *chain;

	if (!s)
		return previous;
	depth = s->depth;
	inner = s->addresses[(depth - 1) & NT_MAX_FRAMES];
	chain = chain_find(inner);
	if (!chain || chain->inner != inner || chain->inner_is != chain_inner_is(s, depth - 1, previous))
		return previous;
	if (chain->outer_is != chain_outer_is(s, chain->outer, &outer_previous))
		return previous;
	depth += chain->frames;
	if (depth > NT_MAX_FRAMES)
		return previous;
	s->hash = s->hash * chain->factor + chain->hash;
	s->addresses[(depth - 1) & NT_MAX_FRAMES] = chain->outer;
	s->depth = depth;
	s->chained = chain->frames;
	s->above = 0;
	s->owner.coroutine = chain->outer;
	return outer_previous;
}

/* Is the stack that the walk has come to one of which the daemon said that a chain may stand in it? */
static __always_inline bool chain_fits(const struct scratch *s, const struct nt_stack_note *note)
{
	return note && note->chain_outer == note->chain_inner + s->chained;
}

/*
 * Remembers the chain between two frames of a stack that was walked. Returns the inner one's code object. Global: see
 * tstate_search_some().
 */
__noinline __u64 chain_remember(__u32 inner, __u32 outer, __u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);
	__u64 factor = 1, caller = 0, previous, address;
	struct chain *chain;

	if (!s || outer >= s->depth || inner >= outer)
		return 0;
	address = s->addresses[inner & NT_MAX_FRAMES];
	chain = chain_find(address);
	/* Its caller can be a frame that the interpreter has entered by, which is not among those that were walked. */
	if (!chain || !read_user(&caller, address + s->layout.frame_previous))
		return 0;
	for (__u32 i = 0; i < NT_MAX_FRAMES; i++) {
		if (inner + i >= outer)
			break;
		factor *= HASH_FACTOR;
	}
	chain->outer = s->addresses[outer & NT_MAX_FRAMES];
	chain->outer_is = chain_outer_is(s, chain->outer, &previous);
	chain->inner = chain->outer_is ? address : 0;
	chain->inner_is = chain_inner_is(s, inner, caller);
	chain->hash = s->hashes[outer & NT_MAX_FRAMES] - s->hashes[inner & NT_MAX_FRAMES] * factor;
	chain->factor = factor;
	chain->frames = outer - inner;
	return s->frames[inner & NT_MAX_FRAMES].code;
}

#endif
