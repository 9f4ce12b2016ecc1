/*
 * test_reconnect.c: connections for one call each, and what a run waits for before it can ask (found.h).
 */
#include "found.h"

static void close_connection(uint64_t connection, uint64_t requests, bool by_peer)
{
	finding_stage_closed(stage,
			     &(struct call_closing){
				 .connection = connection, .when = made.now, .requests = requests, .by_peer = by_peer});
}

/* A connect with a greeting, and a call. */
static struct run_call *call_alone(uint64_t connection)
{
	made_connect(&made, connection);
	made_add(&made, "redis", "HELLO", PROTOCOL_CONTROL, 3, 3)->connection = connection;
	made_get(&made, made_number(), 9)->connection = connection;
	return &made.calls[made.run.made_count - 1];
}

static void test_reconnect(void **state)
{
	uint64_t connection = made_number();
	const struct finding *found;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		call_alone(connection + i);
		close_connection(connection + i, 1, i == 1);
	}
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 3);
	assert_int_equal(found->candidates, 3);
	assert_int_equal(found->calls, 6); /* with what is said at the beginning */
	assert_string_equal(found->operation, "connect");
	assert_string_equal(found->evidence, "a connection for each call");
	assert_true(found->saving.expected > 0);
}

static void test_reconnect_because_of_the_backend(void **state)
{
	(void)state;
	call_alone(5);
	close_connection(5, 1, true);
	assert_string_equal(only(FINDING_RECONNECT)->evidence, "a connection for each call, closed by the backend");
}

/* A pool fills: connections stay open, or carry more. */
static void test_pool(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		call_alone(100 + i);
	close_connection(100, 2, false);
	close_connection(101, 7, true);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
	/* That they are closed later, with all that they carried, changes nothing. */
	close_connection(102, 9, false);
	close_connection(103, 2, false);
	next_run(made_time());
	call_alone(200);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
}

static void test_one_of_a_pool(void **state)
{
	const struct finding *found;

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		call_alone(100 + i);
	close_connection(102, 1, false);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 4);
	assert_int_equal(found->calls, 2);
}

/* Each is closed when its run was told of already. */
static void test_closed_late(void **state)
{
	const struct finding *found;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		call_alone(100 + i);
		assert_int_equal(count_of(FINDING_RECONNECT), 0);
		close_connection(100 + i, 1, false);
		made_begin(&made);
	}
	call_alone(103);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->candidates, 4); /* with the first three, of which nobody knew */
}

/* Others are told of by what became of those that the same place has made, and not where they were used again. */
static void test_still_open(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		call_alone(100 + i);
		close_connection(100 + i, 1, false);
	}
	next_run(0);
	call_alone(200);
	made_get(&made, made_number(), 9)->connection = 200;
	look();
	assert_int_equal(only(FINDING_RECONNECT)->calls, 0);
	next_run(0);
	call_alone(201);
	made.calls[0].site = &made_sites[1];
	assert_int_equal(only(FINDING_RECONNECT)->calls, 0);
	next_run(0);
	call_alone(202);
	assert_int_equal(only(FINDING_RECONNECT)->needless, 1);
}

static void test_failed_connects(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		struct run_call *call = made_connect(&made, 100 + i);

		call->answered = false;
		call->error = true;
		close_connection(100 + i, 0, false);
	}
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
}

static void test_reconnect_bounds(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 16384 + 7; i++)
		close_connection(100 + i, 1, false);
	assert_int_equal(finding_stage_stats(stage)->connections_refused, 7);
	call_alone(106);
	assert_int_equal(count_of(FINDING_RECONNECT), 0);
	call_alone(107);
	assert_int_equal(only(FINDING_RECONNECT)->needless, 1);
}

/* --- slow_start --- */

static struct run_call *add_bare(const char *protocol, const char *operation, uint16_t port, uint64_t connection)
{
	struct run_call *call = made_add_bare(&made, protocol, operation);

	call->where.port = port;
	call->connection = connection;
	return call;
}

static void test_handshakes(void **state)
{
	const struct finding *found;

	(void)state;
	add_bare("tls", "handshake", 443, 8);
	add_bare("tls", "data", 443, 8);
	add_bare("tls", "handshake", 443, 9);
	add_bare("tls", "data", 443, 9);
	found = only(FINDING_SLOW_START);
	assert_int_equal(found->calls, 2);
	assert_int_equal(found->needless, 2);
	assert_string_equal(found->operation, "handshake");
	assert_string_equal(found->evidence, "TLS handshake inside the run");
	assert_true(found->saving.expected > 0);
}

static void test_connections_made_before(void **state)
{
	(void)state;
	add_bare("tls", "data", 443, 8);
	add_bare("tls", "data", 443, 8);
	assert_int_equal(count_of(FINDING_SLOW_START), 0);
}

static void test_quick_handshake(void **state)
{
	struct run_call *call = add_bare("tls", "handshake", 443, 8);

	(void)state;
	call->in_last = call->in_first = call->out_last;
	assert_int_equal(count_of(FINDING_SLOW_START), 0);
}

static void test_look_ups(void **state)
{
	(void)state;
	add_bare("tcp", "", 53, 8);
	assert_string_equal(only(FINDING_SLOW_START)->evidence, "name look-up inside the run");
}

/* Without the connection, there is no handshake either. */
static void test_reconnect_with_handshakes(void **state)
{
	const struct finding *found;

	(void)state;
	made_connect(&made, 8);
	add_bare("tls", "handshake", 6379, 8);
	add_bare("tls", "data", 6379, 8);
	close_connection(8, 1, false);
	found = only(FINDING_RECONNECT);
	assert_int_equal(found->needless, 1);
	assert_int_equal(found->calls, 2);
	assert_int_equal(count_of(FINDING_SLOW_START), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_reconnect),
	    CASE(test_reconnect_because_of_the_backend),
	    CASE(test_pool),
	    CASE(test_one_of_a_pool),
	    CASE(test_closed_late),
	    CASE(test_still_open),
	    CASE(test_failed_connects),
	    CASE(test_reconnect_bounds),
	    CASE(test_handshakes),
	    CASE(test_connections_made_before),
	    CASE(test_quick_handshake),
	    CASE(test_look_ups),
	    CASE(test_reconnect_with_handshakes),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
