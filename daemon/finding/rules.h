/*
 * rules.h: from when on something is a finding: thresholds as data, in presets and from files.
 *
 * `default` is ours; `sentry` and `perf-sentinel` apply what those tools publish, so that results can be compared:
 * where a threshold is not of their kind, the kind is off. Times are ns, shares are of 1.
 */
#ifndef NT_RULES_H
#define NT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULES_CUSTOM "custom" /* name of what no preset is */

struct finding_rules {
	const char *name; /* static: a preset's, or RULES_CUSTOM */
	struct {
		bool on;
		bool same_answer; /* it must have had the same answer */
		uint32_t least;	  /* calls of one request in a run */
	} duplicate;
	struct {
		bool on;
		bool source;	 /* another call must come before them */
		bool keyed;	 /* also where one key each is asked of a key-value store (redis, memcache) */
		uint32_t least;	 /* calls of one template */
		uint32_t values; /* with so many different requests */
		uint64_t time;	 /* together */
		uint64_t within; /* from the first one's beginning to the last one's; 0: any */
	} n_plus_one;
	struct {
		bool on;
		bool independent;    /* only where no data was seen passed on, and answers are known */
		uint32_t least;	     /* calls in a row */
		uint64_t call_time;  /* each, at least */
		uint64_t gap;	     /* between two, at most; 0: any */
		uint64_t saving;     /* at least */
		double saving_share; /* of the run, at least */
		uint32_t hosts;	     /* different backends, fewer than this; 0: any */
	} serial;
	struct {
		bool on;
		uint64_t window; /* how old the earlier answer may be */
		uint32_t least;	 /* calls that a cache would serve, in a summary's time */
		double share;	 /* of the operation's calls, at least */
	} repeated;
	struct {
		bool on;
		uint32_t least; /* connections in a summary's time */
		double share;	/* of connections that carried one request only, at least */
	} reconnect;
	struct {
		bool on;
		uint64_t time; /* in a run, at least */
		double share;  /* of runs, at least */
	} slow_start;
	struct {
		bool on;
		uint64_t from, to; /* a wait that looks like a delayed acknowledgement */
	} stalled;
	struct {
		uint32_t runs;	  /* with the finding, in a summary, at least */
		double run_share; /* likewise of the endpoint's runs */
	} shown;
};

/* Of this name, or NULL. */
const struct finding_rules *rules_find(const char *name);
/* Ended by an entry whose name is NULL. */
extern const struct finding_rules rules_table[];

/*
 * Reads rules from a preset's name or a JSON text: {"preset":"default","serial":{"least":3,"saving_ms":1.0},...}: what
 * is not there is as in the preset, by default our own. 0, or -EINVAL with one line in `why` (of `size` bytes).
 */
int rules_parse(const char *text, struct finding_rules *ret_rules, char *why, size_t size);

#endif
