/*
 * values.h: what may be passed on from an answer to a later request.
 *
 * Below content.c. The parts of a message in which values may be are kept while it goes by; when it is whole, hashes of
 * the values in it are found. docs/findings.md says what counts as a value and why.
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
	bool plain;	     /* what escapes stand for was put in their place */
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
 * Which values are looked for: with a bit for each, all but a few others are passed over at their token. The first bits
 * of a value are its token's alone.
 */
#define VALUES_TOKEN_BITS 13
#define VALUES_REST_BITS 14
struct values_wanted {
	uint64_t tokens[1 << VALUES_TOKEN_BITS >> 6], rests[1 << VALUES_REST_BITS >> 6];
	bool any;
};

static inline uint32_t values_token_part(uint32_t value)
{
	return value >> (32 - VALUES_TOKEN_BITS);
}

static inline uint32_t values_rest_part(uint32_t value)
{
	return value & ((1u << VALUES_REST_BITS) - 1);
}

static inline void values_want(struct values_wanted *wanted, uint32_t value)
{
	uint32_t token = values_token_part(value), rest = values_rest_part(value);

	wanted->tokens[token / 64] |= UINT64_C(1) << token % 64;
	wanted->rests[rest / 64] |= UINT64_C(1) << rest % 64;
	wanted->any = true;
}

/*
 * Finds the values of a request. They are valid until the finder is used again; some may be there twice. `ret_opaque`:
 * the text is none, or has more than `limit` values. Changes the text.
 */
const uint32_t *values_find_asked(struct values_finder *finder, struct values_text *text, uint32_t limit,
				  uint32_t *ret_count, bool *ret_opaque);
/* Likewise of an answer: those that are `wanted`, and perhaps a few others. NULL: all. */
const uint32_t *values_find_told(struct values_finder *finder, struct values_text *text,
				 const struct values_wanted *wanted, uint32_t limit, uint32_t *ret_count,
				 bool *ret_opaque);

#endif
