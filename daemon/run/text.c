/*
 * text.c: Latin-1, UCS-2 and UCS-4 to printable UTF-8, see text.h.
 */
#include "text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX_CHARACTER 4 /* bytes that one character can become: UTF-8's most, and a \xNN */

static uint32_t character_at(const uint8_t *data, unsigned kind)
{
	uint16_t two;
	uint32_t four;

	switch (kind) {
	case 2:
		memcpy(&two, data, sizeof(two));
		return two;
	case 4:
		memcpy(&four, data, sizeof(four));
		return four;
	default:
		return *data;
	}
}

/* C0, DEL and C1: the ones that terminals act on. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static size_t put_escape(char *out, uint32_t c)
{
	static const char digits[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[c >> 4];
	out[3] = digits[c & 15];
	return 4;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

char *text_utf8(const uint8_t *data, size_t size, unsigned kind)
{
	size_t step = kind == 2 || kind == 4 ? kind : 1;
	size_t count = size / step, length = 0;
	char *out = malloc(count * TEXT_MAX_CHARACTER + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		uint32_t c = character_at(data + i * step, kind);

		if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
			c = 0xfffd;
		length += is_control(c) ? put_escape(out + length, c) : put_utf8(out + length, c);
	}
	out[length] = '\0';
	/* Give back what the worst case did not need; failing to is harmless. */
	char *fitted = realloc(out, length + 1);

	return fitted ? fitted : out;
}
