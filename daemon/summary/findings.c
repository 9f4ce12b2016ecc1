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

static bool same_text(const char *one, const char *other)
{
	return one == other || (one && other && !strcmp(one, other));
}

static bool same_place(const struct summary_site *one, const struct summary_site *other)
{
	return one->line == other->line && same_text(one->file, other->file) &&
	       same_text(one->function, other->function);
}

/* How many places they have both. */
static size_t count_shared(const struct summary_finding *one, const struct summary_finding *other)
{
	size_t count = 0;

	for (size_t i = 0; i < one->site_count; i++)
		for (size_t k = 0; k < other->site_count; k++)
			count += same_place(&one->sites[i], &other->sites[k]);
	return count;
}

/*
 * Which calls of a run are in a row changes a little from run to run, and so does the one that is typical of them: the
 * row with most places in common is theirs, if no other one of the same run has taken it. What is sure is one row, and
 * what may be is another.
 */
static struct summary_finding *find_serial(const struct summary_endpoint *endpoint, const struct summary_finding *part)
{
	struct summary_finding *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < endpoint->finding_count; i++) {
		struct summary_finding *row = &endpoint->findings[i];
		size_t shared = count_shared(row, part);

		if (row->kind != part->kind || row->last_round == endpoint->finding_rounds ||
		    !same_text(row->evidence, part->evidence))
			continue;
		if (shared > most || (!best && !part->site_count && !row->site_count))
			best = row;
		most = shared > most ? shared : most;
	}
	return best;
}

static struct summary_finding *find(const struct summary_endpoint *endpoint, const struct summary_finding *part)
{
	if (part->kind == FINDING_SERIAL)
		return find_serial(endpoint, part);
	for (size_t i = 0; i < endpoint->finding_count; i++) {
		struct summary_finding *row = &endpoint->findings[i];

		if (row->kind == part->kind && !memcmp(&row->backend, &part->backend, sizeof(row->backend)) &&
		    !strcmp(row->operation, part->operation))
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

static void name(struct summary_finding *row, const struct summary_finding *part)
{
	row->backend = part->backend;
	memcpy(row->operation, part->operation, sizeof(row->operation));
	row_format_address(&row->backend.where, row->address, sizeof(row->address));
}

/* Finds or adds a row. 0; 1: there is no place for it; -ENOMEM. */
static int get(struct summary *summary, struct summary_endpoint *endpoint, const struct summary_finding *part,
	       struct summary_finding **ret_row)
{
	struct summary_finding *row = find(endpoint, part);

	*ret_row = row;
	if (row)
		return 0;
	if (endpoint->finding_count == SUMMARY_MAX_FINDINGS || summary->rows == SUMMARY_MAX_ROWS)
		return 1;
	if (!make_room(endpoint))
		return -ENOMEM;
	row = &endpoint->findings[endpoint->finding_count++];
	summary->rows++;
	*row = (struct summary_finding){.kind = part->kind};
	name(row, part);
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

	return (struct summary_site){.function = row_text(site->function),
				     .file = row_text(site->file),
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

/* What most of its runs call typical of it, by majority vote; see vote_route() of summary.c. */
static void vote_name(struct summary_finding *row, const struct summary_finding *part)
{
	if (!strcmp(row->operation, part->operation) && !memcmp(&row->backend, &part->backend, sizeof(row->backend))) {
		row->votes += part->votes;
	} else if (row->votes >= part->votes) {
		row->votes -= part->votes;
	} else {
		row->votes = part->votes - row->votes;
		name(row, part);
	}
}

/* Adds what a run, or another summary, has of a finding. 0 or -ENOMEM. */
static int add_part(struct summary *summary, struct summary_endpoint *endpoint, const struct summary_finding *part)
{
	struct summary_finding *row;
	int refused = get(summary, endpoint, part, &row);

	if (refused > 0)
		summary->findings_refused += part->runs;
	if (refused)
		return refused < 0 ? refused : 0;
	row->candidates += part->candidates;
	if (!part->runs) /* of these runs it tells no more */
		return 0;
	row->runs += row->last_round != endpoint->finding_rounds ? part->runs : 0;
	row->last_round = endpoint->finding_rounds;
	row->many_backends |= part->many_backends;
	row->evidence = part->evidence;
	row->remedy = part->remedy;
	row->calls += part->calls;
	row->needless += part->needless;
	add_saving(&row->saving, &part->saving);
	vote_name(row, part);
	for (size_t i = 0; i < part->site_count; i++)
		add_site(row, &part->sites[i]);
	return keep_example(row, part->example);
}

/* What a run has of a finding. The example stays the finding's. */
static struct summary_finding make_part(const struct finding *finding)
{
	struct summary_finding part = {
	    .kind = finding->kind,
	    .backend.where = finding->where,
	    .many_backends = finding->many_backends,
	    .example = (char *)finding->example,
	    .evidence = finding->evidence,
	    .remedy = finding->remedy,
	    .runs = finding->calls > 0, /* else it only tells its candidates */
	    .votes = 1,
	    .calls = finding->calls,
	    .needless = finding->needless,
	    .candidates = finding->candidates,
	    .saving = finding->saving,
	    .site_count = finding->site_count,
	};

	strncpy(part.backend.protocol, finding->protocol, sizeof(part.backend.protocol) - 1);
	strncpy(part.operation, finding->operation, sizeof(part.operation) - 1);
	for (size_t i = 0; i < finding->site_count; i++)
		part.sites[i] = make_site(&finding->sites[i]);
	return part;
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

	endpoint->finding_rounds++;
	for (size_t i = 0; i < report->count; i++) {
		struct summary_finding part = make_part(&report->findings[i]);
		int other = add_part(summary, endpoint, &part);

		err = err ? err : other;
	}
	return err;
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
	into->finding_rounds++;
	for (size_t i = 0; i < from->finding_count; i++) {
		int other = add_part(summary, into, &from->findings[i]);

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
	return order ? order : more_first(other->sites[0].line, one->sites[0].line);
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
	for (size_t i = 0; i < endpoint->finding_count; i++)
		free(endpoint->findings[i].example);
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
	/* Runs differ as well: it has the middle half of them. */
	prediction.low = histogram_quantile(&analysed->best, 0.25);
	prediction.high = histogram_quantile(&analysed->worst, 0.75);
	return prediction;
}
