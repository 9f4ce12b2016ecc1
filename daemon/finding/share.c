/*
 * share.c: findings that count as a share, see share.h. An entry's `number` is the candidates that wait for the first
 * hit, which is its `mark`.
 */
#include "share.h"

uint64_t share_id(const struct plan *plan, const struct call_group *group)
{
	return group->id ^ (uint64_t)(uintptr_t)plan->run->endpoint * UINT64_C(0x9e3779b97f4a7c15);
}

bool share_tell(struct plan *plan, struct remember_table *table, const struct call_group *group, uint32_t hits,
		uint32_t *candidates)
{
	struct remember_value *row = *candidates ? remember_put(table, share_id(plan, group), plan->run->ended) : NULL;
	uint64_t waiting;

	if (!row)
		return false;
	waiting = row->number + *candidates;
	*candidates = waiting < UINT32_MAX ? (uint32_t)waiting : UINT32_MAX;
	row->mark |= hits > 0;
	row->number = row->mark ? 0 : *candidates;
	return row->mark;
}
