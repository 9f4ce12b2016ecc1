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

#define PER_OCTAVE_LOG2 6 /* OTLP's scale: 2^6 buckets for each doubling */
#define PER_OCTAVE (1 << PER_OCTAVE_LOG2)
#define GRAIN 32 /* the array grows by this many buckets, so that a jitter of latencies does not reallocate */

void histogram_free(struct histogram *histogram)
{
	free(histogram->buckets);
	*histogram = (struct histogram){0};
}

/* 2^(63 + i/64), rounded down: what is above this is above the bound. */
static const uint64_t bounds[PER_OCTAVE] = {
    0x8000000000000000, 0x8164d1f3bc030773, 0x82cd8698ac2ba1d7, 0x843a28c3acde4046, 0x85aac367cc487b14,
    0x871f61969e8d1010, 0x88980e8092da8527, 0x8a14d575496efd9a, 0x8b95c1e3ea8bd6e6, 0x8d1adf5b7e5ba9e5,
    0x8ea4398b45cd53c0, 0x9031dc431466b1dc, 0x91c3d373ab11c336, 0x935a2b2f13e6e92b, 0x94f4efa8fef70961,
    0x96942d3720185a00, 0x9837f0518db8a96f, 0x99e0459320b7fa64, 0x9b8d39b9d54e5538, 0x9d3ed9a72cffb750,
    0x9ef5326091a111ad, 0xa0b0510fb9714fc2, 0xa27043030c496818, 0xa43515ae09e6809e, 0xa5fed6a9b15138ea,
    0xa7cd93b4e9653569, 0xa9a15ab4ea7c0ef8, 0xab7a39b5a93ed337, 0xad583eea42a14ac6, 0xaf3b78ad690a4374,
    0xb123f581d2ac258f, 0xb311c412a9112489, 0xb504f333f9de6484, 0xb6fd91e328d17791, 0xb8fbaf4762fb9ee9,
    0xbaff5ab2133e45fb, 0xbd08a39f580c36be, 0xbf1799b67a731082, 0xc12c4cca66709456, 0xc346ccda24976407,
    0xc5672a115506dadd, 0xc78d74c8abb9b15c, 0xc9b9bd866e2f27a2, 0xcbec14fef2727c5c, 0xce248c151f8480e3,
    0xd06333daef2b2594, 0xd2a81d91f12ae45a, 0xd4f35aabcfedfa1f, 0xd744fccad69d6af4, 0xd99d15c278afd7b5,
    0xdbfbb797daf23755, 0xde60f4825e0e9123, 0xe0ccdeec2a94e111, 0xe33f8972be8a5a51, 0xe5b906e77c8348a8,
    0xe8396a503c4bdc68, 0xeac0c6e7dd24392e, 0xed4f301ed9942b84, 0xefe4b99bdcdaf5cb, 0xf281773c59ffb139,
    0xf5257d152486cc2c, 0xf7d0df730ad13bb8, 0xfa83b2db722a033a, 0xfd3e0c0cf486c174,
};

/* The i with 2^(i/64) < value <= 2^((i+1)/64), for value > 0. */
static int32_t bucket_index(uint64_t value)
{
	int zeros = __builtin_clzll(value);
	int32_t octave = (63 - zeros) * PER_OCTAVE, step;

	value <<= zeros;
	if (value == bounds[0])
		return octave - 1;
	/* A straight line lies below the logarithm, by 5.5 of its steps at most. */
	step = (int32_t)(value >> (63 - PER_OCTAVE_LOG2)) - PER_OCTAVE;
	while (step + 1 < PER_OCTAVE && value > bounds[step + 1])
		step++;
	return octave + step;
}

static int32_t round_down(int32_t index)
{
	return index >= 0 ? index / GRAIN * GRAIN : -((-index + GRAIN - 1) / GRAIN * GRAIN);
}

static bool covers(const struct histogram *histogram, int32_t low, int32_t high)
{
	return low >= histogram->first && high < histogram->first + (int32_t)histogram->size;
}

/* Makes room for the indexes from `low` to `high`, which it does not have. */
static int cover(struct histogram *histogram, int32_t low, int32_t high)
{
	bool empty = histogram->size == 0;
	int32_t end = histogram->first + (int32_t)histogram->size; /* one past the last */
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
	int err = covers(histogram, index, index) ? 0 : cover(histogram, index, index);

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
	int32_t last = from->first + (int32_t)from->size - 1;
	int err = covers(into, from->first, last) ? 0 : cover(into, from->first, last);

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
