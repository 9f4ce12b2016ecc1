/*
 * test.h: what every unit test begins with: cmocka, and random numbers whose seed is printed.
 *
 * NETTRACE_SEED=N in the environment repeats a run.
 */
#ifndef NT_TEST_H
#define NT_TEST_H

/* cmocka.h wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t test_random_state;

/* splitmix64: every seed is a good one. */
static inline uint64_t test_random(void)
{
	uint64_t value = test_random_state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* 0 <= result < below */
static inline uint64_t test_random_below(uint64_t below)
{
	return test_random() % below;
}

/* A group's setup: a seed that is new in every run. */
static inline int test_seed(void **state)
{
	const char *given = getenv("NETTRACE_SEED");
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	test_random_state =
	    given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	fprintf(stderr, "NETTRACE_SEED=%llu\n", (unsigned long long)test_random_state);
	return 0;
}

#endif
