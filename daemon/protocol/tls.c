/*
 * tls.c: Transport Layer Security (RFC 8446, RFC 5246), of which only the outside can be read: that it is spoken, and
 * which round trips are the handshake.
 *
 * Requests and answers are told apart by turn (protocol.h). A turn of the client's that begins with a handshake message
 * is one of the handshake. In TLS 1.3 what ends it, and the change_cipher_spec record before that, is sent along with
 * the first data; only after a HelloRetryRequest does another ClientHello follow such a record.
 */
#include "readers.h"

#define RECORD_HEAD 5 /* type, version, length */
#define CHANGE_CIPHER_SPEC 20
#define CHANGE_CIPHER_SPEC_SIZE (RECORD_HEAD + 1)
#define HANDSHAKE 22
#define CLIENT_HELLO 1

static bool begins_with(const uint8_t *data, size_t size, uint8_t type)
{
	return size >= 3 && data[0] == type && data[1] == 3 && data[2] <= 4;
}

static bool begins_with_hello(const uint8_t *data, size_t size)
{
	return size > RECORD_HEAD && begins_with(data, size, HANDSHAKE) && data[RECORD_HEAD] == CLIENT_HELLO;
}

static bool detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	(void)bytes;
	return begins_with_hello(data, size);
}

static struct protocol_request describe(const uint8_t *data, size_t size)
{
	bool handshake = begins_with(data, size, HANDSHAKE);

	if (size > CHANGE_CIPHER_SPEC_SIZE && begins_with(data, size, CHANGE_CIPHER_SPEC))
		handshake = begins_with_hello(data + CHANGE_CIPHER_SPEC_SIZE, size - CHANGE_CIPHER_SPEC_SIZE);
	if (handshake)
		return (struct protocol_request){.operation = "handshake", .keys = 1, .access = PROTOCOL_CONTROL};
	return (struct protocol_request){.operation = "data", .keys = 1};
}

const struct protocol protocol_tls = {
    .name = "tls",
    .detect = detect,
    .describe = describe,
};
