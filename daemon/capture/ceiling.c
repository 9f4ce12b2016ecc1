/*
 * ceiling.c: see ceiling.h.
 *
 * Nothing is taken back: what was too much once would be too much again, and a summary whose means change all the time
 * says little.
 */
#include "ceiling.h"

#include <stdio.h>

#define OVER_MAX 2 /* measurements; each is of a second */
#define SETTLING 1 /* likewise, after a step: probes are not gone at once */
#define WALK_ONE_OF_MAX 64

static const char *const names[] = {
    [CEILING_NOTHING] = "none",
    [CEILING_USDT] = "usdt_off",
    [CEILING_TIMES] = "times_off",
    [CEILING_WALKS] = "walks_thinned",
};

static const char *const words[] = {
    [CEILING_USDT] = "function probes are off",
    [CEILING_TIMES] = "where threads' time goes, and work that is handed over, is not followed any more",
};

void ceiling_begin(struct ceiling *ceiling, double percent, struct kernel *kernel, struct follow *follow)
{
	*ceiling = (struct ceiling){.percent = percent, .kernel = kernel, .follow = follow, .walk_one_of = 1};
}

const char *ceiling_name(enum ceiling_step step)
{
	return names[step];
}

/* Gives up one thing more. False: there is nothing left, or it would help nobody. */
static bool reduce(struct ceiling *ceiling)
{
	switch (ceiling->step) {
	case CEILING_NOTHING:
		ceiling->step = CEILING_USDT;
		if (follow_stop_usdt(ceiling->follow))
			return true;
		/* nobody had any: the next thing */
		/* fall through */
	case CEILING_USDT:
		ceiling->step = CEILING_TIMES;
		kernel_stop_times(ceiling->kernel);
		return true;
	default:
		if (ceiling->walk_one_of >= WALK_ONE_OF_MAX)
			return false;
		ceiling->step = CEILING_WALKS;
		ceiling->walk_one_of *= 2;
		kernel_thin_walks(ceiling->kernel, ceiling->walk_one_of);
		return true;
	}
}

bool ceiling_check(struct ceiling *ceiling, struct cost *cost, char *line)
{
	char walks[64];
	double percent;

	if (ceiling->percent <= 0 || !cost_measure(cost, &percent))
		return false;
	if (ceiling->settling) {
		ceiling->settling--;
		return false;
	}
	ceiling->over = percent > ceiling->percent ? ceiling->over + 1 : 0;
	if (ceiling->over < OVER_MAX || !reduce(ceiling))
		return false;
	ceiling->over = 0;
	ceiling->settling = SETTLING;
	snprintf(walks, sizeof(walks), "the Python stack of one call in %u is looked at", ceiling->walk_one_of);
	snprintf(line, CEILING_LINE_SIZE, "the probes took %.1f %% of a CPU, more than --max-cost %g allows: %s",
		 percent, ceiling->percent, ceiling->step == CEILING_WALKS ? walks : words[ceiling->step]);
	return true;
}
