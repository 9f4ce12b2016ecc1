/*
 * anyio.c: whether a process may use anyio, before any of its code was seen to run: it runs an event loop, and anyio is
 * where its other packages are.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hooks.h"
#include "packages.h"
#include "process.h"

#define ANYIO "anyio/_backends/_asyncio.py"
#define BUILT_IN_MINOR 15 /* from then on the interpreter has asyncio's compiled part in it */

static int is_asyncio(void *context, const struct process_map *map)
{
	(void)context;
	return strncmp(process_file_name(map->path), "_asyncio.", strlen("_asyncio.")) == 0;
}

static int has_anyio(void *context, const char *directory)
{
	const pid_t *pid = context;
	char path[PROCESS_PATH_SIZE];
	int fd;

	if (snprintf(path, sizeof(path), "%s" ANYIO, directory) >= (int)sizeof(path))
		return 0;
	fd = process_open_shown(*pid, path, 0);
	if (fd < 0)
		return 0;
	close(fd);
	return 1;
}

bool hooks_anyio_is_likely(const struct target *target)
{
	pid_t pid = target->pid;

	return (target->python[1] >= BUILT_IN_MINOR || process_each_map(pid, is_asyncio, NULL) > 0) &&
	       packages_each_directory(target, has_anyio, &pid) > 0;
}
