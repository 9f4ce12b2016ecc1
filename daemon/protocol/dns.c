/*
 * dns.c: the domain name system (RFC 1035), as far as the question says: what kind of thing is looked up.
 *
 * Over UDP a message is a datagram, over TCP its length comes first. Questions that are sent together, as for both
 * kinds of addresses, are one request here, named by the first of them, and what comes back until the next one is its
 * answer: so much tells what a look-up costs. Names are data, which an operation has none of.
 */
#include <ctype.h>

#include "readers.h"

#define HEAD 12		  /* bytes: number, flags, four counts */
#define MAX_LABEL 63	  /* bytes between two dots of a name */
#define FLAGS_QUERY 0xfe  /* of the first byte of flags, 0 in an ordinary question: all but "recursion desired" */
#define FLAGS_ANSWER 0xcf /* of the second: all but what DNSSEC has a question say */
#define CLASS_INTERNET 1

/* A message in what was captured. */
struct message {
	const uint8_t *data;
	size_t size;
};

static unsigned number_at(const struct message *message, size_t at)
{
	return message->data[at] << 8 | message->data[at + 1];
}

static bool is_question(const struct message *message)
{
	const uint8_t *data = message->data;

	return message->size > HEAD && !(data[2] & FLAGS_QUERY) && !(data[3] & FLAGS_ANSWER) &&
	       number_at(message, 4) == 1 && number_at(message, 6) == 0 && number_at(message, 8) == 0 &&
	       number_at(message, 10) <= 1;
}

/* Over TCP or not; false: it is no question in either form. */
static bool find_question(const uint8_t *data, size_t size, struct message *ret_message)
{
	*ret_message = (struct message){data, size};
	if (is_question(ret_message))
		return true;
	if (size <= 2 + HEAD || number_at(ret_message, 0) <= HEAD)
		return false;
	*ret_message = (struct message){data + 2, size - 2};
	return is_question(ret_message);
}

static bool is_label(const uint8_t *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isalnum(text[i]) && text[i] != '-' && text[i] != '_')
			return false;
	return true;
}

/* Where the name ends, of which at least a part must be there; 0: it is no name. Beyond the message: not captured. */
static size_t find_end(const struct message *message)
{
	size_t at = HEAD;

	while (at < message->size && message->data[at]) {
		size_t size = message->data[at++], there = message->size - at;

		if (size > MAX_LABEL || !is_label(message->data + at, size < there ? size : there))
			return 0;
		at += size;
	}
	return at == HEAD ? 0 : at + 1;
}

static bool detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	struct message message;
	size_t end;

	(void)bytes;
	if (!find_question(data, size, &message))
		return false;
	end = find_end(&message);
	return end && (end + 4 > message.size || number_at(&message, end + 2) == CLASS_INTERNET);
}

/* What is asked for, by its number (RFC 1035, 3596, 2782, 9460). */
static const char *const types[] = {
    [1] = "A",	 [2] = "NS",   [5] = "CNAME", [6] = "SOA",  [12] = "PTR",
    [15] = "MX", [16] = "TXT", [28] = "AAAA", [33] = "SRV", [65] = "HTTPS",
};

static struct protocol_request describe(const uint8_t *data, size_t size)
{
	struct protocol_request request = {.operation = "query", .keys = 1, .access = PROTOCOL_READ};
	struct message message;
	size_t end;
	unsigned type;

	if (!find_question(data, size, &message))
		return request;
	end = find_end(&message);
	if (!end || end + 2 > message.size)
		return request;
	type = number_at(&message, end);
	if (type < sizeof(types) / sizeof(types[0]) && types[type])
		request.operation = types[type];
	return request;
}

const struct protocol protocol_dns = {
    .name = "dns",
    .detect = detect,
    .describe = describe,
};
