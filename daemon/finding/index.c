/*
 * index.c: a table of numbers, see index.h. Open addressing; it is never more than half full.
 */
#include "index.h"

#include <xxhash.h>

bool index_begin(struct plan *plan, size_t room, struct plan_index *ret_index)
{
	size_t size = 16;

	while (size < 2 * room)
		size *= 2;
	*ret_index = (struct plan_index){
	    .entries = plan_allocate(plan, size * sizeof(*ret_index->entries)),
	    .mask = size - 1,
	};
	return ret_index->entries != NULL;
}

/* Where it is, or where it would be. */
static struct index_entry *place_of(const struct plan_index *index, uint64_t id)
{
	/* Values are 32 bits and ids of the same run may be near each other: mix them (splitmix64's last step). */
	uint64_t at = (id ^ id >> 31) * UINT64_C(0x94d049bb133111eb);

	for (at ^= at >> 29;; at++) {
		struct index_entry *entry = &index->entries[at & index->mask];

		if (!entry->used || entry->id == id)
			return entry;
	}
}

struct index_entry *index_get(struct plan_index *index, uint64_t id)
{
	struct index_entry *entry = place_of(index, id);

	entry->used = true;
	entry->id = id;
	return entry;
}

struct index_entry *index_find(const struct plan_index *index, uint64_t id)
{
	struct index_entry *entry = place_of(index, id);

	return entry->used ? entry : NULL;
}

uint64_t index_id(const struct call_backend *where, uint32_t what, uint64_t number)
{
	return XXH3_64bits_withSeed(where, sizeof(*where), number ^ (uint64_t)what << 56);
}
