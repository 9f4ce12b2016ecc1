/*
 * schedule.c: what a run would take with some calls left out, put together or made at once. See plan.h.
 *
 * A block of the timeline (timeline.h) is moved by what released it: it begins as long after that as it did, since what
 * lies between is the target's own Python, which stays where it is. But for a part of it: the client library's time
 * before and after a call, its *margins* (library.c), goes where the call goes.
 *
 * Of calls that are made at once, the lane makes the first and gives the others away. It goes on when it has its own
 * answer; where a call needs another's answer, it waits for that, and the run's end waits for all.
 *
 * Each saving is worked out three times. The low end takes no margins along, waits for all that is made at once before
 * it goes on, and makes the backend pay for that; the high end takes the margins to be what was learned or twice that,
 * and everything to go as well as it can.
 */
#include <stdlib.h>
#include <string.h>

#include "passing.h"
#include "timeline.h"

/* What a call costs that is given to another thread, or to a task of its own: to start it, and to take its result. */
#define THREAD_COST 100000 /* ns */
#define TASK_COST 30000
#define PARSED 8     /* of the library's time for n answers, one in so many stays when they come in one */
#define LOOK_AT 32   /* calls given away that a block is asked whether it needs them; it waits for what is more */
#define CONTENTION 7 /* low end: a backend that is asked many things at once takes one in so many longer */

#define NOT_FIXED UINT64_MAX

enum level { LOW, EXPECTED, HIGH, LEVELS };

struct margins {
	uint64_t before, after; /* ns, inside the gaps around a block */
};

/* A call among those that are made at once. */
struct job {
	uint64_t before, wait, after; /* ns; `before` and `after` on the one CPU that Python has */
	uint32_t block;
};

/* A call that is given to another thread or task: the lane goes on meanwhile, up to where the answer is needed. */
struct given {
	uint32_t call, with; /* the block where that is done */
	uint64_t after;	     /* ns from there until the answer is taken; once it is placed, when that is */
	bool is_placed;
};

/* Calls, or blocks, that are not as they were, in no order. */
struct changed {
	uint32_t *numbers, count;
	bool *are; /* of each: it is among them */
};

/* A plan's, made once; below `lengths` it is an evaluation's. */
struct schedule {
	const struct timeline *timeline;
	uint32_t call_count;
	bool one_lane;
	struct margins *margins[LEVELS]; /* of each block */
	uint64_t *lengths;		 /* of each call as it was */
	const struct margins *used;	 /* those of the evaluation */
	struct changed calls, blocks;
	uint64_t *now;		    /* of each call */
	bool *gone, *taken;	    /* calls: not made any more; stands for others that are gone */
	uint64_t *fixed;	    /* blocks: length with margins; NOT_FIXED: what its calls take */
	uint64_t *left_over;	    /* blocks: library's time of calls that have gone into this one */
	uint64_t *ended, *finished; /* blocks: without and with the margin after it */
	struct job *jobs;
	const struct passing *passing; /* NULL: there is one lane only */
	struct given *given;	       /* in the order of their proposals */
	uint32_t given_count;
	uint64_t last_given; /* when the last answer of those is taken that are placed */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Of a block of several calls, their library is the first one's. */
static uint64_t library_of(struct plan *plan, const struct timeline *timeline, const struct timeline_block *block)
{
	uint32_t i = block->call != TIMELINE_NONE ? block->call : timeline->order[block->first];
	const struct run_call *call = &plan->run->made[i];

	return call->kind == CALL_EXCHANGE ? library_time(plan, call->protocol, &call->where) : 0;
}

/* Two that want parts of a gap have what they want, or else shares of it. */
static void share_gap(const struct timeline_block *block, struct margins *of_block, struct margins *of_releaser)
{
	uint64_t wanted = of_releaser->after + of_block->before;

	if (wanted <= block->gap)
		return;
	of_releaser->after = block->gap * of_releaser->after / wanted;
	of_block->before = block->gap - of_releaser->after;
}

/* `parts` halves of what the library takes on either side of each block, as far as there is room. */
static void set_margins(const struct timeline *timeline, struct margins *margins, const uint64_t *libraries,
			unsigned parts)
{
	for (uint32_t i = 0; i < timeline->block_count; i++) {
		margins[i].before = least(libraries[i] * parts / 2, timeline->blocks[i].gap);
		margins[i].after = least(libraries[i] * parts / 2, timeline->blocks[i].gap_after);
	}
	for (uint32_t i = 0; i < timeline->block_count; i++) {
		const struct timeline_block *block = &timeline->blocks[i];

		if (block->released_by != TIMELINE_NONE)
			share_gap(block, &margins[i], &margins[block->released_by]);
	}
}

static bool find_margins(struct plan *plan, struct schedule *schedule)
{
	const struct timeline *timeline = schedule->timeline;
	uint64_t *libraries = plan_allocate(plan, timeline->block_count * sizeof(*libraries));

	for (unsigned level = LOW; level < LEVELS; level++) {
		size_t size = timeline->block_count * sizeof(*schedule->margins[level]);

		schedule->margins[level] = plan_allocate(plan, size);
		if (!schedule->margins[level] || !libraries)
			return false;
	}
	for (uint32_t i = 0; i < timeline->block_count; i++)
		libraries[i] = library_of(plan, timeline, &timeline->blocks[i]);
	set_margins(timeline, schedule->margins[EXPECTED], libraries, 1);
	set_margins(timeline, schedule->margins[HIGH], libraries, 2);
	return true;
}

static uint64_t call_start(const struct timeline *timeline, const struct run_call *call)
{
	return most(call->out_first, timeline->began);
}

static void measure_calls(const struct plan *plan, struct schedule *schedule)
{
	const struct timeline *timeline = schedule->timeline;

	for (uint32_t i = 0; i < schedule->call_count; i++) {
		const struct run_call *call = &plan->run->made[i];
		uint64_t start = call_start(timeline, call), end = least(timeline_call_end(call), timeline->ended);

		schedule->lengths[i] = end > start ? end - start : 0;
	}
}

static bool allocate_changed(struct plan *plan, struct changed *changed, size_t count)
{
	changed->numbers = plan_allocate(plan, count * sizeof(*changed->numbers));
	changed->are = plan_allocate(plan, count * sizeof(*changed->are));
	return changed->numbers && changed->are;
}

static bool allocate(struct plan *plan, struct schedule *schedule)
{
	size_t calls = plan->run->made_count, blocks = schedule->timeline->block_count;

	schedule->lengths = plan_allocate(plan, calls * sizeof(*schedule->lengths));
	schedule->now = plan_allocate(plan, calls * sizeof(*schedule->now));
	schedule->gone = plan_allocate(plan, calls * sizeof(*schedule->gone));
	schedule->taken = plan_allocate(plan, calls * sizeof(*schedule->taken));
	schedule->fixed = plan_allocate(plan, blocks * sizeof(*schedule->fixed));
	schedule->left_over = plan_allocate(plan, blocks * sizeof(*schedule->left_over));
	schedule->ended = plan_allocate(plan, blocks * sizeof(*schedule->ended));
	schedule->finished = plan_allocate(plan, blocks * sizeof(*schedule->finished));
	schedule->jobs = plan_allocate(plan, blocks * sizeof(*schedule->jobs));
	schedule->given = plan_allocate(plan, blocks * sizeof(*schedule->given));
	return schedule->lengths && schedule->now && schedule->gone && schedule->taken && schedule->fixed &&
	       schedule->left_over && schedule->ended && schedule->finished && schedule->jobs && schedule->given &&
	       allocate_changed(plan, &schedule->calls, calls) && allocate_changed(plan, &schedule->blocks, blocks);
}

/* Blocks are in order of their lanes. */
static bool has_lanes(const struct timeline *timeline)
{
	return timeline->block_count && timeline->blocks[0].lane != timeline->blocks[timeline->block_count - 1].lane;
}

/* NULL without memory. */
static struct schedule *get_schedule(struct plan *plan)
{
	struct schedule *schedule = plan->schedule;

	if (schedule)
		return schedule;
	schedule = plan_allocate(plan, sizeof(*schedule));
	if (!schedule)
		return NULL;
	schedule->timeline = timeline_get(plan);
	schedule->call_count = (uint32_t)plan->run->made_count;
	if (!schedule->timeline || !allocate(plan, schedule) || !find_margins(plan, schedule))
		return NULL;
	measure_calls(plan, schedule);
	memcpy(schedule->now, schedule->lengths, schedule->call_count * sizeof(*schedule->now));
	memset(schedule->fixed, 0xff, schedule->timeline->block_count * sizeof(*schedule->fixed));
	schedule->one_lane = !has_lanes(schedule->timeline);
	if (!schedule->one_lane && !(schedule->passing = passing_look(plan)))
		return NULL;
	plan->schedule = schedule;
	return schedule;
}

static void note(struct changed *changed, uint32_t number)
{
	if (!changed->are[number])
		changed->numbers[changed->count++] = number;
	changed->are[number] = true;
}

static void note_change(struct schedule *schedule, uint32_t i)
{
	note(&schedule->calls, i);
	if (schedule->timeline->block_of[i] != TIMELINE_NONE)
		note(&schedule->blocks, schedule->timeline->block_of[i]);
}

/* Takes back what the last evaluation has changed. */
static void start_over(struct schedule *schedule)
{
	for (uint32_t k = 0; k < schedule->calls.count; k++) {
		uint32_t i = schedule->calls.numbers[k];

		schedule->now[i] = schedule->lengths[i];
		schedule->gone[i] = schedule->taken[i] = schedule->calls.are[i] = false;
	}
	for (uint32_t k = 0; k < schedule->blocks.count; k++) {
		uint32_t number = schedule->blocks.numbers[k];

		schedule->fixed[number] = NOT_FIXED;
		schedule->left_over[number] = 0;
		schedule->blocks.are[number] = false;
	}
	schedule->calls.count = schedule->blocks.count = schedule->given_count = 0;
	schedule->last_given = 0;
}

/* --- one block --- */

/* How long it takes from its beginning to where the last call that is still made ends; false: none is. */
static bool measure_block(const struct plan *plan, const struct schedule *schedule, uint32_t number,
			  uint64_t *ret_length)
{
	const struct timeline *timeline = schedule->timeline;
	const struct timeline_block *block = &timeline->blocks[number];
	uint64_t saved = 0, end = 0;
	bool made = false, connects = false, exchanges = false;

	if (block->count == 1) {
		uint32_t i = timeline->order[block->first];

		if (!schedule->gone[i])
			*ret_length = schedule->now[i];
		return !schedule->gone[i];
	}
	for (uint32_t k = 0; k < block->count; k++) {
		uint32_t i = timeline->order[block->first + k];
		const struct run_call *call = &plan->run->made[i];
		uint64_t after = call_start(timeline, call) - block->began;
		uint64_t now = schedule->gone[i] ? 0 : schedule->now[i];

		after -= least(after, saved);
		if (!schedule->gone[i])
			end = most(end, after + now);
		if (call->kind == CALL_CONNECT) {
			connects |= !schedule->gone[i];
			saved += schedule->lengths[i] - now;
		} else {
			exchanges = true;
			made |= !schedule->gone[i];
		}
	}
	/* A connection that nobody uses any more is not made either. */
	if (!made && (!connects || (exchanges && block->connects)))
		return false;
	*ret_length = end;
	return true;
}

/* --- one change --- */

static void remove_call(struct schedule *schedule, uint32_t i)
{
	schedule->gone[i] = true;
	note_change(schedule, i);
}

static void remove_calls(struct schedule *schedule, const struct plan_proposal *proposal)
{
	for (uint32_t k = 0; k < proposal->count; k++)
		remove_call(schedule, proposal->calls[k]);
}

static void shorten_calls(struct schedule *schedule, const struct plan_proposal *proposal)
{
	for (uint32_t k = 0; k < proposal->count; k++) {
		uint64_t *now = &schedule->now[proposal->calls[k]];

		*now -= least(*now, proposal->less[k]);
		note_change(schedule, proposal->calls[k]);
	}
}

/* Is it there to be put together with others? */
static bool is_free(const struct schedule *schedule, uint32_t i)
{
	return !schedule->gone[i] && !schedule->taken[i] && schedule->timeline->block_of[i] != TIMELINE_NONE;
}

struct round_trip {
	uint32_t first, count;
	uint64_t shortest, longest, sum;
};

static struct round_trip measure_round_trip(const struct schedule *schedule, const struct plan_proposal *proposal)
{
	struct round_trip trip = {.shortest = UINT64_MAX};

	for (uint32_t k = 0; k < proposal->count; k++) {
		uint32_t i = proposal->calls[k];

		if (!is_free(schedule, i))
			continue;
		if (!trip.count++)
			trip.first = i;
		trip.shortest = least(trip.shortest, schedule->now[i]);
		trip.longest = most(trip.longest, schedule->now[i]);
		trip.sum += schedule->now[i];
	}
	return trip;
}

/*
 * What is common to all calls is paid once, as the shortest shows. What others take beyond that may be chance, or the
 * backend's work: likely the longest one's, at worst half of all.
 */
static uint64_t round_trip_length(const struct round_trip *trip, enum level level)
{
	if (level == HIGH)
		return trip->shortest;
	if (level == EXPECTED)
		return trip->longest;
	return most(trip->longest, trip->shortest + (trip->sum - trip->count * trip->shortest) / 2);
}

static void collapse_calls(struct schedule *schedule, const struct plan_proposal *proposal, enum level level)
{
	const struct timeline *timeline = schedule->timeline;
	struct round_trip trip = measure_round_trip(schedule, proposal);
	uint64_t library = 0;

	if (trip.count < 2)
		return;
	for (uint32_t k = 0; k < proposal->count; k++) {
		uint32_t i = proposal->calls[k];
		const struct margins *margins;

		if (i == trip.first || !is_free(schedule, i))
			continue;
		margins = &schedule->used[timeline->block_of[i]];
		library += margins->before + margins->after;
		remove_call(schedule, i);
	}
	schedule->taken[trip.first] = true;
	schedule->now[trip.first] = round_trip_length(&trip, level);
	note_change(schedule, trip.first);
	if (level != HIGH)
		schedule->left_over[timeline->block_of[trip.first]] += library / PARSED;
}

/* Its block has no other call, and is not one of several at once yet. */
static bool can_be_moved(const struct schedule *schedule, uint32_t i)
{
	uint32_t block = schedule->timeline->block_of[i];

	return !schedule->gone[i] && block != TIMELINE_NONE && schedule->timeline->blocks[block].call == i &&
	       schedule->fixed[block] == NOT_FIXED;
}

static int by_wait(const void *left, const void *right)
{
	const struct job *a = left, *b = right;

	return a->wait < b->wait ? -1 : a->wait > b->wait;
}

/*
 * Python does one thing at a time: it gives calls away, each for `cost`, sends all one after the other, and takes their
 * answers as they come. `wait` becomes when that is done; they are sorted by it.
 */
static void make_jobs(struct job *jobs, uint32_t count, uint64_t cost)
{
	uint64_t now = cost;

	for (uint32_t k = 0; k < count; k++) {
		now += jobs[k].before;
		jobs[k].wait += now;
	}
	qsort(jobs, count, sizeof(*jobs), by_wait);
	for (uint32_t k = 0; k < count; k++)
		jobs[k].wait = now = most(now, jobs[k].wait) + jobs[k].after;
}

static uint64_t job_cost(const struct timeline_block *block, enum level level)
{
	uint64_t cost = block->lane & RUN_LANE_THREAD ? THREAD_COST : TASK_COST;

	return level == LOW ? 2 * cost : level == HIGH ? 0 : cost;
}

static uint32_t collect_jobs(const struct plan *plan, struct schedule *schedule, const struct plan_proposal *proposal,
			     enum level level)
{
	const struct timeline *timeline = schedule->timeline;
	uint32_t count = 0;

	for (uint32_t k = 0; k < proposal->count; k++) {
		uint32_t i = proposal->calls[k], block = timeline->block_of[i];
		const struct margins *margins;
		struct job *job = &schedule->jobs[count];

		if (!can_be_moved(schedule, i))
			continue;
		margins = &schedule->used[block];
		*job = (struct job){
		    .before = margins->before, .after = margins->after + schedule->left_over[block], .block = block};
		measure_block(plan, schedule, block, &job->wait);
		if (level == LOW)
			job->wait += job->wait / CONTENTION;
		count++;
	}
	return count;
}

/* The block of the first call, also where that is not made any more; else of the first one that can be moved. */
static uint32_t find_meeting(const struct schedule *schedule, uint32_t first)
{
	const struct timeline *timeline = schedule->timeline;
	uint32_t block = timeline->block_of[first];

	if (block != TIMELINE_NONE && timeline->blocks[block].call == first && schedule->fixed[block] == NOT_FIXED)
		return block;
	return schedule->jobs[0].block;
}

/*
 * The lane makes the first call itself, and gives the others away. At worst it then waits for all answers; likely it
 * goes on, up to where one is needed (wait_for_given()).
 */
static void overlap_calls(const struct plan *plan, struct schedule *schedule, const struct plan_proposal *proposal,
			  enum level level)
{
	uint32_t count = collect_jobs(plan, schedule, proposal, level), meeting;
	const struct timeline_block *blocks = schedule->timeline->blocks;
	struct job *jobs = schedule->jobs;
	uint64_t cost;

	if (!count)
		return;
	meeting = find_meeting(schedule, proposal->calls[0]);
	if (count == 1 && (level == LOW || jobs[0].block == meeting))
		return;
	cost = (count - (jobs[0].block == meeting)) * job_cost(&blocks[meeting], level);
	make_jobs(jobs, count, cost);
	schedule->fixed[meeting] = level == LOW ? jobs[count - 1].wait : cost;
	note_change(schedule, blocks[meeting].call);
	for (uint32_t k = 0; k < count; k++) {
		uint32_t call = blocks[jobs[k].block].call;

		if (jobs[k].block == meeting) {
			schedule->fixed[meeting] = most(schedule->fixed[meeting], jobs[k].wait);
			continue;
		}
		remove_call(schedule, call);
		if (level != LOW)
			schedule->given[schedule->given_count++] =
			    (struct given){.call = call, .with = meeting, .after = jobs[k].wait};
	}
}

static void apply(const struct plan *plan, struct schedule *schedule, const struct plan_proposal *proposal,
		  enum level level)
{
	switch (proposal->change) {
	case PLAN_SHORTEN:
		shorten_calls(schedule, proposal);
		break;
	case PLAN_REMOVE:
		remove_calls(schedule, proposal);
		break;
	case PLAN_COLLAPSE:
		collapse_calls(schedule, proposal, level);
		break;
	case PLAN_AT_ONCE:
		overlap_calls(plan, schedule, proposal, level);
		break;
	}
}

/* --- the timeline with all changes --- */

/* Is it no longer the first on a connection of its own? */
static bool connects_no_more(const struct plan *plan, const struct schedule *schedule, uint32_t number)
{
	const struct timeline_block *block = &schedule->timeline->blocks[number];
	uint32_t first = schedule->timeline->order[block->first];

	return block->call != TIMELINE_NONE && !schedule->gone[block->call] &&
	       plan->run->made[first].kind == CALL_CONNECT && schedule->gone[first];
}

/* When the last of the answers is there that other lanes had, and whose values the block's call was made with. */
static uint64_t last_given(const struct schedule *schedule, const struct timeline_block *block)
{
	const struct timeline *timeline = schedule->timeline;
	const struct passing *passing = schedule->passing;
	uint64_t last = 0;

	if (!passing || block->call == TIMELINE_NONE)
		return 0;
	passing += block->call;
	for (uint32_t k = 0; k < passing->count; k++) {
		uint32_t from = timeline->block_of[passing->from[k]];

		if (from != TIMELINE_NONE && timeline->blocks[from].lane != block->lane)
			last = most(last, schedule->ended[from]);
	}
	return last;
}

/* What Python does between what released the block and its first byte; `before`: of that, the library for its calls. */
static uint64_t time_between(const struct schedule *schedule, uint32_t number, uint64_t before)
{
	const struct timeline_block *block = &schedule->timeline->blocks[number];
	const struct margins *margins = schedule->used;
	uint64_t between = block->gap - margins[number].before + before;

	return between - (block->released_by != TIMELINE_NONE ? margins[block->released_by].after : 0);
}

/* How much less that is: at best, Python has done as much for the connection as it does for a call. */
static uint64_t spared_between(const struct plan *plan, const struct schedule *schedule, uint32_t number,
			       uint64_t before, enum level level)
{
	if (level != HIGH || !connects_no_more(plan, schedule, number))
		return 0;
	return least(time_between(schedule, number, before), 2 * schedule->margins[EXPECTED][number].before);
}

/* When its first byte leaves: all that it waits for is over, and Python has done what it does in between. */
static uint64_t block_start(const struct plan *plan, const struct schedule *schedule, uint32_t number, uint64_t before,
			    enum level level)
{
	const struct timeline *timeline = schedule->timeline;
	const struct timeline_block *block = &timeline->blocks[number];
	bool released = block->released_by != TIMELINE_NONE;
	uint64_t start = released ? schedule->finished[block->released_by] : timeline->began;
	uint64_t between = time_between(schedule, number, before);

	between -= spared_between(plan, schedule, number, before, level);
	start += between;
	if (block->before != TIMELINE_NONE)
		start = most(start, schedule->ended[block->before]);
	for (uint32_t k = 0; k < block->join_count; k++) {
		const struct timeline_block *other = &timeline->blocks[timeline->by_end[block->joined + k]];

		if (timeline_waits_for(timeline, block, other))
			start = most(start, schedule->ended[timeline->by_end[block->joined + k]] + between);
	}
	return most(start, last_given(schedule, block) + before);
}

/* Does call i need the answer of one that was given away? */
static bool needs(struct plan *plan, uint32_t i, uint32_t given, bool sure)
{
	const struct run_call *made = plan->run->made;
	enum dependency dependency;

	if (i <= given || timeline_call_end(&made[given]) > made[i].out_first)
		return false;
	dependency = dependency_between(plan, given, i);
	return dependency == DEPENDENCY_SEEN || (dependency == DEPENDENCY_UNKNOWN && sure);
}

/* Likewise for all that is sent where the block begins. */
static bool block_needs(struct plan *plan, const struct schedule *schedule, uint32_t number, uint32_t given, bool sure)
{
	const struct timeline *timeline = schedule->timeline;
	const struct timeline_block *block = &timeline->blocks[number];

	for (uint32_t k = 0; k < block->count; k++) {
		uint32_t i = timeline->order[block->first + k];

		if (!schedule->gone[i] && needs(plan, i, given, sure))
			return true;
	}
	for (uint32_t n = 0; schedule->fixed[number] != NOT_FIXED && n < schedule->given_count; n++)
		if (schedule->given[n].with == number && needs(plan, schedule->given[n].call, given, sure))
			return true;
	return false;
}

/* When the block can begin that could at `start` if it needed nothing of what was given away. */
static uint64_t wait_for_given(struct plan *plan, const struct schedule *schedule, uint32_t number, uint64_t start,
			       enum level level)
{
	uint32_t looked = 0;

	for (uint32_t n = schedule->given_count; n-- > 0 && start < schedule->last_given;) {
		const struct given *given = &schedule->given[n];

		if (!given->is_placed || given->after <= start)
			continue;
		if (looked++ >= LOOK_AT || block_needs(plan, schedule, number, given->call, level != HIGH))
			start = given->after;
	}
	return start;
}

static void place_given(struct schedule *schedule, uint32_t number, uint64_t start)
{
	for (uint32_t n = 0; n < schedule->given_count; n++) {
		if (schedule->given[n].with != number)
			continue;
		schedule->given[n].after += start;
		schedule->given[n].is_placed = true;
		schedule->last_given = most(schedule->last_given, schedule->given[n].after);
	}
}

/* How long the block takes with what is left of its calls, and its margins. */
static uint64_t measure_changed(const struct plan *plan, const struct schedule *schedule, uint32_t number,
				struct margins *ret_own)
{
	uint64_t length = schedule->fixed[number];

	*ret_own = (struct margins){0};
	if (length != NOT_FIXED)
		return length;
	if (!measure_block(plan, schedule, number, &length))
		return 0;
	*ret_own = schedule->used[number];
	ret_own->after += schedule->left_over[number];
	return length;
}

static void place_block(struct plan *plan, struct schedule *schedule, uint32_t number, enum level level)
{
	struct margins own;
	uint64_t length = measure_changed(plan, schedule, number, &own), start;

	start = block_start(plan, schedule, number, own.before, level);
	start = wait_for_given(plan, schedule, number, start, level);
	if (schedule->fixed[number] != NOT_FIXED)
		place_given(schedule, number, start);
	schedule->ended[number] = start + length;
	schedule->finished[number] = schedule->ended[number] + own.after;
}

static uint64_t place_blocks(struct plan *plan, struct schedule *schedule, enum level level)
{
	const struct timeline *timeline = schedule->timeline;
	uint64_t end = timeline->began, tail = timeline->tail - schedule->used[timeline->last].after;

	for (uint32_t k = 0; k < timeline->block_count; k++) {
		place_block(plan, schedule, timeline->by_begin[k], level);
		end = most(end, schedule->ended[timeline->by_begin[k]]);
	}
	for (uint32_t n = 0; n < schedule->given_count; n++)
		end = most(end, schedule->given[n].after);
	return most(end, schedule->finished[timeline->last]) + tail - timeline->began;
}

/*
 * The same where each block only waits for the one before it: then the run takes as much less as its changed blocks do,
 * with what lies before and after them.
 */
static uint64_t add_up_blocks(const struct plan *plan, const struct schedule *schedule, enum level level)
{
	const struct timeline *timeline = schedule->timeline;
	uint64_t wall = timeline->ended - timeline->began;

	for (uint32_t k = 0; k < schedule->blocks.count; k++) {
		uint32_t number = schedule->blocks.numbers[k];
		const struct timeline_block *block = &timeline->blocks[number];
		const struct margins *was = &schedule->used[number];
		struct margins own;

		wall += measure_changed(plan, schedule, number, &own) + own.before + own.after;
		wall -= spared_between(plan, schedule, number, own.before, level);
		wall -= block->ended - block->began + was->before + was->after;
	}
	return wall;
}

/* What is done with calls that others have an eye on as well: not made at all, made together, made at once. */
static const enum plan_change order_of_changes[] = {PLAN_SHORTEN, PLAN_REMOVE, PLAN_COLLAPSE, PLAN_AT_ONCE};

#define CHANGES (sizeof(order_of_changes) / sizeof(*order_of_changes))

/* What is not sure has more calls than what is, and comes first where it counts. */
static uint64_t save(struct plan *plan, struct schedule *schedule, const struct plan_proposal *const *proposals,
		     size_t count, enum level level, enum level margins)
{
	uint64_t before = schedule->timeline->ended - schedule->timeline->began, after;
	bool any = false;

	for (size_t k = 0; k < count && !any; k++)
		any = proposals[k]->sure || level == HIGH;
	if (!any)
		return 0;
	start_over(schedule);
	schedule->used = schedule->margins[margins];
	for (size_t change = 0; change < CHANGES; change++)
		for (unsigned sure = level == HIGH ? 0 : 1; sure < 2; sure++)
			for (size_t k = 0; k < count; k++)
				if (proposals[k]->change == order_of_changes[change] && proposals[k]->sure == sure)
					apply(plan, schedule, proposals[k], level);
	if (schedule->one_lane && !schedule->given_count)
		after = add_up_blocks(plan, schedule, level);
	else
		after = place_blocks(plan, schedule, level);
	return after < before ? before - after : 0;
}

struct finding_saving schedule_saving(struct plan *plan, const struct plan_proposal *const *proposals, size_t count)
{
	struct schedule *schedule = get_schedule(plan);
	struct finding_saving saving = {0};

	if (!schedule || !schedule->timeline->block_count)
		return saving;
	saving.expected = save(plan, schedule, proposals, count, EXPECTED, EXPECTED);
	saving.low = least(save(plan, schedule, proposals, count, LOW, LOW), saving.expected);
	/* Small margins are better for calls at once, large ones for calls that are not made. */
	for (enum level margins = EXPECTED; margins <= HIGH; margins++)
		saving.high = most(save(plan, schedule, proposals, count, HIGH, margins), saving.high);
	saving.high = most(saving.high, saving.expected);
	return saving;
}
