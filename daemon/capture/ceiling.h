/*
 * ceiling.h: what the probes may cost (--max-cost), and what is given up when they cost more; for capture.c only.
 *
 * cost.c measures; follow.c and the kernel side do less when they are told.
 */
#ifndef NT_CAPTURE_CEILING_H
#define NT_CAPTURE_CEILING_H

#include "cost.h"
#include "follow.h"

/* What was given up so far, each step with those before it. */
enum ceiling_step { CEILING_NOTHING, CEILING_USDT, CEILING_TIMES, CEILING_WALKS };

struct ceiling {
	double percent; /* of a CPU; 0: there is none */
	struct kernel *kernel;
	struct follow *follow;
	enum ceiling_step step;
	uint32_t walk_one_of; /* calls of which one is walked */
	unsigned over;	      /* measurements in a row that were above */
	unsigned settling;    /* that still have something from before the last step */
};

void ceiling_begin(struct ceiling *ceiling, double percent, struct kernel *kernel, struct follow *follow);

/*
 * Takes a measurement, if there is a new one. True: something was given up; then `line` (CEILING_LINE_SIZE bytes) says
 * what and why, without a full stop.
 */
#define CEILING_LINE_SIZE 256
bool ceiling_check(struct ceiling *ceiling, struct cost *cost, char *line);

/* "none", "usdt_off", "times_off", "walks_thinned": the summary's cost.reduced. Static. */
const char *ceiling_name(enum ceiling_step step);

#endif
