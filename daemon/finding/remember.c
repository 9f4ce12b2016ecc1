/*
 * remember.c: bounded tables across runs, see remember.h. A hash table of uthash's keeps the order in which entries
 * were added: the first one is the oldest.
 */
#include "remember.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->refused = true)
#include <uthash.h>

struct remembered {
	UT_hash_handle hh;
	uint64_t id;
	struct remember_value value;
	bool refused;
};

static struct remembered *find(const struct remember_table *table, uint64_t id)
{
	struct remembered *entry;

	HASH_FIND(hh, table->oldest, &id, sizeof(id), entry);
	return entry;
}

struct remember_value *remember_find(const struct remember_table *table, uint64_t id)
{
	struct remembered *entry = find(table, id);

	return entry ? &entry->value : NULL;
}

/* An entry that is in no table: the one of this id, the oldest one if there is no more room, or a new one. */
static struct remembered *take(struct remember_table *table, uint64_t id)
{
	struct remembered *entry = find(table, id);

	if (entry) {
		HASH_DEL(table->oldest, entry);
		return entry;
	}
	if (HASH_COUNT(table->oldest) < table->size)
		return calloc(1, sizeof(*entry));
	entry = table->oldest;
	HASH_DEL(table->oldest, entry);
	++*table->refused;
	table->lost = entry->value.when > table->lost ? entry->value.when : table->lost;
	*entry = (struct remembered){.id = id};
	return entry;
}

struct remember_value *remember_put(struct remember_table *table, uint64_t id, uint64_t when)
{
	struct remembered *entry = take(table, id);

	if (entry) {
		entry->id = id;
		entry->value.when = when;
		HASH_ADD(hh, table->oldest, id, sizeof(entry->id), entry);
	}
	if (!entry || entry->refused) {
		free(entry);
		++*table->refused;
		return NULL;
	}
	return &entry->value;
}

static void drop(struct remember_table *table, struct remembered *entry)
{
	HASH_DEL(table->oldest, entry); /* NOLINT(clang-analyzer-unix.Malloc): the oldest one has none before it */
	free(entry);
}

void remember_drop(struct remember_table *table, uint64_t id)
{
	struct remembered *entry = find(table, id);

	if (entry)
		drop(table, entry);
}

void remember_expire(struct remember_table *table, uint64_t before)
{
	struct remembered *entry = table->oldest, *next;

	for (; entry && entry->value.when < before; entry = next) {
		next = entry->hh.next;
		drop(table, entry);
	}
}

void remember_clear(struct remember_table *table)
{
	struct remembered *entry = table->oldest, *next;

	HASH_CLEAR(hh, table->oldest); /* frees the table, not what was in it */
	for (; entry; entry = next) {
		next = entry->hh.next;
		free(entry);
	}
}
