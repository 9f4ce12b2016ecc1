/*
 * process.c: reading /proc/PID.
 *
 * The only place that knows the formats of proc(5); inspect.c, roots.c, descendants.c and listeners.c ask here.
 */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000ll
#define STAT_SIZE 2048	   /* a stat line has 52 numbers and 64 bytes of name at most */
#define STAT_START 22	   /* proc(5) counts from 1: pid, comm, state, ppid ... starttime */
#define MAPS_MAX (1 << 20) /* lines; vm.max_map_count is 65,530 and seldom raised above 262,144 */

static int process_open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

ssize_t process_read_file(pid_t pid, const char *name, char *ret_text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	int fd;

	fd = process_open_proc(pid, name);
	if (fd < 0)
		return fd;
	do {
		got = read(fd, ret_text + length, size - 1 - length);
		if (got > 0)
			length += (size_t)got;
	} while (length < size - 1 && (got > 0 || (got < 0 && errno == EINTR)));
	got = got < 0 ? -errno : (ssize_t)length;
	close(fd);
	if (got >= 0)
		ret_text[got] = '\0';
	return got;
}

int process_read_link(pid_t pid, const char *name, char *ret_path, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	length = readlink(path, ret_path, size);
	if (length < 0)
		return -errno;
	if ((size_t)length >= size)
		return -ENAMETOOLONG;
	ret_path[length] = '\0';
	return 0;
}

static long long process_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/* How much CLOCK_BOOTTIME is ahead. Whoever is held up between the two clocks looks again, a bounded number of times.
 */
static long long process_time_asleep(long long tick)
{
	long long before, asleep, took;
	int tries = 8;

	do {
		before = process_clock(CLOCK_MONOTONIC);
		asleep = process_clock(CLOCK_BOOTTIME) - before;
		took = process_clock(CLOCK_MONOTONIC) - before;
	} while (took > tick / 4 && --tries);
	return asleep;
}

/*
 * /proc counts from boot with the time asleep (CLOCK_BOOTTIME), records count without it. The difference is rounded to
 * whole ticks, which is all that starttime has: so two readings of one process agree to the nanosecond.
 */
static uint64_t process_start_time(uint64_t ticks_since_boot)
{
	long long tick = NS_PER_SECOND / sysconf(_SC_CLK_TCK), start;
	long long asleep = (process_time_asleep(tick) + tick / 2) / tick * tick;

	start = (long long)ticks_since_boot * tick - asleep;
	return start > 0 ? (uint64_t)start : 0;
}

int process_read_stat(pid_t pid, struct process_stat *ret_stat)
{
	char text[STAT_SIZE], *field, *rest = NULL;
	struct process_stat stat = {0};
	unsigned number = 3;
	ssize_t length;

	length = process_read_file(pid, "stat", text, sizeof(text));
	if (length < 0)
		return (int)length;
	/* The name may hold blanks and parentheses: the last one closes it. */
	field = strrchr(text, ')');
	if (!field)
		return -EPROTO;
	for (field = strtok_r(field + 1, " \n", &rest); field && number <= STAT_START; number++) {
		if (number == 3)
			stat.state = field[0];
		else if (number == 4)
			stat.parent = (pid_t)strtol(field, NULL, 10);
		else if (number == STAT_START)
			stat.ticks = strtoull(field, NULL, 10);
		field = strtok_r(NULL, " \n", &rest);
	}
	if (number <= STAT_START)
		return -EPROTO;
	stat.start = process_start_time(stat.ticks);
	*ret_stat = stat;
	return 0;
}

int process_read_group(pid_t pid, pid_t *ret_group)
{
	char text[1024]; /* Tgid is the fourth line */
	const char *line;
	ssize_t length;

	length = process_read_file(pid, "status", text, sizeof(text));
	if (length < 0)
		return (int)length;
	line = strstr(text, "\nTgid:");
	if (!line)
		return -EPROTO;
	*ret_group = (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10);
	return 0;
}

/* Bytes of the UTF-8 character at `text` (RFC 3629); 0: none, or cut. */
static size_t process_utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length, i;

	if (text[0] < 0x80)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	length = text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	if (text[0] == 0xe0)
		low = 0xa0; /* shorter forms exist for less */
	else if (text[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f; /* Unicode's end */
	for (i = 1; i < length; i++, low = 0x80, high = 0xbf)
		if (text[i] < low || text[i] > high)
			return 0;
	return length;
}

/* Is the text's end within a character that began well? */
static bool process_is_cut(const unsigned char *text)
{
	size_t length = strlen((const char *)text), i;

	if (length == 0 || length > 3 || text[0] < 0xc2 || text[0] > 0xf4)
		return false;
	for (i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return false;
	return length < (text[0] < 0xe0 ? 2u : text[0] < 0xf0 ? 3u : 4u);
}

void process_clean_text(char *text)
{
	unsigned char *at = (unsigned char *)text;
	size_t length;

	while (*at) {
		length = process_utf8_length(at);
		/* C0, DEL, and C1, which terminals obey as well */
		if (length == 0 || *at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0)) {
			if (length == 0 && process_is_cut(at)) {
				*at = '\0';
				return;
			}
			memset(at, '?', length ? length : 1);
		}
		at += length ? length : 1;
	}
}

int process_read_command(pid_t pid, char *ret_command, size_t size)
{
	ssize_t length, i;

	length = process_read_file(pid, "cmdline", ret_command, size);
	if (length < 0)
		return (int)length;
	while (length > 0 && (ret_command[length - 1] == '\0' || ret_command[length - 1] == ' '))
		length--; /* titles are padded to the place of the old arguments */
	if (length > 0) {
		for (i = 0; i < length; i++)
			if (ret_command[i] == '\0')
				ret_command[i] = ' ';
		ret_command[length] = '\0';
	} else {
		char name[64];

		length = process_read_file(pid, "comm", name, sizeof(name));
		if (length < 0)
			return (int)length;
		name[strcspn(name, "\n")] = '\0';
		snprintf(ret_command, size, "[%s]", name);
	}
	process_clean_text(ret_command);
	return 0;
}

int process_open_path(pid_t pid, const char *path)
{
	struct open_how how = {
	    .flags = O_PATH | O_CLOEXEC,
	    .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	char root_path[32];
	int root, fd;

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", pid);
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(root);
	return fd;
}

int process_open_shown(pid_t pid, const char *path, int flags)
{
	int found = process_open_path(pid, path), fd;
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	fd = open(found >= 0 ? link : path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	if (fd < 0)
		fd = -errno;
	if (found >= 0)
		close(found);
	return fd;
}

/* "55d0-55e0 r-xp 00001000 fe:00 1234   /usr/bin/x"; false: no file's mapping. */
static bool process_parse_map(char *line, struct process_map *ret_map)
{
	unsigned long long start, end, offset, inode;
	char permissions[5];
	int path = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %*x:%*x %llu %n", &start, &end, permissions, &offset, &inode, &path) < 5)
		return false;
	if (path == 0 || line[path] != '/')
		return false;
	line[path + (int)strcspn(line + path, "\n")] = '\0';
	*ret_map = (struct process_map){
	    .start = start,
	    .end = end,
	    .offset = offset,
	    .executable = permissions[2] == 'x',
	    .inode = inode,
	    .path = line + path,
	};
	return true;
}

int process_each_map(pid_t pid, int (*each)(void *context, const struct process_map *map), void *context)
{
	struct process_map map;
	unsigned lines = 0;
	char *line = NULL;
	size_t size = 0;
	int fd, r = 0;
	FILE *file;

	fd = process_open_proc(pid, "maps");
	if (fd < 0)
		return fd;
	file = fdopen(fd, "re");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && lines++ < MAPS_MAX && getline(&line, &size, file) > 0)
		if (process_parse_map(line, &map))
			r = each(context, &map);
	free(line);
	fclose(file);
	return r;
}

const char *process_file_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
