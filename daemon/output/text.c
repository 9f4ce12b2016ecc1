/*
 * text.c: a summary as a page for people.
 *
 * What was traced, what was lost and what it cost come first, then the endpoints (endpoints.c), then what
 * could not be attributed and what the signs mean.
 */
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "endpoints.h"
#include "words.h"

#define LINE_WIDTH 120	 /* that the header keeps to */
#define LEAST_COMMAND 24 /* of a target's command line, whatever else there is */
#define CLEAR_SCREEN "\033[H\033[2J"

/* The rungs of the ladder as people call them. */
static const struct {
	const char *name, *words;
} hooks[] = {{"fentry", "fentry"}, {"kprobe", "kprobes"}, {"tracepoint", "tracepoints"}};

/* Why calls are unattributed, by enum run_reason. */
static const char *const reasons[RUN_REASON_COUNT] = {
    [RUN_NO_PYTHON_THREAD] = "made by threads that Python does not know",
    [RUN_NO_ENDPOINT] = "made by Python code outside of any endpoint (--endpoint can name one)",
    [RUN_WALK_FAILED] = "made while the Python stack could not be read",
    [RUN_OWNER_UNKNOWN] = "answers or streams whose request was not seen, as on connections older than the capture",
    [RUN_INTERPRETER_UNSUPPORTED] = "made by a process whose interpreter we cannot read",
};

static double percent(double part, double whole)
{
	return 100 * part / whole;
}

/* Pieces of a line that go behind each other; what does not fit is left out. */
struct pieces {
	char text[512];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void grow(struct pieces *pieces, const char *format, ...)
{
	size_t room = sizeof(pieces->text) - pieces->used;
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(pieces->text + pieces->used, room, format, arguments);

	va_end(arguments);
	if (size > 0)
		pieces->used += (size_t)size < room ? (size_t)size : room - 1;
}

static void grow_python(struct pieces *pieces, const struct summary *summary)
{
	static const char *const ways[] = {
	    [NT_ATTRIBUTION_NONE] = "", [NT_ATTRIBUTION_STACK] = " by stack", [NT_ATTRIBUTION_USDT] = " by USDT"};
	const struct summary_target *target = summary->targets;

	if (summary->target_count > 1)
		grow(pieces, " and %zu more", summary->target_count - 1);
	if (target->python[0])
		grow(pieces, "   Python %u.%u.%u%s", target->python[0], target->python[1], target->python[2],
		     target->attribution <= NT_ATTRIBUTION_USDT ? ways[target->attribution] : "");
	else
		grow(pieces, "   no Python");
}

static void grow_kernel(struct pieces *pieces, const struct summary_facts *facts)
{
	const char *words = facts->hooks;
	char clean[80];

	for (size_t i = 0; words && i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (!strcmp(hooks[i].name, facts->hooks))
			words = hooks[i].words;
	if (words) {
		words_clean(words, true, clean, sizeof(clean));
		grow(pieces, "   %s", clean);
	}
	if (facts->release) {
		words_clean(facts->release, true, clean, sizeof(clean));
		grow(pieces, "%sLinux %s", words ? ", " : "   ", clean);
	}
}

/* The command gives way so that the rest of the line stays in sight. */
static void put_header(FILE *stream, const struct summary *summary)
{
	const struct summary_facts *facts = &summary->facts;
	struct pieces before = {.used = 0}, after = {.used = 0};
	char version[32] = "", command[128] = "";

	if (facts->version)
		words_clean(facts->version, true, version, sizeof(version));
	grow(&before, "nettraced%s%s   ", version[0] ? " " : "", version);
	if (summary->target_count) {
		grow(&before, "pid %u ", summary->targets->pid);
		words_clean(summary->targets->command, true, command, sizeof(command));
		grow_python(&after, summary);
	} else {
		grow(&before, "no target");
	}
	grow_kernel(&after, facts);
	grow(&after, "   %.1f s%s", (double)facts->duration / 1e9, facts->final ? " in all" : "");
	size_t rest = words_width(before.text) + words_width(after.text);

	words_cut_middle(command, rest + LEAST_COMMAND < LINE_WIDTH ? LINE_WIDTH - rest : LEAST_COMMAND);
	fprintf(stream, "%s%s%s\n", before.text, command, after.text);
}

/* "lost 0", or each kind of loss by its name; put_lost_words() says what they are. */
static void put_lost(FILE *stream, const struct summary *summary)
{
	struct summary_lost lost = summary->facts.lost;
	bool any = false;

	fprintf(stream, "lost");
	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++) {
		uint64_t count = *summary_lost_count(&lost, kind);

		if (count)
			fprintf(stream, "%s %s %llu", any ? "," : "", kind->name, (unsigned long long)count);
		any |= count > 0;
	}
	if (!any)
		fprintf(stream, " 0");
}

static void put_lost_words(FILE *stream, const struct summary *summary)
{
	struct summary_lost lost = summary->facts.lost;

	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++)
		if (*summary_lost_count(&lost, kind))
			fprintf(stream, "lost %s: %llu %s\n", kind->name,
				(unsigned long long)*summary_lost_count(&lost, kind), kind->words);
}

static void put_cost(FILE *stream, const struct summary_facts *facts)
{
	const struct nt_cost *cost = &facts->cost;
	char size[32];

	fprintf(stream, "   cost: ");
	if (!cost->wall) {
		fprintf(stream, "not measured");
		return;
	}
	if (cost->probe_runs)
		fprintf(stream, "target +%.1f %%", percent((double)cost->probe_ns, (double)cost->wall));
	else
		fprintf(stream, "target not measured");
	words_size(cost->daemon_rss, size, sizeof(size));
	fprintf(stream, ", nettraced %.1f %% CPU %s", percent((double)cost->daemon_cpu, (double)cost->wall), size);
	if (facts->ring_bytes) {
		words_size(facts->ring_bytes, size, sizeof(size));
		fprintf(stream, " + %s ring", size);
	}
}

static void put_facts(FILE *stream, const struct summary *summary)
{
	put_lost(stream, summary);
	fprintf(stream, "   unattributed %llu of %llu calls", (unsigned long long)summary->unattributed_calls,
		(unsigned long long)summary_calls(summary));
	put_cost(stream, &summary->facts);
	fputc('\n', stream);
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

static void put_unattributed(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	if (!summary->unattributed_calls)
		return;
	fprintf(stream, "%sunattributed\n", summary->endpoints ? "\n" : "");
	endpoints_put_backends(stream, &summary->unattributed, style);
	for (int reason = 0; reason < RUN_REASON_COUNT; reason++)
		if (summary->reasons[reason])
			fprintf(stream, "    %s %llu: %s\n", run_reason_names[reason],
				(unsigned long long)summary->reasons[reason], reasons[reason]);
}

static void put_legend(FILE *stream, const struct summary *summary, const struct endpoints_signs *signs)
{
	if (signs->inexact)
		fprintf(stream, "~  some runs could not be told apart and count as one\n");
	if (signs->lower_bound)
		fprintf(stream,
			">= wall time from the first call's start to the last one's end: the runs took longer\n");
	if (summary->truncated)
		fprintf(stream, "a table was full: what had no place is in %s, or a target is not listed\n",
			SUMMARY_OTHER);
	put_lost_words(stream, summary);
}

static int write_text(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	struct endpoints_signs signs = {false, false};

	errno = 0;
	if (style->in_place)
		fputs(CLEAR_SCREEN, stream);
	put_header(stream, summary);
	put_facts(stream, summary);
	put_requests(stream, summary);
	fputc('\n', stream);
	if (summary->endpoints)
		endpoints_put(stream, summary, style, &signs);
	else if (!summary->unattributed_calls)
		put_nothing(stream, summary);
	put_unattributed(stream, summary, style);
	put_legend(stream, summary, &signs);
	if (!summary->facts.final)
		fputc('\n', stream);
	if (fflush(stream) || ferror(stream))
		return errno ? -errno : -EIO;
	return 0;
}

const struct output output_text = {.name = "text", .write = write_text};
