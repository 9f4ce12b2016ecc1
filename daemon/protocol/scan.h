/*
 * scan.h: what the readers of this folder share: walking over a chunk that may have a hole.
 *
 * A struct scan is a place in one chunk; what must outlive the chunk (a line that is half read, the
 * rest of a body) is the reader's. Bodies of known length are skipped, holes included; a line with a hole is lost.
 */
#ifndef NT_SCAN_H
#define NT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

#define SCAN_LINE_MAX 65536 /* bytes of a line; servers in use refuse longer ones (nginx 32 KiB, redis 64 KiB) */

struct scan {
	const uint8_t *data;
	uint64_t at, captured, bytes;
};

/* Part of a line, or of what else was read; not NUL-terminated. */
struct scan_text {
	const char *text;
	size_t size;
	bool cut; /* more of it was there than was kept */
};

static inline struct scan scan_chunk(const struct protocol_chunk *chunk)
{
	return (struct scan){.data = chunk->data, .captured = chunk->captured, .bytes = chunk->bytes};
}

static inline bool scan_ended(const struct scan *scan)
{
	return scan->at >= scan->bytes;
}

/* Is the next byte there to read? It is not in a hole, nor at the end. */
static inline bool scan_readable(const struct scan *scan)
{
	return scan->at < scan->captured;
}

/*
 * Reads on to the end of a line. `length` (bytes of this line in earlier chunks, 0 at first) and `keep` (its first
 * bytes, at most `size`) belong to the reader. Returns 1 when the line is whole: its first bytes, without CR and LF,
 * are in `ret_line`, valid as long as both the chunk and `keep`; 0 when the chunk ended first; -EILSEQ at a hole or
 * beyond SCAN_LINE_MAX. What is returned does not depend on how the line was cut into chunks.
 */
int scan_line(struct scan *scan, uint32_t *length, char *keep, size_t size, struct scan_text *ret_line);

/* Skips up to `*left` bytes, holes included, and takes them off. True when none are left. */
bool scan_skip(struct scan *scan, uint64_t *left);

/*
 * Appends what can be read of the next `left` bytes to `keep`, which has `*kept` bytes and room for `size`; the
 * place in the chunk stays.
 */
void scan_copy(const struct scan *scan, uint64_t left, char *keep, uint8_t *kept, size_t size);

/* Tells the next `left` bytes of a message, as far as they are in this chunk; the place in it stays. */
void scan_tell(const struct scan *scan, uint64_t left, const struct protocol_events *events, enum protocol_side side,
	       enum protocol_part part);

/*
 * Tells a number that is no part of the message's text (a length, which of several databases) in bytes that are neither
 * text nor, in a hash, to be mistaken for another number's.
 */
void scan_tell_number(uint64_t number, const struct protocol_events *events, enum protocol_side side,
		      enum protocol_part part);

/* A whole number of digits only, in base 10 or 16, at most `max`. 0 or -EILSEQ. */
int scan_number(const char *text, size_t size, unsigned base, uint64_t max, uint64_t *ret_number);

/* The next word of a line, words being parted by spaces and tabs; moves on behind it. An empty one: there are no more.
 */
struct scan_text scan_word(struct scan_text *line);

static inline bool scan_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool scan_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool scan_is_hex(char c)
{
	return scan_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Is the text this word? Inline, so that the length of a literal is known. */
static inline bool scan_is(struct scan_text text, const char *word)
{
	return strlen(word) == text.size && memcmp(text.text, word, text.size) == 0;
}

/* Likewise, but the case of ASCII letters does not matter. */
static inline bool scan_is_nocase(struct scan_text text, const char *word)
{
	return strlen(word) == text.size && strncasecmp(text.text, word, text.size) == 0;
}

#endif
