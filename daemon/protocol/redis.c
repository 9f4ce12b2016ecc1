/*
 * redis.c: the reader for redis and its kin: RESP2, RESP3 and inline commands.
 *
 * Format: https://redis.io/docs/latest/develop/reference/protocol-spec/. Built on scan.h. Nested values need no
 * stack: it is enough to count the values that are still to come.
 */
#include "readers.h"

#include <errno.h>
#include <string.h>

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

struct command {
	const char *name;
	uint8_t keys;	/* enum key_rule */
	bool container; /* its second word is part of its name */
	uint32_t tag;
};

/* What is not here names one key. In alphabetical order, for bsearch's sake. */
static const struct command commands[] = {
    {"ACL", KEYS_NONE, true, 0},
    {"ASKING", KEYS_NONE, false, 0},
    {"AUTH", KEYS_NONE, false, 0},
    {"BGREWRITEAOF", KEYS_NONE, false, 0},
    {"BGSAVE", KEYS_NONE, false, 0},
    {"BLMOVE", KEYS_TWO, false, 0},
    {"BLMPOP", KEYS_COUNT_2, false, 0},
    {"BLPOP", KEYS_ALL_BUT_LAST, false, 0},
    {"BRPOP", KEYS_ALL_BUT_LAST, false, 0},
    {"BRPOPLPUSH", KEYS_TWO, false, 0},
    {"BZMPOP", KEYS_COUNT_2, false, 0},
    {"BZPOPMAX", KEYS_ALL_BUT_LAST, false, 0},
    {"BZPOPMIN", KEYS_ALL_BUT_LAST, false, 0},
    {"CLIENT", KEYS_NONE, true, 0},
    {"CLUSTER", KEYS_NONE, true, 0},
    {"COMMAND", KEYS_NONE, true, 0},
    {"CONFIG", KEYS_NONE, true, 0},
    {"COPY", KEYS_TWO, false, 0},
    {"DBSIZE", KEYS_NONE, false, 0},
    {"DEBUG", KEYS_NONE, true, 0},
    {"DEL", KEYS_ALL, false, 0},
    {"DISCARD", KEYS_NONE, false, 0},
    {"ECHO", KEYS_NONE, false, 0},
    {"EVAL", KEYS_COUNT_2, false, 0},
    {"EVALSHA", KEYS_COUNT_2, false, 0},
    {"EVALSHA_RO", KEYS_COUNT_2, false, 0},
    {"EVAL_RO", KEYS_COUNT_2, false, 0},
    {"EXEC", KEYS_NONE, false, 0},
    {"EXISTS", KEYS_ALL, false, 0},
    {"FAILOVER", KEYS_NONE, false, 0},
    {"FCALL", KEYS_COUNT_2, false, 0},
    {"FCALL_RO", KEYS_COUNT_2, false, 0},
    {"FLUSHALL", KEYS_NONE, false, 0},
    {"FLUSHDB", KEYS_NONE, false, 0},
    {"FUNCTION", KEYS_NONE, true, 0},
    {"HELLO", KEYS_NONE, false, 0},
    {"INFO", KEYS_NONE, false, 0},
    {"KEYS", KEYS_NONE, false, 0},
    {"LASTSAVE", KEYS_NONE, false, 0},
    {"LATENCY", KEYS_NONE, true, 0},
    {"LMOVE", KEYS_TWO, false, 0},
    {"LMPOP", KEYS_COUNT_1, false, 0},
    {"MEMORY", KEYS_NONE, true, 0},
    {"MGET", KEYS_ALL, false, 0},
    {"MODULE", KEYS_NONE, true, 0},
    {"MONITOR", KEYS_NONE, false, TAG_MONITOR},
    {"MSET", KEYS_PAIRS, false, 0},
    {"MSETNX", KEYS_PAIRS, false, 0},
    {"MULTI", KEYS_NONE, false, 0},
    {"OBJECT", KEYS_ONE, true, 0},
    {"PFCOUNT", KEYS_ALL, false, 0},
    {"PFMERGE", KEYS_ALL, false, 0},
    {"PING", KEYS_NONE, false, 0},
    {"PSUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"PUBLISH", KEYS_NONE, false, 0},
    {"PUBSUB", KEYS_NONE, true, 0},
    {"PUNSUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"QUIT", KEYS_NONE, false, 0},
    {"RANDOMKEY", KEYS_NONE, false, 0},
    {"READONLY", KEYS_NONE, false, 0},
    {"READWRITE", KEYS_NONE, false, 0},
    {"RENAME", KEYS_TWO, false, 0},
    {"RENAMENX", KEYS_TWO, false, 0},
    {"RESET", KEYS_NONE, false, 0},
    {"ROLE", KEYS_NONE, false, 0},
    {"RPOPLPUSH", KEYS_TWO, false, 0},
    {"SAVE", KEYS_NONE, false, 0},
    {"SCAN", KEYS_NONE, false, 0},
    {"SCRIPT", KEYS_NONE, true, 0},
    {"SDIFF", KEYS_ALL, false, 0},
    {"SDIFFSTORE", KEYS_ALL, false, 0},
    {"SELECT", KEYS_NONE, false, 0},
    {"SINTER", KEYS_ALL, false, 0},
    {"SINTERCARD", KEYS_COUNT_1, false, 0},
    {"SINTERSTORE", KEYS_ALL, false, 0},
    {"SLOWLOG", KEYS_NONE, true, 0},
    {"SMOVE", KEYS_TWO, false, 0},
    {"SPUBLISH", KEYS_NONE, false, 0},
    {"SSUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"SUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"SUNION", KEYS_ALL, false, 0},
    {"SUNIONSTORE", KEYS_ALL, false, 0},
    {"SUNSUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"SWAPDB", KEYS_NONE, false, 0},
    {"TIME", KEYS_NONE, false, 0},
    {"TOUCH", KEYS_ALL, false, 0},
    {"UNLINK", KEYS_ALL, false, 0},
    {"UNSUBSCRIBE", KEYS_NONE, false, TAG_SUBSCRIPTION},
    {"UNWATCH", KEYS_NONE, false, 0},
    {"WAIT", KEYS_NONE, false, 0},
    {"WAITAOF", KEYS_NONE, false, 0},
    {"WATCH", KEYS_ALL, false, 0},
    {"XGROUP", KEYS_ONE, true, 0},
    {"XINFO", KEYS_ONE, true, 0},
    {"ZDIFF", KEYS_COUNT_1, false, 0},
    {"ZDIFFSTORE", KEYS_COUNT_2_AND_TARGET, false, 0},
    {"ZINTER", KEYS_COUNT_1, false, 0},
    {"ZINTERCARD", KEYS_COUNT_1, false, 0},
    {"ZINTERSTORE", KEYS_COUNT_2_AND_TARGET, false, 0},
    {"ZMPOP", KEYS_COUNT_1, false, 0},
    {"ZUNION", KEYS_COUNT_1, false, 0},
    {"ZUNIONSTORE", KEYS_COUNT_2_AND_TARGET, false, 0},
};

static const struct command any_command = {"", KEYS_ONE, false, 0};

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
	uint64_t left;	 /* bytes of the argument that is being read, with its CR LF */
	uint32_t length; /* of the line that is half read */
	uint32_t count;	 /* arguments of this command; 0: none is being read */
	uint32_t index;	 /* of the argument that comes next, or is being read */
	uint8_t size[REDIS_WORDS];
	char words[REDIS_WORDS][REDIS_WORD];
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
	uint8_t size;
	char word[16]; /* its first element, if it has elements */
	char keep[32];
};

struct redis {
	struct request request;
	struct answer answer;
	uint32_t confirmed; /* channels of the oldest request, a subscription, that were confirmed */
	bool subscribed, monitoring;
	uint8_t muted; /* CLIENT REPLY: 1 one more request has no answer, 2 none has until further notice */
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
	if (strcmp(operation, "CLIENT REPLY") != 0)
		return muted;
	if (scan_is_nocase(mode, "ON"))
		redis->muted = MUTED_NOT;
	else if (scan_is_nocase(mode, "OFF"))
		redis->muted = MUTED;
	else if (scan_is_nocase(mode, "SKIP") && redis->muted == MUTED_NOT)
		redis->muted = MUTED_ONCE;
	return redis->muted != MUTED_NOT;
}

static void end_request(struct redis *redis, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	char name[2 * REDIS_WORD + 2];
	struct protocol_request report = {.operation = name, .tag = TAG_SEEN};
	size_t size = add_word(name, 0, request->words[0], request->size[0]);
	const struct command *command = find_command(name);

	if (command->container && request->count > 1) {
		name[size] = ' ';
		add_word(name, size + 1, request->words[1], request->size[1]);
	}
	report.keys = count_keys(request, command->keys);
	report.tag |= command->tag;
	if (command->tag & TAG_SUBSCRIPTION) {
		uint32_t channels = request->count > 1 ? request->count - 1 : 1;

		report.tag |= channels << TAG_COUNT_SHIFT;
		redis->subscribed = true;
	}
	report.no_answer = request->count == 0 || is_muted(redis, name);
	*request = (struct request){0};
	events->request_ended(events->context, at, &report);
}

/* A command typed by hand, or a health check's: words parted by spaces. */
static void take_inline(struct redis *redis, struct scan_text line, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &redis->request;
	struct scan_text word;

	while ((word = scan_word(&line)).size > 0) {
		if (request->count < REDIS_WORDS) {
			request->size[request->count] = word.size < REDIS_WORD ? word.size : REDIS_WORD;
			memcpy(request->words[request->count], word.text, request->size[request->count]);
		}
		request->count++;
	}
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
	if (!first)
		request->left = number + 2;
	else if (number == 0)
		end_request(redis, at, events);
	else
		request->count = number;
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
	if (!scan_skip(scan, &request->left))
		return 0;
	if (!string_ends_well(scan))
		return -EILSEQ;
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

static int take_value_line(struct answer *answer, struct scan_text line)
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
	note_value(answer, line);
	if (form == FORM_STRING && !null) {
		answer->left = number + 2;
		return 0;
	}
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
	struct protocol_answer report = {.error = answer->type == '-' || answer->type == '!'};

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

static int read_string(struct answer *answer, struct scan *scan)
{
	if (answer->naming && answer->left > 2)
		scan_copy(scan, answer->left - 2, answer->word, &answer->size, sizeof(answer->word));
	if (!scan_skip(scan, &answer->left))
		return 0;
	if (!string_ends_well(scan))
		return -EILSEQ;
	answer->naming = false;
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
	return whole > 0 ? take_value_line(answer, line) : whole;
}

static int read_answer(struct redis *redis, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &redis->answer;
	int error = answer->left > 0 ? read_string(answer, scan) : read_value_line(redis, scan, events);

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
