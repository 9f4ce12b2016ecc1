/*
 * stage.h: what the files of this folder share of a stage; everybody else sees run.h.
 *
 *	run.c      the API: records to where they belong, calls to their run
 *	book.c     open runs: made, given calls, reported
 *	thread.c   what is known of a thread
 *	usdt.c     ways to know a run: by the function's entry and return,
 *	request.c  by the request that its thread is answering,
 *	calls.c    by the calls and their callers alone
 *
 * A later way (a task's coroutine) is one more such file, asked in run.c's order.
 */
#ifndef NT_RUN_STAGE_H
#define NT_RUN_STAGE_H

#include "code.h"
#include "endpoint.h"
#include "place.h"
#include "run.h"
#include "spans.h"

#define STAGE_MAX_THREADS 65536 /* known at once; calls of others are in no run */
#define STAGE_MAX_ACTIVE 16	/* functions on a thread that may be endpoints and have not returned */

struct open_run;
struct request;

/* Where a call went; its `user`. */
struct binding {
	struct binding *prev, *next;	     /* of its run, oldest first; or of those that have none */
	struct open_run *run;		     /* NULL: in none, or in one that was reported already */
	struct call *call;		     /* lives as long as this */
	const struct run_endpoint *endpoint; /* NULL: unattributed */
	const struct run_site *site;
	enum run_reason reason;
};

/* What tells a run by calls from the next one: the last call's stack, and its callers' states. */
struct callers {
	struct stack *stack;
	uint64_t connection, first; /* of the last call, and when it began */
	uint16_t index;		    /* of the endpoint's frame */
	uint16_t count;		    /* of states: one for each frame outside the endpoint's */
	bool known;		    /* the states came */
	uint32_t states[NT_MAX_FRAMES];
};

/* A run that was not reported yet. */
struct open_run {
	struct run run;
	struct open_run *prev, *next; /* all of the stage's */
	struct open_run *peer;	      /* the next one of the same request, or of the same thread by calls */
	struct thread *thread;	      /* by calls, until it is over */
	struct code *code;	      /* the endpoint's */
	struct binding *bindings;     /* its calls that have not ended */
	unsigned open_calls, open_connects;
	bool over;	      /* no more calls will come */
	bool unasked;	      /* by calls, inside a dispatcher, with no request seen that the thread is answering */
	uint64_t first, last; /* of its calls: the first one's start, the last end so far */
	struct spans network;
	struct callers *callers; /* by calls only */
	char route[PROTOCOL_OPERATION_SIZE];
};

/* A function that may be an endpoint, between entry and return. */
struct active {
	uint64_t frame;
	uint64_t began;
	struct code *code;
	struct open_run *run; /* NULL while no call belongs to it */
	uint8_t rank;	      /* usdt.c's */
	bool sure;	      /* it is an endpoint, with calls or without */
	bool around;	      /* another one was active inside it */
};

/* A request to the target that has not ended; its call's `user`. */
struct request {
	struct request *prev, *next;		   /* all of the stage's */
	struct request *thread_prev, *thread_next; /* its thread's, oldest first */
	struct call *call;
	struct thread *thread; /* that answers it; NULL: none, or it went on to another one */
	struct open_run *runs;
	bool had_run;
};

struct thread {
	UT_hash_handle hh;
	uint32_t tid;
	bool refused;
	bool answers;  /* it has read a request */
	uint64_t seen; /* when it last did something */
	unsigned active_count;
	struct active *active; /* STAGE_MAX_ACTIVE of them, innermost last; NULL: never any */
	struct request *requests;
	struct open_run *runs; /* by calls */
};

struct run_stage {
	struct run_sink sink;
	struct run_stats stats;
	struct code_table codes;
	struct endpoint_rules rules;
	struct place_table places;
	struct open_run *runs;
	struct request *requests;
	struct binding *loose; /* bindings without a run */
	unsigned run_count, thread_count;
	uint32_t generation; /* of the rules and names: verdicts of older ones are found anew */
	uint64_t now;	     /* the newest time that was seen */
};

/* thread.c. NULL: not known; thread_get() makes it: no memory or no place. */
struct thread *thread_find(struct process *process, uint32_t tid);
struct thread *thread_get(struct run_stage *stage, struct process *process, uint32_t tid);
/* Ends what goes on in it, and forgets it. */
void thread_remove(struct run_stage *stage, struct process *process, struct thread *thread);
/* Without ending anything in it: the stage goes. */
void thread_free(struct run_stage *stage, struct process *process, struct thread *thread);
bool thread_is_idle(const struct thread *thread);

/* book.c: open runs. NULL: no place (counted) or no memory. */
struct open_run *book_open(struct run_stage *stage, enum run_source source, struct thread *thread, uint32_t pid,
			   struct code *code, const struct run_endpoint *endpoint);
/* No more calls will come: reports the run now, or when the last of its calls has ended. */
void book_close(struct run_stage *stage, struct open_run *run);
/* Reports what is over without waiting for connects, or (at_end) for anything. */
void book_flush(struct run_stage *stage, bool at_end);
/* The call's place from now on; `run` may be NULL. Never NULL: without memory it counts as walk_failed. */
struct binding *book_bind(struct run_stage *stage, struct call *call, struct open_run *run, const struct run_site *site,
			  enum run_reason reason);
/* The call has ended. */
void book_end_call(struct run_stage *stage, const struct call *call);
/* Frees everything without a word. */
void book_clear(struct run_stage *stage);

/* usdt.c */
int usdt_feed(struct run_stage *stage, const struct nt_function *record);
/* The run that is active on this thread with this stack's endpoint; NULL: none. */
struct open_run *usdt_run(struct run_stage *stage, struct thread *thread, uint32_t pid, const struct stack *stack);
/* Ends all of a thread's: at `now`, because nothing of it goes on; or not exact, because the capture ends in them. */
void usdt_end_all(struct run_stage *stage, uint32_t pid, struct thread *thread, bool exact);
/* The thread reads the next request: what a dispatcher called for the last one has returned, unseen. */
void usdt_end_dispatched(struct run_stage *stage, uint32_t pid, struct thread *thread);

/* request.c */
void request_began(struct run_stage *stage, struct call *call);
void request_responding(struct call *call);
void request_ended(struct run_stage *stage, struct call *call);
/* The run of this endpoint within the request that the thread is answering; NULL: it is answering none. */
struct open_run *request_run(struct run_stage *stage, struct thread *thread, uint32_t pid, const struct stack *stack);
/* Frees them all without a word. */
void request_clear(struct run_stage *stage);
/* Tells the request that the thread is answering, if any, that it had a run, and the run its route. */
void request_claim(struct thread *thread, char *route);
void request_leave_thread(struct request *request);
/* Closes its runs, as of what is known of the response now. */
void request_end_runs(struct run_stage *stage, struct request *request);

/* calls.c. NULL: no memory or no place. */
struct open_run *calls_run(struct run_stage *stage, struct thread *thread, struct call *call, struct stack *stack);
/* Closes the thread's runs by calls whose endpoint is not on this stack any more; NULL: all of them. */
void calls_leave(struct run_stage *stage, struct thread *thread, const struct stack *stack);
/* Closes those of this endpoint: a better way has taken over. */
void calls_leave_endpoint(struct run_stage *stage, struct thread *thread, const struct code *code);
/* Closes those that have no open call and saw nothing since `before`. */
void calls_flush(struct run_stage *stage, struct thread *thread, uint64_t before);
void callers_free(struct run_stage *stage, struct callers *callers);
/* Could some caller of the endpoint at `index` call again with nothing to be seen of it? */
bool calls_repeat_unseen(const struct stack *stack, uint32_t index);

#endif
