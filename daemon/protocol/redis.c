/*
 * redis.c: the reader for redis and its kin: RESP2, RESP3 and inline commands.
 *
 * Format: https://redis.io/docs/latest/develop/reference/protocol-spec/. Built on scan.h. Nested values need no
 * stack: it is enough to count the values that are still to come.
 */
#include "readers.h"

#include <errno.h>
#include <string.h>

#include "mask.h"
#include "scan.h"

#define REDIS_WORD 24			     /* bytes kept of a command's first words: names are shorter */
#define REDIS_WORDS 3			     /* of them: EVAL counts its keys in the third */
#define REDIS_KEEP 64			     /* bytes kept of a line that came in pieces */
#define REDIS_MAX_BULK UINT64_C(0xffffffff)  /* redis allows 512 MiB unless it is told otherwise */
#define REDIS_MAX_COUNT UINT64_C(0x7fffffff) /* its own limit, INT_MAX */

/* The reader's word about a request: what kind it is, and how many answers a subscription has. */
#define TAG_SEEN 0x01u
#define TAG_SUBSCRIPTION 0x02u
#define TAG_MONITOR 0x04u
#define TAG_VALUE 0x08u	 /* the answer is what its key has */
#define TAG_VALUES 0x10u /* the answer's elements are what its keys have, in their order */
#define TAG_COUNT_SHIFT 8

/* Where a command has its keys; words are counted without its name. */
enum key_rule {
	KEYS_NONE,
	KEYS_ONE,
	KEYS_TWO,
	KEYS_ALL,
	KEYS_ALL_BUT_LAST,
	KEYS_PAIRS,
	KEYS_COUNT_1, /* word 1 says how many */
	KEYS_COUNT_2, /* word 2 does */
	KEYS_COUNT_2_AND_TARGET,
};

/* What a command asks for many at once with, where it is the command itself. */
#define MANY "several keys in one"
#define MEMBERS "several members in one, or a pipeline"

struct command {
	const char *name;
	uint8_t keys;	/* enum key_rule */
	uint8_t access; /* enum protocol_access */
	bool container; /* its second word is part of its name */
	uint32_t tag;
	const char *batch; /* struct protocol_request's */
};

/*
 * What is not here names one key and may do anything. A READ has the same answer until its keys are written: so nothing
 * that depends on the time, on chance or on the whole database is one. In alphabetical order, for bsearch's sake.
 */
static const struct command commands[] = {
    {.name = "ACL", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "APPEND", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ASKING", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "AUTH", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "BGREWRITEAOF", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "BGSAVE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "BITCOUNT", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "BITFIELD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "BITFIELD_RO", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "BITPOS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "BLMOVE", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "BLMPOP", .keys = KEYS_COUNT_2, .access = PROTOCOL_WRITE},
    {.name = "BLPOP", .keys = KEYS_ALL_BUT_LAST, .access = PROTOCOL_WRITE},
    {.name = "BRPOP", .keys = KEYS_ALL_BUT_LAST, .access = PROTOCOL_WRITE},
    {.name = "BRPOPLPUSH", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "BZMPOP", .keys = KEYS_COUNT_2, .access = PROTOCOL_WRITE},
    {.name = "BZPOPMAX", .keys = KEYS_ALL_BUT_LAST, .access = PROTOCOL_WRITE},
    {.name = "BZPOPMIN", .keys = KEYS_ALL_BUT_LAST, .access = PROTOCOL_WRITE},
    {.name = "CLIENT", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL, .container = true},
    {.name = "CLUSTER", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "COMMAND", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL, .container = true},
    {.name = "CONFIG", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "COPY", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "DBSIZE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "DEBUG", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "DECR", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "DECRBY", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "DEL", .keys = KEYS_ALL, .access = PROTOCOL_WRITE, .batch = MANY},
    {.name = "DISCARD", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "DUMP", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ECHO", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "EVAL", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "EVALSHA", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "EVALSHA_RO", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "EVAL_RO", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "EXEC", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "EXISTS", .keys = KEYS_ALL, .access = PROTOCOL_READ, .batch = MANY},
    {.name = "EXPIRE", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "EXPIREAT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "FAILOVER", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "FCALL", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "FCALL_RO", .keys = KEYS_COUNT_2, .access = PROTOCOL_OTHER},
    {.name = "FLUSHALL", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "FLUSHDB", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "FUNCTION", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "GEOADD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "GEODIST", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GEOHASH", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GEOPOS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GEORADIUSBYMEMBER_RO", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GEORADIUS_RO", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GEOSEARCH", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GET", .keys = KEYS_ONE, .access = PROTOCOL_READ, .tag = TAG_VALUE, .batch = "MGET"},
    {.name = "GETBIT", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GETDEL", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "GETEX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "GETRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "GETSET", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "HDEL", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "HELLO", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "HEXISTS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HGET", .keys = KEYS_ONE, .access = PROTOCOL_READ, .batch = "HMGET, or a pipeline"},
    {.name = "HGETALL", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HINCRBY", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "HINCRBYFLOAT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "HKEYS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HLEN", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HMGET", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HMSET", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "HSET", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = "several fields in one"},
    {.name = "HSETNX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "HSTRLEN", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "HVALS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "INCR", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "INCRBY", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "INCRBYFLOAT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "INFO", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "KEYS", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "LASTSAVE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "LATENCY", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "LCS", .keys = KEYS_TWO, .access = PROTOCOL_READ},
    {.name = "LINDEX", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "LINSERT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "LLEN", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "LMOVE", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "LMPOP", .keys = KEYS_COUNT_1, .access = PROTOCOL_WRITE},
    {.name = "LPOP", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "LPOS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "LPUSH", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "LPUSHX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "LRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "LREM", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "LSET", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "LTRIM", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "MEMORY", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "MGET", .keys = KEYS_ALL, .access = PROTOCOL_READ, .tag = TAG_VALUES},
    {.name = "MODULE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "MONITOR", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_MONITOR},
    {.name = "MSET", .keys = KEYS_PAIRS, .access = PROTOCOL_WRITE},
    {.name = "MSETNX", .keys = KEYS_PAIRS, .access = PROTOCOL_WRITE},
    {.name = "MULTI", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "OBJECT", .keys = KEYS_ONE, .access = PROTOCOL_READ, .container = true},
    {.name = "PERSIST", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "PEXPIRE", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "PEXPIREAT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "PFADD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "PFCOUNT", .keys = KEYS_ALL, .access = PROTOCOL_READ},
    {.name = "PFMERGE", .keys = KEYS_ALL, .access = PROTOCOL_WRITE},
    {.name = "PING", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "PSETEX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "PSUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "PUBLISH", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "PUBSUB", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "PUNSUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "QUIT", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "RANDOMKEY", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "READONLY", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "READWRITE", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "RENAME", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "RENAMENX", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "RESET", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "RESTORE", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ROLE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "RPOP", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "RPOPLPUSH", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "RPUSH", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "RPUSHX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SADD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "SAVE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "SCAN", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "SCARD", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SCRIPT", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "SDIFF", .keys = KEYS_ALL, .access = PROTOCOL_READ},
    {.name = "SDIFFSTORE", .keys = KEYS_ALL, .access = PROTOCOL_WRITE},
    {.name = "SELECT", .keys = KEYS_NONE, .access = PROTOCOL_CONTROL},
    {.name = "SET", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = "MSET"},
    {.name = "SETBIT", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SETEX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SETNX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SETRANGE", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SINTER", .keys = KEYS_ALL, .access = PROTOCOL_READ},
    {.name = "SINTERCARD", .keys = KEYS_COUNT_1, .access = PROTOCOL_READ},
    {.name = "SINTERSTORE", .keys = KEYS_ALL, .access = PROTOCOL_WRITE},
    {.name = "SISMEMBER", .keys = KEYS_ONE, .access = PROTOCOL_READ, .batch = "SMISMEMBER"},
    {.name = "SLOWLOG", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "SMEMBERS", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SMISMEMBER", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SMOVE", .keys = KEYS_TWO, .access = PROTOCOL_WRITE},
    {.name = "SORT_RO", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SPOP", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "SPUBLISH", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "SREM", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "SSUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "STRLEN", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "SUBSTR", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "SUNION", .keys = KEYS_ALL, .access = PROTOCOL_READ},
    {.name = "SUNIONSTORE", .keys = KEYS_ALL, .access = PROTOCOL_WRITE},
    {.name = "SUNSUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "SWAPDB", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "TIME", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "TOUCH", .keys = KEYS_ALL, .access = PROTOCOL_WRITE, .batch = MANY},
    {.name = "TYPE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "UNLINK", .keys = KEYS_ALL, .access = PROTOCOL_WRITE, .batch = MANY},
    {.name = "UNSUBSCRIBE", .keys = KEYS_NONE, .access = PROTOCOL_OTHER, .tag = TAG_SUBSCRIPTION},
    {.name = "UNWATCH", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "WAIT", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "WAITAOF", .keys = KEYS_NONE, .access = PROTOCOL_OTHER},
    {.name = "WATCH", .keys = KEYS_ALL, .access = PROTOCOL_OTHER},
    {.name = "XADD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "XDEL", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "XGROUP", .keys = KEYS_ONE, .access = PROTOCOL_OTHER, .container = true},
    {.name = "XINFO", .keys = KEYS_ONE, .access = PROTOCOL_READ, .container = true},
    {.name = "XLEN", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "XRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "XREVRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "XTRIM", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZADD", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "ZCARD", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZCOUNT", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZDIFF", .keys = KEYS_COUNT_1, .access = PROTOCOL_READ},
    {.name = "ZDIFFSTORE", .keys = KEYS_COUNT_2_AND_TARGET, .access = PROTOCOL_WRITE},
    {.name = "ZINCRBY", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZINTER", .keys = KEYS_COUNT_1, .access = PROTOCOL_READ},
    {.name = "ZINTERCARD", .keys = KEYS_COUNT_1, .access = PROTOCOL_READ},
    {.name = "ZINTERSTORE", .keys = KEYS_COUNT_2_AND_TARGET, .access = PROTOCOL_WRITE},
    {.name = "ZLEXCOUNT", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZMPOP", .keys = KEYS_COUNT_1, .access = PROTOCOL_WRITE},
    {.name = "ZMSCORE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZPOPMAX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZPOPMIN", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZRANGEBYLEX", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZRANGEBYSCORE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZRANK", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZREM", .keys = KEYS_ONE, .access = PROTOCOL_WRITE, .batch = MEMBERS},
    {.name = "ZREMRANGEBYLEX", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZREMRANGEBYRANK", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZREMRANGEBYSCORE", .keys = KEYS_ONE, .access = PROTOCOL_WRITE},
    {.name = "ZREVRANGE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZREVRANGEBYLEX", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZREVRANGEBYSCORE", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZREVRANK", .keys = KEYS_ONE, .access = PROTOCOL_READ},
    {.name = "ZSCORE", .keys = KEYS_ONE, .access = PROTOCOL_READ, .batch = "ZMSCORE"},
    {.name = "ZUNION", .keys = KEYS_COUNT_1, .access = PROTOCOL_READ},
    {.name = "ZUNIONSTORE", .keys = KEYS_COUNT_2_AND_TARGET, .access = PROTOCOL_WRITE},
};

static const struct command any_command = {.name = "", .keys = KEYS_ONE, .access = PROTOCOL_OTHER};

/* First elements of what comes to a subscriber; CONFIRMATION: it answers a (un)subscription. */
enum notice { NOTICE_NONE, NOTICE_MESSAGE, NOTICE_CONFIRMATION };
static const struct {
	const char *name;
	enum notice notice;
} notices[] = {
    {"message", NOTICE_MESSAGE},	  {"pmessage", NOTICE_MESSAGE},		 {"smessage", NOTICE_MESSAGE},
    {"subscribe", NOTICE_CONFIRMATION},	  {"psubscribe", NOTICE_CONFIRMATION},	 {"ssubscribe", NOTICE_CONFIRMATION},
    {"unsubscribe", NOTICE_CONFIRMATION}, {"punsubscribe", NOTICE_CONFIRMATION}, {"sunsubscribe", NOTICE_CONFIRMATION},
};

struct request {
	uint64_t left;		       /* bytes of the argument that is being read, with its CR LF */
	uint32_t length;	       /* of the line that is half read */
	uint32_t count;		       /* arguments of this command; 0: none is being read */
	uint32_t index;		       /* of the argument that comes next, or is being read */
	const struct command *command; /* known from its first word on */
	uint8_t size[REDIS_WORDS];
	char words[REDIS_WORDS][REDIS_WORD];
	char name[2 * REDIS_WORD + 2];
	char keep[REDIS_KEEP];
};

struct answer {
	uint64_t values; /* still to be read of this answer; 0: none is being read */
	uint64_t aside;	 /* values of a leading attribute, still to be read: not part of the answer */
	uint64_t left;	 /* bytes of the string that is being read, with its CR LF */
	uint32_t length; /* of the line that is half read */
	char type;	 /* of the whole; 0: not known yet */
	char second;	 /* the byte behind it: tells MONITOR's lines */
	uint8_t seen;	 /* values read so far, at most 2 */
	bool naming;	 /* the string that is being read is its first element */
	bool lost;	 /* its end cannot be found */
	bool inside;	 /* the value that is being read is an element of an array */
	bool missing;	 /* there is a nil among its values */
	uint8_t part;	 /* enum protocol_part of the string that is being read */
	uint8_t size;
	char word[16]; /* its first element, if it has elements */
	char keep[32];
};

struct redis {
	struct request request;
	struct answer answer;
	uint32_t confirmed; /* channels of the oldest request, a subscription, that were confirmed */
	bool subscribed, monitoring;
	bool queueing;	   /* between MULTI and EXEC, where the answers say nothing */
	uint8_t muted;	   /* CLIENT REPLY: 1 one more request has no answer, 2 none has until further notice */
	uint32_t database; /* what SELECT has named; 0 also where that was before we came */
	const struct command *recent; /* that was asked for last: mostly it is asked for again */
};

enum { MUTED_NOT = 0, MUTED_ONCE = 1, MUTED = 2 };

/* A length or count: `-1` for null where that is allowed. */
static int read_count(struct scan_text line, uint64_t max, bool *ret_null, uint64_t *ret_count)
{
	struct scan_text digits = {.text = line.text + 1, .size = line.size - 1};

	if (line.cut)
		return -EILSEQ;
	*ret_null = scan_is(digits, "-1");
	*ret_count = 0;
	return *ret_null ? 0 : scan_number(digits.text, digits.size, 10, max, ret_count);
}

static const struct command *find_command(const char *name)
{
	size_t low = 0, high = sizeof(commands) / sizeof(commands[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, commands[middle].name);

		if (order == 0)
			return &commands[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return &any_command;
}

/* Adds a word in upper case to a name. What no command is called may be data: it becomes a question mark. */
static size_t add_word(char *name, size_t at, const char *word, size_t size)
{
	bool good = size > 0 && size < REDIS_WORD;

	for (size_t i = 0; i < size && good; i++) {
		char c = word[i];

		name[at + i] = c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
		good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && i > 0) ||
		       ((c == '.' || c == '_' || c == '-') && i > 0);
	}
	if (!good) {
		name[at] = '?';
		size = 1;
	}
	name[at + size] = '\0';
	return at + size;
}

static uint32_t counted_keys(const struct request *request, unsigned word, uint32_t others)
{
	uint64_t keys;

	if (scan_number(request->words[word], request->size[word], 10, others, &keys) < 0)
		return 1;
	return keys;
}

static uint32_t count_keys(const struct request *request, enum key_rule rule)
{
	uint32_t others = request->count > 0 ? request->count - 1 : 0;

	switch (rule) {
	case KEYS_NONE:
		return 0;
	case KEYS_ONE:
		return others > 0;
	case KEYS_TWO:
		return others < 2 ? others : 2;
	case KEYS_ALL:
		return others;
	case KEYS_ALL_BUT_LAST:
		return others > 0 ? others - 1 : 0;
	case KEYS_PAIRS:
		return others / 2;
	case KEYS_COUNT_1:
		return counted_keys(request, 1, others);
	case KEYS_COUNT_2:
		return counted_keys(request, 2, others);
	case KEYS_COUNT_2_AND_TARGET:
		return counted_keys(request, 2, others) + 1;
	}
	return 1;
}

static struct scan_text request_word(const struct request *request, unsigned index)
{
	return (struct scan_text){.text = request->words[index], .size = request->size[index]};
}

/* CLIENT REPLY decides which requests have answers: those between OFF and ON, and the one behind SKIP, have none. */
static bool is_muted(struct redis *redis, const char *operation)
{
	struct scan_text mode = request_word(&redis->request, 2);
	bool muted = redis->muted != MUTED_NOT;

	if (redis->muted == MUTED_ONCE)
		redis->muted = MUTED_NOT;
	if (!redis->request.command->container || strcmp(operation, "CLIENT REPLY") != 0)
		return muted;
	if (scan_is_nocase(mode, "ON"))
		redis->muted = MUTED_NOT;
	else if (scan_is_nocase(mode, "OFF"))
		redis->muted = MUTED;
	else if (scan_is_nocase(mode, "SKIP") && redis->muted == MUTED_NOT)
		redis->muted = MUTED_ONCE;
	return redis->muted != MUTED_NOT;
}

/* The first word of a command is there. */
static void name_command(struct redis *redis)
{
	struct request *request = &redis->request;

	add_word(request->name, 0, request->words[0], request->size[0]);
	if (!redis->recent || strcmp(request->name, redis->recent->name) != 0)
		redis->recent = find_command(request->name);
	request->command = redis->recent;
}

/* Where a command has its first key, counted in words, its name included. */
static uint32_t first_key_at(const struct command *command)
{
	switch (command->keys) {
	case KEYS_COUNT_1:
		return 2;
	case KEYS_COUNT_2:
		return 3;
	default:
		return command->container ? 2 : 1;
	}
}

/* Is the word at this place a key? */
static bool is_key(const struct request *request, uint32_t index)
{
	uint32_t first = first_key_at(request->command), last = request->count - 1;

	switch ((enum key_rule)request->command->keys) {
	case KEYS_NONE:
		return false;
	case KEYS_ONE:
		return index == first;
	case KEYS_TWO:
		return index == first || index == first + 1;
	case KEYS_ALL:
		return index >= first;
	case KEYS_ALL_BUT_LAST:
		return index >= first && index < last;
	case KEYS_PAIRS:
		return index >= first && (index - first) % 2 == 0;
	case KEYS_COUNT_1:
	case KEYS_COUNT_2:
		return index >= first && index - first < counted_keys(request, first - 1, last);
	case KEYS_COUNT_2_AND_TARGET:
		return index == 1 || (index >= 3 && index - 3 < counted_keys(request, 2, last));
	}
	return false;
}

static enum protocol_part argument_part(const struct request *request, uint32_t index)
{
	if (index == 0 || (index == 1 && request->command->container))
		return PROTOCOL_NAME;
	return is_key(request, index) ? PROTOCOL_KEY : PROTOCOL_DATA;
}

/* What parts an argument from the one before, and tells `a bc` from `ab c`. */
static void tell_length(const struct redis *redis, uint64_t length, const struct protocol_events *events)
{
	const struct request *request = &redis->request;

	scan_tell_number(length, events, PROTOCOL_REQUEST, PROTOCOL_NAME);
	if (redis->database && request->index > 0 && is_key(request, request->index))
		scan_tell_number(redis->database, events, PROTOCOL_REQUEST, PROTOCOL_KEY);
}

static void end_argument(const struct redis *redis, const struct protocol_events *events)
{
	const struct request *request = &redis->request;

	if (request->index > 0 && is_key(request, request->index))
		protocol_tell_item(events, PROTOCOL_REQUEST);
}

/* What a request about the connection changes for those after it. */
static void change_state(struct redis *redis)
{
	const char *name = redis->request.name;
	uint64_t database;

	if (strcmp(name, "MULTI") == 0) {
		redis->queueing = true;
	} else if (strcmp(name, "EXEC") == 0 || strcmp(name, "DISCARD") == 0) {
		redis->queueing = false;
	} else if (strcmp(name, "SELECT") == 0) {
		if (scan_number(redis->request.words[1], redis->request.size[1], 10, UINT32_MAX, &database) == 0)
			redis->database = (uint32_t)database;
	} else if (strcmp(name, "RESET") == 0) {
		redis->queueing = false;
		redis->database = 0;
	}
}

/* What a request may do. A read that is queued is told nothing: what it reads comes with the answer to EXEC. */
static enum protocol_access follow_state(struct redis *redis, const struct command *command)
{
	if (command->access == PROTOCOL_CONTROL)
		change_state(redis);
	else if (redis->queueing && command->access == PROTOCOL_READ)
		return PROTOCOL_CONTROL;
	return (enum protocol_access)command->access;
}

/* The kind of its first key goes into the template, if that is one of the words that are kept. */
static const char *make_template(const struct request *request, char *template)
{
	uint32_t at = first_key_at(request->command);

	if (request->command->keys == KEYS_NONE || at >= REDIS_WORDS || at >= request->count)
		return NULL;
	mask_key(template, request->name, request->words[at], request->size[at]);
	return template;
}

static void end_request(struct redis *redis, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	char template[PROTOCOL_OPERATION_SIZE], *name = request->name;
	struct protocol_request report = {.operation = name, .tag = TAG_SEEN};
	const struct command *command;

	if (!request->command)
		name_command(redis);
	command = request->command;
	if (command->container && request->count > 1) {
		size_t size = strlen(name);

		name[size] = ' ';
		add_word(name, size + 1, request->words[1], request->size[1]);
	}
	report.keys = count_keys(request, command->keys);
	report.access = follow_state(redis, command);
	report.template = make_template(request, template);
	report.batch = command->batch;
	report.tag |= redis->queueing ? command->tag & ~(TAG_VALUE | TAG_VALUES) : command->tag;
	if (command->tag & TAG_SUBSCRIPTION) {
		uint32_t channels = request->count > 1 ? request->count - 1 : 1;

		report.tag |= channels << TAG_COUNT_SHIFT;
		redis->subscribed = true;
	}
	report.no_answer = request->count == 0 || is_muted(redis, name);
	events->request_ended(events->context, at, &report);
	*request = (struct request){0};
}

/* Long lines are cut: what is missing is told as such. */
static void tell_inline(struct redis *redis, struct scan_text line, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	struct scan_text word;

	if (request->count == 0)
		return;
	name_command(redis);
	while ((word = scan_word(&line)).size > 0) {
		enum protocol_part part = argument_part(request, request->index);

		tell_length(redis, word.size, events);
		protocol_tell(events, PROTOCOL_REQUEST, part, word.text, word.size);
		if (word.cut)
			protocol_tell(events, PROTOCOL_REQUEST, part, NULL, 1);
		end_argument(redis, events);
		request->index++;
	}
}

/* A command typed by hand, or a health check's: words parted by spaces. */
static void take_inline(struct redis *redis, struct scan_text line, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	struct scan_text whole = line, word;

	while ((word = scan_word(&line)).size > 0) {
		if (request->count < REDIS_WORDS) {
			request->size[request->count] = word.size < REDIS_WORD ? word.size : REDIS_WORD;
			memcpy(request->words[request->count], word.text, request->size[request->count]);
		}
		request->count++;
	}
	tell_inline(redis, whole, events);
	end_request(redis, at, events);
}

static int take_request_line(struct redis *redis, struct scan_text line, uint64_t at,
			     const struct protocol_events *events)
{
	struct request *request = &redis->request;
	bool first = request->count == 0, null;
	uint64_t number;
	int error;

	if (first && (line.size == 0 || line.text[0] != '*')) {
		take_inline(redis, line, at, events);
		return 0;
	}
	if (line.size == 0 || (!first && line.text[0] != '$'))
		return -EILSEQ;
	error = read_count(line, first ? REDIS_MAX_COUNT : REDIS_MAX_BULK, &null, &number);
	if (error < 0 || (null && !first))
		return -EILSEQ;
	if (!first) {
		request->left = number + 2;
		tell_length(redis, number, events);
	} else if (number == 0) {
		end_request(redis, at, events);
	} else {
		request->count = number;
	}
	return 0;
}

/* Every string ends with CR LF; if it does not, its length was not one. */
static bool string_ends_well(const struct scan *scan)
{
	return scan->at > scan->captured || scan->data[scan->at - 1] == '\n';
}

static int read_argument(struct redis *redis, struct scan *scan, const struct protocol_events *events)
{
	struct request *request = &redis->request;

	if (request->index < REDIS_WORDS && request->left > 2)
		scan_copy(scan, request->left - 2, request->words[request->index], &request->size[request->index],
			  REDIS_WORD);
	if (request->left > 2)
		scan_tell(scan, request->left - 2, events, PROTOCOL_REQUEST, argument_part(request, request->index));
	if (!scan_skip(scan, &request->left))
		return 0;
	if (!string_ends_well(scan))
		return -EILSEQ;
	if (request->index == 0)
		name_command(redis);
	end_argument(redis, events);
	if (++request->index == request->count)
		end_request(redis, scan->at, events);
	return 0;
}

static int read_request_line(struct redis *redis, struct scan *scan, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	struct scan_text line;
	int whole;

	if (request->count == 0 && request->length == 0) {
		if (!scan_readable(scan))
			return -EILSEQ;
		if (scan->data[scan->at] == '\r' || scan->data[scan->at] == '\n') { /* redis overlooks empty lines */
			scan->at++;
			return 0;
		}
		events->request_began(events->context, scan->at);
	}
	whole = scan_line(scan, &request->length, request->keep, sizeof(request->keep), &line);
	return whole > 0 ? take_request_line(redis, line, scan->at, events) : whole;
}

/* How the types of RESP3 go on behind their first byte. */
enum form { FORM_NONE, FORM_LINE, FORM_STRING, FORM_VALUES, FORM_PAIRS, FORM_ATTRIBUTE };

static enum form type_form(char type)
{
	switch (type) {
	case '+':
	case '-':
	case ':':
	case '_':
	case ',':
	case '#':
	case '(':
		return FORM_LINE;
	case '$':
	case '!':
	case '=':
		return FORM_STRING;
	case '*':
	case '~':
	case '>':
		return FORM_VALUES;
	case '%':
		return FORM_PAIRS;
	case '|':
		return FORM_ATTRIBUTE;
	default:
		return FORM_NONE;
	}
}

/* One value was met: notes what describes the whole. */
static void note_value(struct answer *answer, struct scan_text line)
{
	if (answer->aside > 0 || answer->seen >= 2)
		return;
	if (answer->seen++ == 0) {
		answer->type = line.text[0];
		answer->second = line.size > 1 ? line.text[1] : '\0';
	} else if (type_form(line.text[0]) == FORM_STRING) {
		answer->naming = true;
	} else {
		answer->size = line.size - 1 < sizeof(answer->word) ? line.size - 1 : sizeof(answer->word);
		memcpy(answer->word, line.text + 1, answer->size);
	}
}

/* Do values answer keys? Then one of them ends here: the whole, or what stands in the array. */
static void end_value(const struct answer *answer, const struct protocol_events *events)
{
	bool error = answer->type == '-' || answer->type == '!';
	uint32_t tag = answer->aside == 0 && !error ? events->oldest_tag(events->context) : 0;

	if ((tag & TAG_VALUE) || ((tag & TAG_VALUES) && answer->inside))
		protocol_tell_item(events, PROTOCOL_ANSWER);
}

/* A value that is a line, or the head of one that goes on. What frames values and what the server says is NAME. */
static void tell_value_line(const struct answer *answer, struct scan_text line, const struct protocol_events *events)
{
	bool value = line.text[0] == ':' || line.text[0] == ',' || line.text[0] == '(';

	if (answer->aside > 0)
		return;
	protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_NAME, line.text, value ? 1 : line.size);
	if (value)
		protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_DATA, line.text + 1, line.size - 1);
	if (line.cut)
		protocol_tell(events, PROTOCOL_ANSWER, value ? PROTOCOL_DATA : PROTOCOL_NAME, NULL, 1);
}

static int take_value_line(struct answer *answer, struct scan_text line, const struct protocol_events *events)
{
	enum form form = line.size > 0 ? type_form(line.text[0]) : FORM_NONE;
	uint64_t *values = answer->aside > 0 ? &answer->aside : &answer->values;
	uint64_t number = 0;
	bool null = false;

	if (form == FORM_NONE)
		return -EILSEQ;
	if (form != FORM_LINE &&
	    read_count(line, form == FORM_STRING ? REDIS_MAX_BULK : REDIS_MAX_COUNT, &null, &number) < 0)
		return -EILSEQ;
	if (form == FORM_ATTRIBUTE) {
		if (answer->seen == 0)
			values = &answer->aside;
		*values += 2 * number;
		return 0;
	}
	answer->inside = answer->seen > 0 && answer->type == '*';
	note_value(answer, line);
	tell_value_line(answer, line, events);
	answer->missing |= null || line.text[0] == '_';
	if (form == FORM_STRING && !null) {
		answer->left = number + 2;
		answer->part = line.text[0] == '!' ? PROTOCOL_NAME : PROTOCOL_DATA;
		if (answer->part == PROTOCOL_DATA && answer->aside == 0) /* an empty one is a value, too */
			protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_DATA, "", 0);
		return 0;
	}
	if (form != FORM_VALUES || answer->inside)
		end_value(answer, events);
	*values += (form == FORM_VALUES ? number : form == FORM_PAIRS ? 2 * number : 0) - 1;
	return 0;
}

/* Is this what a subscriber gets? RESP3 marks it; in RESP2 it is an array like any other. */
static enum notice find_notice(const struct answer *answer)
{
	struct scan_text word = {.text = answer->word, .size = answer->size};

	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		if (scan_is(word, notices[i].name))
			return notices[i].notice;
	}
	return NOTICE_NONE;
}

static void describe_notice(struct redis *redis, uint32_t tag, struct protocol_answer *report)
{
	struct answer *answer = &redis->answer;
	enum notice notice = find_notice(answer);

	if (notice == NOTICE_CONFIRMATION && (tag & TAG_SUBSCRIPTION)) {
		report->interim = ++redis->confirmed < tag >> TAG_COUNT_SHIFT;
		if (!report->interim)
			redis->confirmed = 0;
		return;
	}
	if (notice == NOTICE_MESSAGE && tag == 0)
		redis->subscribed = true;
	report->message = answer->type == '>' || (notice != NOTICE_NONE && redis->subscribed);
}

static void end_answer(struct redis *redis, uint64_t at, const struct protocol_events *events)
{
	struct answer *answer = &redis->answer;
	uint32_t tag = events->oldest_tag(events->context);
	struct protocol_answer report = {.error = answer->type == '-' || answer->type == '!',
					 .missing = answer->missing};

	if (answer->type == '>' || answer->type == '*')
		describe_notice(redis, tag, &report);
	else if (answer->type == '+' && redis->monitoring && answer->second >= '0' && answer->second <= '9')
		report.message = true;
	else
		redis->confirmed = 0;
	if ((tag & TAG_MONITOR) && answer->type == '+' && !report.message)
		redis->monitoring = true;
	*answer = (struct answer){0};
	events->answer_ended(events->context, at, &report);
}

static int read_string(struct answer *answer, struct scan *scan, const struct protocol_events *events)
{
	if (answer->naming && answer->left > 2)
		scan_copy(scan, answer->left - 2, answer->word, &answer->size, sizeof(answer->word));
	if (answer->left > 2 && answer->aside == 0)
		scan_tell(scan, answer->left - 2, events, PROTOCOL_ANSWER, answer->part);
	if (!scan_skip(scan, &answer->left))
		return 0;
	if (!string_ends_well(scan))
		return -EILSEQ;
	answer->naming = false;
	end_value(answer, events);
	if (answer->aside > 0)
		answer->aside--;
	else
		answer->values--;
	return 0;
}

static int read_value_line(struct redis *redis, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &redis->answer;
	struct scan_text line;
	int whole;

	if (answer->values == 0) {
		if (!scan_readable(scan) || type_form(scan->data[scan->at]) == FORM_NONE)
			return -EILSEQ;
		answer->values = 1;
		events->answer_began(events->context, scan->at);
	}
	whole = scan_line(scan, &answer->length, answer->keep, sizeof(answer->keep), &line);
	return whole > 0 ? take_value_line(answer, line, events) : whole;
}

static int read_answer(struct redis *redis, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &redis->answer;
	int error = answer->left > 0 ? read_string(answer, scan, events) : read_value_line(redis, scan, events);

	if (error < 0)
		answer->lost = true;
	else if (answer->values == 0 && answer->left == 0)
		end_answer(redis, scan->at, events);
	return error;
}

static int redis_feed(void *state, enum protocol_side side, const struct protocol_chunk *chunk,
		      const struct protocol_events *events)
{
	struct redis *redis = state;
	struct scan scan = scan_chunk(chunk);
	int error = 0;

	while (!scan_ended(&scan) && error == 0) {
		if (side == PROTOCOL_ANSWER)
			error = read_answer(redis, &scan, events);
		else if (redis->request.left > 0)
			error = read_argument(redis, &scan, events);
		else
			error = read_request_line(redis, &scan, events);
	}
	return error;
}

static void redis_resync(void *state, enum protocol_side side)
{
	struct redis *redis = state;

	if (side == PROTOCOL_REQUEST) {
		redis->request = (struct request){0};
	} else {
		redis->answer = (struct answer){0};
		redis->confirmed = 0;
	}
}

static void redis_finish(void *state, enum protocol_side side, const struct protocol_events *events)
{
	struct redis *redis = state;

	if (side == PROTOCOL_REQUEST && redis->request.index > 0)
		end_request(redis, 0, events);
	else if (side == PROTOCOL_ANSWER && redis->answer.lost && redis->answer.type)
		end_answer(redis, 0, events);
}

/* An array of strings, as every client library sends it, or the inline PING of health checks. */
static bool redis_detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	size_t at = 1;

	(void)bytes;
	if (size >= 6 && memcmp(data, "PING\r\n", 6) == 0)
		return true;
	if (size < 6 || data[0] != '*')
		return false;
	while (at < size && data[at] >= '0' && data[at] <= '9')
		at++;
	return at > 1 && at + 3 < size && data[at] == '\r' && data[at + 1] == '\n' && data[at + 2] == '$' &&
	       data[at + 3] >= '0' && data[at + 3] <= '9';
}

const struct protocol protocol_redis = {
    .name = "redis",
    .detect = redis_detect,
    .state_size = sizeof(struct redis),
    .feed = redis_feed,
    .resync = redis_resync,
    .finish = redis_finish,
};
