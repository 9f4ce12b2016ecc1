/*
 * remember.h: what is remembered across runs, by number, in tables of a stated size: where one is full, what was put
 * there longest ago leaves, and is counted.
 */
#ifndef NT_FINDING_REMEMBER_H
#define NT_FINDING_REMEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "../map.h"

struct remembered;

struct remember_table {
	uint32_t size;	   /* entries at most */
	uint64_t *refused; /* counts those that left too early, or had no memory; the owner's */
	uint64_t lost;	   /* the newest `when` of those that left too early */
	/* remember.c's: */
	struct map by_id;
	struct remembered *entries, *free; /* `size` and one; the first one that was given back */
	uint32_t used;			   /* of them, ever */
};

struct remember_value {
	uint64_t when;	 /* as put */
	uint64_t number; /* the owner's, as are the next three */
	uint64_t other, third;
	bool mark;
};

/* NULL: not there. Valid until the table changes, as is the next one. */
struct remember_value *remember_find(const struct remember_table *table, uint64_t id);
/* It will be asked for soon: of many, all are there sooner when they are told before. */
void remember_expect(const struct remember_table *table, uint64_t id);
/* The entry, made if it was not there, as the newest one of now; NULL without memory (counted). */
struct remember_value *remember_put(struct remember_table *table, uint64_t id, uint64_t when);
void remember_drop(struct remember_table *table, uint64_t id);
/* What was put before then leaves, for good reason. */
void remember_expire(struct remember_table *table, uint64_t before);
void remember_clear(struct remember_table *table);

#endif
