/*
 * cli.h: what the verbs of nettrace have in common: one file a verb, one table in main.c.
 */
#ifndef NT_CLI_H
#define NT_CLI_H

#include <stdbool.h>

/* Exit status of every verb. */
enum cli_status {
	CLI_DONE = 0,
	CLI_FAILED = 1, /* could not do it; one line on standard error says why */
	CLI_USAGE = 2,
	CLI_MET = 3, /* a condition of --fail-on */
};

struct cli_verb {
	const char *name;
	const char *arguments;
	const char *help;
	/* `argv[0]` is the verb. NULL: the verb is not there yet. */
	enum cli_status (*run)(int argc, char **argv);
};

/* Ended by an entry whose name is NULL. */
extern const struct cli_verb cli_verbs[];

enum cli_status cli_replay(int argc, char **argv);
enum cli_status cli_diff(int argc, char **argv);
enum cli_status cli_help(int argc, char **argv);
enum cli_status cli_version(int argc, char **argv);

struct conditions;

/* Adds a condition of --fail-on, creating the list. False, having said why, where it is none. */
bool cli_add_condition(struct conditions **conditions, const char *text, bool changes);

/* The status that the conditions (NULL: none) leave of one that is done, having said which are met. */
enum cli_status cli_judge(const struct conditions *conditions);

/* Says one line on standard error, with the program's name before it. */
__attribute__((format(printf, 1, 2))) void cli_say(const char *format, ...);

#endif
