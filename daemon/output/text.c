/*
 * text.c: a summary as a page for people.
 *
 * What was traced, what was lost and what it cost come first, then the endpoints (endpoints.c), then what
 * could not be attributed and what the signs mean.
 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "endpoints.h"
#include "words.h"

#define LINE_WIDTH 120	  /* that the page keeps to where there is no terminal; the header always */
#define LEAST_WIDTH 40	  /* of a terminal: below that, lines are cut */
#define SEPARATOR "   "	  /* between the pieces of a line */
#define INDENT "    "	  /* of a line that goes on */
#define ROOM_FOR_COUNT 24 /* a number of 64 bits and what is around it */
#define HINT_SHARE 100	  /* what is unattributed gets a hint from one call in so many on */

/* The rungs of the ladder as people call them. */
static const struct {
	const char *name, *words;
} hooks[] = {{"fentry", "fentry"}, {"kprobe", "kprobes"}, {"tracepoint", "tracepoints"}};

/* Why calls are unattributed, by enum run_reason, and what helps. */
static const struct {
	const char *words, *hint;
} reasons[RUN_REASON_COUNT] = {
    [RUN_NO_PYTHON_THREAD] = {"made by threads that Python does not know",
			      "a native library's own threads run no Python code"},
    [RUN_NO_ENDPOINT] = {"made by Python code outside of any endpoint",
			 "name one: --endpoint 'MODULE.FUNCTION' ('*' stands for any part)"},
    [RUN_WALK_FAILED] = {"made while the Python stack could not be read",
			 "nettraced --check --pid PID says whether --python usdt works there"},
    [RUN_OWNER_UNKNOWN] = {"answers or streams whose request was not seen",
			   "these connections are older than the capture: begin it before they open"},
    [RUN_INTERPRETER_UNSUPPORTED] = {"made by a process whose interpreter we cannot read",
				     "nettraced --check --pid PID says which versions can be"},
    [RUN_NOT_SAMPLED] = {"made while only some calls were looked at, to keep the cost down",
			 "a higher --max-cost looks at more"},
};

/* What helps against a loss, by its name in summary_lost_kinds. */
static const struct {
	const char *name, *hint;
} loss_hints[] = {
    {"records", "make them smaller (--capture 1024) or trace fewer processes"},
    {"stacks", "calls without one are unattributed"},
    {"payload", "these calls are counted, what they asked is not known"},
    {"unparsed", "their bytes are counted"},
    {"bytes", "another process may share the connection: trace it too"},
    {"sockets", "trace fewer processes at a time"},
    {"processes", "trace fewer processes at a time"},
    {"threads", "trace fewer processes at a time"},
    {"probes", "--hooks tracepoint skips none"},
    {"calls", "they are not counted"},
    {"connections", "trace fewer processes at a time"},
    {"orphans", "they follow from other losses"},
    {"runs", "trace fewer processes at a time"},
    {"malformed", "the recording is damaged, or this is a bug"},
    {"summaries", "the last one has their calls; a longer --interval helps"},
};

static double percent(double part, double whole)
{
	return 100 * part / whole;
}

/* A piece of a line; what does not fit is left out. */
struct piece {
	char text[512];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void grow(struct piece *piece, const char *format, ...)
{
	size_t room = sizeof(piece->text) - piece->used;
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(piece->text + piece->used, room, format, arguments);

	va_end(arguments);
	if (size > 0)
		piece->used += (size_t)size < room ? (size_t)size : room - 1;
}

/* A line of pieces that goes on in a next one where the next piece would pass its width. */
struct flow {
	FILE *stream;
	size_t width, used;
};

static struct flow begin_line(FILE *stream, const struct output_style *style)
{
	size_t width = style->columns ? style->columns : LINE_WIDTH;

	width = width < LINE_WIDTH ? width : LINE_WIDTH;
	return (struct flow){.stream = stream, .width = width > LEAST_WIDTH ? width : LEAST_WIDTH};
}

static void put_piece(struct flow *flow, const struct piece *piece)
{
	size_t width = words_width(piece->text);

	if (flow->used && flow->used + strlen(SEPARATOR) + width <= flow->width) {
		flow->used += strlen(SEPARATOR);
		fputs(SEPARATOR, flow->stream);
	} else if (flow->used) {
		flow->used = strlen(INDENT);
		fputs("\n" INDENT, flow->stream);
	}
	flow->used += width;
	fputs(piece->text, flow->stream);
}

static void grow_target(struct piece *piece, const struct summary *summary, size_t width)
{
	const struct summary_target *target = summary->targets;
	unsigned long long others = summary->target_count - 1 + summary->targets_more;
	char command[512], more[32] = "";

	if (!summary->target_count) {
		grow(piece, "no target");
		return;
	}
	if (others)
		snprintf(more, sizeof(more), " and %llu more", others);
	grow(piece, "pid %u ", target->pid);
	words_clean(words_command(target->command), true, command, sizeof(command));
	words_cut_end(command, width - words_width(piece->text) - words_width(more));
	grow(piece, "%s%s", command, more);
}

static void grow_python(struct piece *piece, const struct summary_target *target)
{
	static const char *const ways[] = {
	    [NT_ATTRIBUTION_NONE] = "", [NT_ATTRIBUTION_STACK] = " by stack", [NT_ATTRIBUTION_USDT] = " by USDT"};

	if (target->python[0])
		grow(piece, "Python %u.%u.%u%s", target->python[0], target->python[1], target->python[2],
		     target->attribution <= NT_ATTRIBUTION_USDT ? ways[target->attribution] : "");
	else
		grow(piece, "no Python");
}

static void grow_kernel(struct piece *piece, const struct summary_facts *facts)
{
	const char *words = facts->hooks;
	char clean[80];

	for (size_t i = 0; words && i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (!strcmp(hooks[i].name, facts->hooks))
			words = hooks[i].words;
	if (words) {
		words_clean(words, true, clean, sizeof(clean));
		grow(piece, "%s", clean);
	}
	if (facts->release) {
		words_clean(facts->release, true, clean, sizeof(clean));
		grow(piece, "%sLinux %s", words ? ", " : "", clean);
	}
}

/* What was traced. The command's end gives way so that it stays in the first line; the rest may go into a second. */
static void put_header(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	const struct summary_facts *facts = &summary->facts;
	struct flow line = begin_line(stream, style);
	struct piece name = {.used = 0}, target = {.used = 0}, python = {.used = 0}, kernel = {.used = 0},
		     time = {.used = 0};
	char version[32] = "";

	if (facts->version)
		words_clean(facts->version, true, version, sizeof(version));
	grow(&name, "nettraced%s%s", version[0] ? " " : "", version);
	put_piece(&line, &name);
	grow_target(&target, summary, line.width - line.used - strlen(SEPARATOR));
	put_piece(&line, &target);
	if (summary->target_count) {
		grow_python(&python, summary->targets);
		put_piece(&line, &python);
	}
	grow_kernel(&kernel, facts);
	if (kernel.used)
		put_piece(&line, &kernel);
	grow(&time, "%.1f s%s", (double)facts->duration / 1e9, facts->final ? " in all" : "");
	put_piece(&line, &time);
	fputc('\n', stream);
}

/* "lost 0", or each kind of loss by its name; put_lost_words() says what they are. */
static void put_lost(struct flow *line, const struct summary *summary)
{
	struct summary_lost lost = summary->facts.lost;
	struct piece piece = {.used = 0};
	bool any = false;

	grow(&piece, "lost");
	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++) {
		uint64_t count = *summary_lost_count(&lost, kind);

		if (!count)
			continue;
		/* Many kinds at once take several lines. */
		if (words_width(piece.text) + strlen(kind->name) + ROOM_FOR_COUNT > line->width) {
			grow(&piece, ",");
			put_piece(line, &piece);
			piece = (struct piece){.used = 0};
			any = false;
		}
		grow(&piece, "%s%s %llu", any ? ", " : piece.used ? " " : "", kind->name, (unsigned long long)count);
		any = true;
	}
	if (!any)
		grow(&piece, " 0");
	put_piece(line, &piece);
}

static const char *find_loss_hint(const char *name)
{
	for (size_t i = 0; i < sizeof(loss_hints) / sizeof(loss_hints[0]); i++)
		if (!strcmp(loss_hints[i].name, name))
			return loss_hints[i].hint;
	return NULL;
}

static void put_lost_words(FILE *stream, const struct summary *summary)
{
	struct summary_lost lost = summary->facts.lost;

	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++) {
		uint64_t count = *summary_lost_count(&lost, kind);
		const char *hint = find_loss_hint(kind->name);

		if (count)
			fprintf(stream, "lost %s: %llu %s%s%s\n", kind->name, (unsigned long long)count, kind->words,
				hint ? "; " : "", hint ? hint : "");
	}
}

/* What findings say nothing of, if anything. */
static void put_unanalysed(FILE *stream, const struct summary *summary)
{
	struct summary_unanalysed unanalysed = summary_unanalysed(summary);

	for (const struct summary_lost_kind *kind = summary_unanalysed_kinds; kind->name; kind++) {
		uint64_t count = summary_unanalysed_count(&unanalysed, kind);

		if (count)
			fprintf(stream, "not looked at for findings: %llu %s\n", (unsigned long long)count,
				kind->words);
	}
}

static void grow_cost(struct piece *piece, const struct summary_facts *facts)
{
	const struct nt_cost *cost = &facts->cost;
	char size[32];

	grow(piece, "cost: ");
	if (!cost->wall) {
		grow(piece, "not measured");
		return;
	}
	if (cost->probe_runs)
		grow(piece, "target +%.1f %%", percent((double)cost->probe_ns, (double)cost->wall));
	else
		grow(piece, "target not measured");
	words_size(cost->daemon_rss, size, sizeof(size));
	grow(piece, ", nettraced %.1f %% CPU %s", percent((double)cost->daemon_cpu, (double)cost->wall), size);
	if (facts->ring_bytes) {
		words_size(facts->ring_bytes, size, sizeof(size));
		grow(piece, " + %s ring", size);
	}
}

static void put_facts(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	struct flow line = begin_line(stream, style);
	struct piece unattributed = {.used = 0}, cost = {.used = 0};

	put_lost(&line, summary);
	grow(&unattributed, "unattributed %llu of %llu calls", (unsigned long long)summary->unattributed_calls,
	     (unsigned long long)summary_calls(summary));
	put_piece(&line, &unattributed);
	grow_cost(&cost, &summary->facts);
	put_piece(&line, &cost);
	fputc('\n', stream);
}

/* What was given up to keep the cost down, in words. */
static void put_reduced(FILE *stream, const struct summary_facts *facts)
{
	static const char *const steps[][2] = {
	    {"usdt_off", "function probes are off"},
	    {"times_off", "function probes, threads' times and hand-overs are off"},
	    {"walks_thinned", "function probes, threads' times and hand-overs are off"},
	};

	for (size_t i = 0; facts->reduced && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(facts->reduced, steps[i][0]) != 0)
			continue;
		fprintf(stream, "reduced for --max-cost: %s", steps[i][1]);
		if (facts->walks > 1)
			fprintf(stream, "; one call in %llu has an endpoint", (unsigned long long)facts->walks);
		fputc('\n', stream);
	}
}

/* Findings by other thresholds than ours are not what people are used to. */
static void put_rules(FILE *stream, const struct finding_rules *rules)
{
	if (rules->name && strcmp(rules->name, rules_table[0].name) != 0)
		fprintf(stream,
			strcmp(rules->name, RULES_CUSTOM) != 0 ? "findings by the rules of %s\n"
							       : "findings by %s rules\n",
			rules->name);
}

static void put_requests(FILE *stream, const struct summary *summary)
{
	char p50[32], p99[32];

	if (!summary->requests)
		return;
	fprintf(stream, "requests %llu", (unsigned long long)summary->requests);
	if (summary->request_latency.count) {
		words_time(histogram_quantile(&summary->request_latency, 0.50), p50, sizeof(p50));
		words_time(histogram_quantile(&summary->request_latency, 0.99), p99, sizeof(p99));
		fprintf(stream, "   p50 %s   p99 %s", p50, p99);
	}
	if (summary->requests_without_endpoint)
		fprintf(stream, "   %llu in which no endpoint made a call",
			(unsigned long long)summary->requests_without_endpoint);
	fputc('\n', stream);
}

/* No endpoint, no call: what that may mean, and what would help. */
static void put_nothing(FILE *stream, const struct summary *summary)
{
	bool answered = summary->requests > 0;

	if (!summary->target_count)
		fprintf(stream, "no calls: nothing was traced\n");
	else if (answered)
		fprintf(stream, "no calls: the targets answered requests without asking a backend\n");
	else if (summary->facts.final)
		fprintf(stream, "no calls seen: put load on the service while it is traced, or trace for longer\n");
	else
		fprintf(stream, "no calls yet: put load on the service\n");
}

static void put_reason(FILE *stream, const struct summary *summary, int reason)
{
	uint64_t count = summary->reasons[reason];
	bool high = count >= (summary_calls(summary) + HINT_SHARE - 1) / HINT_SHARE;

	if (!count)
		return;
	fprintf(stream, "    %s %llu: %s\n", run_reason_names[reason], (unsigned long long)count,
		reasons[reason].words);
	if (high)
		fprintf(stream, "        %s\n", reasons[reason].hint);
}

static void put_unattributed(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	if (!summary->unattributed_calls)
		return;
	fprintf(stream, "%sunattributed\n", summary->endpoints ? "\n" : "");
	endpoints_put_backends(stream, &summary->unattributed, style);
	for (int reason = 0; reason < RUN_REASON_COUNT; reason++)
		put_reason(stream, summary, reason);
}

static void put_legend(FILE *stream, const struct summary *summary, const struct endpoints_signs *signs)
{
	if (signs->inexact)
		fprintf(stream, "~  some runs could not be told apart and count as one\n");
	if (signs->lower_bound)
		fprintf(stream,
			">= wall time from the first call's start to the last one's end: the runs took longer\n");
	if (signs->partial_runs)
		fprintf(stream,
			"%llu more run%s cut by the capture's beginning or end: in calls, not in RUNS and CALLS/RUN\n",
			(unsigned long long)signs->partial_runs, signs->partial_runs == 1 ? "" : "s");
	if (summary->truncated)
		fprintf(stream, "a table was full: what had no place is in %s\n", SUMMARY_OTHER);
	put_unanalysed(stream, summary);
	put_lost_words(stream, summary);
}

/* The page with at most `most` endpoints. */
static void put_page(FILE *stream, const struct summary *summary, const struct output_style *style, unsigned most)
{
	struct endpoints_signs signs = {0};

	put_header(stream, summary, style);
	put_facts(stream, summary, style);
	put_reduced(stream, &summary->facts);
	put_rules(stream, &summary->facts.rules);
	put_requests(stream, summary);
	fputc('\n', stream);
	if (summary->endpoints)
		endpoints_put(stream, summary, style, most, &signs);
	else if (!summary->unattributed_calls)
		put_nothing(stream, summary);
	put_unattributed(stream, summary, style);
	put_legend(stream, summary, &signs);
}

/* As put_page(), in memory, to be freed; NULL without any. */
static char *make_page(const struct summary *summary, const struct output_style *style, unsigned most,
		       unsigned *ret_rows)
{
	char *page = NULL;
	size_t size;
	FILE *stream = open_memstream(&page, &size);
	bool failed;

	if (!stream)
		return NULL;
	put_page(stream, summary, style, most);
	failed = ferror(stream);
	if (fclose(stream) || failed) {
		free(page);
		return NULL;
	}
	*ret_rows = 0;
	for (const char *end = page; (end = strchr(end, '\n')); end++)
		++*ret_rows;
	return page;
}

/* On a terminal nothing wraps, and the top of a page that the next one replaces stays in sight. */
static void put_lines(FILE *stream, char *page, const struct output_style *style)
{
	unsigned rows = 0;
	char *line;

	while ((line = strsep(&page, "\n")) && page && (!style->rows || rows++ < style->rows)) {
		words_cut_end(line, style->columns);
		fprintf(stream, "%s\n", line);
	}
}

/* With as many endpoints as there are rows for. */
static int put_on_terminal(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	unsigned most = HASH_COUNT(summary->endpoints), rows;
	char *page;

	if (most > ENDPOINTS_MAX_SHOWN)
		most = ENDPOINTS_MAX_SHOWN;
	page = make_page(summary, style, most, &rows);
	while (page && style->rows && rows > style->rows && most > 1) {
		free(page);
		page = make_page(summary, style, --most, &rows);
	}
	if (!page)
		return -ENOMEM;
	put_lines(stream, page, style);
	free(page);
	return 0;
}

static int write_text(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	int err = 0;

	errno = 0;
	if (style->columns)
		err = put_on_terminal(stream, summary, style);
	else
		put_page(stream, summary, style, ENDPOINTS_MAX_SHOWN);
	if (!summary->facts.final && !style->rows)
		fputc('\n', stream);
	if (fflush(stream) || ferror(stream))
		return errno ? -errno : -EIO;
	return err;
}

const struct output output_text = {.name = "text", .in_place = true, .write = write_text};
