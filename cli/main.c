/*
 * main.c: nettrace, the program for people: finds the verb and runs it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../daemon/summary/condition.h"
#include "cli.h"

const struct cli_verb cli_verbs[] = {
    {"replay", "FILE", "print the summaries of a recording", cli_replay},
    {"diff", "BEFORE AFTER", "what has changed between two captures", cli_diff},
    {"help", "", "this", cli_help},
    {"version", "", "the version", cli_version},
    {"top", NULL, NULL, NULL},
    {"status", NULL, NULL, NULL},
    {"endpoints", NULL, NULL, NULL},
    {"show", NULL, NULL, NULL},
    {"report", NULL, NULL, NULL},
    {"stop", NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

/* Options that people try before they know the verbs. */
static const struct {
	const char *option, *verb;
} aliases[] = {{"--help", "help"}, {"-h", "help"}, {"--version", "version"}};

void cli_say(const char *format, ...)
{
	va_list arguments;

	fputs("nettrace: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

bool cli_add_condition(struct conditions **conditions, const char *text, bool changes)
{
	char why[512] = "out of memory";

	if (!*conditions)
		*conditions = conditions_new();
	if (*conditions && !conditions_add(*conditions, text, changes, why, sizeof(why)))
		return true;
	cli_say("%s", why);
	return false;
}

static void say_line(void *context, const char *line)
{
	(void)context;
	cli_say("%s", line);
}

enum cli_status cli_judge(const struct conditions *conditions)
{
	static const enum cli_status statuses[] = {
	    [CONDITIONS_PASSED] = CLI_DONE, [CONDITIONS_MET] = CLI_MET, [CONDITIONS_UNASKED] = CLI_FAILED};

	return conditions ? statuses[conditions_result(conditions, say_line, NULL)] : CLI_DONE;
}

static const struct cli_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(aliases[i].option, name))
			name = aliases[i].verb;
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		if (!strcmp(verb->name, name))
			return verb;
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		cli_say("what? nettrace help lists what it can do");
		return CLI_USAGE;
	}
	const struct cli_verb *verb = find_verb(argv[1]);

	if (!verb) {
		cli_say("unknown verb '%s': nettrace help lists them", argv[1]);
		return CLI_USAGE;
	}
	if (!verb->run) {
		cli_say("%s is not there yet", verb->name);
		return CLI_USAGE;
	}
	return (int)verb->run(argc - 1, argv + 1);
}
