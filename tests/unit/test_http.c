/*
 * test_http.c: the HTTP reader: where messages end, what operations are called, tunnels, hostile input.
 */
#include "reader.h"

#define Q PROTOCOL_REQUEST
#define A PROTOCOL_ANSWER

static void test_lengths(void **state)
{
	static const struct turn turns[] = {
	    {Q, "GET /stock/42?full=1 HTTP/1.1\r\nHost: x\r\n\r\n", 0},
	    {A, "HTTP/1.1 200 OK\r\ncontent-length:  5 \r\n\r\nhello", 0},
	    {Q, "POST /v1/charge HTTP/1.1\r\nContent-Length: 3\r\n\r\na=1", 0},
	    {A, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0},
	    {Q, "HEAD / HTTP/1.1\r\n\r\n", 0},
	    {A, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 0},
	    {Q, "GET /a HTTP/1.1\r\n\r\n", 0},
	    {A, "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 0},
	    {Q, "DELETE /a HTTP/1.1\n\n", 0},
	    {A, "HTTP/1.1 204 No Content\r\n\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_http, turns,
		     "request 0-42 GET /stock/? keys=1\nanswer 0-45\n"
		     "request 42-92 POST /v1/charge keys=1\nanswer 45-90 client_error\n"
		     "request 92-111 HEAD / keys=1\nanswer 90-130\n"
		     "request 111-130 GET /a keys=1\nanswer 130-180\n"
		     "request 130-150 DELETE /a keys=1\nanswer 180-207\n");
}

static void test_chunked(void **state)
{
	static const struct turn turns[] = {
	    {Q, "PUT /f HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n", 0},
	    {A,
	     "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
	     0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_http, turns, "request 0-76 PUT /f keys=1\nanswer 0-88 error\n");
}

static void test_interim_and_pipeline(void **state)
{
	static const struct turn turns[] = {
	    {Q, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", 0},
	    {A, "HTTP/1.1 100 Continue\r\n\r\n", 0},
	    {Q, "ok\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.0\r\n\r\n", 0},
	    {A, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0},
	    {A, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_check(&protocol_http, turns,
		     "request 0answer 0-25 interim\n-63 POST /a keys=1\nrequest 65-84 GET /b keys=1\n"
		     "request 84-103 GET /c keys=1\nanswer 25-62 interim\nanswer 62-100\n"
		     "answer 100-139\nanswer 141-179 error\n");
}

static void test_to_close(void **state)
{
	struct reader *reader = reader_new(&protocol_http);

	(void)state;
	assert_int_equal(reader_feed(reader, Q, "GET /a HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(reader_feed(reader, A, "HTTP/1.0 200 OK\r\n\r\nsome"), 0);
	assert_int_equal(reader_feed_hole(reader, A, "", 0, 100000), 0);
	assert_int_equal(reader->answers, 0);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 1);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 1);
	/* an answer that was cut off is none */
	assert_int_equal(reader_feed(reader, Q, "GET /a HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(reader_feed(reader, A, "HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nsome"), 0);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 1);
	reader_free(reader);
}

static void test_tunnels(void **state)
{
	static const struct turn websocket[] = {
	    {Q, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", 0},
	    {A, "HTTP/1.1 101 Switching\r\n\r\n", 0},
	    {Q, "\x81\x02hi", 0},
	    {A, "\x81\x02ho", 0},
	    {A, NULL, 0},
	};
	static const struct turn proxy[] = {
	    {Q, "CONNECT db:5432 HTTP/1.1\r\n\r\n", 0},
	    {A, "HTTP/1.1 200 OK\r\n\r\n", 0},
	    {Q, "secret", 0},
	    {A, NULL, 0},
	};
	struct reader *reader = reader_converse(&protocol_http, websocket, 1000);

	(void)state;
	assert_string_equal(reader->log, "request 0-40 GET /ws keys=1\nanswer 0-26\n"
					 "request 40-44 tunnel keys=1 no_answer\nanswer 26-30 message\n");
	reader_free(reader);
	reader = reader_converse(&protocol_http, proxy, 1000);
	assert_string_equal(reader->log, "request 0-28 CONNECT keys=1\nanswer 0-19\n"
					 "request 28-34 tunnel keys=1 no_answer\n");
	reader_free(reader);
}

static void test_operations(void **state)
{
	static const struct {
		const char *target, *operation;
	} cases[] = {
	    {"/", "GET /"},
	    {"/api/v2/users/1234/orders", "GET /api/v2/users/?/orders"},
	    {"/a/deadbeef/b", "GET /a/?/b"},
	    {"/a/123e4567-e89b-12d3-a456-426614174000", "GET /a/?"},
	    {"/files/report-2024-final.pdf", "GET /files/?"},
	    {"/token/eyJhbGciOiJIUzI1NiJ9", "GET /token/?"},
	    {"/d/2024-01-31/", "GET /d/?/"},
	    {"/u/bob%40example.com", "GET /u/?"},
	    {"/u/bob@example.com", "GET /u/?"},
	    {"/p;session=1234/x;y", "GET /p/x"},
	    {"/s?q=/secret/1", "GET /s"},
	    {"/s#secret", "GET /s"},
	    {"?q=secret", "GET /"},
	    {"http://host:80/abc/7?x", "GET /abc/?"},
	    {"http://host", "GET /"},
	    {"*", "GET *"},
	    {"//x//", "GET //x//"},
	    {"/\xc3\xa9t\xc3\xa9", "GET /?"},
	    {"/a\x01z", "GET /?"},
	    {"/oauth2/base64/s3", "GET /oauth2/base64/s3"},
	    {"/users:batchGet/_x-y.z~", "GET /users:batchGet/_x-y.z~"},
	    {"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "GET /?"},
	    {"/facade/add", "GET /facade/add"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct reader *reader = reader_new(&protocol_http);
		char request[512], expected[512];

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", cases[i].target);
		snprintf(expected, sizeof(expected), "request 0-%zu %s keys=1\n", strlen(request), cases[i].operation);
		assert_int_equal(reader_feed(reader, Q, request), 0);
		assert_string_equal(reader->log, expected);
		reader_free(reader);
	}
}

/* A target longer than what is kept: cut in the same place however it comes, its last part masked. */
static void test_long_target(void **state)
{
	char request[5000] = "GET ";
	struct turn turns[] = {{Q, request, 0}, {A, NULL, 0}};
	char expected[300];

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		strcat(request, "/abcdef");
	strcat(request, " HTTP/1.1\r\n\r\n");
	strcpy(expected, "request 0-4217 GET ");
	for (unsigned i = 0; i < 17; i++)
		strcat(expected, "/abcdef");
	strcat(expected, "/abc keys=1\n");
	reader_check(&protocol_http, turns, expected);
}

static void test_holes(void **state)
{
	static const char big[] = "GET /big HTTP/1.1\r\nCookie: aaaa";
	struct reader *reader = reader_new(&protocol_http);

	(void)state;
	assert_int_equal(
	    reader_feed_hole(reader, Q, "POST /a HTTP/1.1\r\nContent-Length: 9000\r\n\r\nab", 44, 42 + 9000), 0);
	assert_int_equal(reader_feed_hole(reader, A, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nab", 43, 1000), 0);
	assert_int_equal(reader_feed_hole(reader, A, "", 0, 41 + 9000 - 1000), 0);
	assert_int_equal(reader->answers, 1);
	/* in the headers: the operation is known, the end is not */
	assert_int_equal(reader_feed_hole(reader, Q, big, strlen(big), 4000), -EILSEQ);
	reader_finish(reader, Q);
	assert_non_null(strstr(reader->log, "GET /big keys=1\n"));
	assert_int_equal(reader_feed_hole(reader, A, "HTTP/1.1 502 Bad\r\nSet-Cookie: a", 31, 4000), -EILSEQ);
	reader_finish(reader, A);
	assert_int_equal(reader->answers, 2);
	assert_int_equal(reader->errors, 1);
	/* between two chunks */
	assert_int_equal(
	    reader_feed_hole(reader, A, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 52, 1000),
	    -EILSEQ);
	reader_free(reader);
}

static void test_hostile(void **state)
{
	static const struct {
		enum protocol_side side;
		const char *bytes;
	} cases[] = {
	    {Q, "GET / HTTP/2.0\r\n\r\n"},
	    {Q, "GET\r\n"},
	    {Q, "\x16\x03\x01"},
	    {Q, "G\x01T / HTTP/1.1\r\n"},
	    {Q, "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"},
	    {Q, "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"},
	    {Q, "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"},
	    {Q, "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n"},
	    {Q, "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"},
	    {Q, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"},
	    {Q, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"},
	    {Q, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"},
	    {Q, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n"},
	    {A, "HTTP/1.1 20 OK\r\n"},
	    {A, "HTTP/1.1 099 OK\r\n"},
	    {A, "HTTP/3 200 OK\r\n"},
	    {A, "+OK\r\n"},
	};
	char *line = malloc(1 << 20);
	struct reader *reader;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reader = reader_new(&protocol_http);
		assert_int_equal(reader_feed(reader, cases[i].side, cases[i].bytes), -EILSEQ);
		reader_finish(reader, cases[i].side);
		reader_free(reader);
	}
	assert_non_null(line);
	memset(line, 'H', 1 << 20);
	reader = reader_new(&protocol_http);
	assert_int_equal(reader_feed_hole(reader, Q, line, 1 << 20, 1 << 20), -EILSEQ);
	assert_int_equal(reader_feed_hole(reader, A, line, 1 << 20, 1 << 20), -EILSEQ);
	protocol_http.resync(reader->state, Q);
	assert_int_equal(reader_feed(reader, Q, "GET / HTTP/1.1\r\nX: "), 0);
	assert_int_equal(reader_feed_hole(reader, Q, line, 1 << 20, 1 << 20), -EILSEQ);
	reader_free(reader);
	free(line);
}

static void test_pipeline(void **state)
{
	static const char request[] = "GET /a HTTP/1.1\r\n\r\n", answer[] = "HTTP/1.1 204 No\r\n\r\n";
	struct reader *reader = reader_new(&protocol_http);
	char *requests = malloc(1000 * sizeof(request)), *answers = malloc(1000 * sizeof(answer));
	size_t q = strlen(request), a = strlen(answer);

	(void)state;
	assert_non_null(requests);
	assert_non_null(answers);
	for (unsigned i = 0; i < 1000; i++) {
		memcpy(requests + i * q, request, q);
		memcpy(answers + i * a, answer, a);
	}
	assert_int_equal(reader_feed_hole(reader, Q, requests, 1000 * q, 1000 * q), 0);
	assert_int_equal(reader_feed_hole(reader, A, answers, 1000 * a, 1000 * a), 0);
	assert_int_equal(reader->requests, 1000);
	assert_int_equal(reader->answers, 1000);
	free(requests);
	free(answers);
	reader_free(reader);
}

static void test_abuse(void **state)
{
	static const struct turn turns[] = {
	    {Q, "POST /a/1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcHEAD / HTTP/1.1\r\nX: y\r\n\r\n", 0},
	    {A, "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 0},
	    {A, "HTTP/1.1 304 OK\r\nContent-Length: 10\r\n\r\n", 0},
	    {Q, "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nab\r\n0\r\nA: b\r\n\r\n", 0},
	    {A, "HTTP/1.1 101 Up\r\n\r\nabcdef", 0},
	    {Q, "anything", 0},
	    {A, NULL, 0},
	};

	(void)state;
	reader_abuse(&protocol_http, turns, 20000);
}

static void test_detect(void **state)
{
	static const struct {
		const char *bytes;
		bool yes;
	} cases[] = {
	    {"GET / HTTP/1.1\r\n", true},
	    {"POST /a HTTP/1.0\n", true},
	    {"GET /", true},
	    {"GET http://a/b", true},
	    {"OPTIONS * HTTP/1.1\r\n", true},
	    {"CONNECT a:1 HTTP/1.1\r\n", true},
	    {"PRI * HTTP/2.0\r\n", false},
	    {"GET x\r\n", false},
	    {"GET / HTTP/1.1 x\r\n", true},
	    {"HTTP/1.1 200 OK\r\n", false},
	    {"GE", false},
	    {"", false},
	    {"GET ", false},
	    {"\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *data = (const uint8_t *)cases[i].bytes;
		size_t size = strlen(cases[i].bytes);

		assert_int_equal(protocol_http.detect(data, size, size), cases[i].yes);
		assert_true(!cases[i].yes || protocol_detect(data, size, size) == &protocol_http);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_chunked),
	    cmocka_unit_test(test_interim_and_pipeline),
	    cmocka_unit_test(test_to_close),
	    cmocka_unit_test(test_tunnels),
	    cmocka_unit_test(test_operations),
	    cmocka_unit_test(test_long_target),
	    cmocka_unit_test(test_holes),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_pipeline),
	    cmocka_unit_test(test_abuse),
	    cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, reader_seed, NULL);
}
