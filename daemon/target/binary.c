/*
 * binary.c: what an executable or library says about the CPython in it.
 *
 * inspect.c asks for each process; hundreds of workers run the same file, so the answers are remembered.
 * Everything comes from the file itself, so that a renamed or stripped interpreter is known all the same.
 */
#define _GNU_SOURCE
#include "binary.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file_id.h"
#include "layout.h"
#include "usdt.h"

enum { SYMBOL_RUNTIME, SYMBOL_VERSION, SYMBOL_GET_VERSION, SYMBOL_COUNT };

/* A decimal number of at most three digits that fits in a byte. Returns its length, 0: none. */
static size_t binary_take_number(const char *text, size_t size, uint8_t *ret_number)
{
	unsigned number = 0;
	size_t i;

	for (i = 0; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
		number = number * 10 + (unsigned)(text[i] - '0');
		if (i == 3 || number > UINT8_MAX)
			return 0;
	}
	*ret_number = (uint8_t)number;
	return i;
}

bool binary_parse_name(const char *text, size_t size, uint8_t *ret_major, uint8_t *ret_minor)
{
	static const char word[] = "python";
	const char *at = text, *end = text + size;
	uint8_t major, minor;
	size_t length;

	while ((at = memmem(at, (size_t)(end - at), word, sizeof(word) - 1))) {
		at += sizeof(word) - 1;
		length = binary_take_number(at, (size_t)(end - at), &major);
		if (length != 1 || at + length == end || at[length] != '.')
			continue;
		at += length + 1;
		length = binary_take_number(at, (size_t)(end - at), &minor);
		if (length == 0)
			continue;
		*ret_major = major;
		*ret_minor = minor;
		return true;
	}
	return false;
}

/*
 * The micro version: a string that is, or ends in, "3.9.2" or "3.9.2+" or "3.9.0rc1": linkers merge PY_VERSION into
 * longer strings with that end. The first that stands alone, else the first at all; 0: none.
 */
static uint8_t binary_find_micro(const char *text, size_t size, const char *prefix)
{
	size_t prefix_length = strlen(prefix), length;
	const char *at = text, *end = text + size, *found;
	uint8_t micro, best = 0;

	while ((found = memmem(at, (size_t)(end - at), prefix, prefix_length))) {
		at = found + prefix_length;
		if (found > text && ((found[-1] >= '0' && found[-1] <= '9') || found[-1] == '.'))
			continue;
		length = binary_take_number(at, (size_t)(end - at), &micro);
		if (length == 0 || at + length == end || !strchr("+abr", at[length]))
			continue;
		if (found == text || found[-1] == '\0')
			return micro;
		if (best == 0)
			best = micro;
	}
	return best;
}

/* 3.8 to 3.10 have no version in a symbol; the import path is built from "python3.9" in every build. */
static bool binary_search_strings(struct elf_file *file, uint8_t version[3])
{
	struct elf_section section;
	char prefix[16];
	const char *text;

	if (!elf_file_find_section(file, ".rodata", &section) || !section.data)
		return false;
	text = (const char *)section.data;
	if (!binary_parse_name(text, section.size, &version[0], &version[1]))
		return false;
	snprintf(prefix, sizeof(prefix), "%u.%u.", version[0], version[1]);
	version[2] = binary_find_micro(text, section.size, prefix);
	return true;
}

/* PY_VERSION_HEX: 0x030b02f0 is 3.11.2 final. */
static bool binary_split_version(uint64_t hex, uint8_t version[3])
{
	if (hex >> 32 || hex >> 24 < 2 || hex >> 24 > 9)
		return false;
	version[0] = (uint8_t)(hex >> 24);
	version[1] = (uint8_t)(hex >> 16);
	version[2] = (uint8_t)(hex >> 8);
	return true;
}

/* In order of what is most certain. */
static bool binary_find_version(struct elf_file *file, const struct layout_debug *debug, uint64_t version_symbol,
				uint8_t version[3])
{
	uint64_t hex;

	if (debug && binary_split_version(debug->version, version))
		return true;
	if (version_symbol != 0 && elf_file_read(file, version_symbol, &hex, sizeof(hex)) == sizeof(hex) &&
	    binary_split_version(hex, version))
		return true;
	return binary_search_strings(file, version);
}

static bool binary_find_runtime(struct elf_file *file, struct elf_symbol *symbols)
{
	struct elf_section section;

	elf_file_find_symbols(file, ELF_DYNAMIC_SYMBOLS, symbols, SYMBOL_COUNT);
	if (symbols[SYMBOL_RUNTIME].address == 0)
		elf_file_find_symbols(file, ELF_ALL_SYMBOLS, symbols, SYMBOL_COUNT);
	/* An interpreter within a program that was stripped of all symbols: 3.10 on keep it in a section of its own. */
	if (symbols[SYMBOL_RUNTIME].address == 0 && elf_file_find_section(file, ".PyRuntime", &section))
		symbols[SYMBOL_RUNTIME].address = section.address;
	return symbols[SYMBOL_RUNTIME].address != 0 || symbols[SYMBOL_GET_VERSION].address != 0;
}

void binary_set_version(struct binary *binary, uint8_t major, uint8_t minor, uint8_t micro)
{
	const struct nt_layout *row = layout_find(major, minor);

	binary->version[0] = major;
	binary->version[1] = minor;
	binary->version[2] = micro;
	if (row)
		binary->layout = *row;
}

static void binary_read_python(struct elf_file *file, struct binary *binary)
{
	struct elf_symbol symbols[SYMBOL_COUNT] = {
	    [SYMBOL_RUNTIME] = {.name = "_PyRuntime"},
	    [SYMBOL_VERSION] = {.name = "Py_Version"},
	    [SYMBOL_GET_VERSION] = {.name = "Py_GetVersion"},
	};
	uint64_t words[LAYOUT_MAX_WORDS];
	struct layout_debug debug;
	uint8_t version[3];
	size_t count = 0;
	bool has_debug;

	binary->python = binary_find_runtime(file, symbols);
	if (!binary->python)
		return;
	binary->runtime = symbols[SYMBOL_RUNTIME].address;
	if (binary->runtime != 0)
		count = elf_file_read(file, binary->runtime, words, sizeof(words)) / sizeof(words[0]);
	has_debug = layout_read_debug(words, count, &debug);
	binary->free_threaded = has_debug && debug.free_threaded;
	if (binary_find_version(file, has_debug ? &debug : NULL, symbols[SYMBOL_VERSION].address, version))
		binary_set_version(binary, version[0], version[1], version[2]);
	if (has_debug && binary->layout.major != 0)
		layout_refine(&binary->layout, words, count);
	usdt_read(file, &binary->usdt);
}

int binary_parse(int fd, struct binary *ret_binary)
{
	struct binary binary = {0};
	const struct elf_load *loads;
	struct elf_file *file;
	int r;

	r = elf_file_open(fd, &file, &binary.kind);
	if (r == 0) {
		binary.relocatable = elf_file_is_relocatable(file);
		binary.load_count = elf_file_loads(file, &loads);
		memcpy(binary.loads, loads, binary.load_count * sizeof(*loads));
		binary_read_python(file, &binary);
		elf_file_free(file);
	}
	*ret_binary = binary;
	return r;
}

/* What was read and what came of it, errors too: a file that is no Python stays none. */
struct binary_entry {
	struct file_id id;
	struct binary binary;
	int result;
	bool used;
};

int binary_read(int fd, struct binary *ret_binary)
{
	static struct binary_entry cache[BINARY_CACHE];
	static unsigned next; /* the oldest: it makes room */
	struct binary_entry *entry;
	struct stat status;
	struct file_id id;
	unsigned i;

	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	id = file_id_of(&status);
	for (i = 0; i < BINARY_CACHE; i++)
		if (cache[i].used && file_id_is_equal(&cache[i].id, &id))
			break;
	if (i == BINARY_CACHE) {
		i = next;
		next = (next + 1) % BINARY_CACHE;
		entry = &cache[i];
		*entry = (struct binary_entry){.used = true, .id = id};
		entry->result = binary_parse(fd, &entry->binary);
		/* An error of this moment is no property of the file. */
		entry->used = entry->result == 0 || entry->result == -ENOEXEC || entry->result == -ENOTSUP;
	}
	*ret_binary = cache[i].binary;
	return cache[i].result;
}
