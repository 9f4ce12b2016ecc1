/*
 * process.h: reading /proc/PID, for the files of this folder only.
 *
 * Every reader is bounded, follows no file system but the process's own, and says -ESRCH when the process is gone.
 */
#ifndef NT_PROCESS_H
#define NT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_PATH_SIZE 4096

struct process_stat {
	pid_t parent;
	char state;	/* R, S, D, Z ... of proc(5) */
	uint64_t ticks; /* when it started, as the kernel has it: compare this one, `start` is reckoned from clocks */
	uint64_t start; /* CLOCK_MONOTONIC ns */
};

/* 0 or negative errno; -ESRCH also for what is no process's pid. */
int process_read_stat(pid_t pid, struct process_stat *ret_stat);

/* The process that a thread id belongs to: `pid` itself for a process. */
int process_read_group(pid_t pid, pid_t *ret_group);

/*
 * The first bytes of /proc/PID/NAME, at most size - 1, with a NUL behind them.
 * Returns their number or negative errno.
 */
ssize_t process_read_file(pid_t pid, const char *name, char *ret_text, size_t size);

/* Where the link /proc/PID/NAME points; -ENAMETOOLONG if that does not fit. */
int process_read_link(pid_t pid, const char *name, char *ret_path, size_t size);

/* Its title or command line as ps shows it, in valid UTF-8 without control characters. */
int process_read_command(pid_t pid, char *ret_command, size_t size);

/*
 * Finds a file as the process sees it, in its mount namespace and below its root, symbolic links included. An O_PATH
 * descriptor, or negative errno.
 */
int process_open_path(pid_t pid, const char *path);

/*
 * Opens a file for reading by a path as the kernel shows it to us: one of the process's own, or of ours if that is how
 * we reach it. `flags` are added to open(2)'s. A descriptor, or negative errno.
 */
int process_open_shown(pid_t pid, const char *path, int flags);

/* A file that is mapped into a process. `path` is as the kernel shows it to us. */
struct process_map {
	uint64_t start, end, offset;
	bool executable;
	ino_t inode;
	const char *path;
};

/* Calls `each` for every mapping of a file, until it returns something else than 0, which is returned. */
int process_each_map(pid_t pid, int (*each)(void *context, const struct process_map *map), void *context);

/* Makes a text fit to be shown: control characters and what is no UTF-8 become '?', a cut character at the end goes. */
void process_clean_text(char *text);

/* The part of a path behind the last slash. */
const char *process_file_name(const char *path);

#endif
