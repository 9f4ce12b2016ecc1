/*
 * endpoints.h: the endpoint table of the text summary and the lines about backends under it.
 *
 * A part of text.c's page. What is printed has been through words_clean().
 */
#ifndef NT_OUTPUT_ENDPOINTS_H
#define NT_OUTPUT_ENDPOINTS_H

#include "output.h"

/* What of the summary's signs was printed, and wants a line that explains it. */
struct endpoints_signs {
	bool inexact;	  /* ~ before RUNS */
	bool lower_bound; /* >= before WALL */
	uint64_t partial_runs;
};

#define ENDPOINTS_MAX_SHOWN 50 /* JSON has them all */

/* The table with at most `most` endpoints, and under each its place and backends. */
void endpoints_put(FILE *stream, const struct summary *summary, const struct output_style *style, unsigned most,
		   struct endpoints_signs *ret_signs);

/* The lines about an endpoint's backends. */
void endpoints_put_backends(FILE *stream, const struct summary_endpoint *endpoint, const struct output_style *style);

#endif
