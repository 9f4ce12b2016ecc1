/*
 * bind.c: what happens is given to who wants it: calls to their endpoint and run, work that is handed over to those of
 * who hands it over. See stage.h.
 */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>

/* What a call or a hand-over belongs to. */
struct place_of {
	struct open_run *run;		     /* NULL: none, or it is over */
	const struct run_endpoint *endpoint; /* NULL: no endpoint's */
};

/*
 * The endpoint's run that `call`, made by `who`, belongs to, by the best way that there is; false if there is no place
 * for one. `call` may be a hand-over in the guise of one.
 */
static bool find_run(struct run_stage *stage, const struct who *who, const struct call *call,
		     struct place_of *ret_place)
{
	const struct run_endpoint *inherited = who_inherits(stage, who);
	struct request *request;

	ret_place->endpoint = inherited ? inherited : who->stack->verdict.endpoint;
	if (inherited) {
		ret_place->run = book_find(stage, who->origin->run);
		return true;
	}
	/* Who had wanted it is over, and it is not known whether he did it for another one. */
	if (who->gone && !who->stack->verdict.certain)
		ret_place->endpoint = NULL;
	if (!ret_place->endpoint || who->gone)
		return true;
	if (!who->lane)
		return false;
	ret_place->run = usdt_run(stage, who->lane, &call->owner, who->stack);
	request = ret_place->run ? NULL : who_request(stage, who);
	who->process->tasks_answer |= request && who->lane->task;
	if (request)
		ret_place->run = request_run(stage, request, who->lane, call->owner.pid, who->stack);
	if (!ret_place->run)
		ret_place->run = calls_run(stage, who, call);
	return ret_place->run;
}

struct binding *bind_call(struct run_stage *stage, struct call *call)
{
	enum run_reason reason = call->kind == CALL_MESSAGE ? RUN_OWNER_UNKNOWN : RUN_REASON_COUNT;
	struct place_of place = {0};
	struct who who;

	if (reason == RUN_REASON_COUNT)
		reason = who_find(stage, &call->owner, &who);
	if (reason != RUN_REASON_COUNT)
		return book_bind(stage, call, NULL, NULL, NULL, reason);
	const struct run_site *site = who.stack->verdict.site;

	if (who.lane && who.lane->runs)
		calls_leave(stage, who.lane, who.stack);
	/* The frames that are missing may have the endpoint. */
	if (call->owner.walk == NT_WALK_TRUNCATED && !who.stack->verdict.certain)
		return book_bind(stage, call, NULL, NULL, site, RUN_WALK_FAILED);
	if (!find_run(stage, &who, call, &place)) {
		stage->stats.runs_refused++;
		return book_bind(stage, call, NULL, NULL, site, RUN_WALK_FAILED);
	}
	struct binding *binding = book_bind(stage, call, place.run, place.endpoint, site, RUN_NO_ENDPOINT);

	if (binding->run && who.lane)
		binding->lane = who.lane->name;
	return binding;
}

/* For whom the work is done that a record hands over. */
static void find_giver(struct run_stage *stage, const struct nt_handover *record, struct origin *origin)
{
	struct call guise = {.kind = CALL_MESSAGE, .out_first = record->h.time};
	struct place_of place = {0};
	struct request *request;
	struct who who;

	call_read_owner(&guise.owner, &record->h, &record->owner, record + 1);
	if (who_find(stage, &guise.owner, &who) != RUN_REASON_COUNT)
		return;
	request = who_request(stage, &who);
	if (record->owner.walk == NT_WALK_OK || who.stack->verdict.certain)
		find_run(stage, &who, &guise, &place);
	origin->endpoint = place.endpoint;
	origin->package = who_inherits(stage, &who) ? who.origin->package : who_is_package(stage, &who);
	origin->run = place.run ? place.run->number : 0;
	if (place.run)
		place.run->handed = true;
	origin->request = request ? request->number : 0;
	if (who.stack->verdict.root >= 0 && who.lane)
		origin->parent = who.lane->id;
	/* What looks at a request that was just read knows which one, on a loop as well. */
	if (who.stack->verdict.root < 0 && !who_is_loop(&who) && !who.stack->verdict.received)
		origin->giver = who.stack->id;
}

/* Whoever had this address or number before is over. */
static struct lane *find_former(struct process *process, const struct nt_handover *record)
{
	switch (record->kind) {
	case NT_HANDOVER_TASK:
		return lane_find(process, 0, record->what);
	case NT_HANDOVER_THREAD:
		return lane_find(process, (uint32_t)record->what, 0);
	default:
		return NULL;
	}
}

int bind_handover(struct run_stage *stage, const struct nt_handover *record)
{
	struct process *process = process_find(&stage->codes, record->h.pid);
	struct origin origin = {.what = record->what, .kind = record->kind, .since = record->h.time};
	struct lane *former;

	if (sizeof(*record) + nt_owner_size(&record->owner) > record->h.size)
		return -EBADMSG;
	if (!process || !record->what)
		return 0;
	/* First who gives: if it was the former one itself, its run is over after this. */
	find_giver(stage, record, &origin);
	former = find_former(process, record);
	if (former)
		lane_remove(stage, process, former);
	return origin_set(stage, process, &origin);
}

void bind_read(struct run_stage *stage, const struct nt_segment *segment)
{
	struct process *process = segment->direction == NT_IN ? process_find(&stage->codes, segment->h.pid) : NULL;
	struct lane *lane = process ? lane_find(process, segment->h.tid, 0) : NULL;

	if (lane)
		lane->read = segment->connection;
}
