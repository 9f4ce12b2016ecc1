/*
 * remember.c: bounded tables across runs, see remember.h.
 *
 * Entries are a ring in the order in which they were put, in one piece of memory, of which the kernel gives as much as
 * was ever used. A map finds them by their ids.
 */
#include "remember.h"

#include <stdlib.h>

struct remembered {
	uint64_t id;
	struct remember_value value;
	struct remembered *older, *newer; /* `newer` of one that is free: the next free one */
};

/* The ends of the ring: it has the newest entry before it and the oldest one behind. */
static struct remembered *ends(const struct remember_table *table)
{
	return &table->entries[0];
}

static bool begin(struct remember_table *table)
{
	if (!table->entries) {
		table->entries = calloc(table->size + 1, sizeof(*table->entries));
		if (table->entries)
			ends(table)->older = ends(table)->newer = ends(table);
	}
	return table->entries;
}

static void leave_ring(struct remembered *entry)
{
	entry->older->newer = entry->newer;
	entry->newer->older = entry->older;
}

static void join_ring(struct remember_table *table, struct remembered *entry)
{
	entry->newer = ends(table);
	entry->older = ends(table)->older;
	entry->older->newer = entry;
	ends(table)->older = entry;
}

struct remember_value *remember_find(const struct remember_table *table, uint64_t id)
{
	struct remembered *entry = map_find(&table->by_id, id);

	return entry ? &entry->value : NULL;
}

void remember_expect(const struct remember_table *table, uint64_t id)
{
	map_expect(&table->by_id, id);
}

static void drop(struct remember_table *table, struct remembered *entry)
{
	map_remove(&table->by_id, entry->id);
	leave_ring(entry);
	entry->newer = table->free;
	table->free = entry;
}

/* A place for an entry; where there is no more, the oldest one makes it. */
static struct remembered *take_place(struct remember_table *table)
{
	struct remembered *entry, *oldest = ends(table)->newer;

	if (!table->free && table->used < table->size)
		return &table->entries[++table->used];
	if (!table->free) {
		++*table->refused;
		table->lost = oldest->value.when > table->lost ? oldest->value.when : table->lost;
		drop(table, oldest);
		map_expect(&table->by_id, ends(table)->newer->id); /* it is the next one to go */
	}
	entry = table->free;
	table->free = entry->newer;
	return entry;
}

/* A new entry, not in the ring yet; NULL without memory. */
static struct remembered *add(struct remember_table *table, uint64_t id)
{
	struct remembered *entry = take_place(table);

	*entry = (struct remembered){.id = id};
	if (!map_add(&table->by_id, id, entry))
		return entry;
	entry->newer = table->free;
	table->free = entry;
	return NULL;
}

struct remember_value *remember_put(struct remember_table *table, uint64_t id, uint64_t when)
{
	struct remembered *entry = map_find(&table->by_id, id);

	if (entry)
		leave_ring(entry);
	else if (begin(table))
		entry = add(table, id);
	if (!entry) {
		++*table->refused;
		return NULL;
	}
	join_ring(table, entry);
	entry->value.when = when;
	return &entry->value;
}

void remember_drop(struct remember_table *table, uint64_t id)
{
	struct remembered *entry = map_find(&table->by_id, id);

	if (entry)
		drop(table, entry);
}

void remember_expire(struct remember_table *table, uint64_t before)
{
	while (table->by_id.count && ends(table)->newer->value.when < before)
		drop(table, ends(table)->newer);
}

void remember_clear(struct remember_table *table)
{
	map_free(&table->by_id);
	free(table->entries);
}
