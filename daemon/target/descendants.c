/*
 * descendants.c: the processes below a process, parents first.
 *
 * Every process says who its parent is. /proc/PID/task/TID/children would be less to read, but it leaves out living
 * children when one before them ends meanwhile (proc(5)), and not every kernel has it.
 */
#include "target.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "process.h"

#define DESCENDANTS_MAX 65536 /* of one process; a machine has 32,768 process ids unless told otherwise */

struct pid_list {
	pid_t *pids;
	size_t count, room;
};

struct kinship {
	pid_t pid, parent;
};

/* Every process and its parent, sorted by parent. */
struct family {
	struct kinship *members;
	size_t count, room;
};

static int pid_list_add(struct pid_list *list, pid_t pid)
{
	size_t room;
	pid_t *pids;

	if (list->count == DESCENDANTS_MAX)
		return -E2BIG;
	if (list->count == list->room) {
		room = list->room ? list->room * 2 : 64;
		pids = realloc(list->pids, room * sizeof(*pids));
		if (!pids)
			return -ENOMEM;
		list->pids = pids;
		list->room = room;
	}
	list->pids[list->count++] = pid;
	return 0;
}

static bool is_number(const char *name)
{
	return isdigit((unsigned char)name[0]);
}

static int family_add(struct family *family, pid_t pid)
{
	struct kinship *members;
	struct process_stat stat;
	size_t room;

	if (process_read_stat(pid, &stat) < 0)
		return 0; /* gone since its name was read */
	if (family->count == family->room) {
		room = family->room ? family->room * 2 : 256;
		members = realloc(family->members, room * sizeof(*members));
		if (!members)
			return -ENOMEM;
		family->members = members;
		family->room = room;
	}
	family->members[family->count++] = (struct kinship){.pid = pid, .parent = stat.parent};
	return 0;
}

static int kinship_compare(const void *a, const void *b)
{
	const struct kinship *left = a, *right = b;

	if (left->parent != right->parent)
		return left->parent < right->parent ? -1 : 1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

static int family_read(struct family *ret_family)
{
	struct family family = {0};
	struct dirent *entry;
	DIR *proc;
	int r = 0;

	proc = opendir("/proc");
	if (!proc)
		return -errno;
	while (r == 0 && (entry = readdir(proc)))
		if (is_number(entry->d_name))
			r = family_add(&family, (pid_t)strtol(entry->d_name, NULL, 10));
	closedir(proc);
	if (r < 0) {
		free(family.members);
		return r;
	}
	if (family.count > 0)
		qsort(family.members, family.count, sizeof(*family.members), kinship_compare);
	*ret_family = family;
	return 0;
}

static int family_children(const struct family *family, pid_t parent, struct pid_list *list)
{
	size_t low = 0, high = family->count, middle;
	int r = 0;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (family->members[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	for (; r == 0 && low < family->count && family->members[low].parent == parent; low++)
		r = pid_list_add(list, family->members[low].pid);
	return r;
}

int target_each_descendant(pid_t pid, int (*each)(void *context, pid_t child), void *context)
{
	struct pid_list list = {0};
	struct family family = {0};
	struct process_stat stat;
	pid_t parent = pid;
	size_t next = 0;
	int r;

	r = process_read_stat(pid, &stat);
	if (r == 0)
		r = family_read(&family);
	while (r == 0) {
		r = family_children(&family, parent, &list);
		if (r < 0 || next == list.count)
			break;
		parent = list.pids[next++];
		r = each(context, parent);
	}
	free(family.members);
	free(list.pids);
	return r;
}
