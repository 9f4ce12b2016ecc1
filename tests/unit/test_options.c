/*
 * test_options.c: the command line of nettraced: what is understood, and what is refused with which words.
 */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/event.h"
#include "../../daemon/options.h"

#define DIGITS(number) #number
#define RANGE(most) "64 to " DIGITS(most)
#define CAPTURE_RANGE RANGE(NT_MAX_CAPTURE)
#define MOST_WORDS 32

/* Splits at spaces; '' is an empty word. */
static int parse(const char *line, struct options *ret_options, char *why)
{
	static char copy[1024];
	char *argv[MOST_WORDS + 1] = {"nettraced"}, *rest = copy;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word; *line && (word = strsep(&rest, " "));) {
		assert_true(argc < MOST_WORDS);
		argv[argc++] = strcmp(word, "''") ? word : "";
	}
	argv[argc] = NULL;
	return options_parse(argc, argv, ret_options, why);
}

static struct options parse_good(const char *line)
{
	struct options options;
	char why[OPTIONS_WHY_SIZE];

	if (parse(line, &options, why))
		fail_msg("'%s': %s", line, why);
	return options;
}

static void test_defaults(void **state)
{
	struct options options = parse_good("--pid 42");

	(void)state;
	assert_int_equal(options.action, OPTIONS_TRACE);
	assert_int_equal(options.pid_count, 1);
	assert_int_equal(options.pids[0], 42);
	assert_true(options.duration == 0 && options.interval == 10);
	assert_string_equal(options.format, "text");
	assert_null(options.output);
	assert_null(options.record);
	assert_int_equal(options.capture, 65536);
	assert_int_equal(options.hooks, OPTIONS_HOOKS_AUTO);
	assert_int_equal(options.python, OPTIONS_PYTHON_AUTO);
	assert_false(options.show_data);
	options_free(&options);
}

static void test_all(void **state)
{
	struct options options =
	    parse_good("--pid=1 --pid 2 --pid 1 -d 2.5 --interval 0 -e a.* --endpoint *.py:view -f json "
		       "-o out.json --hooks tracepoint --python usdt --capture 64 --record r.nt --rules sentry "
		       "--show-data");

	(void)state;
	assert_int_equal(options.pid_count, 2); /* each once */
	assert_int_equal(options.pids[1], 2);
	assert_true(options.duration == 2.5 && options.interval == 0);
	assert_int_equal(options.endpoints.count, 2);
	assert_string_equal(options.endpoints.words[1], "*.py:view");
	assert_string_equal(options.format, "json");
	assert_string_equal(options.output, "out.json");
	assert_string_equal(options.record, "r.nt");
	assert_string_equal(options.rules, "sentry");
	assert_int_equal(options.capture, 64);
	assert_string_equal(options_hooks_name(options.hooks), "tracepoint");
	assert_string_equal(options_python_name(options.python), "usdt");
	assert_true(options.show_data);
	options_free(&options);
}

static void test_many_processes(void **state)
{
	struct options options = parse_good("--command gunicorn --pid 7 --command celery* --cgroup /a --all");

	(void)state;
	assert_true(options_match(&options) && options.all);
	assert_int_equal(options.commands.count, 2);
	assert_string_equal(options.commands.words[1], "celery*");
	assert_int_equal(options.cgroups.count, 1);
	assert_int_equal(options.pid_count, 1);
	options_free(&options);
	options = parse_good("--pid 7");
	assert_false(options_match(&options));
	options_free(&options);
}

static void test_costs(void **state)
{
	struct options options = parse_good("--pid 7 --usdt-duty 200ms/5s --max-cost 2.5");

	(void)state;
	assert_true(options.usdt_on == 0.2 && options.usdt_period == 5 && options.max_cost == 2.5);
	options_free(&options);
}

static void test_actions(void **state)
{
	static const struct {
		const char *line;
		enum options_action action;
	} cases[] = {
	    {"--check", OPTIONS_CHECK},	    {"--check --pid 3", OPTIONS_CHECK},	    {"--help", OPTIONS_HELP},
	    {"-h", OPTIONS_HELP},	    {"--version", OPTIONS_VERSION},	    {"--pid 3 --help", OPTIONS_HELP},
	    {"--help --bad", OPTIONS_HELP}, {"--check --version", OPTIONS_VERSION},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options options = parse_good(cases[i].line);

		assert_int_equal(options.action, cases[i].action);
		options_free(&options);
	}
}

/* One line that names the bad value and what is allowed. */
static void test_refused(void **state)
{
	static const struct {
		const char *line;
		int error;
		const char *bad, *allowed;
	} cases[] = {
	    {"", -EINVAL, "which process?", "--pid PID"},
	    {"1234", -EINVAL, "'1234'", "--pid 1234"},
	    {"--pid 1 stray", -EINVAL, "'stray'", "--help"},
	    {"--pid", -EINVAL, "--pid needs a value", "PID"},
	    {"--pid 0", -EINVAL, "'0'", "above 0"},
	    {"--pid -5", -EINVAL, "'-5'", "above 0"},
	    {"--pid 12x", -EINVAL, "'12x'", "number"},
	    {"--pid +12", -EINVAL, "'+12'", "number"},
	    {"--pid ''", -EINVAL, "''", "number"},
	    {"--pid 99999999999", -EINVAL, "'99999999999'", "number"},
	    {"--pid 1 -d 0", -EINVAL, "--duration '0'", "above 0"},
	    {"--pid 1 -d -1", -EINVAL, "'-1'", "seconds"},
	    {"--pid 1 -d nan", -EINVAL, "'nan'", "seconds"},
	    {"--pid 1 -d 1e3", -EINVAL, "'1e3'", "seconds"},
	    {"--pid 1 -d 1.2.3", -EINVAL, "'1.2.3'", "seconds"},
	    {"--pid 1 -d .", -EINVAL, "'.'", "seconds"},
	    {"--pid 1 -d 99999999999999", -EINVAL, "'99999999999999'", "seconds"},
	    {"--pid 1 -i ten", -EINVAL, "--interval 'ten'", "seconds"},
	    {"--pid 1 --capture 63", -EINVAL, "'63'", CAPTURE_RANGE},
	    {"--pid 1 --capture 999999", -EINVAL, "'999999'", CAPTURE_RANGE},
	    {"--pid 1 --capture 4k", -EINVAL, "'4k'", CAPTURE_RANGE},
	    {"--pid 1 --hooks uprobe", -EINVAL, "'uprobe'", "auto, fentry, kprobe or tracepoint"},
	    {"--pid 1 --python jit", -EINVAL, "'jit'", "auto, usdt, stack or none"},
	    {"--pid 1 -f xml", -EINVAL, "'xml'", "text or json"},
	    {"--pid 1 -o ''", -EINVAL, "--output ''", "file"},
	    {"--pid 1 --record ''", -EINVAL, "--record ''", "file"},
	    {"--pid 1 -e ''", -EINVAL, "--endpoint ''", "pattern"},
	    {"--pid 1 --bogus", -EINVAL, "'--bogus'", "--help"},
	    {"--pid 1 -z", -EINVAL, "'-z'", "--help"},
	    {"--pid 1 -d", -EINVAL, "--duration needs a value", "SECONDS"},
	    {"--pid 1 --json=yes", -EINVAL, "--json", "no value"},
	    {"--pid 1 --rules lenient", -EINVAL, "--rules 'lenient'", "no preset (default, sentry, perf-sentinel)"},
	    {"--pid 1 --rules /dev/null", -EINVAL, "/dev/null: line 1", ""},
	    {"--pid 1 --rules {\"serial\":{\"last\":1}}", -EINVAL, "serial has no 'last'", "least"},
	    {"--command ''", -EINVAL, "--command ''", "name"},
	    {"--command /usr/bin/python3", -EINVAL, "'/usr/bin/python3'", "without directories"},
	    {"--cgroup ''", -EINVAL, "--cgroup ''", "/sys/fs/cgroup"},
	    {"--all=yes", -EINVAL, "--all", "no value"},
	    {"--pid 1 --usdt-duty 1/10", -EINVAL, "'1/10'", "200ms/5s"},
	    {"--pid 1 --usdt-duty 1s", -EINVAL, "'1s'", "200ms/5s"},
	    {"--pid 1 --usdt-duty 5s/1s", -EINVAL, "'5s/1s'", "a longer time"},
	    {"--pid 1 --usdt-duty 1s/1s", -EINVAL, "'1s/1s'", "a longer time"},
	    {"--pid 1 --usdt-duty 9ms/1s", -EINVAL, "'9ms/1s'", "10ms at least"},
	    {"--pid 1 --usdt-duty -1s/5s", -EINVAL, "'-1s/5s'", "200ms/5s"},
	    {"--pid 1 --usdt-duty ms/s", -EINVAL, "'ms/s'", "200ms/5s"},
	    {"--pid 1 --usdt-duty 1s/5s --python stack", -EINVAL, "--usdt-duty", "--python stack"},
	    {"--pid 1 --max-cost 0", -EINVAL, "'0'", "above 0"},
	    {"--pid 1 --max-cost 5%", -EINVAL, "'5%'", "percent of a CPU"},
	    {"--pid 1 --max-cost 101", -EINVAL, "'101'", "up to 100"},
	    {"--pid 1 --export statsd://h:1", -ENOTSUP, "--export", "not supported yet"},
	    {"--pid 1 --socket /x", -ENOTSUP, "--socket", "not supported yet"},
	    {"--pid 1 --config /x/y", -EINVAL, "/x/y", "No such file"},
	    {"--pid 1 --config", -EINVAL, "--config needs a value", "FILE"},
	    {"--dispatcher x", -EINVAL, "'--dispatcher'", "--help"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[OPTIONS_WHY_SIZE];
		struct options options;

		assert_int_equal(parse(cases[i].line, &options, why), cases[i].error);
		if (!strstr(why, cases[i].bad) || !strstr(why, cases[i].allowed) || strchr(why, '\n'))
			fail_msg("'%s' is refused with: %s", cases[i].line, why);
	}
}

#define FILE_NAME "/tmp/nettrace-test-options.json"

static struct options parse_with_file(const char *content, const char *line, int expected, char *why)
{
	struct options options = {0};
	FILE *file = fopen(FILE_NAME, "w");

	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	int err = parse(line, &options, why);

	unlink(FILE_NAME);
	if (err != expected)
		fail_msg("'%s' gave %d: %s", content, err, why);
	return options;
}

/* What a file says is what the command line would say; that wins, and lists add. */
static void test_file(void **state)
{
	static const char content[] = "{\n"
				      "  \"command\": [\"gunicorn\", \"celery*\"],\n"
				      "  \"pid\": 12, \"interval\": 2.5, \"capture\": 4096, \"all\": true,\n"
				      "  \"show-data\": false, \"format\": \"text\", \"python\": \"usdt\",\n"
				      "  \"dispatcher\": [\"shop/frame.py App.call\", \"a.py b generic\"]\n"
				      "}\n";
	char why[OPTIONS_WHY_SIZE];
	struct options options =
	    parse_with_file(content, "--json --pid 13 --command x --config " FILE_NAME " --python stack", 0, why);

	(void)state;
	assert_int_equal(options.commands.count, 3);
	assert_string_equal(options.commands.words[1], "celery*");
	assert_string_equal(options.commands.words[2], "x");
	assert_int_equal(options.pid_count, 2);
	assert_int_equal(options.pids[0], 12);
	assert_true(options.interval == 2.5 && options.all && !options.show_data);
	assert_int_equal(options.capture, 4096);
	assert_string_equal(options.format, "json");
	assert_int_equal(options.python, OPTIONS_PYTHON_STACK);
	assert_int_equal(options.dispatchers.count, 2);
	assert_string_equal(options.dispatchers.words[1], "a.py b generic");
	options_free(&options);
}

/* Rules are a preset, a file of them, or stand in the file of options; what is kept of them is short. */
static void test_rules(void **state)
{
	static const char rules[] = "{\"preset\": \"sentry\",\n \"serial\": {\"least\": 2, \"gap_ms\": 1.5}}";
	char why[OPTIONS_WHY_SIZE], content[128];
	struct options options = parse_with_file(rules, "--pid 1 --rules sentry --rules " FILE_NAME, 0, why);

	(void)state;
	assert_string_equal(options.rules, "{\"preset\":\"sentry\",\"serial\":{\"least\":2,\"gap_ms\":1.5}}");
	options_free(&options);
	snprintf(content, sizeof(content), "{\"rules\": %s, \"pid\": 1}", rules);
	options = parse_with_file(content, "--config " FILE_NAME, 0, why);
	assert_string_equal(options.rules, "{\"preset\":\"sentry\",\"serial\":{\"least\":2,\"gap_ms\":1.5}}");
	options_free(&options);
	options = parse_with_file("{\"rules\": \"perf-sentinel\"}", "--pid 1 --config " FILE_NAME, 0, why);
	assert_string_equal(options.rules, "perf-sentinel");
	options_free(&options);
	parse_with_file("{\"serial\": {\"least\": true}}", "--pid 1 --rules " FILE_NAME, -EINVAL, why);
	assert_string_equal(why, FILE_NAME ": serial.least: it is a whole number from 0");
}

/* The message has the file, the line and what is allowed. */
static void test_file_refused(void **state)
{
	static const struct {
		const char *content, *line, *allowed;
	} cases[] = {
	    {"{\n\"pid\": 1,\n\"intervall\": 5}", " line 3: 'intervall'", "interval"},
	    {"{\"pid\": [1,\n 2,\n\"x\"]}", " line 3: --pid 'x'", "number"},
	    {"{\"pid\": 1,\n\n\"interval\": -1}", " line 3: --interval '-1'", "seconds"},
	    {"{\"pid\": 1, \"endpoint\": [\"a, ] } \\\" {\",\n \"b\"], \"duration\":\n0}", " line 2: --duration '0'",
	     "above 0"},
	    {"{\"interval\": [1, 2]}", " line 1: interval", "one value"},
	    {"{\"interval\": true}", " line 1: interval", "SECONDS"},
	    {"{\"all\": \"yes\"}", " line 1: all", "true or false"},
	    {"{\"endpoint\":\n[\"a\",\n[\"b\"]]}", " line 3: 'endpoint'", "a list of them"},
	    {"{\"pid\": null}", " line 1: 'pid'", "a text, a number"},
	    {"{\"pid\": {\"a\": 1}}", " line 1: pid", "no object"},
	    {"{\"pid\": [{\"a\": 1}]}", " line 1: 'pid'", "a text, a number"},
	    {"{\"check\": true}", " line 1: 'check'", "pid"},
	    {"{\"config\": \"x\"}", " line 1: 'config'", "pid"},
	    {"{\"pid\": 1,\n\"pid\": 2}", " line 2", "duplicate"},
	    {"{\"pid\": 1,\n\"all\" true}", " line 2", "':' expected"},
	    {"[1]", " line 1", "JSON object"},
	    {"{\"pid\": 1,\n\"output\": {\"a\": 1}}", " line 2: output", "no object"},
	    {"{\"pid\": 1,\n\"rules\": {\"shown\": {\"run_share\": 2}}}", " line 2: --rules: shown.run_share",
	     "0 to 1"},
	    {"", " line 1", "expected"},
	    {"{\"dispatcher\": \"one\"}", " line 1: dispatcher 'one'", "qualified name"},
	    {"{\"dispatcher\": \"a b specific\"}", " line 1: dispatcher 'a b specific'", "generic"},
	    {"{\"dispatcher\": \"a b generic c\"}", " line 1: dispatcher", "generic"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[OPTIONS_WHY_SIZE];

		parse_with_file(cases[i].content, "--config " FILE_NAME, -EINVAL, why);
		if (strncmp(why, FILE_NAME, strlen(FILE_NAME)) != 0 || !strstr(why, cases[i].line) ||
		    !strstr(why, cases[i].allowed) || strchr(why, '\n'))
			fail_msg("'%s' is refused with: %s", cases[i].content, why);
	}
}

/* The words are only cut, however long a value is. */
static void test_long_value(void **state)
{
	char value[4096] = "", why[OPTIONS_WHY_SIZE];
	char *argv[] = {"nettraced", "--pid", value, NULL};
	struct options options;

	(void)state;
	memset(value, '7', sizeof(value) - 1);
	assert_int_equal(options_parse(3, argv, &options, why), -EINVAL);
	assert_int_equal(strlen(why), OPTIONS_WHY_SIZE - 1);
}

static void test_help(void **state)
{
	static const char *const options[] = {"--config",   "--pid",	   "--all",	 "--command", "--cgroup",
					      "--duration", "--interval",  "--endpoint", "--format",  "--json",
					      "--output",   "--hooks",	   "--python",	 "--capture", "--rules",
					      "--record",   "--show-data", "--check",	 "--help",    "--version"};
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	options_help(stream);
	fclose(stream);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strstr(text, options[i]))
			fail_msg("--help does not say %s", options[i]);
	assert_null(strstr(text, "--export"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults), cmocka_unit_test(test_many_processes),
	    cmocka_unit_test(test_all),	     cmocka_unit_test(test_actions),
	    cmocka_unit_test(test_refused),  cmocka_unit_test(test_long_value),
	    cmocka_unit_test(test_costs),    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_rules),    cmocka_unit_test(test_file_refused),
	    cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
