/*
 * summary.c: fills a summary with calls, runs, requests and targets (summary.h).
 *
 * rows.c has its tables, findings.c what was found, merge.c adds one summary to another, sort.c puts it in order.
 */
#include "summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "rows.h"

#define LOST(member, said)                                                                                             \
	{                                                                                                              \
#member, said, offsetof(struct summary_lost, member)                                                   \
	}

const struct summary_lost_kind summary_lost_kinds[] = {
    LOST(records, "records that found the ring full"),
    LOST(stacks, "Python stacks"),
    LOST(payload, "payloads that could not be read"),
    LOST(unparsed, "bytes that no protocol reader understood"),
    LOST(bytes, "bytes that the kernel counted and we did not see"),
    LOST(sockets, "sockets without a place in the kernel's table"),
    LOST(processes, "processes without a place in the kernel's table"),
    LOST(threads, "threads without a place in the kernel's table"),
    LOST(probes, "probe hits that the kernel skipped"),
    LOST(calls, "calls beyond what one connection may have open"),
    LOST(connections, "connections beyond the table"),
    LOST(orphans, "records of unknown connections"),
    LOST(runs, "runs beyond the table"),
    LOST(handovers, "hand-overs of work beyond the table"),
    LOST(intents, "delayed sends beyond the table"),
    LOST(malformed, "malformed records"),
    LOST(summaries, "summaries that their reader was too slow for"),
    {NULL, NULL, 0},
};

#define UNANALYSED(member, said)                                                                                       \
	{                                                                                                              \
#member, said, offsetof(struct summary_unanalysed, member)                                             \
	}

const struct summary_lost_kind summary_unanalysed_kinds[] = {
    UNANALYSED(runs, "runs with too many calls to keep"),
    UNANALYSED(contents, "calls whose content had no place"),
    UNANALYSED(findings, "findings beyond the tables"),
    UNANALYSED(answers, "answers beyond those that are remembered from run to run"),
    UNANALYSED(connections, "connections beyond those that are remembered from run to run"),
    UNANALYSED(libraries, "calls to backends beyond those whose client library's time is learned"),
    {NULL, NULL, 0},
};

struct summary *summary_new(void)
{
	return calloc(1, sizeof(struct summary));
}

void summary_clear(struct summary *summary)
{
	row_free_endpoints(summary);
	row_clear_endpoint(&summary->unattributed);
	histogram_free(&summary->request_latency);
	for (size_t i = 0; i < summary->target_count; i++)
		free(summary->targets[i].command);
	free(summary->targets);
	free(summary->facts.version);
	free(summary->facts.host);
	free(summary->facts.release);
	free(summary->facts.hooks);
	free(summary->facts.reduced);
	*summary = (struct summary){0};
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	summary_clear(summary);
	free(summary);
}

/* From `from` to `to`, 0 where either did not happen or they are the wrong way round (an early answer). */
static uint64_t span(uint64_t from, uint64_t to)
{
	return from && to > from ? to - from : 0;
}

/* What a backend and its operation count of a call alike. Only an answered call has a latency. */
#define COUNT_CALL(row, call)                                                                                          \
	do {                                                                                                           \
		(row)->calls++;                                                                                        \
		(row)->keys += (call)->keys;                                                                           \
		(row)->errors += (call)->error;                                                                        \
		(row)->client_errors += (call)->client_error;                                                          \
	} while (0)

static int add_times(struct summary_backend *backend, struct summary_operation *operation, const struct call *call)
{
	uint64_t latency = span(call->out_first, call->in_last);
	int err, first;

	if (!call->answered || !call->out_first)
		return 0;
	first = histogram_add(&backend->latency, latency);
	err = histogram_add(&backend->wait, span(call->out_last, call->in_first));
	first = first ? first : err;
	err = histogram_add(&operation->latency, latency);
	return first ? first : err;
}

static int add_to_backend(struct summary *summary, struct summary_backend *backend, const struct call *call,
			  const struct run_site *site)
{
	struct summary_operation *operation = row_operation(summary, backend, call->operation);
	int err = 0;

	COUNT_CALL(backend, call);
	backend->round_trips += call->round_trip;
	backend->bytes_out += call->bytes_out;
	backend->bytes_in += call->bytes_in;
	if (site)
		err = row_add_site(backend, row_text(site->function), row_text(site->file), site->line, 1);
	if (!operation)
		return -ENOMEM;
	COUNT_CALL(operation, call);
	int err_times = add_times(backend, operation, call);

	return err ? err : err_times;
}

int summary_add_call(struct summary *summary, const struct call *call, const struct run_endpoint *endpoint,
		     const struct run_site *site, enum run_reason reason)
{
	struct summary_endpoint *row = &summary->unattributed;
	struct summary_backend *backend;

	if (endpoint)
		row = row_of_endpoint(summary, endpoint);
	backend = row ? row_of_backend(summary, row, call->protocol, &call->backend) : NULL;

	if (!backend)
		return -ENOMEM;
	if (call->kind == CALL_CONNECT && !call->error) {
		backend->connects += call->answered; /* else the capture ended before it was made */
		return 0;
	}
	row->calls++;
	row->round_trips += call->round_trip;
	row->errors += call->error;
	if (!endpoint) {
		summary->unattributed_calls++;
		summary->reasons[reason < RUN_REASON_COUNT ? reason : RUN_OWNER_UNKNOWN]++;
	}
	return add_to_backend(summary, backend, call, site);
}

/*
 * Keeps the route that most runs had by majority vote (Boyer and Moore): each run votes for its route or
 * against the one that is kept, which changes when its votes are used up. One string however many routes there are.
 */
static int vote_route(struct summary_endpoint *row, const char *route)
{
	if (row->route && !strcmp(row->route, route)) {
		row->route_votes++;
		return 0;
	}
	if (row->route && row->route_votes) {
		row->route_votes--;
		return 0;
	}
	char *copy = strdup(route);

	if (!copy)
		return -ENOMEM;
	free(row->route);
	row->route = copy;
	row->route_votes = 1;
	return 0;
}

/* Says of the endpoint's backends how many of their calls were in this run. */
static int add_run_calls(struct summary *summary, struct summary_endpoint *row, const struct run *run)
{
	row->run_calls += run->calls;
	row->run_round_trips += run->round_trips;
	for (size_t i = 0; i < run->backend_count; i++) {
		struct summary_backend *backend =
		    row_of_backend(summary, row, run->backends[i].protocol, &run->backends[i].where);

		if (!backend)
			return -ENOMEM;
		backend->run_calls += run->backends[i].calls;
	}
	return 0;
}

static uint64_t take_part(uint64_t part, uint64_t *left)
{
	uint64_t taken = part < *left ? part : *left;

	*left -= taken;
	return taken;
}

/*
 * Parts a run's wall time. What the thread waited for while others made calls for it is the network's time: so that
 * comes first, and locks last, of what the thread says of itself.
 */
static void add_spent(struct summary_times *times, const struct run *run)
{
	uint64_t left = span(run->began, run->ended);

	if (!run->timed)
		return;
	times->runs++;
	times->wall += left;
	times->network += take_part(run->network, &left);
	times->cpu += take_part(run->spent.cpu, &left);
	times->run_queue += take_part(run->spent.run_queue, &left);
	times->sleep += take_part(run->spent.sleep, &left);
	times->lock += take_part(run->spent.lock, &left);
	times->other += left;
}

int summary_add_run(struct summary *summary, const struct run *run, const struct finding_report *report)
{
	struct summary_endpoint *row = row_of_endpoint(summary, run->endpoint);
	int err_route = 0, err_findings = 0, err_calls, err_wall, err_network;

	if (!row)
		return -ENOMEM;
	if (run->partial) {
		row->partial_runs++;
		return 0;
	}
	err_calls = add_run_calls(summary, row, run);
	row->runs++;
	row->inexact_runs += !run->exact;
	row->runs_by[run->source <= RUN_BY_CALLS ? run->source : RUN_BY_CALLS]++;
	if (run->route)
		err_route = vote_route(row, run->route);
	add_spent(&row->times, run);
	err_wall = histogram_add(&row->wall, span(run->began, run->ended));
	err_network = histogram_add(&row->network, run->network);
	if (report && report->analysed)
		err_findings = findings_add(summary, row, report);
	err_calls = err_calls ? err_calls : err_route ? err_route : err_findings;
	return err_calls ? err_calls : err_wall ? err_wall : err_network;
}

void summary_add_request(struct summary *summary, const struct call *request, bool had_run)
{
	summary->requests++;
	summary->requests_without_endpoint += !had_run;
	/* Without memory its count and sum are right, and the quantiles are those of the others. */
	if (request->answered && request->out_first)
		(void)histogram_add(&summary->request_latency, span(request->out_first, request->in_last));
}

static struct summary_target *find_target(struct summary *summary, uint32_t pid)
{
	for (size_t i = 0; i < summary->target_count; i++)
		if (summary->targets[i].pid == pid && !summary->targets[i].exited)
			return &summary->targets[i];
	return NULL;
}

static struct summary_target *add_target(struct summary *summary, uint32_t pid)
{
	struct summary_target *targets =
	    realloc(summary->targets, (summary->target_count + 1) * sizeof(*summary->targets));

	if (!targets)
		return NULL;
	summary->targets = targets;
	targets[summary->target_count] = (struct summary_target){.pid = pid};
	return &targets[summary->target_count++];
}

/* A full list gives up the one that ended first. NULL: all live. */
static struct summary_target *replace_target(struct summary *summary, uint32_t pid)
{
	size_t i = 0;

	while (i < summary->target_count && !summary->targets[i].exited)
		i++;
	if (i == summary->target_count)
		return NULL;
	free(summary->targets[i].command);
	summary->target_count--;
	memmove(summary->targets + i, summary->targets + i + 1,
		(summary->target_count - i) * sizeof(*summary->targets));
	return add_target(summary, pid);
}

/* The entry of a process; NULL: no memory, or (counted) no place. */
static struct summary_target *get_target(struct summary *summary, const struct nt_process *process)
{
	struct summary_target *target = find_target(summary, process->h.pid);

	if (target && target->start != process->start) { /* another one, and nothing told of the first one's end */
		target->exited = true;
		target = NULL;
	}
	if (target || summary->target_count < SUMMARY_MAX_TARGETS)
		return target ? target : add_target(summary, process->h.pid);
	if (!process->again)
		summary->targets_more++;
	return replace_target(summary, process->h.pid);
}

int summary_set_target(struct summary *summary, const struct nt_process *process)
{
	char *command = strndup((const char *)(process + 1), process->command_size);
	struct summary_target *target = command ? get_target(summary, process) : NULL;

	if (!target) {
		free(command);
		return command && summary->target_count == SUMMARY_MAX_TARGETS ? 0 : -ENOMEM;
	}
	free(target->command);
	target->command = command;
	target->start = process->start;
	target->python[0] = process->python_major;
	target->python[1] = process->python_minor;
	target->python[2] = process->python_micro;
	target->attribution = process->attribution;
	return 0;
}

void summary_end_target(struct summary *summary, uint32_t pid)
{
	struct summary_target *target = find_target(summary, pid);

	if (target)
		target->exited = true;
}

void summary_next(struct summary *summary)
{
	struct summary_target *targets = summary->targets;
	size_t count = summary->target_count, kept = 0;

	summary->targets = NULL;
	summary->target_count = 0;
	summary_clear(summary);
	for (size_t i = 0; i < count; i++) {
		if (targets[i].exited)
			free(targets[i].command);
		else
			targets[kept++] = targets[i];
	}
	summary->targets = targets;
	summary->target_count = kept;
}

uint64_t summary_calls(const struct summary *summary)
{
	uint64_t calls = summary->unattributed_calls;

	for (const struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next)
		calls += row->calls;
	return calls;
}
