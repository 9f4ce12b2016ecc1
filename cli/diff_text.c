/*
 * diff_text.c: nettrace diff for people: a block an endpoint, before and after side by side. See diff.h.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/output/words.h"
#include "../daemon/summary/condition.h"
#include "diff.h"

#define NAME_WIDTH 44	/* of an endpoint, above the labels */
#define TEXT_SIZE 512	/* bytes of a name */
#define MOST_FINDINGS 8 /* lines of those that are gone, and of those that are new */
#define OPERATION_WIDTH 40

/* What the page has printed that wants a line which explains it. */
struct signs {
	bool few_runs, inexact;
};

static const char *text_of(const json_t *object, const char *name, char *ret_text, size_t size)
{
	const char *text = json_string_value(json_object_get(object, name));

	words_clean(text ? text : "", true, ret_text, size);
	return ret_text;
}

static void put_side(FILE *stream, const char *title, const char *path, const json_t *summary)
{
	double seconds = compare_number(summary, "duration_s", NULL);
	char clean[TEXT_SIZE], start[64], host[128];

	words_clean(path, true, clean, sizeof(clean));
	fprintf(stream, "%-7s %s   %s %s", title, clean, text_of(summary, "host", host, sizeof(host)),
		text_of(summary, "start", start, sizeof(start)));
	if (!isnan(seconds))
		fprintf(stream, "   %.1f s", seconds);
	fprintf(stream, "%s\n", json_is_true(json_object_get(summary, "final")) ? "" : "   an interval only");
}

/* A cell of ten characters, in ms or as a number. */
static void format_value(enum figure figure, double value, char *ret_text, size_t size)
{
	if (isnan(value))
		snprintf(ret_text, size, "-");
	else if (figure >= FIGURE_SAVING)
		words_time(value * 1e6, ret_text, size);
	else if (figure <= FIGURE_ERRORS || figure == FIGURE_FINDINGS)
		snprintf(ret_text, size, "%.0f", value);
	else
		snprintf(ret_text, size, "%.1f", value);
}

static void format_change(double change, char *ret_text, size_t size)
{
	if (isnan(change) || fabs(change) < 0.5)
		snprintf(ret_text, size, "%s", isnan(change) ? "" : "=");
	else if (isinf(change))
		snprintf(ret_text, size, "new");
	else
		snprintf(ret_text, size, "%+.0f %%", change);
}

static void put_figure(FILE *stream, const struct compared *one, enum figure figure, const char *label,
		       struct signs *signs)
{
	char was[32], is[32], change[32];

	format_value(figure, one->was[figure], was, sizeof(was));
	format_value(figure, one->is[figure], is, sizeof(is));
	/* How many runs there were is a matter of load and time. */
	format_change(figure == FIGURE_RUNS ? NAN : figure_change(one->was[figure], one->is[figure]), change,
		      sizeof(change));
	if (!compare_is_exact(one, figure)) {
		snprintf(change, sizeof(change), "~");
		signs->inexact = true;
	} else if (!compare_is_enough(one, figure) && *change) {
		snprintf(change, sizeof(change), "few runs");
		signs->few_runs = true;
	}
	fprintf(stream, "    %-*s %10s %10s", NAME_WIDTH - 4, label, was, is);
	fprintf(stream, *change ? " %10s\n" : "\n", change);
}

static void put_figures(FILE *stream, const struct compared *one, struct signs *signs)
{
	static const struct {
		const char *label;
		enum figure figure;
		bool always; /* else only where it is anything */
	} lines[] = {
	    {"runs", FIGURE_RUNS, true},
	    {"errors", FIGURE_ERRORS, false},
	    {"calls a run", FIGURE_CALLS_PER_RUN, true},
	    {"needless calls a run", FIGURE_NEEDLESS_CALLS_PER_RUN, false},
	    {"network a run, p50", FIGURE_NETWORK_P50, true},
	    {"               p95", FIGURE_NETWORK_P95, true},
	    {"wall a run, p50", FIGURE_WALL_P50, true},
	    {"            p95", FIGURE_WALL_P95, true},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		double was = one->was[lines[i].figure], is = one->is[lines[i].figure];

		if (lines[i].always || was > 0 || is > 0)
			put_figure(stream, one, lines[i].figure, lines[i].label, signs);
	}
}

/* What BEFORE said that a run would take, beside what it takes. */
static void put_predicted(FILE *stream, const struct compared *one)
{
	double then = compare_number(one->before, "predicted", "wall_then");
	double now = compare_number(one->before, "predicted", "wall_now"), measured = one->is[FIGURE_WALL_P50];
	double low = compare_number(one->before, "predicted", "low");
	double high = compare_number(one->before, "predicted", "high");
	char words[4][32], error[16];

	/* Nothing was predicted to change. */
	if (isnan(then) || isnan(measured) || then == now)
		return;
	words_time(then * 1e6, words[0], sizeof(words[0]));
	words_time(measured * 1e6, words[1], sizeof(words[1]));
	words_time(low * 1e6, words[2], sizeof(words[2]));
	words_time(high * 1e6, words[3], sizeof(words[3]));
	format_change(figure_change(then, measured), error, sizeof(error));
	fprintf(stream, "    %-*s %10s %10s %10s   range %s to %s\n", NAME_WIDTH - 4,
		"predicted by BEFORE, measured by AFTER", words[0], words[1], error, words[2], words[3]);
}

static void put_finding(FILE *stream, const char *title, const json_t *finding)
{
	double saving = compare_number(finding, "saving", "expected");
	char operation[TEXT_SIZE], backend[TEXT_SIZE], kind[32], time[32];

	text_of(finding, "operation", operation, sizeof(operation));
	words_cut_middle(operation, OPERATION_WIDTH);
	text_of(finding, "backend", backend, sizeof(backend));
	backend[strcspn(backend, " ")] = 0;
	words_time(isnan(saving) ? 0 : saving * 1e6, time, sizeof(time));
	if (isnan(saving) || saving < 50e-6) /* rounds to nothing */
		time[0] = 0;
	fprintf(stream, "    %-5s %-11s %s %s   -%s\n", title, text_of(finding, "kind", kind, sizeof(kind)), backend,
		operation, time);
}

/* Takes the findings. */
static bool put_findings(FILE *stream, const char *title, json_t *findings)
{
	size_t i, more;
	json_t *one;

	if (!findings)
		return false;
	more = json_array_size(findings) > MOST_FINDINGS ? json_array_size(findings) - MOST_FINDINGS : 0;
	json_array_foreach(findings, i, one)
	{
		if (i < MOST_FINDINGS)
			put_finding(stream, title, one);
	}
	if (more)
		fprintf(stream, "    %-5s and %zu more: see --json\n", title, more);
	json_decref(findings);
	return true;
}

static bool put_endpoint(FILE *stream, const struct compared *one, struct signs *signs)
{
	char name[TEXT_SIZE];

	words_clean(one->name, true, name, sizeof(name));
	words_cut_middle(name, NAME_WIDTH);
	fprintf(stream, "\n%s%*s %10s %10s %10s\n", name, (int)(NAME_WIDTH - words_width(name)), "", "BEFORE", "AFTER",
		one->before && one->after ? "CHANGE"
		: one->after		  ? "is new"
					  : "is gone");
	put_figures(stream, one, signs);
	put_predicted(stream, one);
	return !one->before || !one->after ||
	       (put_findings(stream, "gone", compare_findings(one->before, one->after)) &&
		put_findings(stream, "new", compare_findings(one->after, one->before)));
}

int diff_put_text(FILE *stream, const struct diff *diff)
{
	struct signs signs = {.few_runs = false};
	char rules[2][64];

	put_side(stream, "before", diff->paths[0], diff->summaries[0]);
	put_side(stream, "after", diff->paths[1], diff->summaries[1]);
	for (int i = 0; i < 2; i++)
		text_of(diff->summaries[i], "rules", rules[i], sizeof(rules[i]));
	if (strcmp(rules[0], rules[1]) != 0)
		fprintf(stream, "their findings are by different rules: %s and %s\n", rules[0], rules[1]);
	if (!diff->count)
		fprintf(stream, "\nno endpoint is in either of them\n");
	for (size_t i = 0; i < diff->count; i++)
		if (!put_endpoint(stream, &diff->endpoints[i], &signs))
			return -ENOMEM;
	if (signs.few_runs)
		fprintf(stream,
			"\nfew runs: not enough to tell a change from chance; a p50 takes %u runs on both sides, a p95 "
			"%u\n",
			figure_types[FIGURE_WALL_P50].least_runs, figure_types[FIGURE_WALL_P95].least_runs);
	if (signs.inexact)
		fprintf(stream, "\n~: runs could not be told apart and count as one\n");
	return 0;
}
