/*
 * condition.h: what --fail-on asks of a summary, or of two: "shop.views.homepage calls_per_run > 10".
 *
 * A condition is met by the first endpoint that its pattern matches and that has such a number. One that could be asked
 * of no endpoint is not met, and that is told apart: a check that checks nothing must not pass.
 */
#ifndef NT_SUMMARY_CONDITION_H
#define NT_SUMMARY_CONDITION_H

#include "figures.h"

struct conditions;

enum conditions_result {
	CONDITIONS_PASSED,
	CONDITIONS_MET,
	CONDITIONS_UNASKED, /* none is met, and at least one could not be asked */
};

/* Returns NULL without memory. */
struct conditions *conditions_new(void);
void conditions_free(struct conditions *conditions);

/*
 * Adds one, ENDPOINT METRIC OP VALUE: a glob over names of endpoints; a name of figure_types, or with `_change` behind
 * it; > >= < <= == or !=; a number. 0; -ENOMEM; -EINVAL with one line in `why` (of `size` bytes). `changes`: there are
 * two summaries, so that something can have changed.
 */
int conditions_add(struct conditions *conditions, const char *text, bool changes, char *why, size_t size);

/* How many there are. */
size_t conditions_count(const struct conditions *conditions);

/* Asks all of an endpoint. `before`: its values in the summary before; NULL: it was not in it, or there is none. */
void conditions_ask(struct conditions *conditions, const char *endpoint, const double values[FIGURE_COUNT],
		    const double before[FIGURE_COUNT]);

/* Asks all of a summary's endpoints. */
void conditions_ask_all(struct conditions *conditions, const struct summary *summary);

/* The result, with a line for each condition that is met or could not be asked. */
enum conditions_result conditions_result(const struct conditions *conditions,
					 void (*say)(void *context, const char *line), void *context);

/* From `before` to `after` in percent; NAN: not known. */
double figure_change(double before, double after);

#endif
