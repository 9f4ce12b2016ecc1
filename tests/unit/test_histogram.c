/*
 * test_histogram.c: the histogram against exact quantiles of sorted values, and its buckets against OTLP's definition.
 */
#include "test.h"

#include <math.h>
#include <string.h>

#include "../../daemon/summary/histogram.h"

#define VALUES 20000

static int compare_values(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return a < b ? -1 : a > b;
}

/* The exact quantile: the smallest value that at least `fraction` of them do not exceed. */
static uint64_t exact_quantile(const uint64_t *sorted, size_t count, double fraction)
{
	size_t rank = (size_t)ceil(fraction * (double)count);

	return sorted[rank ? rank - 1 : 0];
}

static void assert_quantiles(const struct histogram *histogram, uint64_t *values, size_t count)
{
	static const double fractions[] = {0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

	qsort(values, count, sizeof(*values), compare_values);
	for (size_t i = 0; i < sizeof(fractions) / sizeof(fractions[0]); i++) {
		double exact = (double)exact_quantile(values, count, fractions[i]);
		double got = histogram_quantile(histogram, fractions[i]);

		if (fabs(got - exact) > 0.01 * exact)
			fail_msg("quantile %g of %zu values is %g, not %g", fractions[i], count, got, exact);
		assert_true(got >= (double)values[0] && got <= (double)values[count - 1]);
	}
}

/* Values as they come: latencies around something, over all magnitudes, few distinct ones, with zeros. */
static uint64_t draw(int shape)
{
	double unit = (double)(test_random() >> 11) / 9007199254740992.0;

	switch (shape) {
	case 0:
		return 100000 + test_random_below(900000);
	case 1:
		return (uint64_t)exp2(unit * 63.9);
	case 2:
		return test_random_below(5);
	case 3:
		return (uint64_t)(1000 / pow(1 - unit, 1.5)); /* a heavy tail */
	default:
		return test_random_below(10) ? 1000000 + test_random_below(10000) : 0;
	}
}

static void test_relative_error(void **state)
{
	uint64_t *values = malloc(VALUES * sizeof(*values));

	(void)state;
	for (int shape = 0; shape < 5; shape++) {
		struct histogram histogram = {0};

		for (size_t i = 0; i < VALUES; i++) {
			values[i] = draw(shape);
			assert_int_equal(histogram_add(&histogram, values[i]), 0);
		}
		assert_quantiles(&histogram, values, VALUES);
		histogram_free(&histogram);
	}
	free(values);
}

static void assert_same(const struct histogram *one, const struct histogram *other)
{
	assert_true(one->count == other->count);
	assert_true(one->sum == other->sum);
	assert_true(one->min == other->min);
	assert_true(one->max == other->max);
	assert_true(one->zeros == other->zeros);
	for (int32_t index = -70; index < 64 * 64; index++) {
		int64_t at_one = index - one->first, at_other = index - other->first;
		uint32_t in_one = at_one >= 0 && at_one < one->size ? one->buckets[at_one] : 0;
		uint32_t in_other = at_other >= 0 && at_other < other->size ? other->buckets[at_other] : 0;

		assert_int_equal(in_one, in_other);
	}
}

static void test_merge_is_adding_all(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		struct histogram all = {0}, merged = {0};

		for (int part = 0; part < 6; part++) {
			struct histogram histogram = {0};
			int shape = (int)test_random_below(5);

			for (uint64_t i = test_random_below(200); i; i--) {
				uint64_t value = draw(shape);

				assert_int_equal(histogram_add(&histogram, value), 0);
				assert_int_equal(histogram_add(&all, value), 0);
			}
			assert_int_equal(histogram_merge(&merged, &histogram), 0);
			histogram_free(&histogram);
		}
		assert_same(&all, &merged);
		histogram_free(&all);
		histogram_free(&merged);
	}
}

/* The bucket of one value, found in a histogram that has no other. */
static int32_t index_of(uint64_t value)
{
	struct histogram histogram = {0};
	int32_t found = INT32_MIN;

	assert_int_equal(histogram_add(&histogram, value), 0);
	for (uint32_t i = 0; i < histogram.size; i++)
		if (histogram.buckets[i])
			found = histogram.first + (int32_t)i;
	histogram_free(&histogram);
	return found;
}

/* Scale 6: bucket i holds values above base^i up to and with base^(i+1), base = 2^(1/64). */
static void test_buckets_are_otlp_scale_6(void **state)
{
	(void)state;
	for (int exponent = 0; exponent < 64; exponent++) {
		uint64_t power = 1ull << exponent;

		assert_int_equal(index_of(power), exponent * 64 - 1);
		if (exponent >= 7) /* below, the next integer is more than one bucket away */
			assert_int_equal(index_of(power + 1), exponent * 64);
		if (exponent > 1 && exponent < 53)
			assert_true(index_of(power - 1) < exponent * 64);
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t value = 1 + (uint64_t)exp2((double)test_random_below(6200) / 100);
		int32_t index = index_of(value);
		long double low = exp2l((long double)index / 64), high = exp2l((long double)(index + 1) / 64);

		if (!((long double)value > low * (1 - 1e-15L) && (long double)value <= high * (1 + 1e-15L)))
			fail_msg("%llu is not in bucket %d", (unsigned long long)value, index);
	}
}

static void test_empty(void **state)
{
	struct histogram empty = {0}, other = {0};

	(void)state;
	assert_true(histogram_quantile(&empty, 0.5) == 0);
	assert_int_equal(histogram_merge(&other, &empty), 0);
	assert_true(other.count == 0 && other.min == 0 && !other.buckets);
	histogram_free(&empty);
}

static void test_extremes(void **state)
{
	struct histogram histogram = {0};

	(void)state;
	assert_int_equal(histogram_add(&histogram, UINT64_MAX), 0);
	assert_int_equal(histogram_add(&histogram, UINT64_MAX), 0);
	assert_true(histogram.sum == UINT64_MAX); /* it stays there instead of starting again */
	assert_int_equal(histogram_add(&histogram, 1), 0);
	assert_int_equal(histogram_add(&histogram, 0), 0);
	assert_true(histogram.min == 0 && histogram.max == UINT64_MAX && histogram.count == 4);
	assert_true(histogram_quantile(&histogram, 0.25) == 0);
	assert_true(fabs(histogram_quantile(&histogram, 0.5) - 1) <= 0.01);
	assert_true(fabs(histogram_quantile(&histogram, 1) / (double)UINT64_MAX - 1) <= 0.01);
	assert_true(histogram.size <= 65 * 64); /* bounded whatever comes */
	histogram_free(&histogram);
}

static void test_full_bucket_stays(void **state)
{
	struct histogram histogram = {0}, twin = {0};

	(void)state;
	histogram_add(&histogram, 1000);
	histogram_add(&twin, 1000);
	for (uint32_t i = 0; i < histogram.size; i++)
		if (histogram.buckets[i])
			histogram.buckets[i] = UINT32_MAX;
	histogram_merge(&twin, &histogram);
	for (uint32_t i = 0; i < twin.size; i++)
		assert_true(!twin.buckets[i] || twin.buckets[i] == UINT32_MAX);
	histogram_free(&histogram);
	histogram_free(&twin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_relative_error),
	    cmocka_unit_test(test_merge_is_adding_all),
	    cmocka_unit_test(test_buckets_are_otlp_scale_6),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_extremes),
	    cmocka_unit_test(test_full_bucket_stays),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
