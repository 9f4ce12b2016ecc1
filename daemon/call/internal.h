/*
 * internal.h: what the files of this folder share; everybody else sees call.h.
 *
 *	stage.c      the records, one function each; flush
 *	connection.c the tables: connections, and what backends are known to speak
 *	intent.c     bytes whose sender only carries out what others wanted: who they were
 *	segment.c    bytes to readers: turns, detection, losing and finding the thread again
 *	pair.c       what readers report becomes calls; without a reader, turns make them
 *	content.c    what readers tell of messages becomes what is known of calls' contents
 *	values.c     what in these may be passed on from one to another
 *
 * "Side" is the reader's word: requests or answers, whichever direction they go. "By turn" is how calls are told
 * apart where no reader can do it: requests up to a change of direction, answers up to the next one.
 */
#ifndef NT_CALL_INTERNAL_H
#define NT_CALL_INTERNAL_H

#include "call.h"

#define uthash_nonfatal_oom(element) ((element)->refused = true)
#include "../hash.h"

#define CALL_DETECT_SIZE 32 /* bytes of a message's beginning that decide on its protocol, in pieces or at once */
#define CALL_DETECT_TRIES 8 /* messages of a connection that are looked at */
#define CALL_MAX_DOUBT 4    /* errors in a row without one good answer: it was not this protocol */
#define CALL_MAX_SPARE 256  /* calls kept for the next ones */
#define CALL_MAX_HELD 256   /* connections of which a segment is held back: 9 KiB each at most */
#define CALL_QUIET UINT64_C(1000000000) /* ns after which an answer by turn counts as whole at an interval's end */

/* A call that the sink knows of and that has not ended. */
struct open_call {
	struct call call;
	struct open_call *prev, *next; /* in its connection's queue, oldest first */
	uint32_t tag;		       /* the reader's */
	bool whole;		       /* the request's last byte was seen */
	bool responding;	       /* the sink was told so */
	bool answerer;		       /* and who answers */
	bool control;		       /* it is about the connection (PROTOCOL_CONTROL) */
};

/* content.c: what is known of one message so far, and what all of them share. */
struct gathering;
struct content_pool;

/* The answer that a reader is in; which call it belongs to shows at its end. */
struct open_answer {
	uint64_t first; /* when it began */
	uint64_t bytes;
	bool open;
};

struct connection {
	UT_hash_handle hh;
	uint64_t id;
	struct call_backend backend;
	const struct protocol *protocol;     /* whose reader reads it; NULL: not known, or without a reader */
	const struct protocol *spoken;	     /* one without; else NULL */
	void *reader;			     /* its state */
	struct open_call *oldest, *youngest; /* of the calls without an answer: a queue */
	struct open_call *requesting;	     /* the youngest while a reader is in its request */
	struct open_call *adopted; /* began before the protocol was known: the reader's first request is this one */
	struct open_call *connect;
	struct open_call *message; /* bytes that answer nothing, while they go on */
	struct open_answer answer;
	struct gathering *gathering[2]; /* by enum protocol_side: of the message it is in; NULL: not gathered */
	/* Of the last segment that had an owner: its head, and the owner without what belongs to it. Later ones may
	 * have none. */
	struct nt_head owner_head;
	struct nt_owner owner;
	struct intent *last_intent;
	const struct nt_head *wanted; /* while bytes are taken that somebody wanted before: his record's; else NULL */
	struct intent *intents;	      /* what is to be sent, oldest first */
	uint64_t bytes[2];	      /* by enum nt_direction, of all segments */
	uint64_t requests;	      /* that have ended, but for those about the connection itself */
	uint64_t last[2];	      /* by enum protocol_side: when the last byte of it was moved */
	struct call_times times[2];   /* likewise: by which thread, and what that had spent then */
	struct nt_segment *held;      /* received, perhaps in answer to a request whose record is yet to come */
	uint32_t sender;	      /* thread that sent last */
	uint64_t peer_closed;	      /* when; 0: not */
	int peer_error;
	uint32_t pending_count, pending_lost; /* lost ones were asked after those in the queue */
	uint8_t role;			      /* enum nt_role */
	uint8_t direction;		      /* of the last segment; NT_NOWHERE before the first one */
	uint8_t tries, doubt;
	uint8_t head_size; /* bytes of `head`: the message's beginning while its protocol is not known */
	bool detecting;	   /* more of this message may tell its protocol */
	bool role_sure;
	bool lost[2];	 /* by enum protocol_side: the reader lost the thread there */
	bool in_request; /* a reader is in a request, which may be one that had no place */
	bool round_trip; /* the next request is the first of its message */
	bool mixed;	 /* requests to the target that go on at the same time, which nobody can tell apart */
	bool refused;	 /* no memory for the table */
	uint8_t head[CALL_DETECT_SIZE];
};

#define NT_NOWHERE 2

struct known_backend {
	UT_hash_handle hh;
	struct call_backend backend;
	const struct protocol *protocol;
	bool refused;
};

struct call_stage {
	struct call_sink sink;
	struct call_stats stats;
	struct connection *connections;
	struct connection *recent; /* the one that was asked for last */
	struct known_backend *backends;
	struct content_pool *contents;
	struct open_call *spare;
	unsigned spare_count, open_count, held_count, intent_count;
	bool no_memory; /* something could not be allocated during this feed */
};

/* One segment on its way through a reader; with no segment, the end of a side. Context of the readers' events. */
struct feeding {
	struct call_stage *stage;
	struct connection *connection;
	const struct nt_segment *segment;
	enum protocol_side side;
	uint64_t given; /* bytes of the chunk that belong to some call already */
	bool began;	/* a request began in it */
};

/* How calls that no reader ended come to their end. */
enum ending {
	ENDING_TURN,	/* the next request came: what was asked before was answered */
	ENDING_FAILED,	/* the connection ended */
	ENDING_CAPTURE, /* the capture ended */
};

/* connection.c; NULL: not there, or no place or memory (which is counted) */
struct connection *connection_find(struct call_stage *stage, uint64_t id);
struct connection *connection_add(struct call_stage *stage, const struct nt_socket *socket);
void connection_describe(struct connection *connection, const struct nt_socket *socket);
void connection_remove(struct call_stage *stage, struct connection *connection); /* its calls have ended */
void backend_learn(struct call_stage *stage, const struct call_backend *backend, const struct protocol *protocol);
const struct protocol *backend_protocol(const struct call_stage *stage, const struct call_backend *backend);
void backend_forget_all(struct call_stage *stage);

static inline enum protocol_side connection_side(const struct connection *connection, enum nt_direction direction)
{
	enum nt_direction requests = connection->role == NT_ROLE_SERVER ? NT_IN : NT_OUT;

	return direction == requests ? PROTOCOL_REQUEST : PROTOCOL_ANSWER;
}

/* What to call the protocol of a connection. */
const char *connection_protocol_name(const struct connection *connection);

/* intent.c */
void intent_add(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment);
/* Takes a segment, in parts if several have wanted its bytes sent. */
void intent_take(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment);
void intent_forget(struct call_stage *stage, struct connection *connection);

/* segment.c */
void segment_take(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment);
/* Its payload is the beginning of a request in a protocol that is known. */
bool segment_begins_request(const struct nt_segment *segment);
/* It is known now who is the client; no change once it was. */
void segment_set_role(struct call_stage *stage, struct connection *connection, enum nt_role role);
/* Lets the reader end what it is in, answers only if the end is `orderly`; what stays open is the caller's to settle.
 */
void segment_finish(struct call_stage *stage, struct connection *connection, bool orderly);
/* Ends calls whose answers were lost track of, or tell no end, as the next request would. */
void segment_end_by_turn(struct call_stage *stage, struct connection *connection);

/* content.c */
struct content_pool *content_pool_new(void); /* NULL without memory */
void content_pool_free(struct content_pool *pool);
void content_pool_seed(struct content_pool *pool, const void *secret, size_t size);
void content_pool_keep_examples(struct content_pool *pool, bool keep);
/* A message begins: `*gathering` is new, or NULL without memory or room. */
void content_begin(struct content_pool *pool, struct gathering **gathering, enum protocol_side side);
void content_drop(struct content_pool *pool, struct gathering **gathering);
void content_cut(struct gathering *gathering); /* what follows is not told; may be NULL */
/* As in struct protocol_events. */
void content_tell(struct content_pool *pool, struct gathering *gathering, enum protocol_part part, const void *data,
		  size_t size);
void content_item(struct gathering *gathering);
void content_level(struct gathering *gathering);
/* The message has ended, and so has its gathering. NULL: no memory or room for what it asked. */
struct call_content *content_end_request(struct content_pool *pool, struct gathering **gathering,
					 const struct protocol_request *request);
void content_end_answer(struct content_pool *pool, struct gathering **gathering, struct call_content *content,
			const struct protocol_answer *answer);

/* pair.c */
extern const struct protocol_events pair_events; /* but for its context, a struct feeding */
void pair_rest(struct feeding *feeding);	 /* gives the bytes that no event spoke of to a call */
/* What the request that began with this segment is, where no reader says so. */
void pair_describe(struct connection *connection, const struct protocol_request *request);
/* Without a reader, or where it lost the thread: what is left of the segment begins a request or goes on with one. */
void pair_request_by_turn(struct feeding *feeding, bool turn);
void pair_answer_by_turn(struct feeding *feeding);
/* Ends all pending calls, at a turn only those whose request is whole; `now` is when, `error_number` why. */
void pair_settle(struct call_stage *stage, struct connection *connection, enum ending ending, uint64_t now,
		 int error_number);
void pair_end_message(struct call_stage *stage, struct connection *connection);
void pair_connect_began(struct call_stage *stage, struct connection *connection, const struct nt_connect *connect);
void pair_connect_ended(struct call_stage *stage, struct connection *connection, const struct nt_connect *connect);
/* It is known what the connection speaks, or never will be: a connect that was made counts now. */
void pair_connect_settle(struct call_stage *stage, struct connection *connection);
/* The connection is gone: likewise, and one that was not made has failed, or (`failed` false) is left open. */
void pair_connect_close(struct call_stage *stage, struct connection *connection, uint64_t now, bool failed,
			int error_number);
/* Somebody wants bytes to be sent: on a client's connection that tells who answers. */
void pair_wanted(struct call_stage *stage, struct connection *connection, const struct nt_segment *segment);
void pair_free_spare(struct call_stage *stage);

#endif
