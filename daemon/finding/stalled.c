/*
 * stalled.c: calls that wait for a timer of the kernel's: a delayed acknowledgement, or a packet that was lost.
 *
 * Who sends a message in two parts has Nagle's algorithm hold back the second until the first is acknowledged, which
 * the other side delays by 40 ms in the hope of data to send it with. That shows as a wait of that length after a
 * request of several sends on a socket without TCP_NODELAY, or between the parts of a small answer. But a backend may
 * just take so long: other calls of the operation have to have taken far less, if there are any, and for an answer
 * there must be; and hardly any may have taken something in between. Packets that had to be sent again are counted by
 * the kernel.
 */
#include <stdlib.h>

#include "group.h"
#include "remember.h"
#include "share.h"

#define SMALL_ANSWER 16384 /* bytes; a larger one is sent in parts anyway */
#define FAR_LESS 2	   /* a usual call takes one in so many of what a stalled one does, at most */
#define HARDLY_ANY 4	   /* at most one in so many */
#define STEPS 8		   /* the usual time follows by one in so many of the difference */

enum stall { NOT_STALLED, REQUEST_IN_PARTS, ANSWER_IN_PARTS, SENT_AGAIN, STALLS };

static const struct {
	const char *evidence, *remedy;
} words[STALLS] = {
    [REQUEST_IN_PARTS] = {"a request in parts waits for a delayed acknowledgement",
			  "send it at once, or set TCP_NODELAY"},
    [ANSWER_IN_PARTS] = {"an answer in parts waits for a delayed acknowledgement",
			 "have the backend send it at once, or set TCP_NODELAY"},
    [SENT_AGAIN] = {"packets were lost and sent again", NULL},
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->stalled.on;
}

/* By operation and backend, of calls that do not stall: `number` ns that one takes; `other` how many; `third` slow
 * ones. */
static struct remember_table *get_operations(struct plan *plan)
{
	void **memory = plan_memory(plan->stage, FINDING_STALLED);
	struct remember_table *table = *memory;

	if (table)
		return table;
	*memory = table = calloc(1, sizeof(*table));
	if (!table) {
		plan->no_memory = true;
		return NULL;
	}
	*table = (struct remember_table){.size = SHARE_MAX, .refused = &plan_stats(plan->stage)->answers_refused};
	return table;
}

static void clear(struct finding_stage *stage)
{
	void **memory = plan_memory(stage, FINDING_STALLED);

	if (*memory)
		remember_clear(*memory);
	free(*memory);
	*memory = NULL;
}

static uint64_t length_of(const struct run_call *call)
{
	return call->in_last > call->out_first ? call->in_last - call->out_first : 0;
}

/* Does it take from `least` to `most` ns? */
static bool takes(uint64_t from, uint64_t to, uint64_t least, uint64_t most)
{
	return to > from && to - from >= least && to - from <= most;
}

/* What it looks like, taken by itself. */
static enum stall shape_of(const struct run_call *call, const struct finding_rules *rules)
{
	uint64_t from = rules->stalled.from, to = rules->stalled.to;

	if (call->retransmits)
		return SENT_AGAIN;
	if (call->sends > 1 && call->held_back && takes(call->out_last, call->in_first, from, to))
		return REQUEST_IN_PARTS;
	if (call->bytes_in <= SMALL_ANSWER && takes(call->in_first, call->in_last, from, to))
		return ANSWER_IN_PARTS;
	return NOT_STALLED;
}

/* Does it take as long as it does for no other reason? One that was held back may wait longer where a machine is busy.
 */
static bool tells_usual(const struct run_call *call, const struct finding_rules *rules)
{
	return shape_of(call, rules) == NOT_STALLED &&
	       !(call->held_back && takes(call->out_last, call->in_first, rules->stalled.from, UINT64_MAX));
}

static void learn(struct remember_value *known, const struct run_call *call, const struct finding_rules *rules)
{
	uint64_t length = length_of(call);

	known->third += length > rules->stalled.from / FAR_LESS;
	if (known->other++)
		known->number = known->number - known->number / STEPS + length / STEPS;
	else
		known->number = length;
}

/* Do others take far less than a call that looks like this, and hardly any something in between? */
static bool is_unusual(const struct remember_value *known, enum stall shape, uint64_t length)
{
	if (!known->other)
		return shape == REQUEST_IN_PARTS;
	if (length < FAR_LESS * known->number)
		return false;
	return shape == SENT_AGAIN || known->third * HARDLY_ANY <= known->other;
}

static bool can_be_judged(const struct run_call *call)
{
	return call->kind == CALL_EXCHANGE && call->answered && !call->error && call->in_first && !call->late;
}

/* Marks the group's calls that stall; what most of them stall for becomes `ret_shape`. */
static uint32_t take_calls(const struct plan *plan, const struct call_group *group, struct remember_value *known,
			   bool *marks, enum stall *ret_shape)
{
	uint32_t counts[STALLS] = {0}, count = 0;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i])
		if (can_be_judged(&plan->run->made[i]) && tells_usual(&plan->run->made[i], plan->rules))
			learn(known, &plan->run->made[i], plan->rules);
	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i]) {
		const struct run_call *call = &plan->run->made[i];
		enum stall shape = can_be_judged(call) ? shape_of(call, plan->rules) : NOT_STALLED;

		marks[i] = shape != NOT_STALLED && is_unusual(known, shape, length_of(call));
		count += marks[i];
		if (marks[i] && ++counts[shape] > counts[*ret_shape])
			*ret_shape = shape;
	}
	return count;
}

static void look_at(struct plan *plan, const struct call_group *group, struct remember_table *operations, bool *marks)
{
	struct remember_value *known = remember_put(operations, group->id, plan->run->ended);
	uint64_t usual = 0, delay = plan->rules->stalled.from;
	enum stall shape = NOT_STALLED;
	struct plan_proposal *proposal;
	uint32_t count;

	if (!known)
		return;
	count = take_calls(plan, group, known, marks, &shape);
	if (known->other) {
		usual = known->number;
		delay = UINT64_MAX;
	}
	proposal = count ? group_propose(plan, group, FINDING_STALLED, PLAN_SHORTEN, marks, count) : NULL;
	if (!proposal)
		return;
	for (uint32_t k = 0; k < count; k++) {
		uint64_t more = length_of(&plan->run->made[proposal->calls[k]]) - usual;

		proposal->less[k] = more < delay ? more : delay;
	}
	proposal->needless = count;
	proposal->evidence = words[shape].evidence;
	proposal->remedy = words[shape].remedy;
}

static void find(struct plan *plan)
{
	const struct group_table *table = group_calls(plan);
	struct remember_table *operations = get_operations(plan);
	bool *marks = plan_allocate(plan, plan->run->made_count * sizeof(*marks));

	for (uint32_t g = 0; table && operations && marks && g < table->count; g++)
		if (plan->run->made[table->groups[g].first].kind == CALL_EXCHANGE)
			look_at(plan, &table->groups[g], operations, marks);
}

const struct finding_type finding_stalled = {
    .kind = FINDING_STALLED,
    .is_on = is_on,
    .find = find,
    .clear = clear,
};
