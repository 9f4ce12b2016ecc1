/*
 * values.c: a tokenizer for any kind of text, see values.h.
 *
 * A token is a run of letters and digits, in any case; %XX and \uXXXX stand for what they mean. Long tokens are values
 * by themselves. Short ones (17, eu) are so only together with a name: the word before them in a request, the label
 * (JSON key, word before) in an answer; and a token whose name says that it identifies something may turn up under any
 * name. So a value is a hash of the token, of the token and a word, or of the token as an id, and to look for values
 * passed on is to look for equal hashes.
 *
 * This runs over every byte of most answers: so it first makes a bit of each byte, 16 at a time, and then goes from
 * token to token. The x86-64 that it is written for always has SSE2. Where it is known which values are wanted, it goes
 * over the tokens alone at first; what stands around them is looked at only where one of them is wanted.
 */
#include "values.h"

#include <emmintrin.h>
#include <stdlib.h>
#include <string.h>

#define SHORT 3	       /* bytes; longer tokens are values by themselves */
#define LOOKED_AT 64   /* bytes of a token; of longer ones the length counts as well */
#define FIRST_ROOM 512 /* bytes of a text */
#define LABELS 3       /* words of a JSON key, the last ones */
#define MAX_WORD 16    /* bytes of a word by which it is known */
#define INSERTED 12    /* values; fewer are sorted by insertion alone */
#define BUCKETS 128
#define BUCKET_SHIFT 25
#define MAX_FOUND 16384
#define MASKS (VALUES_MAX_TEXT / 64 + 3)
#define KNOWN 1024

/* What names something that can be asked for by it; what refers to something, where numbers are likely to do so. */
enum naming { NAMING_UNKNOWN, NAMING_NOTHING, NAMING_REFERENCE, NAMING_ID };

#define MEANING_NAMING 0x03u /* enum naming */
#define MEANING_COMMON 0x04u /* all texts have it: it says nothing */

/* A word of the text; what it means is found when somebody asks. */
struct word {
	uint32_t at;
	uint8_t size;
	uint8_t naming; /* enum naming */
	uint64_t stem;	/* hash of it without what makes it a plural; 0: not known yet */
};

struct values_finder {
	/* A bit for each byte of the text. */
	uint64_t token[MASKS], digit[MASKS], stop[MASKS]; /* stop: a quote, or the end of a part; of answers alone */
	uint64_t event[MASKS];				  /* the beginning of a token, or in an answer a stop */
	bool mixed;					  /* some token has both letters and digits */
	/* Words that mean something here, or nothing to anybody, by their hash. */
	uint32_t known[KNOWN];
	uint8_t meanings[KNOWN];
	uint32_t found[MAX_FOUND], sorted[MAX_FOUND];
	/* The text that is looked at, and what for. */
	const char *text;
	const struct values_wanted *wanted; /* NULL: all */
	uint32_t size, count, limit;
	bool answer, full;
	bool in_string, in_key;
	struct word words[2]; /* the last ones since the string or part began */
	unsigned word_count;
	struct word key[LABELS], labels[LABELS]; /* of the key that is being read, and of what came last; backwards */
	unsigned key_count, label_count;
};

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)
#define AS_ID UINT64_C(0xd6e8feb86659fd93)
#define LOWER UINT64_C(0x2020202020202020)

/* What a value has of its token's hash; the rest is the name's or, of a long one, more of the token's. */
#define OF_TOKEN (~UINT32_C(0) << (32 - VALUES_TOKEN_BITS))
#define REST (VALUES_SHORT - 1)

static inline uint32_t finish(uint64_t hash)
{
	hash ^= hash >> 29;
	hash *= MULTIPLIER;
	return hash >> 32;
}

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * MULTIPLIER;
	return hash ^ hash >> 32;
}

/* `size` bytes, at most 8, in lower case. Eight can be read. */
static inline uint64_t load(const char *text, size_t size)
{
	static const uint64_t masks[] = {
	    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, UINT64_MAX,
	};
	uint64_t word;

	memcpy(&word, text, sizeof(word));
	return (word & masks[size]) | LOWER;
}

/* Of a token in any case. */
static inline uint64_t hash_token(const char *text, size_t size)
{
	uint64_t hash = size;

	if (size > 8) {
		if (size > LOOKED_AT)
			size = LOOKED_AT;
		for (; size > 8; size -= 8, text += 8)
			hash = mix(hash, load(text, 8));
	}
	return mix(hash, load(text, size));
}

static inline uint32_t long_value(uint64_t token)
{
	return (token >> 32 & OF_TOKEN) | (finish(token) & REST);
}

/* Of a token together with what it is called. */
static inline uint32_t short_value(uint64_t token, uint64_t named)
{
	return (token >> 32 & OF_TOKEN) | VALUES_SHORT | (finish(named) & REST);
}

static void know(struct values_finder *finder, const char *words, unsigned meaning)
{
	char word[16];

	while (*words) {
		size_t size = strcspn(words, " ");
		uint32_t hash, slot;

		memset(word, 0, sizeof(word));
		memcpy(word, words, size);
		hash = finish(hash_token(word, size));
		for (slot = hash % KNOWN; finder->known[slot] && finder->known[slot] != hash;)
			slot = (slot + 1) % KNOWN;
		finder->known[slot] = hash;
		finder->meanings[slot] |= meaning;
		words += size + (words[size] == ' ');
	}
}

struct values_finder *values_finder_new(void)
{
	struct values_finder *finder = calloc(1, sizeof(*finder));

	if (!finder)
		return NULL;
	know(finder,
	     "true false null none http https json html text plain charset localhost path secure httponly strict "
	     "samesite expires domain content type error status undefined application",
	     MEANING_COMMON);
	know(finder, "keys refs skus pks code codes cursor page no number token previous offset index version",
	     NAMING_ID);
	know(finder, "next prev from to self href parent link location url uri path", NAMING_REFERENCE);
	/* They only end as names of ids do. */
	know(finder, "paid unpaid valid invalid void avoid grid bid did said solid mid hybrid liquid android",
	     NAMING_NOTHING);
	return finder;
}

void values_finder_free(struct values_finder *finder)
{
	free(finder);
}

/* Makes room; returns how many of the bytes have some. */
static size_t make_room(struct values_text *text, size_t size)
{
	uint32_t room = text->room ? text->room : FIRST_ROOM;
	char *grown;

	if (size > VALUES_MAX_TEXT - text->size) {
		text->full = true;
		size = VALUES_MAX_TEXT - text->size;
	}
	while (room - text->size < size && room < VALUES_MAX_TEXT)
		room *= 2;
	if (room == text->room)
		return size;
	grown = realloc(text->bytes, room + VALUES_PAD);
	if (!grown) {
		text->full = true;
		return 0;
	}
	text->bytes = grown;
	text->room = room;
	return size;
}

void values_add(struct values_text *text, const void *bytes, size_t size)
{
	if (size > text->room - text->size)
		size = make_room(text, size);
	if (!size)
		return;
	memcpy(text->bytes + text->size, bytes, size);
	text->size += (uint32_t)size;
}

void values_part(struct values_text *text)
{
	if (!text->size || text->bytes[text->size - 1] == VALUES_PART)
		return;
	if (text->size < text->room)
		text->bytes[text->size++] = VALUES_PART;
	else
		values_add(text, &(const char){VALUES_PART}, 1);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `digits` hexadecimal digits; -1: they are not. */
static int32_t read_hex(const char *text, const char *end, unsigned digits)
{
	int32_t number = 0;

	if (end - text < (ptrdiff_t)digits)
		return -1;
	for (unsigned i = 0; i < digits; i++) {
		int digit = hex_digit(text[i]);

		if (digit < 0)
			return -1;
		number = number << 4 | digit;
	}
	return number;
}

/* In UTF-8; a quote that was written so ends no string. */
static char *put_code(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = code == '"' || code < ' ' ? ' ' : (char)code;
		return to;
	}
	if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*to++ = (char)(0xe0 | code >> 12);
		} else {
			*to++ = (char)(0xf0 | code >> 18);
			*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (code & 0x3f));
	return to;
}

/* What follows a backslash; moves on behind it. */
static char *put_escaped(char *to, const char **from, const char *end)
{
	int32_t code, low;

	if (*from == end)
		return to;
	code = **from == 'u' ? read_hex(*from + 1, end, 4) : -1;
	if (code < 0) { /* \n, \", \/: it parts, whatever it is */
		*to++ = **from == '/' ? '/' : ' ';
		*from += 1;
		return to;
	}
	*from += 5;
	if (code >= 0xd800 && code < 0xdc00 && end - *from >= 6 && (*from)[0] == '\\' && (*from)[1] == 'u') {
		low = read_hex(*from + 2, end, 4);
		if (low >= 0xdc00 && low < 0xe000) {
			*from += 6;
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return code >= 0xd800 && code < 0xe000 ? to : put_code(to, (uint32_t)code);
}

/* Puts what they mean for \ and % escapes; again, if that made others: values get escaped again when they are passed
 * on.
 */
static void unescape(struct values_text *text)
{
	bool again = memchr(text->bytes, '%', text->size) || memchr(text->bytes, '\\', text->size);

	for (unsigned round = 0; again && round < 3; round++) {
		const char *from = text->bytes, *end = from + text->size;
		char *to = text->bytes;
		int32_t code;

		again = false;
		while (from < end) {
			char c = *from++;

			if (c == '\\') {
				to = put_escaped(to, &from, end);
			} else if (c == '%' && (code = read_hex(from, end, 2)) >= 0) {
				from += 2;
				*to++ = code == '"' || (code < ' ' && code >= 0) ? ' ' : (char)code;
				again |= code == '%' || code == '\\';
			} else {
				*to++ = c;
			}
		}
		text->size = (uint32_t)(to - text->bytes);
	}
}

/* Bytes of which the signed value is in a range: none beyond ASCII. */
static inline __m128i in_range(__m128i bytes, char first, char last)
{
	return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8((char)(first - 1))),
			     _mm_cmplt_epi8(bytes, _mm_set1_epi8((char)(last + 1))));
}

static inline __m128i is(__m128i bytes, char byte)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte));
}

static inline uint64_t bits(__m128i bytes)
{
	return (uint32_t)_mm_movemask_epi8(bytes);
}

/* What a text is made of. */
struct made_of {
	bool high;   /* bytes beyond ASCII */
	bool binary; /* bytes that no text has */
};

/* Fills the masks but for stops, which are looked for only where they matter. */
static struct made_of classify(struct values_finder *finder)
{
	uint64_t any_mixed = 0, before = 0, digit_before = 0;
	__m128i all = _mm_setzero_si128(), binary = all;
	uint32_t block;

	for (block = 0; block * 64 < finder->size; block++) {
		uint64_t token = 0, digit = 0;

		for (unsigned i = 0; i < 4; i++) {
			__m128i bytes = _mm_loadu_si128((const __m128i *)(finder->text + 64 * block + 16 * i));
			__m128i digits = in_range(bytes, '0', '9');
			__m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');

			/* A byte's first bit is its bit here, which is set beyond ASCII. */
			token |= bits(_mm_or_si128(_mm_or_si128(letters, digits), bytes)) << (16 * i);
			digit |= bits(digits) << (16 * i);
			all = _mm_or_si128(all, bytes);
			binary = _mm_or_si128(binary, in_range(bytes, 0, 8));
		}
		finder->token[block] = token;
		finder->digit[block] = digit;
		finder->event[block] = token & ~(token << 1 | before);
		any_mixed |= token & (token << 1 | before) & (digit ^ (digit << 1 | digit_before));
		before = token >> 63;
		digit_before = digit >> 63;
	}
	finder->mixed = any_mixed;
	finder->token[block] = finder->digit[block] = 0;
	finder->token[block + 1] = finder->digit[block + 1] = 0;
	return (struct made_of){.high = bits(all), .binary = bits(binary)};
}

static void mark_stops(struct values_finder *finder)
{
	uint32_t block;

	for (block = 0; block * 64 < finder->size; block++) {
		uint64_t stop = 0;

		for (unsigned i = 0; i < 4; i++) {
			__m128i bytes = _mm_loadu_si128((const __m128i *)(finder->text + 64 * block + 16 * i));

			stop |= bits(_mm_or_si128(is(bytes, '"'), is(bytes, VALUES_PART))) << (16 * i);
		}
		finder->stop[block] = stop;
		finder->event[block] |= stop;
	}
	finder->stop[block] = finder->stop[block + 1] = 0;
}

static bool is_utf8(const char *text, uint32_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;
	unsigned following = 0;

	for (uint32_t i = 0; i < size; i++) {
		if (following ? (bytes[i] & 0xc0) != 0x80 : bytes[i] >= 0x80 && (bytes[i] < 0xc2 || bytes[i] > 0xf4))
			return false;
		if (following)
			following--;
		else if (bytes[i] >= 0xc2)
			following = bytes[i] < 0xe0 ? 1 : bytes[i] < 0xf0 ? 2 : 3;
	}
	return following == 0;
}

/* The bits of a mask from some place on: VIEW of them at least, and then zeroes. */
#define VIEW 57
static inline uint64_t view(const uint64_t *mask, uint32_t at)
{
	uint64_t bytes;

	memcpy(&bytes, (const char *)mask + at / 8, sizeof(bytes));
	return bytes >> at % 8;
}

static inline uint64_t first_bits(uint32_t count)
{
	return (UINT64_C(1) << (count < VIEW ? count : VIEW)) - 1;
}

/* Sorts what came out of a hash, and so is spread evenly: once by the first bits, then by insertion. Each once. */
static void sort(struct values_finder *finder)
{
	uint32_t *list = finder->found, ends[BUCKETS + 1] = {0}, kept = 0;

	if (finder->count > INSERTED) {
		for (uint32_t i = 0; i < finder->count; i++)
			ends[(list[i] >> BUCKET_SHIFT) + 1]++;
		for (unsigned i = 1; i < BUCKETS; i++)
			ends[i] += ends[i - 1];
		for (uint32_t i = 0; i < finder->count; i++)
			finder->sorted[ends[list[i] >> BUCKET_SHIFT]++] = list[i];
		memcpy(list, finder->sorted, finder->count * sizeof(*list));
	}
	for (uint32_t i = 1; i < finder->count; i++) {
		uint32_t hash = list[i], at = i;

		for (; at > 0 && list[at - 1] > hash; at--)
			list[at] = list[at - 1];
		list[at] = hash;
	}
	for (uint32_t i = 0; i < finder->count; i++)
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	finder->count = kept;
}

/* Is some value of this token wanted? So it looks for a few others, too. */
static inline bool wants_token(const struct values_wanted *wanted, uint64_t token, bool is_short)
{
	return values_bit(wanted->tokens[is_short], token >> (64 - VALUES_TOKEN_BITS));
}

static inline bool wants(const struct values_wanted *wanted, uint32_t value)
{
	return values_bit(wanted->tokens[!!(value & VALUES_SHORT)], value >> (32 - VALUES_TOKEN_BITS)) &&
	       values_bit(wanted->rests, value & ((1u << VALUES_REST_BITS) - 1));
}

static inline void add(struct values_finder *finder, uint32_t hash)
{
	if (finder->wanted && !wants(finder->wanted, hash))
		return;
	if (finder->count == MAX_FOUND) {
		sort(finder);
		finder->full |= finder->count > finder->limit;
		if (finder->full)
			return;
	}
	finder->found[finder->count++] = hash;
}

static unsigned meaning_of(const struct values_finder *finder, uint32_t hash)
{
	uint32_t slot = hash % KNOWN;

	while (finder->known[slot] && finder->known[slot] != hash)
		slot = (slot + 1) % KNOWN;
	return finder->known[slot] ? finder->meanings[slot] : 0;
}

/* `end` is what is behind the word. */
static inline bool ends_in(const char *end, size_t size, const char *ending, size_t length)
{
	return size >= length && load(end - length, length) == load(ending, length);
}

static bool ends_as_id(const char *text, size_t size)
{
	const char *end = text + size;

	switch (end[-1] | 0x20) { /* nearly all words end here */
	case 'd':
		return ends_in(end, size, "id\0\0\0\0\0", 2);
	case 's':
		return ends_in(end, size, "ids\0\0\0\0", 3);
	case 'k':
		return ends_in(end, size, "pk\0\0\0\0\0", 2);
	case 'y':
		return ends_in(end, size, "key\0\0\0\0", 3);
	case 'f':
		return ends_in(end, size, "ref\0\0\0\0", 3);
	case 'u':
		return ends_in(end, size, "sku\0\0\0\0", 3);
	case 'g':
		return ends_in(end, size, "slug\0\0\0", 4);
	default:
		return false;
	}
}

static enum naming naming_of(const struct values_finder *finder, struct word *word)
{
	const char *text = finder->text + word->at;

	if (word->naming)
		return word->naming;
	word->naming = meaning_of(finder, finish(hash_token(text, word->size))) & MEANING_NAMING;
	if (!word->naming)
		word->naming = ends_as_id(text, word->size) ? NAMING_ID : NAMING_NOTHING;
	return word->naming;
}

static uint32_t without_s(const char *text, uint32_t size)
{
	return size > 2 && (text[size - 1] | 0x20) == 's' && (text[size - 2] | 0x20) != 's' ? size - 1 : size;
}

/*
 * Of a word without what makes it a plural: `stocks` is `stock`, `categories` is `category`, `addresses` is `address`.
 * What is left need not be a word, only the same for both.
 */
static uint64_t stem_of(const struct values_finder *finder, struct word *word)
{
	const char *text = finder->text + word->at;
	uint32_t size = word->size;

	if (word->stem)
		return word->stem;
	size = without_s(text, size);
	if (size > 2 && (text[size - 1] | 0x20) == 'e')
		size--;
	size = without_s(text, size);
	if (size > 2 && ((text[size - 1] | 0x20) == 'y' || (text[size - 1] | 0x20) == 'i'))
		size--;
	word->stem = hash_token(text, size);
	return word->stem;
}

static void add_as_id(struct values_finder *finder, uint64_t token)
{
	add(finder, short_value(token, token ^ AS_ID));
}

static void add_named(struct values_finder *finder, uint64_t token, struct word *word)
{
	add(finder, short_value(token, mix(token, stem_of(finder, word))));
}

/* In a request any place will do, since somebody put it there. */
static void add_asked(struct values_finder *finder, uint64_t token)
{
	add_as_id(finder, token);
	for (unsigned i = 0; i < finder->word_count; i++)
		add_named(finder, token, &finder->words[i]);
}

/* Does the word before go with this token, as in `user:17` and `/orders/17`? */
static bool is_attached(const struct values_finder *finder, uint32_t at)
{
	const struct word *word = &finder->words[0];
	char between = at ? finder->text[at - 1] : ' ';

	if (!finder->word_count || word->at + word->size + 1 != at)
		return false;
	return between == ':' || between == '/' || between == '-' || between == '_' || between == '#';
}

/*
 * In an answer it counts by its label, and as an id where it is labelled so or is all there is; a number also where it
 * is part of a reference.
 */
static void add_told(struct values_finder *finder, uint64_t token, uint32_t at, bool number)
{
	bool id = !finder->label_count && !finder->word_count;
	enum naming least = number ? NAMING_REFERENCE : NAMING_ID;

	for (unsigned i = 0; i < finder->label_count; i++)
		add_named(finder, token, &finder->labels[i]);
	if (finder->label_count)
		id = naming_of(finder, &finder->labels[0]) >= least &&
		     !finder->word_count; /* words in a link name its parts */
	if (finder->word_count) {
		add_named(finder, token, &finder->words[0]);
		id |= naming_of(finder, &finder->words[0]) >= least || (number && is_attached(finder, at));
	}
	if (id)
		add_as_id(finder, token);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void add_short(struct values_finder *finder, uint64_t token, uint32_t at, uint32_t size, bool number)
{
	const char *text = finder->text + at;

	if (finder->wanted && !wants_token(finder->wanted, token, true))
		return;
	if (!finder->answer)
		add_asked(finder, token);
	else if (finder->in_key && number && at && text[-1] == '"' && text[size] == '"')
		add_as_id(finder, token); /* what is a key of an object, and a number, names something */
	else if (!finder->in_key && !(number && at > 1 && text[-1] == '.' && is_digit(text[-2])))
		add_told(finder, token, at, number);
}

/* The number in `sku17`, of a token that goes from `start` to `end`. */
static void add_number(struct values_finder *finder, uint32_t start, uint32_t at, uint32_t size, uint32_t end)
{
	uint64_t token = hash_token(finder->text + at, size);
	struct word word = {.at = start, .size = (uint8_t)(at - start)};
	bool answer = finder->answer;

	if (size > SHORT) {
		add(finder, long_value(token));
		return;
	}
	if (size < 2 || (answer && (at < start + 2 || at + size < end || finder->in_key)))
		return;
	if (at > start + 1)
		add_named(finder, token, &word);
	if (answer)
		add_as_id(finder, token);
	else
		add_asked(finder, token);
}

static void add_numbers(struct values_finder *finder, uint32_t at, uint32_t size)
{
	uint32_t end = at + (size < LOOKED_AT ? size : LOOKED_AT), from = at, start;
	bool first = true;

	while (at < end) {
		if (!is_digit(finder->text[at])) {
			at++;
			continue;
		}
		for (start = at; at < end && is_digit(finder->text[at]);)
			at++;
		/* Hexadecimal digits are no word with a number. */
		if (first || at - start > SHORT || !finder->answer)
			add_number(finder, from, start, at - start, from + size);
		first = false;
	}
}

static void note_word(struct values_finder *finder, uint32_t at, uint32_t size)
{
	struct word word = {.at = at, .size = (uint8_t)(size < MAX_WORD ? size : MAX_WORD)};

	if (finder->in_key) {
		finder->key[2] = finder->key[1];
		finder->key[1] = finder->key[0];
		finder->key[0] = word;
		finder->key_count += finder->key_count < LABELS;
		return;
	}
	finder->words[1] = finder->words[0];
	finder->words[0] = word;
	finder->word_count += finder->word_count < 2;
}

static void take_token(struct values_finder *finder, uint32_t at, uint32_t size)
{
	uint64_t all = first_bits(size);
	uint64_t digits = view(finder->digit, at) & all, token;
	bool word = !digits, number = digits == all && size < VIEW;

	if (word && finder->in_key) { /* of keys only those with digits may be data */
		note_word(finder, at, size);
		return;
	}
	token = hash_token(finder->text + at, size);
	if (size <= SHORT)
		add_short(finder, token, at, size, number);
	else if (!word || !finder->answer || !(meaning_of(finder, finish(token)) & MEANING_COMMON))
		add(finder, long_value(token));
	if (word)
		note_word(finder, at, size);
	else if (!number)
		add_numbers(finder, at, size);
}

/* Where the next quote or end of a part is; the end of the text, if there is none. */
static uint32_t next_stop(const struct values_finder *finder, uint32_t at)
{
	uint64_t stops;

	for (; at < finder->size; at += VIEW) {
		stops = view(finder->stop, at);
		if (stops)
			return at + (uint32_t)__builtin_ctzll(stops);
	}
	return finder->size;
}

/* A string begins. Is it the key of an object? */
static void begin_string(struct values_finder *finder, uint32_t at)
{
	uint32_t end = next_stop(finder, at + 1);

	finder->in_string = true;
	finder->word_count = 0;
	if (end >= finder->size || finder->text[end] != '"')
		return;
	do
		end++;
	while (end < finder->size && finder->text[end] == ' ');
	finder->in_key = end < finder->size && finder->text[end] == ':';
	finder->key_count = 0;
}

static void end_string(struct values_finder *finder)
{
	finder->in_string = false;
	if (!finder->in_key)
		return;
	finder->in_key = false;
	finder->word_count = 0;
	if (finder->key_count) {
		memcpy(finder->labels, finder->key, sizeof(finder->key));
		finder->label_count = finder->key_count;
	}
}

static void take_stop(struct values_finder *finder, uint32_t at)
{
	if (finder->text[at] != '"') {
		finder->in_string = finder->in_key = false;
		finder->word_count = finder->label_count = 0;
	} else if (finder->in_string) {
		end_string(finder);
	} else {
		begin_string(finder, at);
	}
}

static uint32_t long_token_size(const struct values_finder *finder, uint32_t at)
{
	uint32_t size = VIEW;
	uint64_t others;

	for (; at + size < finder->size; size += VIEW) {
		others = ~view(finder->token, at + size) & first_bits(VIEW);
		if (others)
			return size + (uint32_t)__builtin_ctzll(others);
	}
	return finder->size - at;
}

static inline uint32_t token_size(const struct values_finder *finder, uint32_t at)
{
	uint64_t others = ~view(finder->token, at) & first_bits(VIEW);

	return others ? (uint32_t)__builtin_ctzll(others) : long_token_size(finder, at);
}

static void take_event(struct values_finder *finder, uint32_t at)
{
	if (finder->answer && finder->stop[at / 64] >> at % 64 & 1)
		take_stop(finder, at);
	else
		take_token(finder, at, token_size(finder, at));
}

/* Padding has neither tokens nor stops. */
static void take_text(struct values_finder *finder)
{
	for (uint32_t block = 0; block * 64 < finder->size && !finder->full; block++)
		for (uint64_t events = finder->event[block]; events; events &= events - 1)
			take_event(finder, 64 * block + (uint32_t)__builtin_ctzll(events));
}

/* Is some value of this token wanted? Perhaps none that it has where it stands. */
static inline bool is_wanted(const struct values_finder *finder, uint32_t at, uint32_t size)
{
	uint64_t token = hash_token(finder->text + at, size);
	bool is_short = size <= SHORT;

	return wants_token(finder->wanted, token, is_short) && (is_short || wants(finder->wanted, long_value(token)));
}

static bool has_wanted_number(const struct values_finder *finder, uint32_t at, uint32_t size)
{
	uint32_t end = at + (size < LOOKED_AT ? size : LOOKED_AT), start;

	if (!(view(finder->digit, at) & first_bits(size)))
		return false;
	while (at < end) {
		for (start = at; at < end && is_digit(finder->text[at]);)
			at++;
		if (at > start && is_wanted(finder, start, at - start))
			return true;
		at += at == start;
	}
	return false;
}

/* Most answers have nothing that is wanted: of those it does not matter where what stands. */
static bool has_wanted(const struct values_finder *finder)
{
	for (uint32_t block = 0; block * 64 < finder->size; block++) {
		for (uint64_t events = finder->event[block]; events; events &= events - 1) {
			uint32_t at = 64 * block + (uint32_t)__builtin_ctzll(events), size = token_size(finder, at);

			if (is_wanted(finder, at, size))
				return true;
			if (finder->mixed && has_wanted_number(finder, at, size))
				return true;
		}
	}
	return false;
}

/* False: it is no text, or none that is all there. */
static bool begin_text(struct values_finder *finder, struct values_text *text)
{
	struct made_of made_of;

	if (!text->plain)
		unescape(text);
	text->plain = true;
	memset(text->bytes + text->size, ' ', VALUES_PAD);
	finder->text = text->bytes;
	finder->size = text->size;
	finder->count = 0;
	finder->full = finder->in_string = finder->in_key = false;
	finder->word_count = finder->label_count = 0;
	made_of = classify(finder);
	return !made_of.binary && (!made_of.high || is_utf8(text->bytes, text->size));
}

static const uint32_t *find(struct values_finder *finder, struct values_text *text, uint32_t limit, uint32_t *ret_count,
			    bool *ret_opaque)
{
	*ret_count = 0;
	*ret_opaque = text->full;
	if (text->size == 0)
		return finder->found;
	finder->limit = limit;
	if (!begin_text(finder, text)) {
		*ret_opaque = true;
		return finder->found;
	}
	if (finder->wanted && (!finder->wanted->any || !has_wanted(finder)))
		return finder->found;
	if (finder->answer)
		mark_stops(finder);
	take_text(finder);
	if (finder->count > limit)
		sort(finder);
	*ret_opaque |= finder->full || finder->count > limit;
	*ret_count = finder->count < limit ? finder->count : limit;
	return finder->found;
}

const uint32_t *values_find_asked(struct values_finder *finder, struct values_text *text, uint32_t limit,
				  uint32_t *ret_count, bool *ret_opaque)
{
	finder->answer = false;
	finder->wanted = NULL;
	return find(finder, text, limit, ret_count, ret_opaque);
}

const uint32_t *values_find_told(struct values_finder *finder, struct values_text *text,
				 const struct values_wanted *wanted, uint32_t limit, uint32_t *ret_count,
				 bool *ret_opaque)
{
	finder->answer = true;
	finder->wanted = wanted;
	return find(finder, text, limit, ret_count, ret_opaque);
}
