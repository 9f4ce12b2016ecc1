/*
 * rows.h: the tables of a summary: find a row or add it, within the bounds of summary.h.
 *
 * Used by summary.c and merge.c only. Where a table is full, or all of them together, the row is the one
 * called "(other)", which always has a place.
 */
#ifndef NT_SUMMARY_ROWS_H
#define NT_SUMMARY_ROWS_H

#include "summary.h"

/* What is not known is written as nothing. */
static inline const char *row_text(const char *text)
{
	return text ? text : "";
}

/* All return NULL without memory. */
struct summary_endpoint *row_endpoint(struct summary *summary, const char *name, const char *file, uint32_t line);
struct summary_backend *row_backend(struct summary *summary, struct summary_endpoint *endpoint,
				    const struct summary_backend_key *key);
/* The same of what the stages before know by its address: what was asked for lately is found without a key. */
struct summary_endpoint *row_of_endpoint(struct summary *summary, const struct run_endpoint *endpoint);
struct summary_backend *row_of_backend(struct summary *summary, struct summary_endpoint *endpoint, const char *protocol,
				       const struct call_backend *where);
struct summary_operation *row_operation(struct summary *summary, struct summary_backend *backend, const char *name);

/* A backend's address as people write it. */
void row_format_address(const struct call_backend *where, char *ret_text, size_t size);

/* Takes a place in the tables' common bound; false, and the summary is `truncated`: there is none. */
bool row_take_place(struct summary *summary, size_t used, size_t limit);

/* Counts calls made from a place in the code. 0, also where there are too many places, or -ENOMEM. */
int row_add_site(struct summary_backend *backend, const char *function, const char *file, uint32_t line,
		 uint64_t calls);

/* Frees what is in the endpoint, not itself. */
void row_clear_endpoint(struct summary_endpoint *endpoint);
void row_free_endpoints(struct summary *summary);

#endif
