/*
 * timeline.c: a run's calls as they lie in time, see timeline.h.
 */
#include "timeline.h"

#include <stdlib.h>

#define MAX_JOINED 64 /* blocks of other lanes that one waited for, at most: the last ones count */

/* What is sorted: a call or a block, and its number. */
struct sorted {
	uint64_t group, time, then;
	uint32_t number;
};

static int by_time(const void *left, const void *right)
{
	const struct sorted *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	if (a->then != b->then)
		return a->then < b->then ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Most runs are in order as they come: one lane. */
static void sort(struct sorted *entries, size_t count)
{
	size_t i = 1;

	while (i < count && by_time(&entries[i - 1], &entries[i]) < 0)
		i++;
	if (i < count)
		qsort(entries, count, sizeof(*entries), by_time);
}

static void order_calls(struct timeline *timeline, const struct run *run, struct sorted *scratch)
{
	for (uint32_t i = 0; i < run->made_count; i++) {
		const struct run_call *call = &run->made[i];

		timeline->block_of[i] = TIMELINE_NONE;
		if (!call->late && call->out_first < run->ended)
			scratch[timeline->call_count++] =
			    (struct sorted){call->lane, call->out_first, timeline_call_end(call), i};
	}
	sort(scratch, timeline->call_count);
	for (uint32_t i = 0; i < timeline->call_count; i++)
		timeline->order[i] = scratch[i].number;
}

/* Does the lane's next call belong to the block: while it is under way, or on the connection just made for it? */
static bool belongs(const struct timeline *timeline, const struct run *run, const struct timeline_block *block,
		    const struct run_call *call)
{
	const struct run_call *last = &run->made[timeline->order[block->first + block->count - 1]];

	if (call->lane != block->lane)
		return false;
	return call->out_first < block->ended || (last->kind == CALL_CONNECT && last->connection == call->connection);
}

static void add_to_block(struct timeline *timeline, const struct run *run, struct timeline_block *block, uint32_t i)
{
	const struct run_call *call = &run->made[i];
	uint64_t end = timeline_call_end(call);

	if (end > run->ended)
		end = run->ended;
	if (end > block->ended)
		block->ended = end;
	timeline->block_of[i] = (uint32_t)(block - timeline->blocks);
	block->count++;
}

static void make_blocks(struct timeline *timeline, const struct run *run)
{
	struct timeline_block *block = NULL;

	for (uint32_t at = 0; at < timeline->call_count; at++) {
		const struct run_call *call = &run->made[timeline->order[at]];

		if (!block || !belongs(timeline, run, block, call)) {
			uint32_t number = timeline->block_count++;
			bool follows = block && block->lane == call->lane;

			block = &timeline->blocks[number];
			*block = (struct timeline_block){
			    .began = call->out_first > run->began ? call->out_first : run->began,
			    .ended = run->began,
			    .lane = call->lane,
			    .first = at,
			    .call = TIMELINE_NONE,
			    .before = follows ? number - 1 : TIMELINE_NONE,
			    .released_by = TIMELINE_NONE,
			};
			block->ended = block->began;
		}
		add_to_block(timeline, run, block, timeline->order[at]);
	}
}

/* Is the connection used again when these calls are over? Then who uses it next would have to connect. */
static bool is_used_later(const struct timeline *timeline, const struct run *run, const struct timeline_block *block,
			  uint32_t connect)
{
	for (uint32_t i = connect + 1; i < run->made_count; i++)
		if (run->made[i].connection == run->made[connect].connection &&
		    timeline->block_of[i] != (uint32_t)(block - timeline->blocks))
			return true;
	return false;
}

static void describe_block(struct timeline *timeline, const struct run *run, struct timeline_block *block)
{
	uint32_t exchanges = 0;

	for (uint32_t k = 0; k < block->count; k++) {
		uint32_t i = timeline->order[block->first + k];

		if (run->made[i].kind == CALL_CONNECT) {
			block->connects = !is_used_later(timeline, run, block, i);
		} else {
			block->call = i;
			exchanges++;
		}
	}
	if (exchanges != 1)
		block->call = TIMELINE_NONE;
}

static void order_blocks(struct timeline *timeline, struct sorted *scratch)
{
	for (uint32_t i = 0; i < timeline->block_count; i++)
		scratch[i] = (struct sorted){0, timeline->blocks[i].began, timeline->blocks[i].ended, i};
	sort(scratch, timeline->block_count);
	for (uint32_t i = 0; i < timeline->block_count; i++)
		timeline->by_begin[i] = scratch[i].number;
	for (uint32_t i = 0; i < timeline->block_count; i++)
		scratch[i] = (struct sorted){0, timeline->blocks[i].ended, timeline->blocks[i].began, i};
	sort(scratch, timeline->block_count);
	for (uint32_t i = 0; i < timeline->block_count; i++)
		timeline->by_end[i] = scratch[i].number;
}

/* Has its lane nothing more to do until then? */
static bool is_done(const struct timeline *timeline, const struct timeline_block *block, uint64_t until)
{
	const struct timeline_block *next = block + 1;

	return next == timeline->blocks + timeline->block_count || next->lane != block->lane || next->began >= until;
}

/* Who has started a lane may go on at once. */
bool timeline_waits_for(const struct timeline *timeline, const struct timeline_block *block,
			const struct timeline_block *other)
{
	if (other->lane == block->lane)
		return false;
	if (block->before == TIMELINE_NONE)
		return is_done(timeline, other, block->began);
	return other->began >= timeline->blocks[block->before].ended || is_done(timeline, other, block->ended);
}

/*
 * A lane goes on when its own last block is over, unless it has waited for others' work as well: work that lies between
 * the two, or that was done beside the last one by a lane that then had no more to do. A lane begins when whatever
 * ended last has ended: that is who has started it. `ended`: so many of by_end are over when the block begins.
 */
static void release(struct timeline *timeline, struct timeline_block *block, uint32_t ended)
{
	const struct timeline_block *blocks = timeline->blocks;
	const struct timeline_block *before = block->before == TIMELINE_NONE ? NULL : &blocks[block->before];
	uint32_t at = ended;

	block->released_by = block->before;
	if (!before && ended)
		block->released_by = timeline->by_end[ended - 1];
	while (at && ended - at < MAX_JOINED && (!before || blocks[timeline->by_end[at - 1]].ended > before->began)) {
		const struct timeline_block *other = &blocks[timeline->by_end[--at]];

		if (!timeline_waits_for(timeline, block, other))
			continue;
		if (before && !block->join_count && other->ended > before->ended)
			block->released_by = timeline->by_end[at];
		block->joined = at;
		block->join_count = ended - at;
	}
}

static void release_all(struct timeline *timeline)
{
	uint32_t ended = 0;

	for (uint32_t k = 0; k < timeline->block_count; k++) {
		uint32_t number = timeline->by_begin[k];
		struct timeline_block *block = &timeline->blocks[number];
		uint64_t since;

		while (ended < timeline->block_count && timeline->by_end[ended] != number &&
		       timeline->blocks[timeline->by_end[ended]].ended <= block->began)
			ended++;
		release(timeline, block, ended);
		since =
		    block->released_by == TIMELINE_NONE ? timeline->began : timeline->blocks[block->released_by].ended;
		block->gap = block->began - since;
	}
}

static void measure_gaps(struct timeline *timeline)
{
	for (uint32_t i = 0; i < timeline->block_count; i++)
		timeline->blocks[i].gap_after = timeline->ended - timeline->blocks[i].ended;
	for (uint32_t i = 0; i < timeline->block_count; i++) {
		const struct timeline_block *block = &timeline->blocks[i];
		struct timeline_block *by;

		if (block->released_by == TIMELINE_NONE)
			continue;
		by = &timeline->blocks[block->released_by];
		if (by->gap_after > block->gap)
			by->gap_after = block->gap;
	}
}

static bool allocate(struct plan *plan, struct timeline *timeline, struct sorted **ret_scratch)
{
	size_t count = plan->run->made_count;

	timeline->blocks = plan_allocate(plan, count * sizeof(*timeline->blocks));
	timeline->order = plan_allocate(plan, count * sizeof(*timeline->order));
	timeline->block_of = plan_allocate(plan, count * sizeof(*timeline->block_of));
	timeline->by_begin = plan_allocate(plan, count * sizeof(*timeline->by_begin));
	timeline->by_end = plan_allocate(plan, count * sizeof(*timeline->by_end));
	*ret_scratch = plan_allocate(plan, count * sizeof(**ret_scratch));
	return timeline->blocks && timeline->order && timeline->block_of && timeline->by_begin && timeline->by_end &&
	       *ret_scratch;
}

const struct timeline *timeline_get(struct plan *plan)
{
	const struct run *run = plan->run;
	struct timeline *timeline;
	struct sorted *scratch;

	if (plan->timeline)
		return plan->timeline;
	timeline = plan_allocate(plan, sizeof(*timeline));
	if (!timeline || !allocate(plan, timeline, &scratch))
		return NULL;
	timeline->began = run->began;
	timeline->ended = run->ended > run->began ? run->ended : run->began;
	order_calls(timeline, run, scratch);
	make_blocks(timeline, run);
	for (uint32_t i = 0; i < timeline->block_count; i++)
		describe_block(timeline, run, &timeline->blocks[i]);
	order_blocks(timeline, scratch);
	release_all(timeline);
	measure_gaps(timeline);
	timeline->last = timeline->block_count ? timeline->by_end[timeline->block_count - 1] : TIMELINE_NONE;
	timeline->tail = timeline->block_count ? timeline->ended - timeline->blocks[timeline->last].ended : 0;
	plan->timeline = timeline;
	return timeline;
}
