/*
 * memcache.c: the reader for memcached's text protocol, meta commands included.
 *
 * Format: doc/protocol.txt of memcached. Built on scan.h. A line is read word by word and never kept: a get may
 * name thousands of keys.
 */
#include "readers.h"

#include <errno.h>
#include <string.h>

#include "scan.h"

#define MEMCACHE_WORD 24	    /* bytes kept of a word: commands and numbers are shorter, keys do not matter */
#define MEMCACHE_MAX_KEY 1024	    /* bytes; the server's limit is 250, more with -o large keys of forks */
#define MEMCACHE_MAX_BODY INT32_MAX /* bytes; the server's item limit goes up to 1 GiB */

#define TAG_SEEN 0x01u
#define TAG_NOOP 0x02u

struct command {
	const char *name;
	uint8_t keys_at; /* the word where keys begin; 0: it has none */
	bool many;	 /* every word from there on is a key */
	uint8_t body_at; /* the word that says how long the body is; 0: there is none */
	bool meta;	 /* single letters behind the key are flags: `q` asks for no answer unless it is news */
	bool alone;	 /* it may stand without another word */
	bool silent;	 /* it has no answer */
};

static const struct command commands[] = {
    {.name = "get", .keys_at = 1, .many = true},
    {.name = "gets", .keys_at = 1, .many = true},
    {.name = "gat", .keys_at = 2, .many = true},
    {.name = "gats", .keys_at = 2, .many = true},
    {.name = "set", .keys_at = 1, .body_at = 4},
    {.name = "add", .keys_at = 1, .body_at = 4},
    {.name = "replace", .keys_at = 1, .body_at = 4},
    {.name = "append", .keys_at = 1, .body_at = 4},
    {.name = "prepend", .keys_at = 1, .body_at = 4},
    {.name = "cas", .keys_at = 1, .body_at = 4},
    {.name = "delete", .keys_at = 1},
    {.name = "incr", .keys_at = 1},
    {.name = "decr", .keys_at = 1},
    {.name = "touch", .keys_at = 1},
    {.name = "mg", .keys_at = 1, .meta = true},
    {.name = "ms", .keys_at = 1, .body_at = 2, .meta = true},
    {.name = "md", .keys_at = 1, .meta = true},
    {.name = "ma", .keys_at = 1, .meta = true},
    {.name = "me", .keys_at = 1},
    {.name = "mn", .alone = true},
    {.name = "stats", .alone = true},
    {.name = "version", .alone = true},
    {.name = "flush_all", .alone = true},
    {.name = "verbosity"},
    {.name = "config"},
    {.name = "slabs"},
    {.name = "lru"},
    {.name = "lru_crawler"},
    {.name = "cache_memlimit"},
    {.name = "watch", .alone = true},
    {.name = "shutdown", .alone = true},
    {.name = "quit", .alone = true, .silent = true},
};

/* The first word of a line that the server sends, and what comes behind it. */
struct reply {
	const char *name;
	uint8_t body_at; /* the word that says how long the body is; 0: there is none */
	bool more;	 /* the answer goes on behind it, up to END */
	bool error, client_error;
};

static const struct reply replies[] = {
    {.name = "VALUE", .body_at = 3, .more = true},
    {.name = "END"},
    {.name = "STORED"},
    {.name = "NOT_STORED"},
    {.name = "EXISTS"},
    {.name = "NOT_FOUND"},
    {.name = "DELETED"},
    {.name = "TOUCHED"},
    {.name = "OK"},
    {.name = "VA", .body_at = 1},
    {.name = "HD"},
    {.name = "EN"},
    {.name = "NF"},
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
	bool quiet, in_body;
};

struct answer {
	struct line line;
	const struct reply *reply; /* of this line; NULL: its first word was not read yet */
	uint64_t left;		   /* as above */
	uint64_t body;
	bool begun, in_body;
	bool lost; /* its end cannot be found */
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

static void end_request(struct memcache *memcache, uint64_t at, const struct protocol_events *events)
{
	struct request *request = &memcache->request;
	const struct command *command = request->command;
	struct protocol_request report = {
	    .operation = command->name,
	    .keys = request->keys,
	    .tag = TAG_SEEN | (strcmp(command->name, "mn") == 0 ? TAG_NOOP : 0),
	    .no_answer = command->silent || request->quiet,
	};

	*request = (struct request){0};
	events->request_ended(events->context, at, &report);
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
	if (index == command->keys_at || (command->many && index > command->keys_at))
		request->keys++;
	else if (command->meta)
		request->quiet |= word.text[0] == 'q' && word.size == 1;
	else
		request->quiet = scan_is(word, "noreply");
	return 0;
}

static int read_request_line(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct request *request = &memcache->request;
	bool last = false;
	uint32_t words;
	int rc;

	if (!request->command && !request->line.begun) {
		if (!scan_readable(scan))
			return -EILSEQ;
		events->request_began(events->context, scan->at);
	}
	rc = read_word(scan, &request->line, &last);
	if (rc <= 0)
		return rc;
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
	if (!scan_skip(scan, &request->left))
		return 0;
	if (!body_ends_well(scan))
		return -EILSEQ;
	end_request(memcache, scan->at, events);
	return 0;
}

/*
 * Quiet meta commands are answered only where there is something to say. They were reported as requests without an
 * answer, so what comes before the MN of the `mn` that ends such a batch belongs to the `mn`.
 */
static void end_answer(struct memcache *memcache, uint64_t at, const struct protocol_events *events)
{
	const struct reply *reply = memcache->answer.reply;
	struct protocol_answer report = {.error = reply->error, .client_error = reply->client_error};

	if (events->oldest_tag(events->context) & TAG_NOOP)
		report.interim = strcmp(reply->name, "MN") != 0 && !reply->error;
	memcache->answer = (struct answer){0};
	events->answer_ended(events->context, at, &report);
}

static int read_reply_line(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &memcache->answer;
	bool last = false;
	int rc;

	if (!answer->begun) {
		if (!scan_readable(scan))
			return -EILSEQ;
		answer->begun = true;
		events->answer_began(events->context, scan->at);
	}
	rc = read_word(scan, &answer->line, &last);
	if (rc <= 0)
		return rc;
	if (answer->line.words == 0)
		answer->reply = find_reply(line_word(&answer->line));
	else if (answer->line.words == answer->reply->body_at &&
		 scan_number(answer->line.word, line_word(&answer->line).size, 10, MEMCACHE_MAX_BODY, &answer->body) ==
		     0)
		answer->in_body = true;
	next_word(&answer->line, last);
	if (!answer->reply)
		return -EILSEQ;
	if (!last)
		return 0;
	if (answer->reply->body_at && !answer->in_body)
		return -EILSEQ;
	if (answer->in_body)
		answer->left = answer->body + 2;
	else if (!answer->reply->more)
		end_answer(memcache, scan->at, events);
	return 0;
}

static int read_reply_body(struct memcache *memcache, struct scan *scan, const struct protocol_events *events)
{
	struct answer *answer = &memcache->answer;

	if (!scan_skip(scan, &answer->left))
		return 0;
	if (!body_ends_well(scan))
		return -EILSEQ;
	answer->in_body = false;
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
