/*
 * summary.h: counters and distributions per endpoint, bounded and mergeable.
 *
 * Last stage of the core, between run/ and output/. A summary covers an interval or the whole
 * capture; outputs only read it.
 */
#ifndef NT_SUMMARY_H
#define NT_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../run/run.h"
#include "histogram.h"

#define SUMMARY_MAX_ENDPOINTS 4096  /* what has no place goes to the endpoint "(other)" */
#define SUMMARY_MAX_BACKENDS 256    /* per endpoint; then "(other)" */
#define SUMMARY_MAX_OPERATIONS 256  /* per backend; then "(other)" */
#define SUMMARY_MAX_SITES 16	    /* per backend; then none */
#define SUMMARY_MAX_TARGETS 1024    /* shown; more are traced but not listed */

struct summary_operation {
	char *name;
	uint64_t calls, keys, errors, client_errors;
	struct histogram latency;
};

struct summary_site {
	const char *function, *file;
	uint32_t line;
	uint64_t calls;
};

struct summary_backend {
	char *protocol;
	char *address; /* as people write it: 10.0.0.5:6379, [::1]:80 */
	uint64_t calls, round_trips, keys, connects, bytes_out, bytes_in, errors, client_errors;
	struct histogram latency, wait; /* ns */
	struct summary_operation *operations;
	size_t operation_count;
	struct summary_site *sites;
	size_t site_count;
};

struct summary_endpoint {
	char *name, *file, *route;
	uint32_t line;
	uint64_t runs;
	uint64_t inexact_runs;
	uint64_t runs_by[3]; /* by enum run_source */
	uint64_t calls, round_trips, errors;
	struct histogram wall, network; /* ns */
	struct summary_backend *backends;
	size_t backend_count;
};

struct summary_target {
	uint32_t pid;
	char *command;
	uint8_t python[3];
	uint8_t attribution; /* enum nt_attribution */
};

/* What the summary as a whole says; filled by pipeline.c. */
struct summary_facts {
	char *version, *host, *release, *hooks;
	uint64_t start_wall;   /* ns since the epoch: when this summary's time began */
	uint64_t duration;     /* ns */
	bool final;
	struct nt_loss lost;   /* within this summary's time */
	uint64_t lost_unparsed, lost_bytes, lost_stacks_core;
	struct nt_cost cost;   /* summed over this summary's time */
	uint64_t ring_bytes;
};

struct summary {
	struct summary_facts facts;
	struct summary_target *targets;
	size_t target_count;
	struct summary_endpoint *endpoints;
	size_t endpoint_count;
	uint64_t requests, requests_without_endpoint;
	struct histogram request_latency; /* ns */
	uint64_t unattributed_calls;
	uint64_t reasons[RUN_REASON_COUNT];
	struct summary_endpoint unattributed; /* its backends */
	bool truncated; /* some table was full: "(other)" is in use */
};

/* Returns NULL without memory. */
struct summary *summary_new(void);
void summary_free(struct summary *summary);

/* Empties it, keeping nothing. */
void summary_clear(struct summary *summary);

/* Adds what `from` has to `into`; facts and targets are left alone. 0 or -ENOMEM (partly merged). */
int summary_merge(struct summary *into, const struct summary *from);

/* Fill it; the arguments are those of struct run_sink. 0 or -ENOMEM. */
int summary_add_call(struct summary *summary, const struct call *call, const struct run_endpoint *endpoint,
		     const struct run_site *site, enum run_reason reason);
int summary_add_run(struct summary *summary, const struct run *run);
void summary_add_request(struct summary *summary, const struct call *request, bool had_run);

/* Adds or updates a target. 0 or -ENOMEM. */
int summary_set_target(struct summary *summary, const struct nt_process *process);

/* Orders endpoints by network time in total, backends and operations by calls, ties by name: outputs read it so. */
void summary_sort(struct summary *summary);

#endif
