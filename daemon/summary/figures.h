/*
 * figures.h: numbers of an endpoint by name, for conditions (condition.h) and for comparing two captures.
 */
#ifndef NT_SUMMARY_FIGURES_H
#define NT_SUMMARY_FIGURES_H

#include "summary.h"

/* Times are ms. */
enum figure {
	FIGURE_RUNS,
	FIGURE_INEXACT_RUNS, /* of them: those that may be several */
	FIGURE_ERRORS,
	FIGURE_CALLS_PER_RUN,
	FIGURE_ROUND_TRIPS_PER_RUN,
	FIGURE_NEEDLESS_CALLS_PER_RUN, /* of `duplicate` and `n_plus_one` that are shown, in the mean analysed run */
	FIGURE_FINDINGS,	       /* that are shown */
	FIGURE_SAVING,		       /* of them all together: predicted wall_now less wall_then */
	FIGURE_WALL_P50,
	FIGURE_WALL_P95,
	FIGURE_WALL_P99,
	FIGURE_NETWORK_P50,
	FIGURE_NETWORK_P95,
	FIGURE_NETWORK_P99,
	FIGURE_COUNT,
};

struct figure_type {
	const char *name;
	/*
	 * From so many runs on it can be compared: a quantile needs ten runs on its far side, or it is the luck of a
	 * few. 0: it is a count, which is what it is.
	 */
	unsigned least_runs;
	bool of_a_run; /* it says nothing where many runs may be several */
};
extern const struct figure_type figure_types[FIGURE_COUNT];

/* What each is; NAN: nothing to say it of. */
void figures_of(const struct summary *summary, const struct summary_endpoint *endpoint,
		double ret_values[FIGURE_COUNT]);

/* Can this figure be taken at its word: are nearly all runs, if it is of a run, certain to be one? */
bool figures_are_exact(const double values[FIGURE_COUNT], enum figure figure);

/* Does this kind of finding count in FIGURE_NEEDLESS_CALLS_PER_RUN? */
bool figures_count_needless(enum finding_kind kind);

#endif
