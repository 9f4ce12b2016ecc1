/*
 * http.c: the reader for HTTP/1.0 and HTTP/1.1.
 *
 * Format: RFC 9112 (messages), RFC 9110 (methods and statuses). Built on scan.h. Of the headers only those matter that
 * say where a message ends. Behind a 101, or a CONNECT that was granted, come another protocol's bytes.
 */
#define _GNU_SOURCE 1 /* memmem, memrchr */
#include "readers.h"

#include <errno.h>
#include <string.h>

#include "scan.h"

#define HTTP_KEEP 256	    /* bytes kept of a request's lines: a path with several identifiers */
#define HTTP_ANSWER_KEEP 96 /* of an answer's: the longest of its lines that matter is far shorter */
#define HTTP_MAX_METHOD 16
#define HTTP_MAX_SEGMENT 40 /* bytes; longer parts of a path are taken for data */
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

static const char *const methods[] = {
    "GET",  "POST",	 "HEAD",  "PUT",  "DELETE", "PATCH",  "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "COPY",
    "MOVE", "PROPPATCH", "MKCOL", "LOCK", "UNLOCK", "REPORT", "SEARCH",	 "PURGE",   "LINK",  "UNLINK",
};

static bool is_method(struct scan_text word)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (scan_is(word, methods[i]))
			return true;
	}
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What names of routes have beside letters and digits. */
static bool is_mark(char c)
{
	return c == '-' || c == '_' || c == '.' || c == '~' || c == ':';
}

/*
 * Does a part of a path look like data? Numbers, dates, hexadecimal ids, uuids, tokens, and whatever has characters
 * that no name of a route has.
 */
static bool is_data(const char *text, size_t size)
{
	size_t letters = 0, digits = 0, hex = 0, dashes = 0;

	if (size > HTTP_MAX_SEGMENT)
		return true;
	for (size_t i = 0; i < size; i++) {
		if (!is_letter(text[i]) && !is_digit(text[i]) && !is_mark(text[i]))
			return true;
		letters += is_letter(text[i]);
		digits += is_digit(text[i]);
		hex += is_hex(text[i]);
		dashes += text[i] == '-';
	}
	if (digits > 0 && (letters == 0 || digits >= 4 || size >= 16))
		return true;
	return hex >= 8 && hex + dashes == size && (digits > 0 || dashes == 0);
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
		if (is_data(path.text + start, name - start) || (path.cut && at == path.size))
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
		if (!is_letter(method.text[i]) && method.text[i] != '-')
			return -EILSEQ;
	}
	if (!line.cut && !scan_is(version, "HTTP/1.1") && !scan_is(version, "HTTP/1.0"))
		return -EILSEQ;
	name_operation(reading->http->operation, method, target);
	reading->message->tag = TAG_SEEN;
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
	message->chunked = scan_is_nocase(trim(value), "chunked");
}

static int take_header(struct reading *reading, struct scan_text line)
{
	const char *colon = memchr(line.text, ':', line.size);
	struct scan_text name = line, value = line;

	if (!colon)
		return 0;
	name.size = colon - line.text;
	name.cut = false;
	value.text = colon + 1;
	value.size = line.size - name.size - 1;
	value = trim(value);
	if (scan_is_nocase(name, "Content-Length"))
		return take_length(reading->message, value);
	if (scan_is_nocase(name, "Transfer-Encoding"))
		take_coding(reading->message, value);
	return 0;
}

static int next_line(struct reading *reading, struct scan_text *ret_line)
{
	struct http *http = reading->http;

	if (reading->side == PROTOCOL_REQUEST)
		return scan_line(reading->scan, &reading->message->length, http->keep, sizeof(http->keep), ret_line);
	return scan_line(reading->scan, &reading->message->length, http->answer_keep, sizeof(http->answer_keep),
			 ret_line);
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
		if (reading->side == PROTOCOL_ANSWER ? first != 'H' : !is_letter((char)first))
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
	struct scan_text line;
	int whole = next_line(reading, &line);

	if (whole <= 0)
		return whole;
	return line.size > 0 ? take_header(reading, line) : end_headers(reading);
}

static int read_body(struct reading *reading)
{
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
	while (digits < line.size && is_hex(line.text[digits]))
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
