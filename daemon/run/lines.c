/*
 * lines.c: reading lnotab, PEP 626 and PEP 657 tables, see lines.h.
 */
#include "lines.h"

#include <limits.h>
#include <stdbool.h>

#define LINES_UNIT 2 /* bytes of a code unit, which PEP 657's lengths count */

/* Lines only grow out of range in a broken table; then there is none. */
static uint32_t line_or_none(int64_t line)
{
	return line > 0 && line <= INT_MAX ? (uint32_t)line : 0;
}

/* Pairs of (bytes of code, signed lines): the line changes after that many bytes. */
static uint32_t find_lnotab(const uint8_t *table, size_t size, bool cut, int64_t line, uint32_t offset)
{
	uint64_t address = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		address += table[i];
		if (address > offset)
			return line_or_none(line);
		line += (int8_t)table[i + 1];
	}
	/* The last line reaches to the end of the code, which a cut table does not tell. */
	return cut ? 0 : line_or_none(line);
}

/* Pairs of (bytes of code, signed lines): these bytes have the line so far plus that; -128: they have none. */
static uint32_t find_pep626(const uint8_t *table, size_t size, int64_t line, uint32_t offset)
{
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < size; i += 2) {
		int8_t delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != -128)
			line += delta;
		if (offset < end)
			return delta == -128 ? 0 : line_or_none(line);
	}
	return 0;
}

/* Six bits a byte, least first; bit 6 says that more follow. */
static size_t read_varint(const uint8_t *at, size_t left, uint32_t *ret_value)
{
	uint32_t value = 0;
	unsigned shift = 0;

	for (size_t i = 0; i < left && shift < 30; i++, shift += 6) {
		value |= (uint32_t)(at[i] & 0x3f) << shift;
		if (!(at[i] & 0x40)) {
			*ret_value = value;
			return i + 1;
		}
	}
	return 0;
}

/* The kinds of a location entry, bits 3 to 6 of its first byte. */
enum {
	LOCATION_ONE_LINE = 10, /* 10, 11, 12: that less 10 lines further, two bytes of columns */
	LOCATION_NO_COLUMNS = 13,
	LOCATION_LONG = 14,
	LOCATION_NONE = 15,
};

/* How many lines an entry moves on; false if it makes no sense. */
static bool location_delta(unsigned kind, const uint8_t *at, size_t left, int64_t *ret_delta)
{
	uint32_t value;

	*ret_delta = 0;
	if (kind == LOCATION_NO_COLUMNS || kind == LOCATION_LONG) {
		if (!read_varint(at, left, &value))
			return false;
		*ret_delta = value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
	} else if (kind >= LOCATION_ONE_LINE && kind < LOCATION_NO_COLUMNS) {
		*ret_delta = kind - LOCATION_ONE_LINE;
	}
	return true;
}

/*
 * Entries begin with a byte that has bit 7 set, and no other byte has: so what follows the delta (end line and
 * columns, which nobody here needs) can be skipped without being read.
 */
static uint32_t find_pep657(const uint8_t *table, size_t size, int64_t line, uint32_t offset)
{
	uint64_t end = 0;
	size_t i = 0;

	while (i < size && table[i] & 0x80) {
		unsigned kind = table[i] >> 3 & 15;
		unsigned units = (table[i] & 7) + 1;
		int64_t delta;

		i++;
		if (!location_delta(kind, table + i, size - i, &delta))
			return 0;
		line += delta;
		end += (uint64_t)units * LINES_UNIT;
		if (offset < end)
			return kind == LOCATION_NONE ? 0 : line_or_none(line);
		while (i < size && !(table[i] & 0x80))
			i++;
	}
	return 0;
}

uint32_t lines_find(uint8_t minor, const uint8_t *table, size_t size, size_t full, uint32_t first_line, uint32_t offset)
{
	if (minor >= 11)
		return find_pep657(table, size, first_line, offset);
	if (minor == 10)
		return find_pep626(table, size, first_line, offset);
	if (minor >= 8)
		return find_lnotab(table, size, size < full, first_line, offset);
	return 0;
}
