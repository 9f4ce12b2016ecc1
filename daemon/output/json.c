/*
 * json.c: a summary as one JSON object on one line, schema nettrace.summary/1 of INTERFACE.md.
 *
 * Times in it are milliseconds. The object is written member by member and its endpoints one by one, so that a
 * large summary is never in memory twice. jansson does the encoding; words.c makes names valid UTF-8.
 */
#include "output.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "words.h"

#define SCHEMA "nettrace.summary/1"

/* Fifteen digits print a number that was rounded to a fixed place as it was meant, without a tail of nines. */
#define FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

/* JSON's integers are signed in jansson: a counter beyond stays at the limit. */
static json_int_t whole(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (json_int_t)value;
}

static json_t *text(const char *value)
{
	if (!value)
		return json_null();
	json_t *string = json_string(value);

	if (string) /* it was valid UTF-8 */
		return string;
	size_t size = words_clean_size(value);
	char *clean = malloc(size);

	if (!clean)
		return NULL;
	words_clean(value, false, clean, size);
	string = json_string(clean);
	free(clean);
	return string;
}

/* Nanoseconds as milliseconds, to the nanosecond. */
static double milliseconds(double ns)
{
	return round(ns) / 1e6;
}

static json_t *count(uint64_t value)
{
	return json_integer(whole(value));
}

static json_t *time_of(double ns)
{
	return json_real(milliseconds(ns));
}

struct pair {
	const char *name;
	json_t *value;
};

/* Takes the values; NULL without memory, also for one of them. */
static json_t *make_object(const struct pair *pairs, size_t size)
{
	json_t *object = json_object();
	bool failed = !object;

	for (size_t i = 0; i < size; i++) {
		if (failed)
			json_decref(pairs[i].value);
		else
			failed = json_object_set_new(object, pairs[i].name, pairs[i].value) != 0;
	}
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

#define COUNT_OF(...) (sizeof((const struct pair[]){__VA_ARGS__}) / sizeof(struct pair))
#define OBJECT(...) make_object((const struct pair[]){__VA_ARGS__}, COUNT_OF(__VA_ARGS__))

static json_t *distribution(const struct histogram *times)
{
	bool any = times->count > 0;

	return OBJECT({"count", count(times->count)}, {"sum", time_of((double)times->sum)},
		      {"mean", any ? time_of((double)times->sum / (double)times->count) : json_null()},
		      {"p50", any ? time_of(histogram_quantile(times, 0.50)) : json_null()},
		      {"p95", any ? time_of(histogram_quantile(times, 0.95)) : json_null()},
		      {"p99", any ? time_of(histogram_quantile(times, 0.99)) : json_null()},
		      {"max", any ? time_of((double)times->max) : json_null()});
}

/* A quotient to `places` decimal places; null where there is nothing to divide by. */
static json_t *quotient(double value, double by, int places)
{
	double scale = pow(10, places);

	return by > 0 ? json_real(round(value / by * scale) / scale) : json_null();
}

/* Takes both; NULL without memory, also for one of them. */
static json_t *append(json_t *array, json_t *value)
{
	if (!json_array_append_new(array, value))
		return array;
	json_decref(array);
	return NULL;
}

/* Line numbers begin at 1. */
static json_t *line_number(uint32_t line)
{
	return line ? json_integer(line) : json_null();
}

static json_t *make_operation(const struct summary_operation *row)
{
	return OBJECT({"operation", text(row->name)}, {"calls", count(row->calls)}, {"keys", count(row->keys)},
		      {"errors", count(row->errors)}, {"client_errors", count(row->client_errors)},
		      {"latency", distribution(&row->latency)});
}

static json_t *make_operations(const struct summary_backend *backend)
{
	json_t *array = json_array();

	for (const struct summary_operation *row = backend->operations; array && row; row = row->hh.next)
		array = append(array, make_operation(row));
	return array;
}

static json_t *make_site(const struct summary_site *site)
{
	return OBJECT({"function", text(site->function)}, {"file", text(site->file)}, {"line", line_number(site->line)},
		      {"calls", count(site->calls)});
}

static json_t *make_sites(const struct summary_site *sites, size_t size)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < size; i++)
		array = append(array, make_site(&sites[i]));
	return array;
}

/* `runs` are those of its endpoint. */
static json_t *make_backend(const struct summary_backend *row, uint64_t runs)
{
	return OBJECT(
	    {"protocol", text(row->key.protocol)}, {"address", text(row->address)}, {"name", json_null()},
	    {"calls", count(row->calls)}, {"calls_per_run", quotient((double)row->run_calls, (double)runs, 3)},
	    {"round_trips", count(row->round_trips)}, {"keys", count(row->keys)}, {"connects", count(row->connects)},
	    {"bytes_out", count(row->bytes_out)}, {"bytes_in", count(row->bytes_in)}, {"errors", count(row->errors)},
	    {"client_errors", count(row->client_errors)}, {"latency", distribution(&row->latency)},
	    {"wait", distribution(&row->wait)}, {"operations", make_operations(row)},
	    {"where", make_sites(row->sites, row->site_count)});
}

static json_t *make_backends(const struct summary_endpoint *endpoint)
{
	json_t *array = json_array();

	for (const struct summary_backend *row = endpoint->backends; array && row; row = row->hh.next)
		array = append(array, make_backend(row, endpoint->runs));
	return array;
}

/* The source of most runs; the more exact one of equals. */
static const char *wall_source(const struct summary_endpoint *endpoint)
{
	static const char *const names[] = {
	    [RUN_BY_USDT] = "usdt", [RUN_BY_REQUEST] = "request", [RUN_BY_CALLS] = "calls"};
	int most = RUN_BY_USDT;

	for (int source = RUN_BY_REQUEST; source <= RUN_BY_CALLS; source++)
		if (endpoint->runs_by[source] > endpoint->runs_by[most])
			most = source;
	return endpoint->runs_by[most] ? names[most] : NULL;
}

static json_t *mean_of(uint64_t sum, uint64_t runs)
{
	return time_of((double)sum / (double)runs);
}

/* What the mean run's wall time went to, as far as it is measured: of the runs that had a thread for themselves, if
 * any. */
static json_t *make_time(const struct summary_endpoint *endpoint)
{
	const struct summary_times *times = &endpoint->times;
	const struct histogram *wall = &endpoint->wall, *network = &endpoint->network;

	if (times->runs)
		return OBJECT(
		    {"network", mean_of(times->network, times->runs)}, {"cpu", mean_of(times->cpu, times->runs)},
		    {"run_queue", mean_of(times->run_queue, times->runs)}, {"lock", mean_of(times->lock, times->runs)},
		    {"sleep", mean_of(times->sleep, times->runs)}, {"other", mean_of(times->other, times->runs)});
	if (!wall->count || !network->count)
		return json_object();
	double all = (double)wall->sum / (double)wall->count;
	double on_network = fmin((double)network->sum / (double)network->count, all);

	return OBJECT({"network", time_of(on_network)}, {"other", time_of(all - on_network)});
}

/* A summary and what of it is shown. */
struct view {
	const struct summary *summary;
	const struct output_style *style;
};

/* "redis 10.0.0.5:6379" */
static json_t *make_backend_name(const struct summary_finding *row)
{
	char name[SUMMARY_PROTOCOL_SIZE + SUMMARY_ADDRESS_SIZE + 1];

	snprintf(name, sizeof(name), "%s %s", row->backend.protocol, row->address);
	return text(name);
}

/* ms of a run that has the finding, in the mean. */
static json_t *make_saving(const struct summary_finding *row)
{
	return OBJECT({"low", mean_of(row->saving.low, row->runs)},
		      {"expected", mean_of(row->saving.expected, row->runs)},
		      {"high", mean_of(row->saving.high, row->runs)});
}

static json_t *make_finding(const struct view *view, const struct summary_endpoint *endpoint,
			    const struct summary_finding *row)
{
	double runs = (double)row->runs, needless = (double)row->needless;

	return OBJECT({"kind", text(finding_kind_names[row->kind])}, {"backend", make_backend_name(row)},
		      {"other_backends", json_boolean(row->many_backends)}, {"operation", text(row->operation)},
		      {"runs", count(row->runs)}, {"calls_per_run", quotient((double)row->calls, runs, 3)},
		      {"needless_calls_per_run", quotient(needless, runs, 3)},
		      {"needless_share", quotient(needless, (double)row->candidates, 4)}, {"saving", make_saving(row)},
		      {"saving_total_ms", time_of((double)row->saving.expected)},
		      {"share", quotient((double)row->saving.expected, (double)endpoint->analysed.now.sum, 4)},
		      {"evidence", text(row->evidence)}, {"remedy", text(row->remedy)},
		      {"where", make_sites(row->sites, row->site_count)},
		      {"example", text(view->style->show_data ? row->example : NULL)});
}

static json_t *make_findings(const struct view *view, const struct summary_endpoint *endpoint)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < endpoint->finding_count; i++)
		if (summary_is_shown(view->summary, endpoint, &endpoint->findings[i]))
			array = append(array, make_finding(view, endpoint, &endpoint->findings[i]));
	return array;
}

/* Of runs that were not analysed nothing is predicted. */
static json_t *make_predicted(const struct view *view, const struct summary_endpoint *endpoint)
{
	struct summary_prediction predicted = summary_predict(view->summary, endpoint);
	bool any = predicted.runs > 0;

	return OBJECT({"wall_now", any ? time_of(predicted.now) : json_null()},
		      {"wall_then", any ? time_of(predicted.then) : json_null()},
		      {"low", any ? time_of(predicted.low) : json_null()},
		      {"high", any ? time_of(predicted.high) : json_null()}, {"runs", count(predicted.runs)});
}

static json_t *make_endpoint(const struct view *view, const struct summary_endpoint *row)
{
	return OBJECT({"endpoint", text(row->name)}, {"file", text(*row->file ? row->file : NULL)},
		      {"line", line_number(row->line)}, {"route", text(row->route)}, {"runs", count(row->runs)},
		      {"partial_runs", count(row->partial_runs)}, {"runs_exact", json_boolean(!row->inexact_runs)},
		      {"inexact_runs", count(row->inexact_runs)}, {"wall", distribution(&row->wall)},
		      {"wall_source", text(wall_source(row))}, {"network", distribution(&row->network)},
		      {"time", make_time(row)}, {"calls", count(row->calls)}, {"round_trips", count(row->round_trips)},
		      {"calls_per_run", quotient((double)row->run_calls, (double)row->runs, 3)},
		      {"round_trips_per_run", quotient((double)row->run_round_trips, (double)row->runs, 3)},
		      {"errors", count(row->errors)}, {"backends", make_backends(row)},
		      {"findings", make_findings(view, row)}, {"predicted", make_predicted(view, row)});
}

static json_t *make_rules(const struct summary *summary)
{
	return text(summary->facts.rules.name);
}

static json_t *make_schema(const struct summary *summary)
{
	(void)summary;
	return json_string(SCHEMA);
}

static json_t *make_version(const struct summary *summary)
{
	return text(summary->facts.version);
}

static json_t *make_host(const struct summary *summary)
{
	return text(summary->facts.host);
}

static json_t *make_final(const struct summary *summary)
{
	return json_boolean(summary->facts.final);
}

static json_t *make_start(const struct summary *summary)
{
	char date[64];

	if (!summary->facts.start_wall)
		return json_null();
	words_date(summary->facts.start_wall, date, sizeof(date));
	return json_string(date);
}

static json_t *make_duration(const struct summary *summary)
{
	return quotient((double)summary->facts.duration, 1e9, 6);
}

static json_t *make_kernel(const struct summary *summary)
{
	return OBJECT({"release", text(summary->facts.release)}, {"hooks", text(summary->facts.hooks)});
}

static json_t *python_version(const struct summary_target *target)
{
	char version[16];

	if (!target->python[0])
		return json_null();
	snprintf(version, sizeof(version), "%u.%u.%u", target->python[0], target->python[1], target->python[2]);
	return json_string(version);
}

static json_t *make_target(const struct summary_target *target)
{
	static const char *const attributions[] = {
	    [NT_ATTRIBUTION_NONE] = "none", [NT_ATTRIBUTION_STACK] = "stack", [NT_ATTRIBUTION_USDT] = "usdt"};
	unsigned by = target->attribution <= NT_ATTRIBUTION_USDT ? target->attribution : NT_ATTRIBUTION_NONE;

	return OBJECT({"pid", json_integer(target->pid)}, {"command", text(target->command)},
		      {"python", python_version(target)}, {"attribution", json_string(attributions[by])});
}

static json_t *make_targets_more(const struct summary *summary)
{
	return count(summary->targets_more);
}

static json_t *make_targets(const struct summary *summary)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < summary->target_count; i++)
		array = append(array, make_target(&summary->targets[i]));
	return array;
}

/* Takes both; NULL without memory. */
static json_t *put(json_t *object, const char *name, json_t *value)
{
	if (!json_object_set_new(object, name, value))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *make_lost(const struct summary *summary)
{
	const struct summary_lost_kind *kind = summary_lost_kinds;
	struct summary_lost lost = summary->facts.lost;
	json_t *object = json_object();

	for (; object && kind->name; kind++)
		object = put(object, kind->name, count(*summary_lost_count(&lost, kind)));
	return object;
}

static json_t *make_unanalysed(const struct summary *summary)
{
	const struct summary_lost_kind *kind = summary_unanalysed_kinds;
	struct summary_unanalysed unanalysed = summary_unanalysed(summary);
	json_t *object = json_object();

	for (; object && kind->name; kind++)
		object = put(object, kind->name, count(summary_unanalysed_count(&unanalysed, kind)));
	return object;
}

/* What the probes took is known only where the kernel counted their runs. */
static json_t *make_cost(const struct summary *summary)
{
	const struct nt_cost *cost = &summary->facts.cost;
	double wall = (double)cost->wall, probes = (double)cost->probe_ns;
	bool known = cost->probe_runs > 0;

	return OBJECT({"probe_ns_per_call", quotient(probes, known ? (double)summary_calls(summary) : 0, 1)},
		      {"target_cpu_percent", quotient(100 * probes, known ? wall : 0, 3)},
		      {"daemon_cpu_percent", quotient(100 * (double)cost->daemon_cpu, wall, 3)},
		      {"daemon_rss", count(cost->daemon_rss)}, {"ring_bytes", count(summary->facts.ring_bytes)},
		      {"reduced", text(summary->facts.reduced ? summary->facts.reduced : "none")},
		      {"walks_one_in", count(summary->facts.walks ? summary->facts.walks : 1)});
}

static json_t *make_requests(const struct summary *summary)
{
	return OBJECT({"count", count(summary->requests)},
		      {"without_endpoint", count(summary->requests_without_endpoint)},
		      {"latency", distribution(&summary->request_latency)});
}

static json_t *make_reasons(const struct summary *summary)
{
	json_t *object = json_object();

	for (int reason = 0; object && reason < RUN_REASON_COUNT; reason++)
		if (summary->reasons[reason])
			object = put(object, run_reason_names[reason], count(summary->reasons[reason]));
	return object;
}

static json_t *make_unattributed(const struct summary *summary)
{
	return OBJECT({"calls", count(summary->unattributed_calls)},
		      {"backends", make_backends(&summary->unattributed)}, {"reasons", make_reasons(summary)});
}

static json_t *make_truncated(const struct summary *summary)
{
	return json_boolean(summary->truncated);
}

/* Writes a value and gives it up. */
static int put_value(FILE *stream, json_t *value)
{
	if (!value)
		return -ENOMEM;
	int err = json_dumpf(value, stream, FLAGS);

	json_decref(value);
	if (!err)
		return 0;
	return ferror(stream) && errno ? -errno : -ENOMEM;
}

static int put_endpoints(FILE *stream, const struct view *view)
{
	const struct summary *summary = view->summary;
	int err = 0;

	fputc('[', stream);
	for (const struct summary_endpoint *row = summary->endpoints; !err && row; row = row->hh.next) {
		err = put_value(stream, make_endpoint(view, row));
		if (row->hh.next)
			fputc(',', stream);
	}
	fputc(']', stream);
	return err;
}

/* The members of the object in INTERFACE.md's order. The one without `make` is the endpoints. */
static const struct member {
	const char *name;
	json_t *(*make)(const struct summary *summary);
} members[] = {
    {"schema", make_schema},
    {"version", make_version},
    {"host", make_host},
    {"final", make_final},
    {"start", make_start},
    {"duration_s", make_duration},
    {"kernel", make_kernel},
    {"targets", make_targets},
    {"targets_more", make_targets_more},
    {"lost", make_lost},
    {"unanalysed", make_unanalysed},
    {"cost", make_cost},
    {"rules", make_rules},
    {"endpoints", NULL},
    {"requests", make_requests},
    {"unattributed", make_unattributed},
    {"truncated", make_truncated},
};

static int write_json(FILE *stream, const struct summary *summary, const struct output_style *style)
{
	struct view view = {summary, style};
	int err = 0;

	errno = 0;
	for (size_t i = 0; !err && i < sizeof(members) / sizeof(members[0]); i++) {
		fprintf(stream, "%s\"%s\":", i ? "," : "{", members[i].name);
		if (members[i].make)
			err = put_value(stream, members[i].make(summary));
		else
			err = put_endpoints(stream, &view);
	}
	fputs("}\n", stream);
	if (fflush(stream) || ferror(stream))
		return errno ? -errno : -EIO;
	return err;
}

const struct output output_json = {.name = "json", .write = write_json};
