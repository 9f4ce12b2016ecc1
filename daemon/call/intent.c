/*
 * intent.c: bytes that are sent by who did not want it.
 *
 * Event loops collect what their tasks write, and send it when nothing of the task is to be seen any more. Who wanted
 * it was told before (NT_SEGMENT_INTENT): here the bytes that leave get those owners back, in the order in which they
 * were wanted. A segment that carries several intents is taken in parts, one each. Who wants to answer a request is
 * told at once.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* The record is behind it, with what belongs to its owner. */
struct intent {
	struct intent *next;
	uint64_t bytes; /* still to be sent; 0: all until the direction turns */
	struct nt_segment *record;
};

static void drop_first(struct call_stage *stage, struct connection *connection)
{
	struct intent *first = connection->intents;

	connection->intents = first->next;
	if (!first->next)
		connection->last_intent = NULL;
	stage->intent_count--;
	free(first);
}

void intent_forget(struct call_stage *stage, struct connection *connection)
{
	while (connection->intents)
		drop_first(stage, connection);
}

void intent_add(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	struct intent *intent = NULL;

	if (stage->intent_count < CALL_MAX_INTENTS)
		intent = calloc(1, sizeof(*intent) + segment->h.size);
	if (!intent) {
		stage->stats.intents_refused++;
		return;
	}
	intent->bytes = segment->bytes;
	intent->record = memcpy(intent + 1, segment, segment->h.size);
	if (connection->last_intent)
		connection->last_intent->next = intent;
	else
		connection->intents = intent;
	connection->last_intent = intent;
	stage->intent_count++;
}

static bool is_same_doer(const struct nt_segment *a, const struct nt_segment *b)
{
	return a->h.tid == b->h.tid && a->owner.coroutine == b->owner.coroutine && a->owner.base == b->owner.base;
}

/* Where one thread or task wanted several, and not all sizes are known, the last one goes for all. */
static void join_first(struct call_stage *stage, struct connection *connection)
{
	struct intent *first = connection->intents;

	while (first->next && !first->bytes && is_same_doer(first->record, first->next->record)) {
		drop_first(stage, connection);
		first = connection->intents;
	}
}

/* The part of a segment's record from `from` on, `bytes` long, with the owner of another record. NULL: no memory. */
static struct nt_segment *part_new(const struct nt_segment *segment, uint64_t from, uint64_t bytes,
				   const struct nt_segment *owned)
{
	uint32_t owner_size = nt_owner_size(&owned->owner);
	uint64_t captured = segment->captured > from ? segment->captured - from : 0;
	struct nt_segment *part;

	if (captured > bytes)
		captured = bytes;
	part = calloc(1, sizeof(*part) + owner_size + nt_pad8((uint32_t)captured));
	if (!part)
		return NULL;
	*part = *segment;
	part->h.size = (uint32_t)sizeof(*part) + owner_size + nt_pad8((uint32_t)captured);
	part->bytes = bytes;
	part->captured = (uint32_t)captured;
	part->owner = owned->owner;
	memcpy(part + 1, owned + 1, owner_size);
	memcpy((char *)(part + 1) + owner_size,
	       (const char *)(segment + 1) + nt_owner_size(&segment->owner) + (captured ? from : 0), captured);
	if (from) {
		part->flags &= ~NT_SEGMENT_TURN;
		part->calls = 0;
	}
	return part;
}

/* Takes what of the segment the first intent covers; returns how many bytes, 0 without memory. */
static uint64_t take_first(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment,
			   uint64_t from)
{
	uint64_t bytes = segment->bytes - from;
	struct nt_segment *part;
	struct intent *intent;
	struct nt_head wanted;

	join_first(stage, connection);
	intent = connection->intents;
	if (intent->bytes && intent->bytes < bytes)
		bytes = intent->bytes;
	part = part_new(segment, from, bytes, intent->record);
	if (!part) {
		stage->no_memory = true;
		return 0;
	}
	/* Where its bytes end and another one's begin is not known. */
	if (!intent->bytes && intent->next)
		part->owner.walk = NT_WALK_FAILED;
	wanted = intent->record->h;
	if (intent->bytes == bytes)
		drop_first(stage, connection);
	else if (intent->bytes)
		intent->bytes -= bytes;
	connection->wanted = &wanted;
	segment_take(stage, connection, part);
	connection->wanted = NULL;
	free(part);
	return bytes;
}

void intent_take(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	uint64_t from = 0, taken = 1;

	if (segment->direction == NT_IN)
		while (connection->intents && !connection->intents->bytes)
			drop_first(stage, connection);
	if (segment->direction == NT_IN || !segment->bytes || !connection->intents) {
		segment_take(stage, connection, segment);
		return;
	}
	while (connection->intents && from < segment->bytes && taken) {
		taken = take_first(stage, connection, segment, from);
		from += taken;
	}
	if (from < segment->bytes) { /* nobody said that he wanted the rest */
		struct nt_segment *rest = part_new(segment, from, segment->bytes - from, segment);

		if (rest)
			segment_take(stage, connection, rest);
		else
			stage->no_memory = true;
		free(rest);
	}
}
