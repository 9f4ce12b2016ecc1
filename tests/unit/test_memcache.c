/*
 * test_memcache.c: the memcache reader: every command family, multi-gets, quiet and meta commands, hostile input.
 */
#include "reader.h"

#define Q PROTOCOL_REQUEST
#define A PROTOCOL_ANSWER

static void test_simple(void **state)
{
	static const struct turn turns[] = {
	    {Q, "get user:1\r\n", 0},
	    {A, "VALUE user:1 0 7\r\nEND\r\n!!\r\nEND\r\n", 0},
	    {Q, "set k 0 60 5\r\nget x\r\n", 0},
	    {A, "STORED\r\n", 0},
	    {Q, "delete k\r\n", 0},
	    {A, "NOT_FOUND\r\n", 0},
	    {Q, "incr n 5\r\n", 0},
	    {A, "12\r\n", 0},
	    {Q, "touch k 5\r\n", 0},
	    {A, "SERVER_ERROR out of memory\r\n", 0},
	    {Q, "verbosity 1\r\n", 0},
	    {A, "CLIENT_ERROR no\r\n", 0},
	    {Q, "version\r\n", 0},
	    {A, "VERSION 1.6.18\r\n", 0},
	    {Q, "stats items\r\n", 0},
	    {A, "STAT a 1\r\nSTAT b VALUE x 1 1\r\nEND\r\n", 0},
	    {Q, "flush_all\r\n", 0},
	    {A, "OK\r\n", 0},
	    {Q, "quit\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_memcache, turns,
		     "request 0-12 get keys=1\nanswer 0-32\n"
		     "request 12-33 set keys=1\nanswer 32-40\n"
		     "request 33-43 delete keys=1\nanswer 40-51\n"
		     "request 43-53 incr keys=1\nanswer 51-55\n"
		     "request 53-64 touch keys=1\nanswer 55-83 error\n"
		     "request 64-77 verbosity keys=0\nanswer 83-100 client_error\n"
		     "request 77-86 version keys=0\nanswer 100-116\n"
		     "request 86-99 stats keys=0\nanswer 116-151\n"
		     "request 99-110 flush_all keys=0\nanswer 151-155\n"
		     "request 110-116 quit keys=0 no_answer\n");
}

static void test_many_keys(void **state)
{
	static const struct turn turns[] = {
	    {Q, "gets a b  c\r\n", 0},
	    {A, "VALUE a 0 1 77\r\n1\r\nVALUE c 0 0 78\r\n\r\nEND\r\n", 0},
	    {Q, "gat 100 a b\r\n", 0},
	    {A, "END\r\n", 0},
	    {A, NULL, 0},
	};
	struct reader *reader = reader_new(&protocol_memcache);
	char *line = malloc(300000);
	size_t size;

	(void)state;
	reader_check(&protocol_memcache, turns,
		     "request 0-13 gets keys=3\nanswer 0-42\nrequest 13-26 gat keys=2\nanswer 42-47\n");
	assert_non_null(line);
	size = (size_t)sprintf(line, "get");
	for (unsigned i = 0; i < 20000; i++)
		size += (size_t)sprintf(line + size, " key:%u", i);
	size += (size_t)sprintf(line + size, "\r\n");
	assert_int_equal(reader_feed_hole(reader, Q, line, size, size), 0);
	assert_non_null(strstr(reader->log, "get keys=20000\n"));
	/* cut off by --capture: the command is known, and the keys that were there */
	assert_int_equal(reader_feed_hole(reader, Q, line, 100, size), -EILSEQ);
	reader_finish(reader, Q);
	assert_int_equal(reader->requests, 2);
	assert_non_null(strstr(reader->log, "get keys=15\n"));
	free(line);
	reader_free(reader);
}

static void test_quiet(void **state)
{
	static const struct turn turns[] = {
	    {Q, "set k 0 0 1 noreply\r\nx\r\nincr k 1 noreply\r\nget k\r\n", 0},
	    {A, "END\r\n", 0},
	    {Q, "mg a v q k\r\nmg b v q k\r\nmn\r\n", 0},
	    {A, "VA 2 kb\r\nhi\r\nMN\r\n", 0},
	    {Q, "ms q 2 T60\r\nhi\r\nmg q\r\nmd a q\r\nma n\r\n", 0},
	    {A, "HD\r\nEN\r\nNF\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(
	    &protocol_memcache, turns,
	    "request 0-24 set keys=1 no_answer\nrequest 24-42 incr keys=1 no_answer\nrequest 42-49 get keys=1\n"
	    "answer 0-5\n"
	    "request 49-61 mg keys=1 no_answer\nrequest 61-73 mg keys=1 no_answer\nrequest 73-77 mn keys=0\n"
	    "answer 5-18 interim\nanswer 18-22\n"
	    "request 77-93 ms keys=1\nrequest 93-99 mg keys=1\nrequest 99-107 md keys=1 no_answer\n"
	    "request 107-113 ma keys=1\nanswer 22-26\nanswer 26-30\nanswer 30-34\n");
}

static void test_pipeline(void **state)
{
	struct reader *reader = reader_new(&protocol_memcache);
	char requests[1000 * 7 + 1] = "", answers[1000 * 5 + 1] = "";

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		memcpy(requests + i * 7, "get a\r\n", 7);
		memcpy(answers + i * 5, "END\r\n", 5);
	}
	assert_int_equal(reader_feed_hole(reader, Q, requests, 7000, 7000), 0);
	assert_int_equal(reader_feed_hole(reader, A, answers, 5000, 5000), 0);
	assert_int_equal(reader->requests, 1000);
	assert_int_equal(reader->answers, 1000);
	reader_free(reader);
}

static void test_holes(void **state)
{
	struct reader *reader = reader_new(&protocol_memcache);

	(void)state;
	assert_int_equal(reader_feed_hole(reader, Q, "set k 0 0 1000\r\nabc", 19, 16 + 1002), 0);
	assert_int_equal(reader_feed_hole(reader, A, "STORED\r\nVALUE k 0 1000\r\nabc", 27, 8 + 16 + 1000), 0);
	assert_int_equal(reader_feed(reader, A, "\r\nEND\r\n"), 0);
	assert_int_equal(reader->requests, 1);
	assert_int_equal(reader->answers, 2);
	/* the second VALUE is in the hole */
	assert_int_equal(reader_feed_hole(reader, A, "VALUE k 0 10\r\n0123", 18, 500), -EILSEQ);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 3);
	reader_free(reader);
}

static void test_hostile(void **state)
{
	static const struct {
		enum protocol_side side;
		const char *bytes;
	} cases[] = {
	    {Q, "set k 0 0 -1\r\n"}, {Q, "set k 0 0 99999999999\r\n"},
	    {Q, "set k 0 0\r\n"},    {Q, "set k 0 0 2\r\nabcd"},
	    {Q, "bogus\r\n"},	     {Q, "\r\n"},
	    {Q, "get \x01\r\n"},     {A, "VALUE k 0 99999999999\r\n"},
	    {A, "VALUE k\r\n"},	     {A, "VA x\r\n"},
	    {A, "bogus\r\n"},	     {A, "\r\n"},
	    {A, "+OK\r\n"},
	};
	char *line = malloc(1 << 20);
	struct reader *reader;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reader = reader_new(&protocol_memcache);
		assert_int_equal(reader_feed(reader, cases[i].side, cases[i].bytes), -EILSEQ);
		reader_finish(reader, cases[i].side);
		reader_free(reader);
	}
	assert_non_null(line);
	memset(line, 'a', 1 << 20);
	memcpy(line, "get ", 4);
	reader = reader_new(&protocol_memcache);
	assert_int_equal(reader_feed_hole(reader, Q, line, 1 << 20, 1 << 20), -EILSEQ);
	assert_int_equal(reader_feed_hole(reader, A, line, 1 << 20, 1 << 20), -EILSEQ);
	reader_free(reader);
	free(line);
}

static void test_abuse(void **state)
{
	static const struct turn turns[] = {
	    {Q, "set k 0 0 1 noreply\r\nx\r\nincr k 1\r\nget k a b\r\n", 0},
	    {A, "12\r\nVALUE k 0 1\r\n1\r\nVALUE b 0 3\r\nabc\r\nEND\r\n", 0},
	    {Q, "ms q 2 T60\r\nhi\r\nmg q q\r\nmn\r\nstats\r\n", 0},
	    {A, "HD\r\nVA 2 f\r\nhi\r\nMN\r\nSTAT a b\r\nEND\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_abuse(&protocol_memcache, turns, 20000);
}

static void test_detect(void **state)
{
	static const struct {
		const char *bytes;
		bool yes;
	} cases[] = {
	    {"get a\r\n", true},
	    {"get a-key-that-was-c", true},
	    {"version\r\n", true},
	    {"stats\r\n", true},
	    {"flush_all 10\r\n", true},
	    {"mn\r\n", true},
	    {"get\r\n", false},
	    {"get", false},
	    {"GET / HTTP/1.1\r\n", false},
	    {"settings\r\n", false},
	    {"", false},
	    {"stats", false},
	    {"get  a", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *data = (const uint8_t *)cases[i].bytes;
		size_t size = strlen(cases[i].bytes);

		assert_int_equal(protocol_memcache.detect(data, size, size), cases[i].yes);
		assert_true(!cases[i].yes || protocol_detect(data, size, size) == &protocol_memcache);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_simple),   cmocka_unit_test(test_many_keys), cmocka_unit_test(test_quiet),
	    cmocka_unit_test(test_pipeline), cmocka_unit_test(test_holes),     cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_abuse),    cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, reader_seed, NULL);
}
