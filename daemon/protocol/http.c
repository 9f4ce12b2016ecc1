/*
 * http.c: the reader for HTTP/1.0 and HTTP/1.1.
 *
 * Format: RFC 9112 (messages), RFC 9110 (methods and statuses). Built on scan.h. Of the headers only those matter that
 * say where a message ends, and, for comparing messages, all that are not in a table here. Behind a 101, or a CONNECT
 * that was granted, come another protocol's bytes.
 */
#define _GNU_SOURCE 1 /* memmem, memrchr */
#include "readers.h"

#include <errno.h>
#include <string.h>

#include "mask.h"
#include "scan.h"

#define HTTP_KEEP 256	    /* bytes kept of a request's lines: a path with several identifiers */
#define HTTP_ANSWER_KEEP 96 /* of an answer's: the longest of its lines that matter is far shorter */
#define HTTP_MAX_METHOD 16
#define HTTP_NAME 32 /* bytes kept of a header's name: all that matter are shorter */
#define HTTP_MAX_LENGTH (UINT64_C(1) << 60)

#define TAG_SEEN 0x01u
#define TAG_HEAD 0x02u
#define TAG_CONNECT 0x04u

enum phase {
	PHASE_START, /* before, or in, the first line */
	PHASE_HEADERS,
	PHASE_BODY, /* of a known length */
	PHASE_CHUNK_SIZE,
	PHASE_CHUNK,
	PHASE_CHUNK_END,
	PHASE_TRAILERS,
	PHASE_TO_CLOSE, /* a body that ends with the stream */
};

/* Where in a line its bytes are told from, as they come. */
enum field {
	FIELD_METHOD,
	FIELD_TARGET, /* its first byte */
	FIELD_HOST,   /* of a target that is a whole URL */
	FIELD_PATH,
	FIELD_QUERY,
	FIELD_NAME, /* a header's */
	FIELD_VALUE,
	FIELD_REST, /* of a line: not told */
};

/* What outlives a chunk of the line that is being told. */
struct telling {
	uint8_t field;	 /* enum field */
	uint8_t part;	 /* enum protocol_part of a header's value */
	uint8_t slashes; /* in the target so far, before its path */
	bool slash;	 /* of a path: one, or several, with nothing behind them yet, was read */
	bool deeper;	 /* likewise: there was something behind one */
	bool blank;	 /* of a header: its value has not begun */
	uint8_t name_size;
	char name[1 + HTTP_NAME + 2]; /* in lower case; with room for what is told around it */
};

/* One side's message. */
struct message {
	uint64_t left;	 /* bytes of its body or chunk that are still to come; in the headers: Content-Length */
	uint32_t length; /* of the line that is half read */
	uint8_t phase;	 /* enum phase */
	bool begun;
	bool has_length, chunked, coded;
	bool lost;	 /* its end cannot be found */
	uint16_t status; /* of an answer; 0: not known yet */
	uint32_t tag;	 /* of a request */
	uint8_t access;	 /* likewise; enum protocol_access */
	bool opaque;	 /* its body is compressed */
	uint8_t frames;	 /* enum header_frames, of the header that is being told */
	struct telling telling;
};

struct http {
	struct message messages[2]; /* by enum protocol_side */
	bool tunnel;		    /* it is no longer HTTP */
	char operation[PROTOCOL_OPERATION_SIZE];
	char keep[HTTP_KEEP];
	char answer_keep[HTTP_ANSWER_KEEP];
};

/* Where a side is read, and where it reports to. */
struct reading {
	struct http *http;
	struct message *message;
	enum protocol_side side;
	struct scan *scan;
	const struct protocol_events *events;
};

static const struct {
	const char *name;
	enum protocol_access access; /* WRITE: to its path, what is below it and what it lies in */
} methods[] = {
    {"GET", PROTOCOL_READ},	   {"POST", PROTOCOL_WRITE},	  {"HEAD", PROTOCOL_READ},
    {"PUT", PROTOCOL_WRITE},	   {"DELETE", PROTOCOL_WRITE},	  {"PATCH", PROTOCOL_WRITE},
    {"OPTIONS", PROTOCOL_READ},	   {"CONNECT", PROTOCOL_CONTROL}, {"TRACE", PROTOCOL_READ},
    {"PROPFIND", PROTOCOL_READ},   {"COPY", PROTOCOL_OTHER},	  {"MOVE", PROTOCOL_OTHER},
    {"PROPPATCH", PROTOCOL_WRITE}, {"MKCOL", PROTOCOL_WRITE},	  {"LOCK", PROTOCOL_WRITE},
    {"UNLOCK", PROTOCOL_WRITE},	   {"REPORT", PROTOCOL_READ},	  {"SEARCH", PROTOCOL_READ},
    {"PURGE", PROTOCOL_WRITE},	   {"LINK", PROTOCOL_OTHER},	  {"UNLINK", PROTOCOL_OTHER},
};

/*
 * Headers that are told otherwise than most. Those that differ though the request is the same, and those of an answer
 * that change each time or say nothing, are not told. Those that clients negotiate with carry no value that an answer
 * may have given; all others may. By their first letter, in lower case.
 */
enum header_use { HEADER_TOLD, HEADER_NOT_TOLD, HEADER_NAME };

/* What a header says of the message's end, or of whether its body can be read. */
enum header_frames { FRAMES_NOTHING, FRAMES_LENGTH, FRAMES_CODING, FRAMES_ENCODING };

#define LETTERS 26
#define LETTER(c) ((c) - 'a')
#define ROWS 11 /* of a letter; the last one stays empty */

struct header {
	char name[28];
	uint8_t use;	/* enum header_use */
	uint8_t frames; /* enum header_frames */
	bool prefix;	/* whatever its name goes on with */
};

static const struct header request_headers[LETTERS][ROWS] = {
    [LETTER('a')] =
	{
	    {"accept", HEADER_NAME},
	    {"accept-charset", HEADER_NAME},
	    {"accept-encoding", HEADER_NOT_TOLD},
	    {"accept-language", HEADER_NAME},
	},
    [LETTER('b')] =
	{
	    {"b3", HEADER_NOT_TOLD},
	    {"baggage", HEADER_NOT_TOLD},
	},
    [LETTER('c')] =
	{
	    {"cache-control", HEADER_NAME},
	    {"connection", HEADER_NOT_TOLD},
	    {"content-encoding", HEADER_NAME, FRAMES_ENCODING},
	    {"content-language", HEADER_NAME},
	    {"content-length", HEADER_NOT_TOLD, FRAMES_LENGTH},
	    {"content-type", HEADER_NAME},
	},
    [LETTER('d')] =
	{
	    {"date", HEADER_NOT_TOLD},
	    {"dnt", HEADER_NAME},
	},
    [LETTER('e')] =
	{
	    {"elastic-apm-", HEADER_NOT_TOLD, .prefix = true},
	    {"expect", HEADER_NOT_TOLD},
	},
    [LETTER('h')] =
	{
	    {"host", HEADER_NAME},
	},
    [LETTER('k')] =
	{
	    {"keep-alive", HEADER_NOT_TOLD},
	},
    [LETTER('n')] =
	{
	    {"newrelic", HEADER_NOT_TOLD},
	},
    [LETTER('o')] =
	{
	    {"origin", HEADER_NAME},
	},
    [LETTER('p')] =
	{
	    {"pragma", HEADER_NAME},
	    {"proxy-connection", HEADER_NOT_TOLD},
	},
    [LETTER('r')] =
	{
	    {"request-id", HEADER_NOT_TOLD},
	},
    [LETTER('s')] =
	{
	    {"sec-", HEADER_NAME, .prefix = true},
	    {"sentry-trace", HEADER_NOT_TOLD},
	},
    [LETTER('t')] =
	{
	    {"te", HEADER_NAME},
	    {"traceparent", HEADER_NOT_TOLD},
	    {"tracestate", HEADER_NOT_TOLD},
	    {"transfer-encoding", HEADER_NOT_TOLD, FRAMES_CODING},
	},
    [LETTER('u')] =
	{
	    {"uber-trace-id", HEADER_NOT_TOLD},
	    {"uberctx-", HEADER_NOT_TOLD, .prefix = true},
	    {"upgrade", HEADER_NAME},
	    {"upgrade-insecure-requests", HEADER_NAME},
	    {"user-agent", HEADER_NOT_TOLD},
	},
    [LETTER('v')] =
	{
	    {"via", HEADER_NOT_TOLD},
	},
    [LETTER('x')] =
	{
	    {"x-amz-date", HEADER_NOT_TOLD},
	    {"x-amzn-trace-id", HEADER_NOT_TOLD},
	    {"x-b3-", HEADER_NOT_TOLD, .prefix = true},
	    {"x-cloud-trace-context", HEADER_NOT_TOLD},
	    {"x-correlation-id", HEADER_NOT_TOLD},
	    {"x-datadog-", HEADER_NOT_TOLD, .prefix = true},
	    {"x-newrelic-", HEADER_NOT_TOLD, .prefix = true},
	    {"x-ot-span-context", HEADER_NOT_TOLD},
	    {"x-request-id", HEADER_NOT_TOLD},
	    {"x-trace-id", HEADER_NOT_TOLD},
	},
};

static const struct header answer_headers[LETTERS][ROWS] = {
    [LETTER('a')] =
	{
	    {"accept-ranges", HEADER_NOT_TOLD},
	    {"access-control-", HEADER_NOT_TOLD, .prefix = true},
	    {"age", HEADER_NOT_TOLD},
	    {"allow", HEADER_NOT_TOLD},
	    {"alt-svc", HEADER_NOT_TOLD},
	},
    [LETTER('c')] =
	{
	    {"cache-control", HEADER_NOT_TOLD},
	    {"connection", HEADER_NOT_TOLD},
	    {"content-encoding", HEADER_NOT_TOLD, FRAMES_ENCODING},
	    {"content-language", HEADER_NOT_TOLD},
	    {"content-length", HEADER_NOT_TOLD, FRAMES_LENGTH},
	    {"content-security-policy", HEADER_NOT_TOLD},
	    {"content-type", HEADER_NOT_TOLD},
	    {"cross-origin-", HEADER_NOT_TOLD, .prefix = true},
	},
    [LETTER('d')] =
	{
	    {"date", HEADER_NOT_TOLD},
	},
    [LETTER('e')] =
	{
	    {"expires", HEADER_NOT_TOLD},
	},
    [LETTER('k')] =
	{
	    {"keep-alive", HEADER_NOT_TOLD},
	},
    [LETTER('p')] =
	{
	    {"pragma", HEADER_NOT_TOLD},
	},
    [LETTER('r')] =
	{
	    {"referrer-policy", HEADER_NOT_TOLD},
	},
    [LETTER('s')] =
	{
	    {"server", HEADER_NOT_TOLD},
	    {"server-timing", HEADER_NOT_TOLD},
	    {"strict-transport-security", HEADER_NOT_TOLD},
	},
    [LETTER('t')] =
	{
	    {"trailer", HEADER_NOT_TOLD},
	    {"transfer-encoding", HEADER_NOT_TOLD, FRAMES_CODING},
	},
    [LETTER('u')] =
	{
	    {"upgrade", HEADER_NOT_TOLD},
	},
    [LETTER('v')] =
	{
	    {"vary", HEADER_NOT_TOLD},
	    {"via", HEADER_NOT_TOLD},
	},
    [LETTER('x')] =
	{
	    {"x-content-type-options", HEADER_NOT_TOLD},
	    {"x-frame-options", HEADER_NOT_TOLD},
	    {"x-powered-by", HEADER_NOT_TOLD},
	    {"x-process-time", HEADER_NOT_TOLD},
	    {"x-response-time", HEADER_NOT_TOLD},
	    {"x-runtime", HEADER_NOT_TOLD},
	    {"x-xss-protection", HEADER_NOT_TOLD},
	},
};

static bool is_method(struct scan_text word)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (scan_is(word, methods[i].name))
			return true;
	}
	return false;
}

static enum protocol_access method_access(struct scan_text word)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (scan_is(word, methods[i].name))
			return methods[i].access;
	}
	return PROTOCOL_OTHER;
}

/* The path of a request's target, without host and query. */
static struct scan_text find_path(struct scan_text target)
{
	const char *end = target.text + target.size, *at = target.text;

	if (target.size > 0 && *at != '/') {
		const char *host = memmem(at, target.size, "://", 3);

		at = host ? memchr(host + 3, '/', end - host - 3) : NULL;
		if (!at)
			at = end;
	}
	target.text = at;
	target.size = end - at;
	for (size_t i = 0; i < target.size; i++) {
		if (at[i] == '?' || at[i] == '#') {
			target.size = i;
			target.cut = false;
			break;
		}
	}
	return target;
}

/* Appends what fits. */
static void append(char *operation, size_t *size, const char *text, size_t text_size)
{
	size_t room = PROTOCOL_OPERATION_SIZE - 1 - *size;

	if (text_size > room)
		text_size = room;
	memcpy(operation + *size, text, text_size);
	*size += text_size;
	operation[*size] = '\0';
}

/* `GET /stock/1234;v=1?full=1` becomes `GET /stock/?`. */
static void name_operation(char *operation, struct scan_text method, struct scan_text target)
{
	struct scan_text path = find_path(target);
	size_t size = 0, at = 0;

	append(operation, &size, method.text, method.size);
	if (scan_is(method, "CONNECT"))
		return;
	append(operation, &size, " ", 1);
	if (scan_is(target, "*"))
		append(operation, &size, "*", 1);
	else if (path.size == 0)
		append(operation, &size, "/", 1);
	while (at < path.size) {
		size_t start = ++at, name;

		while (at < path.size && path.text[at] != '/')
			at++;
		for (name = start; name < at && path.text[name] != ';';)
			name++;
		append(operation, &size, "/", 1);
		if (mask_is_data(path.text + start, name - start) || (path.cut && at == path.size))
			append(operation, &size, "?", 1);
		else
			append(operation, &size, path.text + start, name - start);
	}
}

static int take_request_line(struct reading *reading, struct scan_text line)
{
	struct scan_text method = scan_word(&line), target = scan_word(&line), version = scan_word(&line);

	if (method.size == 0 || method.size > HTTP_MAX_METHOD || target.size == 0)
		return -EILSEQ;
	for (size_t i = 0; i < method.size; i++) {
		if (!scan_is_letter(method.text[i]) && method.text[i] != '-')
			return -EILSEQ;
	}
	if (!line.cut && !scan_is(version, "HTTP/1.1") && !scan_is(version, "HTTP/1.0"))
		return -EILSEQ;
	name_operation(reading->http->operation, method, target);
	reading->message->tag = TAG_SEEN;
	reading->message->access = method_access(method);
	if (scan_is(method, "HEAD"))
		reading->message->tag |= TAG_HEAD;
	else if (scan_is(method, "CONNECT"))
		reading->message->tag |= TAG_CONNECT;
	return 0;
}

static int take_status_line(struct reading *reading, struct scan_text line)
{
	struct scan_text version = scan_word(&line), status = scan_word(&line);
	uint64_t number;

	if (!scan_is(version, "HTTP/1.1") && !scan_is(version, "HTTP/1.0"))
		return -EILSEQ;
	if (status.size != 3 || scan_number(status.text, status.size, 10, 999, &number) < 0 || number < 100)
		return -EILSEQ;
	reading->message->status = number;
	protocol_tell(reading->events, PROTOCOL_ANSWER, PROTOCOL_NAME, status.text, status.size);
	return 0;
}

static bool is_interim(uint16_t status)
{
	return status < 200 && status != 101;
}

static void end_request(struct reading *reading)
{
	struct protocol_request report = {
	    .operation = reading->http->operation,
	    .keys = 1,
	    .tag = reading->message->tag,
	    .access = reading->message->access,
	    .opaque = reading->message->opaque,
	};

	*reading->message = (struct message){0};
	reading->events->request_ended(reading->events->context, reading->scan->at, &report);
}

static void end_answer(struct reading *reading)
{
	uint16_t status = reading->message->status;
	uint32_t tag = reading->events->oldest_tag(reading->events->context);
	struct protocol_answer report = {
	    .error = status >= 500,
	    .client_error = status >= 400 && status < 500,
	    .interim = is_interim(status),
	    .missing = status == 404 || status == 410,
	    .opaque = reading->message->opaque,
	};

	if (status == 101 || ((tag & TAG_CONNECT) && status >= 200 && status < 300))
		reading->http->tunnel = true;
	*reading->message = (struct message){0};
	reading->events->answer_ended(reading->events->context, reading->scan->at, &report);
}

static void end_message(struct reading *reading)
{
	if (reading->side == PROTOCOL_REQUEST)
		end_request(reading);
	else
		end_answer(reading);
}

/* RFC 9112, 6.3: an answer that has no body whatever its headers say. */
static bool is_bodiless(struct reading *reading)
{
	uint16_t status = reading->message->status;
	uint32_t tag;

	if (reading->side == PROTOCOL_REQUEST)
		return false;
	tag = reading->events->oldest_tag(reading->events->context);
	return status < 200 || status == 204 || status == 304 || (tag & TAG_HEAD) ||
	       ((tag & TAG_CONNECT) && status < 300);
}

/* The empty line was read: what comes now? */
static int end_headers(struct reading *reading)
{
	struct message *message = reading->message;

	if (is_bodiless(reading)) {
		end_message(reading);
	} else if (message->chunked) {
		message->phase = PHASE_CHUNK_SIZE;
	} else if (message->coded && reading->side == PROTOCOL_REQUEST) {
		return -EILSEQ; /* its end could not be told by a server either */
	} else if (message->coded || (!message->has_length && reading->side == PROTOCOL_ANSWER)) {
		message->phase = PHASE_TO_CLOSE;
	} else if (message->left > 0) {
		message->phase = PHASE_BODY;
	} else {
		end_message(reading);
	}
	return 0;
}

static struct scan_text trim(struct scan_text text)
{
	while (text.size > 0 && (text.text[0] == ' ' || text.text[0] == '\t')) {
		text.text++;
		text.size--;
	}
	while (text.size > 0 && (text.text[text.size - 1] == ' ' || text.text[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static int take_length(struct message *message, struct scan_text value)
{
	uint64_t length;

	if (value.cut || scan_number(value.text, value.size, 10, HTTP_MAX_LENGTH, &length) < 0)
		return -EILSEQ;
	if (message->has_length && message->left != length)
		return -EILSEQ;
	message->has_length = true;
	message->left = length;
	return 0;
}

/* Only the last coding frames the message. */
static void take_coding(struct message *message, struct scan_text value)
{
	const char *comma = memrchr(value.text, ',', value.size);

	message->coded = true;
	if (comma) {
		value.size -= comma + 1 - value.text;
		value.text = comma + 1;
	}
	message->opaque |= comma || !scan_is_nocase(trim(value), "chunked");
	message->chunked = scan_is_nocase(trim(value), "chunked");
}

static int take_header(struct reading *reading, enum header_frames frames, struct scan_text line)
{
	struct scan_text value = line;
	const char *colon;

	if (frames == FRAMES_NOTHING)
		return 0;
	colon = memchr(line.text, ':', line.size);
	if (!colon)
		return 0;
	value.text = colon + 1;
	value.size -= (size_t)(colon - line.text) + 1;
	value = trim(value);
	if (frames == FRAMES_LENGTH)
		return take_length(reading->message, value);
	if (frames == FRAMES_CODING)
		take_coding(reading->message, value);
	else
		reading->message->opaque |= !scan_is_nocase(value, "identity");
	return 0;
}

static void tell(const struct reading *reading, enum protocol_part part, const char *text, size_t size)
{
	protocol_tell(reading->events, reading->side, part, text, size);
}

/* What ends a word of the first line, and what a part of its path. */
enum { ENDS_WORD = 1, ENDS_PART = 2 };
static const uint8_t ends[256] = {
    [' '] = ENDS_WORD | ENDS_PART,
    ['\t'] = ENDS_WORD | ENDS_PART,
    ['\r'] = ENDS_WORD | ENDS_PART,
    ['/'] = ENDS_PART,
    ['?'] = ENDS_PART,
    ['#'] = ENDS_PART,
};

/* How many of these bytes come before such an end; all of them if there is none. */
static size_t span(const char *text, size_t size, uint8_t end)
{
	size_t at = 0;

	while (at < size && !(ends[(uint8_t)text[at]] & end))
		at++;
	return at;
}

/* A slash is told when there is something behind it, so that /orders/ names what /orders does. */
static void tell_path(const struct reading *reading, struct telling *telling, const char *text, size_t size)
{
	bool begins = *text == '/';

	if (begins || telling->slash)
		protocol_tell_level(reading->events, reading->side);
	if (telling->slash && !begins)
		tell(reading, PROTOCOL_KEY, "/", 1);
	telling->slash = false;
	telling->deeper = true;
	tell(reading, PROTOCOL_KEY, text, size);
}

/* The path is over: it is what the request reads or writes. */
static void end_path(const struct reading *reading, struct telling *telling)
{
	if (telling->slash) {
		if (!telling->deeper) /* it is the one that all others lie in */
			protocol_tell_level(reading->events, reading->side);
		tell(reading, PROTOCOL_NAME, "/", 1);
	}
	telling->slash = false;
	protocol_tell_item(reading->events, reading->side);
}

static void begin_path(const struct reading *reading, struct telling *telling)
{
	telling->field = FIELD_PATH;
	telling->slash = telling->deeper = false;
	tell(reading, PROTOCOL_KEY, "", 0);
}

/* Tells what comes next of a request's first line; returns how many bytes that were. */
static size_t tell_start(const struct reading *reading, struct telling *telling, const char *text, size_t size)
{
	size_t part, slash;

	switch ((enum field)telling->field) {
	case FIELD_METHOD:
		part = span(text, size, ENDS_WORD);
		tell(reading, PROTOCOL_NAME, text, part);
		if (part < size)
			telling->field = FIELD_TARGET;
		return part;
	case FIELD_TARGET:
		if (*text == ' ' || *text == '\t')
			return 1;
		tell(reading, PROTOCOL_NAME, " ", 1);
		telling->slashes = 0;
		telling->field = FIELD_HOST;
		if (*text == '/')
			begin_path(reading, telling);
		return 0;
	case FIELD_HOST:
		if (*text == ' ' || *text == '\r')
			telling->field = FIELD_REST;
		else if (*text == '/' && ++telling->slashes == 3)
			begin_path(reading, telling);
		else
			tell(reading, PROTOCOL_NAME, text, 1);
		return telling->field != FIELD_PATH;
	case FIELD_PATH:
		slash = *text == '/';
		part = slash + span(text + slash, size - slash, ENDS_PART);
		if (part > slash) {
			tell_path(reading, telling, text, part);
			return part;
		}
		if (slash) {
			telling->slash = true;
			return 1;
		}
		end_path(reading, telling);
		telling->field = *text == '?' ? FIELD_QUERY : FIELD_REST;
		if (*text == '?')
			tell(reading, PROTOCOL_NAME, "?", 1);
		return 1;
	case FIELD_QUERY:
		part = span(text, size, ENDS_WORD);
		tell(reading, PROTOCOL_DATA, text, part);
		if (part < size)
			telling->field = FIELD_REST;
		return part;
	default:
		return size;
	}
}

static bool is_header(const struct header *header, const char *name, size_t size)
{
	size_t length = header->prefix ? strlen(header->name) : 0;

	if (header->prefix)
		return size >= length && !memcmp(header->name, name, length);
	return header->name[size - 1] && !header->name[size] && !memcmp(header->name, name, size);
}

/* The row of a name in lower case; NULL: it is in none. */
static const struct header *find_header(enum protocol_side side, const char *name, size_t size)
{
	const struct header *header;

	if (size == 0 || size >= sizeof(header->name) || *name < 'a' || *name > 'z')
		return NULL;
	header = (side == PROTOCOL_REQUEST ? request_headers : answer_headers)[LETTER(*name)];
	for (; *header->name; header++)
		if (is_header(header, name, size))
			return header;
	return NULL;
}

/* The name of a header is there: what is its value? */
static void begin_header(const struct reading *reading, struct telling *telling)
{
	char *name = telling->name + 1;
	uint8_t size = telling->name_size;
	const struct header *header = find_header(reading->side, name, size);

	reading->message->frames = header ? header->frames : FRAMES_NOTHING;
	telling->field = header && header->use == HEADER_NOT_TOLD ? FIELD_REST : FIELD_VALUE;
	telling->blank = true;
	if (telling->field == FIELD_REST)
		return;
	if (reading->side == PROTOCOL_ANSWER) { /* as what it is to the value: its label */
		telling->part = PROTOCOL_PASSING;
		tell(reading, PROTOCOL_NAME, "", 0);
		telling->name[0] = name[size] = '"';
		name[size + 1] = ':';
		tell(reading, PROTOCOL_PASSING, telling->name, size + 3u);
		return;
	}
	telling->part = header ? PROTOCOL_NAME : PROTOCOL_DATA;
	telling->name[0] = '\n';
	name[size] = ':';
	tell(reading, PROTOCOL_NAME, telling->name, size + 2u);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* More of a header's name. All of it is made lower case, since a loop of a fixed length is done by vectors. */
static void keep_name(struct telling *telling, const char *text, size_t size)
{
	char *name = telling->name + 1;

	if (size > (size_t)(HTTP_NAME - telling->name_size))
		size = HTTP_NAME - telling->name_size;
	memcpy(name + telling->name_size, text, size);
	telling->name_size += size;
	for (size_t i = 0; i < HTTP_NAME; i++)
		name[i] = lower(name[i]);
}

/* Likewise of a header. */
static size_t tell_header(const struct reading *reading, struct telling *telling, const char *text, size_t size)
{
	const char *end;
	size_t part;

	if (telling->field == FIELD_NAME) {
		end = memchr(text, ':', size);
		part = end ? (size_t)(end - text) : size;
		keep_name(telling, text, part);
		if (!end)
			return size;
		begin_header(reading, telling);
		return part + 1;
	}
	if (telling->field != FIELD_VALUE)
		return size;
	if (telling->blank && (*text == ' ' || *text == '\t'))
		return 1;
	telling->blank = false;
	end = memchr(text, '\r', size);
	part = end ? (size_t)(end - text) : size;
	tell(reading, telling->part, text, part);
	return part < size ? part + 1 : part;
}

/* Tells bytes of a line, in whatever pieces they come: longer lines than are kept are told as well. */
static void tell_line(const struct reading *reading, const char *text, size_t size)
{
	struct telling *telling = &reading->message->telling;
	bool start = reading->message->phase == PHASE_START, ended = size > 0 && text[size - 1] == '\n';
	bool status = start && reading->side == PROTOCOL_ANSWER; /* take_status_line() tells it */

	size -= ended;
	while (!status && size > 0 && telling->field != FIELD_REST) {
		size_t told =
		    start ? tell_start(reading, telling, text, size) : tell_header(reading, telling, text, size);

		text += told;
		size -= told;
	}
	if (!ended)
		return;
	if (start && telling->field == FIELD_PATH)
		end_path(reading, telling);
	telling->field = FIELD_NAME;
	telling->name_size = 0;
}

static int next_line(struct reading *reading, struct scan_text *ret_line)
{
	struct http *http = reading->http;
	struct scan *scan = reading->scan;
	uint64_t from = scan->at;
	bool told = reading->message->phase <= PHASE_HEADERS;
	int whole;

	if (reading->side == PROTOCOL_REQUEST)
		whole = scan_line(scan, &reading->message->length, http->keep, sizeof(http->keep), ret_line);
	else
		whole =
		    scan_line(scan, &reading->message->length, http->answer_keep, sizeof(http->answer_keep), ret_line);
	if (told && scan->at > from)
		tell_line(reading, (const char *)scan->data + from, scan->at - from);
	return whole;
}

static int read_start(struct reading *reading)
{
	struct message *message = reading->message;
	struct scan_text line;
	int whole;

	if (!message->begun) {
		uint8_t first;

		if (!scan_readable(reading->scan))
			return -EILSEQ;
		first = reading->scan->data[reading->scan->at];
		if (first == '\r' || first == '\n') { /* RFC 9112, 2.2: empty lines before a message are overlooked */
			reading->scan->at++;
			return 0;
		}
		if (reading->side == PROTOCOL_ANSWER ? first != 'H' : !scan_is_letter((char)first))
			return -EILSEQ;
		message->begun = true;
		if (reading->side == PROTOCOL_REQUEST)
			reading->events->request_began(reading->events->context, reading->scan->at);
		else
			reading->events->answer_began(reading->events->context, reading->scan->at);
	}
	whole = next_line(reading, &line);
	if (whole <= 0)
		return whole;
	if ((reading->side == PROTOCOL_REQUEST ? take_request_line : take_status_line)(reading, line) < 0)
		return -EILSEQ;
	message->phase = PHASE_HEADERS;
	return 0;
}

static int read_headers(struct reading *reading)
{
	struct message *message = reading->message;
	enum header_frames frames;
	struct scan_text line;
	int whole = next_line(reading, &line);

	if (whole <= 0)
		return whole;
	frames = (enum header_frames)message->frames;
	message->frames = FRAMES_NOTHING;
	return line.size > 0 ? take_header(reading, frames, line) : end_headers(reading);
}

static int read_body(struct reading *reading)
{
	scan_tell(reading->scan, reading->message->left, reading->events, reading->side, PROTOCOL_DATA);
	if (scan_skip(reading->scan, &reading->message->left))
		end_message(reading);
	return 0;
}

static int read_chunk_size(struct reading *reading)
{
	struct message *message = reading->message;
	struct scan_text line;
	int whole = next_line(reading, &line);
	size_t digits = 0;

	if (whole <= 0)
		return whole;
	while (digits < line.size && scan_is_hex(line.text[digits]))
		digits++;
	if (scan_number(line.text, digits, 16, HTTP_MAX_LENGTH, &message->left) < 0)
		return -EILSEQ;
	if (digits < line.size && line.text[digits] != ';' && line.text[digits] != ' ' && line.text[digits] != '\t')
		return -EILSEQ;
	message->phase = message->left > 0 ? PHASE_CHUNK : PHASE_TRAILERS;
	return 0;
}

static int read_chunk(struct reading *reading)
{
	scan_tell(reading->scan, reading->message->left, reading->events, reading->side, PROTOCOL_DATA);
	if (scan_skip(reading->scan, &reading->message->left))
		reading->message->phase = PHASE_CHUNK_END;
	return 0;
}

static int read_chunk_end(struct reading *reading)
{
	struct scan_text line;
	int whole = next_line(reading, &line);

	if (whole <= 0)
		return whole;
	reading->message->phase = PHASE_CHUNK_SIZE;
	return line.size == 0 ? 0 : -EILSEQ;
}

static int read_trailers(struct reading *reading)
{
	struct scan_text line;
	int whole = next_line(reading, &line);

	if (whole > 0 && line.size == 0)
		end_message(reading);
	return whole < 0 ? whole : 0;
}

static int read_to_close(struct reading *reading)
{
	scan_tell(reading->scan, UINT64_MAX, reading->events, reading->side, PROTOCOL_DATA);
	reading->scan->at = reading->scan->bytes;
	return 0;
}

static int (*const phases[])(struct reading *reading) = {
    [PHASE_START] = read_start,		  [PHASE_HEADERS] = read_headers,   [PHASE_BODY] = read_body,
    [PHASE_CHUNK_SIZE] = read_chunk_size, [PHASE_CHUNK] = read_chunk,	    [PHASE_CHUNK_END] = read_chunk_end,
    [PHASE_TRAILERS] = read_trailers,	  [PHASE_TO_CLOSE] = read_to_close,
};

/* What goes through a tunnel is not ours to read: each chunk is a message of its own that nobody answers. */
static void pass_tunnel(struct reading *reading)
{
	const struct protocol_events *events = reading->events;
	struct scan *scan = reading->scan;

	if (reading->side == PROTOCOL_REQUEST) {
		events->request_began(events->context, scan->at);
		events->request_ended(events->context, scan->bytes,
				      &(struct protocol_request){.operation = "tunnel", .keys = 1, .no_answer = true});
	} else {
		events->answer_began(events->context, scan->at);
		events->answer_ended(events->context, scan->bytes, &(struct protocol_answer){.message = true});
	}
	scan->at = scan->bytes;
}

static int http_feed(void *state, enum protocol_side side, const struct protocol_chunk *chunk,
		     const struct protocol_events *events)
{
	struct http *http = state;
	struct scan scan = scan_chunk(chunk);
	struct reading reading = {
	    .http = http, .message = &http->messages[side], .side = side, .scan = &scan, .events = events};
	int error = 0;

	while (!scan_ended(&scan) && error >= 0) {
		if (http->tunnel && !reading.message->begun)
			pass_tunnel(&reading);
		else
			error = phases[reading.message->phase](&reading);
	}
	reading.message->lost = error < 0;
	return error < 0 ? error : 0;
}

static void http_resync(void *state, enum protocol_side side)
{
	struct http *http = state;

	http->messages[side] = (struct message){0};
}

static void http_finish(void *state, enum protocol_side side, const struct protocol_events *events)
{
	struct http *http = state;
	struct scan end = {0};
	struct reading reading = {
	    .http = http, .message = &http->messages[side], .side = side, .scan = &end, .events = events};

	if (side == PROTOCOL_REQUEST && reading.message->phase != PHASE_START)
		end_request(&reading);
	else if (side == PROTOCOL_ANSWER && reading.message->status > 0 &&
		 (reading.message->lost || reading.message->phase == PHASE_TO_CLOSE))
		end_answer(&reading);
}

/* A known method, and a target as clients send it; where the line is whole, its version too. */
static bool http_detect(const uint8_t *data, size_t size, uint64_t bytes)
{
	struct scan_text line = {.text = (const char *)data, .size = size}, method, target, version;
	const char *end = size > 0 ? memchr(line.text, '\n', size) : NULL;

	(void)bytes;
	if (end)
		line.size = end - line.text - (end > line.text && end[-1] == '\r');
	method = scan_word(&line);
	target = scan_word(&line);
	version = scan_word(&line);
	if (!is_method(method) || target.size == 0)
		return false;
	if (end)
		return scan_is(version, "HTTP/1.1") || scan_is(version, "HTTP/1.0");
	return target.text[0] == '/' || (target.size >= 7 && memcmp(target.text, "http://", 7) == 0);
}

const struct protocol protocol_http = {
    .name = "http",
    .pooled = true,
    .detect = http_detect,
    .state_size = sizeof(struct http),
    .feed = http_feed,
    .resync = http_resync,
    .finish = http_finish,
};
