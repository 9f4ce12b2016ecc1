/*
 * test_stalled.c: calls that wait for the kernel's timers (found.h).
 */
#include "found.h"

/* A POST that takes `wait` ms until its answer begins, and `parts` ms from that one's first part to its last. */
static struct run_call *post(uint64_t wait, uint64_t parts)
{
	struct run_call *call = made_add(&made, "http", "POST /orders", PROTOCOL_OTHER, made_number(), made_number());

	call->where.port = 80;
	call->in_first = call->out_last + wait * MADE_MS;
	call->in_last = call->in_first + parts * MADE_MS;
	made.now = call->in_last;
	made.run.ended = made.now + MADE_MS;
	return call;
}

/* Likewise in two sends, of which the second may be held back. */
static struct run_call *post_in_parts(uint64_t wait)
{
	struct run_call *call = post(wait, 0);

	call->sends = 2;
	call->held_back = true;
	return call;
}

static uint64_t some_stall(void)
{
	return 39 + test_random_below(10);
}

static void test_request_in_parts(void **state)
{
	const struct finding *found;

	(void)state;
	post_in_parts(1);
	for (int i = 0; i < 3; i++)
		post_in_parts(some_stall());
	found = only(FINDING_STALLED);
	assert_int_equal(found->needless, 3);
	assert_string_equal(found->evidence, "a request in parts waits for a delayed acknowledgement");
	assert_in_range(found->saving.expected, 3 * 37 * MADE_MS, 3 * 50 * MADE_MS);
}

/* One send has nothing to be held back for. */
static void test_request_at_once(void **state)
{
	(void)state;
	post(1, 0);
	post(some_stall(), 0);
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* All of them wait: there is nothing to compare, and the delay is the least that it can be. */
static void test_all_in_parts(void **state)
{
	const struct finding *found;

	(void)state;
	post_in_parts(some_stall());
	post_in_parts(some_stall());
	found = only(FINDING_STALLED);
	assert_int_equal(found->needless, 2);
	assert_in_range(found->saving.expected, 75 * MADE_MS, 77 * MADE_MS);
}

/* Where a machine is busy it takes longer, which says nothing of the backend. */
static void test_stall_on_a_busy_machine(void **state)
{
	(void)state;
	post_in_parts(some_stall());
	for (int i = 0; i < 4; i++)
		post_in_parts(61 + test_random_below(20));
	assert_int_equal(only(FINDING_STALLED)->needless, 1);
}

/* With TCP_NODELAY nothing is held back: the backend takes so long. */
static void test_no_delay(void **state)
{
	(void)state;
	post_in_parts(1)->held_back = false;
	for (int i = 0; i < 8; i++)
		post_in_parts(some_stall())->held_back = false;
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* As long in one send: the backend takes its time, for all of them. */
static void test_backend_that_takes_as_long(void **state)
{
	(void)state;
	for (int i = 0; i < 8; i++)
		post(some_stall(), 0);
	post_in_parts(some_stall());
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* Or sometimes this and sometimes that. */
static void test_backend_that_takes_any_time(void **state)
{
	(void)state;
	for (uint64_t wait = 1; wait < 100; wait += 7)
		post_in_parts(wait);
	post_in_parts(some_stall());
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

/* What is usual was seen in an earlier run. */
static void test_stall_against_earlier_runs(void **state)
{
	(void)state;
	post_in_parts(1);
	next_run(0);
	post_in_parts(some_stall());
	assert_int_equal(only(FINDING_STALLED)->needless, 1);
}

static void test_answer_in_parts(void **state)
{
	(void)state;
	post(1, 0);
	post(1, some_stall());
	assert_string_equal(only(FINDING_STALLED)->evidence, "an answer in parts waits for a delayed acknowledgement");
}

static void test_large_answer(void **state)
{
	(void)state;
	post(1, 0);
	post(1, some_stall())->bytes_in = 1 << 20;
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

static void test_sent_again(void **state)
{
	const struct finding *found;

	(void)state;
	post(50, 0);
	post(250, 0)->retransmits = 1;
	found = only(FINDING_STALLED);
	assert_string_equal(found->evidence, "packets were lost and sent again");
	assert_in_range(found->saving.expected, 190 * MADE_MS, 210 * MADE_MS);
}

/* It was lost, and did not cost anything: the next one brought it to light at once. */
static void test_sent_again_in_time(void **state)
{
	(void)state;
	post(50, 0);
	post(52, 0)->retransmits = 1;
	assert_int_equal(count_of(FINDING_STALLED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_request_in_parts),
	    CASE(test_request_at_once),
	    CASE(test_all_in_parts),
	    CASE(test_stall_on_a_busy_machine),
	    CASE(test_no_delay),
	    CASE(test_backend_that_takes_as_long),
	    CASE(test_backend_that_takes_any_time),
	    CASE(test_stall_against_earlier_runs),
	    CASE(test_answer_in_parts),
	    CASE(test_large_answer),
	    CASE(test_sent_again),
	    CASE(test_sent_again_in_time),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
