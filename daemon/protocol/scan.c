/*
 * scan.c: lines, bodies and numbers out of chunks; the readers of this folder are built on it.
 */
#include "scan.h"

#include <errno.h>
#include <string.h>

static struct scan_text line_text(const char *text, uint64_t length, size_t size)
{
	struct scan_text line = {.text = text, .size = length - 1, .cut = length - 1 > size};

	if (line.cut)
		line.size = size;
	else if (line.size > 0 && text[line.size - 1] == '\r')
		line.size--;
	return line;
}

int scan_line(struct scan *scan, uint32_t *length, char *keep, size_t size, struct scan_text *ret_line)
{
	uint64_t there = scan_readable(scan) ? scan->captured - scan->at : 0;
	const char *start = there ? (const char *)scan->data + scan->at : NULL;
	const char *end = there ? memchr(start, '\n', there) : NULL;
	uint64_t part = end ? (uint64_t)(end - start) + 1 : there;
	uint64_t total = *length + part;

	if (total > SCAN_LINE_MAX)
		return -EILSEQ;
	scan->at += part;
	if (end && *length == 0) {
		*ret_line = line_text(start, total, size);
		return 1;
	}
	if (*length < size && part > 0)
		memcpy(keep + *length, start, part < size - *length ? part : size - *length);
	if (!end) {
		*length = total;
		return scan_ended(scan) ? 0 : -EILSEQ;
	}
	*length = 0;
	*ret_line = line_text(keep, total, size);
	return 1;
}

bool scan_skip(struct scan *scan, uint64_t *left)
{
	uint64_t there = scan->bytes - scan->at;
	uint64_t part = there < *left ? there : *left;

	scan->at += part;
	*left -= part;
	return *left == 0;
}

void scan_copy(const struct scan *scan, uint64_t left, char *keep, uint8_t *kept, size_t size)
{
	uint64_t there = scan_readable(scan) ? scan->captured - scan->at : 0;
	uint64_t part = there < left ? there : left;

	if (part > size - *kept)
		part = size - *kept;
	if (part == 0)
		return;
	memcpy(keep + *kept, scan->data + scan->at, part);
	*kept += part;
}

void scan_tell(const struct scan *scan, uint64_t left, const struct protocol_events *events, enum protocol_side side,
	       enum protocol_part part)
{
	uint64_t there = scan->bytes - scan->at < left ? scan->bytes - scan->at : left;
	uint64_t readable = scan_readable(scan) ? scan->captured - scan->at : 0;

	if (readable > there)
		readable = there;
	if (readable)
		protocol_tell(events, side, part, scan->data + scan->at, readable);
	if (there > readable)
		protocol_tell(events, side, part, NULL, there - readable);
}

void scan_tell_number(uint64_t number, const struct protocol_events *events, enum protocol_side side,
		      enum protocol_part part)
{
	char digits[22]; /* of base 8, as control characters, and the last one marked */
	size_t size = 0;

	do {
		digits[size++] = (char)(0x10 | (number & 7));
		number >>= 3;
	} while (number);
	digits[size - 1] |= 8;
	protocol_tell(events, side, part, digits, size);
}

/* 16 and more: it is none. */
static unsigned digit_value(char c)
{
	unsigned digit = (unsigned)c - '0', letter = ((unsigned)c | 0x20) - 'a';

	if (digit < 10)
		return digit;
	return letter < 6 ? letter + 10 : 16;
}

int scan_number(const char *text, size_t size, unsigned base, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (size == 0)
		return -EILSEQ;
	for (size_t i = 0; i < size; i++) {
		unsigned digit = digit_value(text[i]);

		if (digit >= base || __builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, digit, &number) || number > max)
			return -EILSEQ;
	}
	*ret_number = number;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct scan_text scan_word(struct scan_text *line)
{
	struct scan_text word;
	size_t at = 0, end;

	while (at < line->size && is_blank(line->text[at]))
		at++;
	for (end = at; end < line->size && !is_blank(line->text[end]);)
		end++;
	word = (struct scan_text){.text = line->text + at, .size = end - at, .cut = line->cut && end == line->size};
	line->text += end;
	line->size -= end;
	return word;
}
