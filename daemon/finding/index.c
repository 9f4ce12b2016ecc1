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

/* Numbers may be near each other: spreads them (splitmix64's last steps). */
static uint64_t mix(uint64_t number)
{
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

/* Where it is, or where it would be. */
static struct index_entry *place_of(const struct plan_index *index, uint64_t id)
{
	for (uint64_t at = mix(id);; at++) {
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

static uint64_t hash_backend(const struct run_call *call)
{
	return XXH3_64bits(&call->where, sizeof(call->where));
}

/* Each call's, made when the first one is asked for; NULL without memory. */
static const uint64_t *hash_backends(struct plan *plan)
{
	uint64_t *backends = plan->backends;

	if (backends)
		return backends;
	backends = plan_allocate(plan, plan->run->made_count * sizeof(*backends));
	for (size_t i = 0; backends && i < plan->run->made_count; i++)
		backends[i] = hash_backend(&plan->run->made[i]);
	return plan->backends = backends;
}

uint64_t index_id(struct plan *plan, uint32_t i, uint32_t what, uint64_t number)
{
	const uint64_t *backends = hash_backends(plan);
	uint64_t backend = backends ? backends[i] : hash_backend(&plan->run->made[i]);

	return mix((backend ^ number) + what);
}
