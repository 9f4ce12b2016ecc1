/*
 * finding.h: what a run could do without, or do at the same time, and what that would save.
 *
 * Stage of the core between run/ and summary/. Each kind is a file behind struct finding_type and a line in table.c
 * (plan.h); what they propose is laid on the run's own timeline by schedule.c, which says what would be saved.
 */
#ifndef NT_FINDING_H
#define NT_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../run/run.h"
#include "rules.h"

/* The words of INTERFACE.md in this order. */
enum finding_kind {
	FINDING_DUPLICATE,
	FINDING_N_PLUS_ONE,
	FINDING_SERIAL,
	FINDING_REPEATED,
	FINDING_RECONNECT,
	FINDING_SLOW_START,
	FINDING_STALLED,
	FINDING_KIND_COUNT,
};
extern const char *const finding_kind_names[FINDING_KIND_COUNT];

#define FINDING_MAX_SITES 8 /* places in the code of one finding; the calls of more are in none */
#define FINDING_MAX 32	    /* of one run; the smallest ones beyond are counted in finding_stats.findings_refused */

/* ns of wall time: the least that is sure, what is likely, and the most that can be hoped for. */
struct finding_saving {
	uint64_t low, expected, high;
};

struct finding_site {
	const struct run_site *site;
	uint32_t calls;
};

/* One finding of one run. */
struct finding {
	enum finding_kind kind;
	const char *protocol;	   /* static */
	struct call_backend where; /* of the call that stands for them */
	bool many_backends;	   /* its calls go to others as well */
	const char *operation; /* masked, with the shape of its data; valid during the sink's call, as are all below */
	const char *example;   /* a request as it is, for --show-data; NULL: not kept */
	const char *evidence;  /* static: why it is one, in a few words */
	const char *remedy;    /* static: what would do instead, `MGET`; NULL: depends */
	uint32_t calls;	       /* that it is about; 0: none in this run, which only tells the candidates */
	/*
	 * That it could have been about: all of this operation in the run (repeated, reconnect: and in earlier ones
	 * that have not told theirs, so that `needless` is a share of all).
	 */
	uint32_t candidates;
	uint32_t
	    needless; /* calls (of a multi-get: keys) that the run could do without; serial: that could be at once */
	struct finding_saving saving;
	struct finding_site sites[FINDING_MAX_SITES];
	size_t site_count;
};

/* What is said of one run. */
struct finding_report {
	struct finding findings[FINDING_MAX];
	size_t count;
	bool analysed; /* false: the run was not exact, or its calls were not kept: nothing is said of it */
	uint64_t wall; /* ns of the run as it was */
	struct finding_saving then; /* what all findings but `repeated` together would take off it; never their sum */
};

struct finding_stats {
	uint64_t findings_refused;    /* beyond FINDING_MAX of a run */
	uint64_t answers_refused;     /* requests and operations without a place among those remembered across runs */
	uint64_t connections_refused; /* likewise connections (reconnect) */
	uint64_t libraries_refused;   /* calls to backends beyond those whose client library's time is learned */
};

struct finding_stage;

/* Returns NULL without memory. */
struct finding_stage *finding_stage_new(void);
void finding_stage_free(struct finding_stage *stage);

/* Thresholds from now on; copied. */
void finding_stage_set_rules(struct finding_stage *stage, const struct finding_rules *rules);
const struct finding_rules *finding_stage_rules(const struct finding_stage *stage);

/* Looks at a run that is over. `ret_report` points into the stage and the run: valid until the next call or the run's
 * end. 0 or -ENOMEM. */
int finding_stage_ran(struct finding_stage *stage, const struct run *run, struct finding_report *ret_report);
void finding_stage_closed(struct finding_stage *stage, const struct call_closing *closing);

const struct finding_stats *finding_stage_stats(const struct finding_stage *stage);

#endif
