/*
 * group.c: the calls of a run by what they are, see group.h.
 */
#include "group.h"

#include <string.h>

#include <xxhash.h>

#include "index.h"

const char *group_operation(const struct run_call *call)
{
	return call->content && *call->content->template ? call->content->template : call->operation;
}

static uint64_t group_id(struct plan *plan, uint32_t i)
{
	const struct run_call *call = &plan->run->made[i];
	const char *operation = group_operation(call);
	enum protocol_access access = call->content ? call->content->access : PROTOCOL_OTHER;
	uint64_t number = XXH3_64bits_withSeed(operation, strlen(operation), (uint64_t)(uintptr_t)call->protocol);

	return index_id(plan, i, (uint32_t)call->kind * 8 + (uint32_t)access, number);
}

const struct group_table *group_calls(struct plan *plan)
{
	uint32_t count = (uint32_t)plan->run->made_count;
	struct group_table *table;
	struct plan_index index;

	if (plan->groups)
		return plan->groups;
	table = plan_allocate(plan, sizeof(*table));
	if (!table || !index_begin(plan, count, &index))
		return NULL;
	table->groups = plan_allocate(plan, count * sizeof(*table->groups));
	table->next = plan_allocate(plan, count * sizeof(*table->next));
	if (!table->groups || !table->next)
		return NULL;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t id = group_id(plan, i);
		struct index_entry *entry = index_get(&index, id);
		struct call_group *group;

		table->next[i] = GROUP_NO_CALL;
		if (!entry->known) {
			entry->known = true;
			entry->call = table->count;
			table->groups[table->count++] = (struct call_group){.id = id, .first = i, .last = i};
		}
		group = &table->groups[entry->call];
		if (group->count++)
			table->next[group->last] = i;
		group->last = i;
	}
	return plan->groups = table;
}

struct plan_proposal *group_propose(struct plan *plan, const struct call_group *group, enum finding_kind kind,
				    enum plan_change change, const bool *marks, uint32_t count)
{
	struct plan_proposal *proposal = plan_propose(plan, kind, change, count);

	if (!proposal)
		return NULL;
	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i])
		if (marks[i])
			proposal->calls[proposal->count++] = i;
	proposal->shown = group->first;
	proposal->candidates = group->count;
	return proposal;
}
