/*
 * map.h: what has a number, found by it.
 *
 * For large tables that are asked all the time: mostly one look into memory finds it, or finds that it is not there.
 * Tables of uthash's (hash.h) keep an order as well, and know other keys.
 */
#ifndef NT_MAP_H
#define NT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t number;
	void *what; /* NULL: free */
};

/* Zeroed memory is an empty map. */
struct map {
	struct map_slot *slots;
	size_t room, count; /* `room` is a power of two, or 0 */
};

/* NULL: not there. */
void *map_find(const struct map *map, uint64_t number);
/* It will be asked for soon: the memory can be fetched meanwhile. */
void map_expect(const struct map *map, uint64_t number);
/* Takes in what is not there yet. 0 or -ENOMEM. */
int map_add(struct map *map, uint64_t number, void *what);
void map_remove(struct map *map, uint64_t number);

/* What is in a slot from `at` on, which becomes the one behind; NULL: no more. For all: begin with 0. */
void *map_next(const struct map *map, size_t *at);

/* Frees the map, and empties it. */
void map_free(struct map *map);

#endif
