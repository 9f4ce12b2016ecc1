/*
 * values.h: what may be passed on from an answer to a later request, found in the bytes while they go by.
 *
 * Below content.c. Bytes go in, hashes of values come out, sorted; what comes out does not depend on how the bytes
 * were cut into pieces. docs/findings.md says what counts as a value and why.
 */
#ifndef NT_VALUES_H
#define NT_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUES_TOKEN 64 /* bytes of a word or number that are looked at; of longer ones the length counts as well */
#define VALUES_WORDS 4	/* last words that are remembered; a power of two */
#define VALUES_COMMON 256

/* A word, in lower case; the first 16 bytes of it. */
struct values_word {
	uint64_t text[2];
	uint32_t size;
};

/* Words that say nothing, by their hash: what it is made of depends on no secret. */
struct values_common {
	uint32_t words[VALUES_COMMON];
};

struct values {
	uint32_t *list; /* hashes; sorted by values_end() */
	uint32_t count, room, limit;
	bool full;   /* there were more than `limit`, or no memory for them */
	bool binary; /* the bytes are no text: values in it cannot be found */
	bool answer; /* else a request */
	/* Whatever follows is values.c's own. */
	bool in_string, closed, string_digits, alone;
	uint8_t escape, digits, following;
	uint8_t kinds;
	char separator;
	uint32_t gap, size, string_start, short_token;
	uint32_t code, high;
	uint32_t word_count, label_count;
	struct values_word words[VALUES_WORDS], labels[VALUES_WORDS];
	char token[VALUES_TOKEN];
};

void values_fill_common(struct values_common *common);

/* Begins a message; the list's memory is used again. */
void values_begin(struct values *values, bool answer, uint32_t limit);
void values_take(struct values *values, const struct values_common *common, const void *data, size_t size);
/* What comes next does not go on with what came: it is another string, another header. */
void values_break(struct values *values, const struct values_common *common);
/* No more comes: the list is sorted, each value once. */
void values_end(struct values *values, const struct values_common *common);

#endif
