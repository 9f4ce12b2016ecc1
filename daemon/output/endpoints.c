/*
 * endpoints.c: the endpoint table of the text summary (endpoints.h).
 *
 * For somebody who is in a hurry: one line an endpoint, the costliest first, and under it one line a backend with
 * what was asked of it, how long it took, and what went wrong.
 */
#include "endpoints.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "findings.h"
#include "words.h"

#define MAX_BACKENDS 8	  /* lines under an endpoint */
#define MAX_OPERATIONS 3  /* named in a backend's line, and in an endpoint's line of errors */
#define CELL_SIZE 640	  /* bytes of a cell, its NUL included */
#define NARROWEST_NAME 24 /* a terminal's column of names is not cut below this */
#define NARROWEST_TAIL 16 /* nor the last column */
#define GAP 2		  /* spaces between columns */
#define LINE_WIDTH 120	  /* that optional words keep to where there is no terminal */

struct view {
	const struct summary_endpoint *row;
	double seconds; /* that the summary covers */
};

/* Are its wall times lower bounds: taken from the first call to the last one, for most runs? */
static bool is_lower_bound(const struct summary_endpoint *row)
{
	return row->runs_by[RUN_BY_CALLS] > row->runs_by[RUN_BY_REQUEST] &&
	       row->runs_by[RUN_BY_CALLS] > row->runs_by[RUN_BY_USDT];
}

static void cell_name(const struct view *view, char *ret_cell, size_t size)
{
	words_clean(view->row->name, true, ret_cell, size);
}

static void cell_runs(const struct view *view, char *ret_cell, size_t size)
{
	snprintf(ret_cell, size, "%s%llu", view->row->inexact_runs ? "~" : "", (unsigned long long)view->row->runs);
}

static void cell_rate(const struct view *view, char *ret_cell, size_t size)
{
	if (view->seconds > 0)
		snprintf(ret_cell, size, "%.1f", (double)view->row->runs / view->seconds);
	else
		snprintf(ret_cell, size, "-");
}

static void put_quantile(const struct histogram *times, double fraction, const char *before, char *ret_cell,
			 size_t size)
{
	char time[32];

	if (!times->count) {
		snprintf(ret_cell, size, "-");
		return;
	}
	words_time(histogram_quantile(times, fraction), time, sizeof(time));
	snprintf(ret_cell, size, "%s%s", before, time);
}

static void cell_wall_p50(const struct view *view, char *ret_cell, size_t size)
{
	put_quantile(&view->row->wall, 0.50, is_lower_bound(view->row) ? ">=" : "", ret_cell, size);
}

static void cell_wall_p99(const struct view *view, char *ret_cell, size_t size)
{
	put_quantile(&view->row->wall, 0.99, "", ret_cell, size);
}

/* A run's network time, and the share of it in the wall time of all runs. */
static void cell_network(const struct view *view, char *ret_cell, size_t size)
{
	double network = (double)view->row->network.sum, wall = (double)view->row->wall.sum;
	size_t used;

	put_quantile(&view->row->network, 0.50, "", ret_cell, size);
	used = strlen(ret_cell);
	if (view->row->network.count && wall > 0)
		snprintf(ret_cell + used, size - used, " %3.0f%%", fmin(100 * network / wall, 100));
}

static void cell_calls(const struct view *view, char *ret_cell, size_t size)
{
	if (view->row->runs)
		snprintf(ret_cell, size, "%.1f", (double)view->row->run_calls / (double)view->row->runs);
	else
		snprintf(ret_cell, size, "-");
}

/* Calls of whole runs to all backends that speak a protocol. */
static uint64_t calls_by_protocol(const struct summary_endpoint *endpoint, const char *protocol)
{
	uint64_t calls = 0;

	for (const struct summary_backend *row = endpoint->backends; row; row = row->hh.next)
		if (!strcmp(row->key.protocol, protocol))
			calls += row->run_calls;
	return calls;
}

static bool is_first_of_protocol(const struct summary_endpoint *endpoint, const struct summary_backend *backend)
{
	const struct summary_backend *row = endpoint->backends;

	while (strcmp(row->key.protocol, backend->key.protocol) != 0)
		row = row->hh.next;
	return row == backend;
}

/* `redis 18  http 6`: calls of a run by protocol, those with most calls first as the backends are. */
static void cell_backends(const struct view *view, char *ret_cell, size_t size)
{
	const struct summary_endpoint *endpoint = view->row;
	size_t used = 0;

	ret_cell[0] = 0;
	for (const struct summary_backend *row = endpoint->backends; row && used < size; row = row->hh.next) {
		uint64_t calls = calls_by_protocol(endpoint, row->key.protocol);
		double share = (double)calls / (double)(endpoint->runs ? endpoint->runs : 1);
		bool even = fabs(share - round(share)) < 0.05;

		if (!calls || !is_first_of_protocol(endpoint, row))
			continue;
		used += (size_t)snprintf(ret_cell + used, size - used, "%s%s %.*f", used ? "  " : "", row->key.protocol,
					 even ? 0 : 1, share);
	}
}

static const struct column {
	const char *title;
	size_t width; /* at least */
	bool left;
	void (*put)(const struct view *view, char *ret_cell, size_t size);
} columns[] = {
    {"ENDPOINT", 24, true, cell_name},	 {"RUNS", 5, false, cell_runs},
    {"/s", 6, false, cell_rate},	 {"WALL p50", 9, false, cell_wall_p50},
    {"p99", 7, false, cell_wall_p99},	 {"NETWORK p50 ", 12, false, cell_network},
    {"CALLS/RUN", 9, false, cell_calls}, {"BACKENDS", 0, true, cell_backends},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))
#define NAME 0 /* the columns that can be cut */
#define TAIL (COLUMNS - 1)

static void measure(const struct summary *summary, double seconds, unsigned most, size_t *ret_widths)
{
	char cell[CELL_SIZE];
	size_t shown = 0;

	for (size_t i = 0; i < COLUMNS; i++)
		ret_widths[i] = columns[i].width;
	for (const struct summary_endpoint *row = summary->endpoints; row && shown < most; row = row->hh.next) {
		struct view view = {row, seconds};

		for (size_t i = 0; i < COLUMNS; i++) {
			columns[i].put(&view, cell, sizeof(cell));
			size_t width = words_width(cell);

			if (width > ret_widths[i])
				ret_widths[i] = width;
		}
		shown++;
	}
}

/* A terminal's lines do not wrap: first the names give way, then the last column. */
static void fit(size_t *widths, unsigned available)
{
	size_t fixed = GAP * (COLUMNS - 1);

	for (size_t i = 0; i < COLUMNS; i++)
		if (i != NAME && i != TAIL)
			fixed += widths[i];
	size_t room = available > fixed ? available - fixed : 0;

	if (widths[NAME] + widths[TAIL] <= room)
		return;
	widths[NAME] = room > widths[TAIL] + NARROWEST_NAME ? room - widths[TAIL] : NARROWEST_NAME;
	if (widths[NAME] + widths[TAIL] > room)
		widths[TAIL] = room > widths[NAME] + NARROWEST_TAIL ? room - widths[NAME] : NARROWEST_TAIL;
}

/* `text` in a column; the last column of a line is not filled up. */
static void put_cell(FILE *stream, const char *text, size_t width, bool left, bool last)
{
	size_t used = words_width(text);
	int fill = used < width ? (int)(width - used) : 0;

	if (left)
		fprintf(stream, "%s%*s", text, last ? 0 : fill + GAP, "");
	else
		fprintf(stream, "%*s%s%*s", fill, "", text, last ? 0 : GAP, "");
}

static void put_titles(FILE *stream, const size_t *widths)
{
	for (size_t i = 0; i < COLUMNS; i++)
		put_cell(stream, columns[i].title, widths[i], columns[i].left, i + 1 == COLUMNS);
	fputc('\n', stream);
}

static void put_row(FILE *stream, const struct view *view, const size_t *widths, bool cut)
{
	char cell[CELL_SIZE];

	for (size_t i = 0; i < COLUMNS; i++) {
		columns[i].put(view, cell, sizeof(cell));
		if (cut && i == NAME)
			words_cut_middle(cell, widths[i]);
		if (cut && i == TAIL)
			words_cut_end(cell, widths[i]);
		put_cell(stream, cell, widths[i], columns[i].left, i + 1 == COLUMNS);
	}
	fputc('\n', stream);
}

/* A line that grows piece by piece, and stops growing when it is full. */
struct line {
	char text[1024];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void grow(struct line *line, const char *format, ...)
{
	size_t room = sizeof(line->text) - line->used;
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(line->text + line->used, room, format, arguments);

	va_end(arguments);
	if (size > 0)
		line->used += (size_t)size < room ? (size_t)size : room - 1;
}

static void put_line(FILE *stream, struct line *line, const struct output_style *style)
{
	if (style->columns)
		words_cut_end(line->text, style->columns);
	fprintf(stream, "%s\n", line->text);
}

/* The first `most` operations, and how many others there are. */
static void grow_operations(struct line *line, const struct summary_backend *backend, unsigned most)
{
	unsigned total = HASH_COUNT(backend->operations), named = 0;
	char name[PROTOCOL_OPERATION_SIZE];

	for (const struct summary_operation *row = backend->operations; row && named < most; row = row->hh.next) {
		words_clean(row->name, true, name, sizeof(name));
		if (*name) /* it has none where the protocol is not known */
			grow(line, "  %s %llu", name, (unsigned long long)row->calls);
		named++;
	}
	if (total > named)
		grow(line, "  +%u more", total - named);
}

/* "shop/views.py:12" */
static void grow_place(struct line *line, const char *file, uint32_t number)
{
	char clean[NAME_MAX];

	words_clean(words_file(file), true, clean, sizeof(clean));
	grow(line, "%s", clean);
	if (number)
		grow(line, ":%u", number);
}

/* The place that made most of the calls, and how many others there are. */
static void grow_site(struct line *line, const struct summary_backend *backend)
{
	const struct summary_site *site = backend->sites;

	if (!backend->site_count || !*site->file)
		return;
	grow(line, "  at ");
	grow_place(line, site->file, site->line);
	if (backend->site_count > 1)
		grow(line, " +%zu", backend->site_count - 1);
}

/* What was asked of a backend and from where: where all has no room, the place comes before the second operation. */
static void grow_what_and_where(struct line *line, const struct summary_backend *backend, size_t width)
{
	struct line what, site = {.used = 0};

	grow_site(&site, backend);
	for (unsigned most = MAX_OPERATIONS; most; most--) {
		what = (struct line){.used = 0};
		grow_operations(&what, backend, most);
		if (words_width(line->text) + words_width(what.text) + words_width(site.text) > width)
			continue;
		grow(line, "%s%s", what.text, site.text);
		return;
	}
	grow_operations(line, backend, MAX_OPERATIONS);
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* "  2 errors", or nothing for none. */
static void grow_count(struct line *line, uint64_t count, const char *what)
{
	if (count)
		grow(line, "  %llu %s%s", (unsigned long long)count, what, plural(count));
}

static void put_backend(FILE *stream, const struct summary_backend *row, const struct output_style *style)
{
	struct line line = {.used = 0};
	char p50[32], p99[32];

	grow(&line, "    %-8s %-21s %5llu call%s", row->key.protocol, row->address, (unsigned long long)row->calls,
	     plural(row->calls));
	if (row->latency.count) { /* else none was answered */
		put_quantile(&row->latency, 0.50, "", p50, sizeof(p50));
		put_quantile(&row->latency, 0.99, "", p99, sizeof(p99));
		grow(&line, "%s  p50 %6s  p99 %6s", row->calls == 1 ? " " : "", p50, p99);
	}
	grow_count(&line, row->errors, "error");
	grow_count(&line, row->client_errors, "client error");
	grow_count(&line, row->connects, "connect");
	grow_what_and_where(&line, row, style->columns ? style->columns : LINE_WIDTH);
	put_line(stream, &line, style);
}

/* "  cpu 12%", or nothing where it would be less than one. */
static void grow_share(struct line *line, const char *what, uint64_t part, uint64_t whole)
{
	double percent = whole ? 100 * (double)part / (double)whole : 0;

	if (percent >= 1)
		grow(line, "  %s %.0f%%", what, percent);
}

/* Where the rest of its wall time went, beside the network. */
static void grow_times(struct line *line, const struct summary_times *times)
{
	if (!times->runs)
		return;
	grow_share(line, "cpu", times->cpu, times->wall);
	grow_share(line, "run queue", times->run_queue, times->wall);
	grow_share(line, "locks", times->lock, times->wall);
	grow_share(line, "sleep", times->sleep, times->wall);
	grow_share(line, "other", times->other, times->wall);
}

/* Where the function is, what most of its requests asked for, and what it did beside calls. */
static void put_place(FILE *stream, const struct summary_endpoint *endpoint, const struct output_style *style)
{
	struct line line = {.used = 0};
	char route[PROTOCOL_OPERATION_SIZE];

	if (!*endpoint->file && !endpoint->route)
		return;
	grow(&line, "    ");
	if (*endpoint->file)
		grow_place(&line, endpoint->file, endpoint->line);
	if (endpoint->route) {
		words_clean(endpoint->route, true, route, sizeof(route));
		grow(&line, "%s%s", *endpoint->file ? "  " : "", route);
	}
	grow_times(&line, &endpoint->times);
	put_line(stream, &line, style);
}

void endpoints_put_backends(FILE *stream, const struct summary_endpoint *endpoint, const struct output_style *style)
{
	unsigned total = HASH_COUNT(endpoint->backends), shown = 0;

	for (const struct summary_backend *row = endpoint->backends; row && shown < MAX_BACKENDS; row = row->hh.next) {
		put_backend(stream, row, style);
		shown++;
	}
	if (total > shown)
		fprintf(stream, "    and %u more backend%s\n", total - shown, plural(total - shown));
}

/* Names what failed, the backend with most calls first. */
static void put_errors(FILE *stream, const struct summary_endpoint *endpoint, const struct output_style *style)
{
	struct line line = {.used = 0};
	char name[PROTOCOL_OPERATION_SIZE];
	unsigned named = 0, more = 0;

	grow(&line, "    errors  ");
	for (const struct summary_backend *backend = endpoint->backends; backend; backend = backend->hh.next) {
		for (const struct summary_operation *row = backend->operations; row; row = row->hh.next) {
			if (!row->errors)
				continue;
			if (named == MAX_OPERATIONS) {
				more++;
				continue;
			}
			words_clean(row->name, true, name, sizeof(name));
			grow(&line, "%s %s %s %s%s%llu of %llu", named ? "," : "", backend->key.protocol,
			     backend->address, name, *name ? " " : "", (unsigned long long)row->errors,
			     (unsigned long long)row->calls);
			named++;
		}
	}
	if (more)
		grow(&line, ", +%u more", more);
	put_line(stream, &line, style);
}

void endpoints_put(FILE *stream, const struct summary *summary, const struct output_style *style, unsigned most,
		   struct endpoints_signs *ret_signs)
{
	double seconds = (double)summary->facts.duration / 1e9;
	unsigned total = HASH_COUNT(summary->endpoints), shown = 0;
	size_t widths[COLUMNS];

	*ret_signs = (struct endpoints_signs){0};
	measure(summary, seconds, most, widths);
	if (style->columns)
		fit(widths, style->columns);
	put_titles(stream, widths);
	for (const struct summary_endpoint *row = summary->endpoints; row && shown < most; row = row->hh.next) {
		put_row(stream, &(struct view){row, seconds}, widths, style->columns > 0);
		put_place(stream, row, style);
		endpoints_put_backends(stream, row, style);
		if (row->errors)
			put_errors(stream, row, style);
		findings_put(stream, summary, row, style);
		ret_signs->inexact |= row->inexact_runs > 0;
		ret_signs->partial_runs += row->partial_runs;
		ret_signs->lower_bound |= is_lower_bound(row);
		shown++;
	}
	if (total > shown)
		fprintf(stream, "... and %u more endpoint%s, with less network time; --json has them all\n",
			total - shown, plural(total - shown));
}
