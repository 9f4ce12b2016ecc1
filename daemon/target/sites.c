/*
 * sites.c: the directories that .pth files in site-packages name, for roots.c: editable installs, and what
 * distributions put there.
 */
#define _GNU_SOURCE
#include "roots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define SITES_MAX_ENTRIES 20000 /* of a directory, looked through */
#define SITES_MAX_SIZE 65536	/* bytes of a .pth file; a line that is cut by it is left out */

/* What is looked through at the moment. */
struct search {
	pid_t pid;
	int (*each)(void *context, const char *path);
	void *context;
	const char *directory; /* whose entries are visited */
};

/* Opens what the process sees there if it is of this kind: a device or a pipe would do something. */
static int sites_open(pid_t pid, const char *path, mode_t kind)
{
	struct stat status;
	char link[64];
	int found, fd = -ENOENT;

	found = process_open_path(pid, path);
	if (found < 0)
		return found;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	if (fstat(found, &status) == 0 && (status.st_mode & S_IFMT) == kind)
		fd = open(link, O_RDONLY | O_CLOEXEC);
	close(found);
	return fd;
}

typedef int (*visitor)(struct search *search, const char *name);

/* Calls `visit` for the entries of a directory whose names begin and end so, until it returns something else than 0. */
static int sites_each_entry(struct search *search, const char *directory, const char *begin, const char *end,
			    visitor visit)
{
	struct search inner = *search;
	size_t length, tail = strlen(end);
	int fd, r = 0, entries = 0;
	struct dirent *entry;
	DIR *stream = NULL;

	fd = sites_open(search->pid, directory, S_IFDIR);
	if (fd >= 0)
		stream = fdopendir(fd);
	if (!stream) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	inner.directory = directory;
	while (r == 0 && entries++ < SITES_MAX_ENTRIES && (entry = readdir(stream))) {
		length = strlen(entry->d_name);
		if (strncmp(entry->d_name, begin, strlen(begin)) == 0 && length >= tail &&
		    strcmp(entry->d_name + length - tail, end) == 0)
			r = visit(&inner, entry->d_name);
	}
	closedir(stream);
	return r;
}

/* A line is a directory, of which a relative one lies beside the file; or a comment; or code, which is not run here. */
static int sites_visit_line(struct search *search, const char *line)
{
	char path[PROCESS_PATH_SIZE];

	if (line[0] == '\0' || line[0] == '#' || strncmp(line, "import ", 7) == 0 || strncmp(line, "import\t", 7) == 0)
		return 0;
	if (path_resolve(search->directory, line, path, sizeof(path)) < 0)
		return 0;
	return search->each(search->context, path);
}

static int sites_visit_pth(struct search *search, const char *name)
{
	char path[PROCESS_PATH_SIZE], *text, *rest, *line;
	ssize_t length;
	int fd, r = 0;

	if (path_resolve(search->directory, name, path, sizeof(path)) < 0)
		return 0;
	fd = sites_open(search->pid, path, S_IFREG);
	if (fd < 0)
		return 0;
	rest = text = malloc(SITES_MAX_SIZE);
	length = text ? read(fd, text, SITES_MAX_SIZE - 1) : -1;
	close(fd);
	if (length >= 0) {
		text[length] = '\0';
		while (r == 0 && (line = strsep(&rest, "\n")) && (rest || length < SITES_MAX_SIZE - 1)) {
			line[strcspn(line, "\r")] = '\0';
			r = sites_visit_line(search, line);
		}
	}
	free(text);
	return r;
}

/* Of "lib/python3.11" and Debian's "lib/python3". */
static int sites_visit_python(struct search *search, const char *name)
{
	static const char *const kinds[] = {"site-packages", "dist-packages"};
	char path[PROCESS_PATH_SIZE];
	size_t i;
	int r = 0, length;

	for (i = 0; r == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		length = snprintf(path, sizeof(path), "%s/%s/%s", search->directory, name, kinds[i]);
		if (length > 0 && (size_t)length < sizeof(path))
			r = sites_each_entry(search, path, "", ".pth", sites_visit_pth);
	}
	return r;
}

int sites_each_path(pid_t pid, const char *prefix, int (*each)(void *context, const char *path), void *context)
{
	static const char *const libraries[] = {"lib", "lib64", "local/lib"};
	struct search search = {.pid = pid, .each = each, .context = context};
	char path[PROCESS_PATH_SIZE];
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (path_resolve(prefix, libraries[i], path, sizeof(path)) == 0)
			r = sites_each_entry(&search, path, "python", "", sites_visit_python);
	return r;
}
