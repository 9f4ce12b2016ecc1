/*
 * merge.c: adds one summary's rows to another's; the other half of summary.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "rows.h"

/* Keeps the first error, so that what can be merged is. */
static void keep(int *err, int other)
{
	if (!*err)
		*err = other;
}

static int merge_operation(struct summary *summary, struct summary_backend *backend,
			   const struct summary_operation *from)
{
	struct summary_operation *into = row_operation(summary, backend, from->name);

	if (!into)
		return -ENOMEM;
	into->calls += from->calls;
	into->keys += from->keys;
	into->errors += from->errors;
	into->client_errors += from->client_errors;
	return histogram_merge(&into->latency, &from->latency);
}

static int merge_backend(struct summary *summary, struct summary_endpoint *endpoint, const struct summary_backend *from)
{
	struct summary_backend *into = row_backend(summary, endpoint, &from->key);
	int err = 0;

	if (!into)
		return -ENOMEM;
	into->calls += from->calls;
	into->round_trips += from->round_trips;
	into->keys += from->keys;
	into->connects += from->connects;
	into->run_calls += from->run_calls;
	into->bytes_out += from->bytes_out;
	into->bytes_in += from->bytes_in;
	into->errors += from->errors;
	into->client_errors += from->client_errors;
	keep(&err, histogram_merge(&into->latency, &from->latency));
	keep(&err, histogram_merge(&into->wait, &from->wait));
	for (const struct summary_operation *row = from->operations; row; row = row->hh.next)
		keep(&err, merge_operation(summary, into, row));
	for (size_t i = 0; i < from->site_count; i++) {
		const struct summary_site *site = &from->sites[i];

		keep(&err, row_add_site(into, site->function, site->file, site->line, site->calls));
	}
	return err;
}

static void merge_times(struct summary_times *into, const struct summary_times *from)
{
	into->runs += from->runs;
	into->wall += from->wall;
	into->network += from->network;
	into->cpu += from->cpu;
	into->run_queue += from->run_queue;
	into->lock += from->lock;
	into->sleep += from->sleep;
	into->other += from->other;
}

/* Two majority votes together: the one with more votes wins, less what the other had. */
static int merge_route(struct summary_endpoint *into, const struct summary_endpoint *from)
{
	if (!from->route)
		return 0;
	if (into->route && !strcmp(into->route, from->route)) {
		into->route_votes += from->route_votes;
		return 0;
	}
	if (into->route && into->route_votes >= from->route_votes) {
		into->route_votes -= from->route_votes;
		return 0;
	}
	char *copy = strdup(from->route);

	if (!copy)
		return -ENOMEM;
	into->route_votes = from->route_votes - (into->route ? into->route_votes : 0);
	free(into->route);
	into->route = copy;
	return 0;
}

static int merge_endpoint(struct summary *summary, struct summary_endpoint *into, const struct summary_endpoint *from)
{
	int err = 0;

	into->runs += from->runs;
	into->inexact_runs += from->inexact_runs;
	into->run_calls += from->run_calls;
	into->run_round_trips += from->run_round_trips;
	into->partial_runs += from->partial_runs;
	for (int source = 0; source <= RUN_BY_CALLS; source++)
		into->runs_by[source] += from->runs_by[source];
	into->calls += from->calls;
	into->round_trips += from->round_trips;
	into->errors += from->errors;
	merge_times(&into->times, &from->times);
	keep(&err, histogram_merge(&into->wall, &from->wall));
	keep(&err, histogram_merge(&into->network, &from->network));
	keep(&err, merge_route(into, from));
	keep(&err, findings_merge(summary, into, from));
	for (const struct summary_backend *row = from->backends; row; row = row->hh.next)
		keep(&err, merge_backend(summary, into, row));
	return err;
}

int summary_merge(struct summary *into, const struct summary *from)
{
	int err = 0;

	for (const struct summary_endpoint *row = from->endpoints; row; row = row->hh.next) {
		struct summary_endpoint *same = row_endpoint(into, row->name, row->file, row->line);

		keep(&err, same ? merge_endpoint(into, same, row) : -ENOMEM);
	}
	keep(&err, merge_endpoint(into, &into->unattributed, &from->unattributed));
	into->requests += from->requests;
	into->requests_without_endpoint += from->requests_without_endpoint;
	keep(&err, histogram_merge(&into->request_latency, &from->request_latency));
	into->unattributed_calls += from->unattributed_calls;
	for (int reason = 0; reason < RUN_REASON_COUNT; reason++)
		into->reasons[reason] += from->reasons[reason];
	into->findings_refused += from->findings_refused;
	into->truncated |= from->truncated;
	return err;
}
