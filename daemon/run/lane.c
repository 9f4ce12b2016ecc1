/*
 * lane.c: what does one piece of work at a time, see stage.h: a thread, or one of many things that take turns on it.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

/* No address in user space has the bit of threads. */
static uint64_t name_of(uint32_t tid, uint64_t id)
{
	return id ? id : RUN_LANE_THREAD | tid;
}

struct lane *lane_find(struct process *process, uint32_t tid, uint64_t id)
{
	uint64_t name = name_of(tid, id);
	struct lane *lane;

	HASH_FIND(hh, process->lanes, &name, sizeof(name), lane);
	return lane;
}

struct lane *lane_get(struct run_stage *stage, struct process *process, uint32_t tid, uint64_t id)
{
	struct lane *lane = lane_find(process, tid, id);

	if (!lane && stage->lane_count >= STAGE_MAX_LANES)
		stage_make_room(stage);
	if (!lane && stage->lane_count < STAGE_MAX_LANES) {
		lane = calloc(1, sizeof(*lane));
		if (!lane)
			return NULL;
		lane->name = name_of(tid, id);
		lane->id = id;
		HASH_ADD(hh, process->lanes, name, sizeof(lane->name), lane);
		if (lane->refused) {
			free(lane);
			return NULL;
		}
		stage->lane_count++;
	}
	if (lane) {
		lane->tid = tid;
		lane->seen = stage->now;
	}
	return lane;
}

bool lane_is_idle(const struct lane *lane)
{
	return !lane->active_count && !lane->requests && !lane->runs && !lane->closed;
}

void lane_remove(struct run_stage *stage, struct process *process, struct lane *lane)
{
	usdt_end_all(stage, process->pid, lane, true);
	calls_leave(stage, lane, NULL);
	calls_report(stage, lane);
	while (lane->requests)
		request_leave_lane(lane->requests);
	lane_free(stage, process, lane);
}

void lane_free(struct run_stage *stage, struct process *process, struct lane *lane)
{
	for (unsigned i = 0; i < lane->active_count; i++)
		code_release(&stage->codes, lane->active[i].code);
	HASH_DEL(process->lanes, lane);
	stage->lane_count--;
	free(lane->active);
	free(lane);
}
