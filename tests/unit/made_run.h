/*
 * made_run.h: runs made by hand, for tests of what is found in them. Times, hashes and sizes are of chance.
 */
#ifndef NT_MADE_RUN_H
#define NT_MADE_RUN_H

#include "test.h"

#include <arpa/inet.h>
#include <string.h>

#include "../../daemon/finding/finding.h"

#define MADE_MAX 64 /* calls of a run */
#define MADE_MS UINT64_C(1000000)

struct made_content {
	struct call_content content;
	struct content_item items[16];
	uint32_t request_values[16], answer_values[64];
};

struct made_run {
	struct run run;
	struct run_call calls[MADE_MAX];
	struct made_content contents[MADE_MAX];
	uint64_t now;
};

static const struct run_endpoint made_endpoint = {"shop.views.homepage", "/srv/shop/views.py", 12};
static const struct run_site made_sites[2] = {{"shop.session.load", "/srv/shop/session.py", 41},
					      {"shop.stock.look", "/srv/shop/stock.py", 7}};

static inline uint64_t made_number(void)
{
	return test_random() | 1;
}

static inline uint64_t made_time(void)
{
	return MADE_MS + test_random_below(20 * MADE_MS);
}

static inline void made_begin(struct made_run *made)
{
	memset(made, 0, sizeof(*made));
	made->now = 1000 * MADE_MS + test_random_below(MADE_MS);
	made->run = (struct run){
	    .endpoint = &made_endpoint,
	    .pid = 1,
	    .tid = 1,
	    .began = made->now,
	    .source = RUN_BY_REQUEST,
	    .exact = true,
	    .made = made->calls,
	};
	made->now += test_random_below(MADE_MS);
}

/* A call that begins when the last one has ended, without content. */
static inline struct run_call *made_add_bare(struct made_run *made, const char *protocol, const char *operation)
{
	struct run_call *call = &made->calls[made->run.made_count++];
	uint64_t began = made->now + test_random_below(MADE_MS);

	assert_true(made->run.made_count <= MADE_MAX);
	*call = (struct run_call){
	    .kind = CALL_EXCHANGE,
	    .connection = 1,
	    .where = {.transport = NT_TCP, .family = AF_INET, .port = 6379, .address = {127, 0, 0, 1}},
	    .protocol = protocol,
	    .out_first = began,
	    .out_last = began + 1000,
	    .bytes_out = 20,
	    .bytes_in = 50,
	    .lane = 1,
	    .site = &made_sites[0],
	    .sends = 1,
	    .answered = true,
	    .round_trip = true,
	};
	call->in_first = call->out_last + made_time();
	call->in_last = call->in_first + 1000;
	made->now = call->in_last;
	made->run.ended = made->now + MADE_MS;
	snprintf(call->operation, sizeof(call->operation), "%s", operation);
	return call;
}

static inline struct run_call *made_add(struct made_run *made, const char *protocol, const char *template,
					enum protocol_access access, uint64_t request, uint64_t answer)
{
	struct run_call *call = made_add_bare(made, protocol, template);
	struct made_content *content = &made->contents[call - made->calls];

	content->content = (struct call_content){
	    .holders = 1,
	    .access = access,
	    .request = request,
	    .answer = answer,
	    .request_size = 20,
	    .answer_size = 50,
	    .items = content->items,
	    .request_values = content->request_values,
	    .answer_values = content->answer_values,
	};
	snprintf(content->content.template, sizeof(content->content.template), "%s", template);
	call->content = &content->content;
	return call;
}

static inline void made_add_key(struct run_call *call, uint64_t key, uint64_t answer)
{
	call->content->items[call->content->item_count++] = (struct content_item){.key = key, .answer = answer};
}

/* GET of one key. */
static inline struct run_call *made_get(struct made_run *made, uint64_t key, uint64_t answer)
{
	struct run_call *call = made_add(made, "redis", "GET user:?", PROTOCOL_READ, key ^ 77, answer ^ 77);

	call->content->batch = "MGET";
	made_add_key(call, key, answer);
	return call;
}

static inline struct run_call *made_set(struct made_run *made, uint64_t key)
{
	struct run_call *call = made_add(made, "redis", "SET user:?", PROTOCOL_WRITE, made_number(), 5);

	made_add_key(call, key, 0);
	return call;
}

static inline struct run_call *made_http(struct made_run *made, const char *template, uint64_t request, uint64_t answer)
{
	struct run_call *call = made_add(made, "http", template, PROTOCOL_READ, request, answer);

	call->where.port = 80;
	call->connection = 2;
	return call;
}

static inline void made_insert(uint32_t *values, uint32_t *count, uint32_t value)
{
	uint32_t at = *count;

	for (; at && values[at - 1] > value; at--)
		values[at] = values[at - 1];
	if (!at || values[at - 1] != value) {
		values[at] = value;
		(*count)++;
	}
}

/* The call's request has this value as data. */
static inline void made_asks_with(struct run_call *call, uint32_t value)
{
	made_insert(call->content->request_values, &call->content->request_value_count, value);
}

static inline void made_answers_with(struct run_call *call, uint32_t value)
{
	made_insert(call->content->answer_values, &call->content->answer_value_count, value);
}

/* The next calls on this connection are redis's. */
static inline struct run_call *made_connect(struct made_run *made, uint64_t connection)
{
	struct run_call *call = made_add_bare(made, "redis", "connect");

	call->kind = CALL_CONNECT;
	call->connection = connection;
	call->out_last = call->in_first = 0;
	return call;
}

/* Begins as the one before did: at the same time. */
static inline void made_overlap(struct run_call *call)
{
	uint64_t before = call->out_first - call[-1].out_first;

	call->out_first -= before;
	call->out_last -= before;
	call->in_first -= before;
	call->in_last -= before;
}

#endif
