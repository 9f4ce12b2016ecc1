/*
 * anyio.c: whether a process may use anyio, before any of its code was seen to run: it runs an event loop, and anyio is
 * where its other packages are.
 */
#define _GNU_SOURCE
#include "hooks.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "target.h"

#define ANYIO "anyio/_backends/_asyncio.py"
#define BUILT_IN_MINOR 15 /* from then on the interpreter has asyncio's compiled part in it */

/* What directories for packages are called; "dist-packages" are Debian's own. */
static const char *const directories[] = {"/site-packages/", "/dist-packages/"};

/* Those of an interpreter, below the directory above that of its executable; between the two stands its minor version.
 */
static const struct {
	const char *before, *behind;
} own[] = {
    {"/lib/python3.", "/site-packages/"},
    {"/local/lib/python3.", "/dist-packages/"},
    {"/lib/python3", "/dist-packages/"},
};

struct search {
	pid_t pid;
	bool asyncio, anyio;	      /* found */
	char last[PROCESS_PATH_SIZE]; /* looked into last: a process has dozens of libraries from one directory */
};

/* Paths are as the kernel shows them: the process's own, or ours if that is how we reach it. */
static void search_directory(struct search *search, const char *directory)
{
	char path[PROCESS_PATH_SIZE];
	int fd, length;

	if (strcmp(directory, search->last) == 0)
		return;
	snprintf(search->last, sizeof(search->last), "%s", directory);
	length = snprintf(path, sizeof(path), "%s" ANYIO, directory);
	if (length >= (int)sizeof(path))
		return;
	fd = process_open_path(search->pid, path);
	if (fd < 0)
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	close(fd);
	search->anyio = true;
}

static int search_map(void *context, const struct process_map *map)
{
	struct search *search = context;
	char directory[PROCESS_PATH_SIZE];
	const char *at = NULL;
	int length;
	size_t i;

	if (map->offset != 0)
		return 0;
	if (strncmp(process_file_name(map->path), "_asyncio.", strlen("_asyncio.")) == 0)
		search->asyncio = true;
	for (i = 0; i < sizeof(directories) / sizeof(directories[0]) && !at; i++) {
		at = strstr(map->path, directories[i]);
		if (at)
			at += strlen(directories[i]);
	}
	if (!at || search->anyio)
		return 0;
	length = snprintf(directory, sizeof(directory), "%.*s", (int)(at - map->path), map->path);
	if (length < (int)sizeof(directory))
		search_directory(search, directory);
	return 0;
}

static void search_own(struct search *search, const struct target *target)
{
	char exe[PROCESS_PATH_SIZE / 2], directory[PROCESS_PATH_SIZE];
	char *slash;
	size_t i;

	if (process_read_link(target->pid, "exe", exe, sizeof(exe)) < 0)
		return;
	for (i = 0; i < 2; i++) {
		slash = strrchr(exe, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
	for (i = 0; i < sizeof(own) / sizeof(own[0]) && !search->anyio; i++) {
		char minor[4] = "";

		if (own[i].before[strlen(own[i].before) - 1] == '.')
			snprintf(minor, sizeof(minor), "%u", target->python[1]);
		snprintf(directory, sizeof(directory), "%s%s%s%s", exe, own[i].before, minor, own[i].behind);
		search_directory(search, directory);
	}
}

bool hooks_anyio_is_likely(const struct target *target)
{
	struct search search = {.pid = target->pid, .asyncio = target->python[1] >= BUILT_IN_MINOR};

	process_each_map(target->pid, search_map, &search);
	if (search.asyncio && !search.anyio)
		search_own(&search, target);
	return search.asyncio && search.anyio;
}
