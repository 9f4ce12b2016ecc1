/*
 * passing.h: where the values in the requests of a run came from, as far as it shows: from the answers of which earlier
 * calls. A value that had been in some request before, or in what the run itself was asked, came from nowhere.
 */
#ifndef NT_FINDING_PASSING_H
#define NT_FINDING_PASSING_H

#include "plan.h"

struct passing {
	uint32_t *from; /* numbers of calls whose answers had a value first, ascending, each once */
	uint32_t count;
	/* What the request has of its own came from nowhere seen: its values are new, or are none that can be followed.
	 */
	bool fresh;
};

/* By call; of the plan, made when it is asked for first. NULL without memory. */
const struct passing *passing_look(struct plan *plan);

#endif
