/*
 * schedule.c: what a run would take with some calls left out, put together or made at once. See plan.h.
 */
#include "plan.h"

struct finding_saving schedule_saving(struct plan *plan, const struct plan_proposal *const *proposals, size_t count)
{
	struct finding_saving saving = {0};

	(void)plan;
	(void)proposals;
	(void)count;
	return saving;
}

void schedule_learn(struct plan *plan)
{
	(void)plan;
}
