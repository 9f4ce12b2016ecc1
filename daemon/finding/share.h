/*
 * share.h: findings that count as a share of all calls that could have been one, in runs with and without any: where an
 * endpoint has had some of an operation, runs that have none tell how many could have been.
 */
#ifndef NT_FINDING_SHARE_H
#define NT_FINDING_SHARE_H

#include "group.h"
#include "remember.h"

#define SHARE_MAX 16384 /* operations of endpoints: the size of a table of them */

/* A number for the group's operation in the run's endpoint, the same in all runs. */
uint64_t share_id(const struct plan *plan, const struct call_group *group);

/*
 * `hits` of the group's calls are one, out of `candidates` that could have been. Should the run tell so? Not as long as
 * there was never any: then the candidates wait for the first one, and are added to its. `table` is the kind's own.
 */
bool share_tell(struct plan *plan, struct remember_table *table, const struct call_group *group, uint32_t hits,
		uint32_t *candidates);

#endif
