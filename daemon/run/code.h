/*
 * code.h: the processes, with their code objects and stacks, as the kernel side told of them.
 *
 * A code object is known by its address in its process, until another one comes at the same address: then stacks that
 * named the old one keep it. A stack can come before its code objects do: it holds their places.
 * Neighbours: endpoint.c reads them, calls.c asks a code object where it loops.
 */
#ifndef NT_RUN_CODE_H
#define NT_RUN_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each table's element has a `refused` that says so when it had no memory to grow. */
#define uthash_nonfatal_oom(element) ((element)->refused = true)
#include "../hash.h"

#include "../../bpf/event.h"
#include "../map.h"
#include "flow.h"
#include "landmark.h"
#include "run.h"

#define CODE_MAX_PROCESSES 16384   /* at once; more are unknown */
#define CODE_MAX_BYTES (64u << 20) /* of line tables and instructions together; code beyond has none */
#define CODE_NO_OFFSET UINT32_MAX

/* Whose code it is, by its file (endpoint.c). */
enum code_own {
	CODE_FOREIGN, /* the standard library's or a package's */
	CODE_TYPED,   /* <string>, <stdin>: the application's only where nothing else on a stack is */
	CODE_OWN,     /* the application's */
};

/* What kind of frame it makes. */
enum code_kind {
	CODE_FUNCTION,
	CODE_MODULE,	    /* a module's body */
	CODE_COMPREHENSION, /* part of the function that it stands in */
};

struct dispatcher;

/* A code object. Counted references: the table of its process has one, each frame of a stack, and who else keeps it. */
struct code {
	UT_hash_handle hh;
	uint64_t address;
	uint32_t references;
	uint8_t minor;	/* of its Python 3; 0 not known */
	bool known;	/* its NT_CODE came: else only its place is held */
	bool qualified; /* `name` is the qualified one */
	bool called;	/* a call belonged to it as an endpoint */
	bool refused;
	enum code_own own;
	enum code_kind kind;
	enum landmark landmark;
	uint32_t flags;			     /* co_flags */
	bool named_by_user;		     /* some --endpoint matches it */
	bool wrapper;			     /* takes whatever arguments come, as what a decorator makes does */
	const struct dispatcher *dispatcher; /* what it calls is an endpoint; NULL: not so */
	uint32_t first_line, code_start;
	char *file, *name;
	char *title; /* module.name; the file's stem stands for a module that is not known */
	uint8_t *lines, *instructions;
	uint32_t lines_size, lines_full, instructions_size;
	bool whole;	/* `instructions` has all of them */
	bool flow_made; /* `flow` says what there is to say, NULL too */
	struct flow *flow;
	const struct run_endpoint *endpoint; /* place.c's, once asked for */
};

struct stack_frame {
	struct code *code;
	uint32_t instruction; /* nt_frame's */
	bool from_c;	      /* entered from C code */
	bool generator;	      /* a generator's or a coroutine's */
};

/* What a stack says, found once (endpoint.c). */
struct stack_verdict {
	uint32_t generation;		     /* of the rules by which; 0: not found yet */
	const struct run_endpoint *endpoint; /* NULL: none */
	const struct run_site *site;	     /* NULL: none */
	struct code *code;		     /* the endpoint's */
	uint16_t index;			     /* its frame */
	bool certain;	     /* a dispatcher or a pattern says so: frames outside would not change the endpoint */
	bool repeats_unseen; /* some caller of the endpoint could call again with nothing to be seen of it */
	bool afterwards;     /* it is at what comes behind the response */
	bool received;	     /* it looks at what was read on a connection just now */
	bool worker;	     /* on a pool's thread */
	int16_t root;	     /* frame of the asyncio task's coroutine; -1: none */
	bool eager;	 /* the task begins at once, inside of another one: the root is not the outermost coroutine */
	int16_t carrier; /* frame whose first local is the piece of work; -1: none */
	uint16_t inside; /* frames that work for one task: those of an event loop are outside */
	uint64_t after;	 /* `number` of the stack that calls.c looked at last as the one before it; 0: none */
	uint16_t after_index; /* the endpoint's frame on that one */
	bool reached;	      /* it can come after it */
	uint16_t outside;     /* callers of the endpoint that belong to its lane: what they do tells runs apart */
};

/* Counted references like code's. */
struct stack {
	uint64_t id;
	uint64_t number; /* never used again, unlike its address */
	uint32_t references;
	struct stack_verdict verdict;
	uint32_t depth;
	struct stack_frame frames[]; /* innermost first */
};

struct lane;
struct origin;

#define PROCESS_MAX_LOOPS 64 /* of more it is not known that they are one */

struct process {
	UT_hash_handle hh;
	uint32_t pid;
	uint8_t minor; /* of its Python 3; 0 not known */
	bool refused;
	bool greenlets;	   /* it has a library that runs several of them on a thread */
	bool tasks_answer; /* it was told of tasks that were made for requests: of others, those from before */
	uint64_t start;	   /* when it started; 0 not known */
	struct code *codes;
	struct map stacks;	/* by id */
	struct lane *lanes;	/* lane.c's */
	struct origin *origins; /* origin.c's */
	/* Where event loops are called that have no frames of their own: hashes of the frames outside (who.c) */
	uint64_t loops[PROCESS_MAX_LOOPS];
	unsigned loop_count;
};

struct code_table {
	struct process *processes;
	struct process *recent; /* the one that was asked for last */
	unsigned process_count, code_count, stack_count;
	uint64_t numbers; /* given to stacks so far */
	size_t bytes;	  /* of line tables and instructions */
};

/* NULL: not known. */
struct process *process_find(struct code_table *table, uint32_t pid);
/* Finds or makes it; NULL: no memory or no place. */
struct process *process_get(struct code_table *table, uint32_t pid);
/* Sets its Python's version, for the code objects that came before as well. */
void process_set_minor(struct process *process, uint8_t minor);
/* Forgets its code objects and stacks; who holds them keeps them. */
void process_empty(struct code_table *table, struct process *process);
/* And itself; its threads are gone already. */
void process_remove(struct code_table *table, struct process *process);

/*
 * Take one record each. 0; -ENOMEM; -ENOSPC: the table is full; -EBADMSG: malformed. code_take() returns the code
 * object that has come or changed, for endpoint.c to look at; NULL when it is what was there before.
 */
int code_take(struct code_table *table, const struct nt_code *record, struct code **ret_code);
int stack_take(struct code_table *table, const struct nt_stack *record);

/* Sets what NT_MODULE says. 1 if that is news, 0, or -ENOMEM. */
int code_set_module(struct code *code, const char *module, size_t size);

struct code *code_find(struct process *process, uint64_t address);
struct stack *stack_find(struct process *process, uint64_t id);
struct code *code_hold(struct code *code);
struct stack *stack_hold(struct stack *stack);
void code_release(struct code_table *table, struct code *code);
void stack_release(struct code_table *table, struct stack *stack);

/* Where in the code a frame is, in bytes from the first instruction; CODE_NO_OFFSET if it makes no sense. */
uint32_t frame_offset(const struct stack_frame *frame);
/* The line that a frame is at; 0 not known. */
uint32_t frame_line(const struct stack_frame *frame);
/* Made at the first question; NULL: nothing is known. */
const struct flow *code_flow(struct code *code);

#endif
