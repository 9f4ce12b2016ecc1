/*
 * replay.c: nettrace replay FILE runs the core on a recording and prints the summaries that the capture printed.
 *
 * The same records give the same summaries, byte for byte in JSON. A recording that ends early, or is damaged, still
 * gives a final summary of what is there, with a line on standard error and status 1.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../daemon/config.h"
#include "../daemon/finding/rules.h"
#include "../daemon/output/output.h"
#include "../daemon/pipeline.h"
#include "../daemon/recording.h"
#include "../daemon/summary/condition.h"
#include "cli.h"

#define AS_RECORDED -1.0
#define MOST_SECONDS 1e9

struct replay {
	const char *path;
	const char *output_path; /* NULL: standard output */
	const struct output *output;
	struct output_style style;
	bool other_rules; /* `rules` instead of the recording's */
	struct finding_rules rules;
	struct conditions *fail_on; /* NULL: none */
	double interval;	    /* seconds between summaries; 0: only the last one; AS_RECORDED */
	FILE *stream;
	struct pipeline *pipeline;
	bool help;
	bool output_failed;
	bool ended;		  /* NT_END was fed: the final summary is printed */
	uint64_t last, next_tick; /* monotonic ns: the last record's time, and when a summary of --interval is due */
};

static const char usage[] =
    "usage: nettrace replay FILE [options]\n\n"
    "Prints the summaries of a recording that nettraced --record made. Needs no privileges.\n\n"
    "  -f, --format FORMAT     text or json (default text)\n"
    "      --json              short for --format json\n"
    "  -o, --output FILE       write there instead of standard output\n"
    "  -i, --interval SECONDS  a summary this often, instead of as recorded (0: only the last one)\n"
    "      --rules NAME        thresholds of the findings, instead of as recorded: default, sentry, perf-sentinel,\n"
    "                          or a JSON file of them\n"
    "      --fail-on CONDITION exit with 3 if the last summary is so: 'ENDPOINT METRIC OP VALUE', like\n"
    "                          'shop.views.* calls_per_run > 10'; repeatable\n"
    "      --show-data         show keys, paths and statements as they are; without it data is masked\n";

static bool parse_interval(const char *text, double *ret_seconds)
{
	size_t length = strspn(text, "0123456789.");
	char *end;

	if (text[length] || !strpbrk(text, "0123456789"))
		return false;
	*ret_seconds = strtod(text, &end);
	return !*end && *ret_seconds <= MOST_SECONDS;
}

static bool take_rules(struct replay *replay)
{
	char why[256] = "out of memory", *text = NULL;
	int error = config_read_rules(optarg, &text, why, sizeof(why));

	if (!error)
		error = rules_parse(text, &replay->rules, why, sizeof(why));
	free(text);
	replay->other_rules = true;
	if (error)
		cli_say("%s", why);
	return !error;
}

/* What one option says. False, having said why, where it makes no sense. */
static bool take_option(struct replay *replay, int option, const char *word)
{
	switch (option) {
	case 'f':
		replay->output = output_find(optarg);
		if (!replay->output)
			cli_say("--format '%s': it is text or json", optarg);
		return replay->output;
	case 'j':
		replay->output = output_find("json");
		return true;
	case 'o':
		replay->output_path = optarg;
		return true;
	case 'i':
		if (parse_interval(optarg, &replay->interval))
			return true;
		cli_say("--interval '%s': it is a number of seconds, 0 for the last summary only", optarg);
		return false;
	case 'c':
		return cli_add_condition(&replay->fail_on, optarg, false);
	case 'r':
		return take_rules(replay);
	case 's':
		replay->style.show_data = true;
		return true;
	case 'h':
		replay->help = true;
		return true;
	default:
		cli_say("'%s' is no option, or lacks its value: see nettrace replay --help", word);
		return false;
	}
}

static bool parse(int argc, char **argv, struct replay *replay)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {"json", no_argument, NULL, 'j'},
	    {"output", required_argument, NULL, 'o'},
	    {"rules", required_argument, NULL, 'r'},
	    {"fail-on", required_argument, NULL, 'c'},
	    {"show-data", no_argument, NULL, 's'},
	    {"interval", required_argument, NULL, 'i'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "f:o:i:h", options, NULL)) != -1)
		if (!take_option(replay, option, argv[optind - 1]))
			return false;
	if (replay->help)
		return true;
	if (argc - optind != 1) {
		cli_say("replay takes one FILE: see nettrace replay --help");
		return false;
	}
	replay->path = argv[optind];
	return true;
}

static int put_summary(void *context, struct summary *summary)
{
	struct replay *replay = context;
	int err = replay->output->write(replay->stream, summary, &replay->style);

	if (summary->facts.final && replay->fail_on)
		conditions_ask_all(replay->fail_on, summary);
	replay->output_failed |= err < 0;
	return err;
}

/* Feeds a record that is not in the file. */
static int feed_mark(struct replay *replay, enum nt_type type, uint64_t time)
{
	struct nt_head mark = {.size = sizeof(mark), .type = (__u16)type, .version = NT_ABI, .time = time};

	return pipeline_feed(replay->pipeline, &mark, sizeof(mark));
}

/* Ends the intervals of --interval that are over at `time`; a long silence is one interval. */
static int tick(struct replay *replay, uint64_t time)
{
	uint64_t step = (uint64_t)llround(replay->interval * 1e9);

	if (!step)
		return 0;
	if (!replay->next_tick)
		replay->next_tick = time + step;
	if (time < replay->next_tick)
		return 0;
	uint64_t due = replay->next_tick + (time - replay->next_tick) / step * step;

	replay->next_tick = due + step;
	return feed_mark(replay, NT_TICK, due);
}

static int feed(struct replay *replay, const struct nt_head *record)
{
	int err = 0;

	replay->last = record->time;
	replay->ended = record->type == NT_END;
	if (replay->interval >= 0) {
		if (record->type == NT_TICK)
			return 0;
		err = tick(replay, record->time);
	}
	return err ? err : pipeline_feed(replay->pipeline, record, record->size);
}

/* All records. 0, or the first error. */
static int feed_all(struct replay *replay, struct recording_reader *reader)
{
	const struct nt_head *record;
	int more, err = 0;

	while (!err && (more = recording_read(reader, &record)) > 0)
		err = feed(replay, record);
	return err ? err : more;
}

/* Says what went wrong after the file was opened. */
static void say_problem(const struct replay *replay, const struct recording_reader *reader, int err)
{
	unsigned long long offset = (unsigned long long)recording_offset(reader);

	if (replay->output_failed)
		cli_say("cannot write %s: %s", replay->output_path ? replay->output_path : "standard output",
			strerror(-err));
	else if (err == -ENODATA)
		cli_say(
		    "%s is truncated: it ends at offset %llu, before the capture did; the summary is of what is there",
		    replay->path, offset);
	else if (err == -EBADMSG)
		cli_say("%s is malformed at offset %llu; the summary is of what is before", replay->path, offset);
	else
		cli_say("%s, at offset %llu: %s", replay->path, offset, recording_problem(err));
}

static enum cli_status replay_all(struct replay *replay, struct recording_reader *reader)
{
	int err = feed_all(replay, reader);

	if (!err)
		return CLI_DONE;
	say_problem(replay, reader, err);
	if (replay->output_failed || replay->ended || err == -ENOMEM)
		return CLI_FAILED;
	err = feed_mark(replay, NT_END, replay->last);
	if (err)
		say_problem(replay, reader, err);
	return CLI_FAILED;
}

/* Would the output empty the recording? */
static bool is_same_file(const char *one, const char *other)
{
	struct stat first, second;

	return !stat(one, &first) && !stat(other, &second) && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

static bool open_output(struct replay *replay)
{
	struct winsize size;

	if (replay->output_path && is_same_file(replay->path, replay->output_path)) {
		cli_say("--output %s is the recording itself", replay->output_path);
		return false;
	}
	replay->stream = replay->output_path ? fopen(replay->output_path, "we") : stdout;
	if (!replay->stream) {
		cli_say("cannot write %s: %s", replay->output_path, strerror(errno));
		return false;
	}
	if (isatty(fileno(replay->stream)) && !ioctl(fileno(replay->stream), TIOCGWINSZ, &size))
		replay->style.columns = size.ws_col;
	return true;
}

/* The options are good: does it. */
static enum cli_status run(struct replay *replay)
{
	struct recording_reader *reader = NULL;
	enum cli_status status = CLI_FAILED;
	int err = recording_open(replay->path, &reader);

	if (err) {
		cli_say("cannot replay %s: %s", replay->path, recording_problem(err));
		return CLI_FAILED;
	}
	if (!open_output(replay))
		goto out;
	replay->pipeline = pipeline_new(put_summary, replay);
	if (replay->pipeline && replay->other_rules)
		pipeline_set_rules(replay->pipeline, &replay->rules);
	if (replay->pipeline && replay->style.show_data)
		pipeline_keep_examples(replay->pipeline);
	if (replay->pipeline)
		status = replay_all(replay, reader);
	else
		cli_say("out of memory");
	if (replay->output_path && fclose(replay->stream) && status == CLI_DONE) {
		cli_say("cannot write %s: %s", replay->output_path, strerror(errno));
		status = CLI_FAILED;
	}
out:
	pipeline_free(replay->pipeline);
	recording_reader_free(reader);
	return status == CLI_DONE ? cli_judge(replay->fail_on) : status;
}

enum cli_status cli_replay(int argc, char **argv)
{
	struct replay replay = {.output = output_find("text"), .interval = AS_RECORDED};
	enum cli_status status;

	if (!parse(argc, argv, &replay))
		status = CLI_USAGE;
	else if (replay.help)
		status = fputs(usage, stdout) == EOF || fflush(stdout) ? CLI_FAILED : CLI_DONE;
	else
		status = run(&replay);
	conditions_free(replay.fail_on);
	return status;
}
