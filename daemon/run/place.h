/*
 * place.h: the endpoints and sites that were found, for as long as the stage lives.
 *
 * The same function in several processes is one endpoint, the same line one site: what they point to outlives code
 * objects and processes.
 */
#ifndef NT_RUN_PLACE_H
#define NT_RUN_PLACE_H

#include <stdbool.h>

#include "code.h"
#include "run.h"

#define PLACE_MAX_ENDPOINTS 16384 /* more are the endpoint "(other)" */
#define PLACE_MAX_SITES 65536	  /* more are no site */

struct place;

struct place_table {
	struct place *endpoints, *sites;
	unsigned endpoint_count, site_count;
};

/* The endpoint that a code object is. NULL: no memory. */
const struct run_endpoint *place_endpoint(struct place_table *table, struct code *code);
/* The site that a frame is at. NULL: no memory or no place. */
const struct run_site *place_site(struct place_table *table, const struct stack_frame *frame);

void place_table_clear(struct place_table *table);

#endif
