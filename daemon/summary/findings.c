/*
 * findings.c: see findings.h.
 *
 * A run tells what was found in it; here the same finding of many runs becomes one row, and what the runs would have
 * taken without all of them becomes a distribution: savings overlap, so no sum of rows says that.
 */
#include "findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define FIRST_ROOM 4 /* of an endpoint with any finding */

/* What tells one finding from another. */
struct identity {
	enum finding_kind kind;
	const struct summary_backend_key *backend;
	const char *operation;
	struct summary_site first;
	const char *evidence; /* NULL: it says nothing about which row it is */
};

static bool same_text(const char *one, const char *other)
{
	return one == other || (one && other && !strcmp(one, other));
}

static bool same_place(const struct summary_site *one, const struct summary_site *other)
{
	return one->line == other->line && same_text(one->file, other->file) &&
	       same_text(one->function, other->function);
}

static struct summary_finding *find(const struct summary_endpoint *endpoint, const struct identity *identity)
{
	for (size_t i = 0; i < endpoint->finding_count; i++) {
		struct summary_finding *row = &endpoint->findings[i];

		if (row->kind == identity->kind && !memcmp(&row->backend, identity->backend, sizeof(row->backend)) &&
		    !strcmp(row->operation, identity->operation) && same_place(&row->first, &identity->first) &&
		    (!identity->evidence || same_text(row->evidence, identity->evidence)))
			return row;
	}
	return NULL;
}

static bool make_room(struct summary_endpoint *endpoint)
{
	size_t room = endpoint->finding_room ? 2 * endpoint->finding_room : FIRST_ROOM;
	struct summary_finding *rows;

	if (endpoint->finding_count < endpoint->finding_room)
		return true;
	rows = realloc(endpoint->findings, room * sizeof(*rows));
	if (!rows)
		return false;
	endpoint->findings = rows;
	endpoint->finding_room = room;
	return true;
}

/* Finds or adds a row. 0; 1: there is no place for it; -ENOMEM. */
static int get(struct summary *summary, struct summary_endpoint *endpoint, const struct identity *identity,
	       struct summary_finding **ret_row)
{
	struct summary_finding *row = find(endpoint, identity);
	char *operation;

	*ret_row = row;
	if (row)
		return 0;
	if (endpoint->finding_count == SUMMARY_MAX_FINDINGS || summary->rows == SUMMARY_MAX_ROWS)
		return 1;
	operation = make_room(endpoint) ? strdup(identity->operation) : NULL;
	if (!operation)
		return -ENOMEM;
	row = &endpoint->findings[endpoint->finding_count++];
	summary->rows++;
	*row = (struct summary_finding){
	    .kind = identity->kind,
	    .backend = *identity->backend,
	    .operation = operation,
	    .first = identity->first,
	    .evidence = identity->evidence,
	};
	row_format_address(&row->backend.where, row->address, sizeof(row->address));
	*ret_row = row;
	return 0;
}

static void add_site(struct summary_finding *row, const struct summary_site *site)
{
	size_t i = 0;

	while (i < row->site_count && !same_place(&row->sites[i], site))
		i++;
	if (i == FINDING_MAX_SITES)
		return;
	if (i == row->site_count) {
		row->sites[row->site_count++] = *site;
		return;
	}
	row->sites[i].calls += site->calls;
}

static struct summary_site make_site(const struct finding_site *from)
{
	const struct run_site *site = from->site;

	return (struct summary_site){.function = site->function ? site->function : "",
				     .file = site->file ? site->file : "",
				     .line = site->line,
				     .calls = from->calls};
}

static void add_saving(struct finding_saving *into, const struct finding_saving *saving)
{
	into->low += saving->low;
	into->expected += saving->expected;
	into->high += saving->high;
}

static int keep_example(struct summary_finding *row, const char *example)
{
	if (row->example || !example)
		return 0;
	row->example = strdup(example);
	return row->example ? 0 : -ENOMEM;
}

/* Which row a finding of a run belongs to. `key` is the backend's memory. */
static struct identity identify(const struct finding *finding, struct summary_backend_key *key)
{
	struct identity identity = {.kind = finding->kind, .backend = key, .operation = finding->operation};

	*key = (struct summary_backend_key){.where = finding->where};
	strncpy(key->protocol, finding->protocol, sizeof(key->protocol) - 1);
	if (finding->kind == FINDING_SERIAL && finding->site_count) {
		identity.first = make_site(&finding->sites[0]);
		identity.first.calls = 0;
	}
	if (finding->kind == FINDING_SERIAL) /* what is sure is one row, and what may be is another */
		identity.evidence = finding->evidence;
	return identity;
}

static int add_finding(struct summary *summary, struct summary_endpoint *endpoint, const struct finding *finding,
		       uint64_t run)
{
	struct summary_backend_key key;
	struct identity identity = identify(finding, &key);
	struct summary_finding *row;
	int refused = get(summary, endpoint, &identity, &row);

	if (refused > 0)
		summary->findings_refused++;
	if (refused)
		return refused < 0 ? refused : 0;
	row->candidates += finding->candidates;
	if (!finding->calls) /* of this run it tells no more */
		return 0;
	row->runs += row->last_run != run;
	row->last_run = run;
	row->many_backends |= finding->many_backends;
	row->evidence = finding->evidence;
	row->remedy = finding->remedy;
	row->calls += finding->calls;
	row->needless += finding->needless;
	add_saving(&row->saving, &finding->saving);
	for (size_t i = 0; i < finding->site_count; i++) {
		struct summary_site site = make_site(&finding->sites[i]);

		add_site(row, &site);
	}
	return keep_example(row, finding->example);
}

static uint64_t less(uint64_t wall, uint64_t saving)
{
	return wall > saving ? wall - saving : 0;
}

int findings_add(struct summary *summary, struct summary_endpoint *endpoint, const struct finding_report *report)
{
	struct summary_analysed *analysed = &endpoint->analysed;
	int errors[] = {
	    histogram_add(&analysed->now, report->wall),
	    histogram_add(&analysed->then, less(report->wall, report->then.expected)),
	    histogram_add(&analysed->best, less(report->wall, report->then.high)),
	    histogram_add(&analysed->worst, less(report->wall, report->then.low)),
	};
	int err = errors[0] ? errors[0] : errors[1] ? errors[1] : errors[2] ? errors[2] : errors[3];

	for (size_t i = 0; i < report->count; i++) {
		int other = add_finding(summary, endpoint, &report->findings[i], analysed->now.count);

		err = err ? err : other;
	}
	return err;
}

static int merge_row(struct summary *summary, struct summary_endpoint *into, const struct summary_finding *from)
{
	struct identity identity = {
	    .kind = from->kind,
	    .backend = &from->backend,
	    .operation = from->operation,
	    .first = from->first,
	    .evidence = from->kind == FINDING_SERIAL ? from->evidence : NULL,
	};
	struct summary_finding *row;
	int refused = get(summary, into, &identity, &row);

	if (refused > 0)
		summary->findings_refused += from->runs;
	if (refused)
		return refused < 0 ? refused : 0;
	row->runs += from->runs;
	row->many_backends |= from->many_backends;
	row->evidence = from->runs ? from->evidence : row->evidence;
	row->remedy = from->runs ? from->remedy : row->remedy;
	row->calls += from->calls;
	row->needless += from->needless;
	row->candidates += from->candidates;
	add_saving(&row->saving, &from->saving);
	for (size_t i = 0; i < from->site_count; i++)
		add_site(row, &from->sites[i]);
	return keep_example(row, from->example);
}

int findings_merge(struct summary *summary, struct summary_endpoint *into, const struct summary_endpoint *from)
{
	int err = histogram_merge(&into->analysed.now, &from->analysed.now);
	const struct histogram *histograms[] = {&from->analysed.then, &from->analysed.best, &from->analysed.worst};
	struct histogram *targets[] = {&into->analysed.then, &into->analysed.best, &into->analysed.worst};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		int other = histogram_merge(targets[i], histograms[i]);

		err = err ? err : other;
	}
	for (size_t i = 0; i < from->finding_count; i++) {
		int other = merge_row(summary, into, &from->findings[i]);

		err = err ? err : other;
	}
	return err;
}

static int more_first(uint64_t one, uint64_t other)
{
	return one == other ? 0 : one > other ? -1 : 1;
}

static int compare_sites(const void *left, const void *right)
{
	const struct summary_site *one = left, *other = right;
	int order = more_first(one->calls, other->calls);

	if (!order)
		order = strcmp(one->file, other->file);
	return order ? order : more_first(other->line, one->line);
}

/* The last words decide between equals, so that the same records always give the same order. */
static int compare(const void *left, const void *right)
{
	const struct summary_finding *one = left, *other = right;
	int order = more_first(one->saving.expected, other->saving.expected);

	if (!order)
		order = more_first(one->saving.high, other->saving.high);
	if (!order)
		order = more_first(other->kind, one->kind);
	if (!order)
		order = strcmp(one->operation, other->operation);
	if (!order)
		order = memcmp(&one->backend, &other->backend, sizeof(one->backend));
	return order ? order : more_first(other->first.line, one->first.line);
}

void findings_sort(struct summary_endpoint *endpoint)
{
	if (!endpoint->finding_count)
		return;
	qsort(endpoint->findings, endpoint->finding_count, sizeof(*endpoint->findings), compare);
	for (size_t i = 0; i < endpoint->finding_count; i++) {
		struct summary_finding *row = &endpoint->findings[i];

		qsort(row->sites, row->site_count, sizeof(row->sites[0]), compare_sites);
	}
}

void findings_clear(struct summary_endpoint *endpoint)
{
	struct summary_analysed *analysed = &endpoint->analysed;
	struct histogram *histograms[] = {&analysed->now, &analysed->then, &analysed->best, &analysed->worst};

	for (size_t i = 0; i < sizeof(histograms) / sizeof(histograms[0]); i++)
		histogram_free(histograms[i]);
	for (size_t i = 0; i < endpoint->finding_count; i++) {
		free(endpoint->findings[i].operation);
		free(endpoint->findings[i].example);
	}
	free(endpoint->findings);
}

struct summary_unanalysed summary_unanalysed(const struct summary *summary)
{
	struct summary_unanalysed unanalysed = summary->facts.unanalysed;

	unanalysed.findings += summary->findings_refused;
	return unanalysed;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

bool summary_is_shown(const struct summary *summary, const struct summary_endpoint *endpoint,
		      const struct summary_finding *finding)
{
	const struct finding_rules *rules = &summary->facts.rules;
	double runs = share(finding->runs, endpoint->analysed.now.count);
	double needless = share(finding->needless, finding->candidates);

	if (!finding->runs || finding->runs < rules->shown.runs || runs < rules->shown.run_share)
		return false;
	switch (finding->kind) {
	case FINDING_REPEATED:
		return finding->needless >= rules->repeated.least && needless >= rules->repeated.share;
	case FINDING_RECONNECT:
		return finding->needless >= rules->reconnect.least && needless >= rules->reconnect.share;
	case FINDING_SLOW_START:
		return runs >= rules->slow_start.share;
	default:
		return true;
	}
}

struct summary_prediction summary_predict(const struct summary *summary, const struct summary_endpoint *endpoint)
{
	const struct summary_analysed *analysed = &endpoint->analysed;
	double now = histogram_quantile(&analysed->now, 0.5);
	struct summary_prediction prediction = {analysed->now.count, now, now, now, now};
	bool any = false;

	for (size_t i = 0; i < endpoint->finding_count && !any; i++)
		any = endpoint->findings[i].kind != FINDING_REPEATED &&
		      summary_is_shown(summary, endpoint, &endpoint->findings[i]);
	if (!any)
		return prediction;
	prediction.then = histogram_quantile(&analysed->then, 0.5);
	prediction.low = histogram_quantile(&analysed->best, 0.5);
	prediction.high = histogram_quantile(&analysed->worst, 0.5);
	return prediction;
}
