/*
 * values.c: a tokenizer for any kind of text, see values.h.
 *
 * A token is a run of letters and digits, in any case; %XX and \uXXXX stand for what they mean. Long tokens are values
 * by themselves. Short ones (17, eu) are so only together with a name: the word before them in a request, the label
 * (JSON key, word before) in an answer; and a token whose name says that it identifies something may turn up under any
 * name. So a value is a hash of the token, of the token and a word, or of the token as an id, and to look for values
 * passed on is to look for equal hashes.
 */
#include "values.h"

#include <stdlib.h>
#include <string.h>

#define SHORT 3 /* bytes; longer tokens are values by themselves */
#define FIRST_ROOM 64
#define LONG_SORT 24 /* values; fewer are sorted by insertion alone */

#define LETTER 0x01u /* of ASCII */
#define DIGIT 0x02u
#define HIGH 0x04u    /* a byte of UTF-8 beyond ASCII: counts as a letter */
#define SPECIAL 0x08u /* a separator that means something */
#define BINARY 0x10u  /* not in a text */
#define SPACE 0x20u
#define TOKEN (LETTER | DIGIT | HIGH)

#define A4(kind) kind, kind, kind, kind
#define A16(kind) A4(kind), A4(kind), A4(kind), A4(kind)

/* clang-format off */
static const uint8_t classes[256] = {
    A4(BINARY), A4(BINARY), BINARY, SPACE, SPACE, 0, 0, SPACE, BINARY, BINARY,
    A16(0),
    SPACE, 0, SPECIAL, 0, 0, SPECIAL, 0, 0, A4(0), A4(0), /* " % */
    A4(DIGIT), A4(DIGIT), DIGIT, DIGIT, SPECIAL, 0, A4(0), /* : */
    0, LETTER, LETTER, LETTER, A4(LETTER), A4(LETTER), A4(LETTER),
    A4(LETTER), A4(LETTER), LETTER, LETTER, LETTER, 0, SPECIAL, 0, 0, 0, /* \ */
    0, LETTER, LETTER, LETTER, A4(LETTER), A4(LETTER), A4(LETTER),
    A4(LETTER), A4(LETTER), LETTER, LETTER, LETTER, 0, 0, 0, 0, 0,
    A16(HIGH), A16(HIGH), A16(HIGH), A16(HIGH), A16(HIGH), A16(HIGH), A16(HIGH), A16(HIGH),
};
/* clang-format on */

/* Where the bytes behind a % or a backslash stand. */
enum escape { ESCAPE_NONE, ESCAPE_PERCENT, ESCAPE_PERCENT_DIGIT, ESCAPE_BACKSLASH, ESCAPE_UNICODE };

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)
#define AS_ID UINT64_C(0xd6e8feb86659fd93)
#define LOWER UINT64_C(0x2020202020202020)

static uint32_t finish(uint64_t hash)
{
	hash ^= hash >> 29;
	hash *= MULTIPLIER;
	return hash >> 32;
}

/* `size` bytes, at most 8, as a number; no byte behind them is read. */
static uint64_t load(const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	uint64_t word;
	uint32_t low, high;

	if (size >= 8) {
		memcpy(&word, text, 8);
		return word;
	}
	if (size >= 4) {
		memcpy(&low, text, 4);
		memcpy(&high, text + size - 4, 4);
		return low | (uint64_t)high << (8 * (size - 4));
	}
	if (size == 0)
		return 0;
	return bytes[0] | (uint64_t)bytes[size / 2] << (8 * (size / 2)) | (uint64_t)bytes[size - 1] << (8 * (size - 1));
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * MULTIPLIER;
	return hash ^ hash >> 32;
}

/* Of a token in any case; `size` can be more than is there to look at. */
static uint64_t hash_token(const char *text, size_t size)
{
	uint64_t hash = size;
	size_t there = size < VALUES_TOKEN ? size : VALUES_TOKEN, at = 0;

	for (; at + 8 < there; at += 8)
		hash = mix(hash, load(text + at, 8) | LOWER);
	return mix(hash, load(text + at, there - at) | LOWER);
}

static struct values_word make_word(const char *text, size_t size)
{
	struct values_word word = {.size = size < 16 ? size : 16};

	word.text[0] = load(text, word.size < 8 ? word.size : 8) | LOWER;
	if (word.size > 8)
		word.text[1] = load(text + 8, word.size - 8) | LOWER;
	return word;
}

static uint32_t without_s(const char *text, uint32_t size)
{
	return size > 2 && text[size - 1] == 's' && text[size - 2] != 's' ? size - 1 : size;
}

/*
 * Of a word without what makes it a plural: `stocks` is `stock`, `categories` is `category`, `addresses` is `address`.
 * What is left need not be a word, only the same for both.
 */
static uint64_t hash_stem(const struct values_word *word)
{
	const char *text = (const char *)word->text;
	uint32_t size = word->size;

	size = without_s(text, size);
	if (size > 2 && text[size - 1] == 'e')
		size--;
	size = without_s(text, size);
	if (size > 2 && (text[size - 1] == 'y' || text[size - 1] == 'i'))
		size--;
	return hash_token(text, size);
}

/* What names something that can be asked for by it; what refers to something, where numbers are likely to do so. */
enum naming { NAMING_NOTHING, NAMING_REFERENCE, NAMING_ID };

static bool is_one_of(const struct values_word *word, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == word->size && !memcmp(word->text, *words, word->size))
			return true;
	return false;
}

static bool ends_in_one_of(const struct values_word *word, const char *const *endings)
{
	const char *end = (const char *)word->text + word->size;

	for (; *endings; endings++) {
		size_t size = strlen(*endings);

		if (word->size >= size && !memcmp(end - size, *endings, size))
			return true;
	}
	return false;
}

static enum naming naming_of(const struct values_word *word)
{
	static const char *const endings[] = {"id", "ids", "pk", "key", "ref", "sku", "slug", NULL};
	static const char *const ids[] = {"keys", "refs",   "skus",  "pks",	 "code",   "codes", "cursor",  "page",
					  "no",	  "number", "token", "previous", "offset", "index", "version", NULL};
	static const char *const references[] = {"next", "prev",     "from", "to",  "self", "href", "parent",
						 "link", "location", "url",  "uri", "path", NULL};
	static const char *const others[] = {"paid", "valid", "invalid", "void",   "avoid",  "grid",   "bid",	  "did",
					     "said", "solid", "mid",	 "unpaid", "hybrid", "liquid", "android", NULL};

	if (is_one_of(word, ids))
		return NAMING_ID;
	if (is_one_of(word, references))
		return NAMING_REFERENCE;
	return ends_in_one_of(word, endings) && !is_one_of(word, others) ? NAMING_ID : NAMING_NOTHING;
}

void values_fill_common(struct values_common *common)
{
	static const char *const words[] = {
	    "true",   "false",	 "null",      "none",  "http",	 "https",     "json",	     "html",	 "text",
	    "plain",  "charset", "localhost", "path",  "secure", "httponly",  "strict",	     "samesite", "expires",
	    "domain", "content", "type",      "error", "status", "undefined", "application",
	};

	memset(common, 0, sizeof(*common));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint32_t hash = finish(hash_token(words[i], strlen(words[i])));
		uint32_t slot = hash % VALUES_COMMON;

		while (common->words[slot])
			slot = (slot + 1) % VALUES_COMMON;
		common->words[slot] = hash;
	}
}

static bool is_common(const struct values_common *common, uint32_t hash)
{
	uint32_t slot = hash % VALUES_COMMON;

	while (common->words[slot] && common->words[slot] != hash)
		slot = (slot + 1) % VALUES_COMMON;
	return common->words[slot] != 0;
}

/* Sorts what came out of a hash, and so is spread evenly: once by the first bits, then by insertion. */
static void scatter(uint32_t *list, uint32_t count, uint32_t *room)
{
	uint32_t ends[257] = {0};

	for (uint32_t i = 0; i < count; i++)
		ends[(list[i] >> 24) + 1]++;
	for (unsigned i = 1; i < 257; i++)
		ends[i] += ends[i - 1];
	for (uint32_t i = 0; i < count; i++)
		room[ends[list[i] >> 24]++] = list[i];
	memcpy(list, room, count * sizeof(*list));
}

static void sort(struct values *values)
{
	uint32_t *list = values->list;
	uint32_t kept = 0;

	/* The second half of the list's memory is there for this: see add(). */
	if (values->count > LONG_SORT)
		scatter(list, values->count, list + values->room);
	for (uint32_t i = 1; i < values->count; i++) {
		uint32_t hash = list[i], at = i;

		for (; at > 0 && list[at - 1] > hash; at--)
			list[at] = list[at - 1];
		list[at] = hash;
	}
	for (uint32_t i = 0; i < values->count; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	values->count = kept;
}

/* More room, up to the limit; there, what came twice makes room. */
static bool grow(struct values *values)
{
	uint32_t room = values->room ? values->room * 2 : FIRST_ROOM, *list;

	if (room > values->limit * 2) {
		sort(values);
		values->string_start = values->count;
		if (values->count < values->limit)
			return true;
		values->full = true;
		return false;
	}
	list = realloc(values->list, 2 * room * sizeof(*list));
	if (!list) {
		values->full = true;
		return false;
	}
	values->list = list;
	values->room = room;
	return true;
}

static void add(struct values *values, uint32_t hash)
{
	if (values->count == values->room && !grow(values))
		return;
	values->list[values->count++] = hash;
}

static void add_as_id(struct values *values, uint64_t token)
{
	add(values, finish(token ^ AS_ID));
}

static void add_named(struct values *values, uint64_t token, const struct values_word *word)
{
	add(values, finish(mix(token, hash_stem(word))));
}

static const struct values_word *last_word(const struct values *values, uint32_t before)
{
	return &values->words[(values->word_count - 1 - before) % VALUES_WORDS];
}

static void note_word(struct values *values, const char *text, size_t size)
{
	values->words[values->word_count++ % VALUES_WORDS] = make_word(text, size);
}

/* In a request any place will do, since somebody put it there. */
static void add_asked(struct values *values, uint64_t token)
{
	add_as_id(values, token);
	for (uint32_t i = 0; i < 2 && i < values->word_count; i++)
		add_named(values, token, last_word(values, i));
}

/* Does the word before go with this token, as in `user:17` and `/orders/17`? */
static bool is_attached(const struct values *values)
{
	return values->word_count && values->gap == 1 && strchr(":/-_#=", values->separator);
}

/*
 * In an answer it counts by its label, and as an id where it is labelled so or is all there is; a number also where it
 * is part of a reference.
 */
static void add_told(struct values *values, uint64_t token, bool number)
{
	bool id = !values->label_count && !values->word_count;
	enum naming least = number ? NAMING_REFERENCE : NAMING_ID;

	for (uint32_t i = 0; i < values->label_count; i++)
		add_named(values, token, &values->labels[i]);
	if (values->label_count)
		id = naming_of(&values->labels[0]) >= least;
	if (values->word_count) {
		add_named(values, token, last_word(values, 0));
		id |= naming_of(last_word(values, 0)) >= least || (number && is_attached(values));
	}
	if (id)
		add_as_id(values, token);
}

static void add_short(struct values *values, uint64_t token, bool number)
{
	if (values->answer)
		add_told(values, token, number);
	else
		add_asked(values, token);
}

/* The number in `sku17`. */
static void add_number(struct values *values, const char *text, size_t start, size_t end, size_t whole)
{
	uint64_t token = hash_token(text + start, end - start);
	struct values_word word;

	if (end - start > SHORT) {
		add(values, finish(token));
		return;
	}
	if (end - start < 2 || (values->answer && (start < 2 || end < whole)))
		return;
	if (start > 1) {
		word = make_word(text, start);
		add_named(values, token, &word);
	}
	if (values->answer)
		add_as_id(values, token);
	else
		add_asked(values, token);
}

static void add_numbers(struct values *values, const char *text, size_t size)
{
	size_t there = size < VALUES_TOKEN ? size : VALUES_TOKEN, start;
	bool first = true;

	for (size_t at = 0; at < there;) {
		if (!(classes[(uint8_t)text[at]] & DIGIT)) {
			at++;
			continue;
		}
		for (start = at; at < there && (classes[(uint8_t)text[at]] & DIGIT);)
			at++;
		/* Hexadecimal digits are no word with a number. */
		if (first || at - start > SHORT || !values->answer)
			add_number(values, text, start, at, size);
		first = false;
	}
}

/* Continuation bytes that are still to come behind a byte; false: it cannot stand here. */
static bool follow_utf8(struct values *values, uint8_t byte)
{
	if (values->following) {
		values->following--;
		return (byte & 0xc0) == 0x80;
	}
	if (byte < 0x80)
		return true;
	if (byte < 0xc2 || byte > 0xf4)
		return false;
	values->following = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
	return true;
}

static void check_utf8(struct values *values, const char *text, size_t size)
{
	for (size_t i = 0; i < size && !values->binary; i++)
		values->binary = !follow_utf8(values, (uint8_t)text[i]);
}

/* A token is whole. Of its `size` bytes at most VALUES_TOKEN are there. */
static void take_token(struct values *values, const struct values_common *common, const char *text, size_t size,
		       unsigned kinds)
{
	uint64_t token = hash_token(text, size);
	uint32_t value = finish(token);
	bool word = !(kinds & DIGIT);

	values->string_digits |= !word;
	values->short_token = 0;
	if (size > SHORT) {
		if (!values->answer || !word || !is_common(common, value))
			add(values, value);
	} else {
		add_short(values, token, !(kinds & (LETTER | HIGH)));
		if (values->alone)
			values->short_token = finish(token ^ AS_ID);
	}
	if (word)
		note_word(values, text, size);
	else if (!word && (kinds & (LETTER | HIGH)))
		add_numbers(values, text, size);
	values->gap = 0;
	values->alone = false;
	values->closed = false;
}

/* Ends the token that is kept, if there is one. */
static void end_token(struct values *values, const struct values_common *common)
{
	uint32_t size = values->size;

	if (size == 0)
		return;
	values->size = 0;
	values->binary |= values->following != 0;
	if (!values->binary)
		take_token(values, common, values->token, size, values->kinds);
	values->kinds = 0;
	values->following = 0;
}

/* Keeps a piece of a token that may go on. */
static void keep_piece(struct values *values, const char *text, size_t size, unsigned kinds)
{
	uint32_t room = values->size < VALUES_TOKEN ? VALUES_TOKEN - values->size : 0;

	if ((kinds & HIGH) || values->following)
		check_utf8(values, text, size);
	if (room)
		memcpy(values->token + values->size, text, size < room ? size : room);
	values->size += size;
	values->kinds |= kinds;
}

/* The string that was closed is the key of an object: a name, unless it has digits, which keys have that are data. */
static void take_key(struct values *values)
{
	uint32_t words = values->word_count < VALUES_WORDS - 1 ? values->word_count : VALUES_WORDS - 1;

	if (!values->string_digits)
		values->count = values->string_start;
	else if (values->short_token)
		add(values, values->short_token);
	if (words) {
		for (uint32_t i = 0; i < words; i++)
			values->labels[i] = *last_word(values, i);
		values->label_count = words;
	}
	values->word_count = 0;
	values->closed = false;
}

static void take_quote(struct values *values)
{
	values->closed = values->in_string;
	values->in_string = !values->in_string;
	if (!values->in_string)
		return;
	values->string_start = values->count;
	values->string_digits = false;
	values->alone = true;
	values->word_count = 0;
	values->short_token = 0;
}

static void take_separator(struct values *values, const struct values_common *common, uint8_t byte)
{
	unsigned kind = classes[byte];

	if (byte == '%' || byte == '\\') { /* the token may go on behind it */
		values->escape = byte == '%' ? ESCAPE_PERCENT : ESCAPE_BACKSLASH;
		return;
	}
	end_token(values, common);
	values->binary |= (kind & BINARY) != 0;
	values->gap++;
	values->separator = (char)byte;
	if (values->answer && byte == '"')
		take_quote(values);
	else if (values->closed && byte == ':')
		take_key(values);
	else if (!(kind & SPACE))
		values->closed = false;
}

/* One byte that an escape stood for. */
static void take_byte(struct values *values, const struct values_common *common, uint8_t byte)
{
	char text = (char)byte;

	values->escape = ESCAPE_NONE;
	if (classes[byte] & TOKEN)
		keep_piece(values, &text, 1, classes[byte]);
	else
		take_separator(values, common, byte);
}

static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* What \uXXXX stands for, in UTF-8; two halves of a pair make one. */
static void take_code(struct values *values, const struct values_common *common, uint32_t code)
{
	uint32_t high = values->high;

	values->escape = ESCAPE_NONE;
	values->high = 0;
	if (code >= 0xd800 && code < 0xdc00) {
		values->high = code;
		return;
	}
	if (code >= 0xdc00 && code < 0xe000) {
		if (!high)
			return;
		code = 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00);
		take_byte(values, common, 0xf0 | code >> 18);
		take_byte(values, common, 0x80 | (code >> 12 & 0x3f));
		take_byte(values, common, 0x80 | (code >> 6 & 0x3f));
		take_byte(values, common, 0x80 | (code & 0x3f));
	} else if (code >= 0x800) {
		take_byte(values, common, 0xe0 | code >> 12);
		take_byte(values, common, 0x80 | (code >> 6 & 0x3f));
		take_byte(values, common, 0x80 | (code & 0x3f));
	} else if (code >= 0x80) {
		take_byte(values, common, 0xc0 | code >> 6);
		take_byte(values, common, 0x80 | (code & 0x3f));
	} else {
		take_byte(values, common, code);
	}
}

/* It was none: what stood before is over, and the byte is one like any other. */
static void leave_escape(struct values *values, const struct values_common *common, char mark)
{
	values->escape = ESCAPE_NONE;
	end_token(values, common);
	values->gap++;
	values->separator = mark;
	values->closed = false;
}

/* The next byte of an escape. False: it is not of it. */
static bool take_escaped(struct values *values, const struct values_common *common, uint8_t byte)
{
	int digit = hex_digit(byte);
	bool letter = values->escape == ESCAPE_BACKSLASH;

	if (letter && byte == 'u') {
		values->escape = ESCAPE_UNICODE;
		values->digits = 0;
		values->code = 0;
	} else if (letter) {
		leave_escape(values, common, '\\'); /* \n, \", \/ ...: it parts, whatever it is */
		values->high = 0;
	} else if (digit < 0) {
		bool half = values->escape == ESCAPE_PERCENT_DIGIT;

		leave_escape(values, common, values->escape == ESCAPE_UNICODE ? '\\' : '%');
		if (half)
			take_byte(values, common, (uint8_t)values->code);
		return false;
	} else if (values->escape == ESCAPE_PERCENT) {
		values->code = byte;
		values->escape = ESCAPE_PERCENT_DIGIT;
	} else if (values->escape == ESCAPE_PERCENT_DIGIT) {
		take_byte(values, common, (uint8_t)(hex_digit((uint8_t)values->code) << 4 | digit));
	} else {
		values->code = values->code << 4 | (uint32_t)digit;
		if (++values->digits == 4)
			take_code(values, common, values->code);
	}
	return true;
}

void values_take(struct values *values, const struct values_common *common, const void *data, size_t size)
{
	const char *at = data, *end = at + size;

	while (at < end && !values->binary && !values->full) {
		const char *start = at;
		unsigned kinds = 0, kind = 0;

		if (values->escape) {
			at += take_escaped(values, common, (uint8_t)*at);
			continue;
		}
		while (at < end && ((kind = classes[(uint8_t)*at]) & TOKEN)) {
			kinds |= kind;
			at++;
		}
		if (at > start) {
			if (values->size || at == end || *at == '%' || *at == '\\') {
				keep_piece(values, start, (size_t)(at - start), kinds);
			} else {
				if (kinds & HIGH)
					check_utf8(values, start, (size_t)(at - start));
				values->binary |= values->following != 0;
				if (values->binary)
					return;
				take_token(values, common, start, (size_t)(at - start), kinds);
			}
		}
		if (at < end)
			take_separator(values, common, (uint8_t)*at++);
	}
}

void values_break(struct values *values, const struct values_common *common)
{
	if (values->escape)
		leave_escape(values, common, '%');
	end_token(values, common);
	values->high = 0;
	values->gap = 2;
	values->closed = values->in_string = false;
	values->alone = true;
	if (values->answer)
		values->word_count = values->label_count = 0;
}

void values_begin(struct values *values, bool answer, uint32_t limit)
{
	uint32_t *list = values->list, room = values->room;

	*values = (struct values){.list = list, .room = room, .limit = limit, .answer = answer, .gap = 2};
}

void values_end(struct values *values, const struct values_common *common)
{
	values_break(values, common);
	sort(values);
	if (values->count > values->limit) {
		values->count = values->limit;
		values->full = true;
	}
}
