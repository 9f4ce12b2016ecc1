/*
 * options.h: the command line of nettraced, and the same options from files.
 *
 * Only main.c reads it. What the interface has and this version does not is refused in one line, never ignored.
 */
#ifndef NT_OPTIONS_H
#define NT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OPTIONS_WHY_SIZE 256

enum options_hooks { OPTIONS_HOOKS_AUTO, OPTIONS_HOOKS_FENTRY, OPTIONS_HOOKS_KPROBE, OPTIONS_HOOKS_TRACEPOINT };
enum options_python { OPTIONS_PYTHON_AUTO, OPTIONS_PYTHON_USDT, OPTIONS_PYTHON_STACK, OPTIONS_PYTHON_NONE };
enum options_action { OPTIONS_TRACE, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION };

/* The values of an option that can be given more than once. */
struct options_list {
	const char **words;
	size_t count;
};

struct config;
struct conditions;

/* Strings are those of argv and of the files of --config. */
struct options {
	enum options_action action;
	pid_t *pids; /* each once, in the order given */
	size_t pid_count;
	bool all;
	struct options_list commands, cgroups, endpoints;
	struct options_list dispatchers; /* rows for run/dispatcher.h: "FILE NAME" or "FILE NAME generic" */
	double duration;		 /* seconds; 0: until something else ends it */
	double interval;		 /* seconds; 0: only the last summary */
	const char *format;		 /* a name of output_table */
	const char *output;		 /* NULL: standard output */
	const char *record;		 /* NULL: none */
	enum options_hooks hooks;
	enum options_python python;
	uint32_t capture;	     /* bytes of payload kept per message */
	double usdt_on, usdt_period; /* seconds that function probes are on of so many; 0 and 0: always */
	double max_cost;	     /* percent of a CPU that the probes may take; 0: whatever they take */
	bool show_data;
	char *rules;		    /* of findings, for rules_parse(); NULL: the default */
	struct conditions *fail_on; /* NULL: none */
	struct config **configs;    /* whose strings are in use */
	size_t config_count;
};

/*
 * Reads a command line. 0; -EINVAL: wrong usage, or -ENOTSUP: something that this version cannot do yet, with one line
 * without a full stop in `why` (OPTIONS_WHY_SIZE bytes); -ENOMEM. ret_options is to be freed after success only.
 */
int options_parse(int argc, char **argv, struct options *ret_options, char *why);
void options_free(struct options *options);

/* Is there more to trace than the processes that are named by their ids? */
bool options_match(const struct options *options);

/* What --help shows. */
void options_help(FILE *stream);

/* The word of an enum options_hooks or options_python. Static. */
const char *options_hooks_name(enum options_hooks hooks);
const char *options_python_name(enum options_python python);

#endif
