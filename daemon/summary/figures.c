/*
 * figures.c: see figures.h.
 */
#include "figures.h"

#include <math.h>

const struct figure_type figure_types[FIGURE_COUNT] = {
    [FIGURE_RUNS] = {"runs", 0, false},
    [FIGURE_INEXACT_RUNS] = {"inexact_runs", 0, false},
    [FIGURE_ERRORS] = {"errors", 0, false},
    [FIGURE_CALLS_PER_RUN] = {"calls_per_run", 0, true},
    [FIGURE_ROUND_TRIPS_PER_RUN] = {"round_trips_per_run", 0, true},
    [FIGURE_NEEDLESS_CALLS_PER_RUN] = {"needless_calls_per_run", 0, false},
    [FIGURE_FINDINGS] = {"findings", 0, false},
    [FIGURE_SAVING] = {"saving", 20, false},
    [FIGURE_WALL_P50] = {"wall_p50", 20, true},
    [FIGURE_WALL_P95] = {"wall_p95", 200, true},
    [FIGURE_WALL_P99] = {"wall_p99", 1000, true},
    [FIGURE_NETWORK_P50] = {"network_p50", 20, true},
    [FIGURE_NETWORK_P95] = {"network_p95", 200, true},
    [FIGURE_NETWORK_P99] = {"network_p99", 1000, true},
};

#define MOST_INEXACT 0.05 /* share of runs: few enough to change no figure by much */

bool figures_are_exact(const double values[FIGURE_COUNT], enum figure figure)
{
	return !figure_types[figure].of_a_run || values[FIGURE_INEXACT_RUNS] <= MOST_INEXACT * values[FIGURE_RUNS];
}

static double quotient(uint64_t value, uint64_t by)
{
	return by ? (double)value / (double)by : NAN;
}

static double quantile(const struct histogram *times, double fraction)
{
	return times->count ? histogram_quantile(times, fraction) / 1e6 : NAN;
}

bool figures_count_needless(enum finding_kind kind)
{
	return kind == FINDING_DUPLICATE || kind == FINDING_N_PLUS_ONE;
}

static void count_findings(const struct summary *summary, const struct summary_endpoint *endpoint,
			   double ret_values[FIGURE_COUNT])
{
	struct summary_prediction predicted = summary_predict(summary, endpoint);
	uint64_t needless = 0, findings = 0;

	for (size_t i = 0; i < endpoint->finding_count; i++) {
		const struct summary_finding *finding = &endpoint->findings[i];

		if (!summary_is_shown(summary, endpoint, finding))
			continue;
		findings++;
		if (figures_count_needless(finding->kind))
			needless += finding->needless;
	}
	ret_values[FIGURE_FINDINGS] = (double)findings;
	ret_values[FIGURE_NEEDLESS_CALLS_PER_RUN] = quotient(needless, predicted.runs);
	ret_values[FIGURE_SAVING] = predicted.runs ? (predicted.now - predicted.then) / 1e6 : NAN;
}

void figures_of(const struct summary *summary, const struct summary_endpoint *endpoint, double ret_values[FIGURE_COUNT])
{
	ret_values[FIGURE_RUNS] = (double)endpoint->runs;
	ret_values[FIGURE_INEXACT_RUNS] = (double)endpoint->inexact_runs;
	ret_values[FIGURE_ERRORS] = (double)endpoint->errors;
	ret_values[FIGURE_CALLS_PER_RUN] = quotient(endpoint->run_calls, endpoint->runs);
	ret_values[FIGURE_ROUND_TRIPS_PER_RUN] = quotient(endpoint->run_round_trips, endpoint->runs);
	ret_values[FIGURE_WALL_P50] = quantile(&endpoint->wall, 0.50);
	ret_values[FIGURE_WALL_P95] = quantile(&endpoint->wall, 0.95);
	ret_values[FIGURE_WALL_P99] = quantile(&endpoint->wall, 0.99);
	ret_values[FIGURE_NETWORK_P50] = quantile(&endpoint->network, 0.50);
	ret_values[FIGURE_NETWORK_P95] = quantile(&endpoint->network, 0.95);
	ret_values[FIGURE_NETWORK_P99] = quantile(&endpoint->network, 0.99);
	count_findings(summary, endpoint, ret_values);
}
