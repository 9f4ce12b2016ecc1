/*
 * origin.c: work that was handed over, see stage.h: who wanted what a task, a pool's piece of work or a thread does.
 *
 * Addresses are used again at once, so each hand-over replaces what was known of its address; and what an origin points
 * to can be over, so it keeps numbers that are never used again.
 */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>

/* One number for both: addresses end below the 48th bit. */
static uint64_t name_of(enum nt_handover_kind kind, uint64_t what)
{
	return what << 2 | (kind & 3u);
}

struct origin *origin_find(const struct process *process, enum nt_handover_kind kind, uint64_t what)
{
	uint64_t name = name_of(kind, what);
	struct origin *origin;

	HASH_FIND(hh, process->origins, &name, sizeof(name), origin);
	return origin;
}

static void origin_drop(struct run_stage *stage, struct process *process, struct origin *origin)
{
	HASH_DEL(process->origins, origin);
	stage->origin_count--;
	free(origin);
}

/* Does it still say something? A thread is its starter's only as long as that one's run. */
static bool is_of_use(const struct run_stage *stage, const struct origin *origin)
{
	if (origin->endpoint && (origin->kind != NT_HANDOVER_THREAD || book_find(stage, origin->run)))
		return true;
	return origin->kind != NT_HANDOVER_THREAD && request_find(stage, origin->request);
}

/* False: the table is full of other processes' origins. uthash keeps the order in which they came: the oldest go. */
static bool make_room(struct run_stage *stage, struct process *process)
{
	if (stage->origin_count < RUN_MAX_ORIGINS)
		return true;
	if (!process->origins)
		return false;
	stage->stats.handovers_lost += is_of_use(stage, process->origins);
	origin_drop(stage, process, process->origins);
	return true;
}

int origin_set(struct run_stage *stage, struct process *process, const struct origin *origin)
{
	struct origin *known = origin_find(process, origin->kind, origin->what);

	/* It goes to the end of the table, which is in the order of time. */
	if (known) {
		HASH_DEL(process->origins, known);
		stage->origin_count--;
	}
	/* Of a task's address it is worth to know since when it is that one's. */
	if (origin->kind != NT_HANDOVER_TASK && !is_of_use(stage, origin)) {
		free(known);
		return 0;
	}
	if (!make_room(stage, process)) {
		stage->stats.handovers_lost++;
		free(known);
		return 0;
	}
	if (!known)
		known = malloc(sizeof(*known));
	if (!known)
		return -ENOMEM;
	*known = *origin;
	known->name = name_of(origin->kind, origin->what);
	/* The analyser does not see that what make_room() frees has left the table. */
	HASH_ADD(hh, process->origins, name, sizeof(known->name), known); /* NOLINT(clang-analyzer-unix.Malloc) */
	if (known->refused) {
		free(known);
		return -ENOMEM;
	}
	stage->origin_count++;
	return 0;
}

void origin_revise(struct run_stage *stage, struct process *process)
{
	for (struct origin *origin = process->origins; origin; origin = origin->hh.next) {
		struct who giver = {.stack = origin->giver ? stack_find(process, origin->giver) : NULL};

		if (!giver.stack || !who_judge(stage, process, giver.stack) || !who_is_loop(&giver) ||
		    !giver.stack->verdict.inside)
			continue;
		origin->endpoint = NULL;
		origin->run = origin->request = origin->giver = 0;
	}
}

void origin_clear(struct run_stage *stage, struct process *process)
{
	struct origin *origin = process->origins, *next;

	HASH_CLEAR(hh, process->origins); /* the table; its elements still know their next one */
	for (; origin; origin = next) {
		next = origin->hh.next;
		stage->origin_count--;
		free(origin);
	}
}
