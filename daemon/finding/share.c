/*
 * share.c: findings that count as a share, see share.h. An entry's `number` is the candidates that wait for the first
 * hit, which is its `mark`.
 */
#include "share.h"

struct plan_proposal *share_propose(struct plan *plan, struct remember_table *table, const struct call_group *group,
				    enum finding_kind kind, enum plan_change change, const bool *marks, uint32_t hits,
				    uint32_t candidates)
{
	uint64_t id = group->id ^ (uint64_t)(uintptr_t)plan->run->endpoint * UINT64_C(0x9e3779b97f4a7c15);
	struct remember_value *row = candidates ? remember_put(table, id, plan->run->ended) : NULL;
	struct plan_proposal *proposal;
	uint64_t waiting;

	if (!row)
		return NULL;
	waiting = row->number + candidates;
	if (!hits && !row->mark) {
		row->number = waiting < UINT32_MAX ? waiting : UINT32_MAX;
		return NULL;
	}
	row->mark = true;
	row->number = 0;
	proposal = hits ? group_propose(plan, group, kind, change, marks, hits) : plan_propose(plan, kind, change, 0);
	if (!proposal)
		return NULL;
	proposal->shown = group->first;
	proposal->needless = hits;
	proposal->candidates = (uint32_t)waiting;
	return proposal;
}
