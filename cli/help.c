/*
 * help.c: nettrace help lists the verbs that there are.
 */
#include <stdio.h>

#include "cli.h"

enum cli_status cli_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("usage: nettrace VERB ...\n\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		if (verb->run)
			printf("  %-8s %-12s %s\n", verb->name, verb->arguments, verb->help);
	printf("\nA verb's own options: nettrace VERB --help\n");
	return fflush(stdout) ? CLI_FAILED : CLI_DONE;
}
