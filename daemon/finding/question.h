/*
 * question.h: reads of a run as questions, which may be asked again: by another call, with others in one request, or in
 * another run.
 *
 * A read that names keys and is answered key by key is as many questions as it has keys, so that a multi-get and a
 * single one can repeat each other; every other read is one question. Questions and what writes change have ids, which
 * are the same in all runs.
 */
#ifndef NT_FINDING_QUESTION_H
#define NT_FINDING_QUESTION_H

#include "plan.h"

#define QUESTION_MAX_WRITTEN (CONTENT_MAX_ITEMS + 1)

struct question {
	uint64_t id;
	uint64_t answer; /* hash; 0: not known */
};

/* The questions of a run's reads that have their answers; those that failed are asked again for good reason. */
struct question_list {
	struct question *questions;
	uint32_t *first; /* those of call i are the ones from first[i] up to first[i + 1] */
};

/* Of the plan's run, made when it is asked for first; NULL without memory. */
const struct question_list *question_look(struct plan *plan);

static inline uint32_t question_count(const struct question_list *list, uint32_t call)
{
	return list->first[call + 1] - list->first[call];
}

/* Could it have changed what is at its backend? What is not known to be a read could. */
bool question_is_write(const struct run_call *call);

/* What a write writes: its keys, or anything. The number of ids. */
uint32_t question_written(struct plan *plan, uint32_t write, uint64_t ret_ids[QUESTION_MAX_WRITTEN]);
/* What may not have been written for the answer of the call's question number `index` to be the same. */
uint32_t question_depends(struct plan *plan, uint32_t call, uint32_t index, uint64_t ret_ids[QUESTION_MAX_WRITTEN]);
/* Until when a write may have changed something. */
uint64_t question_write_end(const struct run_call *write);

#endif
