/*
 * passing.h: where the values in the requests of a run came from, as far as it shows: from the answers of which earlier
 * calls. A value that had been in some request before, or in what the run itself was asked, came from nowhere.
 */
#ifndef NT_FINDING_PASSING_H
#define NT_FINDING_PASSING_H

#include "plan.h"

#define PASSING_WORD_BITS 64

struct passing {
	uint32_t *from; /* numbers of calls whose answers had a value first, ascending, each once */
	uint32_t count;
	/* Bits of all calls whose answers had one before any request did, also after others; NULL: none. */
	uint64_t *givers;
	/* What the request has of its own came from nowhere seen: its values are new, or are none that can be followed.
	 */
	bool fresh;
	bool cut; /* the run's requests have too many values: where some of this one came from is not known */
};

/* By call; of the plan, made when it is asked for first. NULL without memory. */
const struct passing *passing_look(struct plan *plan);

/* Had the answer of call i a value of this request? */
static inline bool passing_gives(const struct passing *passing, uint32_t i)
{
	return passing->givers && passing->givers[i / PASSING_WORD_BITS] >> i % PASSING_WORD_BITS & 1;
}

#endif
