/*
 * spans.h: the length of a union of intervals, in bounded memory.
 */
#ifndef NT_RUN_SPANS_H
#define NT_RUN_SPANS_H

#include <stdint.h>

#define SPANS_MAX 16 /* apart from each other at once; with more, the closest two become one */

struct span {
	uint64_t from, to;
};

/* Zeroed memory is an empty one. */
struct spans {
	uint64_t settled; /* length of what was before `settled_until` */
	uint64_t settled_until;
	unsigned count;
	struct span span[SPANS_MAX]; /* apart from each other, in order */
};

/* Adds an interval; what of it lies before `settled_until` is there already. */
void spans_add(struct spans *spans, uint64_t from, uint64_t to);
/* No interval that begins before `time` will come any more: what ends before it need not be kept. */
void spans_settle(struct spans *spans, uint64_t time);
/* Adds those of `from`, what is settled of them as if it did not overlap. */
void spans_merge(struct spans *spans, const struct spans *from);
uint64_t spans_length(const struct spans *spans);

#endif
