/*
 * findings.c: see findings.h.
 *
 * A line says what kind, of what, how much of it a run has, what it costs a run and where the code is; then comes what
 * a run would take without all of them. What takes a cache to mend is below that line: it is not in its numbers.
 */
#include "findings.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "words.h"

#define LINE_WIDTH 120			/* where there is no terminal */
#define WIDEST_WHAT 34			/* an operation is cut in the middle beyond */
#define WIDEST_WORDS 38			/* what is longer is not cut, and shifts the rest of its own line only */
#define WORDS_SIZE 96			/* bytes of a cell */
#define PLACE_SIZE 512			/* likewise of the last one */
#define ALL_RUNS 0.95			/* from this share of runs on a finding is in all of them */
#define WIDE_RANGE 0.1			/* a range that is this much of its middle is worth showing */
#define INDENT "      "			/* of these lines */
#define NEXT_LINE INDENT "            " /* of one that goes on, below what is behind the kind */

/* The cells of a line. */
struct cells {
	const char *kind;
	char what[PROTOCOL_OPERATION_SIZE + SUMMARY_PROTOCOL_SIZE];
	char words[WORDS_SIZE]; /* how much of it a run has */
	char saving[32];
	char place[PLACE_SIZE], function[PLACE_SIZE];
	const char *example; /* as it is; NULL: none */
};

struct table {
	struct cells cells[FINDINGS_MAX_SHOWN];
	size_t count, apart; /* the first of those that are no part of the prediction */
	size_t more;	     /* findings that have no line */
	size_t what, words;  /* widths */
};

/* What a run has of a finding: "%.1f", these words, and where they do not say enough its evidence. */
static const struct {
	const char *words;
	bool evidence;
} kind_words[FINDING_KIND_COUNT] = {
    [FINDING_DUPLICATE] = {"needless a run", false},
    [FINDING_N_PLUS_ONE] = {"needless a run", false},
    [FINDING_SERIAL] = {"", true},
    [FINDING_REPEATED] = {"a run a cache would answer", false},
    [FINDING_RECONNECT] = {"needless connections a run", false},
    [FINDING_SLOW_START] = {"a run: ", true},
    [FINDING_STALLED] = {"a run: ", true},
};

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

/* "n_plus_one" stays as JSON has it: people search for what they have read. */
static void fill_what(struct cells *cells, const struct summary_finding *row)
{
	char operation[PROTOCOL_OPERATION_SIZE];

	words_clean(row->operation, true, operation, sizeof(operation));
	snprintf(cells->what, sizeof(cells->what), "%s %s", row->backend.protocol, operation);
	words_cut_middle(cells->what, WIDEST_WHAT);
}

static void fill_words(struct cells *cells, const struct summary_finding *row, uint64_t runs)
{
	bool calls = row->kind == FINDING_SERIAL || !row->needless;
	double amount = (double)(calls ? row->calls : row->needless) / (double)row->runs;
	double share = runs ? (double)row->runs / (double)runs : 1;

	snprintf(cells->words, sizeof(cells->words), "%.1f %s%s", amount, kind_words[row->kind].words,
		 kind_words[row->kind].evidence ? row->evidence : "");
	if (row->kind == FINDING_N_PLUS_ONE && row->remedy && !strchr(row->remedy, ' ')) /* a command's name */
		append(cells->words, sizeof(cells->words), ", %s instead", row->remedy);
	if (row->kind == FINDING_REPEATED && row->candidates)
		append(cells->words, sizeof(cells->words), " (%.0f %%)",
		       100 * (double)row->needless / (double)row->candidates);
	if (share < ALL_RUNS)
		append(cells->words, sizeof(cells->words), ", in %.0f %% of runs", 100 * share);
}

static void fill_saving(struct cells *cells, const struct summary_finding *row)
{
	double ns = (double)row->saving.expected / (double)row->runs;
	char time[24];

	words_time(ns, time, sizeof(time));
	snprintf(cells->saving, sizeof(cells->saving), ns >= 50 ? "-%s" : "-", time);
}

/* The name of a function without the module: the file says that. */
static const char *short_function(const struct summary_site *site)
{
	const char *last = strrchr(site->function, '.');

	return last && last[1] ? last + 1 : site->function;
}

static void fill_place(struct cells *cells, const struct summary_finding *row)
{
	const struct summary_site *site = row->sites;

	cells->place[0] = cells->function[0] = 0;
	if (!row->site_count || !*site->file)
		return;
	words_clean(words_file(site->file), true, cells->place, NAME_MAX);
	if (site->line)
		append(cells->place, sizeof(cells->place), ":%u", site->line);
	if (row->site_count > 1)
		append(cells->place, sizeof(cells->place), " +%zu", row->site_count - 1);
	words_clean(short_function(site), true, cells->function, sizeof(cells->function));
}

static void add_row(struct table *table, const struct summary_endpoint *endpoint, const struct summary_finding *row)
{
	struct cells *cells = &table->cells[table->count];

	if (table->count == FINDINGS_MAX_SHOWN) {
		table->more++;
		return;
	}
	table->count++;
	cells->kind = finding_kind_names[row->kind];
	cells->example = row->example;
	fill_what(cells, row);
	fill_words(cells, row, endpoint->analysed.now.count);
	fill_saving(cells, row);
	fill_place(cells, row);
	if (words_width(cells->what) > table->what)
		table->what = words_width(cells->what);
	if (words_width(cells->words) > table->words)
		table->words = words_width(cells->words);
	if (table->words > WIDEST_WORDS)
		table->words = WIDEST_WORDS;
}

static void fill_table(struct table *table, const struct summary *summary, const struct summary_endpoint *endpoint)
{
	for (int apart = 0; apart < 2; apart++) {
		if (apart)
			table->apart = table->count;
		for (size_t i = 0; i < endpoint->finding_count; i++) {
			const struct summary_finding *row = &endpoint->findings[i];

			if ((row->kind == FINDING_REPEATED) == apart && summary_is_shown(summary, endpoint, row))
				add_row(table, endpoint, row);
		}
	}
}

static int pad(const char *text, size_t width)
{
	size_t used = words_width(text);

	return used < width ? (int)(width - used) : 0;
}

static void put_line(FILE *stream, char *line, size_t width)
{
	words_cut_end(line, width);
	fprintf(stream, "%s\n", line);
}

/* The place is what people came for: where it has no room it gets a line of its own. */
static void put_place(FILE *stream, const struct cells *cells, char *line, size_t size, size_t width)
{
	if (*cells->place && words_width(line) + 2 + words_width(cells->place) > width) {
		put_line(stream, line, width);
		snprintf(line, size, NEXT_LINE "at %s", cells->place);
	} else if (*cells->place) {
		append(line, size, "  %s", cells->place);
	}
	if (*cells->function && words_width(line) + 1 + words_width(cells->function) <= width)
		append(line, size, " %s", cells->function);
	put_line(stream, line, width);
}

static void put_row(FILE *stream, const struct table *table, const struct cells *cells, size_t width)
{
	char line[1024] = "";

	append(line, sizeof(line), INDENT "%-11s %s%*s  %s%*s  %*s%s", cells->kind, cells->what,
	       pad(cells->what, table->what), "", cells->words, pad(cells->words, table->words), "",
	       pad(cells->saving, 7), "", cells->saving);
	put_place(stream, cells, line, sizeof(line), width);
}

/* One of its requests, for those who may see data. */
static void put_example(FILE *stream, const struct cells *cells, const struct output_style *style, size_t width)
{
	char clean[PLACE_SIZE], line[PLACE_SIZE + 32] = "";

	if (!style->show_data || !cells->example)
		return;
	words_clean(cells->example, true, clean, sizeof(clean));
	append(line, sizeof(line), NEXT_LINE "like: %s", clean);
	put_line(stream, line, width);
}

/* Two times in the unit of the larger one, which is `unit` and so many ns. */
static double unit_of(double ns, const char **ret_unit)
{
	*ret_unit = ns >= 10e9 ? "s" : "ms";
	return ns >= 10e9 ? 1e9 : 1e6;
}

/* What a run takes now and would take without all of them, with the range where that says more. */
static void put_prediction(FILE *stream, const struct summary *summary, const struct summary_endpoint *endpoint)
{
	struct summary_prediction predicted = summary_predict(summary, endpoint);
	const char *unit;
	double scale = unit_of(predicted.now, &unit);
	double change = 100 * (predicted.then / predicted.now - 1);
	int digits = predicted.now / scale < 9.95 ? 2 : 1;

	if (!predicted.runs || predicted.now <= 0)
		return;
	fprintf(stream, INDENT "without these: %.*f -> %.*f %s a run", digits, predicted.now / scale, digits,
		predicted.then / scale, unit);
	fprintf(stream, fabs(change) < 0.5 ? " (less than 1 %%)" : " (%+.0f %%)", change);
	if (predicted.high - predicted.low > WIDE_RANGE * predicted.then)
		fprintf(stream, ", %.*f to %.*f", digits, predicted.low / scale, digits, predicted.high / scale);
	if ((double)predicted.runs < ALL_RUNS * (double)endpoint->runs)
		fprintf(stream, ", of the %llu runs that could be looked at", (unsigned long long)predicted.runs);
	fputc('\n', stream);
}

void findings_put(FILE *stream, const struct summary *summary, const struct summary_endpoint *endpoint,
		  const struct output_style *style)
{
	struct table table = {.count = 0};
	size_t width = style->columns ? style->columns : LINE_WIDTH;

	fill_table(&table, summary, endpoint);
	for (size_t i = 0; i < table.count; i++) {
		if (i == table.apart && i)
			put_prediction(stream, summary, endpoint);
		put_row(stream, &table, &table.cells[i], width);
		put_example(stream, &table.cells[i], style, width);
	}
	if (table.apart && table.apart == table.count)
		put_prediction(stream, summary, endpoint);
	if (table.more)
		fprintf(stream, INDENT "and %zu more: see --json\n", table.more);
}
