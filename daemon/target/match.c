/*
 * match.c: see match.h.
 *
 * Control groups: /proc/PID/cgroup has a line for each hierarchy, "ID:CONTROLLERS:PATH". The unified one (version 2)
 * has no controllers; those of version 1 have the names under which they are mounted.
 */
#define _GNU_SOURCE
#include "match.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "roots.h"
#include "target.h"

#define MATCH_ARGUMENTS_SIZE 8192 /* the script comes early on a command line */
#define MATCH_CGROUPS_SIZE 16384  /* a dozen hierarchies, each with a path of containers within containers */
#define CGROUP_DIRECTORY "/sys/fs/cgroup"

/* A control group: where its hierarchy is not named, it is whichever has the path. */
struct match_cgroup {
	bool any;
	char controllers[64]; /* one that the hierarchy has; "" for the unified one */
	char path[PROCESS_PATH_SIZE];
};

struct match {
	struct match_rules rules;
	struct match_cgroup *cgroups;
};

/* A mounted hierarchy of control groups. */
struct match_mount {
	char root[PROCESS_PATH_SIZE], point[PROCESS_PATH_SIZE];
	char controllers[64];
};

/* Is `path` that directory, or below it? */
static bool path_is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	while (length > 0 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* "31 23 0:28 /root /point options ... - cgroup2 source super,options"; false: no control groups'. */
static bool mount_parse(const char *line, struct match_mount *ret_mount)
{
	const char *rest = strstr(line, " - ");
	char type[16], options[256] = "";
	const char *word;

	if (!rest || sscanf(rest, " - %15s %*s %255s", type, options) < 1 ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", ret_mount->root, ret_mount->point) != 2)
		return false;
	ret_mount->controllers[0] = '\0';
	if (strcmp(type, "cgroup2") == 0)
		return true;
	if (strcmp(type, "cgroup") != 0)
		return false;
	/* The controllers, or name=, stand last. */
	word = strrchr(options, ',');
	snprintf(ret_mount->controllers, sizeof(ret_mount->controllers), "%s", word ? word + 1 : options);
	return true;
}

/* The hierarchy that a directory is in: the one with the longest mount point above it. False: none. */
static bool mount_find(const char *path, struct match_mount *ret_mount)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct match_mount mount;
	size_t size = 0, best = 0;
	char *line = NULL;

	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		if (!mount_parse(line, &mount) || !path_is_below(path, mount.point) || strlen(mount.point) < best)
			continue;
		best = strlen(mount.point);
		*ret_mount = mount;
	}
	free(line);
	fclose(file);
	return best > 0;
}

/* Two paths as one, without slashes that say nothing. */
static int cgroup_set_path(struct match_cgroup *cgroup, const char *above, const char *below)
{
	return path_resolve(above, below + strspn(below, "/"), cgroup->path, sizeof(cgroup->path));
}

static int cgroup_resolve(const char *path, struct match_cgroup *ret_cgroup, char *why)
{
	struct match_mount mount;
	int r;

	memset(ret_cgroup, 0, sizeof(*ret_cgroup));
	if (mount_find(path, &mount)) {
		memcpy(ret_cgroup->controllers, mount.controllers, sizeof(ret_cgroup->controllers));
		r = cgroup_set_path(ret_cgroup, mount.root, path + strlen(mount.point));
	} else if (path_is_below(path, CGROUP_DIRECTORY)) {
		snprintf(why, TARGET_WHY_SIZE, "no control groups are mounted at %.160s", path);
		return -EINVAL;
	} else {
		ret_cgroup->any = true;
		r = cgroup_set_path(ret_cgroup, "/", path);
	}
	if (r < 0)
		snprintf(why, TARGET_WHY_SIZE, "the path of the control group is too long: %.160s", path);
	return r;
}

int match_new(const struct match_rules *rules, struct match **ret_match, char *why)
{
	struct match *match = calloc(1, sizeof(*match));
	int r = 0;

	snprintf(why, TARGET_WHY_SIZE, "out of memory");
	if (!match)
		return -ENOMEM;
	match->rules = *rules;
	match->cgroups = calloc(rules->cgroup_count + 1, sizeof(*match->cgroups));
	if (!match->cgroups)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < rules->cgroup_count; i++)
		r = cgroup_resolve(rules->cgroups[i], &match->cgroups[i], why);
	if (r < 0) {
		match_free(match);
		return r;
	}
	*ret_match = match;
	return 0;
}

void match_free(struct match *match)
{
	if (!match)
		return;
	free(match->cgroups);
	free(match);
}

/* Has a list "cpu,cpuacct" this word? */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word), part;

	for (;; list += part + 1) {
		part = strcspn(list, ",");
		if (part == length && strncmp(list, word, part) == 0)
			return true;
		if (!list[part])
			return false;
	}
}

static bool cgroup_has(const struct match_cgroup *cgroup, const char *controllers, const char *path)
{
	if (!cgroup->any && (*cgroup->controllers ? !list_has(controllers, cgroup->controllers) : *controllers != '\0'))
		return false;
	return path_is_below(path, cgroup->path);
}

static bool match_by_cgroup(const struct match *match, pid_t pid)
{
	char *text = malloc(MATCH_CGROUPS_SIZE), *rest = text, *line;
	bool found = false;

	if (text && process_read_file(pid, "cgroup", text, MATCH_CGROUPS_SIZE) < 0)
		text[0] = '\0';
	while (rest && !found && (line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		for (size_t i = 0; i < match->rules.cgroup_count && !found; i++)
			found = cgroup_has(&match->cgroups[i], controllers + 1, path);
	}
	free(text);
	return found;
}

/* Does a name match, as it is or without the end that `name_end` points at? */
static bool name_matches(const struct match_rules *rules, const char *name, const char *name_end)
{
	char shorter[256];

	for (size_t i = 0; i < rules->command_count; i++)
		if (fnmatch(rules->commands[i], name, 0) == 0)
			return true;
	if (name_end == name || !*name_end || (size_t)(name_end - name) >= sizeof(shorter))
		return false;
	memcpy(shorter, name, (size_t)(name_end - name));
	shorter[name_end - name] = '\0';
	return name_matches(rules, shorter, shorter + strlen(shorter));
}

static const char *end_of(const char *name)
{
	return name + strlen(name);
}

/* "python3.11" is python3 to those who type it, and python. */
static bool match_by_executable(const struct match_rules *rules, pid_t pid)
{
	char path[PROCESS_PATH_SIZE], *deleted;
	const char *name, *end;

	if (process_read_link(pid, "exe", path, sizeof(path)) < 0)
		return false;
	deleted = strstr(path, " (deleted)");
	if (deleted)
		*deleted = '\0';
	name = process_file_name(path);
	end = strrchr(name, '.');
	return name_matches(rules, name, end ? end : end_of(name)) ||
	       name_matches(rules, name, name + strcspn(name, "0123456789"));
}

static bool match_by_arguments(const struct match_rules *rules, pid_t pid)
{
	char arguments[MATCH_ARGUMENTS_SIZE + 1];
	ssize_t length = process_read_file(pid, "cmdline", arguments, MATCH_ARGUMENTS_SIZE);
	struct command command;
	const char *name, *end;
	char *title;

	if (length <= 0)
		return false;
	arguments[length] = '\0';
	command = command_parse(arguments, arguments + length);
	if (command.module && name_matches(rules, command.module, end_of(command.module)))
		return true;
	if (command.script) {
		name = process_file_name(command.script);
		end = strrchr(name, '.');
		if (name_matches(rules, name, end && strcmp(end, ".py") == 0 ? end : end_of(name)))
			return true;
	}
	/* "gunicorn: worker [shop]", "[celeryd: celery@web:MainProcess]" */
	title = arguments + strspn(arguments, "[");
	title[strcspn(title, " :]")] = '\0';
	name = process_file_name(title);
	return name_matches(rules, name, end_of(name));
}

static bool match_by_command(const struct match *match, pid_t pid)
{
	char comm[64];

	if (process_read_file(pid, "comm", comm, sizeof(comm)) < 0)
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return name_matches(&match->rules, comm, end_of(comm)) || match_by_arguments(&match->rules, pid) ||
	       match_by_executable(&match->rules, pid);
}

bool match_process(const struct match *match, pid_t pid)
{
	const struct match_rules *rules = &match->rules;

	return rules->all || (rules->command_count && match_by_command(match, pid)) ||
	       (rules->cgroup_count && match_by_cgroup(match, pid));
}

int match_each_process(int (*each)(void *context, const struct match_found *found), void *context)
{
	DIR *proc = opendir("/proc");
	struct process_stat stat;
	struct dirent *entry;
	int r = 0;

	if (!proc)
		return -errno;
	while (r == 0 && (entry = readdir(proc))) {
		struct match_found found = {.pid = (pid_t)strtol(entry->d_name, NULL, 10)};

		if (!isdigit((unsigned char)entry->d_name[0]) || process_read_stat(found.pid, &stat) < 0)
			continue;
		found.parent = stat.parent;
		found.started = stat.ticks;
		r = each(context, &found);
	}
	closedir(proc);
	return r;
}
