/*
 * find.c: see find.h.
 *
 * The kernel side tells of each exec(2) on the machine (cfg_watch_execs). What a process is can still change behind it:
 * the loader maps libpython a moment later, a server gives itself a title, a manager moves it into its control group.
 * So each process that is not taken is looked at again, at first soon and then ever more rarely.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../hash.h"
#include "find.h"

#define FIRST_WAIT_NS 5000000ull    /* from an exec to the second look; doubled from look to look */
#define LAST_WAIT_NS 60000000000ull /* and at most this: a look takes a fifth of a millisecond */
#define ROUND_NS 10000000ull	    /* between two rounds of looks */
#define LOOKS_MAX 64		    /* in one round: the ring is waiting to be read */
#define SCAN_NS 5000000000ull	    /* between two readings of all of /proc */
#define LOST_SCAN_NS 1000000000ull  /* likewise while records are lost */
#define PASSES_MAX 8		    /* of one scan: each takes the children of those that the last one took */
#define CANDIDATES_MAX 65536
#define NOTES_MAX 20 /* lines; a machine full of one sort of Python needs no line for each */

/* A process that is not taken, so far. */
struct candidate {
	pid_t pid;
	uint64_t started; /* its pid may be another one's later; 0: not known yet */
	uint64_t look_from, wait;
	bool noted, seen; /* by the scan that is going on */
	UT_hash_handle hh;
};

struct find {
	struct follow *follow;
	const struct match *match;
	find_note_fn note;
	void *context;
	find_pause_fn pause; /* NULL: nobody wants one */
	void *pause_context;
	struct candidate *candidates; /* by pid */
	uint64_t last_round, last_scan, lost;
	unsigned notes;
	bool taken; /* the scan that is going on has taken a process */
};

int find_rules(const struct options *options, struct match **ret_match, char *why)
{
	struct match_rules rules = {
	    .all = options->all,
	    .commands = options->commands.words,
	    .command_count = options->commands.count,
	    .cgroups = options->cgroups.words,
	    .cgroup_count = options->cgroups.count,
	};

	*ret_match = NULL;
	return options_match(options) ? match_new(&rules, ret_match, why) : 0;
}

struct find *find_new(struct follow *follow, const struct match *match, find_note_fn note, void *context)
{
	struct find *find = calloc(1, sizeof(*find));

	if (!find)
		return NULL;
	find->follow = follow;
	find->match = match;
	find->note = note;
	find->context = context;
	return find;
}

void find_on_pause(struct find *find, find_pause_fn pause, void *context)
{
	find->pause = pause;
	find->pause_context = context;
}

static void candidate_drop(struct find *find, struct candidate *candidate)
{
	HASH_DEL(find->candidates, candidate);
	free(candidate);
}

void find_free(struct find *find)
{
	struct candidate *candidate, *next;

	if (!find)
		return;
	candidate = find->candidates;
	HASH_CLEAR(hh, find->candidates); /* the table; its elements still know their next one */
	for (; candidate; candidate = next) {
		next = candidate->hh.next;
		free(candidate);
	}
	free(find);
}

static struct candidate *candidate_find(struct find *find, pid_t pid)
{
	struct candidate *candidate;

	HASH_FIND_INT(find->candidates, &pid, candidate);
	return candidate;
}

/* Its entry, made when it is new; NULL when there is no place: then the next scan finds it. */
static struct candidate *candidate_get(struct find *find, pid_t pid)
{
	struct candidate *candidate = candidate_find(find, pid);

	if (candidate)
		return candidate;
	if (HASH_COUNT(find->candidates) >= CANDIDATES_MAX)
		return NULL;
	candidate = calloc(1, sizeof(*candidate));
	if (!candidate)
		return NULL;
	candidate->pid = pid;
	HASH_ADD_INT(find->candidates, pid, candidate);
	if (!candidate_find(find, pid)) { /* the table could not grow */
		free(candidate);
		return NULL;
	}
	return candidate;
}

/* It is new, or another program now. */
static void candidate_begin(struct candidate *candidate, uint64_t now)
{
	candidate->look_from = now;
	candidate->wait = FIRST_WAIT_NS;
	candidate->noted = false;
}

static void candidate_note(struct find *find, struct candidate *candidate, const char *why)
{
	if (candidate->noted)
		return;
	candidate->noted = true;
	if (find->notes < NOTES_MAX)
		find->note(find->context, why);
	else if (find->notes == NOTES_MAX)
		find->note(find->context, "more processes that cannot be traced are not named");
	find->notes += find->notes <= NOTES_MAX;
}

/* Takes it if it is meant and a Python that can be traced; its entry is gone then. */
static int candidate_look(struct find *find, struct candidate *candidate, uint64_t now)
{
	char why[TARGET_WHY_SIZE];
	int error;

	candidate->look_from = now + candidate->wait;
	candidate->wait = candidate->wait * 2 < LAST_WAIT_NS ? candidate->wait * 2 : LAST_WAIT_NS;
	if (!match_process(find->match, candidate->pid))
		return 0;
	error = follow_take(find->follow, candidate->pid, why);
	if (!error) {
		find->taken = true;
		candidate_drop(find, candidate);
	} else if (error == -ESRCH) {
		candidate_drop(find, candidate);
	} else if (error == -ENOTSUP || error == -EACCES || error == -E2BIG) {
		candidate_note(find, candidate, why);
	}
	return error == -ENOMEM ? error : 0;
}

/* Takes a process of a scan if it is meant. */
static int scan_look(struct find *find, const struct match_found *found)
{
	struct candidate *candidate;

	if (found->pid == getpid() || follow_has(find->follow, found->pid))
		return 0;
	if (follow_has(find->follow, found->parent)) { /* its fork was not heard of */
		find->taken = true;
		return follow_take_child(find->follow, found->pid);
	}
	candidate = candidate_get(find, found->pid);
	if (!candidate)
		return 0;
	candidate->seen = true;
	if (candidate->started == found->started)
		return 0;
	if (!candidate->started && candidate->wait) { /* an exec told of it first */
		candidate->started = found->started;
		return 0;
	}
	candidate->started = found->started;
	candidate_begin(candidate, stream_now());
	return candidate_look(find, candidate, stream_now());
}

/* A machine's worth of processes takes seconds, and those that are taken already make records. */
static int scan_one(void *context, const struct match_found *found)
{
	struct find *find = context;
	bool taken = find->taken;
	int error;

	find->taken = false;
	error = scan_look(find, found);
	if (!error && find->taken && find->pause)
		error = find->pause(find->pause_context);
	find->taken |= taken;
	return error;
}

/* Those that the scan has not met have ended. */
static void keep_seen(struct find *find)
{
	struct candidate *candidate = find->candidates, *next;

	HASH_CLEAR(hh, find->candidates); /* the table; its elements still know their next one */
	for (; candidate; candidate = next) {
		next = candidate->hh.next;
		candidate->hh.tbl = NULL;
		if (candidate->seen)
			HASH_ADD_INT(find->candidates, pid, candidate);
		if (!candidate->hh.tbl)
			free(candidate);
	}
}

static int scan(struct find *find)
{
	struct candidate *candidate;
	int error = 0, pass = 0;

	for (candidate = find->candidates; candidate; candidate = candidate->hh.next)
		candidate->seen = false;
	do {
		find->taken = false;
		error = match_each_process(scan_one, find);
	} while (!error && find->taken && ++pass < PASSES_MAX);
	keep_seen(find);
	find->last_scan = stream_now();
	return error;
}

int find_all(struct find *find)
{
	return scan(find);
}

int find_exec(struct find *find, pid_t pid, uint64_t now)
{
	struct candidate *candidate = candidate_get(find, pid);

	if (!candidate)
		return 0;
	candidate_begin(candidate, now);
	return candidate_look(find, candidate, now);
}

int find_step(struct find *find, uint64_t now, uint64_t lost)
{
	struct candidate *candidate, *next;
	unsigned looks = 0;
	int error = 0;

	if (now - find->last_round < ROUND_NS)
		return 0;
	find->last_round = now;
	if (now - find->last_scan >= (lost != find->lost ? LOST_SCAN_NS : SCAN_NS)) {
		find->lost = lost;
		error = scan(find);
	}
	for (candidate = find->candidates; candidate && !error && looks < LOOKS_MAX; candidate = next) {
		next = candidate->hh.next; /* the look may drop this one */
		if (candidate->look_from > now)
			continue;
		looks++;
		error = candidate_look(find, candidate, now);
	}
	return error;
}
