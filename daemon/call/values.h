/*
 * values.h: what may be passed on from an answer to a later request.
 *
 * Below content.c. The parts of a message in which values may be are kept while it goes by; when it is whole, hashes of
 * the values in it are found, sorted. docs/findings.md says what counts as a value and why.
 */
#ifndef NT_VALUES_H
#define NT_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUES_MAX_TEXT                                                                                                \
	65536	      /* bytes of a message that are looked at: what is captured of one, unless it is told more */
#define VALUES_PAD 80 /* bytes behind a text that can be read */

/* What is looked at, its parts parted by VALUES_PART. */
struct values_text {
	char *bytes;
	uint32_t size, room; /* room without VALUES_PAD */
	bool full;	     /* there was more */
};

#define VALUES_PART '\x1e'

/* What finds them; one serves all messages. */
struct values_finder;

/* NULL without memory. */
struct values_finder *values_finder_new(void);
void values_finder_free(struct values_finder *finder);

/* Appends bytes; what has no room or memory makes it full. */
void values_add(struct values_text *text, const void *bytes, size_t size);
/* What comes next does not go on with what came: it is another string, another header. */
void values_part(struct values_text *text);

/*
 * Finds the values of an answer or a request, at most `limit`. The hashes are valid until the next call. `ret_opaque`:
 * the text is none, or there are more values. Changes the text.
 */
const uint32_t *values_find(struct values_finder *finder, struct values_text *text, bool answer, uint32_t limit,
			    uint32_t *ret_count, bool *ret_opaque);

#endif
