/*
 * options.c: the command line of nettraced as a table (options.h). Files (config.c) use the same one.
 *
 * A row says an option's names, what takes its value, and what --help says of it. A row without `take` is an option of
 * the interface that this version does not have.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/event.h"
#include "config.h"
#include "output/output.h"
#include "run/dispatcher.h"
#include "summary/condition.h"

#define DEFAULT_INTERVAL 10
#define DEFAULT_CAPTURE 65536
#define LEAST_CAPTURE 64
#define DIGITS(number) #number
#define RANGE(least, most) DIGITS(least) " to " DIGITS(most)
#define CAPTURE_RANGE RANGE(LEAST_CAPTURE, NT_MAX_CAPTURE)
#define LEAST_DUTY 0.01 /* the capture's loop turns so often */
#define LEAST_DUTY_TEXT "10ms"
#define MOST_SECONDS 1e9 /* thirty years: beyond, a time in ns would not fit */

static const char *const hooks_names[] = {
    [OPTIONS_HOOKS_AUTO] = "auto",
    [OPTIONS_HOOKS_FENTRY] = "fentry",
    [OPTIONS_HOOKS_KPROBE] = "kprobe",
    [OPTIONS_HOOKS_TRACEPOINT] = "tracepoint",
};

static const char *const python_names[] = {
    [OPTIONS_PYTHON_AUTO] = "auto",
    [OPTIONS_PYTHON_USDT] = "usdt",
    [OPTIONS_PYTHON_STACK] = "stack",
    [OPTIONS_PYTHON_NONE] = "none",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row;

/* One option being taken. */
struct taking {
	struct options *options;
	const struct row *row;
	const char *value;
	char *why;
};

#define REPEATABLE 0x1
#define NOT_IN_FILE 0x2
#define ONLY_IN_FILE 0x4

struct row {
	const char *name;
	char letter;	      /* 0: none */
	unsigned char flags;  /* REPEATABLE ... */
	const char *argument; /* NULL: takes none */
	int (*take)(const struct taking *taking);
	const char *help; /* NULL: not shown */
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct taking *taking, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(taking->why, OPTIONS_WHY_SIZE, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

/* Digits only, up to `most`. */
static bool parse_whole(const char *text, unsigned long most, unsigned long *ret_value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || errno || value > most)
		return false;
	*ret_value = value;
	return true;
}

/* Digits with at most one point: no sign, no exponent, no "inf". */
static bool parse_seconds(const char *text, double *ret_value)
{
	size_t length = strspn(text, "0123456789.");
	char *end;

	if (text[length] || !strpbrk(text, "0123456789"))
		return false;
	double value = strtod(text, &end);

	if (*end || value > MOST_SECONDS)
		return false;
	*ret_value = value;
	return true;
}

static int list_add(struct options_list *list, const char *word)
{
	const char **words = reallocarray(list->words, list->count + 1, sizeof(*words));

	if (!words)
		return -ENOMEM;
	list->words = words;
	words[list->count++] = word;
	return 0;
}

static int take_pid(const struct taking *taking)
{
	struct options *options = taking->options;
	unsigned long pid;
	pid_t *pids;

	if (!parse_whole(taking->value, INT32_MAX, &pid) || !pid)
		return refuse(taking, "--pid '%s': a process id is a number above 0", taking->value);
	for (size_t i = 0; i < options->pid_count; i++)
		if (options->pids[i] == (pid_t)pid)
			return 0;
	pids = reallocarray(options->pids, options->pid_count + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	options->pids = pids;
	pids[options->pid_count++] = (pid_t)pid;
	return 0;
}

static int take_all_processes(const struct taking *taking)
{
	taking->options->all = true;
	return 0;
}

static int take_command(const struct taking *taking)
{
	if (!*taking->value || strchr(taking->value, '/'))
		return refuse(taking, "--command '%s': it is a name without directories, or a glob of one",
			      taking->value);
	return list_add(&taking->options->commands, taking->value);
}

static int take_cgroup(const struct taking *taking)
{
	if (!*taking->value)
		return refuse(taking, "--cgroup '': it is a directory below /sys/fs/cgroup, or a path as in "
				      "/proc/PID/cgroup");
	return list_add(&taking->options->cgroups, taking->value);
}

static int take_duration(const struct taking *taking)
{
	if (!parse_seconds(taking->value, &taking->options->duration) || taking->options->duration <= 0)
		return refuse(taking, "--duration '%s': it is a number of seconds above 0", taking->value);
	return 0;
}

static int take_interval(const struct taking *taking)
{
	if (!parse_seconds(taking->value, &taking->options->interval))
		return refuse(taking, "--interval '%s': it is a number of seconds, 0 for the last summary only",
			      taking->value);
	return 0;
}

static int take_endpoint(const struct taking *taking)
{
	if (!*taking->value)
		return refuse(taking, "--endpoint '': it is a pattern over module.qualname or file:qualname");
	return list_add(&taking->options->endpoints, taking->value);
}

/* "a, b or c" */
static void join_formats(char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = 0;
	for (const struct output *const *output = output_table; *output && used < size; output++)
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? (output[1] ? ", " : " or ") : "",
					 (*output)->name);
}

static int take_format(const struct taking *taking)
{
	char allowed[128];

	taking->options->format = taking->value;
	if (output_find(taking->value))
		return 0;
	join_formats(allowed, sizeof(allowed));
	return refuse(taking, "--format '%s': it is %s", taking->value, allowed);
}

static int take_json(const struct taking *taking)
{
	taking->options->format = "json";
	return 0;
}

static int take_output(const struct taking *taking)
{
	taking->options->output = taking->value;
	return *taking->value ? 0 : refuse(taking, "--output '': it is the name of a file");
}

static int take_record(const struct taking *taking)
{
	taking->options->record = taking->value;
	return *taking->value ? 0 : refuse(taking, "--record '': it is the name of a file");
}

static bool find_word(const char *const *words, size_t count, const char *word, int *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*ret_index = (int)i;
		return true;
	}
	return false;
}

static int take_hooks(const struct taking *taking)
{
	int index;

	if (!find_word(hooks_names, COUNT(hooks_names), taking->value, &index))
		return refuse(taking, "--hooks '%s': they are auto, fentry, kprobe or tracepoint", taking->value);
	taking->options->hooks = (enum options_hooks)index;
	return 0;
}

static int take_python(const struct taking *taking)
{
	int index;

	if (!find_word(python_names, COUNT(python_names), taking->value, &index))
		return refuse(taking, "--python '%s': it is auto, usdt, stack or none", taking->value);
	taking->options->python = (enum options_python)index;
	return 0;
}

static int take_capture(const struct taking *taking)
{
	unsigned long bytes;

	if (!parse_whole(taking->value, NT_MAX_CAPTURE, &bytes) || bytes < LEAST_CAPTURE)
		return refuse(taking, "--capture '%s': it is a number of bytes from " CAPTURE_RANGE, taking->value);
	taking->options->capture = (uint32_t)bytes;
	return 0;
}

static int take_rules(const struct taking *taking)
{
	char *rules;
	int err = config_read_rules(taking->value, &rules, taking->why, OPTIONS_WHY_SIZE);

	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	free(taking->options->rules);
	taking->options->rules = rules;
	return 0;
}

static int take_fail_on(const struct taking *taking)
{
	struct options *options = taking->options;

	if (!options->fail_on)
		options->fail_on = conditions_new();
	return options->fail_on ? conditions_add(options->fail_on, taking->value, false, taking->why, OPTIONS_WHY_SIZE)
				: -ENOMEM;
}

/* Whether it is a row is run/'s to say; here it is only looked at, so that the user hears of it. */
static int take_dispatcher(const struct taking *taking)
{
	struct dispatcher_rows rows = {0};
	int err = dispatcher_add(&rows, taking->value);

	dispatcher_clear(&rows);
	if (err == -EINVAL)
		return refuse(taking,
			      "dispatcher '%.80s': it is the end of a file's path and the qualified name of the "
			      "function that calls endpoints, and may end with generic",
			      taking->value);
	if (taking->options->dispatchers.count >= DISPATCHER_MAX_ADDED)
		return refuse(taking, "more than %d dispatchers", DISPATCHER_MAX_ADDED);
	return err ? err : list_add(&taking->options->dispatchers, taking->value);
}

static int take_config(const struct taking *taking);

/* "200ms", "5s" */
static bool parse_span(const char *text, size_t length, double *ret_seconds)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"ms", 1e-3}, {"s", 1}};
	char number[32];

	for (size_t i = 0; i < COUNT(units); i++) {
		size_t unit = strlen(units[i].unit);

		if (length <= unit || length - unit >= sizeof(number) ||
		    strncmp(text + length - unit, units[i].unit, unit) != 0)
			continue;
		memcpy(number, text, length - unit);
		number[length - unit] = 0;
		if (!parse_seconds(number, ret_seconds))
			continue;
		*ret_seconds *= units[i].seconds;
		return true;
	}
	return false;
}

static int take_usdt_duty(const struct taking *taking)
{
	const char *value = taking->value, *slash = strchr(value, '/');
	struct options *options = taking->options;

	if (!slash || !parse_span(value, (size_t)(slash - value), &options->usdt_on) ||
	    !parse_span(slash + 1, strlen(slash + 1), &options->usdt_period) || options->usdt_on < LEAST_DUTY ||
	    options->usdt_on >= options->usdt_period)
		return refuse(taking,
			      "--usdt-duty '%s': it is how long the probes are on, " LEAST_DUTY_TEXT
			      " at least, out of a longer time, like 200ms/5s",
			      value);
	return 0;
}

static int take_max_cost(const struct taking *taking)
{
	double percent;

	if (!parse_seconds(taking->value, &percent) || percent <= 0 || percent > 100)
		return refuse(taking, "--max-cost '%s': it is a number of percent of a CPU, above 0 and up to 100",
			      taking->value);
	taking->options->max_cost = percent;
	return 0;
}

static int take_show_data(const struct taking *taking)
{
	taking->options->show_data = true;
	return 0;
}

static int take_check(const struct taking *taking)
{
	if (taking->options->action == OPTIONS_TRACE)
		taking->options->action = OPTIONS_CHECK;
	return 0;
}

static int take_help(const struct taking *taking)
{
	taking->options->action = OPTIONS_HELP;
	return 0;
}

static int take_version(const struct taking *taking)
{
	taking->options->action = OPTIONS_VERSION;
	return 0;
}

static const struct row rows[] = {
    {"pid", 0, REPEATABLE, "PID", take_pid, "trace this process and its children; repeatable"},
    {"command", 0, REPEATABLE, "NAME", take_command,
     "trace every Python process of this name, those that start later too; repeatable:\n"
     "its comm, executable, script, -m module, or title's first word; * and ? match"},
    {"cgroup", 0, REPEATABLE, "PATH", take_cgroup,
     "trace every Python process in this control group and those below it; repeatable"},
    {"all", 0, 0, NULL, take_all_processes, "trace every Python process"},
    {"duration", 'd', 0, "SECONDS", take_duration,
     "stop after this long (default: until ^C or the last target's exit)"},
    {"interval", 'i', 0, "SECONDS", take_interval, "print a summary this often (default 10; 0: only the last one)"},
    {"endpoint", 'e', REPEATABLE, "PATTERN", take_endpoint,
     "glob over module.qualname or file:qualname that names endpoints; repeatable\n(default: found by itself)"},
    {"format", 'f', 0, "FORMAT", take_format, "text or json (one object a line) on standard output (default text)"},
    {"json", 0, NOT_IN_FILE, NULL, take_json, "short for --format json"},
    {"output", 'o', 0, "FILE", take_output, "write there instead of standard output"},
    {"hooks", 0, 0, "KIND", take_hooks, "kernel hooks: auto, fentry, kprobe or tracepoint (default auto)"},
    {"python", 0, 0, "WAY", take_python, "how to know the Python function: auto, usdt, stack or none (default auto)"},
    {"usdt-duty", 0, 0, "ON/PERIOD", take_usdt_duty,
     "have USDT probes for ON out of every PERIOD, like 200ms/5s, and go by stack between"},
    {"max-cost", 0, 0, "PERCENT", take_max_cost,
     "of a CPU that the probes may take: beyond, they do less, step by step, and say so"},
    {"capture", 0, 0, "BYTES", take_capture, "payload kept per message, at most: " CAPTURE_RANGE " (default 65536)"},
    {"record", 0, 0, "FILE", take_record, "keep the event stream as well, for nettrace replay; it holds payload"},
    {"rules", 0, 0, "NAME", take_rules,
     "thresholds of the findings: default, sentry, perf-sentinel, or a JSON file of them"},
    {"fail-on", 0, REPEATABLE, "CONDITION", take_fail_on,
     "exit with 3 if the last summary is so: 'ENDPOINT METRIC OP VALUE', like\n"
     "'shop.views.* calls_per_run > 10'; repeatable"},
    {"show-data", 0, 0, NULL, take_show_data, "show keys, paths and statements as they are; without it data is masked"},
    {"config", 0, NOT_IN_FILE, "FILE", take_config,
     "read options from this file as well, JSON: {\"command\": [\"gunicorn\"], \"interval\": 5}"},
    {"dispatcher", 0, REPEATABLE | ONLY_IN_FILE, "ROW", take_dispatcher, NULL},
    {"check", 0, NOT_IN_FILE, NULL, take_check,
     "say what this kernel, these targets and these privileges allow; trace nothing"},
    {"help", 'h', NOT_IN_FILE, NULL, take_help, "this"},
    {"version", 0, NOT_IN_FILE, NULL, take_version, "the version"},
    {"export", 0, 0, "URL", NULL, NULL},
    {"socket", 0, 0, "PATH", NULL, NULL},
};

/* Takes an option that its row knows how to. */
static int take(const struct taking *taking)
{
	if (taking->row->take)
		return taking->row->take(taking);
	refuse(taking, "--%s is not supported yet", taking->row->name);
	return -ENOTSUP;
}

#define FIRST_CODE 256 /* getopt_long's value of rows[0]: above any letter, so that a row has one code only */

/* getopt's own tables, made of ours. */
struct getopt_tables {
	struct option longs[COUNT(rows) + 1];
	char letters[2 * COUNT(rows) + 3];
};

static void make_tables(struct getopt_tables *tables)
{
	struct option *next = tables->longs;
	char *letter = tables->letters;

	*letter++ = '+'; /* the words stay in their order */
	*letter++ = ':'; /* a missing argument is told from an unknown option */
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].flags & ONLY_IN_FILE)
			continue;
		*next++ = (struct option){
		    .name = rows[i].name,
		    .has_arg = rows[i].argument ? required_argument : no_argument,
		    .val = FIRST_CODE + (int)i,
		};
		if (!rows[i].letter)
			continue;
		*letter++ = rows[i].letter;
		if (rows[i].argument)
			*letter++ = ':';
	}
}

/* The row of a name in a file; NULL: there is none. */
static const struct row *find_row_of_file(const char *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!(rows[i].flags & NOT_IN_FILE) && !strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static int refuse_name(const struct taking *taking, const char *name)
{
	char names[OPTIONS_WHY_SIZE] = "";
	size_t used = 0;

	for (size_t i = 0; i < COUNT(rows) && used < sizeof(names); i++)
		if (!(rows[i].flags & NOT_IN_FILE) && rows[i].take)
			used += (size_t)snprintf(names + used, sizeof(names) - used, " %s", rows[i].name);
	return refuse(taking, "'%.32s' is none of%s", name, names);
}

/* A value of the file as the command line would have it. */
static int take_value(struct taking *taking, const struct config_value *found)
{
	const struct row *row = taking->row = find_row_of_file(found->name);

	if (!row)
		return refuse_name(taking, found->name);
	if (found->listed && !(row->flags & REPEATABLE))
		return refuse(taking, "%s takes one value, no list", row->name);
	if (found->object && row->take != take_rules)
		return refuse(taking, "%s takes no object", row->name);
	if (row->argument && !found->text)
		return refuse(taking, "%s needs a value: %s", row->name, row->argument);
	if (!row->argument && found->text)
		return refuse(taking, "%s is true or false", row->name);
	taking->value = found->text;
	return row->argument || found->truth ? take(taking) : 0;
}

/* What is wrong with a value is said with its place. */
static int take_from_file(void *context, const struct config_value *found)
{
	const struct taking *file = context;
	struct taking taking = *file;
	char why[OPTIONS_WHY_SIZE] = "";
	int err;

	taking.why = why;
	err = take_value(&taking, found);
	if (err)
		refuse(file, "%.80s line %u: %.*s", file->value, found->line, OPTIONS_WHY_SIZE - 100, why);
	return err;
}

static int take_config(const struct taking *taking)
{
	struct options *options = taking->options;
	struct config *config, **configs;
	int err = config_read(taking->value, &config, taking->why, OPTIONS_WHY_SIZE);

	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	configs = reallocarray(options->configs, options->config_count + 1, sizeof(struct config *));
	if (!configs) {
		config_free(config);
		return -ENOMEM;
	}
	options->configs = configs;
	configs[options->config_count++] = config;
	return config_each(config, take_from_file, (void *)taking, taking->why, OPTIONS_WHY_SIZE);
}

static const struct row *find_row(int code)
{
	if (code >= FIRST_CODE && code < FIRST_CODE + (int)COUNT(rows))
		return &rows[code - FIRST_CODE];
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].letter && rows[i].letter == code)
			return &rows[i];
	return NULL;
}

/* getopt found an option that it cannot take: `code` is its answer, `word` the word in which it stood. */
static int refuse_option(const struct taking *taking, int code, const char *word)
{
	const struct row *row = optopt ? find_row(optopt) : NULL;

	if (code == ':' && row)
		return refuse(taking, "--%s needs a value: %s", row->name, row->argument);
	if (row)
		return refuse(taking, "--%s takes no value", row->name);
	return refuse(taking, "unknown or ambiguous option '%s': see nettraced --help", word);
}

/* Takes the options of the command line; `files`: of them --config alone, the rest is for another time. */
static int take_all(int argc, char **argv, struct taking *taking, bool files)
{
	struct getopt_tables tables = {0};
	int code, err;

	make_tables(&tables);
	optind = 0; /* glibc: start anew */
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1; /* the word that getopt is about to read */

		code = getopt_long(argc, argv, tables.letters, tables.longs, NULL);
		if (code == -1)
			return 0;
		taking->row = code == '?' || code == ':' ? NULL : find_row(code);
		taking->value = optarg;
		if (files && taking->row && (taking->row->take == take_help || taking->row->take == take_version))
			return 0;
		if (files != (taking->row && taking->row->take == take_config))
			continue;
		if (!taking->row)
			return refuse_option(taking, code, argv[at]);
		err = take(taking);
		if (err || taking->options->action >= OPTIONS_HELP)
			return err;
	}
}

/* What the options say together. */
static int check_all(int argc, char **argv, const struct taking *taking)
{
	const struct options *options = taking->options;
	unsigned long pid;

	if (options->action >= OPTIONS_HELP)
		return 0;
	if (optind < argc && parse_whole(argv[optind], INT32_MAX, &pid))
		return refuse(taking, "unexpected '%s': a process is named with --pid %s", argv[optind], argv[optind]);
	if (optind < argc)
		return refuse(taking, "unexpected '%s': see nettraced --help", argv[optind]);
	if (options->usdt_period > 0 && options->python == OPTIONS_PYTHON_STACK)
		return refuse(taking, "--usdt-duty is about the probes that --python stack does without");
	if (!options->pid_count && !options_match(options) && options->action == OPTIONS_TRACE)
		return refuse(taking, "which process? name one with --pid PID, or some with --command, --cgroup or "
				      "--all");
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options, char *why)
{
	struct options options = {
	    .interval = DEFAULT_INTERVAL,
	    .format = "text",
	    .capture = DEFAULT_CAPTURE,
	};
	struct taking taking = {.options = &options, .why = why};
	int err;

	why[0] = 0;
	/* The files first: what the command line says comes later and wins, and repeatable options add. */
	err = take_all(argc, argv, &taking, true);
	if (!err)
		err = take_all(argc, argv, &taking, false);
	if (!err)
		err = check_all(argc, argv, &taking);
	if (err)
		options_free(&options);
	else
		*ret_options = options;
	return err;
}

void options_free(struct options *options)
{
	free(options->pids);
	free(options->commands.words);
	free(options->cgroups.words);
	free(options->endpoints.words);
	free(options->dispatchers.words);
	free(options->rules);
	conditions_free(options->fail_on);
	for (size_t i = 0; i < options->config_count; i++)
		config_free(options->configs[i]);
	free(options->configs);
	*options = (struct options){0};
}

bool options_match(const struct options *options)
{
	return options->all || options->commands.count || options->cgroups.count;
}

static void put_row(FILE *stream, const struct row *row)
{
	const char *help = row->help, *line;
	char names[48];

	if (row->letter)
		snprintf(names, sizeof(names), "-%c, --%s %s", row->letter, row->name,
			 row->argument ? row->argument : "");
	else
		snprintf(names, sizeof(names), "    --%s %s", row->name, row->argument ? row->argument : "");
	fprintf(stream, "  %-26s", names);
	while ((line = strchr(help, '\n'))) {
		fprintf(stream, "%.*s\n  %-26s", (int)(line - help), help, "");
		help = line + 1;
	}
	fprintf(stream, "%s\n", help);
}

void options_help(FILE *stream)
{
	fprintf(stream, "usage: nettraced --pid PID | --command NAME | --cgroup PATH | --all [options]\n\n"
			"Tells what running Python processes ask of the network, by the function that answers for it.\n"
			"Needs root, or the capabilities that --check names.\n\n");
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].help)
			put_row(stream, &rows[i]);
	fprintf(stream,
		"\nExit status: 0 done; 1 could not do it; 2 wrong usage; 3 a condition of --fail-on is met.\n");
}

const char *options_hooks_name(enum options_hooks hooks)
{
	return hooks_names[hooks];
}

const char *options_python_name(enum options_python python)
{
	return python_names[python];
}
