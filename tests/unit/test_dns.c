/*
 * test_dns.c: which messages are questions of the domain name system, and what they ask for.
 */
#include "test.h"

#include <string.h>

#include "../../daemon/protocol/readers.h"

#define NUMBER "\x12\x34"
#define ASKED "\1\0\0\1\0\0\0\0\0\0" /* recursion desired; one question */
#define NAME "\7backend\4test\0"
#define IN "\0\1"
#define BYTES(text) text, sizeof(text) - 1

struct message {
	const char *bytes;
	size_t size;
	const char *operation; /* NULL: it is none */
};

static bool detect(const char *bytes, size_t size, size_t whole)
{
	return protocol_detect((const uint8_t *)bytes, size, whole) == &protocol_dns;
}

static const char *operation(const char *bytes, size_t size)
{
	return protocol_dns.describe((const uint8_t *)bytes, size).operation;
}

static void test_questions(void **state)
{
	static const struct message messages[] = {
	    {BYTES(NUMBER ASKED NAME "\0\1" IN), "A"},
	    {BYTES(NUMBER ASKED NAME "\0\x1c" IN), "AAAA"},
	    {BYTES(NUMBER ASKED "\4_sip\4_tcp\4test\0\0\x21" IN), "SRV"},
	    {BYTES(NUMBER ASKED NAME "\0\x41" IN), "HTTPS"},
	    {BYTES(NUMBER ASKED NAME "\0\xff" IN), "query"}, /* whatever there is */
	    {BYTES(NUMBER ASKED NAME "\1\1" IN), "query"},
	    /* with what a resolver can do, and that it wants to be told of what is not validated */
	    {BYTES(NUMBER "\1\x20\0\1\0\0\0\0\0\1" NAME "\0\1" IN "\0\0\x29\4\xd0\0\0\0\0\0\0"), "A"},
	    /* two at once by UDP, and each with its length by TCP */
	    {BYTES(NUMBER ASKED NAME "\0\x1c" IN NUMBER ASKED NAME "\0\1" IN), "AAAA"},
	    {BYTES("\0\x1e" NUMBER ASKED NAME "\0\1" IN "\0\x1e" NUMBER ASKED NAME "\0\x1c" IN), "A"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		assert_true(detect(messages[i].bytes, messages[i].size, messages[i].size));
		assert_string_equal(operation(messages[i].bytes, messages[i].size), messages[i].operation);
	}
}

static void test_others(void **state)
{
	static const struct message others[] = {
	    {BYTES(NUMBER "\x81\x80\0\1\0\1\0\0\0\0" NAME "\0\1" IN), NULL}, /* an answer */
	    {BYTES(NUMBER "\x29\0\0\1\0\0\0\0\0\0" NAME "\0\1" IN), NULL},   /* an update */
	    {BYTES(NUMBER "\1\0\0\0\0\0\0\0\0\0" NAME "\0\1" IN), NULL},     /* no question */
	    {BYTES(NUMBER "\1\0\0\2\0\0\0\0\0\0" NAME "\0\1" IN), NULL},     /* two in one */
	    {BYTES(NUMBER ASKED NAME "\0\1\0\3"), NULL},		     /* of another network */
	    {BYTES(NUMBER ASKED "\100backend\0\0\1" IN), NULL},		     /* too long a label */
	    {BYTES(NUMBER ASKED "\5a b!c\0\0\1" IN), NULL},
	    {BYTES(NUMBER ASKED "\0\0\1" IN), NULL},
	    {BYTES(NUMBER ASKED), NULL},
	    {BYTES("GET / HTTP/1.1\r\nHost: backend.test\r\n\r\n"), NULL},
	    {BYTES("*2\r\n$3\r\nGET\r\n$6\r\nuser:1\r\n"), NULL},
	    {BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(detect(others[i].bytes, others[i].size, others[i].size));
}

/* Of a long name the beginning is enough; whatever the length, nothing behind it is looked at. */
static void test_cut(void **state)
{
	static const char question[] = NUMBER ASKED "\17averyverylongname\7backend\4test\0\0\1" IN;
	static const char long_name[] = NUMBER ASKED "\x11"
						     "averyverylongname\7backend\4test\0\0\1" IN;
	size_t size = sizeof(long_name) - 1;

	(void)state;
	assert_false(detect(question, sizeof(question) - 1, sizeof(question) - 1)); /* labels that do not fit */
	for (size_t cut = 0; cut <= size; cut++) {
		char *copy = malloc(cut + 1); /* the sanitizer sees what is read beyond it */

		assert_non_null(copy);
		memcpy(copy, long_name, cut);
		copy = realloc(copy, cut ? cut : 1);
		assert_int_equal(detect(copy, cut, size), cut > 12);
		assert_string_equal(operation(copy, cut), cut >= size - 2 ? "A" : "query");
		free(copy);
	}
}

static void test_random_bytes(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		char bytes[32];
		size_t size = test_random_below(sizeof(bytes)) + 1;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)test_random();
		assert_false(detect(bytes, size, size));
		(void)operation(bytes, size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_questions),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
