/*
 * version.c: nettrace version.
 */
#include <stdio.h>

#include "cli.h"

enum cli_status cli_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("nettrace %s\n", NT_VERSION);
	return fflush(stdout) ? CLI_FAILED : CLI_DONE;
}
