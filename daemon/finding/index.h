/*
 * index.h: what is known of something within one run, by a number that stands for it: a request, a key, a value.
 *
 * Of the plan's memory, with a number of places that is given at the beginning.
 */
#ifndef NT_FINDING_INDEX_H
#define NT_FINDING_INDEX_H

#include "plan.h"

struct index_entry {
	uint64_t id;
	uint64_t answer; /* hash; this and the rest but for `used` are the owner's; zero at first */
	uint64_t time;	 /* ns */
	uint32_t call;	 /* number in run->made, or the owner's own */
	bool known, used;
};

struct plan_index {
	struct index_entry *entries;
	size_t mask;
};

/* For `room` ids at most. False without memory (noted in the plan). */
bool index_begin(struct plan *plan, size_t room, struct plan_index *ret_index);
/* The id's own entry, made when it is asked for first. */
struct index_entry *index_get(struct plan_index *index, uint64_t id);
/* NULL: never asked for. */
struct index_entry *index_find(const struct plan_index *index, uint64_t id);

/*
 * An id of something at the backend of call i, the same in all runs; `what` tells kinds of things apart that may have
 * the same number.
 */
uint64_t index_id(struct plan *plan, uint32_t i, uint32_t what, uint64_t number);

#endif
