/*
 * modules.c: the module that a file is imported as.
 *
 * CPython keeps no module name in a code object, only the file's. The longest directory that the process imports from
 * (roots.c), or that is known by its name, is taken off; what is left is the module's name.
 */
#define _GNU_SOURCE
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../hash.h"
#include "process.h"
#include "roots.h"

#define MODULES_MAX_PROCESSES 4096 /* learnt at once; others' files are named by what their path alone says */
#define MODULES_MAX_PACKAGES 8192  /* directories remembered; others are looked at each time */
#define MODULES_MAX_DEPTH 64	   /* of packages within packages */

/* What of a file system a process sees: its mount namespace and its root in it. Workers of one server share it. */
struct view {
	uint64_t namespace, device, root;
};

/* What was learnt of a process; its forks share it. */
struct module_learnt {
	unsigned users;
	pid_t pid; /* of which it was learnt */
	struct view view;
	struct import_roots roots;
};

struct module_process {
	pid_t pid; /* key */
	struct module_learnt *learnt;
	UT_hash_handle hh;
};

/* Is this directory a package? */
struct module_package {
	char *key; /* view and path */
	bool is_package;
	UT_hash_handle hh;
};

struct module_names {
	struct module_process *processes;
	struct module_package *packages;
};

struct module_names *module_names_new(void)
{
	return calloc(1, sizeof(struct module_names));
}

static void module_learnt_release(struct module_learnt *learnt)
{
	if (!learnt || --learnt->users)
		return;
	roots_clear(&learnt->roots);
	free(learnt);
}

static void module_process_free(struct module_process *process)
{
	module_learnt_release(process->learnt);
	free(process);
}

void module_names_free(struct module_names *names)
{
	struct module_process *process, *next_process;
	struct module_package *package, *next_package;

	if (!names)
		return;
	process = names->processes;
	package = names->packages;
	HASH_CLEAR(hh, names->processes);
	HASH_CLEAR(hh, names->packages);
	for (; process; process = next_process) {
		next_process = process->hh.next;
		module_process_free(process);
	}
	for (; package; package = next_package) {
		next_package = package->hh.next;
		free(package->key);
		free(package);
	}
	free(names);
}

static struct module_process *module_names_process(struct module_names *names, pid_t pid)
{
	struct module_process *process;

	HASH_FIND(hh, names->processes, &pid, sizeof(pid), process);
	return process;
}

static int view_read(pid_t pid, struct view *ret_view)
{
	struct stat namespace, root;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &namespace) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/root/.", pid);
	if (stat(path, &root) < 0)
		return -errno;
	*ret_view = (struct view){.namespace = namespace.st_ino, .device = root.st_dev, .root = root.st_ino};
	return 0;
}

/* 1: a package; 0: not; -ESRCH: the process cannot be asked, because it has gone. */
static int package_look(pid_t pid, const char *directory)
{
	char path[PROCESS_PATH_SIZE], root[32];
	int fd, length;

	length = snprintf(path, sizeof(path), "%s/__init__.py", directory);
	if (length < 0 || (size_t)length >= sizeof(path))
		return 0;
	fd = process_open_path(pid, path);
	if (fd >= 0) {
		close(fd);
		return 1;
	}
	snprintf(root, sizeof(root), "/proc/%d/root/.", pid);
	return access(root, F_OK) ? -ESRCH : 0;
}

static void package_remember(struct module_names *names, const char *key, bool is_package)
{
	struct module_package *package;

	if (HASH_COUNT(names->packages) >= MODULES_MAX_PACKAGES)
		return;
	package = calloc(1, sizeof(*package));
	if (!package)
		return;
	package->key = strdup(key);
	package->is_package = is_package;
	if (package->key)
		HASH_ADD_KEYPTR(hh, names->packages, package->key, strlen(package->key), package);
	if (!package->key || !package->hh.tbl) {
		free(package->key);
		free(package);
	}
}

/* Does the directory have an __init__.py? Once asked, it is known after the process has gone. */
static bool module_is_package(struct module_names *names, const struct module_process *process, const char *directory)
{
	char key[PROCESS_PATH_SIZE + 64];
	const struct module_learnt *learnt = process->learnt;
	struct module_package *package;
	int is_package;

	snprintf(key, sizeof(key), "%llx:%llx:%llx%s", (unsigned long long)learnt->view.namespace,
		 (unsigned long long)learnt->view.device, (unsigned long long)learnt->view.root, directory);
	HASH_FIND_STR(names->packages, key, package);
	if (package)
		return package->is_package;
	is_package = package_look(process->pid, directory);
	/* A child that has gone was like the process that it was forked from. */
	if (is_package < 0 && learnt->pid != process->pid)
		is_package = package_look(learnt->pid, directory);
	if (is_package >= 0)
		package_remember(names, key, is_package);
	return is_package > 0;
}

/* The process's entry has `learnt` from now on, of which it takes the caller's use. NULL: no place or no memory. */
static struct module_process *module_process_put(struct module_names *names, pid_t pid, struct module_learnt *learnt)
{
	struct module_process *process = calloc(1, sizeof(*process));

	if (!process) {
		module_learnt_release(learnt);
		return NULL;
	}
	process->pid = pid;
	process->learnt = learnt;
	module_names_forget(names, pid);
	if (HASH_COUNT(names->processes) < MODULES_MAX_PROCESSES)
		HASH_ADD(hh, names->processes, pid, sizeof(process->pid), process);
	if (process->hh.tbl)
		return process;
	module_process_free(process);
	return NULL;
}

void module_names_learn(struct module_names *names, pid_t pid)
{
	struct module_learnt *learnt = calloc(1, sizeof(*learnt));
	struct module_process *process;
	unsigned i;

	if (!learnt)
		return;
	learnt->users = 1;
	learnt->pid = pid;
	/* What is gone, or hidden, keeps what was learnt of it. */
	if (view_read(pid, &learnt->view) < 0 || roots_read(pid, &learnt->roots) < 0) {
		module_learnt_release(learnt);
		return;
	}
	process = module_process_put(names, pid, learnt);
	for (i = 0; process && i < learnt->roots.count; i++)
		module_is_package(names, process, learnt->roots.roots[i]);
}

void module_names_fork(struct module_names *names, pid_t parent, pid_t child)
{
	struct module_process *process = module_names_process(names, parent);

	if (!process)
		return;
	process->learnt->users++;
	module_process_put(names, child, process->learnt);
}

void module_names_forget(struct module_names *names, pid_t pid)
{
	struct module_process *process = module_names_process(names, pid);

	if (process) {
		HASH_DEL(names->processes, process);
		module_process_free(process);
	}
}

/* Parts of a path that only an import root has: "lib/python3.11", "site-packages", an archive. */
static bool part_is_root(const char *path, const char *part, size_t length)
{
	static const char *const names[] = {"site-packages", "dist-packages", "lib-dynload"};
	static const char *const archives[] = {".zip", ".egg", ".pyz", ".whl"};
	size_t i, before = (size_t)(part - path);

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (length == strlen(names[i]) && strncmp(part, names[i], length) == 0)
			return true;
	for (i = 0; i < sizeof(archives) / sizeof(archives[0]); i++)
		if (length > strlen(archives[i]) &&
		    strncmp(part + length - strlen(archives[i]), archives[i], strlen(archives[i])) == 0)
			return true;
	if (length < sizeof("python3.8") - 1 || strncmp(part, "python", 6) != 0 ||
	    strspn(part + 6, "0123456789.") != length - 6)
		return false;
	return (before >= 5 && strncmp(part - 5, "/lib/", 5) == 0) ||
	       (before >= 7 && strncmp(part - 7, "/lib64/", 7) == 0);
}

/* Length of the longest root that a path names itself, with its slash; 0: none. */
static size_t module_named_root(const char *path)
{
	size_t length, root = 0;
	const char *part;

	for (part = path + strspn(path, "/"); part[length = strcspn(part, "/")] != '\0'; part += length + 1)
		if (part_is_root(path, part, length))
			root = (size_t)(part + length + 1 - path);
	return root;
}

/* Are the directories of this relative path names that `import` takes? */
static bool module_is_importable(const char *rest)
{
	const char *slash;

	for (; (slash = strchr(rest, '/')); rest = slash + 1) {
		if (rest == slash || (rest[0] >= '0' && rest[0] <= '9'))
			return false;
		for (; rest < slash; rest++)
			if (!strchr("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *rest) &&
			    (unsigned char)*rest < 0x80)
				return false;
	}
	return true;
}

/* Length of `root` with its slash if the file is below it and could be imported from there; 0: no. */
static size_t module_root_length(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (length == 1) /* "/": nobody's packages lie there, but a service often works there */
		return strchr(path + 1, '/') ? 0 : 1;
	if (strncmp(path, root, length) != 0 || path[length] != '/' || !module_is_importable(path + length + 1))
		return 0;
	return length + 1;
}

/* The longest of the process's roots. One that is itself a package counts only where nothing else does. */
static size_t module_learnt_root(struct module_names *names, const struct module_process *process, const char *path)
{
	size_t best = 0, within = 0, length;
	unsigned i;

	for (i = 0; i < process->learnt->roots.count; i++) {
		length = module_root_length(path, process->learnt->roots.roots[i]);
		if (length <= best && length <= within)
			continue;
		if (!module_is_package(names, process, process->learnt->roots.roots[i]))
			best = length > best ? length : best;
		else
			within = length > within ? length : within;
	}
	return best ? best : within;
}

/* Where the packages around a file end; 0: it is in none. */
static size_t module_walk_up(struct module_names *names, const struct module_process *process, const char *path)
{
	char directory[PROCESS_PATH_SIZE];
	size_t root = 0;
	unsigned depth;
	char *slash;

	snprintf(directory, sizeof(directory), "%s", path);
	for (depth = 0; depth < MODULES_MAX_DEPTH; depth++) {
		slash = strrchr(directory, '/');
		if (!slash || slash == directory)
			break;
		*slash = '\0';
		if (!module_is_package(names, process, directory))
			break;
		root = (size_t)(strrchr(directory, '/') + 1 - directory);
	}
	return root;
}

/* The file alone, with its directory where its own name says nothing. */
static size_t module_stem(const char *path)
{
	const char *name = process_file_name(path), *directory = name;

	if (name - path < 2 || (strcmp(name, "__init__.py") != 0 && strcmp(name, "__main__.py") != 0))
		return (size_t)(name - path);
	for (directory--; directory > path && directory[-1] != '/'; directory--)
		;
	return (size_t)(directory - path);
}

static size_t module_root(struct module_names *names, const struct module_process *process, const char *path)
{
	size_t named = module_named_root(path), root = 0;

	if (process && path[0] == '/') {
		root = module_learnt_root(names, process, path);
		if (named == 0 && root == 0)
			root = module_walk_up(names, process, path);
	}
	if (named > root && module_is_importable(path + named))
		root = named;
	return root ? root : module_stem(path);
}

/* "shop/cart.py" to "shop.cart", "shop/__init__.py" to "shop". */
static void module_write(const char *rest, char *ret_module, size_t size)
{
	static const char *const ends[] = {".py", ".pyc", ".pyw"};
	static const char package[] = "/__init__";
	size_t length = strlen(rest), end, i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		end = strlen(ends[i]);
		if (length > end && strcmp(rest + length - end, ends[i]) == 0) {
			length -= end;
			break;
		}
	}
	end = sizeof(package) - 1;
	if (length > end && strncmp(rest + length - end, package, end) == 0)
		length -= end;
	if (length >= size)
		length = size - 1;
	for (i = 0; i < length; i++)
		ret_module[i] = rest[i] == '/' ? '.' : rest[i];
	ret_module[length] = '\0';
}

/* "<frozen importlib._bootstrap>", "<string>": code that came from no file. */
static void module_write_pseudo(const char *file, char *ret_module, size_t size)
{
	static const char frozen[] = "<frozen ";
	const char *text = strncmp(file, frozen, sizeof(frozen) - 1) == 0 ? file + sizeof(frozen) - 1 : file + 1;
	size_t length = strlen(text);

	if (length > 0 && text[length - 1] == '>')
		length--;
	if (length >= size)
		length = size - 1;
	memcpy(ret_module, text, length);
	ret_module[length] = '\0';
}

void module_names_find(struct module_names *names, pid_t pid, const char *file, char *ret_module, size_t size)
{
	const struct module_process *process = module_names_process(names, pid);
	char path[PROCESS_PATH_SIZE];

	if (size == 0)
		return;
	if (file[0] == '<')
		module_write_pseudo(file, ret_module, size);
	else if (path_resolve(process ? process->learnt->roots.directory : NULL, file, path, sizeof(path)) < 0)
		module_write(process_file_name(file), ret_module, size);
	else if (process && process->learnt->roots.script && strcmp(process->learnt->roots.script, path) == 0)
		module_write(process_file_name(path), ret_module, size);
	else
		module_write(path + module_root(names, process, path), ret_module, size);
	process_clean_text(ret_module);
}
