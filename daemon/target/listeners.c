/*
 * listeners.c: the TCP ports that a process listens on.
 *
 * Tells the kernel side which sockets were accepted by a target before it was traced. The process's descriptors name
 * sockets by inode, its network namespace's tables say what those are.
 */
#define _GNU_SOURCE
#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "process.h"

#define LISTENERS_MAX_SOCKETS (1 << 20) /* descriptors looked at: the kernel's fs.nr_open unless raised */
#define LISTENERS_MAX_ROWS 65536	/* of a table: it lists those that listen before all others */
#define TCP_LISTEN_STATE 0x0a		/* include/net/tcp_states.h */

struct inodes {
	uint64_t *list; /* sorted */
	size_t count, room;
};

/* Who is told of what is found. */
struct listing {
	int (*each)(void *context, const struct nt_listener *listener, uint64_t inode);
	void *context;
	uint32_t netns;
};

static int inodes_add(struct inodes *inodes, uint64_t inode)
{
	uint64_t *list;
	size_t room;

	if (inodes->count == inodes->room) {
		room = inodes->room ? inodes->room * 2 : 64;
		list = realloc(inodes->list, room * sizeof(*list));
		if (!list)
			return -ENOMEM;
		inodes->list = list;
		inodes->room = room;
	}
	inodes->list[inodes->count++] = inode;
	return 0;
}

static int inode_compare(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static int inodes_read(pid_t pid, struct inodes *inodes)
{
	unsigned long long inode;
	struct dirent *entry;
	char path[64], name[320], link[64];
	size_t looked_at = 0;
	DIR *directory;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && looked_at++ < LISTENERS_MAX_SOCKETS && (entry = readdir(directory))) {
		snprintf(name, sizeof(name), "fd/%s", entry->d_name);
		if (process_read_link(pid, name, link, sizeof(link)) == 0 && sscanf(link, "socket:[%llu]", &inode) == 1)
			r = inodes_add(inodes, inode);
	}
	closedir(directory);
	if (inodes->count > 0)
		qsort(inodes->list, inodes->count, sizeof(*inodes->list), inode_compare);
	return r;
}

static bool inodes_have(const struct inodes *inodes, uint64_t inode)
{
	return inodes->count > 0 && bsearch(&inode, inodes->list, inodes->count, sizeof(inode), inode_compare) != NULL;
}

/* A row: "  0: 0100007F:1F90 00000000:0000 0A tx:rx tr:when retrnsmt uid timeout inode ..." */
static bool listeners_parse_row(const char *line, unsigned *ret_port, uint64_t *ret_inode)
{
	unsigned long long inode;
	unsigned port, state;

	if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %llu", &port, &state,
		   &inode) != 3)
		return false;
	if (state != TCP_LISTEN_STATE || port > UINT16_MAX)
		return false;
	*ret_port = port;
	*ret_inode = inode;
	return true;
}

static int listeners_read_table(pid_t pid, const char *name, const struct inodes *inodes, const struct listing *listing)
{
	struct nt_listener listener = {.netns = listing->netns};
	unsigned port, rows = 0;
	uint64_t inode;
	char *line = NULL;
	size_t size = 0;
	char path[64];
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		return 0; /* this kernel has no IPv6, or the process is gone */
	while (r == 0 && rows++ < LISTENERS_MAX_ROWS && getline(&line, &size, file) > 0) {
		if (!listeners_parse_row(line, &port, &inode) || !inodes_have(inodes, inode))
			continue;
		listener.port = (uint16_t)port;
		r = listing->each(listing->context, &listener, inode);
	}
	free(line);
	fclose(file);
	return r;
}

static int listeners_read_namespace(pid_t pid, uint32_t *ret_netns)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat(path, &status) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	*ret_netns = (uint32_t)status.st_ino;
	return 0;
}

int target_each_listener(pid_t pid, int (*each)(void *context, const struct nt_listener *listener, uint64_t inode),
			 void *context)
{
	struct listing listing = {.each = each, .context = context};
	struct inodes inodes = {0};
	int r;

	if (pid <= 0)
		return -ESRCH;
	r = listeners_read_namespace(pid, &listing.netns);
	if (r == 0)
		r = inodes_read(pid, &inodes);
	if (r == 0 && inodes.count > 0)
		r = listeners_read_table(pid, "tcp", &inodes, &listing);
	if (r == 0 && inodes.count > 0)
		r = listeners_read_table(pid, "tcp6", &inodes, &listing);
	free(inodes.list);
	return r;
}
