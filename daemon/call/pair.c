/*
 * pair.c: calls from what readers report, and by turn where there is no reader or it lost the thread.
 *
 * Between segment.c, which feeds the readers, and the sink. Requests wait in their connection's queue; answers take the
 * oldest. Every byte of a segment goes to exactly one call.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct open_call *allocate_call(struct call_stage *stage)
{
	struct open_call *open = stage->spare;

	if (open) {
		stage->spare = open->next;
		stage->spare_count--;
	} else {
		open = malloc(sizeof(*open));
	}
	if (!open) {
		stage->no_memory = true;
		return NULL;
	}
	memset(open, 0, sizeof(*open));
	stage->open_count++;
	return open;
}

static void release_call(struct call_stage *stage, struct open_call *open)
{
	stage->open_count--;
	if (stage->spare_count >= CALL_MAX_SPARE) {
		free(open);
		return;
	}
	open->next = stage->spare;
	stage->spare = open;
	stage->spare_count++;
}

void pair_free_spare(struct call_stage *stage)
{
	while (stage->spare) {
		struct open_call *open = stage->spare;

		stage->spare = open->next;
		free(open);
	}
	stage->spare_count = 0;
}

/* What a call is called that no reader was in: the connection may be told by others to the same backend. */
static const char *likely_protocol_name(const struct call_stage *stage, const struct connection *connection)
{
	const struct protocol *known = NULL;

	if (!connection->protocol && connection->role != NT_ROLE_SERVER)
		known = backend_protocol(stage, &connection->backend);
	return known ? known->name : connection_protocol_name(connection);
}

static struct open_call *new_call(struct call_stage *stage, const struct connection *connection, enum call_kind kind)
{
	struct open_call *open = allocate_call(stage);

	if (!open)
		return NULL;
	open->call.kind = kind;
	open->call.connection = connection->id;
	open->call.backend = connection->backend;
	open->call.protocol = connection_protocol_name(connection);
	return open;
}

void call_read_owner(struct call_owner *ret_owner, const struct nt_head *head, const struct nt_owner *owner,
		     const void *behind)
{
	*ret_owner = (struct call_owner){
	    .pid = head->pid,
	    .tid = head->tid,
	    .time = head->time,
	    .stack = owner->stack,
	    .coroutine = owner->coroutine,
	    .base = owner->base,
	    .frame = owner->frame,
	    .item = owner->item,
	    .walk = owner->walk,
	    .state_count = owner->states,
	    .place_count = owner->places,
	    .states = behind,
	    .places = (const void *)((const char *)behind + nt_pad8(owner->states * 4u)),
	};
}

/* Tells the sink; `owner` may be NULL. What belongs to it stands behind the record's fixed part. */
static void begin_call(struct call_stage *stage, struct open_call *open, const struct nt_head *head,
		       const struct nt_owner *owner, const void *behind)
{
	struct call *call = &open->call;

	if (owner)
		call_read_owner(&call->owner, head, owner, behind);
	else if (head)
		call->owner = (struct call_owner){.pid = head->pid, .tid = head->tid};
	stage->sink.began(stage->sink.context, call);
	call->owner.states = NULL;
	call->owner.places = NULL;
}

static void end_call(struct call_stage *stage, struct connection *connection, struct open_call *open, const char *name)
{
	open->call.protocol = name;
	open->call.pooled = connection->protocol && connection->protocol->pooled;
	stage->sink.ended(stage->sink.context, &open->call);
	content_release(open->call.content);
	if (connection->requesting == open)
		connection->requesting = NULL;
	if (connection->adopted == open)
		connection->adopted = NULL;
	release_call(stage, open);
}

static void append_pending(struct connection *connection, struct open_call *open)
{
	open->prev = connection->youngest;
	if (open->prev)
		open->prev->next = open;
	else
		connection->oldest = open;
	connection->youngest = open;
	connection->pending_count++;
}

static void remove_pending(struct connection *connection, struct open_call *open)
{
	if (open->prev)
		open->prev->next = open->next;
	else
		connection->oldest = open->next;
	if (open->next)
		open->next->prev = open->prev;
	else
		connection->youngest = open->prev;
	connection->pending_count--;
}

/* Ends a call of the queue. */
static void end_pending(struct call_stage *stage, struct connection *connection, struct open_call *open)
{
	remove_pending(connection, open);
	connection->requests += !open->control;
	if (open->call.kind != CALL_REQUEST)
		open->call.in_times = connection->times[PROTOCOL_ANSWER];
	pair_connect_settle(stage, connection);
	end_call(stage, connection, open, connection_protocol_name(connection));
}

static void mark_whole(struct call_stage *stage, const struct connection *connection, struct open_call *open)
{
	if (open->whole)
		return;
	open->whole = true;
	open->call.out_times = connection->times[PROTOCOL_REQUEST];
	if (open->call.kind == CALL_REQUEST)
		stage->sink.received(stage->sink.context, &open->call);
}

static void tell_answerer(struct call_stage *stage, struct open_call *open, const struct nt_head *head,
			  const struct nt_owner *owner)
{
	struct call_owner by;

	if (open->answerer || open->call.kind != CALL_REQUEST || owner->walk == NT_WALK_NONE)
		return;
	open->answerer = true;
	call_read_owner(&by, head, owner, NULL);
	by.places = NULL;
	stage->sink.answering(stage->sink.context, &open->call, &by);
}

static void mark_responding(struct call_stage *stage, const struct connection *connection, struct open_call *open)
{
	if (open->responding)
		return;
	open->responding = true;
	open->call.in_times = connection->times[PROTOCOL_ANSWER];
	if (open->call.kind != CALL_REQUEST)
		return;
	tell_answerer(stage, open, &connection->owner_head, &connection->owner);
	stage->sink.responding(stage->sink.context, &open->call);
}

static void add_bytes(const struct connection *connection, struct open_call *open, enum protocol_side side,
		      uint64_t bytes)
{
	if (connection_side(connection, NT_OUT) == side)
		open->call.bytes_out += bytes;
	else
		open->call.bytes_in += bytes;
}

/* The request that an answer answers. One that was answered early still waits for its own end, alone in the queue. */
static struct open_call *oldest_unanswered(const struct connection *connection)
{
	struct open_call *open = connection->oldest;

	return open && !open->call.answered ? open : NULL;
}

void pair_wanted(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment)
{
	struct open_call *open = oldest_unanswered(connection);

	if (open && !open->responding)
		tell_answerer(stage, open, &segment->h, &segment->owner);
}

/* A request began with this segment. NULL: it has no place, and is counted. */
static struct open_call *open_request(struct feeding *feeding)
{
	struct call_stage *stage = feeding->stage;
	struct connection *connection = feeding->connection;
	const struct nt_segment *segment = feeding->segment;
	bool server = connection->role == NT_ROLE_SERVER, owned = segment->owner.walk != NT_WALK_NONE;
	struct open_call *open = NULL;

	/* Those that were lost are the youngest: until they are answered, none may queue up behind them. */
	if (connection->pending_lost == 0 && connection->pending_count < CALL_MAX_PENDING &&
	    stage->open_count < CALL_MAX_OPEN)
		open = new_call(stage, connection, server ? CALL_REQUEST : CALL_EXCHANGE);
	if (!open) {
		connection->pending_lost++;
		stage->stats.lost_calls++;
		return NULL;
	}
	open->call.keys = 1;
	open->call.sends = segment->calls;
	open->call.out_first = segment->first;
	open->call.out_last = segment->h.time;
	open->call.out_times = (struct call_times){.tid = segment->h.tid, .spent = segment->times};
	open->call.round_trip = connection->round_trip;
	connection->round_trip = false;
	append_pending(connection, open);
	/* In the rest of what one system call sent: who began it goes on. */
	if (!owned && !server && connection->owner.walk != NT_WALK_NONE)
		begin_call(stage, open, &connection->owner_head, &connection->owner, NULL);
	else
		begin_call(stage, open, owned ? &connection->owner_head : &segment->h, &segment->owner, segment + 1);
	return open;
}

/*
 * What belongs to no request: a message; or, where the target is the server and answers, a request that was not seen.
 * `segment` may be NULL.
 */
static struct open_call *open_message(struct call_stage *stage, struct connection *connection, enum protocol_side side,
				      const struct nt_segment *segment, bool asked)
{
	bool server = connection->role == NT_ROLE_SERVER && side == PROTOCOL_ANSWER && asked;
	struct open_call *open = new_call(stage, connection, server ? CALL_REQUEST : CALL_MESSAGE);

	if (!open)
		return NULL;
	open->call.answered = server;
	open->call.keys = server;
	begin_call(stage, open, segment ? &segment->h : NULL, NULL, NULL);
	return open;
}

void pair_end_message(struct call_stage *stage, struct connection *connection)
{
	struct open_call *open = connection->message;

	connection->message = NULL;
	if (open)
		end_call(stage, connection, open, likely_protocol_name(stage, connection));
}

/* Bytes that come when no call is open: gathered in one message until the direction turns. */
static void stray(struct feeding *feeding, uint64_t first, uint64_t bytes)
{
	struct connection *connection = feeding->connection;
	uint64_t last = connection->last[feeding->side];
	struct open_call *open = connection->message;

	if (!open)
		open = open_message(feeding->stage, connection, feeding->side, feeding->segment, true);
	connection->message = open;
	if (!open) {
		feeding->stage->stats.unparsed += bytes;
		return;
	}
	add_bytes(connection, open, feeding->side, bytes);
	if (feeding->side == PROTOCOL_REQUEST) {
		open->call.out_first = open->call.out_first ? open->call.out_first : first;
		open->call.out_last = last;
	} else {
		open->call.in_first = open->call.in_first ? open->call.in_first : first;
		open->call.in_last = last;
	}
}

/* What the reader has told up to `at`, and was not given to a call before. */
static uint64_t take_bytes(struct feeding *feeding, uint64_t at)
{
	uint64_t bytes = at > feeding->given ? at - feeding->given : 0;

	feeding->given += bytes;
	return bytes;
}

static void request_began(void *context, uint64_t at)
{
	struct feeding *feeding = context;
	struct connection *connection = feeding->connection;

	(void)at; /* bytes between two requests are the second one's */
	if (!feeding->segment)
		return;
	feeding->began = true;
	connection->requesting = connection->adopted;
	connection->adopted = NULL;
	if (connection->requesting)
		connection->requesting->call.protocol = connection_protocol_name(connection);
	else
		connection->requesting = open_request(feeding);
	connection->in_request = true;
	if (connection->requesting)
		content_begin(feeding->stage->contents, &connection->gathering[PROTOCOL_REQUEST], PROTOCOL_REQUEST);
}

/* The bytes and the end of a request that has no call: the call before it, if there is one, takes the bytes. */
static void end_lost_request(struct feeding *feeding, uint64_t bytes, bool no_answer)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = connection->youngest;

	if (open)
		add_bytes(connection, open, PROTOCOL_REQUEST, bytes);
	else if (bytes > 0)
		stray(feeding, connection->last[PROTOCOL_REQUEST], bytes);
	if (no_answer && connection->pending_lost > 0)
		connection->pending_lost--;
}

static void end_request_content(struct feeding *feeding, struct open_call *open, const struct protocol_request *request)
{
	struct gathering **gathering = &feeding->connection->gathering[PROTOCOL_REQUEST];

	open->call.content = content_end_request(feeding->stage->contents, gathering, request);
	feeding->stage->stats.contents_refused += !open->call.content;
}

static void request_ended(void *context, uint64_t at, const struct protocol_request *request)
{
	struct feeding *feeding = context;
	struct connection *connection = feeding->connection;
	struct open_call *open = connection->requesting;
	uint64_t bytes = take_bytes(feeding, at);

	if (!open) {
		end_lost_request(feeding, bytes, connection->in_request && request->no_answer);
		content_drop(feeding->stage->contents, &connection->gathering[PROTOCOL_REQUEST]);
		connection->in_request = false;
		return;
	}
	connection->requesting = NULL;
	connection->in_request = false;
	add_bytes(connection, open, PROTOCOL_REQUEST, bytes);
	open->call.out_last = connection->last[PROTOCOL_REQUEST];
	open->call.keys = request->keys;
	open->tag = request->tag;
	open->control = request->access == PROTOCOL_CONTROL;
	end_request_content(feeding, open, request);
	strncpy(open->call.operation, request->operation, sizeof(open->call.operation) - 1);
	mark_whole(feeding->stage, connection, open);
	if (request->no_answer || open->call.answered)
		end_pending(feeding->stage, connection, open);
}

static void answer_began(void *context, uint64_t at)
{
	struct feeding *feeding = context;

	(void)at;
	if (!feeding->segment)
		return;
	feeding->connection->answer = (struct open_answer){.first = feeding->segment->first, .open = true};
	if (feeding->connection->role != NT_ROLE_SERVER) /* nobody asks what the target's own answers were */
		content_begin(feeding->stage->contents, &feeding->connection->gathering[PROTOCOL_ANSWER],
			      PROTOCOL_ANSWER);
}

static void content_told(void *context, enum protocol_side side, enum protocol_part part, const void *data, size_t size)
{
	struct feeding *feeding = context;

	if (feeding->connection->gathering[side])
		content_tell(feeding->stage->contents, feeding->connection->gathering[side], part, data, size);
}

static void item_told(void *context, enum protocol_side side)
{
	struct feeding *feeding = context;

	if (feeding->connection->gathering[side])
		content_item(feeding->connection->gathering[side]);
}

static void level_told(void *context, enum protocol_side side)
{
	struct feeding *feeding = context;

	if (feeding->connection->gathering[side])
		content_level(feeding->connection->gathering[side]);
}

/* A message that is whole, with nobody's request. */
static void pass_message(struct feeding *feeding, uint64_t first, uint64_t bytes, bool asked)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = open_message(feeding->stage, connection, PROTOCOL_ANSWER, feeding->segment, asked);

	if (!open) {
		feeding->stage->stats.unparsed += bytes;
		return;
	}
	add_bytes(connection, open, PROTOCOL_ANSWER, bytes);
	open->call.in_first = first;
	open->call.in_last = connection->last[PROTOCOL_ANSWER];
	end_call(feeding->stage, connection, open, likely_protocol_name(feeding->stage, connection));
}

static void answer_call(struct feeding *feeding, struct open_call *open, uint64_t first, uint64_t bytes,
			const struct protocol_answer *answer)
{
	struct connection *connection = feeding->connection;

	add_bytes(connection, open, PROTOCOL_ANSWER, bytes);
	if (answer->interim)
		return;
	open->call.in_first = first;
	open->call.in_last = connection->last[PROTOCOL_ANSWER];
	open->call.error = answer->error;
	open->call.client_error = answer->client_error;
	open->call.answered = true;
	content_end_answer(feeding->stage->contents, &connection->gathering[PROTOCOL_ANSWER], open->call.content,
			   answer);
	mark_responding(feeding->stage, connection, open);
	if (open->whole)
		end_pending(feeding->stage, connection, open);
}

static void answer_ended(void *context, uint64_t at, const struct protocol_answer *answer)
{
	struct feeding *feeding = context;
	struct connection *connection = feeding->connection;
	struct open_answer part = connection->answer;
	struct open_call *open = oldest_unanswered(connection);
	uint64_t bytes = part.bytes + take_bytes(feeding, at);
	uint64_t first = part.open ? part.first : connection->last[PROTOCOL_ANSWER];

	connection->answer = (struct open_answer){0};
	if (feeding->segment)
		connection->doubt = 0;
	if (answer->message) {
		pass_message(feeding, first, bytes, false);
	} else if (open) {
		answer_call(feeding, open, first, bytes, answer);
	} else {
		if (!connection->oldest && connection->pending_lost > 0)
			connection->pending_lost--;
		pass_message(feeding, first, bytes, true);
	}
	content_drop(feeding->stage->contents, &connection->gathering[PROTOCOL_ANSWER]); /* it was no answer */
}

static uint32_t oldest_tag(void *context)
{
	const struct feeding *feeding = context;
	const struct open_call *open = oldest_unanswered(feeding->connection);

	return open ? open->tag : 0;
}

const struct protocol_events pair_events = {
    .request_began = request_began,
    .request_ended = request_ended,
    .answer_began = answer_began,
    .answer_ended = answer_ended,
    .oldest_tag = oldest_tag,
    .content = content_told,
    .item = item_told,
    .level = level_told,
};

/* Bytes of a request that goes on, or that follow the last one. */
static void rest_of_requests(struct feeding *feeding, uint64_t bytes)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = connection->requesting;

	if (open)
		open->call.out_last = connection->last[PROTOCOL_REQUEST];
	else
		open = connection->youngest;
	if (open)
		add_bytes(connection, open, PROTOCOL_REQUEST, bytes);
	else
		stray(feeding, feeding->segment->first, bytes);
}

static void rest_of_answers(struct feeding *feeding, uint64_t bytes)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = oldest_unanswered(connection);

	if (connection->answer.open) {
		connection->answer.bytes += bytes;
		if (open && open->call.kind == CALL_REQUEST && !open->responding) {
			open->call.in_first = connection->answer.first;
			mark_responding(feeding->stage, connection, open);
		}
	} else if (connection->oldest) {
		add_bytes(connection, connection->oldest, PROTOCOL_ANSWER, bytes);
	} else {
		stray(feeding, feeding->segment->first, bytes);
	}
}

void pair_rest(struct feeding *feeding)
{
	uint64_t bytes = take_bytes(feeding, feeding->segment->bytes);

	if (bytes == 0)
		return;
	if (feeding->side == PROTOCOL_REQUEST)
		rest_of_requests(feeding, bytes);
	else
		rest_of_answers(feeding, bytes);
}

void pair_request_by_turn(struct feeding *feeding, bool turn)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = connection->requesting;
	bool fresh = turn && !feeding->began;
	uint64_t bytes = take_bytes(feeding, feeding->segment->bytes);

	if (!open && !fresh)
		open = connection->youngest;
	if (!open && !connection->in_request)
		open = open_request(feeding);
	connection->requesting = NULL;
	connection->in_request = false;
	if (!open) {
		end_lost_request(feeding, bytes, false);
		return;
	}
	add_bytes(connection, open, PROTOCOL_REQUEST, bytes);
	open->call.out_last = connection->last[PROTOCOL_REQUEST];
	if (connection->protocol) /* the reader will not tell its end */
		mark_whole(feeding->stage, connection, open);
}

void pair_describe(struct connection *connection, const struct protocol_request *request)
{
	struct open_call *open = connection->youngest;

	if (!open || open->call.operation[0])
		return;
	strncpy(open->call.operation, request->operation, sizeof(open->call.operation) - 1);
	open->control = request->access == PROTOCOL_CONTROL;
}

void pair_answer_by_turn(struct feeding *feeding)
{
	struct connection *connection = feeding->connection;
	struct open_call *open = oldest_unanswered(connection);

	if (!open || connection->answer.open) {
		pair_rest(feeding);
		return;
	}
	add_bytes(connection, open, PROTOCOL_ANSWER, take_bytes(feeding, feeding->segment->bytes));
	if (open->call.in_first == 0)
		open->call.in_first = feeding->segment->first;
	open->call.in_last = connection->last[PROTOCOL_ANSWER];
	if (!connection->protocol)
		mark_whole(feeding->stage, connection, open);
	mark_responding(feeding->stage, connection, open);
}

/* Gives an answer that did not end to the call that it seems to answer. */
static void fold_answer(struct call_stage *stage, struct connection *connection)
{
	struct open_answer part = connection->answer;
	struct open_call *open = oldest_unanswered(connection);
	struct feeding feeding = {.stage = stage, .connection = connection, .side = PROTOCOL_ANSWER};

	connection->answer = (struct open_answer){0};
	content_drop(stage->contents, &connection->gathering[PROTOCOL_ANSWER]);
	if (!part.open)
		return;
	if (!open) {
		if (part.bytes > 0)
			stray(&feeding, part.first, part.bytes);
		return;
	}
	add_bytes(connection, open, PROTOCOL_ANSWER, part.bytes);
	if (open->call.in_first == 0)
		open->call.in_first = part.first;
	open->call.in_last = connection->last[PROTOCOL_ANSWER];
}

/* What can be said of a call whose answer's end no reader has told. */
static void judge(const struct connection *connection, struct call *call, enum ending ending, uint64_t now,
		  int error_number)
{
	bool by_turn = !connection->protocol || connection->lost[PROTOCOL_ANSWER];
	bool failed;

	if (call->answered)
		return;
	if (ending == ENDING_TURN && connection->protocol && by_turn && call->in_first == 0 &&
	    connection->last[PROTOCOL_ANSWER] >= call->out_last) /* it is in what the reader could not read */
		call->in_first = call->in_last = connection->last[PROTOCOL_ANSWER];
	call->answered = by_turn && call->in_first != 0;
	if (connection->protocol)
		failed = error_number != 0 || !call->answered;
	else
		failed = error_number != 0 && call->in_first == 0;
	if (ending != ENDING_FAILED || !failed)
		return;
	call->answered = false;
	call->error = true;
	call->error_number = error_number;
	call->in_last = now;
}

void pair_settle(struct call_stage *stage, struct connection *connection, enum ending ending, uint64_t now,
		 int error_number)
{
	struct open_call *open, *next;

	fold_answer(stage, connection);
	for (open = connection->oldest; open; open = next) {
		next = open->next;
		if (ending == ENDING_TURN && connection->protocol && !open->whole)
			continue;
		judge(connection, &open->call, ending, now, error_number);
		end_pending(stage, connection, open);
	}
	connection->pending_lost = 0;
	if (ending != ENDING_TURN)
		connection->in_request = false;
}

static void open_connect(struct call_stage *stage, struct connection *connection, const struct nt_connect *connect,
			 bool has_owner)
{
	struct open_call *open = new_call(stage, connection, CALL_CONNECT);

	connection->connect = open;
	if (!open)
		return;
	strcpy(open->call.operation, "connect");
	open->call.out_first = connect->h.time;
	begin_call(stage, open, &connect->h, has_owner ? &connect->owner : NULL, connect + 1);
}

static void end_connect(struct call_stage *stage, struct connection *connection)
{
	struct open_call *open = connection->connect;

	connection->connect = NULL;
	end_call(stage, connection, open, likely_protocol_name(stage, connection));
}

void pair_connect_settle(struct call_stage *stage, struct connection *connection)
{
	if (connection->connect && connection->connect->call.in_last != 0)
		end_connect(stage, connection);
}

void pair_connect_began(struct call_stage *stage, struct connection *connection, const struct nt_connect *connect)
{
	pair_connect_settle(stage, connection);
	if (!connection->connect) /* else it is asked again whether it is there yet */
		open_connect(stage, connection, connect, true);
}

void pair_connect_ended(struct call_stage *stage, struct connection *connection, const struct nt_connect *connect)
{
	bool known = connection->connect && connection->connect->call.in_last == 0;

	if (connect->error == EINPROGRESS || connect->error == EALREADY)
		return;
	if (!known && connect->error == 0) /* it began before we came, or was told twice */
		return;
	if (!known) {
		pair_connect_settle(stage, connection);
		open_connect(stage, connection, connect, false);
	}
	if (!connection->connect)
		return;
	connection->connect->call.in_last = connect->h.time;
	connection->connect->call.answered = connect->error == 0;
	connection->connect->call.error = connect->error != 0;
	connection->connect->call.error_number = connect->error;
	if (connect->error != 0 || connection->protocol)
		end_connect(stage, connection);
}

void pair_connect_close(struct call_stage *stage, struct connection *connection, uint64_t now, bool failed,
			int error_number)
{
	struct open_call *open = connection->connect;

	if (!open)
		return;
	if (open->call.in_last == 0 && failed) {
		open->call.error = true;
		open->call.error_number = error_number;
		open->call.in_last = now;
	}
	end_connect(stage, connection);
}
