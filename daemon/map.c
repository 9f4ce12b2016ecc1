/*
 * map.c: see map.h. Open addressing: who finds a slot taken goes on to the next one. It is never more than half full.
 */
#include "map.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "hash.h"

#define FIRST_ROOM 16

/* Where the number belongs if all have their own slot. */
static size_t home_of(const struct map *map, uint64_t number)
{
	return hash_number(number) & (map->room - 1);
}

/* Where it is, or where it would be. */
static size_t place_of(const struct map *map, uint64_t number)
{
	size_t at = home_of(map, number);

	while (map->slots[at].what && map->slots[at].number != number)
		at = (at + 1) & (map->room - 1);
	return at;
}

void *map_find(const struct map *map, uint64_t number)
{
	return map->room ? map->slots[place_of(map, number)].what : NULL;
}

void map_expect(const struct map *map, uint64_t number)
{
	if (map->room)
		__builtin_prefetch(&map->slots[home_of(map, number)]);
}

static int grow(struct map *map)
{
	struct map larger = {.room = map->room ? 2 * map->room : FIRST_ROOM, .count = map->count};

	larger.slots = calloc(larger.room, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->room; i++)
		if (map->slots[i].what)
			larger.slots[place_of(&larger, map->slots[i].number)] = map->slots[i];
	free(map->slots);
	*map = larger;
	return 0;
}

int map_add(struct map *map, uint64_t number, void *what)
{
	int error = 2 * (map->count + 1) > map->room ? grow(map) : 0;

	if (error)
		return error;
	map->slots[place_of(map, number)] = (struct map_slot){number, what};
	map->count++;
	return 0;
}

/* Those behind may have been on their way to the slot that is free now. */
void map_remove(struct map *map, uint64_t number)
{
	size_t mask = map->room - 1, at = map->room ? place_of(map, number) : 0;

	if (!map->room || !map->slots[at].what)
		return;
	map->count--;
	for (size_t next = (at + 1) & mask; map->slots[next].what; next = (next + 1) & mask) {
		size_t home = home_of(map, map->slots[next].number);

		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		map->slots[at] = map->slots[next];
		at = next;
	}
	map->slots[at].what = NULL;
}

void *map_next(const struct map *map, size_t *at)
{
	while (*at < map->room) {
		void *what = map->slots[(*at)++].what;

		if (what)
			return what;
	}
	return NULL;
}

void map_free(struct map *map)
{
	free(map->slots);
	*map = (struct map){0};
}
