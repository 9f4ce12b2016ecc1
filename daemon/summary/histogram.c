/*
 * histogram.c: the log-bucketed distribution of histogram.h.
 *
 * The buckets are one array over the range of indexes that was seen, grown at either end. Its neighbours
 * are summary.c, which fills histograms, and the outputs, which ask for quantiles.
 */
#include "histogram.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PER_OCTAVE 64 /* scale 6: 2^6 buckets for each doubling */
#define GRAIN 32      /* the array grows by this many buckets, so that a jitter of latencies does not reallocate */

void histogram_free(struct histogram *histogram)
{
	free(histogram->buckets);
	*histogram = (struct histogram){0};
}

/*
 * The i with 2^(i/64) < value <= 2^((i+1)/64), for value > 0. The exponent is taken from the integer: the logarithm
 * of a large value has too few digits left to tell 2^50 from its neighbours, and powers of two are the bounds that
 * integers fall on.
 */
static int32_t bucket_index(uint64_t value)
{
	int32_t exponent = 63 - __builtin_clzll(value);

	if (!(value & (value - 1)))
		return exponent * PER_OCTAVE - 1;
	double fraction = ldexp((double)value, -exponent);
	int32_t step = (int32_t)ceil(log2(fraction) * PER_OCTAVE) - 1;

	if (step < 0)
		step = 0;
	if (step >= PER_OCTAVE)
		step = PER_OCTAVE - 1;
	return exponent * PER_OCTAVE + step;
}

static int32_t round_down(int32_t index)
{
	return index >= 0 ? index / GRAIN * GRAIN : -((-index + GRAIN - 1) / GRAIN * GRAIN);
}

/* Makes room for the indexes from `low` to `high`. */
static int cover(struct histogram *histogram, int32_t low, int32_t high)
{
	bool empty = histogram->size == 0;
	int32_t end = histogram->first + (int32_t)histogram->size; /* one past the last */

	if (!empty && low >= histogram->first && high < end)
		return 0;
	int32_t first = round_down(low);
	int32_t last = round_down(high) + GRAIN;

	if (!empty && first > histogram->first)
		first = histogram->first;
	if (!empty && last < end)
		last = end;
	uint32_t size = (uint32_t)(last - first);
	uint32_t *buckets = calloc(size, sizeof(*buckets));

	if (!buckets)
		return -ENOMEM;
	if (!empty)
		memcpy(buckets + (histogram->first - first), histogram->buckets, histogram->size * sizeof(*buckets));
	free(histogram->buckets);
	histogram->buckets = buckets;
	histogram->first = first;
	histogram->size = size;
	return 0;
}

/* A bucket stays at its limit rather than start again at 0: that takes hours at a million values a second. */
static void bump(uint32_t *bucket, uint32_t by)
{
	if (__builtin_add_overflow(*bucket, by, bucket))
		*bucket = UINT32_MAX;
}

static uint64_t add_saturated(uint64_t one, uint64_t other)
{
	return one > UINT64_MAX - other ? UINT64_MAX : one + other;
}

/* All but the buckets. */
static void note(struct histogram *histogram, uint64_t count, uint64_t sum, uint64_t min, uint64_t max)
{
	if (!histogram->count || min < histogram->min)
		histogram->min = min;
	if (max > histogram->max)
		histogram->max = max;
	histogram->count = add_saturated(histogram->count, count);
	histogram->sum = add_saturated(histogram->sum, sum);
}

int histogram_add(struct histogram *histogram, uint64_t value)
{
	note(histogram, 1, value, value, value);
	if (!value) {
		histogram->zeros++;
		return 0;
	}
	int32_t index = bucket_index(value);
	int err = cover(histogram, index, index);

	if (err)
		return err;
	bump(&histogram->buckets[index - histogram->first], 1);
	return 0;
}

int histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (!from->count)
		return 0;
	note(into, from->count, from->sum, from->min, from->max);
	into->zeros = add_saturated(into->zeros, from->zeros);
	if (!from->size)
		return 0;
	int err = cover(into, from->first, from->first + (int32_t)from->size - 1);

	if (err)
		return err;
	for (uint32_t i = 0; i < from->size; i++)
		bump(&into->buckets[from->first - into->first + (int32_t)i], from->buckets[i]);
	return 0;
}

/* How many values are in a bucket: less than `count` where memory was short. */
static uint64_t bucketed(const struct histogram *histogram)
{
	uint64_t total = histogram->zeros;

	for (uint32_t i = 0; i < histogram->size; i++)
		total += histogram->buckets[i];
	return total;
}

static double clamp(double value, uint64_t low, uint64_t high)
{
	if (value < (double)low)
		return (double)low;
	return value > (double)high ? (double)high : value;
}

double histogram_quantile(const struct histogram *histogram, double fraction)
{
	uint64_t total = bucketed(histogram);

	if (!total)
		return (double)histogram->max;
	double rank = ceil(fraction * (double)total);
	double seen = (double)histogram->zeros;

	if (rank < 1)
		rank = 1;
	if (rank <= seen)
		return 0;
	for (uint32_t i = 0; i < histogram->size; i++) {
		seen += histogram->buckets[i];
		if (rank <= seen) {
			double middle = exp2((histogram->first + (int32_t)i + 0.5) / PER_OCTAVE);

			return clamp(middle, histogram->min, histogram->max);
		}
	}
	return (double)histogram->max;
}
