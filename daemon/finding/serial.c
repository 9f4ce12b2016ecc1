/*
 * serial.c: calls that follow each other in one lane and could be made at once. See plan.h.
 *
 * A call can be made as early as what it depends on is over. Those that could all be made when the first of them is,
 * are a group; what lies between them stays where it is. Where an answer is not all there to look at, the group that
 * this would make is proposed as well, but not as sure.
 */
#include <string.h>

#include "group.h"
#include "timeline.h"

/* Calls before one that are asked whether it depends on them: what began before them stays before. */
#define LOOK_BACK 64
#define MAX_ATTEMPTS 16 /* of a run, to make a group smaller */

struct search {
	const struct timeline *timeline;
	bool sure;
	uint64_t *ended;    /* by call: when it and all that began before it were over */
	uint64_t *earliest; /* of each block: when its call could be made; UINT64_MAX: it joins nobody */
	bool *grouped;	    /* blocks */
	uint32_t *group;    /* of each block: number of the first one of its sure group, + 1 */
	uint32_t *members;  /* blocks of the group that is looked at */
	uint32_t count;
	uint32_t attempts; /* that are left to make a group that saves nothing smaller */
	bool unknown;	   /* something was not there to look at */
};

static const struct run_call *call_of(const struct plan *plan, const struct search *search, uint32_t block)
{
	return &plan->run->made[search->timeline->blocks[block].call];
}

/* Does it read, and take so long that it matters? */
static bool could_join(const struct plan *plan, const struct timeline_block *block)
{
	const struct run_call *call = &plan->run->made[block->call == TIMELINE_NONE ? 0 : block->call];

	if (block->call == TIMELINE_NONE || block->ended - block->began < plan->rules->serial.call_time)
		return false;
	if (!plan->rules->serial.independent)
		return true;
	return call->answered && !call->error && !call->client_error && call->content &&
	       call->content->access == PROTOCOL_READ;
}

/* Must call i be over before j is made? */
static bool comes_first(struct plan *plan, struct search *search, uint32_t i, uint32_t j)
{
	switch (dependency_between(plan, i, j)) {
	case DEPENDENCY_SEEN:
		return true;
	case DEPENDENCY_UNKNOWN:
		search->unknown = true;
		return search->sure;
	case DEPENDENCY_NONE:
		break;
	}
	return false;
}

/* That comes along. In an event loop it is often made in a task of its own, which is another lane. */
static bool is_connect_for(const struct run_call *connect, const struct run_call *call)
{
	return connect->kind == CALL_CONNECT && connect->connection == call->connection;
}

/* When everything is over that the block's call depends on. */
static uint64_t find_earliest(struct plan *plan, struct search *search, const struct timeline_block *block)
{
	const struct run_call *made = plan->run->made;
	uint64_t earliest = 0;
	uint32_t j = block->call, looked = 0;

	if (!plan->rules->serial.independent)
		return 0;
	for (uint32_t i = j; i-- > 0 && search->ended[i] > earliest;) {
		uint64_t end = timeline_call_end(&made[i]);

		if (end > block->began || end <= earliest || is_connect_for(&made[i], &made[j]))
			continue;
		if (looked++ == LOOK_BACK || comes_first(plan, search, i, j))
			earliest = end;
		if (looked > LOOK_BACK)
			break;
	}
	return earliest;
}

static bool is_far(const struct plan *plan, const struct search *search, uint32_t block)
{
	uint64_t gap = plan->rules->serial.gap;
	const struct timeline_block *last = &search->timeline->blocks[search->members[search->count - 1]];

	return gap && search->timeline->blocks[block].began - last->ended > gap;
}

/* All of the lane that could be made when the first one is. */
static void gather(const struct plan *plan, struct search *search, uint32_t first)
{
	const struct timeline *timeline = search->timeline;
	const struct timeline_block *start = &timeline->blocks[first];

	search->members[0] = first;
	search->count = 1;
	for (uint32_t i = first + 1; i < timeline->block_count && timeline->blocks[i].lane == start->lane; i++) {
		if (search->grouped[i] || search->earliest[i] > start->began)
			continue;
		if (is_far(plan, search, i))
			return;
		search->members[search->count++] = i;
	}
}

static uint32_t count_backends(const struct plan *plan, const struct search *search)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct call_backend *where = &call_of(plan, search, search->members[i])->where;
		uint32_t k = 0;

		while (k < i && memcmp(&call_of(plan, search, search->members[k])->where, where, sizeof(*where)) != 0)
			k++;
		count += k == i;
	}
	return count;
}

/* One of the operation that most of them have. */
static uint32_t find_typical(const struct plan *plan, const struct search *search)
{
	uint32_t best = 0, best_count = 0;

	for (uint32_t i = 0; i < search->count && best_count < search->count - i; i++) {
		const struct run_call *call = call_of(plan, search, search->members[i]);
		uint32_t count = 0;

		for (uint32_t k = i; k < search->count; k++) {
			const struct run_call *other = call_of(plan, search, search->members[k]);

			count +=
			    other->protocol == call->protocol && !strcmp(group_operation(other), group_operation(call));
		}
		if (count > best_count) {
			best = i;
			best_count = count;
		}
	}
	return search->timeline->blocks[search->members[best]].call;
}

/* What is not sure is worth saying if it is not what was said already. */
static bool is_new(struct search *search)
{
	uint32_t group = search->group[search->members[0]];
	bool same = group != 0;

	for (uint32_t i = 0; i < search->count; i++) {
		same &= search->group[search->members[i]] == group;
		if (search->sure)
			search->group[search->members[i]] = search->members[0] + 1;
	}
	return search->sure || !same;
}

/* At best, all their waits are over when Python has done what it does for them. */
static bool may_be_worth_it(const struct plan *plan, const struct search *search)
{
	uint64_t wall = plan->run->ended - plan->run->began, time = 0;

	for (uint32_t i = 0; i < search->count; i++) {
		const struct timeline_block *block = &search->timeline->blocks[search->members[i]];

		time += block->ended - block->began;
	}
	return time >= plan->rules->serial.saving && (double)time >= plan->rules->serial.saving_share * (double)wall;
}

static bool is_worth_it(struct plan *plan, struct plan_proposal *proposal)
{
	uint64_t wall = plan->run->ended - plan->run->began, saved;

	proposal->saving = schedule_saving(plan, &(const struct plan_proposal *){proposal}, 1);
	proposal->weighed = true;
	saved = proposal->sure ? proposal->saving.expected : proposal->saving.high;
	return saved && saved >= plan->rules->serial.saving &&
	       (double)saved >= plan->rules->serial.saving_share * (double)wall;
}

/* False: it would not save enough. */
static bool propose(struct plan *plan, struct search *search)
{
	struct plan_proposal *proposal = plan_propose(plan, FINDING_SERIAL, PLAN_AT_ONCE, search->count);

	if (!proposal)
		return true;
	for (uint32_t i = 0; i < search->count; i++)
		proposal->calls[i] = search->timeline->blocks[search->members[i]].call;
	proposal->count = proposal->needless = search->count;
	proposal->shown = find_typical(plan, search);
	proposal->sure = search->sure;
	proposal->evidence = !plan->rules->serial.independent ? "in a row"
			     : search->sure		      ? "in a row, no data seen passed on"
							      : "in a row, answers not all there to look at";
	if (is_worth_it(plan, proposal))
		return true;
	proposal->count = 0;
	return false;
}

/* A late call may take so long that the others had better not wait for it: then they are a group without it. */
static void take_group(struct plan *plan, struct search *search)
{
	uint32_t hosts = plan->rules->serial.hosts;

	for (uint32_t i = 0; i < search->count; i++)
		search->grouped[search->members[i]] = true;
	while (search->count >= plan->rules->serial.least && search->count > 1) {
		if (!may_be_worth_it(plan, search) || (hosts && count_backends(plan, search) >= hosts))
			return;
		if (!is_new(search) || propose(plan, search) || !search->attempts)
			return;
		search->attempts--;
		search->count--;
		search->grouped[search->members[search->count]] = false;
		search->group[search->members[search->count]] = 0;
	}
}

static void search_groups(struct plan *plan, struct search *search)
{
	const struct timeline *timeline = search->timeline;

	search->attempts = MAX_ATTEMPTS;
	for (uint32_t i = 0; i < timeline->block_count; i++) {
		const struct timeline_block *block = &timeline->blocks[i];

		search->grouped[i] = false;
		search->earliest[i] = could_join(plan, block) ? find_earliest(plan, search, block) : UINT64_MAX;
	}
	for (uint32_t i = 0; i < timeline->block_count; i++) {
		if (search->grouped[i] || search->earliest[i] == UINT64_MAX)
			continue;
		gather(plan, search, i);
		take_group(plan, search);
	}
}

static uint64_t *end_times(struct plan *plan)
{
	const struct run *run = plan->run;
	uint64_t *ended = plan_allocate(plan, run->made_count * sizeof(*ended)), last = 0;

	for (size_t i = 0; ended && i < run->made_count; i++) {
		uint64_t end = timeline_call_end(&run->made[i]);

		last = end > last ? end : last;
		ended[i] = last;
	}
	return ended;
}

static void find(struct plan *plan)
{
	const struct timeline *timeline = timeline_get(plan);
	struct search search = {.timeline = timeline, .sure = true};
	size_t count = timeline ? timeline->block_count : 0;

	if (count < 2)
		return;
	search.ended = end_times(plan);
	search.earliest = plan_allocate(plan, count * sizeof(*search.earliest));
	search.grouped = plan_allocate(plan, count * sizeof(*search.grouped));
	search.group = plan_allocate(plan, count * sizeof(*search.group));
	search.members = plan_allocate(plan, count * sizeof(*search.members));
	if (!search.ended || !search.earliest || !search.grouped || !search.group || !search.members)
		return;
	search_groups(plan, &search);
	if (search.unknown) {
		search.sure = false;
		search_groups(plan, &search);
	}
}

static bool is_on(const struct finding_rules *rules)
{
	return rules->serial.on;
}

const struct finding_type finding_serial = {
    .kind = FINDING_SERIAL,
    .is_on = is_on,
    .find = find,
};
