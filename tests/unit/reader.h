/*
 * reader.h: what the tests of the protocol readers share: a conversation is fed in whole, in bytes or in random pieces,
 * and what the reader says of it is written down as text, positions counted from the start of each side.
 */
#ifndef NT_TEST_READER_H
#define NT_TEST_READER_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../daemon/protocol/readers.h"

#define READER_LOG 65536
#define READER_TAGS 8192

/* One turn of a conversation. `size` 0: it is a C string. */
struct turn {
	enum protocol_side side;
	const char *bytes;
	size_t size;
};

struct reader {
	const struct protocol *protocol;
	void *state;
	struct protocol_events events;
	enum protocol_side side; /* that is being fed */
	uint64_t fed[2];
	uint64_t last_at, chunk; /* checks that positions never fall and stay in the chunk */
	uint32_t tags[READER_TAGS];
	unsigned first_tag, tag_count;
	unsigned requests, answers, messages, interims, errors, client_errors, unanswered;
	char log[READER_LOG];
	size_t size;
};

static void reader_note(struct reader *reader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (reader->size < sizeof(reader->log) - 256)
		reader->size += vsnprintf(reader->log + reader->size, 256, format, arguments);
	va_end(arguments);
}

static uint64_t reader_at(struct reader *reader, uint64_t at)
{
	assert_true(at >= reader->last_at);
	assert_true(at <= reader->chunk);
	reader->last_at = at;
	return reader->fed[reader->side] + at;
}

static void reader_request_began(void *context, uint64_t at)
{
	struct reader *reader = context;

	reader_note(reader, "request %llu", (unsigned long long)reader_at(reader, at));
}

static void reader_request_ended(void *context, uint64_t at, const struct protocol_request *request)
{
	struct reader *reader = context;

	for (const char *c = request->operation; *c; c++)
		assert_true(*c >= ' ' && *c < 0x7f);
	assert_true(strlen(request->operation) < PROTOCOL_OPERATION_SIZE);
	reader_note(reader, "-%llu %s keys=%u%s\n", (unsigned long long)reader_at(reader, at), request->operation,
		    request->keys, request->no_answer ? " no_answer" : "");
	reader->requests++;
	reader->unanswered += request->no_answer;
	if (!request->no_answer && reader->tag_count < READER_TAGS)
		reader->tags[reader->tag_count++] = request->tag;
}

static void reader_answer_began(void *context, uint64_t at)
{
	struct reader *reader = context;

	reader_note(reader, "answer %llu", (unsigned long long)reader_at(reader, at));
}

static void reader_answer_ended(void *context, uint64_t at, const struct protocol_answer *answer)
{
	struct reader *reader = context;

	reader_note(reader, "-%llu%s%s%s%s\n", (unsigned long long)reader_at(reader, at), answer->error ? " error" : "",
		    answer->client_error ? " client_error" : "", answer->interim ? " interim" : "",
		    answer->message ? " message" : "");
	reader->errors += answer->error;
	reader->client_errors += answer->client_error;
	reader->messages += answer->message;
	reader->interims += answer->interim;
	if (answer->message || answer->interim)
		return;
	reader->answers++;
	if (reader->first_tag < reader->tag_count)
		reader->first_tag++;
}

static uint32_t reader_oldest_tag(void *context)
{
	struct reader *reader = context;

	return reader->first_tag < reader->tag_count ? reader->tags[reader->first_tag] : 0;
}

static struct reader *reader_new(const struct protocol *protocol)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	assert_non_null(reader);
	reader->protocol = protocol;
	reader->state = calloc(1, protocol->state_size);
	assert_non_null(reader->state);
	reader->events = (struct protocol_events){
	    .context = reader,
	    .request_began = reader_request_began,
	    .request_ended = reader_request_ended,
	    .answer_began = reader_answer_began,
	    .answer_ended = reader_answer_ended,
	    .oldest_tag = reader_oldest_tag,
	};
	return reader;
}

static void reader_free(struct reader *reader)
{
	free(reader->state);
	free(reader);
}

/* Feeds bytes of which only the first `captured` are there; they are copied so that ASan sees reads beyond them. */
static int reader_feed_hole(struct reader *reader, enum protocol_side side, const char *bytes, size_t captured,
			    uint64_t size)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	struct protocol_chunk chunk = {.data = copy, .captured = captured, .bytes = size};
	int error;

	assert_non_null(copy);
	memcpy(copy, bytes, captured);
	reader->side = side;
	reader->last_at = 0;
	reader->chunk = size;
	error = reader->protocol->feed(reader->state, side, &chunk, &reader->events);
	reader->fed[side] += size;
	free(copy);
	return error;
}

static int reader_feed(struct reader *reader, enum protocol_side side, const char *bytes)
{
	return reader_feed_hole(reader, side, bytes, strlen(bytes), strlen(bytes));
}

static void reader_finish(struct reader *reader, enum protocol_side side)
{
	reader->side = side;
	reader->last_at = reader->chunk = 0;
	if (reader->protocol->finish)
		reader->protocol->finish(reader->state, side, &reader->events);
}

/* Feeds a conversation (ended by a turn without bytes) in pieces of `piece` bytes; 0: random ones. */
static struct reader *reader_converse(const struct protocol *protocol, const struct turn *turns, size_t piece)
{
	struct reader *reader = reader_new(protocol);

	for (; turns->bytes; turns++) {
		size_t size = turns->size ? turns->size : strlen(turns->bytes);

		for (size_t at = 0, part; at < size; at += part) {
			part = piece ? piece : 1 + (size_t)rand() % 40;
			if (part > size - at)
				part = size - at;
			assert_int_equal(reader_feed_hole(reader, turns->side, turns->bytes + at, part, part), 0);
		}
	}
	return reader;
}

/* Whatever the pieces are, the reader must say `expected`. */
static void reader_check(const struct protocol *protocol, const struct turn *turns, const char *expected)
{
	static const size_t pieces[] = {1u << 30, 1, 2, 3, 7, 0, 0, 0, 0, 0};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct reader *reader = reader_converse(protocol, turns, pieces[i]);

		assert_string_equal(reader->log, expected);
		reader_free(reader);
	}
}

/* Feeds a conversation with every byte changed in turn, and with random holes: it may fail, not crash or hang. */
static void reader_abuse(const struct protocol *protocol, const struct turn *turns, unsigned rounds)
{
	while (rounds--) {
		struct reader *reader = reader_new(protocol);

		for (const struct turn *turn = turns; turn->bytes; turn++) {
			size_t size = turn->size ? turn->size : strlen(turn->bytes);
			char *copy = malloc(size);

			assert_non_null(copy);
			memcpy(copy, turn->bytes, size);
			if (rand() % 2)
				copy[(size_t)rand() % size] = (char)rand();
			for (size_t at = 0, part; at < size; at += part) {
				size_t captured;

				part = 1 + (size_t)rand() % size;
				if (part > size - at)
					part = size - at;
				captured = rand() % 4 ? part : (size_t)rand() % (part + 1);
				if (reader_feed_hole(reader, turn->side, copy + at, captured, part) < 0)
					protocol->resync(reader->state, turn->side);
			}
			free(copy);
			if (rand() % 8 == 0)
				reader_finish(reader, rand() % 2 ? PROTOCOL_REQUEST : PROTOCOL_ANSWER);
		}
		reader_free(reader);
	}
}

/* A new seed in every run, said so that a failure can be had again: NT_SEED sets it. */
static int reader_seed(void **state)
{
	const char *given = getenv("NT_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL) ^ (unsigned)clock() << 8;

	(void)state;
	printf("seed %u (NT_SEED sets it)\n", seed);
	srand(seed);
	return 0;
}

#endif
