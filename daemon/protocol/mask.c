/*
 * mask.c: see mask.h. Shared by the readers of this folder.
 */
#include "mask.h"

#include <string.h>

#define MAX_SEGMENT 40 /* bytes; longer parts of a path are taken for data */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What names of routes have beside letters and digits. */
static bool is_mark(char c)
{
	return c == '-' || c == '_' || c == '.' || c == '~' || c == ':';
}

bool mask_is_data(const char *text, size_t size)
{
	size_t letters = 0, digits = 0, hex = 0, dashes = 0;

	if (size > MAX_SEGMENT)
		return true;
	for (size_t i = 0; i < size; i++) {
		if (!is_letter(text[i]) && !is_digit(text[i]) && !is_mark(text[i]))
			return true;
		letters += is_letter(text[i]);
		digits += is_digit(text[i]);
		hex += is_hex(text[i]);
		dashes += text[i] == '-';
	}
	if (digits > 0 && (letters == 0 || digits >= 4 || size >= 16))
		return true;
	return hex >= 8 && hex + dashes == size && (digits > 0 || dashes == 0);
}

void mask_key(char ret_template[PROTOCOL_OPERATION_SIZE], const char *operation, const char *key, size_t size)
{
	size_t name = 0, at = strnlen(operation, PROTOCOL_OPERATION_SIZE / 2);

	if (size > PROTOCOL_OPERATION_SIZE / 4)
		size = PROTOCOL_OPERATION_SIZE / 4;
	while (name < size && (is_letter(key[name]) || (key[name] == '_' && name > 0)))
		name++;
	if (name == 0 || name + 1 >= size || !strchr(":/|", key[name]))
		name = 0;
	else
		name++; /* with its separator */
	memcpy(ret_template, operation, at);
	ret_template[at++] = ' ';
	memcpy(ret_template + at, key, name);
	memcpy(ret_template + at + name, "?", 2);
}
