/*
 * inspect.c: what a process is: its interpreter, where that lies in its memory, and its name.
 *
 * Puts together what process.c (about the process) and binary.c (about the file that it runs) say.
 */
#define _GNU_SOURCE
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "binary.h"
#include "process.h"
#include "roots.h"

#define INSPECT_MAX_LIBRARIES 16 /* mapped files whose name looks like an interpreter's; a process has one */
#define INSPECT_HELP "--python none counts its calls without their functions"
#define INSPECT_PAGE 4096ull

/* What target_inspect() is about while it runs. */
struct inspection {
	struct target *target;
	char *why;
	struct binary binary;
	char exe[PROCESS_PATH_SIZE];   /* as the kernel shows it to us */
	char found[PROCESS_PATH_SIZE]; /* likewise, the file that holds the interpreter */
	bool in_library;
	bool hidden;	    /* a library that may hold it could not be read */
	unsigned libraries; /* tried */
	uint64_t ticks;	    /* when the process started, to know it by */
	uint64_t bias;	    /* what relocation added to the file's addresses */
};

static int inspect_refuse(struct inspection *in, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int inspect_refuse(struct inspection *in, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(in->why, TARGET_WHY_SIZE, format, arguments);
	va_end(arguments);
	process_clean_text(in->why);
	return error;
}

/* Says of an error what it means for this process. */
static int inspect_fail(struct inspection *in, int error)
{
	pid_t pid = in->target->pid;

	switch (error) {
	case -ESRCH:
	case -ENOENT:
		return inspect_refuse(in, -ESRCH, "there is no process %d", pid);
	case -EACCES:
	case -EPERM:
		return inspect_refuse(in, -EACCES,
				      "not allowed to look at process %d: CAP_SYS_PTRACE is needed, and no AppArmor or "
				      "SELinux rule against it",
				      pid);
	default:
		return inspect_refuse(in, error, "cannot look at process %d: %s", pid, strerror(-error));
	}
}

static int inspect_process(struct inspection *in)
{
	struct target *target = in->target;
	struct process_stat stat;
	pid_t group = 0;
	int r;

	r = process_read_stat(target->pid, &stat);
	if (r == 0)
		r = process_read_group(target->pid, &group);
	if (r < 0)
		return inspect_fail(in, r);
	if (group != target->pid)
		return inspect_refuse(in, -ESRCH, "%d is a thread of process %d: name that one", target->pid, group);
	target->parent = stat.parent;
	target->start = stat.start;
	in->ticks = stat.ticks;
	if (stat.state == 'Z' || stat.state == 'X')
		return inspect_refuse(in, -ESRCH, "process %d has ended; its parent %d has not collected it yet",
				      target->pid, target->parent);
	r = process_read_command(target->pid, target->command, sizeof(target->command));
	if (r < 0)
		return inspect_fail(in, r);
	target->kernel.flags = NT_TARGET_FOLLOW;
	return 0;
}

static int inspect_read_binary(const char *path, struct binary *ret_binary)
{
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = binary_read(fd, ret_binary);
	close(fd);
	return r;
}

static bool inspect_is_same_file(const char *path, const char *other)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * A path that opens the file of `link` (a magic link of /proc) from here and reads well: below the process's root, or
 * from ours (a chroot's paths are shown to us with the chroot's own), else the link itself.
 */
static void inspect_choose_path(struct inspection *in, const char *link, const char *shown)
{
	struct target *target = in->target;
	char path[sizeof(target->binary)];
	int length;

	length = snprintf(path, sizeof(path), "/proc/%d/root%s", target->pid, shown);
	if (length > 0 && (size_t)length < sizeof(path) && inspect_is_same_file(path, link))
		memcpy(target->binary, path, (size_t)length + 1);
	else if (strlen(shown) < sizeof(target->binary) && inspect_is_same_file(shown, link))
		memcpy(target->binary, shown, strlen(shown) + 1);
	else
		snprintf(target->binary, sizeof(target->binary), "%s", link);
}

static int inspect_executable(struct inspection *in)
{
	char link[64];
	int r;

	r = process_read_link(in->target->pid, "exe", in->exe, sizeof(in->exe));
	if (r == -ENOENT)
		return inspect_refuse(in, -ENOEXEC, "process %d %.64s is the kernel's own and runs no Python",
				      in->target->pid, in->target->command);
	if (r < 0)
		return inspect_fail(in, r);
	snprintf(link, sizeof(link), "/proc/%d/exe", in->target->pid);
	r = inspect_read_binary(link, &in->binary);
	if (r == -ENOTSUP)
		return inspect_refuse(in, r, "process %d runs %s (%.100s); only x86-64 programs are supported",
				      in->target->pid, in->binary.kind, in->exe);
	if (r < 0 && r != -ENOEXEC)
		return inspect_fail(in, r);
	memcpy(in->found, in->exe, sizeof(in->found));
	inspect_choose_path(in, link, in->exe);
	return 0;
}

/* Is this the mapped file? On an overlay before Linux 6.13, /proc/PID/maps has the number of the file beneath. */
static bool inspect_is_mapped(const char *path, const struct process_map *map)
{
	struct statfs system;
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	return status.st_ino == map->inode || (statfs(path, &system) == 0 && system.f_type == OVERLAYFS_SUPER_MAGIC);
}

/*
 * map_files wants more privileges than the rest. Without them the path has to do: below the process's root, or from
 * ours as inspect_choose_path() says. It does not if the file has been deleted.
 */
static int inspect_by_path(struct inspection *in, const struct process_map *map, struct binary *ret_binary)
{
	char *path = in->target->binary;
	size_t size = sizeof(in->target->binary);

	snprintf(path, size, "/proc/%d/root%s", in->target->pid, map->path);
	if (!inspect_is_mapped(path, map))
		snprintf(path, size, "%s", map->path);
	if (inspect_is_mapped(path, map))
		return inspect_read_binary(path, ret_binary);
	in->hidden = true;
	return -EACCES;
}

/* One mapping that may be libpython's, or python's own when ld.so was told to run it. 1: it is. */
static int inspect_library(void *context, const struct process_map *map)
{
	struct inspection *in = context;
	struct target *target = in->target;
	const char *name = process_file_name(map->path);
	struct binary binary = {0};
	char link[64];
	int r;

	if ((strncmp(name, "libpython", 9) != 0 && strncmp(name, "python", 6) != 0) ||
	    strcmp(map->path, in->found) == 0)
		return 0;
	if (++in->libraries > INSPECT_MAX_LIBRARIES || strlen(map->path) >= sizeof(in->found))
		return 0;
	memcpy(in->found, map->path, strlen(map->path) + 1);
	snprintf(link, sizeof(link), "/proc/%d/map_files/%llx-%llx", target->pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	r = inspect_read_binary(link, &binary);
	if (r == -EPERM || r == -EACCES || r == -ENOENT)
		r = inspect_by_path(in, map, &binary);
	else
		inspect_choose_path(in, link, map->path);
	if (r < 0 || !binary.python)
		return 0;
	in->binary = binary;
	in->in_library = true;
	return 1;
}

/* The first executable mapping of the file says where its executable segment went, and with it all others. */
static int inspect_bias(void *context, const struct process_map *map)
{
	struct inspection *in = context;
	const struct elf_load *load;
	size_t i;

	if (!map->executable || strcmp(map->path, in->found) != 0)
		return 0;
	for (i = 0; i < in->binary.load_count; i++) {
		load = &in->binary.loads[i];
		if (!load->executable || (load->offset & ~(INSPECT_PAGE - 1)) != map->offset)
			continue;
		in->bias = map->start - (load->address & ~(INSPECT_PAGE - 1));
		return 1;
	}
	return 0;
}

static int inspect_find_python(struct inspection *in)
{
	struct target *target = in->target;
	int r;

	r = inspect_executable(in);
	if (r < 0)
		return r;
	if (!in->binary.python) {
		r = process_each_map(target->pid, inspect_library, in);
		if (r < 0)
			return inspect_fail(in, r);
	}
	if (!in->binary.python && in->hidden)
		return inspect_refuse(
		    in, -EACCES,
		    "process %d runs Python from a file that is deleted or hidden (%.100s): to read it, "
		    "CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN is needed",
		    target->pid, in->found);
	if (!in->binary.python) {
		target->binary[0] = '\0';
		return inspect_refuse(in, -ENOEXEC,
				      "process %d (%.100s) runs no Python: no interpreter in it, no libpython loaded",
				      target->pid, target->command);
	}
	if (in->binary.relocatable) {
		r = process_each_map(target->pid, inspect_bias, in);
		if (r < 0)
			return inspect_fail(in, r);
		if (r == 0)
			return inspect_refuse(in, -ENOEXEC, "process %d has not loaded the code of %.150s", target->pid,
					      in->found);
	}
	return 0;
}

/* What the file does not say, its name may. */
static void inspect_complete_version(struct inspection *in)
{
	const char *name = process_file_name(in->found);
	uint8_t major, minor;

	if (in->binary.version[0] == 0 && binary_parse_name(name, strlen(name), &major, &minor))
		binary_set_version(&in->binary, major, minor, 0);
}

/* PYTHON_JIT of the builds that can compile; those that were not told so do not (PEP 744). */
static bool inspect_wants_jit(pid_t pid)
{
	const char *end, *value;
	char *text = environment_read(pid, &end);
	bool wants = false;

	if (text) {
		value = environment_find(text, end, "PYTHON_JIT");
		wants = value && value[0] && strcmp(value, "0") != 0;
	}
	free(text);
	return wants;
}

static int inspect_version(struct inspection *in)
{
	struct target *target = in->target;
	struct binary *binary = &in->binary;

	inspect_complete_version(in);
	memcpy(target->python, binary->version, sizeof(target->python));
	target->free_threaded = binary->free_threaded;
	target->usdt = binary->usdt;
	target->jit = inspect_wants_jit(target->pid);
	/* Its sockets can be told even where its frames cannot be read. */
	target->kernel.flags |= NT_TARGET_TRACE;
	if (binary->version[0] == 0)
		return inspect_refuse(
		    in, -ENOTSUP,
		    "process %d: which Python %.60s is cannot be found out; supported are %s; " INSPECT_HELP,
		    target->pid, in->found, target_supported());
	if (binary->free_threaded)
		return inspect_refuse(
		    in, -ENOTSUP,
		    "process %d runs a free-threaded Python %u.%u, which is not supported; supported are %s with "
		    "the GIL; " INSPECT_HELP,
		    target->pid, binary->version[0], binary->version[1], target_supported());
	if (binary->layout.major == 0 || binary->runtime == 0)
		return inspect_refuse(
		    in, -ENOTSUP,
		    "process %d runs Python %u.%u, which is not supported; supported are %s; " INSPECT_HELP,
		    target->pid, binary->version[0], binary->version[1], target_supported());
	return 0;
}

/* Is it still the process that we began with, and not another one with its number? */
static int inspect_confirm(struct inspection *in)
{
	struct process_stat stat;
	int r;

	r = process_read_stat(in->target->pid, &stat);
	if (r == 0 && stat.ticks != in->ticks)
		r = -ESRCH;
	return r < 0 ? inspect_fail(in, r) : 0;
}

int target_inspect(pid_t pid, struct target *ret_target, char *why)
{
	struct inspection in = {.target = ret_target, .why = why};
	int r;

	memset(ret_target, 0, sizeof(*ret_target));
	ret_target->pid = pid;
	why[0] = '\0';
	r = inspect_process(&in);
	if (r == 0)
		r = inspect_find_python(&in);
	if (r == 0)
		r = inspect_version(&in);
	if (r == 0)
		r = inspect_confirm(&in);
	if (r < 0)
		return r;
	ret_target->kernel.flags |= NT_TARGET_PYTHON;
	ret_target->kernel.runtime = in.bias + in.binary.runtime;
	ret_target->kernel.layout = in.binary.layout;
	return 0;
}
