/*
 * target.h: what a process is, found from outside: its interpreter, version, addresses, name, children.
 *
 * An edge: it reads /proc and ELF files (through /proc/PID/root, so other mount namespaces work) and never
 * stops or writes to the process. Neighbours: kernel/ gets the struct nt_target, the core gets NT_PROCESS and
 * NT_MODULE.
 */
#ifndef NT_TARGET_H
#define NT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../bpf/event.h"

#define TARGET_WHY_SIZE 256

/* Which USDT sites an interpreter has, and where (file offsets within `binary`). */
struct target_usdt {
	bool entry, returned; /* a note exists */
};

struct target {
	pid_t pid; /* as the daemon's own /proc numbers it */
	pid_t parent;
	uint64_t start;		   /* CLOCK_MONOTONIC ns (from /proc/PID/stat's starttime, a clock tick's grain) */
	char command[NT_MAX_NAME]; /* the process's title or command line, cut */
	char binary[512];  /* file that holds the interpreter, openable from here: /proc/PID/root/... or map_files */
	uint8_t python[3]; /* 3.11.2; all 0: no Python */
	bool free_threaded;
	bool jit; /* CPython's own compiler is switched on: what it has compiled passes no probe */
	struct target_usdt usdt;
	struct nt_target kernel; /* flags FOLLOW|TRACE|PYTHON as found; FOLLOW only if not Python */
};

/*
 * Looks at a process. 0; -ESRCH no such process; -ENOEXEC it runs no Python; -ENOTSUP a Python that is not
 * supported; -EACCES. On error `why` (TARGET_WHY_SIZE bytes) has one line without a full stop that says what is wrong
 * and what would help; ret_target has what was found so far.
 */
int target_inspect(pid_t pid, struct target *ret_target, char *why);

/*
 * Which namespaces a process does not share with us, in words: "pid, mnt, net; its own number there is 1". False: it
 * shares all of them, or is gone. `ret_text` has TARGET_NAMESPACES_SIZE bytes.
 */
#define TARGET_NAMESPACES_SIZE 128
bool target_describe_namespaces(pid_t pid, char *ret_text);

/* The versions that have a row in the table, like "3.9, 3.11, 3.13". Static. */
const char *target_supported(void);

/* The row of a version; NULL: none. */
const struct nt_layout *layout_find(uint8_t major, uint8_t minor);

/*
 * The module that a file is imported as by this process, from its import path's logic: writes at most `size` bytes,
 * NUL-terminated; the file's stem where it is not known. `pid` may be gone by now.
 */
struct module_names;
struct module_names *module_names_new(void);
void module_names_free(struct module_names *names);
/* Learns a process's import roots (working directory, script, PYTHONPATH, ...). Cheap to call again. */
void module_names_learn(struct module_names *names, pid_t pid);
/* A child imports what its parent does. It may have ended by now. */
void module_names_fork(struct module_names *names, pid_t parent, pid_t child);
void module_names_forget(struct module_names *names, pid_t pid);
void module_names_find(struct module_names *names, pid_t pid, const char *file, char *ret_module, size_t size);

/* Calls `each` for every descendant of `pid` that exists now, parents first. 0 or negative errno. */
int target_each_descendant(pid_t pid, int (*each)(void *context, pid_t child), void *context);

/*
 * Calls `each` for every TCP socket that the process listens with: port, network namespace, and the socket's inode.
 */
int target_each_listener(pid_t pid, int (*each)(void *context, const struct nt_listener *listener, uint64_t inode),
			 void *context);

#endif
