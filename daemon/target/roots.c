/*
 * roots.c: the directories that a process imports from, as far as they can be known from outside.
 *
 * What CPython puts in sys.path at start: the script's directory, or the working directory with -m and -c and under
 * most servers, then PYTHONPATH, and what .pth files add (sites.c). The standard library and site-packages are known by
 * their names: modules.c.
 */
#define _GNU_SOURCE
#include "roots.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define ROOTS_COMMAND_SIZE 8192		 /* the script comes early on a command line */
#define ROOTS_ENVIRONMENT_SIZE (1 << 18) /* bytes searched for variables */

int path_resolve(const char *base, const char *path, char *ret_path, size_t size)
{
	const char *parts[] = {path[0] == '/' || !base ? "" : base, path};
	bool absolute = path[0] == '/' || (base && base[0] == '/');
	size_t length = 0, part;
	const char *at;
	unsigned i;

	for (i = 0; i < 2; i++) {
		for (at = parts[i]; *at; at += part) {
			at += strspn(at, "/");
			part = strcspn(at, "/");
			if (part == 0 || (part == 1 && at[0] == '.'))
				continue;
			if (part == 2 && at[0] == '.' && at[1] == '.') {
				while (length > 0 && ret_path[--length] != '/')
					;
				continue;
			}
			if (length + 1 + part + 1 > size)
				return -ENAMETOOLONG;
			if (length > 0 || absolute)
				ret_path[length++] = '/';
			memcpy(ret_path + length, at, part);
			length += part;
		}
	}
	if (length == 0 && absolute)
		ret_path[length++] = '/';
	ret_path[length] = '\0';
	return 0;
}

static int roots_add(struct import_roots *roots, const char *base, const char *path)
{
	char resolved[PROCESS_PATH_SIZE];
	unsigned i;

	if (path_resolve(base, path, resolved, sizeof(resolved)) < 0 || resolved[0] != '/')
		return 0;
	for (i = 0; i < roots->count; i++)
		if (strcmp(roots->roots[i], resolved) == 0)
			return 0;
	if (roots->count == ROOTS_MAX)
		return 0;
	roots->roots[roots->count] = strdup(resolved);
	if (!roots->roots[roots->count])
		return -ENOMEM;
	roots->count++;
	return 0;
}

/* Options whose value may be the next argument (cmdline in the manual of python). */
static bool command_takes_value(const char *option)
{
	size_t last = strlen(option) - 1;

	if (option[1] == '-')
		return strcmp(option, "--check-hash-based-pycs") == 0;
	return option[last] == 'W' || option[last] == 'X';
}

/* Where one of the wanted letters is. Short options may stand together, up to one that takes the rest as its value. */
static const char *command_letter(const char *option, const char *wanted)
{
	const char *at;

	if (option[1] == '-')
		return NULL;
	for (at = option + 1; *at && *at != 'W' && *at != 'X'; at++)
		if (strchr(wanted, *at))
			return at;
	return NULL;
}

/* The value of a letter: what is behind it, or the next argument. */
static const char *command_value(const char *letter, const char *end)
{
	const char *value = letter[1] ? letter + 1 : letter + 2;

	return value < end && *value ? value : NULL;
}

struct command command_parse(const char *arguments, const char *end)
{
	struct command command = {0};
	const char *at = arguments, *last;

	for (at += strlen(at) + 1; at < end; at += strlen(at) + 1) {
		if (strcmp(at, "-") == 0)
			return command;
		if (at[0] != '-') {
			command.script = at[0] ? at : NULL;
			return command;
		}
		if (strcmp(at, "--") == 0)
			continue;
		last = command_letter(at, "mc");
		if (command_letter(at, "EI"))
			command.isolated = true;
		if (last) {
			command.module = *last == 'm' ? command_value(last, end) : NULL;
			return command;
		}
		if (command_takes_value(at) && at + strlen(at) + 1 < end)
			at += strlen(at) + 1;
	}
	return command;
}

/*
 * The kernel shows a process's paths as they look from our root. Takes off what lies above the process's own, so
 * that they are what its code objects say.
 */
static const char *roots_strip(const char *root, const char *path)
{
	size_t length = strlen(root);

	if (length <= 1 || strncmp(path, root, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return path;
	return path[length] ? path + length : "/";
}

/* sys.path has the directory in which the script really is, links followed; as a program, a directory is itself. */
static int roots_add_script(struct import_roots *roots, pid_t pid, const char *root, const char *script)
{
	char path[PROCESS_PATH_SIZE], real[PROCESS_PATH_SIZE];
	struct stat status;
	char link[64];
	ssize_t length;
	int fd, r;

	if (path_resolve(roots->directory, script, path, sizeof(path)) < 0 || path[0] != '/')
		return 0;
	fd = process_open_path(pid, path);
	if (fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, real, sizeof(real));
	r = fstat(fd, &status);
	close(fd);
	if (r < 0 || length <= 0 || (size_t)length >= sizeof(real))
		return 0;
	real[length] = '\0';
	if (S_ISDIR(status.st_mode))
		return roots_add(roots, NULL, path);
	if (!S_ISREG(status.st_mode))
		return 0;
	roots->script = strdup(path);
	if (!roots->script)
		return -ENOMEM;
	/* Itself, for a program that is an archive. */
	r = roots_add(roots, NULL, path);
	if (r == 0)
		r = roots_add(roots, path, "..");
	return r < 0 ? r : roots_add(roots, roots_strip(root, real), "..");
}

static int roots_add_list(struct import_roots *roots, char *list)
{
	char *entry;
	int r = 0;

	while (r == 0 && (entry = strsep(&list, ":")))
		r = roots_add(roots, roots->directory, entry);
	return r;
}

char *environment_read(pid_t pid, const char **ret_end)
{
	char *text = malloc(ROOTS_ENVIRONMENT_SIZE);
	ssize_t length;

	if (!text)
		return NULL;
	length = process_read_file(pid, "environ", text, ROOTS_ENVIRONMENT_SIZE);
	*ret_end = text + (length > 0 ? length : 0);
	return text;
}

char *environment_find(char *text, const char *end, const char *name)
{
	size_t length = strlen(name);
	char *at;

	for (at = text; at < end; at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

static int roots_add_found(void *context, const char *path)
{
	return roots_add(context, NULL, path);
}

/* The .pth files of an interpreter that is at PREFIX/bin/python. */
static int roots_add_sites(struct import_roots *roots, pid_t pid, const char *program)
{
	char prefix[PROCESS_PATH_SIZE];

	if (path_resolve(program, "../..", prefix, sizeof(prefix)) < 0 || prefix[0] != '/')
		return 0;
	return sites_each_path(pid, prefix, roots_add_found, roots);
}

/* Where the program is that the command line begins with: for a virtual environment that is its link to the
 * interpreter. */
static bool command_find(const struct import_roots *roots, pid_t pid, const char *name, char *list, char *ret_path,
			 size_t size)
{
	char directory[PROCESS_PATH_SIZE], *entry;
	int fd = -1;

	if (strchr(name, '/'))
		return path_resolve(roots->directory, name, ret_path, size) == 0;
	while (name[0] && fd < 0 && (entry = strsep(&list, ":")))
		if (path_resolve(roots->directory, entry, directory, sizeof(directory)) == 0 &&
		    path_resolve(directory, name, ret_path, size) == 0)
			fd = process_open_path(pid, ret_path);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What .pth files add: those of the program that was called, of the file that runs, and of the user. */
static int roots_add_all_sites(struct import_roots *roots, pid_t pid, const char *root, const char *name,
			       char *environment, const char *end)
{
	char path[PROCESS_PATH_SIZE];
	const char *home = environment_find(environment, end, "HOME");
	int r = 0;

	if (command_find(roots, pid, name, environment_find(environment, end, "PATH"), path, sizeof(path)))
		r = roots_add_sites(roots, pid, path);
	if (r == 0 && process_read_link(pid, "exe", path, sizeof(path)) == 0)
		r = roots_add_sites(roots, pid, roots_strip(root, path));
	if (r == 0 && home && path_resolve(home, ".local", path, sizeof(path)) == 0)
		r = sites_each_path(pid, path, roots_add_found, roots);
	return r;
}

static int roots_add_environment(struct import_roots *roots, pid_t pid, const char *root, const char *name,
				 bool isolated)
{
	const char *end;
	char *text = environment_read(pid, &end), *list;
	int r = 0;

	if (!text)
		return -ENOMEM;
	list = isolated ? NULL : environment_find(text, end, "PYTHONPATH");
	if (list)
		r = roots_add_list(roots, list);
	if (r == 0)
		r = roots_add_all_sites(roots, pid, root, name, text, end);
	free(text);
	return r;
}

static int roots_fill(struct import_roots *roots, pid_t pid)
{
	char root[PROCESS_PATH_SIZE], directory[PROCESS_PATH_SIZE], arguments[ROOTS_COMMAND_SIZE];
	struct command command;
	ssize_t length;
	int r;

	length = process_read_file(pid, "cmdline", arguments, sizeof(arguments));
	if (length < 0)
		return (int)length;
	command = command_parse(arguments, arguments + length);
	r = process_read_link(pid, "cwd", directory, sizeof(directory));
	if (r == 0)
		r = process_read_link(pid, "root", root, sizeof(root));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	roots->directory = strdup(roots_strip(root, directory));
	if (!roots->directory)
		return -ENOMEM;
	r = roots_add(roots, NULL, roots->directory);
	if (r == 0 && command.script)
		r = roots_add_script(roots, pid, root, command.script);
	return r < 0 ? r : roots_add_environment(roots, pid, root, arguments, command.isolated);
}

int roots_read(pid_t pid, struct import_roots *ret_roots)
{
	int r;

	memset(ret_roots, 0, sizeof(*ret_roots));
	r = roots_fill(ret_roots, pid);
	if (r < 0)
		roots_clear(ret_roots);
	return r;
}

void roots_clear(struct import_roots *roots)
{
	unsigned i;

	for (i = 0; i < roots->count; i++)
		free(roots->roots[i]);
	free(roots->directory);
	free(roots->script);
	memset(roots, 0, sizeof(*roots));
}
