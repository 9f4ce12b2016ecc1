/*
 * memcache.c: the reader for memcached's text protocol, meta commands included.
 *
 * Format: doc/protocol.txt of memcached. Built on scan.h. A line is read word by word and never kept: a get may
 * name thousands of keys.
 */
#include "readers.h"

#include <errno.h>
#include <string.h>

#include "mask.h"
#include "scan.h"

#define MEMCACHE_WORD 24	    /* bytes kept of a word: commands and numbers are shorter, keys do not matter */
#define MEMCACHE_MAX_KEY 1024	    /* bytes; the server's limit is 250, more with -o large keys of forks */
#define MEMCACHE_TOLD 64	    /* keys without a value that are told one by one; nobody tells more apart */
#define MEMCACHE_MAX_KEYS 0xffffffu /* of a request that are counted for its answer */
#define MEMCACHE_MAX_BODY INT32_MAX /* bytes; the server's item limit goes up to 1 GiB */

#define TAG_SEEN 0x01u
#define TAG_NOOP 0x02u
#define TAG_VALUES_SHIFT 8 /* above: how many keys the answer has values of, or is silent about */

struct command {
	const char *name;
	uint8_t keys_at;   /* the word where keys begin; 0: it has none */
	bool many;	   /* every word from there on is a key */
	uint8_t body_at;   /* the word that says how long the body is; 0: there is none */
	bool meta;	   /* single letters behind the key are flags: `q` asks for no answer unless it is news */
	bool alone;	   /* it may stand without another word */
	bool silent;	   /* it has no answer */
	bool values;	   /* its answer is what its keys have */
	uint8_t access;	   /* enum protocol_access */
	const char *batch; /* struct protocol_request's */
};

#define GET_MULTI "get of many keys (get_multi)"

static const struct command commands[] = {
    {.name = "get", .keys_at = 1, .many = true, .access = PROTOCOL_READ, .values = true, .batch = GET_MULTI},
    {.name = "gets", .keys_at = 1, .many = true, .access = PROTOCOL_READ, .values = true, .batch = GET_MULTI},
    {.name = "gat", .keys_at = 2, .many = true, .access = PROTOCOL_WRITE, .values = true},
    {.name = "gats", .keys_at = 2, .many = true, .access = PROTOCOL_WRITE, .values = true},
    {.name = "set", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "add", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "replace", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "append", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "prepend", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "cas", .keys_at = 1, .body_at = 4, .access = PROTOCOL_WRITE},
    {.name = "delete", .keys_at = 1, .access = PROTOCOL_WRITE},
    {.name = "incr", .keys_at = 1, .access = PROTOCOL_WRITE},
    {.name = "decr", .keys_at = 1, .access = PROTOCOL_WRITE},
    {.name = "touch", .keys_at = 1, .access = PROTOCOL_WRITE},
    {.name = "mg",
     .keys_at = 1,
     .meta = true,
     .access = PROTOCOL_READ,
     .values = true,
     .batch = "a batch that ends with mn"},
    {.name = "ms", .keys_at = 1, .body_at = 2, .meta = true, .access = PROTOCOL_WRITE},
    {.name = "md", .keys_at = 1, .meta = true, .access = PROTOCOL_WRITE},
    {.name = "ma", .keys_at = 1, .meta = true, .access = PROTOCOL_WRITE},
    {.name = "me", .keys_at = 1},
    {.name = "mn", .alone = true, .access = PROTOCOL_CONTROL},
    {.name = "stats", .alone = true, .access = PROTOCOL_CONTROL},
    {.name = "version", .alone = true, .access = PROTOCOL_CONTROL},
    {.name = "flush_all", .alone = true},
    {.name = "verbosity", .access = PROTOCOL_CONTROL},
    {.name = "config"},
    {.name = "slabs"},
    {.name = "lru"},
    {.name = "lru_crawler"},
    {.name = "cache_memlimit"},
    {.name = "watch", .alone = true},
    {.name = "shutdown", .alone = true},
    {.name = "quit", .alone = true, .silent = true, .access = PROTOCOL_CONTROL},
};

/* The first word of a line that the server sends, and what comes behind it. */
struct reply {
	const char *name;
	uint8_t body_at; /* the word that says how long the body is; 0: there is none */
	bool more;	 /* the answer goes on behind it, up to END */
	bool error, client_error;
	uint8_t key_at; /* the word that is the key; 0: there is none */
	bool none;	/* what was asked for is not there */
};

static const struct reply replies[] = {
    {.name = "VALUE", .body_at = 3, .more = true, .key_at = 1},
    {.name = "END"},
    {.name = "STORED"},
    {.name = "NOT_STORED"},
    {.name = "EXISTS"},
    {.name = "NOT_FOUND", .none = true},
    {.name = "DELETED"},
    {.name = "TOUCHED"},
    {.name = "OK"},
    {.name = "VA", .body_at = 1},
    {.name = "HD"},
    {.name = "EN", .none = true},
    {.name = "NF", .none = true},
    {.name = "NS"},
    {.name = "EX"},
    {.name = "MN"},
    {.name = "ME"},
    {.name = "STAT", .more = true},
    {.name = "ITEM", .more = true},
    {.name = "CONFIG", .body_at = 3, .more = true},
    {.name = "VERSION"},
    {.name = "RESET"},
    {.name = "BUSY"},
    {.name = "BADCLASS"},
    {.name = "NOSPARE"},
    {.name = "NOTFULL"},
    {.name = "UNSAFE"},
    {.name = "SAME"},
    {.name = "ERROR", .error = true},
    {.name = "SERVER_ERROR", .error = true},
    {.name = "CLIENT_ERROR", .client_error = true},
};

static const struct reply number_reply = {.name = ""};

/* A line that is being read word by word. */
struct line {
	uint32_t words; /* read so far */
	uint16_t size;	/* bytes of the word that is being read; its first ones are in `word` */
	bool begun;
	char word[MEMCACHE_WORD];
};

struct request {
	struct line line;
	const struct command *command; /* NULL: its first word was not read yet */
	uint64_t left;		       /* bytes of the body that is being read, with its CR LF */
	uint64_t body;
	uint32_t keys;
	uint8_t key_size;
	char key[MEMCACHE_WORD]; /* the first one, as far as it is kept */
	bool quiet, in_body, writing;
};

struct answer {
	struct line line;
	const struct reply *reply; /* of this line; NULL: its first word was not read yet */
	uint64_t left;		   /* as above */
	uint64_t body;
	bool begun, in_body;
	bool lost;	 /* its end cannot be found */
	uint32_t values; /* keys that it had values of so far */
};

struct memcache {
	struct request request;
	struct answer answer;
};

static const struct command *find_command(struct scan_text word)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (scan_is(word, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

static const struct reply *find_reply(struct scan_text word)
{
	if (word.size > 0 && word.text[0] >= '0' && word.text[0] <= '9')
		return &number_reply;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		if (scan_is(word, replies[i].name))
			return &replies[i];
	}
	return NULL;
}

/*
 * Reads on in a line up to the end of its next word. Returns 1 when a word ended (it is in `line`, `*ret_last` says
 * whether the line did too), 0 when the chunk ended first, -EILSEQ at a hole or where no word can be.
 */
static int read_word(struct scan *scan, struct line *line, bool *ret_last)
{
	while (scan_readable(scan)) {
		char c = (char)scan->data[scan->at++];

		*ret_last = c == '\n';
		line->begun = true;
		if (c == '\n' || c == ' ') {
			if (line->size > 0 || c == '\n')
				return 1;
		} else if (c == '\r') {
			continue;
		} else if ((unsigned char)c < ' ' || line->size >= MEMCACHE_MAX_KEY) {
			return -EILSEQ;
		} else {
			if (line->size < MEMCACHE_WORD)
				line->word[line->size] = c;
			line->size++;
		}
	}
	return scan_ended(scan) ? 0 : -EILSEQ;
}

static struct scan_text line_word(const struct line *line)
{
	bool cut = line->size > MEMCACHE_WORD;

	return (struct scan_text){.text = line->word, .size = cut ? MEMCACHE_WORD : line->size, .cut = cut};
}

static void next_word(struct line *line, bool last)
{
	if (last) {
		*line = (struct line){0};
		return;
	}
	line->words++;
	line->size = 0;
}

/*
 * What a command may do. A quiet one may have an answer, which is not seen as its own; and meta commands can do more
 * than they are called.
 */
static enum protocol_access find_access(const struct request *request)
{
	if (request->command->meta && request->quiet)
		return PROTOCOL_OTHER;
	return request->writing ? PROTOCOL_WRITE : (enum protocol_access)request->command->access;
}

static void end_request(struct memcache *memcache, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &memcache->request;
	const struct command *command = request->command;
	char template[PROTOCOL_OPERATION_SIZE];
	struct protocol_request report = {
	    .operation = command->name,
	    .keys = request->keys,
	    .tag = TAG_SEEN | (strcmp(command->name, "mn") == 0 ? TAG_NOOP : 0),
	    .no_answer = command->silent || request->quiet,
	    .access = find_access(request),
	    .batch = command->batch,
	};

	if (command->values)
		report.tag |= (request->keys < MEMCACHE_MAX_KEYS ? request->keys : MEMCACHE_MAX_KEYS)
			      << TAG_VALUES_SHIFT;
	if (request->keys > 0) {
		mask_key(template, command->name, request->key, request->key_size);
		report.template = template;
	}
	*request = (struct request){0};
	events->request_ended(events->context, at, &report);
}

static bool is_key(const struct command *command, uint32_t index)
{
	return command->keys_at && (index == command->keys_at || (command->many && index > command->keys_at));
}

/* Bytes of the word at line.words, from its beginning if it has no others so far; what parts it from the next is not
 * its own. */
static void tell_word(const struct protocol_events *events, enum protocol_side side, enum protocol_part part,
		      const uint8_t *data, size_t size, bool begun)
{
	while (size > 0 && !begun && data[0] == ' ') {
		data++;
		size--;
	}
	while (size > 0 && (data[size - 1] == ' ' || data[size - 1] == '\r' || data[size - 1] == '\n'))
		size--;
	if (size > 0)
		protocol_tell(events, side, part, data, size);
}

/* A word of a request, the one at line.words. */
static int take_word(struct request *request)
{
	const struct command *command = request->command;
	struct scan_text word = line_word(&request->line);
	uint32_t index = request->line.words;

	if (word.size == 0)
		return 0;
	if (!command) {
		request->command = find_command(word);
		return request->command ? 0 : -EILSEQ;
	}
	if (command->body_at == index)
		return scan_number(word.text, word.size, 10, MEMCACHE_MAX_BODY, &request->body);
	if (is_key(command, index)) {
		if (request->keys++ == 0) {
			request->key_size = (uint8_t)word.size;
			memcpy(request->key, word.text, word.size);
		}
	} else if (command->meta) {
		request->quiet |= word.text[0] == 'q' && word.size == 1;
		/* of a get: makes it, makes it again, changes its time to live or its version */
		request->writing |= command->values && strchr("NRTE", word.text[0]);
	} else
		request->quiet = scan_is(word, "noreply");
	return 0;
}

/* Numbers about the value, and flags, are no values themselves; the version in `cas` came from an answer. */
static enum protocol_part request_part(const struct request *request)
{
	const struct command *command = request->command;
	uint32_t index = request->line.words;

	if (!command || index == 0)
		return PROTOCOL_NAME;
	if (is_key(command, index))
		return PROTOCOL_KEY;
	return command->body_at && index <= command->body_at ? PROTOCOL_NAME : PROTOCOL_DATA;
}

static void end_word(const struct request *request, const struct protocol_events *events, bool last)
{
	if (request->line.size > 0 && request->command && is_key(request->command, request->line.words))
		protocol_tell_item(events, PROTOCOL_REQUEST);
	protocol_tell(events, PROTOCOL_REQUEST, PROTOCOL_NAME, last ? "\n" : " ", 1);
}

static int read_request_line(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct request *request = &memcache->request;
	bool last = false, begun;
	uint32_t words;
	uint64_t from;
	int rc;

	if (!request->command && !request->line.begun) {
		if (!scan_readable(scan))
			return -EILSEQ;
		events->request_began(events->context, scan->at);
	}
	from = scan->at;
	begun = request->line.size > 0;
	rc = read_word(scan, &request->line, &last);
	tell_word(events, PROTOCOL_REQUEST, request_part(request), scan->data + from, scan->at - from, begun);
	if (rc <= 0)
		return rc;
	end_word(request, events, last);
	if (take_word(request) < 0)
		return -EILSEQ;
	words = request->line.words + (request->line.size > 0);
	next_word(&request->line, last);
	if (!last)
		return 0;
	if (!request->command || (request->command->body_at && words <= request->command->body_at))
		return -EILSEQ;
	if (request->command->body_at) {
		request->left = request->body + 2;
		request->in_body = true;
	} else {
		end_request(memcache, scan->at, events);
	}
	return 0;
}

/* Every body ends with CR LF; if it does not, its length was not one. */
static bool body_ends_well(const struct scan *scan)
{
	return scan->at > scan->captured || scan->data[scan->at - 1] == '\n';
}

static int read_request(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct request *request = &memcache->request;

	if (!request->in_body)
		return read_request_line(memcache, scan, events);
	if (request->left > 2)
		scan_tell(scan, request->left - 2, events, PROTOCOL_REQUEST, PROTOCOL_DATA);
	if (!scan_skip(scan, &request->left))
		return 0;
	if (!body_ends_well(scan))
		return -EILSEQ;
	end_request(memcache, scan->at, events);
	return 0;
}

/* What was not in the answer so far is not there. */
static bool ends_values(const struct reply *reply)
{
	return strcmp(reply->name, "END") == 0 || strcmp(reply->name, "EN") == 0;
}

/*
 * Quiet meta commands are answered only where there is something to say. They were reported as requests without an
 * answer, so what comes before the MN of the `mn` that ends such a batch belongs to the `mn`.
 */
static void end_answer(struct memcache *memcache, uint64_t at, const struct protocol_events *events)
{
	const struct reply *reply = memcache->answer.reply;
	struct protocol_answer report = {.error = reply->error, .client_error = reply->client_error};
	uint32_t tag = events->oldest_tag(events->context), asked = tag >> TAG_VALUES_SHIFT;
	uint32_t silent = asked > memcache->answer.values ? asked - memcache->answer.values : 0;

	report.missing = reply->none || (silent && ends_values(reply));
	if (ends_values(reply))
		for (uint32_t i = 0; i < silent && i < MEMCACHE_TOLD; i++)
			protocol_tell_item(events, PROTOCOL_ANSWER);
	if (tag & TAG_NOOP)
		report.interim = strcmp(reply->name, "MN") != 0 && !reply->error;
	memcache->answer = (struct answer){0};
	events->answer_ended(events->context, at, &report);
}

/* Behind the length of a value stands its version, for `cas`: two of the same value differ in it. */
static enum protocol_part answer_part(const struct answer *answer)
{
	const struct reply *reply = answer->reply;
	uint32_t index = answer->line.words;

	if (!reply)
		return PROTOCOL_NAME;
	if (reply->key_at && index == reply->key_at)
		return PROTOCOL_KEY;
	return reply->body_at && index > reply->body_at ? PROTOCOL_PASSING : PROTOCOL_NAME;
}

/* A number is a value; any other word says what kind of line it is. */
static void tell_first_word(const struct answer *answer, const struct protocol_events *events)
{
	struct scan_text word = line_word(&answer->line);

	protocol_tell(events, PROTOCOL_ANSWER, answer->reply == &number_reply ? PROTOCOL_DATA : PROTOCOL_NAME,
		      word.text, word.size);
	protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_NAME, " ", 1);
}

static int read_reply_line(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &memcache->answer;
	bool last = false, begun;
	uint64_t from;
	int rc;

	if (!answer->begun) {
		if (!scan_readable(scan))
			return -EILSEQ;
		answer->begun = true;
		events->answer_began(events->context, scan->at);
	}
	from = scan->at;
	begun = answer->line.size > 0;
	rc = read_word(scan, &answer->line, &last);
	/* The first word is told when it is known what it is, the others as they come. */
	if (answer->line.words > 0)
		tell_word(events, PROTOCOL_ANSWER, answer_part(answer), scan->data + from, scan->at - from, begun);
	if (rc <= 0)
		return rc;
	if (answer->line.words > 0)
		protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_NAME, last ? "\n" : " ", 1);
	if (answer->line.words == 0)
		answer->reply = find_reply(line_word(&answer->line));
	else if (answer->line.words == answer->reply->body_at &&
		 scan_number(answer->line.word, line_word(&answer->line).size, 10, MEMCACHE_MAX_BODY, &answer->body) ==
		     0)
		answer->in_body = true;
	if (answer->line.words == 0)
		tell_first_word(answer, events);
	next_word(&answer->line, last);
	if (!answer->reply)
		return -EILSEQ;
	if (!last)
		return 0;
	if (answer->reply->body_at && !answer->in_body)
		return -EILSEQ;
	if (answer->in_body) {
		answer->left = answer->body + 2;
		protocol_tell(events, PROTOCOL_ANSWER, PROTOCOL_DATA, "", 0); /* an empty one is a value, too */
	} else if (!answer->reply->more)
		end_answer(memcache, scan->at, events);
	return 0;
}

static int read_reply_body(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &memcache->answer;

	if (answer->left > 2)
		scan_tell(scan, answer->left - 2, events, PROTOCOL_ANSWER, PROTOCOL_DATA);
	if (!scan_skip(scan, &answer->left))
		return 0;
	if (!body_ends_well(scan))
		return -EILSEQ;
	answer->in_body = false;
	if (events->oldest_tag(events->context) >> TAG_VALUES_SHIFT) {
		protocol_tell_item(events, PROTOCOL_ANSWER);
		answer->values++;
	}
	if (!answer->reply->more)
		end_answer(memcache, scan->at, events);
	return 0;
}

static int read_answer(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &memcache->answer;
	int error;

	if (answer->left > 0)
		error = read_reply_body(memcache, scan, events);
	else
		error = read_reply_line(memcache, scan, events);
	if (error < 0)
		answer->lost = true;
	return error;
}

static int memcache_feed(void *state, enum protocol_side side, const struct protocol_chunk *chunk,
			 const struct protocol_events *events)
{
	struct memcache *memcache = state;
	struct scan scan = scan_chunk(chunk);
	int error = 0;

	while (!scan_ended(&scan) && error == 0)
		error = side == PROTOCOL_REQUEST ? read_request(memcache, &scan, events)
						 : read_answer(memcache, &scan, events);
	return error;
}

static void memcache_resync(void *state, enum protocol_side side)
{
	struct memcache *memcache = state;

	if (side == PROTOCOL_REQUEST)
		memcache->request = (struct request){0};
	else
		memcache->answer = (struct answer){0};
}

static void memcache_finish(void *state, enum protocol_side side, const struct protocol_events *events)
{
	struct memcache *memcache = state;

	if (side == PROTOCOL_REQUEST && memcache->request.command)
		end_request(memcache, 0, events);
	else if (side == PROTOCOL_ANSWER && memcache->answer.lost && memcache->answer.reply)
		end_answer(memcache, 0, events);
}

/* A command's name, then what must follow it. */
static bool memcache_detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	struct scan_text word = {.text = (const char *)data};
	const struct command *command;
	char next;

	(void)bytes;
	while (word.size < size && word.size < MEMCACHE_WORD &&
	       (data[word.size] == '_' || (data[word.size] >= 'a' && data[word.size] <= 'z')))
		word.size++;
	if (word.size == size || !(command = find_command(word)))
		return false;
	next = (char)data[word.size];
	if (next == ' ')
		return word.size + 1 < size && data[word.size + 1] > ' ';
	return command->alone && next == '\r' && word.size + 1 < size && data[word.size + 1] == '\n';
}

const struct protocol protocol_memcache = {
    .name = "memcache",
    .detect = memcache_detect,
    .state_size = sizeof(struct memcache),
    .feed = memcache_feed,
    .resync = memcache_resync,
    .finish = memcache_finish,
};
