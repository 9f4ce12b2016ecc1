/*
 * hash.h: uthash as this program uses it: a table that cannot grow says so, its chains are short, and its hash is quick
 * for what its keys mostly are: numbers.
 *
 * Who includes this may define before what becomes of an element for which there was no memory (uthash_nonfatal_oom);
 * by default its hh.tbl is NULL.
 */
#ifndef NT_HASH_H
#define NT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xxhash.h>

/* What tables use of a hash are the lowest bits. */
static inline unsigned hash_number(uint64_t number)
{
	number = (number ^ number >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(number >> 32);
}

static inline unsigned hash_key(const void *key, size_t size)
{
	uint64_t number = 0;

	if (size > sizeof(number))
		return (unsigned)XXH3_64bits(key, size);
	memcpy(&number, key, size);
	return hash_number(number);
}

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, size, hash) ((hash) = hash_key((key), (size)))
#include <uthash.h>

/* A table grows when a chain is this long. Each link of a chain is a place in memory that was not looked at lately. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 6U

#endif
