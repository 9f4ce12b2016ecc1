/*
 * find.h: finds the processes that --all, --command and --cgroup mean: those that run when the capture begins, and
 * those that start later.
 *
 * Between target/match.c, which says which are meant, and follow.c, which takes them.
 */
#ifndef NT_FIND_H
#define NT_FIND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../target/match.h"
#include "follow.h"

struct find;

/* What the options mean beside the processes that they name; NULL in `ret_match`: nothing. As match_new(). */
int find_rules(const struct options *options, struct match **ret_match, char *why);

/* Takes a line about a process that is meant and cannot be traced, without a full stop. */
typedef void (*find_note_fn)(void *context, const char *line);

/* Called between two processes that are taken: it is time to read the ring. 0 or negative errno. */
typedef int (*find_pause_fn)(void *context);

/* Returns NULL without memory. `follow` and `match` outlive it. */
struct find *find_new(struct follow *follow, const struct match *match, find_note_fn note, void *context);
void find_on_pause(struct find *find, find_pause_fn pause, void *context);
void find_free(struct find *find);

/* Takes all that run now. 0 or negative errno. */
int find_all(struct find *find);

/* A process that is not followed has begun another program: is it meant? 0 or negative errno. */
int find_exec(struct find *find, pid_t pid, uint64_t now);

/*
 * Looks again at those that are meant or may become so, and for new ones that no record told of: now and then, and
 * soon when more records were `lost` in all. 0 or negative errno.
 */
int find_step(struct find *find, uint64_t now, uint64_t lost);

#endif
