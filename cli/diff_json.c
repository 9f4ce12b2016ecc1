/*
 * diff_json.c: nettrace diff as one JSON object on one line, schema nettrace.diff/1. See diff.h.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>

#include "../daemon/summary/condition.h"
#include "diff.h"

#define SCHEMA "nettrace.diff/1"
#define FLAGS (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

/* Null where it is not known, or beyond what JSON can say. */
static json_t *number(double value, double places)
{
	return isfinite(value) ? json_real(round(value * places) / places) : json_null();
}

static json_t *copy(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return value ? json_incref(value) : json_null();
}

static json_t *make_side(const char *path, json_t *summary)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "file", path, "host", copy(summary, "host"), "start",
			 copy(summary, "start"), "duration_s", copy(summary, "duration_s"), "final",
			 copy(summary, "final"), "rules", copy(summary, "rules"));
}

static json_t *make_figures(const struct compared *one)
{
	json_t *object = json_object();

	for (int i = 0; i < FIGURE_COUNT; i++) {
		bool both = one->before && one->after;
		bool enough = both && compare_is_enough(one, (enum figure)i);
		json_t *figure = json_pack("{s:o, s:o, s:o, s:b}", "before", number(one->was[i], 1e6), "after",
					   number(one->is[i], 1e6), "change_percent",
					   number(figure_change(one->was[i], one->is[i]), 10), "enough_runs", enough);

		if (!figure || json_object_set_new(object, figure_types[i].name, figure)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* What the first capture said of the second one. */
static json_t *make_predicted(const struct compared *one)
{
	double then = compare_number(one->before, "predicted", "wall_then");
	double measured = one->is[FIGURE_WALL_P50];

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "wall_then", number(then, 1e6), "low",
			 number(compare_number(one->before, "predicted", "low"), 1e6), "high",
			 number(compare_number(one->before, "predicted", "high"), 1e6), "measured",
			 number(measured, 1e6), "error_percent", number(figure_change(then, measured), 10),
			 "enough_runs", one->before && one->after && compare_is_enough(one, FIGURE_WALL_P50));
}

static json_t *make_endpoint(const struct compared *one)
{
	const char *where = one->before && one->after ? "both" : one->after ? "after" : "before";
	json_t *gone = compare_findings(one->before, one->after), *new = compare_findings(one->after, one->before);

	return json_pack("{s:s, s:s, s:o, s:o, s:{s:o, s:o}}", "endpoint", one->name, "in", where, "figures",
			 make_figures(one), "predicted", make_predicted(one), "findings", "gone", gone, "new", new);
}

int diff_put_json(FILE *stream, const struct diff *diff)
{
	json_t *endpoints = json_array(), *object;

	for (size_t i = 0; endpoints && i < diff->count; i++) {
		if (!json_array_append_new(endpoints, make_endpoint(&diff->endpoints[i])))
			continue;
		json_decref(endpoints);
		endpoints = NULL;
	}
	object =
	    json_pack("{s:s, s:o, s:o, s:o}", "schema", SCHEMA, "before", make_side(diff->paths[0], diff->summaries[0]),
		      "after", make_side(diff->paths[1], diff->summaries[1]), "endpoints", endpoints);
	if (!object)
		return -ENOMEM;
	json_dumpf(object, stream, FLAGS);
	fputc('\n', stream);
	json_decref(object);
	return 0;
}
