/*
 * test_writer.c: texts through a writer arrive whole and in order; a reader that is slow, stuck or gone holds up
 * nobody.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../daemon/output/writer.h"

#define SOON 10000 /* ms: more than any machine needs */

static char *make_text(char fill, size_t size)
{
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, fill, size);
	return text;
}

/* Reads until the other end is closed. */
static size_t read_all(int fd, char *ret_bytes, size_t room)
{
	size_t used = 0;
	ssize_t size;

	while ((size = read(fd, ret_bytes + used, room - used)) > 0)
		used += (size_t)size;
	assert_int_equal(size, 0);
	return used;
}

static void test_order(void **state)
{
	static char seen[65536];
	struct writer *writer;
	size_t total = 0, at = 0;
	size_t sizes[64];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(writer_new(ends[1], &writer), 0);
	for (int i = 0; i < 64; i++) {
		sizes[i] = test_random_below(900);
		assert_int_equal(writer_put(writer, make_text((char)('0' + i), sizes[i] + 1), sizes[i], false), 0);
		total += sizes[i];
	}
	assert_int_equal(writer_wait(writer, SOON), 0);
	assert_true(writer_is_idle(writer));
	writer_free(writer);
	close(ends[1]);
	assert_int_equal(read_all(ends[0], seen, sizeof(seen)), total);
	for (int i = 0; i < 64; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			assert_int_equal(seen[at++], '0' + i);
	close(ends[0]);
}

/* Nobody reads: what waits is bounded, the last text is taken all the same; then somebody reads, and all of it comes.
 */
static void test_slow_reader(void **state)
{
	enum { SIZE = 50000 };
	static char seen[WRITER_MAX_WAITING * 2];
	struct writer *writer;
	size_t taken = 0;
	int ends[2], error = 0;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK); /* as whoever started us may have left it */
	assert_int_equal(writer_new(ends[1], &writer), 0);
	for (int i = 0; i < 100 && !error; i++) {
		error = writer_put(writer, make_text('a', SIZE), SIZE, false);
		taken += error ? 0 : SIZE;
	}
	assert_int_equal(error, -EAGAIN);
	assert_in_range(taken, WRITER_MAX_WAITING - SIZE + 1, WRITER_MAX_WAITING + 65536 + SIZE);
	assert_int_equal(writer_put(writer, make_text('z', SIZE), SIZE, true), 0);
	assert_int_equal(writer_wait(writer, 50), -ETIMEDOUT);
	assert_int_equal(writer_error(writer), 0);
	for (size_t got = 0; got < taken + SIZE;) {
		ssize_t size = read(ends[0], seen + got, sizeof(seen) - got);

		assert_true(size > 0);
		got += (size_t)size;
	}
	assert_int_equal(writer_wait(writer, SOON), 0);
	writer_free(writer);
	close(ends[1]);
	assert_int_equal(read_all(ends[0], seen, 1), 0);
	for (size_t i = 0; i < taken + SIZE; i++)
		assert_int_equal(seen[i], i < taken ? 'a' : 'z');
	close(ends[0]);
}

/* One text is taken whatever its size. */
static void test_large_text(void **state)
{
	struct writer *writer;
	int full = open("/dev/null", O_WRONLY);

	(void)state;
	assert_int_equal(writer_new(full, &writer), 0);
	assert_int_equal(writer_put(writer, make_text('a', 8 << 20), 8 << 20, false), 0);
	assert_int_equal(writer_wait(writer, SOON), 0);
	writer_free(writer);
	close(full);
}

static void test_errors(void **state)
{
	struct writer *writer;
	int ends[2], full = open("/dev/full", O_WRONLY);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(writer_new(ends[1], &writer), 0);
	assert_int_equal(writer_put(writer, make_text('a', 10), 10, false), 0);
	assert_int_equal(writer_wait(writer, SOON), -EPIPE);
	assert_int_equal(writer_error(writer), -EPIPE);
	assert_int_equal(writer_put(writer, make_text('a', 10), 10, true), -EPIPE);
	writer_free(writer);
	close(ends[1]);
	writer_free(NULL);
	if (full < 0)
		skip();
	assert_int_equal(writer_new(full, &writer), 0);
	assert_int_equal(writer_put(writer, make_text('a', 10), 10, false), 0);
	assert_int_equal(writer_wait(writer, SOON), -ENOSPC);
	writer_free(writer);
	close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_slow_reader),
	    cmocka_unit_test(test_large_text),
	    cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
