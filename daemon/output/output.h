/*
 * output.h: what writes a summary, and the table of them.
 *
 * An output only reads. `lost` is not an option: every output shows facts.lost and facts.cost.
 */
#ifndef NT_OUTPUT_H
#define NT_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "../summary/summary.h"

struct output_style {
	bool in_place; /* the stream is a terminal: a new interval replaces the last one */
	bool show_data;
	unsigned columns; /* of the terminal; 0: not one */
};

struct output {
	const char *name; /* of --format */
	/* Writes one sorted summary and flushes. 0 or negative errno (-ENOSPC, -EPIPE ... of the stream). */
	int (*write)(FILE *stream, const struct summary *summary, const struct output_style *style);
};

/* Ended by an entry whose name is NULL. */
extern const struct output *const output_table[];

/* NULL: no such format. */
const struct output *output_find(const char *name);

#endif
