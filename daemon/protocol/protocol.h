/*
 * protocol.h: what a protocol's reader is, and the table of them.
 *
 * A reader sees the two byte streams of one connection in order and says where requests and answers
 * begin and end. It never allocates per message, never trusts a length, and keeps at most a few
 * hundred bytes. Adding a protocol is one file with one `const struct protocol` and one line in
 * table.c (docs/add-a-protocol.md).
 */
#ifndef NT_PROTOCOL_H
#define NT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum protocol_side {
	PROTOCOL_REQUEST, /* bytes from the client to the server */
	PROTOCOL_ANSWER,  /* bytes from the server to the client */
};

/* Some bytes of one side. Only the first `captured` of `bytes` are there to read: the rest is a hole. */
struct protocol_chunk {
	const uint8_t *data;
	uint32_t captured;
	uint64_t bytes;
};

#define PROTOCOL_OPERATION_SIZE 128 /* an operation's name with its NUL; longer ones are cut */

/* What a request does to what it names. */
enum protocol_access {
	PROTOCOL_OTHER = 0, /* not known: it may change anything at this backend */
	PROTOCOL_READ,	    /* nothing: asked again, it has the same answer until something is written */
	PROTOCOL_WRITE,	    /* it changes what its keys name, nothing else */
	PROTOCOL_CONTROL,   /* it is about the connection: a greeting, a login, a ping */
};

/* What bytes of a message are to those who compare messages (call/content.h). */
enum protocol_part {
	PROTOCOL_NAME, /* method, command, names of fields: the same request has the same ones */
	PROTOCOL_DATA, /* likewise, and values may be passed on in it from one call to another */
	PROTOCOL_KEY,  /* likewise, and it names what is read or written: all keys' pieces up to `item` are one key */
	PROTOCOL_PASSING, /* values may be passed on in it, but it may differ though the message is the same */
};

/* What a reader says of a request when its last byte was read. */
struct protocol_request {
	const char *operation; /* without the request's data: `GET`, `POST /v1/charge`; UTF-8, NUL-terminated */
	uint32_t keys;	       /* keys that it names; 1 where the protocol has no such thing */
	uint32_t tag;	       /* the reader's own word about it, handed back with the answer */
	bool no_answer;	       /* none will come (memcache `noreply`) */
	enum protocol_access access;
	/* The operation with the shape of its data, `GET user:?`, likewise without the data itself; NULL: as
	 * `operation`
	 */
	const char *template;
	const char *batch; /* static: what asks for many at once where this asks for one, `MGET`; NULL: nothing does */
	bool opaque;	   /* as in struct protocol_answer */
};

/* What a reader says of an answer when its last byte was read. */
struct protocol_answer {
	bool error;	   /* it says that the request failed (-ERR, SERVER_ERROR, HTTP 5xx) */
	bool client_error; /* it says that the request was wrong (HTTP 4xx) */
	bool interim;	   /* not the answer yet (HTTP 1xx): the request goes on waiting */
	bool message;	   /* nobody asked (RESP push): no request is answered */
	bool missing; /* some of what was asked for is not there: what is done next may be because of that (nil, END) */
	bool opaque;  /* its values cannot be looked for: it is compressed, or in a form that nobody reads */
};

/*
 * Where a reader reports to. `at` is the number of bytes of the chunk that belong to what begins or
 * ends here or before: between 0 and chunk.bytes, and never falling within one feed.
 */
struct protocol_events {
	void *context;
	void (*request_began)(void *context, uint64_t at);
	void (*request_ended)(void *context, uint64_t at, const struct protocol_request *request);
	void (*answer_began)(void *context, uint64_t at);
	void (*answer_ended)(void *context, uint64_t at, const struct protocol_answer *answer);
	/* The tag of the oldest request without an answer; 0 when there is none. */
	uint32_t (*oldest_tag)(void *context);
	/*
	 * For comparing messages; may be NULL, so call them by protocol_tell() and its kin below. What differs though
	 * the message is the same (dates, trace headers) is not told, or as PROTOCOL_PASSING.
	 *
	 * `content`: bytes of the message that this side is in, in order, in pieces of any size: how they are cut says
	 * nothing, so what parts two fields has to be told as well. `data` NULL: `size` bytes are not there to read.
	 */
	void (*content)(void *context, enum protocol_side side, enum protocol_part part, const void *data, size_t size);
	/*
	 * One of the keys that a request names, or one of the values that answer them, ends here. A value is all
	 * PROTOCOL_DATA since the last one; if nothing was told (not even 0 bytes), there is none for this key. It
	 * answers the key that was told with it, or without one the first that has no answer yet.
	 */
	void (*item)(void *context, enum protocol_side side);
	/* What the key's bytes name so far contains what they name as they go on: `/orders` in `/orders/17`. */
	void (*level)(void *context, enum protocol_side side);
};

struct protocol {
	const char *name; /* the word of INTERFACE.md */
	/* Requests of one connection have nothing to do with each other: who has one takes any that is free. */
	bool pooled;
	/* Could a client's first bytes look like this? `size` bytes of a message that has `bytes`. */
	bool (*detect)(const uint8_t *data, size_t size, uint64_t bytes);
	/*
	 * Of a protocol that cannot be read, whose requests and answers are therefore told apart by turn: what a
	 * request is that begins with these bytes. Such a one has nothing of what follows. NULL: it can be read.
	 */
	struct protocol_request (*describe)(const uint8_t *data, size_t size);
	size_t state_size; /* of one connection's state: zeroed memory is a state in which nothing was read */
	/*
	 * Reads a chunk. Returns 0, or -EILSEQ when the bytes make no sense or a hole swallowed what was
	 * needed: the caller then counts what was left as unparsed and calls `finish` (for a request at once, for an
	 * answer at the next turn) and at the next turn `resync`.
	 */
	int (*feed)(void *state, enum protocol_side side, const struct protocol_chunk *chunk,
		    const struct protocol_events *events);
	/* Forgets what is half read on this side: the next byte begins a request or an answer. */
	void (*resync)(void *state, enum protocol_side side);
	/*
	 * This side sends no more, or cannot be followed any further: ends what only the end of the stream ends, a
	 * request that is known by name, and an answer that feed() lost. An answer that was merely cut short does not
	 * end. Events have `at` 0. May be NULL.
	 */
	void (*finish)(void *state, enum protocol_side side, const struct protocol_events *events);
};

static inline void protocol_tell(const struct protocol_events *events, enum protocol_side side, enum protocol_part part,
				 const void *data, size_t size)
{
	if (events->content)
		events->content(events->context, side, part, data, size);
}

static inline void protocol_tell_item(const struct protocol_events *events, enum protocol_side side)
{
	if (events->item)
		events->item(events->context, side);
}

static inline void protocol_tell_level(const struct protocol_events *events, enum protocol_side side)
{
	if (events->level)
		events->level(events->context, side);
}

/* The readers, ended by NULL. */
extern const struct protocol *const protocol_table[];

/* The first reader whose detect() says yes; NULL if none does. */
const struct protocol *protocol_detect(const uint8_t *data, size_t size, uint64_t bytes);

#endif
