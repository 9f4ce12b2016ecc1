/*
 * condition.c: see condition.h.
 */
#include "condition.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE "_change"
#define FORM "it is ENDPOINT METRIC OP VALUE, like \"shop.views.* calls_per_run > 10\""
#define REASON_SIZE 256

enum comparison { MORE, AT_LEAST, LESS, AT_MOST, EQUAL, UNEQUAL, COMPARISON_COUNT };

static const char *const comparison_names[COMPARISON_COUNT] = {
    [MORE] = ">", [AT_LEAST] = ">=", [LESS] = "<", [AT_MOST] = "<=", [EQUAL] = "==", [UNEQUAL] = "!=",
};

struct condition {
	struct condition *next;
	char *text;    /* as it was given */
	char *pattern; /* its words */
	enum figure figure;
	bool change; /* in percent */
	enum comparison comparison;
	double value;
	bool asked, met;
	char reason[REASON_SIZE]; /* what met it, or why it could not be asked */
};

struct conditions {
	struct condition *first, **last;
	size_t count;
};

struct conditions *conditions_new(void)
{
	struct conditions *conditions = calloc(1, sizeof(*conditions));

	if (conditions)
		conditions->last = &conditions->first;
	return conditions;
}

static void free_one(struct condition *condition)
{
	free(condition->text);
	free(condition->pattern);
	free(condition);
}

void conditions_free(struct conditions *conditions)
{
	struct condition *next;

	if (!conditions)
		return;
	for (struct condition *one = conditions->first; one; one = next) {
		next = one->next;
		free_one(one);
	}
	free(conditions);
}

size_t conditions_count(const struct conditions *conditions)
{
	return conditions->count;
}

/* Where what is wrong with a condition is told. */
struct reading {
	const char *text;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct reading *reading, const char *format, ...)
{
	va_list arguments;
	int used = snprintf(reading->why, reading->size, "--fail-on '%.60s': ", reading->text);

	va_start(arguments, format);
	if (used > 0 && (size_t)used < reading->size)
		vsnprintf(reading->why + used, reading->size - (size_t)used, format, arguments);
	va_end(arguments);
	for (char *at = reading->why; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = ' ';
	return -EINVAL;
}

static int refuse_metric(const struct reading *reading, const char *name)
{
	char names[256] = "";
	size_t used = 0;

	for (int i = 0; i < FIGURE_COUNT && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, " %s", figure_types[i].name);
	return refuse(reading, "'%.24s' is none of%s", name, names);
}

static bool ends_with_change(const char *name, size_t *ret_length)
{
	size_t length = strlen(name), tail = strlen(CHANGE);
	bool change = length > tail && !strcmp(name + length - tail, CHANGE);

	*ret_length = change ? length - tail : length;
	return change;
}

static int read_metric(const struct reading *reading, const char *name, bool changes, struct condition *condition)
{
	size_t length;
	int figure = 0;

	condition->change = ends_with_change(name, &length);
	while (figure < FIGURE_COUNT &&
	       (strlen(figure_types[figure].name) != length || strncmp(figure_types[figure].name, name, length) != 0))
		figure++;
	if (figure == FIGURE_COUNT)
		return refuse_metric(reading, name);
	if (condition->change && !changes)
		return refuse(reading, "%s is for nettrace diff, which has two captures", name);
	condition->figure = (enum figure)figure;
	return 0;
}

static int read_comparison(const struct reading *reading, const char *name, struct condition *condition)
{
	int comparison = 0;

	while (comparison < COMPARISON_COUNT && strcmp(comparison_names[comparison], name) != 0)
		comparison++;
	if (comparison == COMPARISON_COUNT)
		return refuse(reading, "'%.8s' is none of > >= < <= == !=", name);
	condition->comparison = (enum comparison)comparison;
	return 0;
}

static int read_value(const struct reading *reading, const char *text, struct condition *condition)
{
	char *end;

	condition->value = strtod(text, &end);
	if (*end || end == text || !isfinite(condition->value))
		return refuse(reading, "'%.24s' is no number", text);
	return 0;
}

static void trim(char *text)
{
	for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
		*--end = 0;
}

/* Cuts the last word off; NULL: there is none before which another one stands. */
static char *cut_word(char *text)
{
	char *end;

	trim(text);
	end = text + strlen(text);
	while (end > text && !isspace((unsigned char)end[-1]))
		end--;
	if (end == text)
		return NULL;
	end[-1] = 0;
	trim(text);
	return end;
}

static int read_all(const struct reading *reading, bool changes, struct condition *condition)
{
	char *value = cut_word(condition->pattern);
	char *comparison = value ? cut_word(condition->pattern) : NULL;
	char *metric = comparison ? cut_word(condition->pattern) : NULL;
	int error;

	if (!metric)
		return refuse(reading, FORM);
	if (!*condition->pattern || condition->pattern[strcspn(condition->pattern, " \t\n")])
		return refuse(reading, FORM);
	error = read_metric(reading, metric, changes, condition);
	error = error ? error : read_comparison(reading, comparison, condition);
	return error ? error : read_value(reading, value, condition);
}

int conditions_add(struct conditions *conditions, const char *text, bool changes, char *why, size_t size)
{
	struct reading reading = {text, why, size};
	struct condition *condition = calloc(1, sizeof(*condition));
	int error = -ENOMEM;

	if (!condition)
		return -ENOMEM;
	condition->text = strdup(text);
	condition->pattern = strdup(text);
	if (condition->text && condition->pattern)
		error = read_all(&reading, changes, condition);
	if (error) {
		free_one(condition);
		return error;
	}
	*conditions->last = condition;
	conditions->last = &condition->next;
	conditions->count++;
	return 0;
}

double figure_change(double before, double after)
{
	if (isnan(before) || isnan(after))
		return NAN;
	if (before == 0)
		return after == 0 ? 0 : INFINITY;
	return 100 * (after / before - 1);
}

static bool holds(double value, enum comparison comparison, double limit)
{
	const bool results[COMPARISON_COUNT] = {
	    [MORE] = value > limit,	[AT_LEAST] = value >= limit, [LESS] = value < limit,
	    [AT_MOST] = value <= limit, [EQUAL] = value == limit,    [UNEQUAL] = value != limit,
	};

	return results[comparison];
}

/* Too few runs for a change to mean anything. */
static bool is_too_few(const struct condition *condition, const double values[FIGURE_COUNT],
		       const double before[FIGURE_COUNT])
{
	double runs = fmin(values[FIGURE_RUNS], before[FIGURE_RUNS]);

	return runs < figure_types[condition->figure].least_runs;
}

static void ask(struct condition *condition, const char *endpoint, const double values[FIGURE_COUNT],
		const double before[FIGURE_COUNT])
{
	const struct figure_type *type = &figure_types[condition->figure];
	double value = values[condition->figure];

	if (condition->change && before)
		value = figure_change(before[condition->figure], value);
	if (condition->change && (!before || is_too_few(condition, values, before))) {
		snprintf(condition->reason, sizeof(condition->reason),
			 before ? "%.160s: not enough runs" : "%.160s is new", endpoint);
		return;
	}
	if (!figures_are_exact(values, condition->figure) ||
	    (condition->change && !figures_are_exact(before, condition->figure))) {
		snprintf(condition->reason, sizeof(condition->reason), "runs of %.160s could not be told apart",
			 endpoint);
		return;
	}
	if (isnan(value)) {
		snprintf(condition->reason, sizeof(condition->reason), "%.160s has none", endpoint);
		return;
	}
	condition->asked = true;
	if (!holds(value, condition->comparison, condition->value))
		return;
	condition->met = true;
	snprintf(condition->reason, sizeof(condition->reason), "%.160s has %s%s %.10g", endpoint, type->name,
		 condition->change ? CHANGE : "", round(value * 1000) / 1000);
}

void conditions_ask(struct conditions *conditions, const char *endpoint, const double values[FIGURE_COUNT],
		    const double before[FIGURE_COUNT])
{
	for (struct condition *one = conditions->first; one; one = one->next)
		if (!one->met && !fnmatch(one->pattern, endpoint, 0))
			ask(one, endpoint, values, before);
}

void conditions_ask_all(struct conditions *conditions, const struct summary *summary)
{
	double values[FIGURE_COUNT];

	for (const struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next) {
		figures_of(summary, row, values);
		conditions_ask(conditions, row->name, values, NULL);
	}
}

enum conditions_result conditions_result(const struct conditions *conditions,
					 void (*say)(void *context, const char *line), void *context)
{
	bool met = false, unasked = false;
	char line[512];

	for (const struct condition *one = conditions->first; one; one = one->next) {
		met |= one->met;
		unasked |= !one->met && !one->asked;
		if (!one->met && one->asked)
			continue;
		snprintf(line, sizeof(line), "--fail-on '%.200s' %s: %s", one->text,
			 one->met ? "is met" : "could not be checked",
			 *one->reason ? one->reason : "no endpoint matches");
		for (char *at = line; *at; at++)
			if (iscntrl((unsigned char)*at))
				*at = '?';
		say(context, line);
	}
	return met ? CONDITIONS_MET : unasked ? CONDITIONS_UNASKED : CONDITIONS_PASSED;
}
