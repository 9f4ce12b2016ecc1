/*
 * plan.h: what the files of this folder share: how a kind of finding proposes a change of a run, and what becomes of
 *it.
 *
 *	stage.c      one run after the other through all kinds; what is remembered across runs
 *	table.c      the kinds, in the order in which they are asked
 *	duplicate.c n_plus_one.c serial.c repeated.c reconnect.c slow_start.c stalled.c
 *	group.c      the calls of a run by what they are
 *	index.c      what is known of a request, a key or a value within a run
 *	question.c   reads as questions that may be asked again, and what writes change of their answers
 *	passing.c    where the values of requests came from
 *	remember.c   bounded tables across runs
 *	share.c      what counts as a share of the calls that could have been it
 *	dependency.c which calls of a run need which others' answers
 *	timeline.c   the run's calls as they lie in time, lane by lane
 *	library.c    what client libraries take around their calls
 *	schedule.c   what the timeline would be with proposals applied to it
 *	rules.c      thresholds
 *
 * A kind only says which calls, and what would become of them; how much time that saves is for schedule.c to say, for
 * each proposal alone and for all together.
 */
#ifndef NT_FINDING_PLAN_H
#define NT_FINDING_PLAN_H

#include "finding.h"

struct library_table;
struct schedule;
struct timeline;

#define PLAN_FIRST UINT32_MAX

enum plan_change {
	PLAN_REMOVE,   /* none of `calls` is made: their time goes, and their client library's along with it */
	PLAN_COLLAPSE, /* `calls` become one round trip, where the first of them is */
	PLAN_AT_ONCE,  /* `calls` are made at the same time, where the first of them is */
	PLAN_SHORTEN,  /* each takes `less` of its time less */
};

/* Does call i of the run need the answer of an earlier one? */
enum dependency {
	DEPENDENCY_NONE,    /* no data was seen passed on */
	DEPENDENCY_UNKNOWN, /* an answer is not all there to look at, or cannot be read */
	DEPENDENCY_SEEN,
};

struct plan_proposal {
	enum finding_kind kind;
	enum plan_change change;
	const char *operation, *evidence, *remedy; /* struct finding's; operation NULL: the first call's */
	uint32_t *calls; /* numbers of run->made that it changes, ascending; the plan's memory */
	uint64_t *less;	 /* PLAN_SHORTEN: ns, one a call; else NULL */
	uint32_t count;
	/*
	 * Number of the call whose backend, operation and example stand for them, in `calls` or (REMOVE: the one that
	 * is asked again) not; PLAN_FIRST: calls[0].
	 */
	uint32_t shown;
	uint32_t needless;	      /* struct finding's */
	uint32_t candidates;	      /* likewise */
	bool sure;		      /* false: it counts in the high end of the range only */
	struct finding_saving saving; /* alone; stage.c's, unless who proposes has asked for it (`weighed`) */
	bool weighed;
	bool apart; /* it is not among `all together` (repeated: it takes a cache, with what that brings) */
};

/* A run that is looked at. */
struct plan {
	struct finding_stage *stage;
	const struct run *run;
	const struct finding_rules *rules;
	struct plan_proposal *proposals; /* plan_propose() */
	size_t proposal_count;
	/* Made when they are asked for first: */
	struct timeline *timeline;
	struct schedule *schedule;
	bool no_memory;
	uint64_t *backends;	     /* index.c's */
	struct question_list *asked; /* question.h, once asked for */
	struct group_table *groups;  /* group.h, likewise */
	struct passing *passing;     /* passing.h, likewise */
};

struct finding_type {
	enum finding_kind kind;
	bool (*is_on)(const struct finding_rules *rules);
	void (*find)(struct plan *plan);						 /* adds proposals */
	void (*closed)(struct finding_stage *stage, const struct call_closing *closing); /* may be NULL */
	void (*clear)(struct finding_stage *stage); /* frees what it remembers in stage->memory[kind]; may be NULL */
};
extern const struct finding_type *const finding_types[]; /* ended by NULL */
extern const struct finding_type finding_duplicate, finding_n_plus_one, finding_serial, finding_repeated,
    finding_reconnect, finding_slow_start, finding_stalled;

/*
 * stage.c. A proposal with room for `count` calls, filled with zeroes but for that; NULL without memory (noted in the
 * plan). Those with `count` left at 0 are dropped, unless they have candidates, and `shown` that stands for them: then
 * they tell only how many there were.
 */
struct plan_proposal *plan_propose(struct plan *plan, enum finding_kind kind, enum plan_change change, uint32_t count);
/* Memory for this plan only; NULL without. */
void *plan_allocate(struct plan *plan, size_t size);
/* What a kind remembers across runs: its own to fill and, in `clear`, to free. */
void **plan_memory(struct finding_stage *stage, enum finding_kind kind);
struct finding_stats *plan_stats(struct finding_stage *stage);

/*
 * dependency.c. Between calls i < j of the run, of which j began after i had ended. Dependency shows in the bytes (a
 * value of i's answer is in j's request and was not known before it), in a connection that keeps its order, in a write
 * to what both name, and where j asks again what i has asked.
 */
enum dependency dependency_between(struct plan *plan, uint32_t i, uint32_t j);

/* schedule.c: what the wall time of the run would be less, with these proposals of the plan applied together. */
struct finding_saving schedule_saving(struct plan *plan, const struct plan_proposal *const *proposals, size_t count);

/*
 * library.c. What a client library takes around a call to this backend: its own time before the first byte and after
 * the last one together, in ns; 0 while that is not known.
 */
uint64_t library_time(struct plan *plan, const char *protocol, const struct call_backend *where);
/* Learns that from a run as it was. */
void library_learn(struct plan *plan);
void library_free(struct library_table *table);
struct library_table **plan_libraries(struct finding_stage *stage); /* stage.c: library.c's to fill */

#endif
