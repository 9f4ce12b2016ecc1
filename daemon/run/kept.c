/*
 * kept.c: the calls of a run one by one, for those who look at the run when it is over. See stage.h.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_FIRST 16 /* that a run with any calls has room for */

static void give_up(struct run_stage *stage, struct open_run *run)
{
	kept_clear(stage, run);
	run->unkept = true;
	stage->stats.runs_unkept++;
}

/* Makes room for `count` more; false: they are too many, or there is no memory, and none are kept any more. */
static bool make_room(struct run_stage *stage, struct open_run *run, size_t count)
{
	size_t wanted = run->run.made_count + count, room = run->made_room ? run->made_room : KEPT_FIRST;
	struct run_call *made;

	if (run->unkept)
		return false;
	while (room < wanted)
		room *= 2;
	if (wanted > RUN_MAX_MADE || stage->kept_count + count > RUN_MAX_KEPT) {
		give_up(stage, run);
		return false;
	}
	if (room == run->made_room)
		return true;
	made = realloc(run->run.made, room * sizeof(*made));
	if (!made) {
		give_up(stage, run);
		return false;
	}
	run->run.made = made;
	run->made_room = room;
	return true;
}

void kept_add(struct run_stage *stage, struct open_run *run, const struct binding *binding)
{
	const struct call *call = binding->call;
	struct run_call *made;

	if (!make_room(stage, run, 1))
		return;
	made = &run->run.made[run->run.made_count++];
	stage->kept_count++;
	*made = (struct run_call){
	    .kind = call->kind,
	    .connection = call->connection,
	    .where = call->backend,
	    .protocol = call->protocol,
	    .out_first = call->out_first,
	    .out_last = call->out_last,
	    .in_first = call->in_first,
	    .in_last = call->in_last,
	    .bytes_out = call->bytes_out,
	    .bytes_in = call->bytes_in,
	    .sends = call->sends,
	    .retransmits = call->retransmits,
	    .lane = binding->lane,
	    .site = binding->site,
	    .answered = call->answered,
	    .error = call->error,
	    .client_error = call->client_error,
	    .pooled = call->pooled,
	    .round_trip = call->round_trip,
	    .held_back = call->held_back,
	    .late = binding->late,
	    .content = content_hold(call->content),
	};
	memcpy(made->operation, call->operation, sizeof(made->operation));
}

void kept_merge(struct run_stage *stage, struct open_run *into, struct open_run *from)
{
	size_t count = from->run.made_count;

	if (from->unkept && !into->unkept)
		give_up(stage, into);
	if (!count || !make_room(stage, into, count))
		return;
	memcpy(into->run.made + into->run.made_count, from->run.made, count * sizeof(*from->run.made));
	into->run.made_count += count;
	/* They have changed hands, with what they hold. */
	from->run.made_count = 0;
}

static int by_beginning(const void *left, const void *right)
{
	const struct run_call *a = left, *b = right;

	if (a->out_first != b->out_first)
		return a->out_first < b->out_first ? -1 : 1;
	return a->out_last < b->out_last ? -1 : a->out_last > b->out_last;
}

/* Mostly they end in the order in which they began. */
static bool are_in_order(const struct run *run)
{
	size_t i = 1;

	while (i < run->made_count && by_beginning(&run->made[i - 1], &run->made[i]) <= 0)
		i++;
	return i >= run->made_count;
}

void kept_order(struct open_run *run)
{
	if (!are_in_order(&run->run))
		qsort(run->run.made, run->run.made_count, sizeof(*run->run.made), by_beginning);
}

void kept_clear(struct run_stage *stage, struct open_run *run)
{
	for (size_t i = 0; i < run->run.made_count; i++)
		content_release(run->run.made[i].content);
	stage->kept_count -= run->run.made_count;
	free(run->run.made);
	run->run.made = NULL;
	run->run.made_count = run->made_room = 0;
}
