/*
 * test_lines.c: lines of instructions, held against what each interpreter says of its own code; and tables that are
 * broken, cut or hostile.
 */
#include "test.h"

#include <string.h>

#include "../../daemon/run/lines.h"
#include "code_fixtures.h"

#define FIXTURE_COUNT (sizeof(code_fixtures) / sizeof(*code_fixtures))

static uint32_t line_at(const struct code_fixture *fixture, uint32_t offset)
{
	return lines_find(fixture->minor, fixture->lines, fixture->lines_size, fixture->lines_size, fixture->first_line,
			  offset);
}

static void every_instruction_has_the_interpreters_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIXTURE_COUNT; i++) {
		const struct code_fixture *fixture = &code_fixtures[i];
		const struct fixture_stretch *stretch = fixture->stretches;

		assert_int_equal(fixture->stretches[fixture->stretch_count - 1].end, fixture->code_size);
		for (uint32_t offset = 0; offset < fixture->code_size; offset += 2) {
			stretch += offset >= stretch->end;
			if (line_at(fixture, offset) != stretch->line)
				fail_msg("3.%u, offset %u: %u, not %u", fixture->minor, offset,
					 line_at(fixture, offset), stretch->line);
		}
	}
}

/* The fixtures would be worth little if they had none of these. */
static void fixtures_have_none_lines_and_steps_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIXTURE_COUNT; i++) {
		const struct code_fixture *fixture = &code_fixtures[i];
		unsigned none = 0, back = 0;

		for (unsigned s = 0; s < fixture->stretch_count; s++) {
			none += fixture->stretches[s].line == 0;
			back += s && fixture->stretches[s].line < fixture->stretches[s - 1].line;
		}
		assert_true(back > 0);
		assert_true(fixture->minor < 11 || none > 0);
	}
}

static void a_cut_table_gives_the_same_line_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIXTURE_COUNT; i++) {
		const struct code_fixture *fixture = &code_fixtures[i];
		uint8_t *copy;

		for (size_t size = 0; size < fixture->lines_size; size++) {
			/* Of its own size: the sanitizer sees a byte too many. */
			copy = malloc(size ? size : 1);
			memcpy(copy, fixture->lines, size);
			for (uint32_t offset = 0; offset < fixture->code_size; offset += 2) {
				uint32_t line = lines_find(fixture->minor, copy, size, fixture->lines_size,
							   fixture->first_line, offset);

				/* An entry of which a byte is missing may not know its line; never another one. */
				if (line && line != line_at(fixture, offset))
					fail_msg("3.%u, %zu bytes, offset %u: %u, not %u", fixture->minor, size, offset,
						 line, line_at(fixture, offset));
			}
			free(copy);
		}
	}
}

static void beyond_the_code_there_is_no_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < FIXTURE_COUNT; i++) {
		const struct code_fixture *fixture = &code_fixtures[i];
		uint32_t line = line_at(fixture, fixture->code_size);

		/* lnotab does not say where the code ends: its last line goes on. */
		if (fixture->minor >= 10)
			assert_int_equal(line, 0);
		assert_int_equal(lines_find(7, fixture->lines, fixture->lines_size, fixture->lines_size, 1, 0), 0);
	}
}

static void hand_made_tables(void **state)
{
	static const uint8_t lnotab[] = {0, 1, 8, 127, 0, 3, 4, 0x80};	/* +1; 8 on +130; 4 on -128 */
	static const uint8_t pep626[] = {4, 0x80, 6, 0xff, 0, 5, 2, 1}; /* 4 bytes none; 6 at -1; none at +5; 2 at +1 */
	static const uint8_t pep657[] = {0x80 | 13 << 3 | 0, 0x03,	/* no columns: one unit at -1 */
					 0x80 | 15 << 3 | 1,		/* none: two units */
					 0x80 | 14 << 3 | 0, 0x50, 0x01, 0x00, 0x01, 0x01, /* long: one unit at +40 */
					 0x80 | 11 << 3 | 7, 0x00, 0x05, /* one line: eight units at +1 */
					 0x80 | 0 << 3 | 0,  0x00};	 /* short: one unit, same line */

	(void)state;
	assert_int_equal(lines_find(9, lnotab, 8, 8, 100, 0), 101);
	assert_int_equal(lines_find(9, lnotab, 8, 8, 100, 6), 101);
	assert_int_equal(lines_find(9, lnotab, 8, 8, 100, 8), 231);
	assert_int_equal(lines_find(9, lnotab, 8, 8, 100, 12), 103);
	assert_int_equal(lines_find(9, lnotab, 6, 8, 100, 8), 0); /* cut: who knows what follows */

	assert_int_equal(lines_find(10, pep626, 8, 8, 100, 2), 0);
	assert_int_equal(lines_find(10, pep626, 8, 8, 100, 4), 99);
	assert_int_equal(lines_find(10, pep626, 8, 8, 100, 10), 105);
	assert_int_equal(lines_find(10, pep626, 8, 8, 100, 12), 0);

	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 0), 99);
	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 4), 0);
	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 6), 139);
	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 8), 140);
	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 24), 140);
	assert_int_equal(lines_find(12, pep657, sizeof(pep657), sizeof(pep657), 100, 26), 0);
}

/* Lines below 1 or beyond what CPython can count are not lines. */
static void lines_out_of_range_are_none(void **state)
{
	static const uint8_t down[] = {2, 0x81};
	uint8_t far[] = {0x80 | 13 << 3, 0x7e, 0x7f, 0x7f, 0x7f, 0x3f};

	(void)state;
	assert_int_equal(lines_find(10, down, 2, 2, 100, 0), 0);
	assert_int_equal(lines_find(11, far, sizeof(far), sizeof(far), 0xffffffff, 0), 0);
	far[1] = 0x7f; /* as many lines back */
	assert_int_equal(lines_find(11, far, sizeof(far), sizeof(far), 5, 0), 0);
}

static void random_tables_do_no_harm(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = test_random_below(40);
		uint8_t *table = malloc(size ? size : 1);

		for (size_t i = 0; i < size; i++)
			table[i] = (uint8_t)test_random();
		lines_find((uint8_t)test_random_below(18), table, size, size + test_random_below(2),
			   (uint32_t)test_random(), (uint32_t)test_random_below(200));
		free(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_instruction_has_the_interpreters_line),
	    cmocka_unit_test(fixtures_have_none_lines_and_steps_back),
	    cmocka_unit_test(a_cut_table_gives_the_same_line_or_none),
	    cmocka_unit_test(beyond_the_code_there_is_no_line),
	    cmocka_unit_test(hand_made_tables),
	    cmocka_unit_test(lines_out_of_range_are_none),
	    cmocka_unit_test(random_tables_do_no_harm),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
