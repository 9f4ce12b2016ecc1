/*
 * table.c: the readers that there are, in the order in which they are asked.
 *
 * An order is needed only where one message could be two protocols': `get x` is memcache's before it is an inline
 * command of redis.
 */
#include "readers.h"

const struct protocol *const protocol_table[] = {
    &protocol_http, &protocol_memcache, &protocol_redis, &protocol_tls, &protocol_dns, NULL,
};

const struct protocol *protocol_detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	for (size_t i = 0; protocol_table[i]; i++) {
		if (protocol_table[i]->detect(data, size, bytes))
			return protocol_table[i];
	}
	return NULL;
}
