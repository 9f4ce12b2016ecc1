/*
 * origin.c: work that was handed over, see stage.h: who wanted what a task, a pool's piece of work or a thread does.
 *
 * Addresses are used again at once, so each hand-over replaces what was known of its address; and what an origin points
 * to can be over, so it keeps numbers that are never used again.
 */
#include "stage.h"

#include <stdlib.h>

struct origin *origin_find(const struct process *process, enum nt_handover_kind kind, uint64_t what)
{
	struct origin_key key = {.what = what, .kind = kind};
	struct origin *origin;

	HASH_FIND(hh, process->origins, &key, sizeof(key), origin);
	return origin;
}

static void origin_drop(struct run_stage *stage, struct process *process, struct origin *origin)
{
	HASH_DEL(process->origins, origin);
	stage->origin_count--;
	free(origin);
}

struct origin *origin_renew(struct run_stage *stage, struct process *process, enum nt_handover_kind kind, uint64_t what)
{
	struct origin *origin = origin_find(process, kind, what);

	/* The oldest go first: uthash keeps the order in which they came. */
	if (!origin && stage->origin_count >= RUN_MAX_ORIGINS && process->origins)
		origin_drop(stage, process, process->origins);
	if (origin)
		origin_drop(stage, process, origin);
	origin = stage->origin_count < RUN_MAX_ORIGINS ? calloc(1, sizeof(*origin)) : NULL;
	if (!origin)
		return NULL;
	origin->key = (struct origin_key){.what = what, .kind = kind};
	HASH_ADD(hh, process->origins, key, sizeof(origin->key), origin);
	if (origin->refused) {
		free(origin);
		return NULL;
	}
	stage->origin_count++;
	return origin;
}

void origin_clear(struct run_stage *stage, struct process *process)
{
	while (process->origins)
		origin_drop(stage, process, process->origins);
}
