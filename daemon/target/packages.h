/*
 * packages.h: where a process's packages of Python modules are, for the files of this folder only.
 */
#ifndef NT_PACKAGES_H
#define NT_PACKAGES_H

#include <stddef.h>

#include "target.h"

/*
 * Writes the directory above the one that the process's executable is in, as the kernel shows it: what Python calls its
 * prefix unless it was told otherwise. 0 or negative errno.
 */
int packages_prefix(pid_t pid, char *ret_prefix, size_t size);

/*
 * Calls `each` for the directories that hold packages, with a slash at their end, as the kernel shows them: where the
 * libraries come from that the process has mapped, and those below its prefix, there or not. Until `each` returns
 * something else than 0, which is returned. Some may come twice.
 */
int packages_each_directory(const struct target *target, int (*each)(void *context, const char *directory),
			    void *context);

#endif
