/*
 * group.h: the calls of a run by what they are: same backend, protocol and operation with the shape of its data. What a
 * kind says of several calls it says of those of one group.
 */
#ifndef NT_FINDING_GROUP_H
#define NT_FINDING_GROUP_H

#include "plan.h"

#define GROUP_NO_CALL UINT32_MAX
#define DNS_PORT 53 /* how look-ups are known, which are a kind of their own */

struct call_group {
	uint64_t id;	      /* of the operation at this backend: the same in all runs */
	uint32_t first, last; /* numbers in run->made */
	uint32_t count;
};

struct group_table {
	struct call_group *groups; /* in order of their first call */
	uint32_t count;
	uint32_t *next; /* by call: the next one of its group, or GROUP_NO_CALL */
};

/* Of the plan, made when they are asked for first; connects are groups of their own. NULL without memory. */
const struct group_table *group_calls(struct plan *plan);

/* A call's operation with the shape of its data, masked. */
const char *group_operation(const struct run_call *call);

/*
 * A proposal of the group's calls that are marked, in order, of which there are `count`; NULL without memory. With
 * PLAN_SHORTEN, `less` is the caller's to fill.
 */
struct plan_proposal *group_propose(struct plan *plan, const struct call_group *group, enum finding_kind kind,
				    enum plan_change change, const bool *marks, uint32_t count);

#endif
