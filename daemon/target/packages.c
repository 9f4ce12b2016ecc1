/*
 * packages.c: see packages.h. A virtual environment's are not below the prefix: they are known by the compiled modules
 * that nearly every program has.
 */
#include "packages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "process.h"

/* What such directories are called; "dist-packages" are Debian's own. */
static const char *const names[] = {"/site-packages/", "/dist-packages/"};

/* Those below the prefix; `minor`: between the two stands the minor version. */
static const struct {
	const char *before;
	bool minor;
	const char *behind;
} below_prefix[] = {
    {"/lib/python3.", true, "/site-packages/"},
    {"/local/lib/python3.", true, "/dist-packages/"},
    {"/lib/python3", false, "/dist-packages/"},
};

int packages_prefix(pid_t pid, char *ret_prefix, size_t size)
{
	char *slash;
	int r, i;

	r = process_read_link(pid, "exe", ret_prefix, size);
	for (i = 0; i < 2 && r == 0; i++) {
		slash = strrchr(ret_prefix, '/');
		if (slash)
			*slash = '\0';
		else
			r = -ENOENT;
	}
	return r;
}

struct search {
	int (*each)(void *context, const char *directory);
	void *context;
	char last[PROCESS_PATH_SIZE]; /* a process has dozens of libraries from one directory */
};

static int search_map(void *context, const struct process_map *map)
{
	struct search *search = context;
	const char *at = NULL;
	size_t i, length;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && !at; i++) {
		at = strstr(map->path, names[i]);
		if (at)
			at += strlen(names[i]);
	}
	length = at ? (size_t)(at - map->path) : 0;
	if (map->offset != 0 || length == 0 || length >= sizeof(search->last) ||
	    (strncmp(map->path, search->last, length) == 0 && search->last[length] == '\0'))
		return 0;
	memcpy(search->last, map->path, length);
	search->last[length] = '\0';
	return search->each(search->context, search->last);
}

int packages_each_directory(const struct target *target, int (*each)(void *context, const char *directory),
			    void *context)
{
	struct search search = {.each = each, .context = context};
	char prefix[PROCESS_PATH_SIZE / 2], directory[PROCESS_PATH_SIZE], minor[4];
	int r = process_each_map(target->pid, search_map, &search);
	size_t i;

	if (r != 0 || packages_prefix(target->pid, prefix, sizeof(prefix)) < 0)
		return r;
	for (i = 0; i < sizeof(below_prefix) / sizeof(below_prefix[0]) && r == 0; i++) {
		snprintf(minor, sizeof(minor), "%u", target->python[1]);
		snprintf(directory, sizeof(directory), "%s%s%s%s", prefix, below_prefix[i].before,
			 below_prefix[i].minor ? minor : "", below_prefix[i].behind);
		r = each(context, directory);
	}
	return r;
}
