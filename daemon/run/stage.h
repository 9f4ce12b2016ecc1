/*
 * stage.h: what the files of this folder share of a stage; everybody else sees run.h.
 *
 *	run.c      the API: records to where they belong, calls to their run
 *	bind.c     calls and work that is handed over to runs
 *	who.c      who did something: what a record's owner says
 *	book.c     open runs: made, given calls, reported
 *	kept.c     their calls one by one
 *	lane.c     what does one piece of work at a time
 *	origin.c   work that was handed over
 *	usdt.c     ways to know a run: by the function's entry and return,
 *	request.c  by the request that its thread is answering,
 *	calls.c    by the calls and their callers alone
 *
 * A *lane* does one piece of work at a time: a plain thread, an asyncio task, a greenlet. Runs, requests and what is
 *known of functions that have not returned are kept for each lane.
 */
#ifndef NT_RUN_STAGE_H
#define NT_RUN_STAGE_H

#include "code.h"
#include "endpoint.h"
#include "place.h"
#include "run.h"
#include "spans.h"

#define STAGE_MAX_LANES 65536 /* known at once; calls of others are in no run */
#define STAGE_MAX_CLOSED 8    /* runs of a lane that wait for a response to say which request they answered */
#define STAGE_MAX_ACTIVE 16   /* functions on a thread that may be endpoints and have not returned */

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
	uint64_t lane; /* name of what made it */
	bool late;     /* made when the run was over: it counts, but its time is not the run's */
};

/* Whose work it is; numbers of runs and requests, 0 none: they may be over. */
struct origin {
	UT_hash_handle hh;
	uint64_t name; /* origin.c's */
	uint64_t what; /* struct nt_handover's */
	enum nt_handover_kind kind;
	bool refused;
	uint64_t since;			     /* when it was handed over */
	uint64_t giver;			     /* stack that turns out to be a loop's callback, perhaps; 0: none */
	const struct run_endpoint *endpoint; /* NULL: no endpoint's */
	uint64_t run, request;
	uint64_t parent; /* lane of the task that handed it over; 0: none did */
	bool package; /* the endpoint is a package's: it may be a framework's way to call the application's, in a thread
		       */
};

/* What tells a run by calls from the next one: the last call's stack, and its callers' states. */
struct callers {
	struct stack *stack;
	uint64_t connection, first; /* of the last call, and when it began */
	uint64_t frame;		    /* address of the endpoint's frame; 0 not known */
	uint16_t index;		    /* of the endpoint's frame */
	uint16_t count;		    /* of states: one for each caller of the endpoint in its lane */
	bool known;		    /* the states came */
	bool connected;		    /* the last call was a connect */
	uint32_t at[NT_MAX_FRAMES]; /* the instruction that each state was with */
	uint32_t states[NT_MAX_FRAMES];
};

/* A run that was not reported yet. */
struct open_run {
	UT_hash_handle hh; /* by number */
	uint64_t number;
	bool refused;
	struct run run;
	struct open_run *prev, *next; /* all of the stage's */
	struct open_run *peer;	      /* the next one of the same request, or of the same lane by calls */
	struct lane *lane;	      /* by calls, until it is over */
	struct code *code;	      /* the endpoint's */
	struct binding *bindings;     /* its calls that have not ended */
	unsigned open_calls, open_connects;
	bool over;	 /* no more calls will come, but from what it has handed over */
	bool handed;	 /* it has handed work over */
	bool lingers;	 /* over, and kept for the calls that this work may make */
	bool unasked;	 /* by calls, inside a dispatcher, with no request seen that the lane is answering */
	bool untold;	 /* likewise, the first of a task of which nothing told that it began */
	bool alone;	 /* it has a thread for itself */
	bool unkept;	 /* its calls are too many to keep */
	uint64_t closed; /* when it was over */
	struct open_run *linger_prev, *linger_next; /* the stage's, in order */
	uint64_t opened;			    /* when it was first known of */
	uint64_t first, last;			    /* of its calls: the first one's start, the last end so far */
	struct spans network;
	struct call_times beside; /* what its own thread had spent when no call was under way any more; tid 0: one is */
	struct callers *callers;  /* by calls only */
	size_t made_room;	  /* of run.made */
	char route[PROTOCOL_OPERATION_SIZE];
};

/* A function that may be an endpoint, between entry and return for good. */
struct active {
	uint64_t frame;
	uint64_t began;
	struct call_times began_at; /* what its thread had spent then */
	struct code *code;
	struct open_run *run; /* NULL while no call belongs to it */
	uint8_t rank;	      /* usdt.c's */
	bool sure;	      /* it is an endpoint, with calls or without */
	bool around;	      /* another one was active inside it */
	bool suspended;	      /* a coroutine or generator that waits */
	bool waited;	      /* it was that once: others had the thread meanwhile */
};

/* A request to the target that has not ended; its call's `user`. */
struct request {
	UT_hash_handle hh; /* by number */
	uint64_t number;
	bool refused;
	struct request *prev, *next;	       /* all of the stage's */
	struct request *lane_prev, *lane_next; /* its lane's, oldest first */
	struct call *call;
	struct lane *lane; /* that read it, or that answers it; NULL: none, or that went on to another one */
	struct open_run *runs;
	bool had_run;
	bool answered; /* it is known by which lane, which is not the one that read it */
	bool shared;   /* an event loop has read it: for whom is not known yet */
};

struct lane {
	UT_hash_handle hh; /* by name */
	uint64_t name;	   /* its id, or for a thread what lane.c makes of its number */
	uint64_t id;	   /* address of a task's coroutine's frame, or of a greenlet's outermost one; 0: a thread */
	uint32_t tid;	   /* where it ran last */
	bool refused;
	bool task;     /* an asyncio task */
	bool ran;      /* it has had a run by calls */
	bool answers;  /* it has read a request */
	uint64_t seen; /* when it last did something */
	uint64_t read; /* connection that it read from last */
	unsigned active_count;
	struct active *active; /* STAGE_MAX_ACTIVE of them, innermost last of those that run; NULL: never any */
	struct request *requests;
	unsigned changes;      /* pairs of neighbours among them that are of different connections */
	struct open_run *runs; /* by calls */
	struct open_run
	    *closed; /* likewise, over, but perhaps part of a request that is yet to be answered; newest first */
};

struct run_stage {
	struct run_sink sink;
	struct run_stats stats;
	struct code_table codes;
	struct endpoint_rules rules;
	struct place_table places;
	struct open_run *runs, *runs_by_number;
	struct open_run *lingering; /* the one that was closed first is the first */
	struct request *requests, *requests_by_number;
	struct binding *loose; /* bindings without a run */
	struct binding *spare; /* those of calls that have ended, for the next ones */
	unsigned spare_count;
	unsigned run_count, lane_count, origin_count;
	uint64_t kept_count; /* calls of open runs */
	bool serves;	     /* some target was asked something */
	bool deaf;	     /* what is handed over is not told any more */
	uint64_t numbers;    /* given to runs and requests so far */
	uint32_t generation; /* of the rules and names: verdicts of older ones are found anew */
	uint64_t now;	     /* the newest time that was seen */
	uint64_t tidied;     /* when a full table was last looked through */
};

/* run.c: where the rules or a name changed, what stacks said by them is found anew. */
void stage_forget_verdicts(struct run_stage *stage);
/* run.c: a table is full: what only time ends leaves it now. Looking for that takes a while: once a second at most. */
void stage_make_room(struct run_stage *stage);

/*
 * lane.c. `id` 0: the thread itself. NULL: not known; lane_get() makes it: no memory or no place.
 */
struct lane *lane_find(struct process *process, uint32_t tid, uint64_t id);
struct lane *lane_get(struct run_stage *stage, struct process *process, uint32_t tid, uint64_t id);
/* Ends what goes on in it, and forgets it. */
void lane_remove(struct run_stage *stage, struct process *process, struct lane *lane);
/* Without ending anything in it: the stage goes. */
void lane_free(struct run_stage *stage, struct process *process, struct lane *lane);
bool lane_is_idle(const struct lane *lane);

/* origin.c. NULL: not known. */
struct origin *origin_find(const struct process *process, enum nt_handover_kind kind, uint64_t what);
/* Keeps a copy, if it says anything, instead of what was known of its key. 0, a full table too (counted), or -ENOMEM.
 */
int origin_set(struct run_stage *stage, struct process *process, const struct origin *origin);
/* A loop was learned of: its callbacks do nothing for who has called the loop. */
void origin_revise(struct run_stage *stage, struct process *process);
void origin_clear(struct run_stage *stage, struct process *process);

/* Who did something. */
struct who {
	struct process *process;
	struct stack *stack;	     /* judged */
	struct lane *lane;	     /* NULL: no place */
	const struct origin *origin; /* of what the lane is at; NULL: of its own accord, or not known */
	bool gone;		     /* a task that was over: neither lane nor origin are known any more */
};

/* who.c. RUN_REASON_COUNT: `ret_who` is filled; else why nothing is known. */
enum run_reason who_find(struct run_stage *stage, const struct call_owner *owner, struct who *ret_who);
/* Finds what a stack says; false while the code objects on it have not all come. */
bool who_judge(struct run_stage *stage, struct process *process, struct stack *stack);
/* The address of a frame of the stack; 0 if it did not come. */
uint64_t who_frame(const struct call_owner *owner, const struct stack *stack, uint32_t index);
/* The endpoint that the work is done for if it is not the stack's own; NULL: it is that. */
const struct run_endpoint *who_inherits(struct run_stage *stage, const struct who *who);
/* Is it an event loop or a callback of one, and no task? It works for many. */
bool who_is_loop(const struct who *who);
/* Is the stack's endpoint a package's function, that a dispatcher called? */
bool who_is_package(const struct run_stage *stage, const struct who *who);
/* The request that the work is done for; NULL: none, or not known. */
struct request *who_request(struct run_stage *stage, const struct who *who);

/* bind.c. The call's place from now on, never NULL. */
struct binding *bind_call(struct run_stage *stage, struct call *call);
/* 0, -EBADMSG or -ENOMEM. */
int bind_handover(struct run_stage *stage, const struct nt_handover *record);
/* Which connection a thread has read from last says what its callbacks are looking at. */
void bind_read(struct run_stage *stage, const struct nt_segment *segment);

/* book.c: open runs. NULL: no place (counted) or no memory. */
struct open_run *book_open(struct run_stage *stage, enum run_source source, struct lane *lane, uint32_t pid,
			   struct code *code, const struct run_endpoint *endpoint);
/* By its number; NULL: it is over. */
struct open_run *book_find(const struct run_stage *stage, uint64_t number);
/* Adds all of `from` to `into`; `from` is gone. */
void book_merge(struct run_stage *stage, struct open_run *into, struct open_run *from);
/*
 * What its thread had spent when it was done with the network, or begins, and when it goes there again, or ends: what
 * is between is added up. Another thread's account changes nothing.
 */
void book_leave_network(struct open_run *run, const struct call_times *times);
void book_enter_network(struct open_run *run, const struct call_times *times);
/* No more calls will come: reports the run now, or when the last of its calls has ended. */
void book_close(struct run_stage *stage, struct open_run *run);
/* Reports what is over without waiting for connects, or (at_end) for anything. */
void book_flush(struct run_stage *stage, bool at_end);
/*
 * The call's place from now on. `run` may be NULL: then `endpoint` is whose call it is, or NULL. Never NULL: without
 * memory it counts as walk_failed.
 */
struct binding *book_bind(struct run_stage *stage, struct call *call, struct open_run *run,
			  const struct run_endpoint *endpoint, const struct run_site *site, enum run_reason reason);
/* The call has ended. */
void book_end_call(struct run_stage *stage, const struct call *call);
/* Frees everything without a word. */
void book_clear(struct run_stage *stage);

/* kept.c. The call is over, or let go. */
void kept_add(struct run_stage *stage, struct open_run *run, const struct binding *binding);
/* `from` has none afterwards. */
void kept_merge(struct run_stage *stage, struct open_run *into, struct open_run *from);
/* In the order in which they began. */
void kept_order(struct open_run *run);
void kept_clear(struct run_stage *stage, struct open_run *run);

/* usdt.c */
int usdt_feed(struct run_stage *stage, const struct nt_function *record);
/* The run that is active in this lane with this stack's endpoint; NULL: none. */
struct open_run *usdt_run(struct run_stage *stage, struct lane *lane, const struct call_owner *owner,
			  const struct stack *stack);
/* Ends all of a thread's: at `now`, because nothing of it goes on; or not exact, because the capture ends in them. */
void usdt_end_all(struct run_stage *stage, uint32_t pid, struct lane *lane, bool exact);
/* The thread reads the next request: what a dispatcher called for the last one has returned, unseen. */
void usdt_end_dispatched(struct run_stage *stage, uint32_t pid, struct lane *lane);

/* request.c */
void request_began(struct run_stage *stage, struct call *call);
void request_answering(struct run_stage *stage, struct call *call, const struct call_owner *by);
void request_responding(const struct call *call);
void request_ended(struct run_stage *stage, struct call *call);
/* A loop was learned of: what it has read is not known to be for whom. */
void request_revise(struct run_stage *stage, struct process *process);
/* The request that the lane is answering; NULL: none, or which one is not known. */
struct request *request_current(const struct lane *lane);
/* The youngest one that a thread has on the connection that it read from last; NULL: none. */
struct request *request_read(const struct lane *lane);
/* By its number; NULL: it has ended. */
struct request *request_find(const struct run_stage *stage, uint64_t number);
/* The run of this endpoint within the request; NULL: no memory or no place. */
struct open_run *request_run(struct run_stage *stage, struct request *request, struct lane *lane, uint32_t pid,
			     const struct stack *stack);
/* Frees them all without a word. */
void request_clear(struct run_stage *stage);
/* The request that the lane is answering had a run; NULL: none, or which one is not known. */
const struct call *request_claim(struct lane *lane);
/* What a request asked is what the run answers; `request` may be NULL. */
void request_tell(const struct call *request, struct open_run *run);
void request_leave_lane(struct request *request);
/* Closes its runs, as of what is known of the response now. */
void request_end_runs(struct run_stage *stage, struct request *request);

/* calls.c. NULL: no memory or no place. */
struct open_run *calls_run(struct run_stage *stage, const struct who *who, const struct call *call);
/* A request turns out to be answered by the lane: gives it the lane's runs that began after it. */
void calls_give(struct run_stage *stage, struct lane *lane, struct request *request);
/* Reports what waited for a response. */
void calls_report(struct run_stage *stage, struct lane *lane);
/* Closes the lane's runs by calls whose endpoint is not on this stack any more; NULL: all of them. */
void calls_leave(struct run_stage *stage, struct lane *lane, const struct stack *stack);
/* Closes those of this endpoint: a better way has taken over. */
void calls_leave_endpoint(struct run_stage *stage, struct lane *lane, const struct code *code);
/* Closes those that have no open call and saw nothing since `before`. */
void calls_flush(struct run_stage *stage, struct lane *lane, uint64_t before);
void callers_free(struct run_stage *stage, struct callers *callers);
/* Could some caller of the endpoint at `index` in its lane call again with nothing to be seen of it? */
bool calls_repeat_unseen(const struct stack *stack, uint32_t index);

#endif
