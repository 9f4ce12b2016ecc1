/*
 * test_call.c: from records to calls: pairing, turns, connects and closes, both directions, bounds, damage.
 *
 * A world feeds records to a stage and keeps a copy of every call that ended. When it goes, every call has
 * begun and ended exactly once, and the bytes of a connection's calls are the bytes of its segments.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../daemon/call/call.h"
#include "records.h"

#define MAX_CONNECTIONS 64
#define STEP 1000 /* ns between one record and the next */

/* What the sink knows of a call while it is open. */
struct seen {
	bool received, responding;
	uint64_t stack, answerer; /* stacks */
};

struct world {
	struct call_stage *stage;
	struct call *calls; /* that ended, in this order; `user` says 1: received, 2: responding, 3: both */
	size_t count, room, open, began;
	struct call_owner answerer;  /* of the last request of which it is known */
	struct call_closing closing; /* the last one */
	uint64_t now;
	uint64_t fed[MAX_CONNECTIONS][2]; /* bytes, by enum nt_direction */
	union record record;
};

static void sink_began(void *context, struct call *call)
{
	struct world *world = context;
	struct seen *seen = calloc(1, sizeof(*seen));

	assert_non_null(seen);
	assert_null(call->user);
	assert_non_null(call->protocol);
	if (call->owner.state_count > 0) {
		assert_non_null(call->owner.states);
		for (unsigned i = 0; i < call->owner.state_count; i++)
			assert_int_equal(call->owner.states[i], 100 + i);
	}
	seen->stack = call->owner.stack;
	call->user = seen;
	world->began++;
	world->open++;
}

static void sink_received(void *context, struct call *call)
{
	struct seen *seen = call->user;

	(void)context;
	assert_int_equal(call->kind, CALL_REQUEST);
	assert_false(seen->received);
	seen->received = true;
}

static void sink_answering(void *context, struct call *call, const struct call_owner *by)
{
	struct world *world = context;
	struct seen *seen = call->user;

	assert_int_equal(call->kind, CALL_REQUEST);
	assert_false(seen->responding || seen->answerer);
	assert_true(by->time <= world->now && by->time > 0);
	seen->answerer = by->stack;
	world->answerer = *by;
}

static void sink_responding(void *context, struct call *call)
{
	struct seen *seen = call->user;

	(void)context;
	assert_int_equal(call->kind, CALL_REQUEST);
	assert_false(seen->responding);
	assert_true(call->in_first > 0);
	seen->responding = true;
}

static void sink_ended(void *context, struct call *call)
{
	struct world *world = context;
	struct seen *seen = call->user;

	assert_non_null(seen);
	assert_null(call->owner.states);
	assert_int_equal(seen->stack, call->owner.stack);
	for (const char *c = call->operation; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	if (world->count == world->room) {
		world->room = world->room ? 2 * world->room : 64;
		world->calls = realloc(world->calls, world->room * sizeof(*world->calls));
		assert_non_null(world->calls);
	}
	world->calls[world->count] = *call;
	world->calls[world->count++].user = (void *)(uintptr_t)(seen->received + 2 * seen->responding);
	world->open--;
	free(seen);
}

static void sink_closed(void *context, const struct call_closing *closing)
{
	struct world *world = context;

	world->closing = *closing;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct call_sink sink = {
	    .context = world,
	    .began = sink_began,
	    .received = sink_received,
	    .answering = sink_answering,
	    .responding = sink_responding,
	    .ended = sink_ended,
	    .closed = sink_closed,
	};

	assert_non_null(world);
	world->stage = call_stage_new(&sink);
	assert_non_null(world->stage);
	world->now = 1000000;
	return world;
}

/* Ends the stage; every call and every byte must be accounted for. */
static void world_free(struct world *world)
{
	uint64_t sums[MAX_CONNECTIONS][2] = {{0}};

	call_stage_free(world->stage);
	assert_int_equal(world->open, 0);
	assert_int_equal(world->began, world->count);
	for (size_t i = 0; i < world->count; i++) {
		if (world->calls[i].connection >= MAX_CONNECTIONS)
			continue;
		sums[world->calls[i].connection][NT_OUT] += world->calls[i].bytes_out;
		sums[world->calls[i].connection][NT_IN] += world->calls[i].bytes_in;
	}
	assert_memory_equal(sums, world->fed, sizeof(sums));
	free(world->calls);
	free(world);
}

static void feed(struct world *world)
{
	assert_int_equal(call_stage_feed(world->stage, &world->record.head), 0);
}

static uint64_t tick(struct world *world)
{
	return world->now += STEP;
}

static const struct call_stats *stats(const struct world *world)
{
	return call_stage_stats(world->stage);
}

/* A call that ended, counted from the first; asserts that it is there. */
static const struct call *nth(const struct world *world, size_t index)
{
	assert_true(index < world->count);
	return &world->calls[index];
}

static unsigned marks(const struct call *call)
{
	return (unsigned)(uintptr_t)call->user;
}

static void open_socket(struct world *world, uint64_t connection, enum nt_role role, uint16_t port)
{
	record_socket(&world->record, tick(world), 7, connection, port);
	world->record.socket.role = role;
	feed(world);
}

/* A segment of `bytes`, of which the first `captured` are there. `flags` beside NT_SEGMENT_*: NO_TURN. */
#define NO_TURN 0x100

static uint16_t again; /* how often packets were sent again until the next segment */

static void move_hole(struct world *world, uint64_t connection, enum nt_direction direction, const void *data,
		      size_t captured, uint64_t bytes, unsigned flags)
{
	static const uint32_t states[] = {100, 101, 102};
	struct nt_segment *segment = &world->record.segment;

	record_begin(&world->record, NT_SEGMENT, sizeof(*segment), tick(world), 7);
	segment->connection = connection;
	segment->first = world->now - STEP / 2;
	segment->bytes = bytes;
	segment->captured = (uint32_t)captured;
	segment->direction = direction;
	segment->calls = 1;
	segment->retransmits = again;
	again = 0;
	segment->flags = flags & 0xff;
	if (!(flags & NO_TURN))
		segment->flags |= NT_SEGMENT_TURN;
	segment->owner = (struct nt_owner){.stack = world->now, .walk = NT_WALK_OK, .states = 3};
	record_append(&world->record, states, sizeof(states));
	record_append(&world->record, data, captured);
	if (connection < MAX_CONNECTIONS)
		world->fed[connection][direction] += bytes;
	feed(world);
}

static void move(struct world *world, uint64_t connection, enum nt_direction direction, const char *text)
{
	move_hole(world, connection, direction, text, strlen(text), strlen(text), 0);
}

static void out(struct world *world, uint64_t connection, const char *text)
{
	move(world, connection, NT_OUT, text);
}

static void in(struct world *world, uint64_t connection, const char *text)
{
	move(world, connection, NT_IN, text);
}

static void break_socket(struct world *world, uint64_t connection, enum nt_direction direction, int error)
{
	record_begin(&world->record, NT_SEGMENT, sizeof(world->record.segment), tick(world), 7);
	world->record.segment.connection = connection;
	world->record.segment.direction = direction;
	world->record.segment.error = error;
	feed(world);
}

static void end_of_stream(struct world *world, uint64_t connection)
{
	move_hole(world, connection, NT_IN, "", 0, 0, NT_SEGMENT_EOF | NO_TURN);
}

static void close_socket(struct world *world, uint64_t connection, int error, bool by_peer)
{
	record_begin(&world->record, NT_CLOSE, sizeof(world->record.close), tick(world), 7);
	world->record.close.connection = connection;
	world->record.close.bytes_out = world->fed[connection][NT_OUT];
	world->record.close.bytes_in = world->fed[connection][NT_IN];
	world->record.close.error = error;
	world->record.close.by_peer = by_peer;
	feed(world);
}

static void connect_socket(struct world *world, uint64_t connection, bool ended, int error)
{
	static const uint32_t states[] = {100, 101};

	record_begin(&world->record, NT_CONNECT, sizeof(world->record.connect), tick(world), 7);
	world->record.connect.connection = connection;
	world->record.connect.ended = ended;
	world->record.connect.error = error;
	if (!ended) {
		world->record.connect.owner = (struct nt_owner){.stack = world->now, .walk = NT_WALK_OK, .states = 2};
		record_append(&world->record, states, sizeof(states));
	}
	feed(world);
}

static void check(const struct call *call, enum call_kind kind, const char *protocol, const char *operation,
		  uint64_t bytes_out, uint64_t bytes_in)
{
	assert_int_equal(call->kind, kind);
	assert_string_equal(call->protocol, protocol);
	assert_string_equal(call->operation, operation);
	assert_int_equal(call->bytes_out, bytes_out);
	assert_int_equal(call->bytes_in, bytes_in);
}

static void test_unknown_protocol(void **state)
{
	struct world *world = world_new();
	const struct call *call;
	uint64_t began;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 99);
	began = world->now + STEP;
	out(world, 1, "\x01\x02");
	move_hole(world, 1, NT_OUT, "", 0, 1000, NO_TURN);
	in(world, 1, "ab");
	move_hole(world, 1, NT_IN, "cde", 3, 3, NO_TURN);
	assert_int_equal(world->count, 0);
	out(world, 1, "\x01");
	call = nth(world, 0);
	check(call, CALL_EXCHANGE, "tcp", "", 1002, 5);
	assert_int_equal(call->out_first, began - STEP / 2);
	assert_int_equal(call->out_last, began + STEP);
	assert_int_equal(call->in_first, began + 2 * STEP - STEP / 2);
	assert_int_equal(call->in_last, began + 3 * STEP);
	assert_int_equal(call->owner.stack, began);
	assert_int_equal(call->owner.pid, 7);
	assert_int_equal(call->backend.port, 99);
	assert_int_equal(call->keys, 1);
	assert_true(call->answered && call->round_trip && !call->error);
	/* another thread sends: a request of its own; the one before it had no answer, which is no error here */
	move_hole(world, 1, NT_OUT, "x", 1, 1, 0);
	assert_false(nth(world, 1)->answered || nth(world, 1)->error);
	in(world, 1, "y");
	call_stage_flush(world->stage, world->now, true);
	check(nth(world, 2), CALL_EXCHANGE, "tcp", "", 1, 1);
	assert_true(nth(world, 2)->answered);
	assert_int_equal(stats(world)->unparsed, 0);
	world_free(world);
}

/* Requests in parts, with a reader and without; packets that were sent again until the answer came. */
static void test_sends(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 80);
	out(world, 1, "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
	move_hole(world, 1, NT_OUT, "x", 1, 1, NO_TURN);
	move_hole(world, 1, NT_OUT, "y", 1, 1, NO_TURN);
	in(world, 1, "HTTP/1.1 204 No Content\r\n\r\n");
	out(world, 1, "GET /a HTTP/1.1\r\n\r\n");
	in(world, 1, "HTTP/1.1 204 No Content\r\n\r\n");
	open_socket(world, 2, NT_ROLE_CLIENT, 99);
	out(world, 2, "\x01");
	move_hole(world, 2, NT_OUT, "\x02", 1, 1, NO_TURN | NT_SEGMENT_NAGLE);
	again = 3;
	in(world, 2, "a");
	move_hole(world, 2, NT_IN, "b", 1, 1, NO_TURN);
	out(world, 2, "\x01");
	in(world, 2, "a");
	call_stage_flush(world->stage, world->now, true);
	assert_int_equal(world->count, 4);
	assert_int_equal(nth(world, 0)->sends, 3);
	assert_int_equal(nth(world, 1)->sends, 1);
	assert_int_equal(nth(world, 2)->sends, 2);
	assert_true(nth(world, 2)->held_back && !nth(world, 0)->held_back && !nth(world, 3)->held_back);
	assert_int_equal(nth(world, 2)->retransmits, 3);
	assert_int_equal(nth(world, 3)->sends, 1);
	assert_int_equal(nth(world, 3)->retransmits, 0);
	world_free(world);
}

static void move_bytes(struct world *world, uint64_t connection, enum nt_direction direction, const char *data,
		       size_t size)
{
	move_hole(world, connection, direction, data, size, size, 0);
}

#define TLS_HELLO "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
#define TLS_CHANGE "\x14\x03\x03\x00\x01\x01"
#define TLS_KEYS "\x16\x03\x03\x00\x05\x10\x00\x00\x01\x00"
#define TLS_FINISHED "\x16\x03\x03\x00\x05\xf0\x17\x55\x81\x26"
#define TLS_DATA "\x17\x03\x03\x00\x02\x88\x99"
#define TLS_SIZE(text) (sizeof(text) - 1)
#define TLS_OUT(world, text) move_bytes(world, 1, NT_OUT, text, TLS_SIZE(text))
#define TLS_IN(world, text) move_bytes(world, 1, NT_IN, text, TLS_SIZE(text))

/* TLS 1.3: what ends the handshake goes with the first data; that and the next are requests. */
static void test_tls(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 443);
	connect_socket(world, 1, false, 0);
	connect_socket(world, 1, true, 0);
	TLS_OUT(world, TLS_HELLO);
	TLS_IN(world, TLS_DATA);
	TLS_OUT(world, TLS_CHANGE TLS_DATA);
	TLS_IN(world, TLS_DATA);
	TLS_OUT(world, TLS_DATA);
	TLS_IN(world, TLS_DATA);
	close_socket(world, 1, 0, false);
	check(nth(world, 0), CALL_CONNECT, "tls", "connect", 0, 0);
	check(nth(world, 1), CALL_EXCHANGE, "tls", "handshake", TLS_SIZE(TLS_HELLO), TLS_SIZE(TLS_DATA));
	check(nth(world, 2), CALL_EXCHANGE, "tls", "data", TLS_SIZE(TLS_CHANGE TLS_DATA), TLS_SIZE(TLS_DATA));
	check(nth(world, 3), CALL_EXCHANGE, "tls", "data", TLS_SIZE(TLS_DATA), TLS_SIZE(TLS_DATA));
	assert_int_equal(world->count, 4);
	assert_int_equal(world->closing.requests, 2);
	assert_int_equal(stats(world)->unparsed, 0);
	world_free(world);
}

/* TLS 1.2: keys are a round trip of their own. A server that wants another hello; a session that goes on. */
static void test_tls_round_trips(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 443);
	TLS_OUT(world, TLS_HELLO);
	TLS_IN(world, TLS_HELLO);
	TLS_OUT(world, TLS_CHANGE TLS_HELLO);
	TLS_IN(world, TLS_HELLO);
	TLS_OUT(world, TLS_KEYS TLS_CHANGE TLS_FINISHED);
	TLS_IN(world, TLS_CHANGE TLS_FINISHED);
	TLS_OUT(world, TLS_CHANGE TLS_FINISHED TLS_DATA);
	TLS_IN(world, TLS_DATA);
	close_socket(world, 1, 0, false);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(nth(world, i)->operation, i < 3 ? "handshake" : "data");
	assert_int_equal(world->closing.requests, 1);
	world_free(world);
}

/* Asked of the target, it says nothing of what is asked. */
static void test_tls_server(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_SERVER, 50000);
	TLS_IN(world, TLS_HELLO);
	TLS_OUT(world, TLS_DATA);
	TLS_IN(world, TLS_CHANGE TLS_DATA);
	TLS_OUT(world, TLS_DATA);
	close_socket(world, 1, 0, false);
	check(nth(world, 0), CALL_REQUEST, "tls", "", TLS_SIZE(TLS_DATA), TLS_SIZE(TLS_HELLO));
	check(nth(world, 1), CALL_REQUEST, "tls", "", TLS_SIZE(TLS_DATA), TLS_SIZE(TLS_CHANGE TLS_DATA));
	world_free(world);
}

/* A segment of one byte by a thread, that began `before` ns before the last one. */
static void move_by(struct world *world, uint32_t tid, enum nt_direction direction, uint64_t before, unsigned flags)
{
	struct nt_segment *segment = &world->record.segment;

	record_begin(&world->record, NT_SEGMENT, sizeof(*segment), tick(world), 7);
	segment->h.tid = tid;
	segment->connection = 1;
	segment->first = world->now - before;
	segment->bytes = segment->captured = segment->calls = 1;
	segment->direction = direction;
	segment->flags = flags;
	record_append(&world->record, "x", 1);
	world->fed[1][direction]++;
	feed(world);
}

/* One thread sends, another receives: the answer's record can come before the request's. */
static void overtake(enum nt_role role)
{
	struct world *world = world_new();

	open_socket(world, 1, role, 99);
	move_by(world, 8, NT_IN, 0, NT_SEGMENT_TURN);
	move_by(world, 7, NT_OUT, 2 * STEP, NT_SEGMENT_TURN);
	move_by(world, 8, NT_IN, 0, 0);
	move_by(world, 7, NT_OUT, 2 * STEP, NT_SEGMENT_TURN);
	check(nth(world, 0), CALL_EXCHANGE, "tcp", "", 1, 1);
	/* these are more of the answer: the next request begins after them */
	move_by(world, 8, NT_IN, 0, NT_SEGMENT_TURN);
	move_by(world, 8, NT_IN, 0, 0);
	move_by(world, 7, NT_OUT, 0, NT_SEGMENT_TURN);
	check(nth(world, 1), CALL_EXCHANGE, "tcp", "", 1, 3);
	move_by(world, 8, NT_IN, 0, NT_SEGMENT_TURN);
	move_by(world, 8, NT_IN, 0, 0);
	close_socket(world, 1, 0, false);
	check(nth(world, 2), CALL_EXCHANGE, "tcp", "", 1, 2);
	for (size_t i = 0; i < 3; i++)
		assert_true(nth(world, i)->answered && nth(world, i)->in_last > nth(world, i)->out_first);
	assert_int_equal(world->count, 3);
	world_free(world);
}

static void test_overtaken(void **state)
{
	(void)state;
	overtake(NT_ROLE_CLIENT);
	overtake(NT_ROLE_UNKNOWN);
}

static void test_pipeline(void **state)
{
	struct world *world = world_new();
	uint64_t sent, answered;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	sent = world->now + STEP;
	out(world, 1, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$4\r");
	move_hole(world, 1, NT_OUT, "\nPING\r\n", 7, 7, NO_TURN);
	answered = world->now + STEP;
	in(world, 1, "$1\r\nx\r\n-ER");
	assert_int_equal(world->count, 1);
	move_hole(world, 1, NT_IN, "R no\r\n+PONG\r\n", 13, 13, NO_TURN);
	assert_int_equal(world->count, 3);
	check(nth(world, 0), CALL_EXCHANGE, "redis", "GET", 20, 7);
	check(nth(world, 1), CALL_EXCHANGE, "redis", "MGET", 28, 9);
	check(nth(world, 2), CALL_EXCHANGE, "redis", "PING", 14, 7);
	assert_true(nth(world, 0)->round_trip && !nth(world, 1)->round_trip && !nth(world, 2)->round_trip);
	assert_int_equal(nth(world, 1)->keys, 2);
	assert_true(nth(world, 1)->error && nth(world, 1)->answered);
	assert_int_equal(nth(world, 2)->out_first, sent - STEP / 2);
	assert_int_equal(nth(world, 2)->out_last, sent + STEP);
	assert_int_equal(nth(world, 1)->in_first, answered - STEP / 2);
	assert_int_equal(nth(world, 1)->in_last, answered + STEP);
	assert_int_equal(nth(world, 2)->in_first, answered + STEP / 2);
	out(world, 1, "*1\r\n$4\r\nPING\r\n");
	in(world, 1, "+PONG\r\n");
	assert_true(nth(world, 3)->round_trip);
	world_free(world);
}

static void test_thousand(void **state)
{
	struct world *world = world_new();
	char requests[14000 + 1], answers[7000 + 1];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		memcpy(requests + 14 * i, "*1\r\n$4\r\nPING\r\n", 14);
		memcpy(answers + 7 * i, "+PONG\r\n", 7);
	}
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	move_hole(world, 1, NT_OUT, requests, 14000, 14000, 0);
	move_hole(world, 1, NT_IN, answers, 7000, 7000, 0);
	assert_int_equal(world->count, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		check(nth(world, i), CALL_EXCHANGE, "redis", "PING", 14, 7);
		assert_int_equal(nth(world, i)->round_trip, i == 0);
	}
	world_free(world);
}

/* Turns say nothing about HTTP/2's requests: there are none but the server's greeting. */
static void test_mixed(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_SERVER, 50051);
	out(world, 1, "settings");
	in(world, 1, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	out(world, 1, "more");
	in(world, 1, "a request");
	out(world, 1, "an answer");
	in(world, 1, "a request");
	assert_int_equal(world->count, 1);
	assert_int_equal(nth(world, 0)->bytes_out, 8);
	world->fed[1][NT_OUT] = 8; /* the rest is in no request */
	world->fed[1][NT_IN] = 0;
	world_free(world);
}

/* A conversation, fed in pieces of some size, as client or as server; every piece is a segment. */
struct line {
	bool answer;
	const char *text;
};

static struct world *converse(const struct line *lines, enum nt_role role, size_t piece)
{
	struct world *world = world_new();

	open_socket(world, 1, role, 80);
	for (; lines->text; lines++) {
		enum nt_direction direction = (role == NT_ROLE_SERVER) == lines->answer ? NT_OUT : NT_IN;
		size_t size = strlen(lines->text);

		for (size_t at = 0, part; at < size; at += part) {
			part = piece ? piece : 1 + (size_t)rand() % 30;
			if (part > size - at)
				part = size - at;
			move_hole(world, 1, direction, lines->text + at, part, part, at ? NO_TURN : 0);
		}
	}
	return world;
}

static void compare(const struct world *world, const struct world *other)
{
	assert_int_equal(world->count, other->count);
	for (size_t i = 0; i < world->count; i++) {
		const struct call *call = nth(world, i), *twin = nth(other, i);

		check(call, twin->kind, twin->protocol, twin->operation, twin->bytes_out, twin->bytes_in);
		assert_int_equal(call->keys, twin->keys);
		assert_int_equal(call->round_trip, twin->round_trip);
		assert_int_equal(call->error, twin->error);
		assert_int_equal(call->client_error, twin->client_error);
		assert_int_equal(call->answered, twin->answered);
		assert_int_equal(marks(call), marks(twin));
	}
}

static void check_pieces(const struct line *lines, size_t calls, const char *protocol)
{
	static const enum nt_role roles[] = {NT_ROLE_CLIENT, NT_ROLE_SERVER};

	for (size_t r = 0; r < 2; r++) {
		struct world *whole = converse(lines, roles[r], 1u << 20);

		assert_int_equal(whole->count, calls);
		for (size_t i = 0; i < calls; i++)
			assert_string_equal(nth(whole, i)->protocol, protocol);
		for (size_t piece = 0; piece < 40; piece++) {
			struct world *cut = converse(lines, roles[r], piece);

			compare(cut, whole);
			assert_int_equal(stats(cut)->unparsed, 0);
			world_free(cut);
		}
		world_free(whole);
	}
}

static void test_pieces(void **state)
{
	static const struct line redis[] = {
	    {false, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n"},
	    {true, "$5\r\nhello\r\n-ERR no\r\n"},
	    {false, "*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n"},
	    {true, "*2\r\n$-1\r\n:5\r\n"},
	    {false, NULL},
	};
	static const struct line memcache[] = {
	    {false, "get a b\r\nset k 0 0 2 noreply\r\nhi\r\ndelete k\r\n"},
	    {true, "VALUE b 0 2\r\nhi\r\nEND\r\nDELETED\r\n"},
	    {false, "version\r\n"},
	    {true, "VERSION 1.6\r\n"},
	    {false, NULL},
	};
	static const struct line http[] = {
	    {false, "GET /stock/17 HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\n\r\n"},
	    {true, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"},
	    {false, "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
	    {true, "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"},
	    {false, NULL},
	};

	(void)state;
	check_pieces(redis, 3, "redis");
	check_pieces(memcache, 4, "memcache");
	check_pieces(http, 3, "http");
}

static void test_http_continue(void **state)
{
	struct world *world = world_new();
	const struct call *call;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 80);
	out(world, 1, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	in(world, 1, "HTTP/1.1 100 Continue\r\n\r\n");
	out(world, 1, "ok");
	in(world, 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	call = nth(world, 0);
	check(call, CALL_EXCHANGE, "http", "POST /a", 63, 25 + 38);
	assert_true(call->out_last < call->in_first && call->answered);
	/* answered before all of it was sent, and what is left is still sent */
	out(world, 1, "POST /b HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234");
	in(world, 1, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(world->count, 1);
	out(world, 1, "56789");
	call = nth(world, 1);
	check(call, CALL_EXCHANGE, "http", "POST /b", 50, 41);
	assert_true(call->client_error && call->answered && !call->error);
	/* and the same when it never is */
	out(world, 1, "POST /c HTTP/1.1\r\nContent-Length: 10\r\n\r\n01234");
	in(world, 1, "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
	close_socket(world, 1, 0, false);
	call = nth(world, 2);
	check(call, CALL_EXCHANGE, "http", "POST /c", 45, 41);
	assert_true(call->client_error && call->answered && !call->error);
	world_free(world);
}

static void test_close_delimited(void **state)
{
	struct world *world = world_new();
	uint64_t last;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 80);
	out(world, 1, "GET /a HTTP/1.0\r\n\r\n");
	in(world, 1, "HTTP/1.0 200 OK\r\n\r\nabc");
	move_hole(world, 1, NT_IN, "", 0, 100000, NO_TURN);
	last = world->now;
	assert_int_equal(world->count, 0);
	close_socket(world, 1, 0, true);
	assert_int_equal(world->count, 0);
	end_of_stream(world, 1);
	check(nth(world, 0), CALL_EXCHANGE, "http", "GET /a", 19, 100022);
	assert_int_equal(nth(world, 0)->in_last, last);
	assert_true(nth(world, 0)->answered && !nth(world, 0)->error);
	close_socket(world, 1, 0, false);
	assert_int_equal(world->count, 1);
	/* cut short of its length */
	open_socket(world, 2, NT_ROLE_CLIENT, 80);
	out(world, 2, "GET /a HTTP/1.1\r\n\r\n");
	in(world, 2, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
	end_of_stream(world, 2);
	check(nth(world, 1), CALL_EXCHANGE, "http", "GET /a", 19, 42);
	assert_true(!nth(world, 1)->answered && nth(world, 1)->error);
	/* a reset is no end of such an answer */
	open_socket(world, 3, NT_ROLE_CLIENT, 80);
	out(world, 3, "GET /a HTTP/1.0\r\n\r\n");
	in(world, 3, "HTTP/1.0 200 OK\r\n\r\nabc");
	break_socket(world, 3, NT_IN, EAGAIN);
	assert_int_equal(world->count, 2);
	break_socket(world, 3, NT_IN, ECONNRESET);
	assert_true(!nth(world, 2)->answered && nth(world, 2)->error);
	assert_int_equal(nth(world, 2)->error_number, ECONNRESET);
	world_free(world);
}

static void test_server(void **state)
{
	struct world *world = world_new();
	const struct call *call;
	uint64_t began;

	(void)state;
	open_socket(world, 1, NT_ROLE_SERVER, 40000);
	began = world->now + STEP;
	in(world, 1, "POST /order/77 HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
	assert_int_equal(world->began, 1);
	move_hole(world, 1, NT_IN, "hi", 2, 2, NO_TURN);
	out(world, 1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	assert_int_equal(world->count, 0);
	move_hole(world, 1, NT_OUT, "ok", 2, 2, NO_TURN);
	call = nth(world, 0);
	check(call, CALL_REQUEST, "http", "POST /order/?", 40, 48);
	assert_int_equal(marks(call), 3);
	assert_int_equal(call->out_first, began - STEP / 2);
	assert_int_equal(call->out_last, began + STEP);
	assert_int_equal(call->in_first, began + 2 * STEP - STEP / 2);
	assert_int_equal(call->in_last, began + 3 * STEP);
	assert_int_equal(call->backend.port, 40000);
	/* the client leaves while it waits */
	in(world, 1, "GET / HTTP/1.1\r\n\r\n");
	end_of_stream(world, 1);
	assert_int_equal(world->count, 1);
	close_socket(world, 1, 0, false);
	assert_int_equal(marks(nth(world, 1)), 1);
	assert_true(nth(world, 1)->error && !nth(world, 1)->answered);
	/* in no known protocol it is received when the target answers */
	open_socket(world, 2, NT_ROLE_SERVER, 40001);
	in(world, 2, "\x05hello");
	out(world, 2, "\x02ok");
	close_socket(world, 2, 0, false);
	check(nth(world, 2), CALL_REQUEST, "tcp", "", 3, 6);
	assert_int_equal(marks(nth(world, 2)), 3);
	assert_true(nth(world, 2)->answered && !nth(world, 2)->error);
	/* an answer to what was asked before we came */
	open_socket(world, 3, NT_ROLE_SERVER, 40002);
	out(world, 3, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	in(world, 3, "GET / HTTP/1.1\r\n\r\n");
	check(nth(world, 3), CALL_REQUEST, "tcp", "", 38, 0);
	assert_int_equal(nth(world, 3)->out_first, 0);
	world_free(world);
}

static void test_connects(void **state)
{
	struct world *world = world_new();
	const struct call *call;
	uint64_t began;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	began = world->now + STEP;
	connect_socket(world, 1, false, 0);
	connect_socket(world, 1, true, ECONNREFUSED);
	call = nth(world, 0);
	check(call, CALL_CONNECT, "tcp", "connect", 0, 0);
	assert_true(call->error && !call->answered);
	assert_int_equal(call->error_number, ECONNREFUSED);
	assert_int_equal(call->out_first, began);
	assert_int_equal(call->in_last, began + STEP);
	assert_int_equal(call->owner.stack, began);
	/* one that is made waits for the name of its protocol */
	open_socket(world, 2, NT_ROLE_CLIENT, 6379);
	connect_socket(world, 2, false, 0);
	connect_socket(world, 2, true, EINPROGRESS);
	connect_socket(world, 2, true, 0);
	assert_int_equal(world->count, 1);
	out(world, 2, "*1\r\n$4\r\nPING\r\n");
	check(nth(world, 1), CALL_CONNECT, "redis", "connect", 0, 0);
	assert_true(nth(world, 1)->answered && !nth(world, 1)->error);
	in(world, 2, "+PONG\r\n");
	/* now the backend is known */
	open_socket(world, 3, NT_ROLE_CLIENT, 6379);
	connect_socket(world, 3, false, 0);
	connect_socket(world, 3, true, ECONNREFUSED);
	check(nth(world, 3), CALL_CONNECT, "redis", "connect", 0, 0);
	/* without bytes it ends with the connection; given up, it has failed */
	open_socket(world, 4, NT_ROLE_CLIENT, 9999);
	connect_socket(world, 4, false, 0);
	connect_socket(world, 4, true, 0);
	close_socket(world, 4, 0, false);
	check(nth(world, 4), CALL_CONNECT, "tcp", "connect", 0, 0);
	assert_false(nth(world, 4)->error);
	open_socket(world, 5, NT_ROLE_CLIENT, 9999);
	connect_socket(world, 5, false, 0);
	close_socket(world, 5, 0, false);
	assert_true(nth(world, 5)->error && !nth(world, 5)->answered);
	/* in an unknown protocol it ends before the first call */
	open_socket(world, 6, NT_ROLE_CLIENT, 9999);
	connect_socket(world, 6, false, 0);
	connect_socket(world, 6, true, 0);
	out(world, 6, "\x01");
	in(world, 6, "\x02");
	out(world, 6, "\x01");
	check(nth(world, 6), CALL_CONNECT, "tcp", "connect", 0, 0);
	check(nth(world, 7), CALL_EXCHANGE, "tcp", "", 1, 1);
	/* its beginning was missed */
	open_socket(world, 7, NT_ROLE_CLIENT, 9999);
	connect_socket(world, 7, true, 0);
	connect_socket(world, 7, true, ETIMEDOUT);
	check(nth(world, 8), CALL_CONNECT, "tcp", "connect", 0, 0);
	assert_int_equal(nth(world, 8)->owner.walk, NT_WALK_NONE);
	assert_int_equal(nth(world, 8)->error_number, ETIMEDOUT);
	/* the capture ends while it goes on */
	open_socket(world, 8, NT_ROLE_CLIENT, 9999);
	connect_socket(world, 8, false, 0);
	call_stage_flush(world->stage, world->now, true);
	assert_false(nth(world, world->count - 1)->error || nth(world, world->count - 1)->answered);
	world_free(world);
}

static void test_closes(void **state)
{
	struct world *world = world_new();
	uint64_t asked;

	(void)state;
	/* a known protocol: an answer was due */
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	out(world, 1, "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
	close_socket(world, 1, 0, false);
	assert_int_equal(world->count, 2);
	for (size_t i = 0; i < 2; i++) {
		check(nth(world, i), CALL_EXCHANGE, "redis", "PING", 14, 0);
		assert_true(nth(world, i)->error && !nth(world, i)->answered);
		assert_int_equal(nth(world, i)->in_last, world->now);
	}
	/* an unknown one: only a failure is one */
	open_socket(world, 2, NT_ROLE_CLIENT, 1);
	out(world, 2, "x");
	close_socket(world, 2, 0, false);
	assert_false(nth(world, 2)->error || nth(world, 2)->answered);
	assert_int_equal(nth(world, 2)->in_last, 0);
	open_socket(world, 3, NT_ROLE_CLIENT, 1);
	out(world, 3, "x");
	close_socket(world, 3, ETIMEDOUT, false);
	assert_true(nth(world, 3)->error);
	assert_int_equal(nth(world, 3)->error_number, ETIMEDOUT);
	/* what the peer sent before its end can still be read */
	open_socket(world, 4, NT_ROLE_CLIENT, 6379);
	out(world, 4, "*1\r\n$4\r\nPING\r\n");
	close_socket(world, 4, ECONNRESET, true);
	in(world, 4, "+PONG\r\n");
	assert_true(nth(world, 4)->answered && !nth(world, 4)->error);
	asked = world->now + STEP;
	out(world, 4, "*1\r\n$4\r\nPING\r\n");
	call_stage_flush(world->stage, asked + STEP, false);
	assert_int_equal(world->count, 5);
	call_stage_flush(world->stage, asked + 2000000000, false);
	assert_true(nth(world, 5)->error && !nth(world, 5)->answered);
	assert_int_equal(nth(world, 5)->error_number, ECONNRESET);
	close_socket(world, 4, 0, false);
	/* the connection is gone with its close; the socket can be there still */
	end_of_stream(world, 4);
	assert_int_equal(stats(world)->orphan_records, 0);
	close_socket(world, 4, 0, false);
	assert_int_equal(stats(world)->orphan_records, 1);
	assert_int_equal(stats(world)->lost_bytes, 0);
	/* bytes that the kernel has and we do not */
	open_socket(world, 5, NT_ROLE_CLIENT, 1);
	out(world, 5, "xyz");
	world->fed[5][NT_OUT] += 7;
	world->fed[5][NT_IN] += 5;
	close_socket(world, 5, 0, false);
	world->fed[5][NT_OUT] -= 7;
	world->fed[5][NT_IN] -= 5;
	assert_int_equal(stats(world)->lost_bytes, 12);
	world_free(world);
}

static void test_messages(void **state)
{
	struct world *world = world_new();

	(void)state;
	/* attached in the middle: an answer whose request was not seen, in two pieces */
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	in(world, 1, "$3\r\nab");
	move_hole(world, 1, NT_IN, "c\r\n", 3, 3, NO_TURN);
	out(world, 1, "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n");
	check(nth(world, 0), CALL_MESSAGE, "tcp", "", 0, 9);
	in(world, 1, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
	check(nth(world, 1), CALL_EXCHANGE, "redis", "SUBSCRIBE", 26, 30);
	check(nth(world, 2), CALL_MESSAGE, "redis", "", 0, 32);
	assert_int_equal(nth(world, 2)->in_last, world->now);
	assert_int_equal(nth(world, 2)->owner.stack, 0);
	/* a message before an answer, and one cut by the capture's end */
	out(world, 1, "*1\r\n$4\r\nPING\r\n");
	in(world, 1, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$7\r\nmes");
	check(nth(world, 3), CALL_MESSAGE, "redis", "", 0, 32);
	check(nth(world, 4), CALL_EXCHANGE, "redis", "PING", 14, 20);
	call_stage_flush(world->stage, world->now, true);
	check(nth(world, 5), CALL_MESSAGE, "redis", "", 0, 11);
	/* the backend is known now, also where nothing was asked */
	open_socket(world, 2, NT_ROLE_CLIENT, 6379);
	in(world, 2, "+late\r\n");
	close_socket(world, 2, 0, false);
	check(nth(world, 6), CALL_MESSAGE, "redis", "", 0, 7);
	world_free(world);
}

/* Attached within a request: this exchange is nobody's, the next one is redis. */
static void test_middle(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	out(world, 1, "e\r\n*1\r\n$4\r\nPING\r\n");
	in(world, 1, "+PONG\r\n");
	out(world, 1, "*1\r\n$4\r\nPING\r\n");
	check(nth(world, 0), CALL_EXCHANGE, "tcp", "", 17, 7);
	in(world, 1, "+PONG\r\n");
	check(nth(world, 1), CALL_EXCHANGE, "redis", "PING", 14, 7);
	world_free(world);
}

static void test_holes(void **state)
{
	static const char head[] = "HTTP/1.1 502 Bad\r\nSet-Cookie: a";
	struct world *world = world_new();
	uint64_t last;

	(void)state;
	/* the answer's headers are cut: its end is where the next request begins */
	open_socket(world, 1, NT_ROLE_CLIENT, 80);
	out(world, 1, "GET /a HTTP/1.1\r\n\r\n");
	move_hole(world, 1, NT_IN, head, strlen(head), 5000, 0);
	move_hole(world, 1, NT_IN, "", 0, 3000, NO_TURN);
	last = world->now;
	assert_int_equal(world->count, 0);
	out(world, 1, "GET /b HTTP/1.1\r\n\r\n");
	check(nth(world, 0), CALL_EXCHANGE, "http", "GET /a", 19, 8000);
	assert_true(nth(world, 0)->error && nth(world, 0)->answered);
	assert_int_equal(nth(world, 0)->in_last, last);
	assert_int_equal(stats(world)->unparsed, 8000);
	in(world, 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	check(nth(world, 1), CALL_EXCHANGE, "http", "GET /b", 19, 38);
	/* the request's headers are cut: the operation was there */
	move_hole(world, 1, NT_OUT, "POST /c HTTP/1.1\r\nCookie:", 25, 4000, 0);
	move_hole(world, 1, NT_OUT, "", 0, 1000, NO_TURN);
	last = world->now;
	in(world, 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	check(nth(world, 2), CALL_EXCHANGE, "http", "POST /c", 5000, 38);
	assert_int_equal(nth(world, 2)->out_last, last);
	/* a pipeline whose answers are lost */
	open_socket(world, 2, NT_ROLE_CLIENT, 6379);
	out(world, 2, "*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n*1\r\n$4\r\nPING\r\n");
	move_hole(world, 2, NT_IN, "*100\r\n$1\r\na", 11, 5000, 0);
	out(world, 2, "*1\r\n$4\r\nPING\r\n");
	check(nth(world, 3), CALL_EXCHANGE, "redis", "KEYS", 21, 5000);
	check(nth(world, 4), CALL_EXCHANGE, "redis", "PING", 14, 0);
	assert_true(nth(world, 3)->answered && nth(world, 4)->answered && !nth(world, 4)->error);
	assert_true(nth(world, 4)->in_last > 0);
	/* again, with a close instead of a request; and an interval's end */
	move_hole(world, 2, NT_IN, "*100\r\n$1\r\na", 11, 5000, 0);
	call_stage_flush(world->stage, world->now + STEP, false);
	assert_int_equal(world->count, 5);
	call_stage_flush(world->stage, world->now + 2000000000, false);
	assert_true(nth(world, 5)->answered);
	out(world, 2, "*1\r\n$4\r\nPING\r\n");
	move_hole(world, 2, NT_IN, "*100\r\n$1\r\na", 11, 5000, 0);
	close_socket(world, 2, 0, false);
	assert_true(nth(world, 6)->answered && !nth(world, 6)->error);
	/* many in a row do not make us doubt that it is redis */
	open_socket(world, 3, NT_ROLE_CLIENT, 6379);
	for (unsigned i = 0; i < 20; i++) {
		out(world, 3, "*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n");
		move_hole(world, 3, NT_IN, "*100\r\n$1\r\na", 11, 5000, 0);
	}
	close_socket(world, 3, 0, false);
	for (unsigned i = 0; i < 20; i++)
		check(nth(world, 7 + i), CALL_EXCHANGE, "redis", "KEYS", 21, 5000);
	world_free(world);
}

/* It looked like redis and is not: after a while it is not called so any more. */
static void test_doubt(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	for (unsigned i = 0; i < 20; i++) {
		out(world, 1, i ? "*x\r\n" : "PING\r\n");
		in(world, 1, "ever");
	}
	close_socket(world, 1, 0, false);
	assert_int_equal(world->count, 20);
	check(nth(world, 0), CALL_EXCHANGE, "redis", "PING", 6, 4);
	check(nth(world, 19), CALL_EXCHANGE, "tcp", "", 4, 4);
	world_free(world);
}

/* What is spoken turns out to be something else while a request is under way; the next one comes in pieces. */
static void test_other_protocol(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 80);
	move_hole(world, 1, NT_OUT, "GET /a HTTP", 11, 69, 0);
	out(world, 1, "\x16\x03\x01 hello");
	in(world, 1, "POST / HTTP/1.1\r\n\r\n");
	out(world, 1, "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\nab");
	in(world, 1, "*2\r\n");
	call_stage_flush(world->stage, world->now + 2000000000, false);
	move_hole(world, 1, NT_IN, "g", 1, 1, NO_TURN);
	out(world, 1, "g");
	move_hole(world, 1, NT_OUT, "et a b\r\n", 8, 8, NO_TURN);
	in(world, 1, "END\r\n");
	call_stage_flush(world->stage, world->now, true);
	check(nth(world, world->count - 1), CALL_EXCHANGE, "memcache", "get", 9, 5);
	world_free(world); /* adds up the bytes */
}

static void test_unknown_role(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_UNKNOWN, 80);
	in(world, 1, "GET /a HTTP/1.1\r\n\r\n");
	out(world, 1, "HTTP/1.1 204 No\r\n\r\n");
	check(nth(world, 0), CALL_REQUEST, "http", "GET /a", 19, 19);
	open_socket(world, 2, NT_ROLE_UNKNOWN, 80);
	out(world, 2, "GET /a HTTP/1.1\r\n\r\n");
	in(world, 2, "HTTP/1.1 204 No\r\n\r\n");
	check(nth(world, 1), CALL_EXCHANGE, "http", "GET /a", 19, 19);
	/* the end of an answer first: a client until a request comes in */
	open_socket(world, 3, NT_ROLE_UNKNOWN, 80);
	out(world, 3, "the end");
	in(world, 3, "GET /a HTTP/1.1\r\n\r\n");
	check(nth(world, 2), CALL_EXCHANGE, "tcp", "", 7, 0);
	out(world, 3, "HTTP/1.1 204 No\r\n\r\n");
	check(nth(world, 3), CALL_REQUEST, "http", "GET /a", 19, 19);
	world_free(world);
}

static void test_no_answers(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 11211);
	out(world, 1, "set k 0 0 2 noreply\r\nhi\r\nget k\r\n");
	check(nth(world, 0), CALL_EXCHANGE, "memcache", "set", 25, 0);
	assert_false(nth(world, 0)->answered || nth(world, 0)->error);
	in(world, 1, "END\r\n");
	check(nth(world, 1), CALL_EXCHANGE, "memcache", "get", 7, 5);
	/* an answer to what has none is not taken for the next one's */
	out(world, 1, "mg a q\r\nmn\r\n");
	in(world, 1, "HD\r\nMN\r\n");
	check(nth(world, 3), CALL_EXCHANGE, "memcache", "mn", 4, 8);
	in(world, 1, "SERVER_ERROR out of memory\r\n");
	check(nth(world, 4), CALL_MESSAGE, "memcache", "", 0, 28);
	world_free(world);
}

static void test_intervals(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 1);
	out(world, 1, "x");
	call_stage_flush(world->stage, world->now + 5000000000, false);
	assert_int_equal(world->count, 0);
	in(world, 1, "y");
	call_stage_flush(world->stage, world->now + STEP, false);
	assert_int_equal(world->count, 0);
	call_stage_flush(world->stage, world->now + 2000000000, false);
	check(nth(world, 0), CALL_EXCHANGE, "tcp", "", 1, 1);
	/* there was more of it after all */
	move_hole(world, 1, NT_IN, "z", 1, 1, NO_TURN);
	call_stage_flush(world->stage, world->now + 2000000000, false);
	check(nth(world, 1), CALL_MESSAGE, "tcp", "", 0, 1);
	/* an answer that a reader is in is not whole, however long it takes */
	open_socket(world, 2, NT_ROLE_CLIENT, 80);
	out(world, 2, "GET / HTTP/1.1\r\n\r\n");
	in(world, 2, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	call_stage_flush(world->stage, world->now + 60000000000, false);
	assert_int_equal(world->count, 2);
	call_stage_flush(world->stage, world->now, true);
	check(nth(world, 2), CALL_EXCHANGE, "http", "GET /", 18, 38);
	assert_false(nth(world, 2)->answered || nth(world, 2)->error);
	world_free(world);
}

/* Somebody, a task of thread 8, wants bytes (0: not known how many) to be sent. */
static void want(struct world *world, uint64_t connection, uint64_t task, uint64_t bytes)
{
	static const uint32_t states[] = {100, 101};
	const struct nt_place places[] = {{task, 1}};
	struct nt_segment *segment = &world->record.segment;

	record_begin(&world->record, NT_SEGMENT, sizeof(*segment), tick(world), 7);
	segment->h.tid = 8;
	segment->connection = connection;
	segment->first = world->now;
	segment->bytes = bytes;
	segment->direction = NT_OUT;
	segment->flags = NT_SEGMENT_INTENT;
	segment->owner =
	    (struct nt_owner){.stack = task, .coroutine = task, .walk = NT_WALK_OK, .states = 2, .places = 1};
	record_append(&world->record, states, sizeof(states));
	record_append(&world->record, places, sizeof(places));
	feed(world);
}

static void check_owner(const struct call *call, uint64_t task)
{
	assert_int_equal(call->owner.walk, NT_WALK_OK);
	assert_int_equal(call->owner.stack, task);
	assert_int_equal(call->owner.coroutine, task);
	assert_int_equal(call->owner.tid, 8);
}

#define GET "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
#define VALUE "$1\r\nv\r\n"
#define GET_SIZE (sizeof(GET) - 1)
#define VALUE_SIZE (sizeof(VALUE) - 1)

static void test_wanted(void **state)
{
	struct world *world = world_new();
	uint64_t wanted;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	want(world, 1, 50, GET_SIZE);
	wanted = world->now;
	want(world, 1, 60, GET_SIZE);
	out(world, 1, GET GET); /* both at once */
	in(world, 1, VALUE VALUE);
	check(nth(world, 0), CALL_EXCHANGE, "redis", "GET", GET_SIZE, VALUE_SIZE);
	check_owner(nth(world, 0), 50);
	assert_int_equal(nth(world, 0)->owner.time, wanted);
	assert_true(nth(world, 0)->out_first > wanted);
	assert_int_equal(nth(world, 0)->out_times.tid, 7); /* who sent them */
	check(nth(world, 1), CALL_EXCHANGE, "redis", "GET", GET_SIZE, VALUE_SIZE);
	check_owner(nth(world, 1), 60);
	assert_true(nth(world, 0)->round_trip && !nth(world, 1)->round_trip);

	want(world, 1, 50, 2 * GET_SIZE); /* two requests of one */
	want(world, 1, 60, GET_SIZE);
	out(world, 1, GET GET GET GET); /* and one that nobody said he wanted */
	in(world, 1, VALUE VALUE VALUE VALUE);
	check_owner(nth(world, 2), 50);
	check_owner(nth(world, 3), 50);
	check_owner(nth(world, 4), 60);
	assert_int_equal(nth(world, 5)->owner.tid, 7);

	out(world, 1, GET); /* those were all */
	in(world, 1, VALUE);
	assert_int_equal(nth(world, 6)->owner.tid, 7);
	assert_int_equal(stats(world)->intents_refused, 0);
	world_free(world);
}

/* A full socket takes bytes as it comes. */
static void test_wanted_in_parts(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	want(world, 1, 50, GET_SIZE);
	want(world, 1, 60, GET_SIZE);
	move_hole(world, 1, NT_OUT, GET, 5, 5, 0);
	move_hole(world, 1, NT_OUT, &GET[5], GET_SIZE - 6, GET_SIZE - 6, NO_TURN);
	move_hole(world, 1, NT_OUT, "\n" GET, 4, 4, NO_TURN); /* the first one's end, the second one's beginning */
	move_hole(world, 1, NT_OUT, &GET[3], GET_SIZE - 3, GET_SIZE - 3, NO_TURN);
	in(world, 1, VALUE VALUE);
	check(nth(world, 0), CALL_EXCHANGE, "redis", "GET", GET_SIZE, VALUE_SIZE);
	check_owner(nth(world, 0), 50);
	check(nth(world, 1), CALL_EXCHANGE, "redis", "GET", GET_SIZE, VALUE_SIZE);
	check_owner(nth(world, 1), 60);

	/* Payload that was not kept. */
	want(world, 1, 50, GET_SIZE + 100);
	want(world, 1, 60, GET_SIZE);
	move_hole(world, 1, NT_OUT, GET, GET_SIZE, 2 * GET_SIZE + 100, 0);
	in(world, 1, VALUE);
	check_owner(nth(world, 2), 50);
	call_stage_flush(world->stage, world->now, true);
	world_free(world);
}

static void test_wanted_without_a_size(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	want(world, 1, 50, 0);
	out(world, 1, GET);
	move_hole(world, 1, NT_OUT, GET, GET_SIZE, GET_SIZE, NO_TURN);
	in(world, 1, VALUE);
	out(world, 1, GET); /* its turn is over */
	in(world, 1, VALUE VALUE);
	check_owner(nth(world, 0), 50);
	check_owner(nth(world, 1), 50);
	assert_int_equal(nth(world, 2)->owner.tid, 7);

	want(world, 1, 50, 0); /* one task in several steps: the size of the last one is that of all or of its end */
	want(world, 1, 50, 0);
	out(world, 1, GET);
	in(world, 1, VALUE);
	check_owner(nth(world, 3), 50);

	want(world, 1, 50, 0); /* whose is which is not known */
	want(world, 1, 60, GET_SIZE);
	out(world, 1, GET GET);
	in(world, 1, VALUE VALUE);
	assert_int_equal(nth(world, 4)->owner.walk, NT_WALK_FAILED);
	assert_int_equal(nth(world, 5)->owner.walk, NT_WALK_FAILED);
	world_free(world);
}

/* Where no protocol tells requests apart, they are one call by turn: whose is the first. */
static void test_wanted_by_turn(void **state)
{
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 99);
	want(world, 1, 50, 2);
	want(world, 1, 60, 1);
	out(world, 1, "\x01\x02\x03");
	in(world, 1, "x");
	call_stage_flush(world->stage, world->now, true);
	assert_int_equal(world->count, 1);
	check(nth(world, 0), CALL_EXCHANGE, "tcp", "", 3, 1);
	check_owner(nth(world, 0), 50);
	world_free(world);
}

/* Who answers is told when he wants to, not when others do it for him. */
static void test_wanted_answers(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct world *world = world_new();

	(void)state;
	open_socket(world, 1, NT_ROLE_SERVER, 5000);
	in(world, 1, request);
	want(world, 1, 50, sizeof(answer) - 1 - 2);
	assert_int_equal(world->answerer.stack, 50);
	assert_int_equal(world->answerer.tid, 8);
	assert_int_equal(world->answerer.time, world->now);
	want(world, 1, 60, 2); /* he goes on with it */
	assert_int_equal(world->answerer.stack, 50);
	out(world, 1, answer);
	assert_int_equal(world->answerer.stack, 50);
	check(nth(world, 0), CALL_REQUEST, "http", "GET /", sizeof(answer) - 1, sizeof(request) - 1);
	assert_int_equal(marks(nth(world, 0)), 3);

	in(world, 1, request); /* the next one is sent at once */
	out(world, 1, answer);
	assert_int_equal(world->answerer.tid, 7);
	check(nth(world, 1), CALL_REQUEST, "http", "GET /", sizeof(answer) - 1, sizeof(request) - 1);
	world_free(world);
}

static void test_too_much_wanted(void **state)
{
	struct world *world = world_new();

	(void)state;
	want(world, 1, 50, 10); /* of a connection that is not known */
	assert_int_equal(stats(world)->orphan_records, 1);
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	open_socket(world, 2, NT_ROLE_CLIENT, 6379);
	for (unsigned i = 0; i < CALL_MAX_INTENTS + 3; i++)
		want(world, 1, 50, GET_SIZE);
	assert_int_equal(stats(world)->intents_refused, 3);
	want(world, 2, 60, GET_SIZE); /* no place: the bytes are whose they seem to be */
	out(world, 2, GET);
	in(world, 2, VALUE);
	assert_int_equal(nth(world, 0)->owner.tid, 7);
	close_socket(world, 1, 0, false); /* with all that was wanted on it */
	want(world, 2, 60, GET_SIZE);
	out(world, 2, GET);
	in(world, 2, VALUE);
	check_owner(nth(world, 1), 60);
	assert_int_equal(stats(world)->intents_refused, 4);
	want(world, 2, 60, GET_SIZE); /* pending when the stage goes */
	world_free(world);
}

static void test_too_many(void **state)
{
	struct world *world = world_new();
	unsigned total = CALL_MAX_PENDING + 10;

	(void)state;
	open_socket(world, 1, NT_ROLE_CLIENT, 6379);
	for (unsigned i = 0; i < total; i++)
		out(world, 1, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(stats(world)->lost_calls, 10);
	for (unsigned i = 0; i < CALL_MAX_PENDING; i++)
		in(world, 1, "+PONG\r\n");
	assert_int_equal(world->count, CALL_MAX_PENDING);
	/* the answers of those that had no place are not given to the next one */
	out(world, 1, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
	assert_int_equal(stats(world)->lost_calls, 11);
	for (unsigned i = 0; i < 11; i++)
		in(world, 1, "+PONG\r\n");
	out(world, 1, "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
	in(world, 1, "+b\r\n");
	check(nth(world, world->count - 1), CALL_EXCHANGE, "redis", "GET", 20, 4);
	world_free(world);
}

static void test_too_many_connections(void **state)
{
	struct world *world = world_new();

	(void)state;
	for (unsigned i = 0; i < CALL_MAX_CONNECTIONS + 3; i++)
		open_socket(world, 1000 + i, NT_ROLE_CLIENT, 6379);
	assert_int_equal(stats(world)->connections_refused, 3);
	out(world, 1000 + CALL_MAX_CONNECTIONS, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(stats(world)->orphan_records, 1);
	out(world, 1000, "*1\r\n$4\r\nPING\r\n");
	assert_int_equal(world->began, 1);
	world_free(world);
}

/* Anything in any order: no crash, no byte and no call gone. */
static void test_anything(void **state)
{
	static const char *const texts[] = {
	    "*1\r\n$4\r\nPING\r\n",
	    "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n",
	    "+PONG\r\n",
	    "*2\r\n+a\r\n$3\r\nabc\r\n",
	    "get a b\r\n",
	    "set k 0 0 2\r\nhi\r\n",
	    "END\r\n",
	    "VALUE k 0 2\r\nhi\r\nEND\r\n",
	    "mg a q\r\nmn\r\n",
	    "GET /a HTTP/1.1\r\n\r\n",
	    "POST /a HTTP/1.1\r\nContent-Length: 20\r\n\r\nab",
	    "*",
	    "\r\n",
	    "g",
	    "HTTP/1.1 100 C\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
	    "HTTP/1.1 101 Up\r\n\r\n",
	    "\x16\x03\x01 hello",
	    "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n",
	};
	static const int errors[] = {0, 0, ECONNRESET, EPIPE, EAGAIN};

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		struct world *world = world_new();

		for (unsigned step = 0; step < 150; step++) {
			uint64_t connection = 1 + (unsigned)rand() % 4;
			enum nt_direction direction = rand() % 2 ? NT_OUT : NT_IN;
			const char *text = texts[(size_t)rand() % (sizeof(texts) / sizeof(texts[0]))];
			size_t size = strlen(text), captured = size;

			switch (rand() % 40) {
			case 0:
				close_socket(world, connection, errors[rand() % 5], rand() % 2);
				break;
			case 1:
				connect_socket(world, connection, rand() % 2, errors[rand() % 5]);
				break;
			case 2:
				break_socket(world, connection, direction, errors[rand() % 5]);
				break;
			case 3:
				end_of_stream(world, connection);
				break;
			case 4:
				call_stage_flush(world->stage, world->now + (rand() % 2 ? 2000000000 : 0),
						 rand() % 8 == 0);
				break;
			case 5:
			case 6:
				want(world, connection, 50 + (unsigned)rand() % 2, (unsigned)rand() % 3 * size / 2);
				break;
			case 7:
			case 8:
				open_socket(world, connection, (enum nt_role)(rand() % 3), 80);
				break;
			default: {
				uint64_t orphans = stats(world)->orphan_records;

				if (rand() % 6 == 0)
					captured = (size_t)rand() % (size + 1);
				move_hole(world, connection, direction, text, captured,
					  size + (captured < size ? 50 : 0), rand() % 2 ? NO_TURN : 0);
				if (stats(world)->orphan_records > orphans)
					world->fed[connection][direction] -= world->record.segment.bytes;
			}
			}
		}
		world_free(world);
	}
}

static int seed(void **state)
{
	const char *given = getenv("NT_SEED");
	unsigned number = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)clock() << 8;

	(void)state;
	printf("seed %u (NT_SEED sets it)\n", number);
	srand(number);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unknown_protocol),
	    cmocka_unit_test(test_sends),
	    cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_tls_round_trips),
	    cmocka_unit_test(test_tls_server),
	    cmocka_unit_test(test_overtaken),
	    cmocka_unit_test(test_pipeline),
	    cmocka_unit_test(test_thousand),
	    cmocka_unit_test(test_mixed),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_http_continue),
	    cmocka_unit_test(test_close_delimited),
	    cmocka_unit_test(test_server),
	    cmocka_unit_test(test_connects),
	    cmocka_unit_test(test_closes),
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_middle),
	    cmocka_unit_test(test_holes),
	    cmocka_unit_test(test_doubt),
	    cmocka_unit_test(test_other_protocol),
	    cmocka_unit_test(test_unknown_role),
	    cmocka_unit_test(test_no_answers),
	    cmocka_unit_test(test_intervals),
	    cmocka_unit_test(test_wanted),
	    cmocka_unit_test(test_wanted_in_parts),
	    cmocka_unit_test(test_wanted_without_a_size),
	    cmocka_unit_test(test_wanted_by_turn),
	    cmocka_unit_test(test_wanted_answers),
	    cmocka_unit_test(test_too_much_wanted),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_too_many_connections),
	    cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
