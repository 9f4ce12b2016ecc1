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
	bool show_data;
	unsigned columns; /* of the terminal; 0: not one */
	unsigned rows;	  /* that a summary which a next one replaces may take; 0: any number */
};

struct output {
	const char *name; /* of --format */
	bool in_place;	  /* on a terminal a new interval's summary replaces the last one's */
	/* Writes one sorted summary and flushes. 0 or negative errno (-ENOSPC, -EPIPE ... of the stream). */
	int (*write)(FILE *stream, const struct summary *summary, const struct output_style *style);
};

/* Ended by an entry whose name is NULL. */
extern const struct output *const output_table[];

/* NULL: no such format. */
const struct output *output_find(const char *name);

#endif
