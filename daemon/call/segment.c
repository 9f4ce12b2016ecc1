/*
 * segment.c: the bytes of a connection on their way to its protocol's reader.
 *
 * Between stage.c, which has the records, and pair.c, which makes calls. Here it is decided whose turn it is, which
 * protocol is spoken, and what happens when a reader cannot go on.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What ends a connection; other errors of a system call (EAGAIN, EINTR ...) say nothing about it. */
static bool is_fatal(int error_number)
{
	static const int fatal[] = {
	    ECONNRESET, EPIPE,	      ETIMEDOUT,   ECONNREFUSED, ECONNABORTED, ENETRESET,
	    EHOSTDOWN,	EHOSTUNREACH, ENETUNREACH, ENETDOWN,	 EPROTO,
	};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		if (fatal[i] == error_number)
			return true;
	}
	return false;
}

static const uint8_t *segment_payload(const struct nt_segment *segment)
{
	return (const uint8_t *)(segment + 1) + nt_owner_size(&segment->owner);
}

bool segment_begins_request(const struct nt_segment *segment)
{
	return segment->captured > 0 &&
	       protocol_detect(segment_payload(segment), segment->captured, segment->bytes) != NULL;
}

static void finish_side(struct call_stage *stage, struct connection *connection, enum protocol_side side)
{
	struct feeding feeding = {.stage = stage, .connection = connection, .side = side};
	struct protocol_events events = pair_events;

	events.context = &feeding;
	if (connection->protocol->finish)
		connection->protocol->finish(connection->reader, side, &events);
}

static void resync_side(struct call_stage *stage, struct connection *connection, enum protocol_side side)
{
	content_drop(stage->contents, &connection->gathering[side]);
	connection->protocol->resync(connection->reader, side);
	connection->lost[side] = false;
}

void segment_finish(struct call_stage *stage, struct connection *connection, bool orderly)
{
	if (!connection->protocol)
		return;
	if (connection->in_request)
		finish_side(stage, connection, PROTOCOL_REQUEST);
	if (orderly)
		finish_side(stage, connection, PROTOCOL_ANSWER);
}

void segment_end_by_turn(struct call_stage *stage, struct connection *connection)
{
	if (connection->protocol) {
		if (!connection->lost[PROTOCOL_ANSWER])
			return;
		finish_side(stage, connection, PROTOCOL_ANSWER);
	}
	pair_settle(stage, connection, ENDING_TURN, 0, 0);
	if (connection->protocol)
		resync_side(stage, connection, PROTOCOL_ANSWER);
}

/* It was not this protocol after all. */
static void drop_protocol(struct call_stage *stage, struct connection *connection)
{
	content_drop(stage->contents, &connection->gathering[PROTOCOL_REQUEST]);
	content_drop(stage->contents, &connection->gathering[PROTOCOL_ANSWER]);
	free(connection->reader);
	connection->reader = NULL;
	connection->protocol = NULL;
	connection->in_request = false;
	connection->lost[PROTOCOL_REQUEST] = connection->lost[PROTOCOL_ANSWER] = false;
	connection->doubt = 0;
}

/* The reader cannot go on. A request ends here as far as it was read; an answer's end shows at the next turn. */
static void lose_thread(struct feeding *feeding)
{
	struct connection *connection = feeding->connection;
	const struct nt_segment *segment = feeding->segment;

	feeding->stage->stats.unparsed += segment->bytes - feeding->given;
	connection->lost[feeding->side] = true;
	content_cut(connection->gathering[feeding->side]);
	if (feeding->side == PROTOCOL_REQUEST && connection->in_request) {
		feeding->began = true; /* what is left belongs to it */
		finish_side(feeding->stage, connection, PROTOCOL_REQUEST);
	}
	/* A hole is nobody's fault; bytes that were there and made no sense are. */
	if (segment->captured == segment->bytes && ++connection->doubt >= CALL_MAX_DOUBT)
		drop_protocol(feeding->stage, connection);
}

/* Gives a segment, whose bytes are at `data`, to the reader and the rest of it to calls. */
static void read_segment(struct feeding *feeding, const uint8_t *data, bool turn)
{
	struct connection *connection = feeding->connection;
	const struct nt_segment *segment = feeding->segment;
	struct protocol_chunk chunk = {.data = data, .captured = segment->captured, .bytes = segment->bytes};
	struct protocol_events events = pair_events;

	events.context = feeding;
	if (connection->protocol && !connection->lost[feeding->side]) {
		if (connection->protocol->feed(connection->reader, feeding->side, &chunk, &events) == 0) {
			pair_rest(feeding);
			return;
		}
		lose_thread(feeding);
	} else if (connection->protocol) {
		feeding->stage->stats.unparsed += segment->bytes;
	}
	if (feeding->side == PROTOCOL_REQUEST)
		pair_request_by_turn(feeding, turn);
	else
		pair_answer_by_turn(feeding);
}

static void learn_protocol(struct call_stage *stage, struct connection *connection, const struct protocol *protocol)
{
	connection->role_sure = true;
	connection->detecting = false;
	if (connection->role != NT_ROLE_SERVER)
		backend_learn(stage, &connection->backend, protocol);
	pair_connect_settle(stage, connection);
}

/* It is known what is spoken. False: there is nobody to read it. */
static bool begin_protocol(struct call_stage *stage, struct connection *connection, const struct protocol *protocol)
{
	if (protocol->describe) {
		connection->spoken = protocol;
		connection->tries = CALL_DETECT_TRIES;
		learn_protocol(stage, connection, protocol);
		return false;
	}
	connection->reader = calloc(1, protocol->state_size);
	if (!connection->reader) {
		stage->no_memory = true;
		return false;
	}
	connection->protocol = protocol;
	learn_protocol(stage, connection, protocol);
	return true;
}

/*
 * The message so far is in connection->head, and became a call by turn. Now that its protocol is known, the reader
 * gets it as if it came at once with this segment; the call is the reader's first.
 */
static void read_head(struct feeding *feeding, uint32_t size)
{
	struct connection *connection = feeding->connection;
	struct nt_segment head = *feeding->segment;
	struct feeding again = *feeding;

	head.bytes = head.captured = size;
	head.owner.states = head.owner.places = 0; /* the states are behind the record, not behind this copy */
	again.segment = &head;
	connection->adopted = connection->youngest;
	again.given = connection->adopted ? 0 : size; /* bytes that were counted without a call are not counted again */
	if (connection->adopted) {
		if (connection->role == NT_ROLE_SERVER)
			connection->adopted->call.bytes_in -= size;
		else
			connection->adopted->call.bytes_out -= size;
	}
	read_segment(&again, connection->head, false);
}

/* Looks at the beginning of a message, in pieces if it comes in pieces, for as long as nothing is known. */
static void detect(struct feeding *feeding, const uint8_t *data, bool turn)
{
	struct connection *connection = feeding->connection;
	const struct nt_segment *segment = feeding->segment;
	const struct protocol *protocol;
	uint32_t before, more;

	if (turn) {
		connection->head_size = 0;
		connection->detecting = connection->tries < CALL_DETECT_TRIES;
		connection->tries += connection->detecting;
	}
	if (!connection->detecting || segment->captured == 0)
		return;
	before = connection->head_size;
	more = CALL_DETECT_SIZE - before;
	if (more > segment->captured)
		more = segment->captured;
	memcpy(connection->head + before, data, more);
	connection->head_size += more;
	if (before == 0)
		protocol = protocol_detect(data, segment->captured, segment->bytes);
	else
		protocol = protocol_detect(connection->head, connection->head_size, before + segment->bytes);
	connection->detecting = connection->head_size < CALL_DETECT_SIZE && segment->captured == segment->bytes;
	if (protocol && begin_protocol(feeding->stage, connection, protocol) && before > 0)
		read_head(feeding, before);
}

/*
 * Does a client begin HTTP/2 here (RFC 9113, section 3.4)? Turns say nothing there: answers of some requests come
 * between the bytes of others, and threads that answer send for each other.
 */
static bool begins_mixed(const struct connection *connection, const struct nt_segment *segment)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";

	return connection->role == NT_ROLE_SERVER && connection->bytes[NT_IN] == 0 && segment->direction == NT_IN &&
	       segment->captured >= sizeof(preface) - 1 &&
	       !memcmp(segment_payload(segment), preface, sizeof(preface) - 1);
}

/* One more send for a request that goes on; who begins one counts its first. */
static void count_send(struct connection *connection, const struct nt_segment *segment, bool turn)
{
	struct open_call *open = connection->requesting;

	if (!open && !connection->protocol && !turn)
		open = connection->youngest;
	if (!open)
		return;
	open->call.sends += segment->calls;
	open->call.held_back |= (segment->flags & NT_SEGMENT_NAGLE) != 0;
}

static void take_request(struct feeding *feeding, const uint8_t *data, bool turn)
{
	struct connection *connection = feeding->connection;

	if (turn) {
		segment_end_by_turn(feeding->stage, connection);
		if (connection->lost[PROTOCOL_REQUEST])
			resync_side(feeding->stage, connection, PROTOCOL_REQUEST);
		connection->round_trip = true;
		connection->adopted = NULL;
	}
	count_send(connection, feeding->segment, turn);
	if (!connection->protocol)
		detect(feeding, data, turn);
	read_segment(feeding, data, turn);
	/* Of what a client asks the target, an operation would be taken for a route. */
	if (turn && connection->spoken && connection->role != NT_ROLE_SERVER) {
		struct protocol_request request = connection->spoken->describe(data, feeding->segment->captured);

		pair_describe(connection, &request);
	}
}

void segment_set_role(struct call_stage *stage, struct connection *connection, enum nt_role role)
{
	if (connection->role_sure || role == NT_ROLE_UNKNOWN)
		return;
	if (role != connection->role) { /* what is open was opened in the wrong one */
		pair_settle(stage, connection, ENDING_TURN, 0, 0);
		pair_end_message(stage, connection);
	}
	connection->role = role;
	connection->role_sure = true;
}

/* Nobody knows who is the server here: what comes in like a request makes the target one. */
static void guess_role(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	if (segment->direction != NT_IN || segment->captured == 0 || connection->tries >= CALL_DETECT_TRIES)
		return;
	connection->tries++;
	if (segment_begins_request(segment))
		segment_set_role(stage, connection, NT_ROLE_SERVER);
}

static void take_bytes(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	bool turn = segment->direction != connection->direction || (segment->flags & NT_SEGMENT_TURN);
	struct feeding feeding = {.stage = stage, .connection = connection, .segment = segment};

	if (begins_mixed(connection, segment)) {
		connection->mixed = true;
		pair_end_message(stage, connection); /* the server's greeting */
	}
	connection->direction = segment->direction;
	connection->bytes[segment->direction] += segment->bytes;
	if (connection->mixed)
		return;
	if (segment->owner.walk != NT_WALK_NONE) {
		connection->owner_head = connection->wanted ? *connection->wanted : segment->h;
		connection->owner = segment->owner;
		connection->owner.states = connection->owner.places = 0;
	}
	if (turn) {
		pair_end_message(stage, connection);
		if (!connection->role_sure)
			guess_role(stage, connection, segment);
	}
	feeding.side = connection_side(connection, segment->direction);
	connection->last[feeding.side] = segment->h.time;
	connection->times[feeding.side] = (struct call_times){.tid = segment->h.tid, .spent = segment->times};
	if (feeding.side == PROTOCOL_REQUEST) {
		take_request(&feeding, segment_payload(segment), turn);
		return;
	}
	if (connection->oldest)
		connection->oldest->call.retransmits += segment->retransmits;
	read_segment(&feeding, segment_payload(segment), turn);
}

/* The connection is dead: no answer will come any more. */
static void take_error(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	if (!is_fatal(segment->error))
		return;
	segment_finish(stage, connection, false);
	pair_settle(stage, connection, ENDING_FAILED, segment->h.time, segment->error);
	if (connection->protocol) {
		resync_side(stage, connection, PROTOCOL_REQUEST);
		resync_side(stage, connection, PROTOCOL_ANSWER);
	}
}

/* The peer sends no more. A client of ours that said so may still wait for its answers. */
static void take_eof(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	if (segment->direction != NT_IN)
		return;
	if (connection->role == NT_ROLE_SERVER) {
		if (connection->in_request && connection->protocol)
			finish_side(stage, connection, PROTOCOL_REQUEST);
		return;
	}
	segment_finish(stage, connection, true);
	pair_settle(stage, connection, ENDING_FAILED, segment->h.time, 0);
	pair_end_message(stage, connection);
	if (connection->protocol) {
		resync_side(stage, connection, PROTOCOL_REQUEST);
		resync_side(stage, connection, PROTOCOL_ANSWER);
	}
}

void segment_take(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	if (segment->bytes > 0)
		take_bytes(stage, connection, segment);
	if (segment->error != 0)
		take_error(stage, connection, segment);
	if (segment->flags & NT_SEGMENT_EOF)
		take_eof(stage, connection, segment);
}
