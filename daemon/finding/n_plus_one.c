/*
 * n_plus_one.c: many requests of one template with different data, one after the other in one run, where one would do.
 *
 * One would do where the protocol has a request for many at once (struct call_content's `batch`), or where a path of
 * HTTP has data in it. Calls that need each other's answers, like those that follow a list from link to link, cannot be
 * one: a call's *level* is how many of the group's answers come before what it asks for, and only calls of one level
 * are put together, and of these the ones that say the same as early as the first: not what was written in between.
 * Requests that are the same are duplicate.c's business.
 */
#include <string.h>

#include "group.h"
#include "index.h"
#include "passing.h"

#define SAMPLE_SIZE 8 /* calls that are asked where their data came from, so that large groups do not take long */

static const char by_answer[] = "one request for each value of an earlier answer";
static const char by_kind[] = "many requests of one kind in a run";
static const char by_answer_unsure[] = "one request for each value of an earlier answer; some answers are not known";
static const char by_kind_unsure[] = "many requests of one kind in a run; some answers are not known";

/* The calls of a group that could be one, in order. */
struct members {
	uint32_t *calls;
	uint32_t count;
	uint32_t asked; /* with those that ask the same again */
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->n_plus_one.on;
}

static bool is_key_value_store(const char *protocol)
{
	static const char *const stores[] = {"redis", "memcache"};

	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (!strcmp(protocol, stores[i]))
			return true;
	return false;
}

/* Is there, or could there be, one request for what these ask one by one? */
static bool can_be_one(const struct run_call *call, const struct finding_rules *rules)
{
	const struct call_content *content = call->content;

	if (call->kind != CALL_EXCHANGE || !content)
		return false;
	if (content->access != PROTOCOL_READ && content->access != PROTOCOL_WRITE)
		return false;
	if (is_key_value_store(call->protocol) && !rules->n_plus_one.keyed)
		return false;
	if (content->batch)
		return true;
	return !strcmp(call->protocol, "http") && !strncmp(group_operation(call), "GET ", 4) &&
	       strchr(group_operation(call), '?');
}

/* Takes the calls of one level; of those that ask the same, the first one unless the rules do not mind. */
static bool gather(struct plan *plan, const struct call_group *group, const uint32_t *levels, uint32_t level,
		   struct members *members)
{
	const struct run_call *made = plan->run->made;
	struct plan_index requests;

	members->count = members->asked = 0;
	if (!index_begin(plan, group->count, &requests))
		return false;
	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i]) {
		struct index_entry *entry;

		if (!made[i].answered || made[i].error || made[i].late || !made[i].content->request)
			continue;
		if (made[i].content->batch && made[i].content->item_count > 1) /* it asks for many already */
			continue;
		if (levels && levels[i] != level)
			continue;
		members->asked++;
		entry = index_get(&requests, made[i].content->request);
		if (!entry->known || !plan->rules->n_plus_one.values)
			members->calls[members->count++] = i;
		entry->known = true;
	}
	return true;
}

/* What calls to the backend have read (`known`) and written (`answer`) since the first one of the members. */
struct touched {
	struct plan_index keys;
	bool read, written; /* something that is not known by name */
};

static bool begin_touched(struct plan *plan, const struct members *members, struct touched *ret_touched)
{
	size_t room = 0;

	for (uint32_t i = members->calls[0]; i <= members->calls[members->count - 1]; i++)
		if (plan->run->made[i].content)
			room += plan->run->made[i].content->item_count;
	*ret_touched = (struct touched){.read = false};
	return index_begin(plan, room, &ret_touched->keys);
}

/* Would it be another thing to make this call where the first one is? */
static bool has_changed(const struct touched *touched, const struct run_call *call)
{
	const struct call_content *content = call->content;
	bool writes = content->access == PROTOCOL_WRITE;
	bool changed = touched->written || (writes && touched->read);

	for (uint32_t i = 0; !changed && i < content->item_count; i++) {
		const struct index_entry *entry = index_find(&touched->keys, content->items[i].key);

		changed = entry && (entry->answer || (writes && entry->known));
	}
	return changed;
}

static void touch(struct touched *touched, const struct run_call *call)
{
	const struct call_content *content = call->content;
	bool named = content && content->item_count && !content->items_cut;
	bool reads = content && content->access == PROTOCOL_READ;

	if (call->kind != CALL_EXCHANGE || (content && content->access == PROTOCOL_CONTROL))
		return;
	if (!named || !(reads || content->access == PROTOCOL_WRITE)) {
		touched->read = true;
		touched->written |= !reads;
		return;
	}
	for (uint32_t i = 0; i < content->item_count; i++) {
		struct index_entry *entry = index_get(&touched->keys, content->items[i].key);

		entry->known |= reads;
		entry->answer |= !reads;
	}
}

/* Leaves out those that come after a write of what they ask for, or write what was asked for or written before. */
static bool leave_out_changed(struct plan *plan, struct members *members)
{
	const struct run_call *made = plan->run->made, *first = &made[members->calls[0]];
	uint32_t last = members->calls[members->count - 1], count = 0, next = 0;
	struct touched touched;

	if (!begin_touched(plan, members, &touched))
		return false;
	for (uint32_t i = members->calls[0]; i <= last; i++) {
		bool member = members->calls[next] == i;

		next += member && next + 1 < members->count;
		if (memcmp(&made[i].where, &first->where, sizeof(first->where)) != 0)
			continue;
		if (member && !has_changed(&touched, &made[i]))
			members->calls[count++] = i;
		touch(&touched, &made[i]);
	}
	members->count = count;
	return true;
}

static bool is_enough(const struct plan *plan, const struct members *members)
{
	return members->count > 1 && members->asked >= plan->rules->n_plus_one.least &&
	       members->count >= plan->rules->n_plus_one.values;
}

/* Most of them begin when all before them have ended. */
static bool is_sequential(const struct run *run, const struct members *members)
{
	uint64_t ended = 0;
	uint32_t after = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct run_call *call = &run->made[members->calls[i]];

		after += i && call->out_first >= ended;
		ended = call->in_last > ended ? call->in_last : ended;
	}
	return 2 * after > members->count - 1;
}

static bool is_timely(const struct plan *plan, const struct members *members)
{
	const struct run_call *made = plan->run->made;
	uint64_t within = plan->rules->n_plus_one.within, time = 0;

	for (uint32_t i = 0; i < members->count; i++)
		time += made[members->calls[i]].in_last - made[members->calls[i]].out_first;
	if (time < plan->rules->n_plus_one.time)
		return false;
	return !within ||
	       made[members->calls[members->count - 1]].out_first - made[members->calls[0]].out_first <= within;
}

/* Has something else been asked, and answered, before them? */
static bool has_source(const struct plan *plan, const struct call_group *group, uint32_t first)
{
	const struct run_call *made = plan->run->made;

	if (!plan->rules->n_plus_one.source)
		return true;
	for (uint32_t i = 0; i < first; i++) {
		if (made[i].kind != CALL_EXCHANGE || made[i].in_last > made[first].out_first)
			continue;
		if (strcmp(group_operation(&made[i]), group_operation(&made[group->first])) != 0)
			return true;
	}
	return false;
}

/* How many answers of the group each call of the run waits for, one after the other; the fullest level's number. */
static uint32_t find_levels(const struct plan *plan, const struct members *members, uint32_t *levels, uint32_t *counts,
			    bool *marks)
{
	uint32_t count = (uint32_t)plan->run->made_count, fullest = 0;

	memset(levels, 0, count * sizeof(*levels));
	memset(counts, 0, count * sizeof(*counts));
	memset(marks, 0, count * sizeof(*marks));
	for (uint32_t i = 0; i < members->count; i++)
		marks[members->calls[i]] = true;
	for (uint32_t i = 0; i < count; i++) {
		const struct passing *passing = &plan->passing[i];

		for (uint32_t k = 0; k < passing->count; k++) {
			uint32_t after = levels[passing->from[k]] + marks[passing->from[k]];

			levels[i] = after > levels[i] ? after : levels[i];
		}
		if (marks[i] && ++counts[levels[i]] > counts[fullest])
			fullest = levels[i];
	}
	return fullest;
}

/* What they ask for came from one answer. */
static bool have_one_origin(const struct plan *plan, const struct members *members, uint32_t *counts)
{
	uint32_t sampled = members->count < SAMPLE_SIZE ? members->count : SAMPLE_SIZE;
	bool found = false;

	memset(counts, 0, plan->run->made_count * sizeof(*counts));
	for (uint32_t i = 0; i < sampled; i++) {
		const struct passing *passing = &plan->passing[members->calls[(uint64_t)i * members->count / sampled]];

		for (uint32_t k = 0; k < passing->count; k++)
			found |= 2 * ++counts[passing->from[k]] > sampled;
	}
	return found;
}

/* No one of them could have learned what it asks for from another one's answer without that being seen. */
static bool is_sure(const struct plan *plan, const struct members *members)
{
	bool unknown = false;

	for (uint32_t i = 0; i < members->count; i++) {
		const struct call_content *content = plan->run->made[members->calls[i]].content;

		if (unknown && plan->passing[members->calls[i]].fresh)
			return false;
		unknown |= content->opaque || content->answer_cut;
	}
	return true;
}

static void propose(struct plan *plan, const struct call_group *group, const struct members *members, uint32_t *counts)
{
	const char *batch = plan->run->made[group->first].content->batch;
	struct plan_proposal *proposal = plan_propose(plan, FINDING_N_PLUS_ONE, PLAN_COLLAPSE, members->count);
	bool one_origin = have_one_origin(plan, members, counts);

	if (!proposal)
		return;
	memcpy(proposal->calls, members->calls, members->count * sizeof(*members->calls));
	proposal->count = members->count;
	proposal->needless = members->count - 1;
	proposal->candidates = group->count;
	proposal->sure = is_sure(plan, members);
	proposal->remedy = batch ? batch : "a batch path, or all at once";
	if (proposal->sure)
		proposal->evidence = one_origin ? by_answer : by_kind;
	else
		proposal->evidence = one_origin ? by_answer_unsure : by_kind_unsure;
}

struct scratch {
	struct members members;
	uint32_t *levels, *counts;
	bool *marks;
};

static bool begin_scratch(struct plan *plan, struct scratch *scratch)
{
	size_t count = plan->run->made_count;

	scratch->members.calls = plan_allocate(plan, count * sizeof(*scratch->members.calls));
	scratch->levels = plan_allocate(plan, count * sizeof(*scratch->levels));
	scratch->counts = plan_allocate(plan, count * sizeof(*scratch->counts));
	scratch->marks = plan_allocate(plan, count * sizeof(*scratch->marks));
	return scratch->members.calls && scratch->levels && scratch->counts && scratch->marks;
}

static void look_at(struct plan *plan, const struct call_group *group, struct scratch *scratch)
{
	struct members *members = &scratch->members;
	uint32_t level;

	if (!gather(plan, group, NULL, 0, members) || !is_enough(plan, members))
		return;
	if (!is_sequential(plan->run, members) || !passing_look(plan))
		return;
	level = find_levels(plan, members, scratch->levels, scratch->counts, scratch->marks);
	if (!gather(plan, group, scratch->levels, level, members) || !is_enough(plan, members))
		return;
	if (!leave_out_changed(plan, members) || !is_enough(plan, members))
		return;
	if (is_sequential(plan->run, members) && is_timely(plan, members) && has_source(plan, group, members->calls[0]))
		propose(plan, group, members, scratch->counts);
}

static void find(struct plan *plan)
{
	const struct group_table *table = group_calls(plan);
	struct scratch scratch = {.levels = NULL};

	for (uint32_t g = 0; table && g < table->count; g++) {
		const struct call_group *group = &table->groups[g];

		if (group->count < plan->rules->n_plus_one.least || group->count < 2)
			continue;
		if (!can_be_one(&plan->run->made[group->first], plan->rules))
			continue;
		if (!scratch.levels && !begin_scratch(plan, &scratch))
			return;
		look_at(plan, group, &scratch);
	}
}

const struct finding_type finding_n_plus_one = {
    .kind = FINDING_N_PLUS_ONE,
    .is_on = is_on,
    .find = find,
};
