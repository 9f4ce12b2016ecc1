/*
 * run.h: from calls to runs of endpoints.
 *
 * Second stage of the core, between call/ and summary/. It knows the code objects and stacks of
 * the targets (code.h), finds the endpoint on a stack (endpoint.h), and decides which run a call belongs to:
 * by USDT entry and return, by the request that the thread is answering, or by the callers' states.
 */
#ifndef NT_RUN_H
#define NT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../call/call.h"

enum run_source { RUN_BY_USDT, RUN_BY_REQUEST, RUN_BY_CALLS };

/* Why a call is in no run; the words of INTERFACE.md in this order. */
enum run_reason {
	RUN_NO_PYTHON_THREAD,
	RUN_NO_ENDPOINT,
	RUN_WALK_FAILED,
	RUN_OWNER_UNKNOWN,
	RUN_INTERPRETER_UNSUPPORTED,
	RUN_NOT_SAMPLED,
	RUN_REASON_COUNT,
};
extern const char *const run_reason_names[RUN_REASON_COUNT];

/* A function that answers for a piece of work. Lives as long as the stage. */
struct run_endpoint {
	const char *name; /* module.qualname */
	const char *file;
	uint32_t line; /* of its definition */
};

/* A place in the code that made calls: the innermost frame of the application's own. Lives as long as the stage. */
struct run_site {
	const char *function; /* module.qualname */
	const char *file;
	uint32_t line; /* of the call; 0 not known */
};

#define RUN_MAX_BACKENDS 16 /* of a run, counted one by one; calls to more are in its `calls` only */

/* How many of a run's calls went to a backend. */
struct run_backend {
	const char *protocol; /* static */
	struct call_backend where;
	uint64_t calls;
};

#define RUN_MAX_MADE 1024   /* calls of a run that are kept one by one */
#define RUN_MAX_KEPT 131072 /* likewise of all open runs together */

/* In the name of a lane: it is a thread; the others are tasks and greenlets that take turns on one. */
#define RUN_LANE_THREAD (UINT64_C(1) << 63)

/* A call or connect of a run that is over. */
struct run_call {
	enum call_kind kind; /* CALL_EXCHANGE or CALL_CONNECT */
	uint64_t connection;
	struct call_backend where;
	const char *protocol; /* static */
	char operation[PROTOCOL_OPERATION_SIZE];
	uint64_t out_first, out_last, in_first, in_last; /* struct call's */
	uint64_t bytes_out, bytes_in;
	uint32_t sends, retransmits; /* likewise */
	uint64_t lane; /* name of what made it: a thread, a task; calls of one lane are made one after the other */
	const struct run_site *site; /* NULL: not known */
	bool answered, error, client_error, pooled, round_trip, held_back;
	bool late;		      /* made when the run was over */
	struct call_content *content; /* NULL: not known */
};

/* A run that is over, with all its calls ended. Valid during the sink's call. */
struct run {
	const struct run_endpoint *endpoint;
	const char *route; /* operation of the request that it answered; NULL: none. Valid during the sink's call */
	uint32_t pid, tid;
	uint64_t began, ended; /* monotonic ns; what they mean says `source` */
	uint64_t network;      /* ns: the union of its calls' and connects' intervals */
	enum run_source source;
	bool exact;	       /* false: it may be several that could not be told apart */
	bool partial;	       /* the capture began or ended inside it: not all of its calls are here */
	bool timed;	       /* `spent` is known: it had a thread for itself */
	struct nt_times spent; /* by its thread, while no call of the run was under way */
	uint64_t calls, round_trips, errors, connects;
	size_t backend_count;
	struct run_backend backends[RUN_MAX_BACKENDS];
	/* Its calls and connects one by one, in the order in which they began; NULL: they are too many. */
	struct run_call *made;
	size_t made_count;
	struct call_content *asked; /* of the request that it answered; NULL: not known */
};

/*
 * Where runs go. `called` comes once for every call that ended and for every connect that was made, with the endpoint
 * that it belongs to, or NULL and the reason; `ran` once for every run, after its last `called`.
 */
struct run_sink {
	void *context;
	void (*called)(void *context, const struct call *call, const struct run_endpoint *endpoint,
		       const struct run_site *site, enum run_reason reason);
	void (*ran)(void *context, const struct run *run);
	/* A request to the target was answered, or its connection ended. `had_run`: some run belonged to it. */
	void (*requested)(void *context, const struct call *request, bool had_run);
	void (*closed)(void *context, const struct call_closing *closing); /* may be NULL */
};

#define RUN_MAX_CODES 65536   /* code objects known at once, all targets together */
#define RUN_MAX_STACKS 65536  /* likewise stacks */
#define RUN_MAX_OPEN 16384    /* runs open at once */
#define RUN_MAX_ORIGINS 65536 /* hand-overs that are remembered, all targets together */

struct run_stats {
	uint64_t stacks_unknown; /* calls whose stack or code never arrived, or had no place */
	uint64_t handovers_lost; /* beyond RUN_MAX_ORIGINS: for whom that work is done is not known */
	uint64_t runs_unkept;	 /* runs whose calls were too many to keep: no finding says anything of them */
	uint64_t runs_refused;	 /* calls of runs beyond RUN_MAX_OPEN, or of threads beyond what is kept: walk_failed */
};

struct run_stage;

/* Returns NULL without memory. `sink` is copied. */
struct run_stage *run_stage_new(const struct run_sink *sink);
void run_stage_free(struct run_stage *stage);

/* From now on no hand-over is told of: that of a task nothing is known says nothing any more. */
void run_stage_handovers_end(struct run_stage *stage);

/* Adds a pattern of --endpoint (glob over module.qualname or file:qualname). 0, or -ENOMEM. */
int run_stage_add_pattern(struct run_stage *stage, const char *pattern);

/* Adds a row to the dispatchers (dispatcher.h). 0, -EINVAL, -ENOSPC or -ENOMEM. */
int run_stage_add_dispatcher(struct run_stage *stage, const char *row);

/*
 * Takes NT_PROCESS, NT_CODE, NT_MODULE, NT_STACK, NT_FUNCTION, NT_HANDOVER, NT_FORK, NT_EXEC, NT_EXIT, and of
 * NT_SEGMENT who reads from where (the call stage must have had it before); others are ignored. Returns 0, -EBADMSG or
 * -ENOMEM, after which the stage still works.
 */
int run_stage_feed(struct run_stage *stage, const struct nt_head *record);

/* The sink to give to call_stage_new(). */
struct call_sink run_stage_sink(struct run_stage *stage);

/*
 * Ends the runs that only time can end: those by calls that saw nothing for a while, or (at_end) all.
 */
void run_stage_flush(struct run_stage *stage, uint64_t now, bool at_end);

/*
 * What the kernel side should know of a code object (NT_CODE_* of event.h) so that USDT events come only
 * for functions that matter; 0 when it is not known.
 */
uint32_t run_stage_judge(const struct run_stage *stage, uint32_t pid, uint64_t code);

/*
 * What the kernel side should tell with events of a stack that came with this record: which frames' states, and where
 * the endpoint and handed-over work are. False while that is not known.
 */
bool run_stage_note(struct run_stage *stage, const struct nt_stack *record, struct nt_stack_note *ret_note);

const struct run_stats *run_stage_stats(const struct run_stage *stage);

#endif
