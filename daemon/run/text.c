/*
 * text.c: Latin-1, UCS-2 and UCS-4 to printable UTF-8, see text.h.
 */
#include "text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_NO_CHARACTER 0xfffd /* U+FFFD, what stands for what is none */
#define TEXT_MAX_CHARACTER 4	 /* bytes that one character can become: UTF-8's most, and a \xNN */

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

static size_t put_character(char *out, uint32_t c)
{
	if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		c = TEXT_NO_CHARACTER;
	return is_control(c) ? put_escape(out, c) : put_utf8(out, c);
}

/* Gives back what the worst case did not need; failing to is harmless. */
static char *text_fit(char *out, size_t length)
{
	char *fitted;

	out[length] = '\0';
	fitted = realloc(out, length + 1);
	if (!fitted)
		return out;
	return fitted;
}

char *text_utf8(const uint8_t *data, size_t size, unsigned kind)
{
	size_t step = kind == 2 || kind == 4 ? kind : 1;
	size_t count = size / step, length = 0;
	char *out = malloc(count * TEXT_MAX_CHARACTER + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		length += put_character(out + length, character_at(data + i * step, kind));
	return text_fit(out, length);
}

/* Reads one character of UTF-8; returns how many bytes it has. Overlong forms count as none (RFC 3629). */
static size_t get_utf8(const uint8_t *at, size_t left, uint32_t *ret_c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
	uint32_t c = length == 1 ? *at : *at & (0x7f >> length);

	*ret_c = TEXT_NO_CHARACTER;
	if ((*at >= 0x80 && *at < 0xc0) || *at >= 0xf8 || length > left)
		return 1;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (at[i] & 0x3f);
	}
	if (length > 1 && c < least[length])
		return 1;
	*ret_c = c;
	return length;
}

char *text_clean(const char *text, size_t size)
{
	char *out = malloc(size * TEXT_MAX_CHARACTER + 1);
	size_t length = 0;
	uint32_t c;

	if (!out)
		return NULL;
	for (size_t i = 0; i < size;) {
		i += get_utf8((const uint8_t *)text + i, size - i, &c);
		length += put_character(out + length, c);
	}
	return text_fit(out, length);
}

const char *text_last_component(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

bool text_ends_path(const char *path, const char *end)
{
	size_t size = strlen(path), end_size = strlen(end);

	if (size < end_size || strcmp(path + size - end_size, end) != 0)
		return false;
	return size == end_size || path[size - end_size - 1] == '/';
}
