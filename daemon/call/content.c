/*
 * content.c: what calls asked and were answered, see content.h.
 *
 * Below pair.c. What a reader tells of a message is gathered in a struct gathering, one for each side of a connection
 * that is in a message; when the message has ended, it becomes part of its call's struct call_content. values.c finds
 * a request's values then, and those of an answer when somebody asks. Every byte is hashed once, by the hash of the
 * message or, if it is a key's or a value's, by that one's, whose result the message's hash takes in.
 */
#include "content.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "values.h"

#define LEVELS 8     /* of a path that are told apart; what is deeper is taken for what is at the last one */
#define MAX_SPARE 64 /* gatherings kept for the next messages */
#define NO_PART 0xff
#define AT_ONCE 192	/* bytes that are hashed in one go: most keys, and all of most messages but for their values */
#define BLOCK 1024	/* bytes that a content takes with all that belongs to it, mostly */
#define MAX_BLOCKS 256	/* kept for the next contents, beside what is counted */
#define LATER_SIZE 4096 /* bytes of an answer's text; in a longer one values are looked for at once */
#define NO_VALUE UINT64_C(0x6e6f76616c7565) /* that there is none is an answer, too */

/* A hash in the making: many pieces are short, and hashed together. */
struct hashing {
	uint64_t seed;
	uint32_t size; /* of what waits in `bytes` */
	bool begun;    /* there was more, which `state` has */
	char bytes[AT_ONCE];
	XXH64_state_t state;
};

struct gathering {
	struct gathering *next;
	struct hashing whole; /* of the message */
	struct hashing part;  /* of the key, or of the value in an answer, that is being told */
	uint64_t size;	      /* bytes that were told */
	uint64_t levels[LEVELS];
	uint8_t level_count;
	uint8_t last; /* enum protocol_part of the last piece */
	bool answer, in_key, in_value, keyed, cut, items_cut;
	uint32_t item_count, item_room;
	struct content_item *items;
	uint64_t key;	/* of an answer: the one that was told with the value */
	size_t counted; /* bytes of memory that the budget knows of */
	uint8_t example_size;
	bool example_ended;
	char example[CONTENT_EXAMPLE_SIZE];
	struct values_text text; /* what values are looked for in */
};

/* How much memory contents take, which live as long as somebody holds them. */
struct content_budget {
	uint64_t bytes;
	uint64_t holders; /* contents, and the stage */
	struct values_finder *finder;
	void *blocks[MAX_BLOCKS];
	unsigned block_count;
};

struct content_pool {
	struct content_budget *budget;
	struct gathering *spare;
	unsigned spare_count;
	uint64_t seed;
	bool examples;
};

static inline void begin_hash(struct hashing *hashing, uint64_t seed)
{
	hashing->seed = seed;
	hashing->size = 0;
	hashing->begun = false;
}

/* What waits is hashed, to make room. */
static void hash_waiting(struct hashing *hashing)
{
	if (!hashing->begun)
		XXH64_reset(&hashing->state, hashing->seed);
	hashing->begun = true;
	XXH64_update(&hashing->state, hashing->bytes, hashing->size);
	hashing->size = 0;
}

static inline void add_to_hash(struct hashing *hashing, const void *data, size_t size)
{
	if (size > AT_ONCE - hashing->size)
		hash_waiting(hashing);
	if (size > AT_ONCE) {
		XXH64_update(&hashing->state, data, size);
		return;
	}
	memcpy(hashing->bytes + hashing->size, data, size);
	hashing->size += (uint32_t)size;
}

/* Of all so far; more can follow. Which of the two it is depends on how much there was, not on how it came. */
static uint64_t get_hash(struct hashing *hashing)
{
	if (!hashing->begun)
		return XXH3_64bits_withSeed(hashing->bytes, hashing->size, hashing->seed);
	hash_waiting(hashing);
	return XXH64_digest(&hashing->state);
}

struct content_pool *content_pool_new(void)
{
	struct content_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->budget = calloc(1, sizeof(*pool->budget));
	if (pool->budget)
		pool->budget->finder = values_finder_new();
	if (!pool->budget || !pool->budget->finder) {
		free(pool->budget);
		free(pool);
		return NULL;
	}
	pool->budget->holders = 1;
	return pool;
}

static void release_budget(struct content_budget *budget)
{
	if (--budget->holders)
		return;
	while (budget->block_count)
		free(budget->blocks[--budget->block_count]);
	values_finder_free(budget->finder);
	free(budget);
}

static void free_gathering(struct gathering *gathering)
{
	free(gathering->items);
	free(gathering->text.bytes);
	free(gathering);
}

void content_pool_free(struct content_pool *pool)
{
	if (!pool)
		return;
	while (pool->spare) {
		struct gathering *gathering = pool->spare;

		pool->spare = gathering->next;
		pool->budget->bytes -= gathering->counted;
		free_gathering(gathering);
	}
	release_budget(pool->budget);
	free(pool);
}

void content_pool_seed(struct content_pool *pool, const void *secret, size_t size)
{
	pool->seed = secret ? XXH64(secret, size, 0) : 0;
}

void content_pool_keep_examples(struct content_pool *pool, bool keep)
{
	pool->examples = keep;
}

struct call_content *content_hold(struct call_content *content)
{
	if (content)
		content->holders++;
	return content;
}

/* Does this stand in the content's own block? */
static bool is_inside(const struct call_content *content, const void *what)
{
	return (uintptr_t)what - (uintptr_t)content < content->block;
}

static void free_outside(const struct call_content *content, void *what)
{
	if (!is_inside(content, what))
		free(what);
}

void content_release(struct call_content *content)
{
	struct content_budget *budget;

	if (!content || --content->holders)
		return;
	budget = content->budget;
	free_outside(content, content->items);
	free_outside(content, content->request_values);
	free_outside(content, content->later.bytes);
	free(content->answer_values);
	free(content->example);
	if (!budget) {
		free(content);
		return;
	}
	budget->bytes -= content->size;
	if (content->block == BLOCK && budget->block_count < MAX_BLOCKS)
		budget->blocks[budget->block_count++] = content;
	else
		free(content);
	release_budget(budget);
}

static bool has_room(const struct content_budget *budget, size_t size)
{
	return budget->bytes + size <= CONTENT_MAX_BYTES;
}

static size_t gathering_size(const struct gathering *gathering)
{
	return sizeof(*gathering) + gathering->item_room * sizeof(*gathering->items) + gathering->text.room;
}

/* Its lists may have grown. */
static void count_again(struct content_pool *pool, struct gathering *gathering)
{
	size_t size = gathering_size(gathering);

	pool->budget->bytes += size - gathering->counted;
	gathering->counted = size;
}

/* One without memory of its own but for what an earlier message left it; NULL without memory or room. */
static struct gathering *take_gathering(struct content_pool *pool)
{
	struct gathering *gathering = pool->spare;

	if (gathering) {
		pool->spare = gathering->next;
		pool->spare_count--;
		return gathering;
	}
	if (!has_room(pool->budget, sizeof(*gathering)))
		return NULL;
	gathering = calloc(1, sizeof(*gathering));
	if (gathering)
		count_again(pool, gathering);
	return gathering;
}

void content_begin(struct content_pool *pool, struct gathering **gathering, enum protocol_side side)
{
	struct gathering *begun = *gathering ? *gathering : take_gathering(pool);

	*gathering = begun;
	if (!begun)
		return;
	begin_hash(&begun->whole, pool->seed);
	begun->size = 0;
	begun->level_count = 0;
	begun->last = NO_PART;
	begun->in_key = begun->in_value = begun->keyed = begun->cut = begun->items_cut = false;
	begun->item_count = 0;
	begun->example_size = 0;
	begun->example_ended = !pool->examples || side == PROTOCOL_ANSWER;
	begun->answer = side == PROTOCOL_ANSWER;
	begun->text.size = 0;
	begun->text.full = begun->text.plain = false;
}

void content_drop(struct content_pool *pool, struct gathering **gathering)
{
	struct gathering *over = *gathering;

	*gathering = NULL;
	if (!over)
		return;
	count_again(pool, over);
	if (pool->spare_count >= MAX_SPARE || !has_room(pool->budget, 0)) {
		pool->budget->bytes -= over->counted;
		free_gathering(over);
		return;
	}
	over->next = pool->spare;
	pool->spare = over;
	pool->spare_count++;
}

void content_cut(struct gathering *gathering)
{
	if (gathering)
		gathering->cut = true;
}

/* The request as people read it: its first line; what cannot be printed parts words. */
static void add_example(struct gathering *gathering, enum protocol_part part, const char *data, size_t size)
{
	for (size_t i = 0; i < size && !gathering->example_ended; i++) {
		bool shown = data[i] > ' ' && data[i] < 0x7f, first = gathering->example_size == 0;
		bool space = !first && gathering->example[gathering->example_size - 1] == ' ';

		if (part == PROTOCOL_NAME && data[i] == '\n')
			gathering->example_ended = true;
		else if (shown || !(first || space))
			gathering->example[gathering->example_size++] = shown ? data[i] : ' ';
		gathering->example_ended |= gathering->example_size == sizeof(gathering->example);
	}
}

static void add_to_part(const struct content_pool *pool, struct gathering *gathering, bool *in, const void *data,
			size_t size)
{
	if (!*in)
		begin_hash(&gathering->part, pool->seed);
	*in = true;
	if (data)
		add_to_hash(&gathering->part, data, size);
}

/* Bytes to the hash that they belong to. */
static void hash_piece(const struct content_pool *pool, struct gathering *gathering, enum protocol_part part,
		       const void *data, size_t size)
{
	if (!data)
		gathering->cut = true;
	if (part == PROTOCOL_PASSING)
		return;
	gathering->size += size;
	if (part == PROTOCOL_KEY)
		add_to_part(pool, gathering, &gathering->in_key, data, size);
	else if (part == PROTOCOL_DATA && gathering->answer)
		add_to_part(pool, gathering, &gathering->in_value, data, size);
	else if (data)
		add_to_hash(&gathering->whole, data, size);
}

/* The hash of what was told since the last one; 0 is for what was not told. */
static uint64_t end_part(struct gathering *gathering)
{
	uint64_t hash = get_hash(&gathering->part);

	hash += !hash;
	add_to_hash(&gathering->whole, &hash, sizeof(hash));
	return hash;
}

/* In an answer a key goes before its value. */
static void end_answer_key(struct gathering *gathering)
{
	if (!gathering->answer || !gathering->in_key)
		return;
	gathering->key = end_part(gathering);
	gathering->in_key = false;
	gathering->keyed = true;
}

/* Values are looked for when the message is whole. */
static void keep_text(struct content_pool *pool, struct gathering *gathering, const void *data, size_t size)
{
	struct values_text *text = &gathering->text;
	uint32_t room = text->room;

	if (size > text->room - text->size && !has_room(pool->budget, size)) {
		text->full = true;
		return;
	}
	values_add(text, data, size);
	if (text->room != room)
		count_again(pool, gathering);
}

void content_tell(struct content_pool *pool, struct gathering *gathering, enum protocol_part part, const void *data,
		  size_t size)
{
	bool looked_at =
	    part == PROTOCOL_DATA || part == PROTOCOL_PASSING || (part == PROTOCOL_KEY && !gathering->answer);

	if (part != gathering->last) {
		values_part(&gathering->text);
		if (part != PROTOCOL_KEY)
			end_answer_key(gathering);
		gathering->last = part;
	}
	hash_piece(pool, gathering, part, data, size);
	if (!data)
		return;
	if (looked_at)
		keep_text(pool, gathering, data, size);
	if (!gathering->example_ended)
		add_example(gathering, part, data, size);
}

static bool make_item(struct gathering *gathering)
{
	uint32_t room = gathering->item_room ? gathering->item_room * 2 : 4;
	struct content_item *items;

	if (gathering->item_count == CONTENT_MAX_ITEMS) {
		gathering->items_cut = true;
		return false;
	}
	if (gathering->item_count < gathering->item_room)
		return true;
	items = realloc(gathering->items, room * sizeof(*items));
	if (!items) {
		gathering->items_cut = true;
		return false;
	}
	gathering->items = items;
	gathering->item_room = room;
	return true;
}

static void end_request_key(struct gathering *gathering)
{
	uint64_t key = gathering->in_key ? end_part(gathering) : NO_VALUE;

	gathering->in_key = false;
	if (make_item(gathering))
		gathering->items[gathering->item_count++] = (struct content_item){.key = key};
}

static void end_answer_value(struct gathering *gathering)
{
	uint64_t answer = NO_VALUE;

	end_answer_key(gathering);
	if (gathering->in_value)
		answer = end_part(gathering);
	gathering->in_value = false;
	if (make_item(gathering))
		gathering->items[gathering->item_count++] =
		    (struct content_item){.key = gathering->keyed ? gathering->key : 0, .answer = answer};
	gathering->keyed = false;
}

void content_item(struct gathering *gathering)
{
	values_part(&gathering->text);
	gathering->last = NO_PART;
	if (gathering->answer)
		end_answer_value(gathering);
	else
		end_request_key(gathering);
}

void content_level(struct gathering *gathering)
{
	if (!gathering->answer && gathering->level_count < LEVELS)
		gathering->levels[gathering->level_count++] = gathering->in_key ? get_hash(&gathering->part) : NO_VALUE;
}

/* What stands for all that is below a path. */
static uint64_t below(uint64_t key)
{
	return XXH64(&key, sizeof(key), 1);
}

/* The keys of what contains the one that was told; content.h says why they are these. */
static void add_levels(struct gathering *gathering, enum protocol_access access)
{
	uint64_t self = gathering->item_count ? gathering->items[0].key : 0;

	if (!gathering->level_count)
		return;
	for (unsigned i = 0; i < gathering->level_count; i++) {
		uint64_t key = gathering->levels[i];

		if (make_item(gathering))
			gathering->items[gathering->item_count++] =
			    (struct content_item){.key = access == PROTOCOL_WRITE ? key : below(key)};
	}
	if (access == PROTOCOL_WRITE && make_item(gathering))
		gathering->items[gathering->item_count++] = (struct content_item){.key = below(self)};
}

/* Of all that was told. */
static uint64_t end_hash(struct gathering *gathering)
{
	uint64_t hash;

	if (gathering->in_key || gathering->in_value)
		end_part(gathering);
	gathering->in_key = gathering->in_value = false;
	add_to_hash(&gathering->whole, &gathering->size, sizeof(gathering->size));
	hash = get_hash(&gathering->whole);
	return hash + !hash;
}

static char *copy_example(const struct gathering *gathering)
{
	return gathering->example_size ? strndup(gathering->example, gathering->example_size) : NULL;
}

static void *take_block(struct content_budget *budget, size_t size)
{
	return size == BLOCK && budget->block_count ? budget->blocks[--budget->block_count] : malloc(size);
}

static struct call_content *allocate(struct content_pool *pool, const struct gathering *gathering,
				     const uint32_t *found, uint32_t count)
{
	size_t items = gathering->item_count * sizeof(*gathering->items);
	size_t values = count * sizeof(*found);
	size_t size = sizeof(struct call_content) + items + values;
	size_t block = size < BLOCK ? BLOCK : size;
	struct call_content *content;

	if (!has_room(pool->budget, block + gathering->example_size))
		return NULL;
	content = take_block(pool->budget, block);
	if (!content)
		return NULL;
	*content = (struct call_content){.holders = 1, .budget = pool->budget, .block = block};
	content->size = block + gathering->example_size;
	content->items = (void *)(content + 1);
	content->request_values = (void *)((char *)content->items + items);
	content->request_value_count = count;
	if (items)
		memcpy(content->items, gathering->items, items);
	if (values)
		memcpy(content->request_values, found, values);
	pool->budget->bytes += content->size;
	pool->budget->holders++;
	return content;
}

struct call_content *content_end_request(struct content_pool *pool, struct gathering **gathering,
					 const struct protocol_request *request)
{
	struct gathering *over = *gathering;
	struct call_content *content;
	const uint32_t *found;
	uint32_t count;
	bool opaque;

	if (!over)
		return NULL;
	found = values_find_asked(pool->budget->finder, &over->text, CONTENT_MAX_VALUES, &count, &opaque);
	add_levels(over, request->access);
	content = allocate(pool, over, found, count);
	if (content) {
		content->access = request->access;
		content->batch = request->batch;
		if (request->template)
			strncpy(content->template, request->template, sizeof(content->template) - 1);
		content->request = over->last == NO_PART && !over->item_count ? 0 : end_hash(over);
		content->request_size = over->size;
		content->request_cut = over->cut;
		content->request_opaque = over->cut || request->opaque || opaque;
		content->items_cut = over->items_cut;
		content->item_count = over->item_count;
		content->example = copy_example(over);
		/* Until there is an answer; none will come to what wants none, unless it can still say something. */
		content->answer_cut = content->opaque = !request->no_answer || request->access == PROTOCOL_OTHER;
	}
	content_drop(pool, gathering);
	return content;
}

/* Values to the keys that they answer. */
static void set_items(struct call_content *content, const struct gathering *gathering)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < gathering->item_count; i++) {
		const struct content_item *item = &gathering->items[i];
		uint32_t at = 0;

		while (item->key && at < content->item_count &&
		       (content->items[at].key != item->key || content->items[at].answer))
			at++;
		if (!item->key) {
			while (next < content->item_count && content->items[next].answer)
				next++;
			at = next;
		}
		if (at < content->item_count)
			content->items[at].answer = item->answer;
	}
}

/* Of a long answer the values are kept and not the text. */
static void keep_values(struct call_content *content, struct values_text *text)
{
	struct content_budget *budget = content->budget;
	const uint32_t *found;
	uint32_t count;
	size_t size;
	bool opaque;

	found = values_find_told(budget->finder, text, NULL, CONTENT_MAX_VALUES, &count, &opaque);
	size = count * sizeof(*found);
	content->opaque |= opaque;
	if (!size)
		return;
	if (has_room(budget, size))
		content->answer_values = malloc(size);
	if (!content->answer_values) {
		content->opaque = true;
		return;
	}
	memcpy(content->answer_values, found, size);
	content->answer_value_count = count;
	content->size += size;
	budget->bytes += size;
}

const uint32_t *content_look(struct call_content *content, const struct values_wanted *wanted, uint32_t *ret_count)
{
	const uint32_t *found;
	bool opaque;

	*ret_count = content->answer_value_count;
	if (!content->later.bytes)
		return content->answer_values;
	found =
	    values_find_told(content->budget->finder, &content->later, wanted, CONTENT_MAX_VALUES, ret_count, &opaque);
	content->opaque |= opaque;
	return found;
}

/* Memory for a text: behind what stands in the block, or elsewhere; NULL: none. */
static char *make_room_for_text(struct call_content *content, size_t size)
{
	char *behind = (char *)(content->request_values + content->request_value_count), *text;

	if (size <= (size_t)((char *)content + content->block - behind))
		return behind;
	text = has_room(content->budget, size) ? malloc(size) : NULL;
	if (text) {
		content->size += size;
		content->budget->bytes += size;
	}
	return text;
}

/* False: the text is long, or there is no memory. */
static bool look_later(struct call_content *content, const struct values_text *text)
{
	if (text->full || !text->size || text->size > LATER_SIZE)
		return false;
	content->later.bytes = make_room_for_text(content, text->size + VALUES_PAD);
	if (!content->later.bytes)
		return false;
	memcpy(content->later.bytes, text->bytes, text->size);
	content->later.size = content->later.room = text->size;
	return true;
}

void content_end_answer(struct content_pool *pool, struct gathering **gathering, struct call_content *content,
			const struct protocol_answer *answer)
{
	struct gathering *over = *gathering;

	if (!over || !content) {
		content_drop(pool, gathering);
		return;
	}
	content->answer = over->last == NO_PART && !over->item_count ? 0 : end_hash(over);
	content->answer_size = over->size;
	content->answer_cut = over->cut;
	content->missing = answer->missing;
	content->opaque = over->cut || answer->opaque;
	set_items(content, over);
	if (!look_later(content, &over->text))
		keep_values(content, &over->text);
	content_drop(pool, gathering);
}
