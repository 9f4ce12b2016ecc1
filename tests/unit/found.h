/*
 * found.h: what the tests of the kinds of findings share: one run made by hand (made_run.h), and what is found in it.
 *
 * Each kind has a file, with the sin and its innocent twins, which differ in the one thing that matters.
 */
#ifndef NT_TEST_FOUND_H
#define NT_TEST_FOUND_H

#include "made_run.h"

static struct finding_stage *stage;
static struct finding_report report;
static struct made_run made;

static inline int begin(void **state)
{
	(void)state;
	stage = finding_stage_new();
	made_begin(&made);
	return stage ? 0 : -1;
}

static inline int end(void **state)
{
	(void)state;
	finding_stage_free(stage);
	return 0;
}

static inline void look(void)
{
	assert_int_equal(finding_stage_ran(stage, &made.run, &report), 0);
}

static inline size_t count_of(enum finding_kind kind)
{
	size_t count = 0;

	look();
	for (size_t i = 0; i < report.count; i++)
		count += report.findings[i].kind == kind;
	return count;
}

/* The only one of its kind. */
static inline const struct finding *only(enum finding_kind kind)
{
	assert_int_equal(count_of(kind), 1);
	for (size_t i = 0; i < report.count; i++)
		if (report.findings[i].kind == kind)
			return &report.findings[i];
	return NULL;
}

static inline void some_call(void)
{
	made_http(&made, "GET /news", made_number(), made_number());
}

static inline void add_multi_get(const uint64_t *keys, size_t count)
{
	struct run_call *call = made_add(&made, "redis", "MGET user:?", PROTOCOL_READ, made_number(), made_number());

	for (size_t i = 0; i < count; i++)
		made_add_key(call, keys[i], keys[i] ^ 4);
}

/* One more run, later by that much; what it asked before is the test's to say again. */
static inline void next_run(uint64_t later)
{
	uint64_t now = made.now;

	look();
	made_begin(&made);
	made.now = made.run.began = now + later;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
