/*
 * test_redis.c: the redis reader: RESP2, RESP3, inline commands, pipelines, pushed messages, hostile input.
 */
#include "reader.h"

#define Q PROTOCOL_REQUEST
#define A PROTOCOL_ANSWER

static void test_simple(void **state)
{
	static const struct turn turns[] = {
	    {Q, "*2\r\n$3\r\nget\r\n$4\r\nuser\r\n", 0},
	    {A, "$5\r\nhe\r\no\r\n", 0},
	    {Q, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", 0},
	    {A, "+OK\r\n", 0},
	    {Q, "*1\r\n$4\r\nPING\r\n", 0},
	    {A, "-LOADING wait\r\n", 0},
	    {Q, "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n", 0},
	    {A, "$-1\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_redis, turns,
		     "request 0-23 GET keys=1\nanswer 0-11\n"
		     "request 23-49 SET keys=1\nanswer 11-16\n"
		     "request 49-63 PING keys=0\nanswer 16-31 error\n"
		     "request 63-83 GET keys=1\nanswer 31-36\n");
}

static void test_keys_and_names(void **state)
{
	static const struct turn turns[] = {
	    {Q, "*4\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", 0},
	    {Q, "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n", 0},
	    {Q, "*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n", 0},
	    {Q, "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n", 0},
	    {Q, "*4\r\n$6\r\nclient\r\n$7\r\nsetinfo\r\n$8\r\nLIB-NAME\r\n$8\r\nredis-py\r\n", 0},
	    {Q, "*3\r\n$8\r\nJSON.GET\r\n$1\r\nd\r\n$1\r\n$\r\n", 0},
	    {Q, "*2\r\n$7\r\n\x01\xff secr\r\n$1\r\nx\r\n", 0},
	    {Q, "*2\r\n$26\r\nabcdefghijklmnopqrstuvwxyz\r\n$1\r\nx\r\n", 0},
	    {Q, "PING\r\n", 0},
	    {Q, "\r\nget  a-key\r\n", 0},
	    {Q, "*0\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_redis, turns,
		     "request 0-35 MGET keys=3\nrequest 35-77 MSET keys=2\nrequest 77-106 BLPOP keys=1\n"
		     "request 106-155 EVAL keys=2\nrequest 155-212 CLIENT SETINFO keys=0\n"
		     "request 212-244 JSON.GET keys=1\nrequest 244-268 ? keys=1\nrequest 268-312 ? keys=1\n"
		     "request 312-318 PING keys=0\nrequest 320-332 GET keys=1\nrequest 332-336 ? keys=0 no_answer\n");
}

static void test_nested_answers(void **state)
{
	static const struct turn turns[] = {
	    {A, "*3\r\n:1\r\n*2\r\n$1\r\na\r\n*-1\r\n%1\r\n+k\r\n#t\r\n", 0},
	    {A, "*0\r\n", 0},
	    {A, "%2\r\n+a\r\n,1.5\r\n+b\r\n~2\r\n_\r\n(12345678901234567890123\r\n", 0},
	    {A, "|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n$2\r\nok\r\n", 0},
	    {A, "!9\r\nSYNTAX er\r\n", 0},
	    {A, "=8\r\ntxt:abcd\r\n", 0},
	    {A, "*2\r\n-ERR inside\r\n:1\r\n", 0},
	    {A, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_redis, turns,
		     "answer 0-36\nanswer 36-40\nanswer 40-91\nanswer 91-121\nanswer 121-136 error\nanswer 136-150\n"
		     "answer 150-171\nanswer 171-203 message\n");
}

static void test_subscriptions(void **state)
{
	static const struct turn resp2[] = {
	    {Q, "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n", 0},
	    {A, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n", 0},
	    {A, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n", 0},
	    {A, "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n", 0},
	    {Q, "*1\r\n$4\r\nPING\r\n", 0},
	    {A, "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$2\r\nhi\r\n", 0},
	    {A, "*2\r\n$4\r\npong\r\n$0\r\n\r\n", 0},
	    {A, NULL, 0},
	};
	static const struct turn resp3[] = {
	    {Q, "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n", 0},
	    {A, ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n", 0},
	    {Q, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", 0},
	    {A, ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n+x\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_redis, resp2,
		     "request 0-33 SUBSCRIBE keys=0\nanswer 0-30 interim\nanswer 30-62 message\nanswer 62-92\n"
		     "request 33-47 PING keys=0\nanswer 92-132 message\nanswer 132-152\n");
	reader_check(&protocol_redis, resp3,
		     "request 0-33 SUBSCRIBE keys=0\nanswer 0-30 interim\nanswer 30-60\n"
		     "request 33-53 GET keys=1\nanswer 60-92 message\nanswer 92-96\n");
}

static void test_monitor_and_mutes(void **state)
{
	static const struct turn monitor[] = {
	    {Q, "*1\r\n$7\r\nMONITOR\r\n", 0},
	    {A, "+OK\r\n", 0},
	    {Q, "*1\r\n$4\r\nPING\r\n", 0},
	    {A, "+1339518083.107412 [0 127.0.0.1:60866] \"keys\"\r\n+PONG\r\n", 0},
	    {A, NULL, 0},
	};
	static const struct turn muted[] = {
	    {Q, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n", 0},
	    {Q, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", 0},
	    {A, "+x\r\n", 0},
	    {Q, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nPING\r\n", 0},
	    {Q, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n", 0},
	    {A, "+OK\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_redis, monitor,
		     "request 0-17 MONITOR keys=0\nanswer 0-5\nrequest 17-31 PING keys=0\n"
		     "answer 5-52 message\nanswer 52-59\n");
	reader_check(&protocol_redis, muted,
		     "request 0-37 CLIENT REPLY keys=0 no_answer\nrequest 37-57 GET keys=1 no_answer\n"
		     "request 57-77 GET keys=1\nanswer 0-4\n"
		     "request 77-113 CLIENT REPLY keys=0 no_answer\nrequest 113-127 PING keys=0 no_answer\n"
		     "request 127-162 CLIENT REPLY keys=0\nanswer 4-9\n");
}

static void test_pipeline(void **state)
{
	struct reader *reader = reader_new(&protocol_redis);
	char requests[1000 * 20 + 1] = "", answers[1000 * 4 + 1] = "";

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		memcpy(requests + i * 20, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", 20);
		memcpy(answers + i * 4, ":1\r\n", 4);
	}
	assert_int_equal(reader_feed_hole(reader, Q, requests, 20000, 20000), 0);
	assert_int_equal(reader->requests, 1000);
	assert_int_equal(reader_feed_hole(reader, A, answers, 4000, 4000), 0);
	assert_int_equal(reader->answers, 1000);
	reader_free(reader);
}

static void test_holes(void **state)
{
	struct reader *reader = reader_new(&protocol_redis);

	(void)state;
	/* within a value of known length: fine, and the next command is found behind it */
	assert_int_equal(reader_feed_hole(reader, Q, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900\r\nabc", 29, 26 + 900), 0);
	assert_int_equal(reader_feed(reader, Q, "\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), 0);
	assert_int_equal(reader_feed_hole(reader, A, "+OK\r\n$9000\r\nab", 14, 5 + 7 + 9002), 0);
	assert_int_equal(reader->requests, 2);
	assert_int_equal(reader->answers, 2);
	/* within a header: lost, but the command's name and its number of keys were there */
	assert_int_equal(reader_feed_hole(reader, Q, "*101\r\n$4\r\nMGET\r\n$4\r\nk", 21, 1500), -EILSEQ);
	reader_finish(reader, Q);
	assert_non_null(strstr(reader->log, "MGET keys=100\n"));
	assert_int_equal(reader_feed_hole(reader, A, "*100\r\n$1\r\na", 11, 5000), -EILSEQ);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 3);
	protocol_redis.resync(reader->state, Q);
	protocol_redis.resync(reader->state, A);
	assert_int_equal(reader_feed(reader, Q, "*1\r\n$4\r\nPING\r\n"), 0);
	assert_int_equal(reader_feed(reader, A, "+PONG\r\n"), 0);
	assert_int_equal(reader->answers, 4);
	reader_free(reader);
}

static void test_hostile(void **state)
{
	static const struct {
		enum protocol_side side;
		const char *bytes;
		int error;
	} cases[] = {
	    {Q, "*1\r\n$-1\r\n", -EILSEQ},
	    {Q, "*1\r\n$99999999999\r\n", -EILSEQ},
	    {Q, "*1000000000\r\n", 0}, /* redis waits for them all; so do we, in no memory */
	    {Q, "*99999999999999999999\r\n", -EILSEQ},
	    {Q, "*1\r\n$3\r\nGETx", -EILSEQ - 1}, /* no LF yet */
	    {Q, "*1\r\n$3\r\nGETxx", -EILSEQ},
	    {Q, "*1\r\n:3\r\n", -EILSEQ},
	    {Q, "*x\r\n", -EILSEQ},
	    {A, "$-2\r\n", -EILSEQ},
	    {A, "$\r\n", -EILSEQ},
	    {A, "$99999999999\r\n", -EILSEQ},
	    {A, "*1000000000\r\n", 0},
	    {A, "*4294967296\r\n", -EILSEQ},
	    {A, "\r\n", -EILSEQ},
	    {A, "HTTP/1.1 200 OK\r\n", -EILSEQ},
	    {A, "*1\r\n\r\n", -EILSEQ},
	    {A, "$3\r\nabcde", -EILSEQ},
	};
	char *line = malloc(1 << 20);
	struct reader *reader;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reader = reader_new(&protocol_redis);
		assert_int_equal(reader_feed(reader, cases[i].side, cases[i].bytes),
				 cases[i].error < -EILSEQ ? 0 : cases[i].error);
		reader_free(reader);
	}
	assert_non_null(line);
	memset(line, '+', 1 << 20);
	reader = reader_new(&protocol_redis);
	assert_int_equal(reader_feed_hole(reader, A, line, 1 << 20, 1 << 20), -EILSEQ);
	assert_int_equal(reader_feed_hole(reader, Q, line, 1 << 20, 1 << 20), -EILSEQ);
	reader_free(reader);
	free(line);
}

static void test_abuse(void **state)
{
	static const struct turn turns[] = {
	    {Q, "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\nPING\r\n", 0},
	    {A, ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n%1\r\n|1\r\n+a\r\n+b\r\n+a\r\n~1\r\n!3\r\nabc\r\n", 0},
	    {Q, "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n", 0},
	    {A, "*2\r\n*2\r\n:1\r\n$-1\r\n$10\r\n0123456789\r\n-ERR no\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_abuse(&protocol_redis, turns, 20000);
}

static void test_detect(void **state)
{
	static const struct {
		const char *bytes;
		bool yes;
	} cases[] = {
	    {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n", true},
	    {"*12\r\n$3", true},
	    {"PING\r\n", true},
	    {"*1\r\n$", false},
	    {"*2\r\n:1\r\n", false},
	    {"+OK\r\n", false},
	    {"", false},
	    {"*", false},
	    {"GET / HTTP/1.1\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *data = (const uint8_t *)cases[i].bytes;
		size_t size = strlen(cases[i].bytes);

		assert_int_equal(protocol_redis.detect(data, size, size), cases[i].yes);
		assert_true(!cases[i].yes || protocol_detect(data, size, size) == &protocol_redis);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_simple),
	    cmocka_unit_test(test_keys_and_names),
	    cmocka_unit_test(test_nested_answers),
	    cmocka_unit_test(test_subscriptions),
	    cmocka_unit_test(test_monitor_and_mutes),
	    cmocka_unit_test(test_pipeline),
	    cmocka_unit_test(test_holes),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_abuse),
	    cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, reader_seed, NULL);
}
