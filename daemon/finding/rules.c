/*
 * rules.c: thresholds of the findings, see rules.h.
 */
#include "rules.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define MOST_SECONDS 1e9 /* thirty years: beyond, a time in ns would not fit */

const struct finding_rules rules_table[] = {
    {
	.name = "default",
	.duplicate = {.on = true, .same_answer = true, .least = 2},
	.n_plus_one = {.on = true, .keyed = true, .least = 4, .values = 4},
	.serial =
	    {.on = true, .independent = true, .least = 2, .call_time = MS / 2, .saving = MS / 2, .saving_share = 0.02},
	.repeated = {.on = true, .window = 60 * SECOND, .least = 10, .share = 0.5},
	.reconnect = {.on = true, .least = 3, .share = 0.5},
	.slow_start = {.on = true, .time = MS / 2, .share = 0.1},
	.stalled = {.on = true, .from = 38 * MS, .to = 60 * MS},
	.shown = {.runs = 1, .run_share = 0.05},
    },
    /*
     * Sentry's performance issues, docs.sentry.io/product/issues/issue-details/performance-issues: "N+1 queries" and
     * "consecutive HTTP". Its other kinds of ours are about databases whose protocols we do not read, or it has none.
     */
    {
	.name = "sentry",
	.n_plus_one = {.on = true, .source = true, .least = 5, .values = 1, .time = 50 * MS},
	.serial = {.on = true, .least = 3, .call_time = 500 * MS, .gap = 500 * MS, .saving = 2 * SECOND, .hosts = 3},
	.shown = {.runs = 1},
    },
    /* perf-sentinel's detectors of the same names, as it ships them; "redundant" is our duplicate. */
    {
	.name = "perf-sentinel",
	.duplicate = {.on = true, .least = 2},
	.n_plus_one = {.on = true, .keyed = true, .least = 5, .values = 5, .within = 500 * MS},
	.serial = {.on = true, .least = 3},
	.shown = {.runs = 1},
    },
    {.name = NULL},
};

const struct finding_rules *rules_find(const char *name)
{
	for (const struct finding_rules *rules = rules_table; rules->name; rules++)
		if (!strcmp(rules->name, name))
			return rules;
	return NULL;
}

/* How a threshold is written in JSON. */
enum form { TRUTH, COUNT, MILLISECONDS, SECONDS, SHARE };

struct threshold {
	const char *kind, *name;
	enum form form;
	size_t offset;
};

#define THRESHOLD(kind, member, name, form)                                                                            \
	{                                                                                                              \
#kind, name, form, offsetof(struct finding_rules, kind.member)                                         \
	}
#define ON(kind) THRESHOLD(kind, on, "on", TRUTH)

/* In the order of struct finding_rules; those of a kind stand together. */
static const struct threshold thresholds[] = {
    ON(duplicate),
    THRESHOLD(duplicate, same_answer, "same_answer", TRUTH),
    THRESHOLD(duplicate, least, "least", COUNT),
    ON(n_plus_one),
    THRESHOLD(n_plus_one, source, "source", TRUTH),
    THRESHOLD(n_plus_one, keyed, "keyed", TRUTH),
    THRESHOLD(n_plus_one, least, "least", COUNT),
    THRESHOLD(n_plus_one, values, "values", COUNT),
    THRESHOLD(n_plus_one, time, "time_ms", MILLISECONDS),
    THRESHOLD(n_plus_one, within, "within_ms", MILLISECONDS),
    ON(serial),
    THRESHOLD(serial, independent, "independent", TRUTH),
    THRESHOLD(serial, least, "least", COUNT),
    THRESHOLD(serial, call_time, "call_time_ms", MILLISECONDS),
    THRESHOLD(serial, gap, "gap_ms", MILLISECONDS),
    THRESHOLD(serial, saving, "saving_ms", MILLISECONDS),
    THRESHOLD(serial, saving_share, "saving_share", SHARE),
    THRESHOLD(serial, hosts, "hosts", COUNT),
    ON(repeated),
    THRESHOLD(repeated, window, "window_s", SECONDS),
    THRESHOLD(repeated, least, "least", COUNT),
    THRESHOLD(repeated, share, "share", SHARE),
    ON(reconnect),
    THRESHOLD(reconnect, least, "least", COUNT),
    THRESHOLD(reconnect, share, "share", SHARE),
    ON(slow_start),
    THRESHOLD(slow_start, time, "time_ms", MILLISECONDS),
    THRESHOLD(slow_start, share, "share", SHARE),
    ON(stalled),
    THRESHOLD(stalled, from, "from_ms", MILLISECONDS),
    THRESHOLD(stalled, to, "to_ms", MILLISECONDS),
    THRESHOLD(shown, runs, "runs", COUNT),
    THRESHOLD(shown, run_share, "run_share", SHARE),
};

#define THRESHOLDS (sizeof(thresholds) / sizeof(thresholds[0]))

/* What each form takes, for people. */
static const char *const form_words[] = {
    [TRUTH] = "true or false",
    [COUNT] = "a whole number from 0",
    [MILLISECONDS] = "a number of milliseconds from 0",
    [SECONDS] = "a number of seconds from 0",
    [SHARE] = "a share from 0 to 1",
};

/* Where what is wrong is told. */
struct reading {
	struct finding_rules *rules;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct reading *reading, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reading->why, reading->size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static const struct threshold *find_threshold(const char *kind, const char *name)
{
	for (size_t i = 0; i < THRESHOLDS; i++)
		if (!strcmp(thresholds[i].kind, kind) && (!name || !strcmp(thresholds[i].name, name)))
			return &thresholds[i];
	return NULL;
}

/* False: the value is none of this form. */
static bool set(struct finding_rules *rules, const struct threshold *threshold, const json_t *value)
{
	void *place = (char *)rules + threshold->offset;
	double number = json_number_value(value);
	double scale = threshold->form == MILLISECONDS ? (double)MS : (double)SECOND;

	if (threshold->form == TRUTH) {
		*(bool *)place = json_is_true(value);
		return json_is_boolean(value);
	}
	if (!json_is_number(value) || number < 0)
		return false;
	if (threshold->form == COUNT) {
		*(uint32_t *)place = json_is_integer(value) && number <= UINT32_MAX ? (uint32_t)number : 0;
		return json_is_integer(value) && number <= UINT32_MAX;
	}
	if (threshold->form == SHARE) {
		*(double *)place = number;
		return number <= 1;
	}
	if (number * scale > MOST_SECONDS * (double)SECOND)
		return false;
	*(uint64_t *)place = (uint64_t)(number * scale + 0.5);
	return true;
}

/* " least share window_s": what a kind has, or (NULL) the kinds that there are. */
static void list_names(const char *kind, char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = 0;
	for (size_t i = 0; i < THRESHOLDS && used < size; i++) {
		const struct threshold *one = &thresholds[i];
		bool first = !i || strcmp(thresholds[i - 1].kind, one->kind) != 0;

		if (kind ? !strcmp(one->kind, kind) : first)
			used += (size_t)snprintf(ret_text + used, size - used, " %s", kind ? one->name : one->kind);
	}
}

static int read_kind(const struct reading *reading, const char *kind, json_t *object)
{
	const struct threshold *threshold;
	const char *name;
	char names[128];
	json_t *value;

	if (!json_is_object(object))
		return refuse(reading, "%s: it is an object of thresholds", kind);
	json_object_foreach(object, name, value)
	{
		threshold = find_threshold(kind, name);
		if (!threshold) {
			list_names(kind, names, sizeof(names));
			return refuse(reading, "%s has no '%.32s': it has%s", kind, name, names);
		}
		if (!set(reading->rules, threshold, value))
			return refuse(reading, "%s.%s: it is %s", kind, name, form_words[threshold->form]);
	}
	return 0;
}

/* Which thresholds hold where nothing else is said. */
static int read_preset(const struct reading *reading, json_t *object)
{
	json_t *name = json_object_get(object, "preset");
	const struct finding_rules *preset = rules_table;

	if (name && !json_is_string(name))
		return refuse(reading, "preset: it is a name");
	if (name)
		preset = rules_find(json_string_value(name));
	if (!preset)
		return refuse(reading, "preset '%.32s': it is default, sentry or perf-sentinel",
			      json_string_value(name));
	*reading->rules = *preset;
	return 0;
}

static int read_all(const struct reading *reading, json_t *object)
{
	char names[128];
	const char *kind;
	json_t *value;
	int error;

	if (!json_is_object(object))
		return refuse(reading, "it is a JSON object: {\"preset\": \"default\", \"serial\": {\"least\": 3}}");
	error = read_preset(reading, object);
	if (error)
		return error;
	reading->rules->name = RULES_CUSTOM;
	json_object_foreach(object, kind, value)
	{
		if (!strcmp(kind, "preset"))
			continue;
		if (!find_threshold(kind, NULL)) {
			list_names(NULL, names, sizeof(names));
			return refuse(reading, "'%.32s' is none of preset%s", kind, names);
		}
		error = read_kind(reading, kind, value);
		if (error)
			return error;
	}
	return 0;
}

int rules_parse(const char *text, struct finding_rules *ret_rules, char *why, size_t size)
{
	struct reading reading = {.rules = ret_rules, .why = why, .size = size};
	const struct finding_rules *preset = rules_find(text);
	json_error_t problem;
	json_t *object;
	int error;

	if (preset) {
		*ret_rules = *preset;
		return 0;
	}
	object = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
	error = object ? read_all(&reading, object) : refuse(&reading, "line %d: %.100s", problem.line, problem.text);
	json_decref(object);
	for (char *at = why; error && *at; at++) /* names in it are the file's */
		if ((unsigned char)*at < ' ')
			*at = ' ';
	return error;
}
