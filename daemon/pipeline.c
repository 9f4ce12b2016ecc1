/*
 * pipeline.c: the core as one thing (pipeline.h).
 *
 * Each record goes to the stages and to what the pipeline itself keeps: settings, losses, cost, targets. Calls and runs
 * come back through the run stage's sink, are looked at for findings and counted in the interval's summary, which is
 * merged into the total when the interval ends.
 */
#include "pipeline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "call/call.h"
#include "finding/finding.h"
#include "run/run.h"

struct settings {
	char *version, *host, *release, *hooks, *reduced;
	uint64_t walks;	     /* of so many one is made; 0: all */
	uint64_t start_wall; /* ns since the epoch at `began` */
	uint64_t ring_bytes;
};

struct pipeline {
	pipeline_output_fn output;
	void *context;
	struct finding_stage *findings;
	struct finding_report report; /* of the last run */
	struct run_stage *runs;
	struct call_stage *calls;
	struct summary *interval, *total;
	struct settings settings;
	struct nt_loss kernel_lost;	      /* totals, as last reported */
	struct summary_lost lost;	      /* totals when the interval began */
	struct summary_unanalysed unanalysed; /* likewise */
	uint64_t malformed;
	uint64_t began, interval_began; /* monotonic ns */
	bool started, ended;
	bool other_rules; /* than the records name */
	int error;	  /* the first one of what a sink could not report */
};

static void keep(int *err, int other)
{
	if (!*err)
		*err = other;
}

static void take_call(void *context, const struct call *call, const struct run_endpoint *endpoint,
		      const struct run_site *site, enum run_reason reason)
{
	struct pipeline *pipeline = context;

	keep(&pipeline->error, summary_add_call(pipeline->interval, call, endpoint, site, reason));
}

static void take_run(void *context, const struct run *run)
{
	struct pipeline *pipeline = context;
	struct run part = *run;

	/* Of its calls some are not known to be its own. */
	if (pipeline->settings.walks > 1)
		part.exact = false;
	keep(&pipeline->error, finding_stage_ran(pipeline->findings, &part, &pipeline->report));
	keep(&pipeline->error, summary_add_run(pipeline->interval, &part, &pipeline->report));
}

static void take_closing(void *context, const struct call_closing *closing)
{
	struct pipeline *pipeline = context;

	finding_stage_closed(pipeline->findings, closing);
}

static void take_request(void *context, const struct call *request, bool had_run)
{
	struct pipeline *pipeline = context;

	summary_add_request(pipeline->interval, request, had_run);
}

struct pipeline *pipeline_new(pipeline_output_fn output, void *context)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return NULL;
	struct run_sink sink = {.context = pipeline,
				.called = take_call,
				.ran = take_run,
				.requested = take_request,
				.closed = take_closing};

	pipeline->output = output;
	pipeline->context = context;
	pipeline->interval = summary_new();
	pipeline->total = summary_new();
	pipeline->findings = finding_stage_new();
	pipeline->runs = run_stage_new(&sink);
	if (pipeline->runs) {
		struct call_sink call_sink = run_stage_sink(pipeline->runs);

		pipeline->calls = call_stage_new(&call_sink);
	}
	if (pipeline->interval && pipeline->total && pipeline->findings && pipeline->calls)
		return pipeline;
	pipeline_free(pipeline);
	return NULL;
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	/* From left to right: a stage may hand on what it has left. */
	call_stage_free(pipeline->calls);
	run_stage_free(pipeline->runs);
	finding_stage_free(pipeline->findings);
	summary_free(pipeline->interval);
	summary_free(pipeline->total);
	free(pipeline->settings.version);
	free(pipeline->settings.host);
	free(pipeline->settings.release);
	free(pipeline->settings.hooks);
	free(pipeline->settings.reduced);
	free(pipeline);
}

/* Digits only; anything else counts as 0, "not known". */
static uint64_t parse_number(const char *text)
{
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);

	return *end || errno ? 0 : value;
}

static void set_text(char **text, char **value)
{
	free(*text);
	*text = *value;
	*value = NULL;
}

/* That it is a row, and not one too many, was looked at when the user gave it. */
static int add_dispatcher(struct pipeline *pipeline, const char *row)
{
	int err = run_stage_add_dispatcher(pipeline->runs, row);

	return err && err != -ENOMEM ? -EBADMSG : err;
}

/* Those of a capture that was made by a later version may be none that we know. */
static int set_rules(struct pipeline *pipeline, const char *text)
{
	struct finding_rules rules;
	char why[256];

	if (pipeline->other_rules)
		return 0;
	if (rules_parse(text, &rules, why, sizeof(why)))
		return -EBADMSG;
	finding_stage_set_rules(pipeline->findings, &rules);
	return 0;
}

void pipeline_set_rules(struct pipeline *pipeline, const struct finding_rules *rules)
{
	finding_stage_set_rules(pipeline->findings, rules);
	pipeline->other_rules = true;
}

void pipeline_keep_examples(struct pipeline *pipeline)
{
	call_stage_keep_examples(pipeline->calls, true);
}

/* Are hand-overs still told of, after this step of --max-cost? */
static bool tells_handovers(const char *reduced)
{
	return !strcmp(reduced, "none") || !strcmp(reduced, "usdt_off");
}

static int set(struct pipeline *pipeline, uint64_t time, const char *name, char **value)
{
	struct settings *settings = &pipeline->settings;
	const struct {
		const char *name;
		char **text;
	} texts[] = {
	    {"version", &settings->version}, {"host", &settings->host},	      {"release", &settings->release},
	    {"hooks", &settings->hooks},     {"reduced", &settings->reduced},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(name, texts[i].name))
			set_text(texts[i].text, value);
	if (!strcmp(name, "endpoint"))
		return run_stage_add_pattern(pipeline->runs, *value);
	if (!strcmp(name, "dispatcher"))
		return add_dispatcher(pipeline, *value);
	if (!strcmp(name, "secret"))
		call_stage_set_secret(pipeline->calls, *value, strlen(*value));
	if (!strcmp(name, "show-data") && !strcmp(*value, "1"))
		call_stage_keep_examples(pipeline->calls, true);
	if (!strcmp(name, "rules"))
		return set_rules(pipeline, *value);
	if (!strcmp(name, "reduced") && settings->reduced && !tells_handovers(settings->reduced))
		run_stage_handovers_end(pipeline->runs);
	if (!strcmp(name, "walks"))
		settings->walks = parse_number(*value);
	if (!strcmp(name, "ring"))
		settings->ring_bytes = parse_number(*value);
	if (!strcmp(name, "start")) {
		settings->start_wall = parse_number(*value);
		pipeline->began = pipeline->interval_began = time;
	}
	return 0;
}

/* Settings that are not the core's business (what --pid named, the interval) are for those who read a recording. */
static int take_setting(struct pipeline *pipeline, const struct nt_head *head)
{
	const struct nt_setting *record = (const struct nt_setting *)head;
	const char *text = (const char *)(record + 1);
	char *name = strndup(text, record->name_size);
	char *value = strndup(text + record->name_size, record->value_size);
	int err = -ENOMEM;

	if (name && value)
		err = set(pipeline, head->time, name, &value);
	free(name);
	free(value);
	return err;
}

static int take_process(struct pipeline *pipeline, const struct nt_head *head)
{
	const struct nt_process *record = (const struct nt_process *)head;
	int err = summary_set_target(pipeline->interval, record);

	keep(&err, summary_set_target(pipeline->total, record));
	return err;
}

static int take_exit(struct pipeline *pipeline, const struct nt_head *head)
{
	summary_end_target(pipeline->interval, head->pid);
	summary_end_target(pipeline->total, head->pid);
	return 0;
}

static int take_loss(struct pipeline *pipeline, const struct nt_head *head)
{
	pipeline->kernel_lost = *(const struct nt_loss *)head;
	return 0;
}

static void add_cost(struct nt_cost *into, const struct nt_cost *cost)
{
	into->wall += cost->wall;
	into->daemon_cpu += cost->daemon_cpu;
	into->probe_ns += cost->probe_ns;
	into->probe_runs += cost->probe_runs;
	into->target_cpu += cost->target_cpu;
	if (cost->daemon_rss > into->daemon_rss)
		into->daemon_rss = cost->daemon_rss;
}

static int take_cost(struct pipeline *pipeline, const struct nt_head *head)
{
	const struct nt_cost *record = (const struct nt_cost *)head;

	add_cost(&pipeline->interval->facts.cost, record);
	add_cost(&pipeline->total->facts.cost, record);
	return 0;
}

/* All that was lost since the capture began. */
static struct summary_lost count_lost(const struct pipeline *pipeline)
{
	const struct nt_loss *kernel = &pipeline->kernel_lost;
	const struct call_stats *calls = call_stage_stats(pipeline->calls);
	const struct run_stats *runs = run_stage_stats(pipeline->runs);

	return (struct summary_lost){
	    .records = kernel->records,
	    .stacks = kernel->stacks + runs->stacks_unknown,
	    .payload = kernel->payload,
	    .unparsed = calls->unparsed,
	    .bytes = calls->lost_bytes,
	    .sockets = kernel->sockets,
	    .processes = kernel->processes,
	    .threads = kernel->threads,
	    .probes = kernel->probes,
	    .calls = calls->lost_calls,
	    .connections = calls->connections_refused,
	    .orphans = calls->orphan_records,
	    .runs = runs->runs_refused,
	    .handovers = runs->handovers_lost,
	    .intents = calls->intents_refused,
	    .malformed = pipeline->malformed,
	};
}

/* All that had no place to be looked at since the capture began, but for the summary's own tables. */
static struct summary_unanalysed count_unanalysed(const struct pipeline *pipeline)
{
	const struct finding_stats *findings = finding_stage_stats(pipeline->findings);

	return (struct summary_unanalysed){
	    .runs = run_stage_stats(pipeline->runs)->runs_unkept,
	    .contents = call_stage_stats(pipeline->calls)->contents_refused,
	    .findings = findings->findings_refused,
	    .answers = findings->answers_refused,
	    .connections = findings->connections_refused,
	    .libraries = findings->libraries_refused,
	};
}

static struct summary_unanalysed unanalysed_since(struct summary_unanalysed before, struct summary_unanalysed now)
{
	return (struct summary_unanalysed){
	    .runs = now.runs - before.runs,
	    .contents = now.contents - before.contents,
	    .findings = now.findings - before.findings,
	    .answers = now.answers - before.answers,
	    .connections = now.connections - before.connections,
	    .libraries = now.libraries - before.libraries,
	};
}

/* What was lost between two counts of it. A total that went down says nothing of its interval. */
static struct summary_lost lost_since(struct summary_lost before, struct summary_lost now)
{
	struct summary_lost lost = {0};

	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++) {
		uint64_t from = *summary_lost_count(&before, kind);
		uint64_t to = *summary_lost_count(&now, kind);

		*summary_lost_count(&lost, kind) = to > from ? to - from : 0;
	}
	return lost;
}

static int copy_text(char **ret_copy, const char *text)
{
	if (!text)
		return 0;
	free(*ret_copy);
	*ret_copy = strdup(text);
	return *ret_copy ? 0 : -ENOMEM;
}

/* Completes a summary of the time from `began` to `now` with what its rows do not say. */
static int set_facts(struct pipeline *pipeline, struct summary *summary, uint64_t began, uint64_t now)
{
	const struct settings *settings = &pipeline->settings;
	struct summary_facts *facts = &summary->facts;
	int err = copy_text(&facts->version, settings->version);

	keep(&err, copy_text(&facts->host, settings->host));
	keep(&err, copy_text(&facts->release, settings->release));
	keep(&err, copy_text(&facts->hooks, settings->hooks));
	keep(&err, copy_text(&facts->reduced, settings->reduced));
	facts->walks = settings->walks ? settings->walks : 1;
	if (settings->start_wall)
		facts->start_wall = settings->start_wall + (began - pipeline->began);
	facts->duration = now > began ? now - began : 0;
	facts->ring_bytes = settings->ring_bytes;
	facts->rules = *finding_stage_rules(pipeline->findings);
	return err;
}

/* What has ended by `now` is in the summaries after this. */
static int flush(struct pipeline *pipeline, uint64_t now, bool at_end)
{
	call_stage_flush(pipeline->calls, now, at_end);
	run_stage_flush(pipeline->runs, now, at_end);
	int err = pipeline->error;

	pipeline->error = 0;
	return err;
}

static int take_tick(struct pipeline *pipeline, const struct nt_head *head)
{
	struct summary *interval = pipeline->interval;
	int err = flush(pipeline, head->time, false);
	struct summary_lost lost = count_lost(pipeline);
	struct summary_unanalysed unanalysed = count_unanalysed(pipeline);

	keep(&err, set_facts(pipeline, interval, pipeline->interval_began, head->time));
	interval->facts.lost = lost_since(pipeline->lost, lost);
	interval->facts.unanalysed = unanalysed_since(pipeline->unanalysed, unanalysed);
	keep(&err, summary_merge(pipeline->total, interval));
	summary_sort(interval);
	keep(&err, pipeline->output(pipeline->context, interval));
	summary_next(interval);
	pipeline->lost = lost;
	pipeline->unanalysed = unanalysed;
	if (head->time > pipeline->interval_began)
		pipeline->interval_began = head->time;
	return err;
}

static int take_end(struct pipeline *pipeline, const struct nt_head *head)
{
	struct summary *total = pipeline->total;
	int err = flush(pipeline, head->time, true);

	pipeline->ended = true;
	keep(&err, set_facts(pipeline, total, pipeline->began, head->time));
	total->facts.lost = count_lost(pipeline);
	total->facts.unanalysed = count_unanalysed(pipeline);
	total->facts.final = true;
	keep(&err, summary_merge(total, pipeline->interval));
	summary_sort(total);
	keep(&err, pipeline->output(pipeline->context, total));
	return err;
}

/* What the pipeline itself does with a type, besides giving it to the stages. */
static int (*const takers[])(struct pipeline *pipeline, const struct nt_head *head) = {
    [NT_PROCESS] = take_process, [NT_EXIT] = take_exit, [NT_SETTING] = take_setting, [NT_LOSS] = take_loss,
    [NT_COST] = take_cost,	 [NT_TICK] = take_tick, [NT_END] = take_end,
};

int pipeline_feed(struct pipeline *pipeline, const void *record, size_t size)
{
	const struct nt_head *head = record;
	int err = record_check(record, size);

	if (!err && pipeline->ended)
		err = -EBADMSG; /* nothing comes after NT_END */
	if (err) {
		pipeline->malformed++;
		return err;
	}
	if (!pipeline->started) {
		pipeline->began = pipeline->interval_began = head->time;
		pipeline->started = true;
	}
	err = call_stage_feed(pipeline->calls, head);
	keep(&err, run_stage_feed(pipeline->runs, head));
	keep(&err, pipeline->error);
	pipeline->error = 0;
	if (takers[head->type])
		keep(&err, takers[head->type](pipeline, head));
	return err;
}

uint64_t pipeline_calls(const struct pipeline *pipeline)
{
	return summary_calls(pipeline->total) + summary_calls(pipeline->interval);
}

uint32_t pipeline_judge(const struct pipeline *pipeline, uint32_t pid, uint64_t code)
{
	return run_stage_judge(pipeline->runs, pid, code);
}

bool pipeline_note(struct pipeline *pipeline, const struct nt_stack *record, struct nt_stack_note *ret_note)
{
	return run_stage_note(pipeline->runs, record, ret_note);
}
