/*
 * words.c: numbers and names as text (words.h).
 */
#include "words.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What may follow a first byte (RFC 3629, section 4). The second's range rules out overlong forms and surrogates. */
static const struct lead {
	unsigned char from, to;	 /* first byte */
	unsigned char low, high; /* second byte */
	size_t size;
} leads[] = {
    {0x01, 0x7f, 0, 0, 1},	 {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Bytes of the character that begins here; 0: none does. Stops at a NUL. */
static size_t character_size(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;

	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
		const struct lead *lead = &leads[i];

		if (*byte < lead->from || *byte > lead->to)
			continue;
		if (lead->size > 1 && (byte[1] < lead->low || byte[1] > lead->high))
			return 0;
		for (size_t j = 2; j < lead->size; j++)
			if (byte[j] < 0x80 || byte[j] > 0xbf)
				return 0;
		return lead->size;
	}
	return 0;
}

/* C0, DEL and C1 (which is two bytes from 0xc2 0x80 to 0xc2 0x9f). */
static bool is_control(const char *text, size_t size)
{
	unsigned char first = (unsigned char)text[0];

	if (size == 1)
		return first < 0x20 || first == 0x7f;
	return size == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

size_t words_clean_size(const char *text)
{
	return strlen(text) * (sizeof(REPLACEMENT) - 1) + 1;
}

void words_clean(const char *text, bool printable, char *ret_text, size_t size)
{
	size_t used = 0;

	while (*text) {
		size_t taken = character_size(text), put = taken;
		const char *from = text;

		if (!taken) {
			from = REPLACEMENT;
			put = sizeof(REPLACEMENT) - 1;
			taken = 1;
		} else if (printable && is_control(text, taken)) {
			from = "?";
			put = 1;
		}
		if (used + put >= size)
			break;
		memcpy(ret_text + used, from, put);
		used += put;
		text += taken;
	}
	ret_text[used] = 0;
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t words_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += !is_continuation(*text);
	return width;
}

/* Where the character number `index` begins. */
static char *character_at(char *text, size_t index)
{
	for (; *text; text++) {
		if (is_continuation(*text))
			continue;
		if (!index--)
			break;
	}
	return text;
}

void words_cut_middle(char *text, size_t width)
{
	size_t now = words_width(text);

	if (now <= width || width < 5)
		return;
	size_t head = (width - 3) / 2, tail = width - 3 - head;
	char *cut = character_at(text, head);
	char *rest = character_at(text, now - tail);

	/* At least four characters go, so that three dots have room in front of what stays. */
	memset(cut, '.', 3);
	memmove(cut + 3, rest, strlen(rest) + 1);
}

void words_cut_end(char *text, size_t width)
{
	if (words_width(text) <= width || width < 3)
		return;
	memcpy(character_at(text, width - 3), "...", 4);
}

void words_time(double ns, char *ret_text, size_t size)
{
	static const struct unit {
		double below, scale;
		int digits;
		const char *name;
	} units[] = {
	    {9.95e3, 1e3, 1, "us"},   {0.9995e6, 1e3, 0, "us"}, {9.995e6, 1e6, 2, "ms"}, {99.95e6, 1e6, 1, "ms"},
	    {0.9995e9, 1e6, 0, "ms"}, {9.995e9, 1e9, 2, "s"},	{99.95e9, 1e9, 1, "s"},	 {0, 1e9, 0, "s"},
	};
	const struct unit *unit = units;

	while (unit->below && ns >= unit->below)
		unit++;
	snprintf(ret_text, size, "%.*f%s", unit->digits, ns / unit->scale, unit->name);
}

void words_size(uint64_t bytes, char *ret_text, size_t size)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < sizeof(names) / sizeof(names[0]); unit++)
		value /= 1024;
	snprintf(ret_text, size, "%.*f %s", unit && value < 9.95 ? 1 : 0, value, names[unit]);
}

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " ");
}

static const char *next_word(const char *text)
{
	return skip_spaces(text + strcspn(text, " "));
}

/* The first word behind its last slash. */
static const char *skip_directories(const char *text)
{
	const char *base = text;

	for (; *text && *text != ' '; text++)
		if (*text == '/' && text[1] && text[1] != ' ')
			base = text + 1;
	return base;
}

/* python, python3, python3.11, python3.13t, python3-dbg */
static bool is_interpreter(const char *base)
{
	static const char name[] = "python";
	size_t size = sizeof(name) - 1;

	return !strncmp(base, name, size) && strchr(" ", base[size + strspn(base + size, "0123456789.-dbgt")]);
}

/*
 * What an interpreter's option, a group of letters or a long one, leaves to be read: the next word, or for -m the
 * module. NULL: behind it no program's name comes (-c).
 */
static const char *skip_option(const char *option, bool *ret_module)
{
	const char *letter = option + 1;

	if (*letter == '-') /* the only one with a value of its own */
		return !strncmp(option, "--check-hash-based-pycs ", 24) ? next_word(next_word(option))
									: next_word(option);
	while (*letter && !strchr(" cmWX", *letter))
		letter++;
	bool attached = *letter && letter[1] && letter[1] != ' ';

	if (*letter == 'c')
		return NULL;
	*ret_module = *letter == 'm';
	if (*letter == 'm')
		return attached ? letter + 1 : next_word(letter);
	if ((*letter == 'W' || *letter == 'X') && !attached)
		return next_word(next_word(letter));
	return next_word(letter);
}

const char *words_command(const char *command)
{
	const char *all = skip_directories(skip_spaces(command)), *rest;
	bool module = false;

	if (*command == '[') /* a name in place of a command line that is empty */
		return command;
	if (!is_interpreter(all))
		return all;
	rest = next_word(all);
	while (rest && *rest == '-' && rest[1] && rest[1] != ' ' && !module)
		rest = skip_option(rest, &module);
	if (!rest || !*rest || *rest == '-') /* it reads a prompt, standard input or the command line */
		return all;
	return module ? rest : skip_directories(rest);
}

const char *words_file(const char *file)
{
	const char *last = strrchr(file, '/');
	const char *start = last;

	if (!last)
		return file;
	while (start > file && start[-1] != '/')
		start--;
	return start == last ? last + 1 : start;
}

void words_date(uint64_t ns, char *ret_text, size_t size)
{
	time_t seconds = (time_t)(ns / 1000000000u);
	struct tm parts;
	char date[40] = "";

	if (gmtime_r(&seconds, &parts))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret_text, size, "%s.%03uZ", date, (unsigned)(ns / 1000000u % 1000u));
}
