/*
 * timeline.h: a run's calls as they lie in time, lane by lane, and what each waited for.
 *
 * Between plan.h's proposals and schedule.c, which moves them. A *block* is what a lane does to the network at once:
 * one call, with the connect that was made for it, or several that overlap (a pipeline).
 */
#ifndef NT_TIMELINE_H
#define NT_TIMELINE_H

#include "plan.h"

#define TIMELINE_NONE UINT32_MAX

struct timeline_block {
	uint64_t began, ended;
	uint64_t lane;
	uint32_t first, count; /* its calls in timeline.order */
	uint32_t call;	       /* TIMELINE_NONE: none or several, connects left out */
	bool connects;	       /* with a connect for its calls, whose connection has no others after it */
	uint32_t before;       /* the lane's previous block, or TIMELINE_NONE */
	/* What had to end before it could begin; TIMELINE_NONE: nothing but the run's beginning. */
	uint32_t released_by;
	/* Among these, from timeline.by_end, are the blocks of other lanes that it waited for: timeline_waits_for(). */
	uint32_t joined, join_count;
	uint64_t gap;	    /* ns since the end of what released it */
	uint64_t gap_after; /* ns to the first block that it released, or to the run's end */
};

struct timeline {
	uint64_t began, ended; /* of the run */
	uint64_t tail;	       /* ns from the last block's end to the run's */
	uint32_t block_count, call_count;
	struct timeline_block *blocks; /* lane by lane, in order */
	uint32_t *order;	       /* calls lane by lane, in order */
	uint32_t *block_of;	       /* of each call; TIMELINE_NONE: made when the run was over */
	uint32_t *by_begin, *by_end;   /* blocks */
	uint32_t last;		       /* the block that ended last */
};

/* Of the plan's run, made once; NULL without memory. */
const struct timeline *timeline_get(struct plan *plan);

/* Where a call's time ends: its answer's last byte, or what it got instead of that. */
static inline uint64_t timeline_call_end(const struct run_call *call)
{
	uint64_t end = call->in_last > call->out_last ? call->in_last : call->out_last;

	return end > call->out_first ? end : call->out_first;
}

/* Has the block waited for this one, of those that had ended when it began? */
bool timeline_waits_for(const struct timeline *timeline, const struct timeline_block *block,
			const struct timeline_block *other);

/* Was it released by its own lane's previous block, with nothing else between? */
static inline bool timeline_follows(const struct timeline_block *block)
{
	return block->before != TIMELINE_NONE && block->released_by == block->before;
}

#endif
