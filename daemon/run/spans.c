/*
 * spans.c: union of intervals, see spans.h.
 */
#include "spans.h"

#include <string.h>

static void span_remove(struct spans *spans, unsigned at)
{
	spans->count--;
	memmove(&spans->span[at], &spans->span[at + 1], (spans->count - at) * sizeof(spans->span[0]));
}

/* Makes room by closing the smallest gap: the network time grows by no more than that. */
static void close_smallest_gap(struct spans *spans)
{
	uint64_t smallest = UINT64_MAX;
	unsigned at = 0;

	for (unsigned i = 0; i + 1 < spans->count; i++) {
		uint64_t gap = spans->span[i + 1].from - spans->span[i].to;

		if (gap < smallest) {
			smallest = gap;
			at = i;
		}
	}
	spans->span[at].to = spans->span[at + 1].to;
	span_remove(spans, at + 1);
}

void spans_add(struct spans *spans, uint64_t from, uint64_t to)
{
	unsigned at = 0;

	if (from < spans->settled_until)
		from = spans->settled_until;
	if (from >= to)
		return;
	while (at < spans->count && spans->span[at].to < from)
		at++;
	while (at < spans->count && spans->span[at].from <= to) {
		if (spans->span[at].from < from)
			from = spans->span[at].from;
		if (spans->span[at].to > to)
			to = spans->span[at].to;
		span_remove(spans, at);
	}
	if (spans->count == SPANS_MAX) {
		/* Closing a gap moves what comes behind it: begin again. */
		close_smallest_gap(spans);
		spans_add(spans, from, to);
		return;
	}
	memmove(&spans->span[at + 1], &spans->span[at], (spans->count - at) * sizeof(spans->span[0]));
	spans->span[at] = (struct span){from, to};
	spans->count++;
}

void spans_settle(struct spans *spans, uint64_t time)
{
	while (spans->count && spans->span[0].to <= time) {
		spans->settled += spans->span[0].to - spans->span[0].from;
		spans->settled_until = spans->span[0].to;
		span_remove(spans, 0);
	}
}

void spans_merge(struct spans *spans, const struct spans *from)
{
	for (unsigned i = 0; i < from->count; i++)
		spans_add(spans, from->span[i].from, from->span[i].to);
	spans->settled += from->settled;
	if (from->settled_until > spans->settled_until)
		spans->settled_until = from->settled_until;
}

uint64_t spans_length(const struct spans *spans)
{
	uint64_t length = spans->settled;

	for (unsigned i = 0; i < spans->count; i++)
		length += spans->span[i].to - spans->span[i].from;
	return length;
}
