/*
 * diff.c: nettrace diff BEFORE AFTER says of each endpoint what has changed between two captures, and beside what the
 * first one predicted what the second one measured.
 */
#include "diff.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/summary/condition.h"
#include "cli.h"
#include "side.h"

struct arguments {
	bool json, help;
	struct conditions *fail_on; /* NULL: none */
	struct diff diff;
};

static const char usage[] =
    "usage: nettrace diff BEFORE AFTER [options]\n\n"
    "Says of each endpoint what has changed between two captures. Each is a recording or a summary as JSON.\n\n"
    "  -f, --format FORMAT     text or json (default text)\n"
    "      --json              short for --format json\n"
    "      --fail-on CONDITION exit with 3 if AFTER is so: 'ENDPOINT METRIC OP VALUE', like\n"
    "                          '* wall_p50_change > 10', in percent of BEFORE; repeatable\n";

static bool take_format(struct arguments *arguments)
{
	arguments->json = !strcmp(optarg, "json");
	if (arguments->json || !strcmp(optarg, "text"))
		return true;
	cli_say("--format '%s': it is text or json", optarg);
	return false;
}

static bool take_option(struct arguments *arguments, int option, const char *word)
{
	switch (option) {
	case 'f':
		return take_format(arguments);
	case 'j':
		return arguments->json = true;
	case 'c':
		return cli_add_condition(&arguments->fail_on, optarg, true);
	case 'h':
		return arguments->help = true;
	default:
		cli_say("'%s' is no option, or lacks its value: see nettrace diff --help", word);
		return false;
	}
}

static bool parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
	    {"format", required_argument, NULL, 'f'},
	    {"json", no_argument, NULL, 'j'},
	    {"fail-on", required_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1)
		if (!take_option(arguments, option, argv[optind - 1]))
			return false;
	if (arguments->help)
		return true;
	if (argc - optind != 2) {
		cli_say("diff takes two files, BEFORE and AFTER: see nettrace diff --help");
		return false;
	}
	arguments->diff.paths[0] = argv[optind];
	arguments->diff.paths[1] = argv[optind + 1];
	return true;
}

static void ask(const struct arguments *arguments)
{
	const struct diff *diff = &arguments->diff;

	for (size_t i = 0; arguments->fail_on && i < diff->count; i++) {
		const struct compared *one = &diff->endpoints[i];

		if (one->after)
			conditions_ask(arguments->fail_on, one->name, one->is, one->before ? one->was : NULL);
	}
}

static enum cli_status run(struct arguments *arguments)
{
	struct diff *diff = &arguments->diff;
	int error = -ENOMEM;

	for (int i = 0; i < 2; i++)
		if (!side_read(diff->paths[i], &diff->summaries[i]))
			return CLI_FAILED;
	diff->endpoints = compare_endpoints(diff->summaries[0], diff->summaries[1], &diff->count);
	if (diff->endpoints)
		error = (arguments->json ? diff_put_json : diff_put_text)(stdout, diff);
	if (error) {
		cli_say("%s", strerror(-error));
		return CLI_FAILED;
	}
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		cli_say("cannot write standard output: %s", strerror(errno ? errno : EIO));
		return CLI_FAILED;
	}
	ask(arguments);
	return cli_judge(arguments->fail_on);
}

enum cli_status cli_diff(int argc, char **argv)
{
	struct arguments arguments = {.json = false};
	enum cli_status status;

	if (!parse(argc, argv, &arguments))
		status = CLI_USAGE;
	else if (arguments.help)
		status = fputs(usage, stdout) == EOF || fflush(stdout) ? CLI_FAILED : CLI_DONE;
	else
		status = run(&arguments);
	free(arguments.diff.endpoints);
	json_decref(arguments.diff.summaries[0]);
	json_decref(arguments.diff.summaries[1]);
	conditions_free(arguments.fail_on);
	return status;
}
