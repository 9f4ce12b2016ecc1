/*
 * roots.h: the directories that a process imports from, as far as they can be known from outside, and what its command
 * line says of its program; for modules.c and match.c only.
 */
#ifndef NT_ROOTS_H
#define NT_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ROOTS_MAX 64 /* directories of one process; more are left out */

/* All paths are absolute, as the process itself sees them, without "." and "..". Zeroed memory is an empty one. */
struct import_roots {
	char *directory; /* where it works; NULL: not known */
	char *script;	 /* the main program's file; NULL: none or not known */
	char *roots[ROOTS_MAX];
	unsigned count;
};

/* 0, -ESRCH, -EACCES or -ENOMEM. What cannot be read is left out; on error there are none. Free with roots_clear(). */
int roots_read(pid_t pid, struct import_roots *ret_roots);
void roots_clear(struct import_roots *roots);

/* What a command line says, if it is an interpreter's. The strings are its own. */
struct command {
	const char *script; /* NULL: -m, -c, standard input, or none */
	const char *module; /* of -m; NULL: none */
	bool isolated;	    /* PYTHONPATH does not count */
};

/* `arguments` holds NUL-terminated ones up to `end`; a NUL must stand there, too. */
struct command command_parse(const char *arguments, const char *end);

/*
 * The environment that a process began with, as NUL-terminated strings up to `ret_end`: free it. NULL: no memory. Of a
 * process that hides it, none.
 */
char *environment_read(pid_t pid, const char **ret_end);
/* The value of a variable; NULL: it is not set. */
char *environment_find(char *text, const char *end, const char *name);

/*
 * Calls `each` with every directory that the .pth files of an interpreter installed below `prefix` name, in the
 * process's file system, until it returns something else than 0, which is returned (sites.c).
 */
int sites_each_path(pid_t pid, const char *prefix, int (*each)(void *context, const char *path), void *context);

/*
 * Writes `path` below `base` (NULL: none) without empty, "." and ".." parts. 0 or -ENAMETOOLONG; a path that begins
 * with a slash ignores the base.
 */
int path_resolve(const char *base, const char *path, char *ret_path, size_t size);

#endif
