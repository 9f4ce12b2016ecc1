/*
 * call.h: from records about sockets to calls and requests.
 *
 * First stage of the core, between the stream of records and run/. It keeps one state a
 * connection, lets the connection's protocol reader find requests and answers in both directions, pairs them,
 * and tells the sink when each begins and ends. Pure: it opens nothing, reads no clock, never logs.
 */
#ifndef NT_CALL_H
#define NT_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/event.h"
#include "../protocol/protocol.h"
#include "content.h"

#define CALL_MAX_CONNECTIONS 65536 /* at once; more are counted in calls_stats.connections_refused */
#define CALL_MAX_PENDING 4096	   /* requests without an answer on one connection; more are lost_calls */
#define CALL_MAX_OPEN 65536	   /* likewise on all of them together */
#define CALL_MAX_INTENTS 4096	   /* sends that are asked for and not made yet, at once; more are intents_refused */
#define CALL_MAX_BACKENDS 4096	   /* whose protocol is remembered; more are counted in calls_stats.backends_refused */

enum call_kind {
	CALL_EXCHANGE, /* a request of the target to a backend, and its answer */
	CALL_CONNECT,  /* a connect: a call only if it fails; else it counts in `connects` */
	CALL_REQUEST,  /* the other direction: a client asked the target */
	CALL_MESSAGE,  /* bytes from a backend that answer nothing seen: pushed, or asked before we came */
};

struct call_backend {
	uint8_t transport; /* enum nt_transport */
	uint8_t family;
	uint16_t port;
	uint8_t address[NT_ADDRESS_SIZE];
};

/* Who sent the request: valid only while the sink's `began` runs, but for the ids. */
struct call_owner {
	uint32_t pid, tid;
	uint64_t time; /* when the addresses below were those of what they name */
	uint64_t stack;
	uint64_t coroutine, base, frame, item; /* addresses, struct nt_owner's */
	uint8_t walk;			       /* enum nt_walk */
	uint8_t state_count, place_count;
	/* NULL outside `began`: */
	const uint32_t *states;	       /* of the outermost `state_count` frames, the outermost last */
	const struct nt_place *places; /* of all frames, innermost first, or of none */
};

/* What a thread had spent at some moment. */
struct call_times {
	uint32_t tid;
	struct nt_times spent;
};

/*
 * One call. Owned by this stage: it lives from `began` to the return of `ended`. `user` is the sink's.
 * Times are monotonic ns, 0 where it did not happen. Of a call that failed, in_last is when it did. A CALL_REQUEST
 * whose answer alone was seen (it was asked before we came) has out_first 0.
 */
struct call {
	enum call_kind kind;
	uint64_t connection;
	struct call_backend backend; /* CALL_REQUEST: the client's address */
	const char *protocol;	     /* static; at `ended` it is certain, at `began` it may still be "tcp" */
	char operation[PROTOCOL_OPERATION_SIZE]; /* certain at `ended`; "connect" for CALL_CONNECT */
	uint32_t keys;
	struct call_owner owner;
	uint64_t out_first, out_last; /* the request's first and last byte (CALL_REQUEST: received) */
	uint64_t in_first, in_last;   /* the answer's first and last byte (CALL_REQUEST: sent) */
	uint64_t bytes_out, bytes_in; /* from the target's view, for every kind */
	uint32_t sends;		      /* system calls that moved the request's bytes */
	uint32_t retransmits;	      /* of the target's packets until the answer began */
	/* What the thread had spent when the request's last byte was moved (`out`), and the answer's (`in`);
	 * CALL_REQUEST: its first one. Of one thread, they tell what it did between. */
	struct call_times out_times, in_times;
	bool round_trip; /* the first call of its message: a pipeline counts once */
	bool held_back;	 /* its later sends may have been, until the first was acknowledged (NT_SEGMENT_NAGLE) */
	bool error, client_error, answered;
	int error_number; /* errno of a connection's end; 0 where the answer itself said error, or none */
	bool pooled;	  /* struct protocol's */
	/*
	 * At `ended`, and for a CALL_REQUEST from `received` on (its request then); NULL: not known. The call is one
	 * holder of it: who wants it for longer is another one.
	 */
	struct call_content *content;
	void *user;
};

/* The end of a connection that the target used. */
struct call_closing {
	uint64_t connection;
	uint64_t when;
	uint64_t requests; /* that it carried, but for those about the connection itself (PROTOCOL_CONTROL) */
	bool by_peer;	   /* it was the backend that ended it */
};

/*
 * Where calls go. `began` comes when the request's first byte is seen, so that the sink can bind the
 * call to what runs at that moment; `ended` exactly once for each began, in any order. For CALL_REQUEST there
 * are two marks between: `received` at its last byte, `responding` at the first byte of the response.
 */
struct call_sink {
	void *context;
	void (*began)(void *context, struct call *call);
	void (*received)(void *context, struct call *call);
	/*
	 * Somebody sends the response, or wants it to be sent: at most once for each request, before `responding`. `by`
	 * is without states and places.
	 */
	void (*answering)(void *context, struct call *call, const struct call_owner *by);
	void (*responding)(void *context, struct call *call);
	void (*ended)(void *context, struct call *call);
	/* All calls of the connection have ended; may be NULL. Not for those where the target is the server. */
	void (*closed)(void *context, const struct call_closing *closing);
};

struct call_stats {
	uint64_t unparsed;	      /* bytes that a reader could not make sense of */
	uint64_t lost_bytes;	      /* that the kernel's counters have and the segments do not */
	uint64_t lost_calls;	      /* begun beyond CALL_MAX_PENDING on one connection, or CALL_MAX_OPEN */
	uint64_t connections_refused; /* beyond CALL_MAX_CONNECTIONS */
	uint64_t backends_refused;    /* beyond CALL_MAX_BACKENDS: a failed connect to one may be called `tcp` */
	uint64_t intents_refused;     /* beyond CALL_MAX_INTENTS: their bytes belong to whoever is seen sending them */
	uint64_t orphan_records;      /* about a connection that is not known */
	uint64_t contents_refused;    /* calls whose content had no place: no finding says anything of them */
};

/*
 * What a record says of its owner, for others than this stage. `behind` is what follows the record's fixed part, which
 * record_check() has looked at; the owner points into it.
 */
void call_read_owner(struct call_owner *ret_owner, const struct nt_head *head, const struct nt_owner *owner,
		     const void *behind);

struct call_stage;

/* Returns NULL without memory. `sink` is copied. */
struct call_stage *call_stage_new(const struct call_sink *sink);
/* Ends first what is still open, as a flush at the end does: the sink must still be there. */
void call_stage_free(struct call_stage *stage);

/*
 * Takes one of NT_SOCKET, NT_CONNECT, NT_SEGMENT, NT_CLOSE; other types are ignored. The record has been
 * checked by record_check(). Returns 0 or -ENOMEM, after which the stage still works.
 */
int call_stage_feed(struct call_stage *stage, const struct nt_head *record);

/*
 * The capture ends at `now`, or (at_end false) an interval: calls whose answer has begun and was whole as far as is
 * known are ended; at the end all others too, unanswered ones without being called an error.
 */
void call_stage_flush(struct call_stage *stage, uint64_t now, bool at_end);

/* What hashes of contents are seeded with; without it, and before, 0 is. */
void call_stage_set_secret(struct call_stage *stage, const void *secret, size_t size);
/* Contents have an example of the request from now on, which is data as it is. */
void call_stage_keep_examples(struct call_stage *stage, bool keep);

const struct call_stats *call_stage_stats(const struct call_stage *stage);

#endif
