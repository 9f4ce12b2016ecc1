/*
 * stage.c: the first stage's outside: one function for each record, and the ends of intervals.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct call_stage *call_stage_new(const struct call_sink *sink)
{
	struct call_stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return NULL;
	stage->sink = *sink;
	stage->contents = content_pool_new();
	if (stage->contents)
		return stage;
	free(stage);
	return NULL;
}

void call_stage_free(struct call_stage *stage)
{
	if (!stage)
		return;
	call_stage_flush(stage, 0, true);
	while (stage->connections)
		connection_remove(stage, stage->connections);
	backend_forget_all(stage);
	pair_free_spare(stage);
	content_pool_free(stage->contents);
	free(stage);
}

void call_stage_set_secret(struct call_stage *stage, const void *secret, size_t size)
{
	content_pool_seed(stage->contents, secret, size);
}

void call_stage_keep_examples(struct call_stage *stage, bool keep)
{
	content_pool_keep_examples(stage->contents, keep);
}

const struct call_stats *call_stage_stats(const struct call_stage *stage)
{
	return &stage->stats;
}

static void take_socket(struct call_stage *stage, const struct nt_socket *socket)
{
	struct connection *connection = connection_find(stage, socket->connection);

	if (!connection) {
		connection_add(stage, socket);
		return;
	}
	connection_describe(connection, socket);
	segment_set_role(stage, connection, socket->role);
}

static void release_held(struct call_stage *stage, struct connection *connection)
{
	struct nt_segment *held = connection->held;

	if (!held)
		return;
	connection->held = NULL;
	stage->held_count--;
	segment_take(stage, connection, held);
	free(held);
}

/*
 * The record of a send is made when its system call ends. By then another thread can have read the answer, whose
 * record comes first. So what a thread received that did not send, with no request under way, is held back until the
 * connection's next record shows which it is. False: not this one.
 */
static bool hold_back(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	if (segment->direction != NT_IN || segment->bytes == 0 || segment->error || connection->direction == NT_OUT)
		return false;
	if (connection->role == NT_ROLE_SERVER || segment->h.tid == connection->sender)
		return false;
	if (!connection->role_sure && segment_begins_request(segment))
		return false;
	if (stage->held_count >= CALL_MAX_HELD)
		return false;
	connection->held = malloc(segment->h.size);
	if (!connection->held)
		return false;
	memcpy(connection->held, segment, segment->h.size);
	stage->held_count++;
	return true;
}

static void take_connect(struct call_stage *stage, const struct nt_connect *connect)
{
	struct connection *connection = connection_find(stage, connect->connection);

	if (!connection)
		stage->stats.orphan_records++;
	else if (connect->ended)
		pair_connect_ended(stage, connection, connect);
	else
		pair_connect_began(stage, connection, connect);
}

static void take_segment(struct call_stage *stage, const struct nt_segment *segment)
{
	struct connection *connection = connection_find(stage, segment->connection);

	if (segment->direction > NT_IN)
		return;
	if (!connection) {
		/* A socket that was shut down can be read until it is closed: that moves nothing. */
		if (segment->bytes || !(segment->flags & NT_SEGMENT_EOF))
			stage->stats.orphan_records++;
		return;
	}
	if (segment->flags & NT_SEGMENT_INTENT) {
		pair_wanted(stage, connection, segment);
		intent_add(stage, connection, segment);
		return;
	}
	if (segment->direction == NT_OUT)
		connection->sender = segment->h.tid;
	/* What began to leave before the held bytes arrived is what they answer. */
	if (connection->held && (segment->direction == NT_IN || segment->first >= connection->held->h.time))
		release_held(stage, connection);
	if (!hold_back(stage, connection, segment))
		intent_take(stage, connection, segment);
}

/* Ends all that waits on a connection that is over. */
static void end_connection(struct call_stage *stage, struct connection *connection, uint64_t now, int error_number)
{
	segment_finish(stage, connection, error_number == 0);
	pair_settle(stage, connection, ENDING_FAILED, now, error_number);
	pair_end_message(stage, connection);
	pair_connect_close(stage, connection, now, true, error_number);
}

static uint64_t missing(uint64_t said, uint64_t seen)
{
	return said > seen ? said - seen : 0;
}

static void tell_closed(struct call_stage *stage, const struct connection *connection, uint64_t now)
{
	struct call_closing closing = {
	    .connection = connection->id,
	    .when = now,
	    .requests = connection->requests,
	    .by_peer = connection->peer_closed != 0,
	};

	if (stage->sink.closed && connection->role != NT_ROLE_SERVER)
		stage->sink.closed(stage->sink.context, &closing);
}

/* The peer's end does not yet end calls: what it sent before may still wait to be read. */
static void take_close(struct call_stage *stage, const struct nt_close *close)
{
	struct connection *connection = connection_find(stage, close->connection);

	if (!connection) {
		stage->stats.orphan_records++;
		return;
	}
	release_held(stage, connection);
	if (close->by_peer) {
		connection->peer_closed = close->h.time;
		connection->peer_error = close->error;
		return;
	}
	stage->stats.lost_bytes += missing(close->bytes_out, connection->bytes[NT_OUT]);
	stage->stats.lost_bytes += missing(close->bytes_in, connection->bytes[NT_IN]);
	end_connection(stage, connection, close->h.time, close->error ? close->error : connection->peer_error);
	tell_closed(stage, connection, close->h.time);
	connection_remove(stage, connection);
}

int call_stage_feed(struct call_stage *stage, const struct nt_head *record)
{
	stage->no_memory = false;
	switch (record->type) {
	case NT_SOCKET:
		take_socket(stage, (const struct nt_socket *)record);
		break;
	case NT_CONNECT:
		take_connect(stage, (const struct nt_connect *)record);
		break;
	case NT_SEGMENT:
		take_segment(stage, (const struct nt_segment *)record);
		break;
	case NT_CLOSE:
		take_close(stage, (const struct nt_close *)record);
		break;
	default:
		break;
	}
	return stage->no_memory ? -ENOMEM : 0;
}

static bool is_quiet(uint64_t since, uint64_t now)
{
	return since > 0 && now >= since && now - since >= CALL_QUIET;
}

/* An interval ends: what has been still for a while is taken for whole. */
static void flush_quiet(struct call_stage *stage, struct connection *connection, uint64_t now)
{
	bool by_turn = !connection->protocol || connection->lost[PROTOCOL_ANSWER];

	if (connection->last[PROTOCOL_ANSWER] > 0 && !is_quiet(connection->last[PROTOCOL_ANSWER], now))
		return;
	if (is_quiet(connection->peer_closed, now)) {
		end_connection(stage, connection, connection->peer_closed, connection->peer_error);
		return;
	}
	pair_end_message(stage, connection);
	if (by_turn && connection->last[PROTOCOL_ANSWER] >= connection->last[PROTOCOL_REQUEST])
		segment_end_by_turn(stage, connection);
}

void call_stage_flush(struct call_stage *stage, uint64_t now, bool at_end)
{
	for (struct connection *connection = stage->connections; connection; connection = connection->hh.next) {
		release_held(stage, connection);
		if (!at_end) {
			flush_quiet(stage, connection, now);
			continue;
		}
		segment_finish(stage, connection, connection->lost[PROTOCOL_ANSWER]);
		pair_settle(stage, connection, ENDING_CAPTURE, now, 0);
		pair_end_message(stage, connection);
		pair_connect_close(stage, connection, now, false, 0);
	}
}
