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
 * Which values are looked for, with a bit for each of two parts of them: all but a few others are passed over at their
 * token. A value's first bits are of its token, and whether that is a short one; what its last bits are is values.c's.
 */
#define VALUES_TOKEN_BITS 12
#define VALUES_SHORT (UINT32_C(1) << (31 - VALUES_TOKEN_BITS))
#define VALUES_REST_BITS 14
struct values_wanted {
	uint64_t tokens[2][1 << VALUES_TOKEN_BITS >> 6]; /* of long ones, of short ones */
	uint64_t rests[1 << VALUES_REST_BITS >> 6];
	bool any;
};

/* Bit `number` of such an array. */
static inline bool values_bit(const uint64_t *bits, uint32_t number)
{
	return bits[number / 64] >> number % 64 & 1;
}

static inline void values_set_bit(uint64_t *bits, uint32_t number)
{
	bits[number / 64] |= UINT64_C(1) << number % 64;
}

static inline void values_want(struct values_wanted *wanted, uint32_t value)
{
	values_set_bit(wanted->tokens[!!(value & VALUES_SHORT)], value >> (32 - VALUES_TOKEN_BITS));
	values_set_bit(wanted->rests, value & ((1u << VALUES_REST_BITS) - 1));
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
