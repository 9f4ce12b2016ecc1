/*
 * share.h: findings that count as a share of all calls that could have been one, in runs with and without any: where an
 * endpoint has had some of an operation, runs that have none tell how many could have been.
 */
#ifndef NT_FINDING_SHARE_H
#define NT_FINDING_SHARE_H

#include "group.h"
#include "remember.h"

#define SHARE_MAX 16384 /* operations of endpoints, the size for a table of them */

/*
 * A proposal of the group's `hits` marked calls out of `candidates`; with no hits one that only tells the candidates,
 * or, as long as there was never any, none: the candidates are kept for the first. `table` is the kind's own. NULL
 * where there is nothing to tell, or no memory.
 */
struct plan_proposal *share_propose(struct plan *plan, struct remember_table *table, const struct call_group *group,
				    enum finding_kind kind, enum plan_change change, const bool *marks, uint32_t hits,
				    uint32_t candidates);

#endif
