/*
 * follow.h: the processes of a capture: those that were named, their children, and what becomes of them.
 *
 * Joins target/ (what a process is), kernel/ (which gets told) and the stream (which gets NT_PROCESS and NT_MODULE).
 */
#ifndef NT_FOLLOW_H
#define NT_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../kernel/kernel.h"
#include "../options.h"
#include "../target/target.h"
#include "stream.h"

#define FOLLOW_MAX 8192 /* processes at once: as many as the kernel side has places for */

struct follow;

/* Returns NULL without memory. The three others outlive it. */
struct follow *follow_new(struct kernel *kernel, struct stream *stream, const struct options *options);

/* The capture's loop begins: from now on nothing here takes long. */
void follow_run(struct follow *follow, uint64_t now);
void follow_free(struct follow *follow);

/*
 * Takes a process that was named, and its descendants. 0, or negative errno with a line in `why` (TARGET_WHY_SIZE
 * bytes).
 */
int follow_add(struct follow *follow, pid_t pid, char *why);

/*
 * Takes one process that was found, without its descendants and without delay. 0 also if it is taken already;
 * -ENOEXEC: it runs no Python (yet); -ENOTSUP: not one that can be traced; -ESRCH; or another negative errno; then
 * `why` says it.
 */
int follow_take(struct follow *follow, pid_t pid, char *why);

/* Takes a child of a process that is followed, if its fork was not heard of. 0 or negative errno. */
int follow_take_child(struct follow *follow, pid_t pid);

/* Is it followed: traced itself, or no Python but a descendant of one that is? */
bool follow_has(struct follow *follow, pid_t pid);

/* What a record says of processes and code is acted upon here, after it went into the stream. 0 or negative errno. */
int follow_record(struct follow *follow, const struct nt_head *record, size_t size);

/*
 * Looks again at processes that were not ready, and now and then for what no record told, as when records were `lost`
 * (so many in all). 0 or negative errno.
 */
int follow_retry(struct follow *follow, uint64_t now, uint64_t lost);

/* Function probes are taken off, for good. False: no process had any. */
bool follow_stop_usdt(struct follow *follow);

/* Processes that are traced and live. */
size_t follow_count(const struct follow *follow);

/* The first live process's target; NULL: none. */
const struct target *follow_first(const struct follow *follow);

/* ns of CPU that the traced processes have used so far, those that ended included as far as was seen. */
uint64_t follow_cpu(struct follow *follow);

#endif
