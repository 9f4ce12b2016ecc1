/*
 * summary.h: counters and distributions per endpoint, bounded and mergeable.
 *
 * Last stage of the core, between finding/ and output/. A summary covers an interval or the whole
 * capture; outputs only read it.
 */
#ifndef NT_SUMMARY_H
#define NT_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../finding/finding.h"
#include "../hash.h"
#include "../run/run.h"
#include "histogram.h"

#define SUMMARY_MAX_ENDPOINTS 4096 /* what has no place goes to the endpoint "(other)" */
#define SUMMARY_MAX_BACKENDS 256   /* per endpoint; then "(other)" */
#define SUMMARY_MAX_OPERATIONS 256 /* per backend; then "(other)" */
#define SUMMARY_MAX_FINDINGS 32	   /* per endpoint; more are counted in summary_unanalysed.findings */
#define SUMMARY_MAX_ROWS 8192	   /* of these tables together: a row takes one or two KiB, an endpoint up to six */
#define SUMMARY_MAX_SITES 16	   /* per backend; the calls of more are in no site */
#define SUMMARY_MAX_TARGETS 1024   /* listed; of more it is said how many they are */

#define SUMMARY_OTHER "(other)"

#define SUMMARY_RECENT_ENDPOINTS 64 /* whose rows are found without a look into the tables */
#define SUMMARY_RECENT_BACKENDS 4

/* The rows are uthash tables, whose order summary_sort() sets: `for (row = head; row; row = row->hh.next)`. */
struct summary_operation {
	char *name;
	uint64_t calls, keys, errors, client_errors;
	struct histogram latency; /* ns */
	UT_hash_handle hh;	  /* by name */
};

/* Its strings are the run stage's, which lives longer. */
struct summary_site {
	const char *function, *file;
	uint32_t line;
	uint64_t calls;
};

#define SUMMARY_PROTOCOL_SIZE 20
#define SUMMARY_ADDRESS_SIZE 56 /* as people write it: 10.0.0.5:6379, [::1]:80 */

struct summary_backend_key {
	char protocol[SUMMARY_PROTOCOL_SIZE]; /* the rest is 0 */
	struct call_backend where;
};
_Static_assert(sizeof(struct summary_backend_key) == SUMMARY_PROTOCOL_SIZE + 4 + NT_ADDRESS_SIZE, "hashed as bytes");

struct summary_backend {
	struct summary_backend_key key;
	const char *protocol; /* static, likewise; NULL: rows.c was not asked by it */
	char address[SUMMARY_ADDRESS_SIZE];
	uint64_t calls, round_trips, keys, connects, bytes_out, bytes_in, errors, client_errors;
	uint64_t run_calls;		/* calls of the endpoint's `runs` */
	struct histogram latency, wait; /* ns */
	struct summary_operation *operations;
	struct summary_operation *recent; /* that was asked for last */
	struct summary_site *sites;
	size_t site_count;
	UT_hash_handle hh; /* by key */
};

/*
 * A finding in an endpoint's runs: those of one kind, backend and operation are one; those of `serial` are by their
 * evidence and places. Sums are over the runs that have it.
 */
struct summary_finding {
	enum finding_kind kind;
	struct summary_backend_key backend; /* of the call that stands for them; of `serial`, in most runs */
	char address[SUMMARY_ADDRESS_SIZE];
	char operation[PROTOCOL_OPERATION_SIZE]; /* masked; of the same call */
	bool many_backends;			 /* calls go to others as well */
	char *example;				 /* not masked, of the first run that had any; or NULL */
	const char *evidence, *remedy;		 /* struct finding's: static */
	uint64_t runs, calls, needless, candidates;
	struct finding_saving saving; /* ns */
	struct summary_site sites[FINDING_MAX_SITES];
	size_t site_count;
	uint64_t votes;	     /* for its operation and backend */
	uint64_t last_round; /* when something was added last, by the endpoint's finding_rounds */
};

/* Runs that findings were looked for in, as they were and without what was found: distributions of wall time, ns. */
struct summary_analysed {
	struct histogram now, then;
	struct histogram best, worst; /* with the most that can be saved, and with the least */
};

/* What runs spent their wall time on; of those that had a thread for themselves. ns, sums; the parts add up to `wall`.
 */
struct summary_times {
	uint64_t runs, wall;
	uint64_t network, cpu, run_queue, lock, sleep, other;
};

struct summary_endpoint {
	char *key; /* name NUL file NUL line: two functions of one name are two endpoints */
	const char *name, *file;
	uint32_t line;
	char *route;	      /* of most runs where one has more than half, else of some; NULL: none */
	uint64_t route_votes; /* see summary_add_run() */
	uint64_t runs;	      /* whole ones: the rest, and what is of runs, is of these */
	uint64_t inexact_runs;
	uint64_t run_calls; /* calls of them; all calls are in `calls` */
	uint64_t run_round_trips;
	uint64_t partial_runs; /* that the capture's beginning or end has cut */
	uint64_t runs_by[3];   /* by enum run_source */
	uint64_t calls, round_trips, errors;
	struct histogram wall, network; /* ns */
	struct summary_times times;
	struct summary_analysed analysed;
	struct summary_finding *findings;
	size_t finding_count, finding_room;
	uint64_t finding_rounds; /* runs, or summaries, whose findings were added */
	struct summary_backend *backends;
	struct summary_backend *recent[SUMMARY_RECENT_BACKENDS]; /* rows that were asked for lately */
	unsigned recent_next;					 /* where the next one goes, modulo their number */
	UT_hash_handle hh;					 /* by key */
};

/* Which row an endpoint of the run stage's has. */
struct summary_recent {
	const struct run_endpoint *endpoint;
	struct summary_endpoint *row;
};

struct summary_target {
	uint32_t pid;
	uint64_t start; /* with the pid its identity */
	char *command;
	uint8_t python[3];
	uint8_t attribution; /* enum nt_attribution */
	bool exited;
};

/* What is missing from a summary: all members are uint64_t counts, named in summary_lost_kinds. */
struct summary_lost {
	uint64_t records, stacks, payload, unparsed, bytes, sockets, processes, threads, probes;
	uint64_t calls, connections, orphans, runs, handovers, intents, malformed;
	uint64_t summaries; /* that their reader was too slow for: counted where they are written, not by the core */
};

struct summary_lost_kind {
	const char *name;  /* key in JSON */
	const char *words; /* behind the number, for people */
	size_t offset;	   /* in struct summary_lost, or summary_unanalysed */
};

/* Ended by an entry whose name is NULL. */
extern const struct summary_lost_kind summary_lost_kinds[];

static inline uint64_t *summary_lost_count(struct summary_lost *lost, const struct summary_lost_kind *kind)
{
	return (uint64_t *)((char *)lost + kind->offset);
}

/*
 * What findings say nothing of, because it had no place: counts, named in summary_unanalysed_kinds. No call is missing
 * from the summary for it.
 */
struct summary_unanalysed {
	uint64_t runs, contents, findings, answers, connections, libraries;
};
extern const struct summary_lost_kind summary_unanalysed_kinds[];

static inline uint64_t summary_unanalysed_count(const struct summary_unanalysed *unanalysed,
						const struct summary_lost_kind *kind)
{
	return *(const uint64_t *)((const char *)unanalysed + kind->offset);
}

/* What the summary as a whole says; filled by pipeline.c. */
struct summary_facts {
	char *version, *host, *release, *hooks;
	char *reduced;	     /* what was given up to keep the cost down; NULL: nothing */
	uint64_t walks;	     /* of so many calls one was walked, at the end */
	uint64_t start_wall; /* ns since the epoch: when this summary's time began; 0: not known */
	uint64_t duration;   /* ns */
	bool final;
	struct summary_lost lost;	      /* within this summary's time */
	struct summary_unanalysed unanalysed; /* likewise, but for what the summary itself had no place for */
	struct finding_rules rules;	      /* that findings are shown by */
	struct nt_cost cost;		      /* summed over this summary's time; daemon_rss is the highest */
	uint64_t ring_bytes;
};

struct summary {
	struct summary_facts facts;
	struct summary_target *targets;
	size_t target_count;
	uint64_t targets_more; /* that the list had no place for */
	struct summary_endpoint *endpoints;
	struct summary_recent recent[SUMMARY_RECENT_ENDPOINTS]; /* that were asked for last, by their address */
	size_t rows;						/* of all tables, "(other)" ones not counted */
	uint64_t requests, requests_without_endpoint;
	struct histogram request_latency; /* ns */
	uint64_t unattributed_calls;
	uint64_t reasons[RUN_REASON_COUNT];
	struct summary_endpoint unattributed; /* its backends */
	uint64_t findings_refused;	      /* beyond SUMMARY_MAX_FINDINGS: one a run */
	bool truncated;			      /* some table was full: "(other)" is in use */
};

/* Returns NULL without memory. */
struct summary *summary_new(void);
void summary_free(struct summary *summary);

/* Empties it, keeping nothing. */
void summary_clear(struct summary *summary);

/* Adds what `from` has to `into`; facts and targets are left alone. 0 or -ENOMEM (partly merged). */
int summary_merge(struct summary *into, const struct summary *from);

/* Fill it; the arguments are those of struct run_sink, with endpoints known by their addresses. 0 or -ENOMEM. */
int summary_add_call(struct summary *summary, const struct call *call, const struct run_endpoint *endpoint,
		     const struct run_site *site, enum run_reason reason);
/* `report`: what was found in it; NULL: nothing was looked for. */
int summary_add_run(struct summary *summary, const struct run *run, const struct finding_report *report);
void summary_add_request(struct summary *summary, const struct call *request, bool had_run);

/* Adds or updates a target. 0 or -ENOMEM. */
int summary_set_target(struct summary *summary, const struct nt_process *process);

/* The target has ended; it stays listed. */
void summary_end_target(struct summary *summary, uint32_t pid);

/* Empties it like summary_clear(), but keeps the targets that have not ended. */
void summary_next(struct summary *summary);

/* Calls of all endpoints and unattributed ones. */
uint64_t summary_calls(const struct summary *summary);

/*
 * Orders endpoints by network time in total, backends and operations by calls, findings by what they would save in all,
 * ties by name: outputs read it so.
 */
void summary_sort(struct summary *summary);

/* With what the summary's own tables had no place for. */
struct summary_unanalysed summary_unanalysed(const struct summary *summary);

/* Is it one by the summary's rules, seen over all of its runs? */
bool summary_is_shown(const struct summary *summary, const struct summary_endpoint *endpoint,
		      const struct summary_finding *finding);

/* Medians of the wall time of an endpoint's analysed runs, ns. Without `runs` they say nothing. */
struct summary_prediction {
	uint64_t runs;
	double now, then; /* `then`: without all findings but `repeated`; `now` where none of them is shown */
	double low, high; /* range of `then` */
};
struct summary_prediction summary_predict(const struct summary *summary, const struct summary_endpoint *endpoint);

#endif
