/*
 * mask.c: see mask.h. Shared by the readers of this folder.
 */
#include "mask.h"

#include <string.h>

#include "scan.h"

#define MAX_SEGMENT 40 /* bytes; longer parts of a path are taken for data */

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
		if (!scan_is_letter(text[i]) && !scan_is_digit(text[i]) && !is_mark(text[i]))
			return true;
		letters += scan_is_letter(text[i]);
		digits += scan_is_digit(text[i]);
		hex += scan_is_hex(text[i]);
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
	while (name < size && (scan_is_letter(key[name]) || (key[name] == '_' && name > 0)))
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
