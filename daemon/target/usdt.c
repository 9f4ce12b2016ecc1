/*
 * usdt.c: which of CPython's USDT probes a file has.
 *
 * Format of a note: <sys/sdt.h>'s STAP_PROBE: owner "stapsdt", type 3, then three addresses (site, base, semaphore)
 * and three strings (provider, name, arguments). That a note is there does not say that it ever fires: see event.h
 * and docs. Whoever attaches finds the site itself; here we only say what is worth trying.
 */
#include "usdt.h"

#include <elf.h>
#include <string.h>

#define STAPSDT_TYPE 3
#define STAPSDT_ADDRESSES (3 * sizeof(uint64_t))

/* The string at `*at`, which must end before `end`; moves `*at` behind it. NULL: it does not. */
static const char *usdt_take_string(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at, *nul;

	nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
	if (!nul)
		return NULL;
	*at = nul + 1;
	return (const char *)text;
}

static void usdt_read_note(const uint8_t *at, const uint8_t *end, struct target_usdt *usdt)
{
	const char *provider, *name;

	if ((size_t)(end - at) < STAPSDT_ADDRESSES)
		return;
	at += STAPSDT_ADDRESSES;
	provider = usdt_take_string(&at, end);
	name = provider ? usdt_take_string(&at, end) : NULL;
	if (!name || strcmp(provider, "python") != 0)
		return;
	if (strcmp(name, "function__entry") == 0)
		usdt->entry = true;
	else if (strcmp(name, "function__return") == 0)
		usdt->returned = true;
}

void usdt_read(struct elf_file *file, struct target_usdt *ret_usdt)
{
	struct target_usdt usdt = {0};
	struct elf_section section;
	size_t left, name, body;
	Elf64_Nhdr note;
	const uint8_t *at;

	*ret_usdt = usdt;
	if (!elf_file_find_section(file, ".note.stapsdt", &section) || !section.data)
		return;
	for (at = section.data, left = section.size; left >= sizeof(note); at += body, left -= body) {
		memcpy(&note, at, sizeof(note));
		at += sizeof(note);
		left -= sizeof(note);
		name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
		body = ((size_t)note.n_descsz + 3) & ~(size_t)3;
		if (name > left || note.n_descsz > left - name)
			break;
		if (note.n_type == STAPSDT_TYPE && note.n_namesz == sizeof("stapsdt") &&
		    memcmp(at, "stapsdt", sizeof("stapsdt")) == 0)
			usdt_read_note(at + name, at + name + note.n_descsz, &usdt);
		at += name;
		left -= name;
		if (body > left)
			break; /* the last one may lack its padding */
	}
	*ret_usdt = usdt;
}
