/*
 * compare.c: see compare.h.
 */
#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

double compare_number(const json_t *object, const char *name, const char *inner)
{
	const json_t *value = json_object_get(object, name);

	if (inner)
		value = json_object_get(value, inner);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool counts_needless(const json_t *finding)
{
	for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
		if (!strcmp(finding_kind_names[kind], text_of(finding, "kind")))
			return figures_count_needless((enum finding_kind)kind);
	return false;
}

/* In the mean run that was analysed. */
static double count_needless(const json_t *endpoint)
{
	double runs = compare_number(endpoint, "predicted", "runs"), needless = 0;
	json_t *finding;
	size_t i;

	json_array_foreach(json_object_get(endpoint, "findings"), i, finding)
	{
		if (counts_needless(finding))
			needless += compare_number(finding, "needless_calls_per_run", NULL) *
				    compare_number(finding, "runs", NULL);
	}
	return runs > 0 ? needless / runs : NAN;
}

/* What figures_of() is for a summary in memory. */
static void read_figures(const json_t *endpoint, double ret_values[FIGURE_COUNT])
{
	static const struct {
		enum figure figure;
		const char *name, *inner;
	} places[] = {
	    {FIGURE_RUNS, "runs", NULL},
	    {FIGURE_INEXACT_RUNS, "inexact_runs", NULL},
	    {FIGURE_ERRORS, "errors", NULL},
	    {FIGURE_CALLS_PER_RUN, "calls_per_run", NULL},
	    {FIGURE_ROUND_TRIPS_PER_RUN, "round_trips_per_run", NULL},
	    {FIGURE_WALL_P50, "wall", "p50"},
	    {FIGURE_WALL_P95, "wall", "p95"},
	    {FIGURE_WALL_P99, "wall", "p99"},
	    {FIGURE_NETWORK_P50, "network", "p50"},
	    {FIGURE_NETWORK_P95, "network", "p95"},
	    {FIGURE_NETWORK_P99, "network", "p99"},
	};

	for (int figure = 0; figure < FIGURE_COUNT; figure++)
		ret_values[figure] = NAN;
	if (!endpoint)
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		ret_values[places[i].figure] = compare_number(endpoint, places[i].name, places[i].inner);
	if (isnan(ret_values[FIGURE_INEXACT_RUNS])) /* it only says whether there are any */
		ret_values[FIGURE_INEXACT_RUNS] =
		    json_is_true(json_object_get(endpoint, "runs_exact")) ? 0 : ret_values[FIGURE_RUNS];
	ret_values[FIGURE_FINDINGS] = (double)json_array_size(json_object_get(endpoint, "findings"));
	ret_values[FIGURE_NEEDLESS_CALLS_PER_RUN] = count_needless(endpoint);
	ret_values[FIGURE_SAVING] =
	    compare_number(endpoint, "predicted", "wall_now") - compare_number(endpoint, "predicted", "wall_then");
}

/* The endpoint of this name; of several, the one in a file of this name, or else the first. */
static json_t *find_endpoint(json_t *endpoints, const char *name, const char *file)
{
	json_t *endpoint, *found = NULL;
	size_t i;

	json_array_foreach(endpoints, i, endpoint)
	{
		if (strcmp(text_of(endpoint, "endpoint"), name) != 0)
			continue;
		if (!strcmp(text_of(endpoint, "file"), file))
			return endpoint;
		found = found ? found : endpoint;
	}
	return found;
}

static void add(struct compared *compared, json_t *before, json_t *after)
{
	*compared = (struct compared){text_of(after ? after : before, "endpoint"), before, after, {0}, {0}};
	read_figures(before, compared->was);
	read_figures(after, compared->is);
}

struct compared *compare_endpoints(json_t *before, json_t *after, size_t *ret_count)
{
	json_t *old = json_object_get(before, "endpoints"), *new = json_object_get(after, "endpoints"), *one;
	struct compared *all = calloc(json_array_size(old) + json_array_size(new) + 1, sizeof(*all));
	size_t i;

	*ret_count = 0;
	if (!all)
		return NULL;
	json_array_foreach(new, i, one)
	{
		add(&all[(*ret_count)++], find_endpoint(old, text_of(one, "endpoint"), text_of(one, "file")), one);
	}
	json_array_foreach(old, i, one)
	{
		if (!find_endpoint(new, text_of(one, "endpoint"), text_of(one, "file")))
			add(&all[(*ret_count)++], one, NULL);
	}
	return all;
}

bool compare_is_exact(const struct compared *compared, enum figure figure)
{
	return (!compared->before || figures_are_exact(compared->was, figure)) &&
	       (!compared->after || figures_are_exact(compared->is, figure));
}

bool compare_is_enough(const struct compared *compared, enum figure figure)
{
	double least = figure_types[figure].least_runs;

	return compared->was[FIGURE_RUNS] >= least && compared->is[FIGURE_RUNS] >= least &&
	       compare_is_exact(compared, figure);
}

static bool are_alike(const json_t *one, const json_t *other)
{
	const char *backend = text_of(one, "backend");
	size_t protocol = strcspn(backend, " ");

	return !strcmp(text_of(one, "kind"), text_of(other, "kind")) &&
	       !strcmp(text_of(one, "operation"), text_of(other, "operation")) &&
	       strcspn(text_of(other, "backend"), " ") == protocol &&
	       !strncmp(backend, text_of(other, "backend"), protocol);
}

json_t *compare_findings(json_t *from, json_t *other)
{
	json_t *found = json_array(), *one, *like;
	size_t i, j;

	json_array_foreach(json_object_get(from, "findings"), i, one)
	{
		bool any = false;

		json_array_foreach(json_object_get(other, "findings"), j, like)
		{
			any |= are_alike(one, like);
		}
		if (!any && found && json_array_append(found, one)) {
			json_decref(found);
			found = NULL;
		}
	}
	return found;
}
