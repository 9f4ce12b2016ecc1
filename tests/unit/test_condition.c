/*
 * test_condition.c: the numbers of an endpoint by name, and what --fail-on makes of them: each operator at its limit,
 * what could not be asked, and conditions that are none.
 */
#include "test.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "../../daemon/summary/condition.h"

#define MS UINT64_C(1000000)

/* Lines that were said, each with a newline. */
static char said[2048];

static void say(void *context, const char *line)
{
	(void)context;
	strcat(said, line);
	strcat(said, "\n");
}

static enum conditions_result ask(const char *text, const double *values, const double *before)
{
	struct conditions *conditions = conditions_new();
	enum conditions_result result;
	char why[256];

	assert_int_equal(conditions_add(conditions, text, true, why, sizeof(why)), 0);
	assert_int_equal(conditions_count(conditions), 1);
	if (values)
		conditions_ask(conditions, "shop.views.homepage", values, before);
	said[0] = 0;
	result = conditions_result(conditions, say, NULL);
	conditions_free(conditions);
	return result;
}

static void test_operators(void **state)
{
	static const struct {
		const char *text;
		bool met;
	} cases[] = {
	    {"* calls_per_run > 10", false},  {"* calls_per_run > 9.99", true},
	    {"* calls_per_run >= 10", true},  {"* calls_per_run >= 10.1", false},
	    {"* calls_per_run < 10", false},  {"* calls_per_run < 10.1", true},
	    {"* calls_per_run <= 10", true},  {"* calls_per_run <= 9.9", false},
	    {"* calls_per_run == 10", true},  {"shop.views.homepage   errors  ==\t0 ", true},
	    {"* calls_per_run == 11", false}, {"* calls_per_run != 10", false},
	    {"* calls_per_run != 11", true},
	};
	double values[FIGURE_COUNT] = {[FIGURE_CALLS_PER_RUN] = 10, [FIGURE_RUNS] = 5};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if ((ask(cases[i].text, values, NULL) == CONDITIONS_MET) != cases[i].met)
			fail_msg("'%s' is wrong: %s", cases[i].text, said);
	assert_int_equal(ask("*.homepage calls_per_run > 9", values, NULL), CONDITIONS_MET);
	assert_string_equal(said, "--fail-on '*.homepage calls_per_run > 9' is met: shop.views.homepage has "
				  "calls_per_run 10\n");
	assert_int_equal(ask("*.homepage calls_per_run > 10", values, NULL), CONDITIONS_PASSED);
	assert_string_equal(said, "");
}

/* A check that checks nothing is no success. */
static void test_unasked(void **state)
{
	double values[FIGURE_COUNT] = {[FIGURE_RUNS] = 5, [FIGURE_SAVING] = NAN};

	(void)state;
	assert_int_equal(ask("*.homepage runs > 9", NULL, NULL), CONDITIONS_UNASKED);
	assert_int_equal(ask("*.stock runs > 9", values, NULL), CONDITIONS_UNASKED);
	assert_string_equal(said, "--fail-on '*.stock runs > 9' could not be checked: no endpoint matches\n");
	assert_int_equal(ask("* saving > 9", values, NULL), CONDITIONS_UNASKED);
	assert_string_equal(said, "--fail-on '* saving > 9' could not be checked: shop.views.homepage has none\n");
}

/* Changes are percent of what was before, and none where either side has too few runs for it. */
static void test_changes(void **state)
{
	double before[FIGURE_COUNT] = {[FIGURE_RUNS] = 20, [FIGURE_WALL_P50] = 40, [FIGURE_CALLS_PER_RUN] = 8};
	double after[FIGURE_COUNT] = {[FIGURE_RUNS] = 20, [FIGURE_WALL_P50] = 50, [FIGURE_CALLS_PER_RUN] = 10};

	(void)state;
	assert_int_equal(ask("* wall_p50_change >= 25", after, before), CONDITIONS_MET);
	assert_non_null(strstr(said, "has wall_p50_change 25\n"));
	assert_int_equal(ask("* wall_p50_change > 25", after, before), CONDITIONS_PASSED);
	assert_int_equal(ask("* wall_p50_change < 0", before, after), CONDITIONS_MET);
	assert_int_equal(ask("* wall_p95_change > 0", after, before), CONDITIONS_UNASKED);
	after[FIGURE_RUNS] = 19;
	assert_int_equal(ask("* wall_p50_change > 25", after, before), CONDITIONS_UNASKED);
	assert_non_null(strstr(said, "homepage: not enough runs\n"));
	assert_int_equal(ask("* calls_per_run_change > 24", after, before), CONDITIONS_MET);
	assert_int_equal(ask("* calls_per_run_change > 24", after, NULL), CONDITIONS_UNASKED);
	assert_non_null(strstr(said, "homepage is new\n"));
	assert_true(figure_change(0, 0) == 0 && isinf(figure_change(0, 1)) && isnan(figure_change(NAN, 1)));
}

/* The calls and times of runs that may be several are not those of one. */
static void test_inexact(void **state)
{
	double exact[FIGURE_COUNT] = {[FIGURE_RUNS] = 100, [FIGURE_INEXACT_RUNS] = 5, [FIGURE_CALLS_PER_RUN] = 10};
	double inexact[FIGURE_COUNT] = {[FIGURE_RUNS] = 100, [FIGURE_INEXACT_RUNS] = 6, [FIGURE_CALLS_PER_RUN] = 20};

	(void)state;
	assert_int_equal(ask("* calls_per_run > 9", exact, NULL), CONDITIONS_MET);
	assert_int_equal(ask("* calls_per_run > 9", inexact, NULL), CONDITIONS_UNASKED);
	assert_non_null(strstr(said, "runs of shop.views.homepage could not be told apart\n"));
	assert_int_equal(ask("* calls_per_run_change > 9", exact, inexact), CONDITIONS_UNASKED);
	assert_int_equal(ask("* errors == 0", inexact, NULL), CONDITIONS_MET);
	assert_int_equal(ask("* inexact_runs > 5", inexact, NULL), CONDITIONS_MET);
}

/* One that is met wins over one that could not be asked; one endpoint of several is enough. */
static void test_several(void **state)
{
	struct conditions *conditions = conditions_new();
	double few[FIGURE_COUNT] = {[FIGURE_RUNS] = 5}, many[FIGURE_COUNT] = {[FIGURE_RUNS] = 50};
	char why[256];

	(void)state;
	assert_int_equal(conditions_add(conditions, "b.* runs > 0", false, why, sizeof(why)), 0);
	assert_int_equal(conditions_add(conditions, "a.* runs > 10", false, why, sizeof(why)), 0);
	conditions_ask(conditions, "a.one", few, NULL);
	assert_int_equal(conditions_result(conditions, say, NULL), CONDITIONS_UNASKED);
	conditions_ask(conditions, "a.two", many, NULL);
	conditions_ask(conditions, "a.three", few, NULL);
	said[0] = 0;
	assert_int_equal(conditions_result(conditions, say, NULL), CONDITIONS_MET);
	assert_non_null(strstr(said, "'a.* runs > 10' is met: a.two has runs 50\n"));
	assert_non_null(strstr(said, "'b.* runs > 0' could not be checked: no endpoint matches\n"));
	conditions_free(conditions);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "it is ENDPOINT METRIC OP VALUE"},
	    {"runs > 1", "it is ENDPOINT METRIC OP VALUE"},
	    {" runs > 1", "it is ENDPOINT METRIC OP VALUE"},
	    {"a b runs > 1", "it is ENDPOINT METRIC OP VALUE"},
	    {"a.* runs>1", "it is ENDPOINT METRIC OP VALUE"},
	    {"a.* walls > 1", "'walls' is none of runs inexact_runs errors"},
	    {"a.* runs => 1", "'=>' is none of > >= < <= == !="},
	    {"a.* runs > many", "'many' is no number"},
	    {"a.* runs > 1ms", "'1ms' is no number"},
	    {"a.* runs > nan", "'nan' is no number"},
	    {"a.* runs > inf", "'inf' is no number"},
	    {"a.* runs_change > 1", "runs_change is for nettrace diff"},
	    {"a.* _change > 1", "'_change' is none of runs"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conditions *conditions = conditions_new();
		char why[256] = "";

		assert_int_equal(conditions_add(conditions, cases[i].text, false, why, sizeof(why)), -EINVAL);
		if (strncmp(why, "--fail-on '", 11) != 0 || !strstr(why, cases[i].why) || strchr(why, '\n'))
			fail_msg("'%s' is refused with: %s", cases[i].text, why);
		assert_int_equal(conditions_count(conditions), 0);
		conditions_free(conditions);
	}
}

/* Of an endpoint with two analysed runs of 40 ms that could take 30, and one that was not. */
static void test_figures(void **state)
{
	static const struct run_endpoint endpoint = {"shop.views.homepage", "/srv/shop/views.py", 12};
	struct summary *summary = summary_new();
	struct run run = {.endpoint = &endpoint,
			  .began = 1000,
			  .ended = 1000 + 40 * MS,
			  .network = 20 * MS,
			  .exact = true,
			  .calls = 9,
			  .round_trips = 6};
	struct finding_report report = {.analysed = true, .wall = 40 * MS, .then = {10 * MS, 10 * MS, 10 * MS}};
	static const enum finding_kind kinds[] = {FINDING_DUPLICATE, FINDING_N_PLUS_ONE, FINDING_SERIAL,
						  FINDING_REPEATED};
	double values[FIGURE_COUNT];

	(void)state;
	for (int i = 0; i < 4; i++)
		report.findings[report.count++] = (struct finding){.kind = kinds[i],
								   .protocol = "redis",
								   .operation = "GET",
								   .calls = 1,
								   .needless = 3u + (unsigned)i};
	assert_int_equal(summary_add_run(summary, &run, &report), 0);
	assert_int_equal(summary_add_run(summary, &run, &report), 0);
	run.calls = 3;
	run.exact = false;
	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	figures_of(summary, summary->endpoints, values);
	assert_true(values[FIGURE_RUNS] == 3 && values[FIGURE_INEXACT_RUNS] == 1 && values[FIGURE_ERRORS] == 0 &&
		    values[FIGURE_FINDINGS] == 4);
	assert_true(values[FIGURE_CALLS_PER_RUN] == 7 && values[FIGURE_ROUND_TRIPS_PER_RUN] == 6);
	assert_true(values[FIGURE_NEEDLESS_CALLS_PER_RUN] == 7);
	assert_float_equal(values[FIGURE_SAVING], 10, 0.3);
	assert_float_equal(values[FIGURE_WALL_P50], 40, 0.3);
	assert_float_equal(values[FIGURE_NETWORK_P99], 20, 0.2);
	assert_int_equal(summary_add_call(summary,
					  &(struct call){.kind = CALL_EXCHANGE, .protocol = "tcp", .error = true},
					  &endpoint, NULL, RUN_NO_ENDPOINT),
			 0);
	figures_of(summary, summary->endpoints, values);
	assert_true(values[FIGURE_ERRORS] == 1);
	summary_clear(summary);
	run.partial = true;
	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	figures_of(summary, summary->endpoints, values);
	assert_true(values[FIGURE_RUNS] == 0 && isnan(values[FIGURE_WALL_P50]) && isnan(values[FIGURE_SAVING]));
	summary_free(summary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_operators), cmocka_unit_test(test_unasked), cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_inexact),   cmocka_unit_test(test_several), cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
