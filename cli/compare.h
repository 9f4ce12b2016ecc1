/*
 * compare.h: two summaries, endpoint by endpoint. nettrace diff prints it.
 */
#ifndef NT_CLI_COMPARE_H
#define NT_CLI_COMPARE_H

#include <jansson.h>

#include "../daemon/summary/figures.h"

/* An endpoint of either summary, or of both: by its name. */
struct compared {
	const char *name;
	json_t *before, *after;			    /* NULL: it is not in that one */
	double was[FIGURE_COUNT], is[FIGURE_COUNT]; /* NAN: not known */
};

/* In the order of `after`, then those that are in `before` only. To be freed; NULL without memory. */
struct compared *compare_endpoints(json_t *before, json_t *after, size_t *ret_count);

/* Is it one of runs that were told apart, on the sides that have it? */
bool compare_is_exact(const struct compared *compared, enum figure figure);

/* Is a change of this figure more than the luck of a few runs? */
bool compare_is_enough(const struct compared *compared, enum figure figure);

/*
 * Findings of `from` that `other` has none like, by kind, protocol, operation: an array of borrowed objects, to be
 * given up; NULL without memory. Addresses are no part of it: they change from one machine to the next.
 */
json_t *compare_findings(json_t *from, json_t *other);

/* A number by its path of two names, the second one NULL for none; NAN: it is not there or null. */
double compare_number(const json_t *object, const char *name, const char *inner);

#endif
