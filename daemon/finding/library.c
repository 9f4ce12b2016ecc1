/*
 * library.c: what client libraries take around their calls, learned from runs as they are. See plan.h.
 *
 * Between two calls of one lane to the same backend lie the library's time after the first and before the second, and
 * what the application does between. A loop that asks one thing after the other does next to nothing between: so of all
 * such gaps a short one is the library's alone. Where a backend is never asked twice in a row, its calls' gaps to
 * others' serve, of which half is the other's.
 */
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

#define uthash_nonfatal_oom(element) ((element)->refused = true)
#include "../hash.h"

#define MAX_LIBRARIES 1024 /* backends whose gaps are kept */
#define BUCKETS_PER_OCTAVE 8
#define OCTAVES 20 /* from SHORTEST on: up to 1 s */
#define BUCKETS (BUCKETS_PER_OCTAVE * OCTAVES)
#define SHORTEST 1024	     /* ns; shorter gaps are in the first bucket */
#define SHARE 4		     /* one in so many gaps is taken for the library's alone, or shorter */
#define MAX_COUNT (1u << 16) /* then all counts are halved, so that what changes is learned again */
#define REVISED 8	     /* what is known is revised when it has seen one in so many more */
#define RECENT 4

struct gaps {
	uint32_t count, counted; /* in buckets; when `known` was found, 0: it is to be found */
	uint64_t known;		 /* ns */
	uint32_t buckets[BUCKETS];
};

struct library_key {
	const char *protocol; /* static */
	struct call_backend where;
	uint32_t zero; /* where the compiler would leave a hole */
};

struct library {
	UT_hash_handle hh;
	struct library_key key;
	bool refused;
	struct gaps alike, mixed; /* to calls of the same backend, and to others' */
};

struct library_table {
	struct library *libraries;
	struct library *recent[RECENT]; /* that were asked for lately */
	unsigned recent_next;		/* where the next one goes, modulo RECENT */
	unsigned count;
};

static struct library_key key_of(const char *protocol, const struct call_backend *where)
{
	struct library_key key;

	memset(&key, 0, sizeof(key));
	key.protocol = protocol;
	key.where = *where;
	return key;
}

static struct library *find_library(struct plan *plan, const struct library_key *key)
{
	struct library_table *table = *plan_libraries(plan->stage);
	struct library *library;

	if (!table)
		return NULL;
	for (unsigned i = 0; i < RECENT && table->recent[i]; i++)
		if (!memcmp(&table->recent[i]->key, key, sizeof(*key)))
			return table->recent[i];
	HASH_FIND(hh, table->libraries, key, sizeof(*key), library);
	if (library)
		table->recent[table->recent_next++ % RECENT] = library;
	return library;
}

static struct library_table *get_table(struct plan *plan)
{
	struct library_table **table = plan_libraries(plan->stage);

	if (!*table)
		*table = calloc(1, sizeof(**table));
	if (!*table)
		plan->no_memory = true;
	return *table;
}

static struct library *get_library(struct plan *plan, const struct run_call *call)
{
	struct library_key key = key_of(call->protocol, &call->where);
	struct library *library = find_library(plan, &key);
	struct library_table *table;

	if (library)
		return library;
	table = get_table(plan);
	if (!table)
		return NULL;
	if (table->count == MAX_LIBRARIES) {
		plan_stats(plan->stage)->libraries_refused++;
		return NULL;
	}
	library = calloc(1, sizeof(*library));
	if (!library) {
		plan->no_memory = true;
		return NULL;
	}
	library->key = key;
	HASH_ADD(hh, table->libraries, key, sizeof(library->key), library);
	if (library->refused) {
		free(library);
		plan->no_memory = true;
		return NULL;
	}
	table->count++;
	return library;
}

static unsigned bucket_of(uint64_t gap)
{
	unsigned octave;

	if (gap < SHORTEST)
		return 0;
	octave = (unsigned)(__builtin_clzll(SHORTEST) - __builtin_clzll(gap));
	if (octave >= OCTAVES)
		return BUCKETS - 1;
	gap = (gap >> octave) - SHORTEST;
	return octave * BUCKETS_PER_OCTAVE + (unsigned)(gap * BUCKETS_PER_OCTAVE / SHORTEST);
}

static uint64_t bucket_middle(unsigned bucket)
{
	unsigned octave = bucket / BUCKETS_PER_OCTAVE, part = bucket % BUCKETS_PER_OCTAVE;
	uint64_t step = SHORTEST / BUCKETS_PER_OCTAVE;

	return ((SHORTEST + part * step) << octave) + (step << octave) / 2;
}

static void add_gap(struct gaps *gaps, uint64_t gap)
{
	if (gaps->count >= MAX_COUNT) {
		gaps->count = 0;
		for (unsigned i = 0; i < BUCKETS; i++)
			gaps->count += gaps->buckets[i] /= 2;
		gaps->counted = 0;
	}
	gaps->buckets[bucket_of(gap)]++;
	gaps->count++;
}

static uint64_t known_gap(struct gaps *gaps)
{
	uint32_t below = 0;
	unsigned i = 0;

	if (!gaps->count)
		return 0;
	if (gaps->counted && gaps->count - gaps->counted <= gaps->counted / REVISED)
		return gaps->known;
	while ((below += gaps->buckets[i]) * SHARE < gaps->count)
		i++;
	gaps->known = bucket_middle(i);
	gaps->counted = gaps->count;
	return gaps->known;
}

uint64_t library_time(struct plan *plan, const char *protocol, const struct call_backend *where)
{
	struct library_key key = key_of(protocol, where);
	struct library *library = find_library(plan, &key);
	uint64_t alike = library ? known_gap(&library->alike) : 0;

	return alike || !library ? alike : known_gap(&library->mixed);
}

static void learn_gap(struct plan *plan, const struct run_call *from, const struct run_call *to, uint64_t gap)
{
	bool alike = from->protocol == to->protocol && !memcmp(&from->where, &to->where, sizeof(to->where));
	struct library *library = get_library(plan, to);

	if (library)
		add_gap(alike ? &library->alike : &library->mixed, gap);
	library = alike ? NULL : get_library(plan, from);
	if (library)
		add_gap(&library->mixed, gap);
}

void library_learn(struct plan *plan)
{
	const struct timeline *timeline = timeline_get(plan);
	const struct run_call *made = plan->run->made;

	for (uint32_t i = 0; timeline && i < timeline->block_count; i++) {
		const struct timeline_block *block = &timeline->blocks[i];
		uint32_t from = timeline_follows(block) ? timeline->blocks[block->before].call : TIMELINE_NONE;

		if (from != TIMELINE_NONE && block->call != TIMELINE_NONE)
			learn_gap(plan, &made[from], &made[block->call], block->gap);
	}
}

void library_free(struct library_table *table)
{
	struct library *library, *next;

	if (!table)
		return;
	library = table->libraries;
	HASH_CLEAR(hh, table->libraries);
	for (; library; library = next) {
		next = library->hh.next;
		free(library);
	}
	free(table);
}
