/*
 * histogram.h: a distribution of times with a relative error of at most 1 %.
 *
 * Log-bucketed: bucket i holds values in (2^(i/64), 2^((i+1)/64)], OTLP's exponential histogram at scale 6, so
 * that a bucket's middle is within 0.55 % of any value in it. Grows with the range it sees; mergeable.
 */
#ifndef NT_HISTOGRAM_H
#define NT_HISTOGRAM_H

#include <stdint.h>

struct histogram {
	uint64_t count, sum, max, min;
	uint64_t zeros;	   /* values of 0 */
	int32_t first;	   /* index of buckets[0] */
	uint32_t size;	   /* buckets there are */
	uint32_t *buckets; /* owned */
};

/* Zeroed memory is an empty histogram. */
void histogram_free(struct histogram *histogram);

/* 0 or -ENOMEM, then count, sum and max have it but no bucket does. */
int histogram_add(struct histogram *histogram, uint64_t value);
int histogram_merge(struct histogram *into, const struct histogram *from);

/* The value at `fraction` (0..1) of the distribution, never above max nor below min; 0 when empty. */
double histogram_quantile(const struct histogram *histogram, double fraction);

#endif
