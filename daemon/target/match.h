/*
 * match.h: which processes --all, --command and --cgroup mean.
 *
 * Neighbours: daemon/capture/find.c asks about every process that runs or starts; whether one runs a Python that can be
 * traced is for target_inspect() to say.
 */
#ifndef NT_MATCH_H
#define NT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What was asked for. A process that one of them means is meant. */
struct match_rules {
	bool all;
	const char *const *commands; /* names, or globs (fnmatch) of them */
	size_t command_count;
	const char *const *cgroups; /* directories below a mount of cgroups, or paths as in /proc/PID/cgroup */
	size_t cgroup_count;
};

struct match;

/*
 * The strings of the rules outlive it. 0; -EINVAL with one line in `why` (TARGET_WHY_SIZE bytes) for a path below
 * /sys/fs/cgroup where no control groups are; -ENOMEM.
 */
int match_new(const struct match_rules *rules, struct match **ret_match, char *why);
void match_free(struct match *match);

/*
 * Is the process meant? By the name of its command: that is its comm, its executable's file name (with or without a
 * version at the end), the file name of the script that it runs or the module of -m, or the first word of a title that
 * it gave itself. Or by a control group that it is in, or that is above that one. False also for one that has ended.
 */
bool match_process(const struct match *match, pid_t pid);

/* A process that exists. */
struct match_found {
	pid_t pid, parent;
	uint64_t started; /* tells it from a later one of the same pid: clock ticks since boot */
};

/*
 * Calls `each` for every process until it returns something else than 0, which is returned. Or negative errno.
 */
int match_each_process(int (*each)(void *context, const struct match_found *found), void *context);

#endif
