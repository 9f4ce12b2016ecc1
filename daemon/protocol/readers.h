/*
 * readers.h: the readers of this folder by name, for table.c and for their own tests.
 */
#ifndef NT_READERS_H
#define NT_READERS_H

#include "protocol.h"

extern const struct protocol protocol_dns;	/* dns.c */
extern const struct protocol protocol_http;	/* http.c */
extern const struct protocol protocol_memcache; /* memcache.c */
extern const struct protocol protocol_redis;	/* redis.c */
extern const struct protocol protocol_tls;	/* tls.c */

#endif
