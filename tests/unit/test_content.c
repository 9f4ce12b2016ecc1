/*
 * test_content.c: what calls asked and were answered: which are the same, which keys they name, and which values went
 * from an answer into a request. Through the whole first stage, so that it is the readers that tell.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../daemon/call/call.h"
#include "records.h"

#define MAX_CALLS 64
#define TEXT 8192

/* What ended, in this order. */
struct world {
	struct call_stage *stage;
	struct call_content *contents[MAX_CALLS];
	char operations[MAX_CALLS][PROTOCOL_OPERATION_SIZE];
	size_t count;
	bool later; /* the last one's answer was not looked at yet when it ended */
	uint64_t now, connection;
	size_t piece; /* bytes of a segment; 0: whatever there is at once */
	union record record;
};

static void sink_began(void *context, struct call *call)
{
	(void)context;
	assert_null(call->content);
}

static void sink_received(void *context, struct call *call)
{
	(void)context;
	assert_non_null(call->content);
	assert_true(call->content->request_size > 0);
}

static void sink_answering(void *context, struct call *call, const struct call_owner *by)
{
	(void)context;
	(void)call;
	(void)by;
}

static void sink_responding(void *context, struct call *call)
{
	(void)context;
	(void)call;
}

static int compare_values(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* Keeps all values of an answer, each once and in order, as it keeps those of a long one. */
static void look_at_all(struct call_content *content)
{
	uint32_t count;
	const uint32_t *found = content_look(content, NULL, &count);
	uint32_t *values = count ? malloc(count * sizeof(*values)) : NULL;

	assert_true(values || !count);
	if (count)
		memcpy(values, found, count * sizeof(*values));
	free(content->answer_values);
	content->answer_values = values;
	content->answer_value_count = 0;
	if (count)
		qsort(values, count, sizeof(*values), compare_values);
	for (uint32_t i = 0; i < count; i++)
		if (i == 0 || values[i] != values[i - 1])
			values[content->answer_value_count++] = values[i];
}

static void sink_ended(void *context, struct call *call)
{
	struct world *world = context;

	if (call->kind == CALL_MESSAGE || call->kind == CALL_CONNECT) {
		assert_null(call->content);
		return;
	}
	assert_true(world->count < MAX_CALLS);
	memcpy(world->operations[world->count], call->operation, sizeof(call->operation));
	world->contents[world->count++] = content_hold(call->content);
	world->later = call->content && call->content->later.bytes;
	if (call->content)
		look_at_all(call->content);
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct call_sink sink = {
	    .context = world,
	    .began = sink_began,
	    .received = sink_received,
	    .answering = sink_answering,
	    .responding = sink_responding,
	    .ended = sink_ended,
	};

	assert_non_null(world);
	world->stage = call_stage_new(&sink);
	assert_non_null(world->stage);
	world->now = 1000;
	return world;
}

/* Contents outlive the stage. */
static void world_free(struct world *world)
{
	call_stage_free(world->stage);
	for (size_t i = 0; i < world->count; i++)
		content_release(world->contents[i]);
	free(world);
}

static void connect_as(struct world *world, enum nt_role role)
{
	world->now++;
	record_socket(&world->record, world->now, 7, ++world->connection, 6379);
	world->record.socket.role = role;
	assert_int_equal(call_stage_feed(world->stage, &world->record.head), 0);
}

/* One segment of which `captured` bytes are there. */
static void feed_segment(struct world *world, enum nt_direction direction, const char *bytes, size_t size,
			 size_t captured, bool turn)
{
	record_begin(&world->record, NT_SEGMENT, sizeof(world->record.segment), ++world->now, 7);
	world->record.segment.connection = world->connection;
	world->record.segment.first = world->now;
	world->record.segment.bytes = size;
	world->record.segment.captured = (__u32)captured;
	world->record.segment.calls = 1;
	world->record.segment.direction = (__u8)direction;
	world->record.segment.flags = turn ? NT_SEGMENT_TURN : 0;
	record_append(&world->record, bytes, captured);
	assert_int_equal(call_stage_feed(world->stage, &world->record.head), 0);
}

static void feed(struct world *world, enum nt_direction direction, const char *bytes, size_t size)
{
	size_t piece = world->piece ? world->piece : size;

	for (size_t at = 0; at < size; at += piece) {
		size_t part = size - at < piece ? size - at : piece;

		feed_segment(world, direction, bytes + at, part, part, at == 0);
	}
}

/* A call on the newest connection; returns what is known of it. An answer NULL: there is none. */
static struct call_content *call_sized(struct world *world, const char *request, const char *answer, size_t answer_size)
{
	size_t before = world->count;

	feed(world, NT_OUT, request, strlen(request));
	if (answer)
		feed(world, NT_IN, answer, answer_size);
	if (world->count == before)
		return NULL;
	return world->contents[world->count - 1];
}

static struct call_content *call_text(struct world *world, const char *request, const char *answer)
{
	struct call_content *content = call_sized(world, request, answer, answer ? strlen(answer) : 0);

	assert_non_null(content);
	return content;
}

/* A redis command of words parted by single spaces. */
static const char *resp(const char *words)
{
	static char texts[4][TEXT];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	size_t count = 1, at;

	for (const char *c = words; *c; c++)
		count += *c == ' ';
	at = (size_t)sprintf(text, "*%zu\r\n", count);
	while (count--) {
		size_t size = strcspn(words, " ");

		at += (size_t)sprintf(text + at, "$%zu\r\n%.*s\r\n", size, (int)size, words);
		words += size + 1;
	}
	return text;
}

static const char *bulk(const char *value)
{
	static char texts[4][TEXT];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	sprintf(text, "$%zu\r\n%s\r\n", strlen(value), value);
	return text;
}

static const char *ok(const char *body)
{
	static char texts[4][TEXT];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	sprintf(text, "HTTP/1.1 200 OK\r\nDate: Mon, 0%u Jan 2026\r\nContent-Length: %zu\r\n\r\n%s", turn % 8,
		strlen(body), body);
	return text;
}

static const char *get(const char *target)
{
	static char texts[4][TEXT];
	static unsigned turn;
	char *text = texts[turn++ % 4];

	sprintf(text, "GET %s HTTP/1.1\r\nHost: stock:8000\r\n\r\n", target);
	return text;
}

static struct call_content *redis(struct world *world, const char *words, const char *answer)
{
	return call_text(world, resp(words), answer);
}

static bool shares_key(const struct call_content *a, const struct call_content *b)
{
	for (uint32_t i = 0; i < a->item_count; i++)
		for (uint32_t j = 0; j < b->item_count; j++)
			if (a->items[i].key == b->items[j].key)
				return true;
	return false;
}

/* Is there a value in the answer of `from` that the request of `to` has as well? */
static bool passes(const struct call_content *from, const struct call_content *to)
{
	for (uint32_t i = 0; i < to->request_value_count; i++)
		if (from->answer_value_count && bsearch(&to->request_values[i], from->answer_values,
							from->answer_value_count, sizeof(uint32_t), compare_values))
			return true;
	return false;
}

static void assert_alike(const struct call_content *a, const struct call_content *b)
{
	assert_int_equal(a->access, b->access);
	assert_string_equal(a->template, b->template);
	assert_int_equal(a->request, b->request);
	assert_int_equal(a->answer, b->answer);
	assert_int_equal(a->request_size, b->request_size);
	assert_int_equal(a->answer_size, b->answer_size);
	assert_int_equal(a->missing, b->missing);
	assert_int_equal(a->opaque, b->opaque);
	assert_int_equal(a->request_opaque, b->request_opaque);
	assert_int_equal(a->item_count, b->item_count);
	for (uint32_t i = 0; i < a->item_count; i++) {
		assert_int_equal(a->items[i].key, b->items[i].key);
		assert_int_equal(a->items[i].answer, b->items[i].answer);
	}
	assert_int_equal(a->request_value_count, b->request_value_count);
	assert_int_equal(a->answer_value_count, b->answer_value_count);
	for (uint32_t i = 0; i < a->request_value_count; i++)
		assert_int_equal(a->request_values[i], b->request_values[i]);
	for (uint32_t i = 0; i < a->answer_value_count; i++)
		assert_int_equal(a->answer_values[i], b->answer_values[i]);
	assert_int_equal(!a->example, !b->example);
	if (a->example)
		assert_string_equal(a->example, b->example);
}

static const struct {
	const char *request, *answer;
} conversations[] = {
    {"*2\r\n$3\r\nGET\r\n$7\r\nuser:17\r\n", "$26\r\n{\"id\":17,\"name\":\"Ann Lee\"}\r\n"},
    {"*3\r\n$4\r\nMGET\r\n$6\r\nuser:1\r\n$6\r\nuser:2\r\n", "*2\r\n$3\r\nabc\r\n$-1\r\n"},
    {"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$14\r\nv%4a%zz\\u00e9w\r\n", "+OK\r\n"},
    {"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", ":1234\r\n"},
    {"GET /api/v1/orders/17/?full=1&q=caf%C3%A9%2 HTTP/1.1\r\nHost: a\r\nX-Token: abcd-1234\r\nUser-Agent: x\r\n\r\n",
     "HTTP/1.1 201 Created\r\nLocation: /orders/1234\r\nSet-Cookie: s=q1w2e3\r\nContent-Length: 68\r\n\r\n"
     "{\"orders\":[{\"id\":17,\"ref\":\"sku17\",\"17\":0}], \"na\\u00efve\" : \"a\\n\\\"b\"}"},
    {"POST http://a/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\n123\r\n0\r\n\r\n",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\"na\r\n4\r\nme\":\r\n2\r\n17\r\n0\r\nTrailer: "
     "x\r\n\r\n"},
    {"get user:17 b c\r\n", "VALUE b 0 3 9\r\nabc\r\nVALUE user:17 0 2\r\n17\r\nEND\r\n"},
    {"cas key 0 60 4 777\r\nabcd\r\n", "STORED\r\n"},
    {"incr key 1\r\n", "1234\r\n"},
};

static void test_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
		struct world *world = world_new();
		struct call_content *whole, *pieces;

		call_stage_keep_examples(world->stage, true);
		connect_as(world, NT_ROLE_CLIENT);
		whole = call_text(world, conversations[i].request, conversations[i].answer);
		assert_true(whole->request && whole->answer && !whole->request_cut && !whole->answer_cut);
		for (world->piece = 1; world->piece < 12; world->piece++) {
			connect_as(world, NT_ROLE_CLIENT);
			pieces = call_text(world, conversations[i].request, conversations[i].answer);
			assert_alike(whole, pieces);
		}
		world_free(world);
	}
}

static void test_redis_same(void **state)
{
	struct world *world = world_new();
	struct call_content *a, *b;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	a = redis(world, "GET user:17", bulk("ann"));
	b = redis(world, "GET user:17", bulk("ann"));
	assert_alike(a, b);
	assert_int_equal(a->access, PROTOCOL_READ);
	assert_string_equal(a->template, "GET user:?");
	assert_string_equal(a->batch, "MGET");
	b = redis(world, "GET user:18", bulk("bob"));
	assert_int_not_equal(a->request, b->request);
	assert_int_not_equal(a->answer, b->answer);
	assert_false(shares_key(a, b));
	/* where one word ends and the next begins is part of a command */
	a = redis(world, "SADD k ab c", ":2\r\n");
	b = redis(world, "SADD k a bc", ":2\r\n");
	assert_int_not_equal(a->request, b->request);
	assert_int_equal(a->answer, b->answer);
	assert_true(shares_key(a, b));
	a = redis(world, "HGET k ab", bulk("1"));
	b = redis(world, "HGET k cd", bulk("1"));
	assert_int_not_equal(a->request, b->request);
	assert_int_equal(a->items[0].answer, 0); /* it is not all that the key has */
	/* what is shown of keys */
	assert_string_equal(redis(world, "GET 4711", bulk("x"))->template, "GET ?");
	assert_string_equal(redis(world, "GET secret", bulk("x"))->template, "GET ?");
	assert_string_equal(redis(world, "GET ann.lee@x.org:1", bulk("x"))->template, "GET ?");
	assert_string_equal(redis(world, "HGETALL cart/17", "*0\r\n")->template, "HGETALL cart/?");
	assert_string_equal(redis(world, "OBJECT ENCODING user:1", bulk("raw"))->template, "OBJECT ENCODING user:?");
	assert_string_equal(redis(world, "PING", "+PONG\r\n")->template, "");
	world_free(world);
}

static void test_redis_items(void **state)
{
	struct world *world = world_new();
	struct call_content *one, *many, *none, *empty, *list;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	one = redis(world, "GET user:2", bulk("bob"));
	none = redis(world, "GET user:3", "$-1\r\n");
	empty = redis(world, "GET user:4", bulk(""));
	many = redis(world, "MGET user:1 user:2 user:3 user:4", "*4\r\n$3\r\nann\r\n$3\r\nbob\r\n$-1\r\n$0\r\n\r\n");
	assert_int_equal(many->item_count, 4);
	assert_int_equal(many->items[1].key, one->items[0].key);
	assert_int_equal(many->items[1].answer, one->items[0].answer);
	assert_int_not_equal(many->items[0].answer, one->items[0].answer);
	assert_int_equal(many->items[2].answer, none->items[0].answer);
	assert_int_equal(many->items[3].answer, empty->items[0].answer);
	assert_int_not_equal(none->items[0].answer, empty->items[0].answer);
	assert_int_not_equal(none->answer, empty->answer);
	assert_true(none->missing && many->missing && !empty->missing && !one->missing);
	/* RESP3 says nil otherwise and means the same */
	assert_int_equal(redis(world, "GET user:3", "_\r\n")->items[0].answer, none->items[0].answer);
	assert_int_equal(redis(world, "GET user:3", "-WRONGTYPE x\r\n")->items[0].answer, 0);
	list = redis(world, "MSET a 1 b 2", "+OK\r\n");
	assert_int_equal(list->item_count, 2);
	assert_int_equal(list->access, PROTOCOL_WRITE);
	assert_true(shares_key(list, redis(world, "GET b", bulk("2"))));
	assert_false(shares_key(list, redis(world, "GET 1", bulk("2"))));
	list = redis(world, "EVAL return 2 x y z", bulk("?"));
	assert_int_equal(list->item_count, 2);
	assert_int_equal(list->access, PROTOCOL_OTHER);
	assert_true(shares_key(list, redis(world, "DEL q y", ":1\r\n")));
	assert_false(shares_key(list, redis(world, "DEL z", ":1\r\n")));
	world_free(world);
}

static void test_redis_many_items(void **state)
{
	struct world *world = world_new();
	char words[TEXT] = "MGET", answer[TEXT] = "*70\r\n";
	struct call_content *content;

	(void)state;
	for (unsigned i = 0; i < 70; i++) {
		sprintf(words + strlen(words), " k%u", i);
		strcat(answer, bulk("v"));
	}
	connect_as(world, NT_ROLE_CLIENT);
	content = redis(world, words, answer);
	assert_int_equal(content->item_count, CONTENT_MAX_ITEMS);
	assert_true(content->items_cut);
	assert_true(content->items[CONTENT_MAX_ITEMS - 1].answer != 0);
	world_free(world);
}

static void test_redis_state(void **state)
{
	struct world *world = world_new();
	struct call_content *first, *other, *queued;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	first = redis(world, "GET k", bulk("v"));
	assert_int_equal(redis(world, "SELECT 3", "+OK\r\n")->access, PROTOCOL_CONTROL);
	other = redis(world, "GET k", bulk("v"));
	assert_int_not_equal(first->request, other->request);
	assert_false(shares_key(first, other));
	assert_int_equal(first->items[0].answer, other->items[0].answer);
	assert_int_equal(first->request_value_count, other->request_value_count); /* the number is no value */
	redis(world, "SELECT 0", "+OK\r\n");
	assert_alike(first, redis(world, "GET k", bulk("v")));
	assert_int_equal(redis(world, "MULTI", "+OK\r\n")->access, PROTOCOL_CONTROL);
	queued = redis(world, "GET k", "+QUEUED\r\n");
	assert_int_equal(queued->access, PROTOCOL_CONTROL); /* it is told nothing */
	assert_int_equal(queued->items[0].answer, 0);
	assert_int_equal(redis(world, "SET k v", "+QUEUED\r\n")->access, PROTOCOL_WRITE);
	assert_int_equal(redis(world, "KEYS *", "+QUEUED\r\n")->access, PROTOCOL_OTHER);
	assert_int_equal(redis(world, "EXEC", "*1\r\n$1\r\nv\r\n")->access, PROTOCOL_CONTROL);
	assert_alike(first, redis(world, "GET k", bulk("v")));
	assert_int_equal(redis(world, "TTL k", ":5\r\n")->access, PROTOCOL_OTHER);
	assert_int_equal(redis(world, "FLUSHALL", "+OK\r\n")->access, PROTOCOL_OTHER);
	assert_int_equal(redis(world, "set k v", "+OK\r\n")->access, PROTOCOL_WRITE);
	assert_int_equal(redis(world, "CLIENT SETNAME x", "+OK\r\n")->access, PROTOCOL_CONTROL);
	world_free(world);
}

static void test_pipeline(void **state)
{
	struct world *world = world_new();
	char requests[TEXT], answers[TEXT];

	(void)state;
	sprintf(requests, "%s%s", resp("GET a"), resp("MGET b a"));
	sprintf(answers, "%s*2\r\n%s%s", bulk("1111"), bulk("2222"), bulk("1111"));
	connect_as(world, NT_ROLE_CLIENT);
	for (world->piece = 0; world->piece < 7; world->piece += 3) {
		size_t at = world->count;

		feed(world, NT_OUT, requests, strlen(requests));
		feed(world, NT_IN, answers, strlen(answers));
		assert_int_equal(world->count, at + 2);
		assert_int_equal(world->contents[at]->items[0].key, world->contents[at + 1]->items[1].key);
		assert_int_equal(world->contents[at]->items[0].answer, world->contents[at + 1]->items[1].answer);
		assert_false(world->contents[at]->opaque);
	}
	world_free(world);
}

static void test_http_same(void **state)
{
	static const char *const same[] = {
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: y/2\r\nAccept: */*\r\nConnection: close\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-B3-TraceId: 4711\r\nAccept: */*\r\ntraceparent: 00-ab-cd-01\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nsentry-trace: 1\r\nX-Request-ID: 7\r\nAccept: */*\r\n"
	    "x-datadog-parent-id: 8\r\nDate: now\r\n\r\n",
	};
	static const char *const others[] = {
	    "HEAD /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
	    "GET /a?b=2 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
	    "GET /a/?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
	    "GET /a%3Fb=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: y\r\nAccept: */*\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Bearer t\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX-Tenant: 7\r\n\r\n",
	    /* the beginning of a name that is known, behind that, and one that goes on behind another */
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX-Datadog-Id: 7\r\nX-Datadog: 7\r\n\r\n",
	    "GET /a?b=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nDates: 7\r\n\r\n",
	};
	struct world *world = world_new();
	struct call_content *first;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	first = call_text(world, same[0], ok("one"));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_alike(first, call_text(world, same[i], ok("one"))); /* answered at another time */
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_not_equal(first->request,
				     call_text(world, others[i], i ? ok("one") : "HTTP/1.1 204 x\r\n\r\n")->request);
	assert_int_not_equal(first->answer, call_text(world, same[0], ok("two"))->answer);
	assert_int_not_equal(first->answer,
			     call_text(world, same[0], "HTTP/1.1 500 x\r\nContent-Length: 3\r\n\r\none")->answer);
	/* how a body is cut into chunks is no part of it */
	assert_int_equal(first->answer, call_text(world, same[0],
						  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
						  "1\r\no\r\n2\r\nne\r\n0\r\n\r\n")
					    ->answer);
	assert_true(call_text(world, same[0], "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")->missing);
	world_free(world);
}

/* Lines that are longer than what a reader keeps of them. */
static void test_http_long(void **state)
{
	struct world *world = world_new();
	char one[TEXT], two[TEXT];
	struct call_content *first, *second;

	(void)state;
	sprintf(one, "GET /q?x=%02000u&last=abcd HTTP/1.1\r\nHost: x\r\nCookie: %02000u\r\n\r\n", 1, 2);
	sprintf(two, "GET /q?x=%02000u&last=abce HTTP/1.1\r\nHost: x\r\nCookie: %02000u\r\n\r\n", 1, 2);
	connect_as(world, NT_ROLE_CLIENT);
	first = call_text(world, one, ok("{\"x\": \"abce\"}"));
	second = call_text(world, two, ok("-"));
	assert_int_not_equal(first->request, second->request);
	assert_true(passes(first, second));
	one[strlen(one) - 5] = '3';
	assert_int_not_equal(first->request, call_text(world, one, ok("-"))->request);
	world_free(world);
}

static struct call_content *request(struct world *world, const char *method, const char *target)
{
	char text[TEXT];

	sprintf(text, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, target);
	return call_text(world, text, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void test_http_paths(void **state)
{
	static const struct {
		const char *written, *read;
		bool touched;
	} cases[] = {
	    {"/orders/17", "/orders/17", true},
	    {"/orders/17", "/orders/17/", true},
	    {"/orders/17", "/orders", true},
	    {"/orders/17", "/", true},
	    {"/orders/17", "/orders/17?a=b", true},
	    {"/orders/17", "/orders/17/items/3", true},
	    {"/orders", "/orders/17", true},
	    {"/", "/orders/17", true},
	    {"/orders/17", "/orders/18", false},
	    {"/orders/17", "/orders/1", false},
	    {"/orders/17", "/users", false},
	    {"/orders/17/items", "/orders/18/items", false},
	    {"http://x/orders/17", "/orders/17", true},
	};
	struct world *world = world_new();

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call_content *writing = request(world, "DELETE", cases[i].written);
		struct call_content *reading = request(world, "GET", cases[i].read);

		assert_int_equal(writing->access, PROTOCOL_WRITE);
		assert_int_equal(reading->access, PROTOCOL_READ);
		assert_int_equal(shares_key(writing, reading), cases[i].touched);
		assert_int_equal(reading->items[0].answer, 0);
	}
	assert_int_equal(request(world, "POST", "/orders")->access, PROTOCOL_WRITE);
	assert_int_equal(request(world, "MOVE", "/orders")->access, PROTOCOL_OTHER);
	world_free(world);
}

static void test_memcache(void **state)
{
	struct world *world = world_new();
	struct call_content *one, *none, *many;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	one = call_text(world, "get user:2\r\n", "VALUE user:2 0 3\r\nbob\r\nEND\r\n");
	none = call_text(world, "get user:3\r\n", "END\r\n");
	many = call_text(world, "get user:1 user:2 user:3 user:4\r\n",
			 "VALUE user:4 0 0\r\n\r\nVALUE user:2 0 3\r\nbob\r\nEND\r\n");
	assert_string_equal(one->template, "get user:?");
	assert_string_equal(one->batch, "get of many keys (get_multi)");
	assert_int_equal(many->item_count, 4);
	assert_int_equal(many->items[1].key, one->items[0].key);
	assert_int_equal(many->items[1].answer, one->items[0].answer);
	assert_int_equal(many->items[0].answer, none->items[0].answer);
	assert_int_equal(many->items[2].answer, none->items[0].answer);
	assert_true(many->items[3].answer != 0);
	assert_int_not_equal(many->items[3].answer, none->items[0].answer);
	assert_true(none->missing && many->missing && !one->missing);
	/* a version tells two apart, and that value is the same */
	many = call_text(world, "gets user:2\r\n", "VALUE user:2 0 3 4711\r\nbob\r\nEND\r\n");
	assert_int_equal(many->items[0].answer, one->items[0].answer);
	assert_true(passes(many, call_text(world, "cas user:2 0 0 3 4711\r\ncid\r\n", "STORED\r\n")));
	assert_alike(call_text(world, "mg user:2 v\r\n", "VA 3\r\nbob\r\n"),
		     call_text(world, "mg user:2 v\r\n", "VA 3\r\nbob\r\n"));
	assert_int_equal(call_text(world, "mg user:2 v\r\n", "VA 3\r\nbob\r\n")->items[0].answer, one->items[0].answer);
	assert_int_equal(call_text(world, "mg user:3 v\r\n", "EN\r\n")->items[0].answer, none->items[0].answer);
	assert_int_equal(call_text(world, "mg user:3 v N30\r\n", "EN\r\n")->access, PROTOCOL_WRITE);
	assert_true(shares_key(one, call_text(world, "set user:2 0 60 3\r\ncid\r\n", "STORED\r\n")));
	assert_int_equal(call_text(world, "delete k\r\n", "DELETED\r\n")->access, PROTOCOL_WRITE);
	assert_int_equal(call_text(world, "flush_all\r\n", "OK\r\n")->access, PROTOCOL_OTHER);
	assert_int_equal(call_text(world, "version\r\n", "VERSION 1.6\r\n")->access, PROTOCOL_CONTROL);
	assert_false(call_text(world, "set k 0 0 2 noreply\r\nab\r\n", NULL)->opaque);
	world_free(world);
}

/* Does a value of this answer go into that request? */
static void test_passing(void **state)
{
	static const struct {
		const char *answer, *target;
		bool passed;
	} cases[] = {
	    /* long ones, wherever they stand */
	    {"{\"id\": 4711}", "/orders/4711", true},
	    {"{\"id\": 4711}", "/orders/4712", false},
	    {"{\"count\": 4711}", "/orders?n=4711", true},
	    {"{\"name\": \"Alice\"}", "/users/alice", true},
	    {"[\"550e8400-e29b-41d4\"]", "/x/550E8400-E29B-41D4", true},
	    {"{\"next\": \"/v1/items?cursor=eyJpZCI6MTd9%3D\"}", "/v1/items?cursor=eyJpZCI6MTd9%3D", true},
	    {"{\"next\": \"http:\\/\\/a\\/page\\/abcd\"}", "/page/abcd", true},
	    {"{\"url\": \"/v1/a/7\"}", "/v1/b/8", false},
	    {"{\"url\": \"/v1/a/7\"}", "/v1/b/7", true},
	    {"{\"title\": \"caf\\u00e9\"}", "/q?title=caf%C3%A9", true},
	    {"{\"title\": \"caf\xc3\xa9\"}", "/q?title=caf%c3%a9", true},
	    {"{\"key\": \"a%2Fbcde\"}", "/k/a%252Fbcde", true},
	    {"{\"order\": \"ORD20240017\"}", "/orders/20240017", true},
	    {"{\"order\": 20240017}", "/orders/ORD20240017", true},
	    {"<id>4711</id>", "/orders/4711", true},
	    {"id,name\n4711,ann\n", "/orders/4711", true},
	    /* words that all have */
	    {"{\"type\": \"json\", \"ok\": true}", "/true/json", false},
	    /* names of fields are not passed on, but keys that are data */
	    {"{\"reviews\": 1, \"stock\" : 2}", "/reviews/x/stock", false},
	    {"{\"4711\": {\"a\": 1}}", "/orders/4711", true},
	    {"{\"17\": {\"a\": 1}}", "/orders/17", true},
	    {"{\"a\\\"b\": \"reviews\"}", "/reviews", true},
	    /* short ones by their names */
	    {"{\"id\": 17}", "/orders/17", true},
	    {"{\"userId\": 17}", "/orders/17", true},
	    {"{\"user_id\": 17}", "/orders/17", true},
	    {"{\"ids\": [3, 17]}", "/orders/17", true},
	    {"{\"stock\": 17}", "/stock/17", true},
	    {"{\"stock\": 17}", "/stocks/17", true},
	    {"{\"categories\": [4, 17]}", "/category/17", true},
	    {"{\"addresses\": [4, 17]}", "/address/17", true},
	    {"{\"stock\": 17}", "/prices/17", false},
	    {"{\"count\": 3, \"total\": 17}", "/items/3", false},
	    {"{\"paid\": 17}", "/items/17", false},
	    {"{\"price\": \"17.50\"}", "/items/17", false},
	    {"{\"country\": \"de\"}", "/tax?country=de", true},
	    {"{\"language\": \"de\"}", "/tax?country=de", false},
	    {"{\"a\": [{\"id\": 9}, {\"id\": 17}]}", "/orders?ids=3,17", true},
	    {"17", "/orders/17", true},
	    {"\"17\"", "/orders/17", true},
	    {"[3, 17]", "/orders/17", true},
	    {"{\"owner\": \"/people/17\"}", "/orders/17", true},
	    {"{\"owner\": \"user:17\"}", "/orders/17", true},
	    {"{\"text\": \"about 17 of them\"}", "/orders/17", false},
	    {"{\"id\": 17}", "/items/sku17", true},
	    {"{\"item\": \"sku17\"}", "/items/17", true},
	    {"{\"item\": \"sku17\"}", "/items/18", false},
	    {"{\"id\": 7}", "/items/17", false},
	    {"<stock>17</stock>", "/stock/17", true},
	};
	struct world *world;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call_content *from, *to;

		world = world_new();
		connect_as(world, NT_ROLE_CLIENT);
		from = call_text(world, get("/"), ok(cases[i].answer));
		to = call_text(world, get(cases[i].target), ok("-"));
		if (passes(from, to) != cases[i].passed)
			fail_msg("%s to %s is not %d", cases[i].answer, cases[i].target, cases[i].passed);
		assert_false(from->opaque || to->request_opaque);
		world_free(world);
	}
}

/* From and to other places than bodies and paths. */
static void test_passing_elsewhere(void **state)
{
	static const struct {
		const char *request, *answer, *next;
		bool passed;
	} cases[] = {
	    {"POST /o HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	     "HTTP/1.1 201 x\r\nLocation: /o/17\r\nContent-Length: 0\r\n\r\n", "GET /o/17 HTTP/1.1\r\n\r\n", true},
	    {"POST /o HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	     "HTTP/1.1 201 x\r\nX-Item-Id: 17\r\nContent-Length: 0\r\n\r\n", "GET /q/17 HTTP/1.1\r\n\r\n", true},
	    {"POST /o HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	     "HTTP/1.1 201 x\r\nX-Stock: 17\r\nContent-Length: 0\r\n\r\n", "GET /q/17 HTTP/1.1\r\n\r\n", false},
	    {"POST /login HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	     "HTTP/1.1 200 x\r\nContent-Length: 14\r\n\r\n{\"t\":\"abcd12\"}",
	     "GET /q HTTP/1.1\r\nAuthorization: Bearer abcd12\r\n\r\n", true},
	    {"POST /login HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	     "HTTP/1.1 200 x\r\nSet-Cookie: sid=abcd12; Path=/\r\nContent-Length: 0\r\n\r\n",
	     "GET /q HTTP/1.1\r\nCookie: sid=abcd12\r\n\r\n", true},
	    {"GET /o HTTP/1.1\r\n\r\n", "HTTP/1.1 200 x\r\nETag: \"abcd12\"\r\nContent-Length: 0\r\n\r\n",
	     "GET /o HTTP/1.1\r\nIf-None-Match: \"abcd12\"\r\n\r\n", true},
	    {"GET /o HTTP/1.1\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nabcd",
	     "POST /q HTTP/1.1\r\nContent-Length: 12\r\n\r\n{\"a\":\"abcd\"}", true},
	    {"GET /o HTTP/1.1\r\n\r\n", "HTTP/1.1 200 x\r\nServer: gunicorn\r\nContent-Length: 0\r\n\r\n",
	     "GET /gunicorn HTTP/1.1\r\n\r\n", false},
	    {"GET /o HTTP/1.1\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nabcd",
	     "GET /q HTTP/1.1\r\nHost: abcd\r\nUser-Agent: abcd\r\n\r\n", false},
	    {"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "$2\r\n17\r\n", "*2\r\n$3\r\nGET\r\n$7\r\nuser:17\r\n", true},
	    {"*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n", ":17\r\n", "*2\r\n$3\r\nGET\r\n$7\r\nuser:17\r\n", true},
	    {"*2\r\n$8\r\nSMEMBERS\r\n$1\r\nk\r\n", "*2\r\n$1\r\n3\r\n$2\r\n17\r\n",
	     "*3\r\n$4\r\nMGET\r\n$6\r\nuser:3\r\n$7\r\nuser:18\r\n", true},
	    {"*3\r\n$4\r\nHGET\r\n$1\r\nk\r\n$1\r\nf\r\n", "$13\r\nuser:17,ann:3\r\n",
	     "*3\r\n$4\r\nHSET\r\n$1\r\nq\r\n$2\r\n17\r\n$1\r\n1\r\n", true},
	    {"*2\r\n$3\r\nGET\r\n$4\r\nabcd\r\n", "$4\r\nabce\r\n", "*2\r\n$3\r\nGET\r\n$4\r\nabcd\r\n", false},
	    {"*3\r\n$3\r\nSET\r\n$4\r\nabcd\r\n$1\r\n1\r\n", "+OK\r\n", "*2\r\n$3\r\nGET\r\n$2\r\nOK\r\n", false},
	    {"get a\r\n", "VALUE a 0 4\r\nabcd\r\nEND\r\n", "get abcd\r\n", true},
	    {"get abcd\r\n", "VALUE abcd 0 1\r\nx\r\nEND\r\n", "get abcd\r\n", false},
	    {"incr a 1\r\n", "17\r\n", "get user:17\r\n", true},
	    {"mg a v\r\n", "VA 2\r\n17\r\n", "get user:17\r\n", true},
	};
	struct world *world;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct call_content *from, *to;
		const char *next = cases[i].next;

		world = world_new();
		connect_as(world, NT_ROLE_CLIENT);
		from = call_text(world, cases[i].request, cases[i].answer);
		to = call_text(world, next, strstr(next, "HTTP") ? ok("") : *next == '*' ? "+OK\r\n" : "END\r\n");
		if (passes(from, to) != cases[i].passed)
			fail_msg("%zu: %s to %s is not %d", i, cases[i].answer, next, cases[i].passed);
		world_free(world);
	}
}

static void test_opaque(void **state)
{
	static const char gzip[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd";
	static const char pickle[] = "$9\r\n\x80\x04\x8c\x03"
				     "bob.."
				     "\r\n";
	static const char integer[] = "$4\r\nab\x01"
				      "c\r\n";
	struct world *world = world_new();
	struct call_content *first, *second;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	first = call_text(world, get("/"), gzip);
	second = call_text(world, get("/"), gzip);
	assert_true(first->opaque && !first->answer_cut);
	assert_alike(first, second);
	assert_int_not_equal(first->answer, call_text(world, get("/"), ok("abce"))->answer);
	second = call_text(world, "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", ok(""));
	assert_true(second->request_opaque && !second->opaque);
	connect_as(world, NT_ROLE_CLIENT);
	assert_true(redis(world, "GET k", pickle)->opaque);
	assert_true(redis(world, "GET k", integer)->opaque);
	assert_false(redis(world, "GET k",
			   bulk("gr\xc3\xbc\xc3\x9f"
				"e\t\n\xf0\x9f\x98\x80"))
			 ->opaque);
	assert_true(redis(world, "SET k \x80\x04", "+OK\r\n")->request_opaque);
	world_free(world);
}

static void test_cut(void **state)
{
	struct world *world = world_new();
	struct call_content *first, *second;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	feed(world, NT_OUT, resp("GET k"), strlen(resp("GET k")));
	feed_segment(world, NT_IN, "$1000\r\nabc", 1009, 10, true);
	feed(world, NT_OUT, resp("GET k"), strlen(resp("GET k")));
	feed_segment(world, NT_IN, "$1000\r\nabd", 1009, 10, true);
	assert_int_equal(world->count, 2);
	first = world->contents[0];
	second = world->contents[1];
	assert_true(first->answer_cut && first->opaque && !first->request_cut);
	assert_int_not_equal(first->answer, second->answer);
	assert_int_equal(first->answer_size, second->answer_size);
	/* a request with a hole in its value, and one that was lost in a head */
	feed_segment(world, NT_OUT, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900\r\nabc", 26 + 902, 29, true);
	feed(world, NT_IN, "+OK\r\n", 5);
	assert_int_equal(world->count, 3);
	assert_true(world->contents[2]->request_cut && world->contents[2]->request_opaque);
	assert_false(world->contents[2]->answer_cut);
	feed_segment(world, NT_OUT, "*101\r\n$4\r\nMGET\r\n$4\r\nk", 1500, 21, true);
	feed(world, NT_IN, "*1\r\n$1\r\na\r\n", 11);
	assert_int_equal(world->count, 4);
	assert_true(world->contents[3]->request_cut);
	/* what was never answered */
	feed(world, NT_OUT, resp("GET k"), strlen(resp("GET k")));
	call_stage_flush(world->stage, world->now, true);
	assert_int_equal(world->count, 5);
	assert_true(world->contents[4]->answer_cut && world->contents[4]->opaque);
	assert_int_equal(world->contents[4]->answer, 0);
	world_free(world);
}

static void test_many_values(void **state)
{
	struct world *world = world_new();
	char *body = malloc(200000), *text = malloc(200000);
	struct call_content *content;
	size_t size = 0;

	(void)state;
	assert_true(body && text);
	/* each value twice: they all have a place */
	for (unsigned i = 0; i < 2 * (CONTENT_MAX_VALUES - 100); i++)
		size += (size_t)sprintf(body + size, "%u,", 100000 + i / 2);
	connect_as(world, NT_ROLE_CLIENT);
	world->piece = 20000;
	size = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", size, body);
	content = call_sized(world, get("/"), text, size);
	assert_non_null(content);
	assert_false(content->opaque);
	assert_int_equal(content->answer_value_count, CONTENT_MAX_VALUES - 100);
	size = 0;
	for (unsigned i = 0; i < CONTENT_MAX_VALUES + 100; i++)
		size += (size_t)sprintf(body + size, "%u,", 100000 + i * 2);
	size = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", size, body);
	content = call_sized(world, get("/"), text, size);
	assert_true(content->opaque && !content->answer_cut);
	assert_true(content->answer_value_count <= CONTENT_MAX_VALUES);
	world_free(world);
	free(body);
	free(text);
}

static void test_requests(void **state)
{
	struct world *world = world_new();
	struct call_content *asked;

	(void)state;
	connect_as(world, NT_ROLE_SERVER);
	feed(world, NT_IN, get("/orders/4711"), strlen(get("/orders/4711")));
	feed(world, NT_OUT, ok("{\"id\":4711}"), strlen(ok("{\"id\":4711}")));
	assert_int_equal(world->count, 1);
	asked = world->contents[0];
	assert_true(asked->request_value_count > 0);
	assert_int_equal(asked->answer_value_count, 0);
	connect_as(world, NT_ROLE_CLIENT);
	assert_int_equal(redis(world, "GET order:4711", bulk("x"))->request_value_count > 0, true);
	world_free(world);
}

static void test_unknown(void **state)
{
	struct world *world = world_new();

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	feed(world, NT_OUT, "\x16\x03\x01what is this", 15);
	feed(world, NT_IN, "that", 4);
	call_stage_flush(world->stage, world->now, true);
	assert_int_equal(world->count, 1);
	assert_null(world->contents[0]);
	assert_int_equal(call_stage_stats(world->stage)->contents_refused, 0);
	world_free(world);
}

static void test_examples(void **state)
{
	struct world *world = world_new();
	char long_path[300] = "/";

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	assert_null(redis(world, "GET user:17", bulk("ann"))->example);
	call_stage_keep_examples(world->stage, true);
	assert_string_equal(redis(world, "GET user:17", bulk("ann"))->example, "GET user:17");
	redis(world, "SELECT 3", "+OK\r\n");
	assert_string_equal(redis(world, "SET a\x01\x02 b", "+OK\r\n")->example, "SET a b");
	connect_as(world, NT_ROLE_CLIENT);
	assert_string_equal(call_text(world, get("/a/17?b=c"), ok(""))->example, "GET /a/17?b=c");
	memset(long_path + 1, 'x', sizeof(long_path) - 2);
	assert_int_equal(strlen(call_text(world, get(long_path), ok(""))->example), CONTENT_EXAMPLE_SIZE);
	connect_as(world, NT_ROLE_CLIENT);
	assert_string_equal(call_text(world, "set k 0 0 2\r\nab\r\n", "STORED\r\n")->example, "set k 0 0 2");
	call_stage_keep_examples(world->stage, false);
	assert_null(call_text(world, "get k\r\n", "END\r\n")->example);
	world_free(world);
}

static void test_secret(void **state)
{
	struct world *world = world_new();
	struct call_content *first, *second;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	first = redis(world, "GET k", bulk("v"));
	call_stage_set_secret(world->stage, "0123", 4);
	second = redis(world, "GET k", bulk("v"));
	assert_int_not_equal(first->request, second->request);
	assert_int_not_equal(first->answer, second->answer);
	assert_int_not_equal(first->items[0].key, second->items[0].key);
	world_free(world);
}

static void call_text_or_none(struct world *world)
{
	const char *answer = bulk("some words and some other words");

	call_sized(world, resp("GET user:17"), answer, strlen(answer));
}

/* What somebody holds takes room until he lets go. */
static void test_budget(void **state)
{
	struct world *world = world_new();
	size_t room = 400000, held = 0;
	struct call_content **all = calloc(room, sizeof(*all));

	(void)state;
	assert_non_null(all);
	connect_as(world, NT_ROLE_CLIENT);
	while (call_stage_stats(world->stage)->contents_refused == 0 && held < room) {
		call_text_or_none(world);
		all[held++] = world->contents[0];
		world->count = 0;
	}
	assert_true(held < room && held > CONTENT_MAX_BYTES / 2048);
	assert_null(all[held - 1]);
	for (size_t i = 0; i < held; i++)
		content_release(all[i]);
	free(all);
	assert_non_null(redis(world, "GET user:17", bulk("ann")));
	assert_int_equal(call_stage_stats(world->stage)->contents_refused, 1);
	world_free(world);
}

static bool has(const uint32_t *values, uint32_t count, uint32_t value)
{
	for (uint32_t i = 0; i < count; i++)
		if (values[i] == value)
			return true;
	return false;
}

/* One value at a time is wanted, of what the answer has and of what it lacks. */
static void assert_found_one_by_one(struct call_content *content, const struct call_content *other)
{
	struct values_wanted wanted;
	const uint32_t *found;
	uint32_t count;

	for (uint32_t i = 0; i < content->answer_value_count; i++) {
		memset(&wanted, 0, sizeof(wanted));
		values_want(&wanted, content->answer_values[i]);
		found = content_look(content, &wanted, &count);
		assert_true(has(found, count, content->answer_values[i]));
	}
	for (uint32_t i = 0; i < other->answer_value_count; i++) {
		memset(&wanted, 0, sizeof(wanted));
		values_want(&wanted, other->answer_values[i]);
		found = content_look(content, &wanted, &count);
		assert_int_equal(has(found, count, other->answer_values[i]),
				 has(content->answer_values, content->answer_value_count, other->answer_values[i]));
	}
}

/* What is wanted is found wherever it is, and nothing that would not be found without being wanted. */
static void test_wanted(void **state)
{
	static const char *const pieces[] = {
	    "\"id\":",	"\"",	 "17",	   ", ",	 "{\"order_ids\":[", "]}",	 "abc", "/orders/",
	    "12345abc", "abc17", "a1b2c3", ": ",	 "\"user\":\"",	     "%2F",	 "eu",	"\\u00e4",
	    "true",	"-",	 "_",	   "1234567890", "stocks",	     "\xc3\xa4", " ",	"?x=1&y="};
	struct world *world = world_new();
	struct call_content *before = NULL;

	(void)state;
	connect_as(world, NT_ROLE_CLIENT);
	for (unsigned round = 0; round < MAX_CALLS; round++) {
		struct call_content *content;
		char text[1024] = "";

		for (unsigned i = 0; i < 40; i++)
			strcat(text, pieces[test_random_below(sizeof(pieces) / sizeof(pieces[0]))]);
		content = redis(world, "GET k", bulk(text));
		assert_true(content->later.bytes && content->answer_value_count > 0);
		assert_found_one_by_one(content, before ? before : content);
		before = content;
	}
	world_free(world);
}

/* Short answers wait until somebody asks for their values; they say the same then, and what they took is given back. */
static void test_later(void **state)
{
	struct world *world = world_new();
	struct call_content *content;
	char *body = calloc(1, 10001), *text = malloc(20000);
	uint32_t count;

	(void)state;
	assert_true(body && text);
	connect_as(world, NT_ROLE_CLIENT);
	content = call_text(world, get("/"), ok("{\"id\":4711}"));
	assert_true(world->later);
	assert_true(content->answer_value_count > 0 && !content->opaque);
	count = content->answer_value_count;
	look_at_all(content); /* the same again */
	assert_int_equal(content->answer_value_count, count);
	assert_false(call_text(world, get("/empty"), ok(""))->opaque);
	assert_false(world->later);
	memset(body, 'x', 10000);
	sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n%s", body);
	assert_true(call_text(world, get("/long"), text)->answer_value_count > 0);
	assert_false(world->later);
	world_free(world);
	free(body);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_later),	cmocka_unit_test(test_wanted),
	    cmocka_unit_test(test_pieces),	cmocka_unit_test(test_redis_same),
	    cmocka_unit_test(test_redis_items), cmocka_unit_test(test_redis_many_items),
	    cmocka_unit_test(test_redis_state), cmocka_unit_test(test_pipeline),
	    cmocka_unit_test(test_http_same),	cmocka_unit_test(test_http_long),
	    cmocka_unit_test(test_http_paths),	cmocka_unit_test(test_memcache),
	    cmocka_unit_test(test_passing),	cmocka_unit_test(test_passing_elsewhere),
	    cmocka_unit_test(test_opaque),	cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_many_values), cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_unknown),	cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_secret),	cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
