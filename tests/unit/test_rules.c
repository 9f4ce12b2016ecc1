/*
 * test_rules.c: thresholds from presets and from JSON, each of them by its name, and what is said of those that are
 * none.
 */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "../../daemon/finding/rules.h"

#define MS UINT64_C(1000000)

static struct finding_rules parse_good(const char *text)
{
	struct finding_rules rules;
	char why[160] = "";
	int error = rules_parse(text, &rules, why, sizeof(why));

	if (error)
		fail_msg("'%s' gave %d: %s", text, error, why);
	return rules;
}

/* The numbers that the two tools publish, and that what they do not have is off. */
static void test_presets(void **state)
{
	struct finding_rules sentry = parse_good("sentry"), sentinel = parse_good("perf-sentinel");

	(void)state;
	assert_true(sentry.n_plus_one.on && sentry.n_plus_one.source && !sentry.n_plus_one.keyed);
	assert_true(sentry.n_plus_one.least == 5 && sentry.n_plus_one.time == 50 * MS);
	assert_true(sentry.serial.on && sentry.serial.least == 3 && sentry.serial.call_time == 500 * MS);
	assert_true(sentry.serial.gap == 500 * MS && sentry.serial.saving == 2000 * MS && sentry.serial.hosts == 3);
	assert_false(sentry.duplicate.on || sentry.serial.independent);
	assert_true(sentinel.n_plus_one.on && sentinel.n_plus_one.least == 5 && sentinel.n_plus_one.values == 5);
	assert_true(sentinel.n_plus_one.within == 500 * MS && sentinel.n_plus_one.time == 0);
	assert_true(sentinel.duplicate.on && sentinel.duplicate.least == 2 && !sentinel.duplicate.same_answer);
	assert_true(sentinel.serial.on && sentinel.serial.least == 3 && !sentinel.serial.independent);
	assert_false(sentry.repeated.on || sentry.reconnect.on || sentry.slow_start.on || sentry.stalled.on);
	assert_false(sentinel.repeated.on || sentinel.reconnect.on || sentinel.slow_start.on || sentinel.stalled.on);
	assert_ptr_equal(rules_find("default"), &rules_table[0]);
	assert_null(rules_find("lenient"));
}

/* What is not there is as in the preset. */
static void test_file(void **state)
{
	struct finding_rules rules = parse_good("{}"), own = *rules_find("default");

	(void)state;
	assert_string_equal(rules.name, RULES_CUSTOM);
	rules.name = own.name;
	assert_memory_equal(&rules, &own, sizeof(rules));
	rules = parse_good("{\"serial\": {\"least\": 7}, \"preset\": \"perf-sentinel\"}");
	assert_true(rules.serial.least == 7 && !rules.serial.independent && rules.n_plus_one.within == 500 * MS);
}

/* Every threshold has a name, and none has another one's place. */
static void test_all_thresholds(void **state)
{
	struct finding_rules rules = parse_good(
	    "{\"duplicate\": {\"on\": false, \"same_answer\": false, \"least\": 11},"
	    " \"n_plus_one\": {\"on\": false, \"source\": true, \"keyed\": false, \"least\": 12, \"values\": 13,"
	    "   \"time_ms\": 14, \"within_ms\": 15.5},"
	    " \"serial\": {\"on\": false, \"independent\": false, \"least\": 16, \"call_time_ms\": 17, \"gap_ms\": 18,"
	    "   \"saving_ms\": 19, \"saving_share\": 0.2, \"hosts\": 21},"
	    " \"repeated\": {\"on\": false, \"window_s\": 22, \"least\": 23, \"share\": 0.24},"
	    " \"reconnect\": {\"on\": false, \"least\": 25, \"share\": 0.26},"
	    " \"slow_start\": {\"on\": false, \"time_ms\": 27, \"share\": 0.28},"
	    " \"stalled\": {\"on\": false, \"from_ms\": 29, \"to_ms\": 30},"
	    " \"shown\": {\"runs\": 31, \"run_share\": 0.32}}");
	static const struct finding_rules expected = {
	    .name = RULES_CUSTOM,
	    .duplicate = {.least = 11},
	    .n_plus_one = {.source = true, .least = 12, .values = 13, .time = 14 * MS, .within = 31 * MS / 2},
	    .serial = {.least = 16,
		       .call_time = 17 * MS,
		       .gap = 18 * MS,
		       .saving = 19 * MS,
		       .saving_share = 0.2,
		       .hosts = 21},
	    .repeated = {.window = 22000 * MS, .least = 23, .share = 0.24},
	    .reconnect = {.least = 25, .share = 0.26},
	    .slow_start = {.time = 27 * MS, .share = 0.28},
	    .stalled = {.from = 29 * MS, .to = 30 * MS},
	    .shown = {.runs = 31, .run_share = 0.32},
	};

	(void)state;
	assert_memory_equal(&rules.duplicate, &expected.duplicate, sizeof(rules.duplicate));
	assert_memory_equal(&rules.n_plus_one, &expected.n_plus_one, sizeof(rules.n_plus_one));
	assert_memory_equal(&rules.serial, &expected.serial, sizeof(rules.serial));
	assert_memory_equal(&rules.repeated, &expected.repeated, sizeof(rules.repeated));
	assert_memory_equal(&rules.reconnect, &expected.reconnect, sizeof(rules.reconnect));
	assert_memory_equal(&rules.slow_start, &expected.slow_start, sizeof(rules.slow_start));
	assert_memory_equal(&rules.stalled, &expected.stalled, sizeof(rules.stalled));
	assert_memory_equal(&rules.shown, &expected.shown, sizeof(rules.shown));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "line 1: "},
	    {"{\n\"serial\": {", "line 2: "},
	    {"lenient", "line 1: "},
	    {"[1]", "it is a JSON object"},
	    {"{\"preset\": \"lenient\"}", "preset 'lenient': it is default, sentry or perf-sentinel"},
	    {"{\"preset\": 1}", "preset: it is a name"},
	    {"{\"seriel\": {}}", "'seriel' is none of preset duplicate n_plus_one serial repeated reconnect"},
	    {"{\"serial\": 1}", "serial: it is an object of thresholds"},
	    {"{\"serial\": {\"last\": 1}}", "serial has no 'last': it has on independent least call_time_ms"},
	    {"{\"serial\": {\"least\": 1.5}}", "serial.least: it is a whole number from 0"},
	    {"{\"serial\": {\"least\": -1}}", "serial.least: it is a whole number from 0"},
	    {"{\"serial\": {\"least\": 4294967296}}", "serial.least: it is a whole number"},
	    {"{\"serial\": {\"on\": 1}}", "serial.on: it is true or false"},
	    {"{\"serial\": {\"gap_ms\": \"2\"}}", "serial.gap_ms: it is a number of milliseconds"},
	    {"{\"serial\": {\"gap_ms\": 1e300}}", "serial.gap_ms: it is a number of milliseconds"},
	    {"{\"repeated\": {\"window_s\": null}}", "repeated.window_s: it is a number of seconds"},
	    {"{\"shown\": {\"run_share\": 1.01}}", "shown.run_share: it is a share from 0 to 1"},
	    {"{\"a\\nb\": {}}", "'a b' is none of"},
	    {"{\"serial\": {}, \"serial\": {}}", "line 1: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct finding_rules rules;
		char why[256] = "";

		assert_int_equal(rules_parse(cases[i].text, &rules, why, sizeof(why)), -EINVAL);
		if (strncmp(why, cases[i].why, strlen(cases[i].why)) != 0 || strchr(why, '\n'))
			fail_msg("'%s' is refused with: %s", cases[i].text, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_presets),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_all_thresholds),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
