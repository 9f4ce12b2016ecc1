/*
 * dependency.c: which calls of a run need what others were answered. See plan.h.
 *
 * Few values are asked with, many are answered: so what requests have is put into a table, and answers are looked up in
 * it. For each call that leaves a row of bits: who has given it a value.
 */
#include <string.h>

#include "plan.h"

#define MAX_VALUES 65536 /* different values in the requests of a run; calls with more are not known */
#define WORD_BITS 64

/* A value that some request has. */
struct value {
	uint32_t hash;
	bool used;
	uint64_t known;	  /* since when it was surely known: the first request with it; 0: the client gave it */
	uint64_t *givers; /* bits of the calls whose answer had it before that; NULL: none */
};

struct dependencies {
	struct value *values; /* open addressing; the size is a power of two */
	uint32_t mask, value_count;
	size_t words;	 /* of a row */
	uint64_t **rows; /* of each call: bits of the calls that gave it a value; NULL: none did */
	bool *overflown; /* calls whose values had no place */
};

static struct value *look_up(const struct dependencies *dependencies, uint32_t hash)
{
	uint32_t at = hash * 0x9e3779b1u;

	at = (at ^ at >> 15) & dependencies->mask;
	while (dependencies->values[at].used && dependencies->values[at].hash != hash)
		at = (at + 1) & dependencies->mask;
	return &dependencies->values[at];
}

/* The calls are in the order in which they began: the first one that has a value is the earliest. */
static void add_asked(struct dependencies *dependencies, const struct run_call *call, bool *ret_overflown)
{
	for (uint32_t i = 0; i < call->content->request_value_count; i++) {
		struct value *value = look_up(dependencies, call->content->request_values[i]);

		if (value->used)
			continue;
		if (dependencies->value_count == MAX_VALUES) {
			*ret_overflown = true;
			return;
		}
		dependencies->value_count++;
		*value =
		    (struct value){.hash = call->content->request_values[i], .used = true, .known = call->out_first};
	}
}

/* What the target was asked with, it did not learn from a backend. */
static void add_given(struct dependencies *dependencies, const struct call_content *asked)
{
	for (uint32_t i = 0; asked && i < asked->request_value_count; i++) {
		struct value *value = look_up(dependencies, asked->request_values[i]);

		if (value->used)
			value->known = 0;
	}
}

static bool set_bit(struct plan *plan, uint64_t **bits, size_t words, uint32_t i)
{
	if (!*bits)
		*bits = plan_allocate(plan, words * sizeof(**bits));
	if (!*bits)
		return false;
	(*bits)[i / WORD_BITS] |= UINT64_C(1) << i % WORD_BITS;
	return true;
}

/* An answer that only repeats what was asked before it came is no source of that. */
static bool add_answered(struct plan *plan, struct dependencies *dependencies, uint32_t i)
{
	const struct run_call *call = &plan->run->made[i];

	for (uint32_t k = 0; k < call->content->answer_value_count; k++) {
		struct value *value = look_up(dependencies, call->content->answer_values[k]);

		if (value->used && value->known >= call->in_first &&
		    !set_bit(plan, &value->givers, dependencies->words, i))
			return false;
	}
	return true;
}

static bool fill_row(struct plan *plan, struct dependencies *dependencies, uint32_t j)
{
	const struct call_content *content = plan->run->made[j].content;

	for (uint32_t k = 0; k < content->request_value_count; k++) {
		const uint64_t *givers = look_up(dependencies, content->request_values[k])->givers;
		uint64_t **row = &dependencies->rows[j];

		if (!givers)
			continue;
		if (!*row)
			*row = plan_allocate(plan, dependencies->words * sizeof(**row));
		if (!*row)
			return false;
		for (size_t w = 0; w < dependencies->words; w++)
			(*row)[w] |= givers[w];
	}
	return true;
}

static bool fill(struct plan *plan, struct dependencies *dependencies)
{
	const struct run *run = plan->run;

	for (size_t i = 0; i < run->made_count; i++)
		if (run->made[i].content)
			add_asked(dependencies, &run->made[i], &dependencies->overflown[i]);
	add_given(dependencies, run->asked);
	for (uint32_t i = 0; dependencies->value_count && i < run->made_count; i++)
		if (run->made[i].content && !add_answered(plan, dependencies, i))
			return false;
	for (uint32_t j = 0; dependencies->value_count && j < run->made_count; j++)
		if (run->made[j].content && !fill_row(plan, dependencies, j))
			return false;
	return true;
}

/* Room for twice as many values as there can be. */
static uint32_t table_size(const struct run *run)
{
	uint64_t count = 0;
	uint32_t size = 16;

	for (size_t i = 0; i < run->made_count; i++)
		if (run->made[i].content)
			count += run->made[i].content->request_value_count;
	if (count > MAX_VALUES)
		count = MAX_VALUES;
	while (size < 2 * count)
		size *= 2;
	return size;
}

/* NULL without memory. */
static struct dependencies *get_dependencies(struct plan *plan)
{
	size_t count = plan->run->made_count;
	uint32_t size = table_size(plan->run);
	struct dependencies *made;

	if (plan->dependencies)
		return plan->dependencies;
	made = plan_allocate(plan, sizeof(*made));
	if (!made)
		return NULL;
	made->mask = size - 1;
	made->words = (count + WORD_BITS - 1) / WORD_BITS;
	made->values = plan_allocate(plan, size * sizeof(*made->values));
	made->rows = plan_allocate(plan, count * sizeof(*made->rows));
	made->overflown = plan_allocate(plan, count * sizeof(*made->overflown));
	if (!made->values || !made->rows || !made->overflown || !fill(plan, made))
		return NULL;
	plan->dependencies = made;
	return made;
}

static bool same_backend(const struct run_call *a, const struct run_call *b)
{
	return !memcmp(&a->where, &b->where, sizeof(a->where));
}

static bool shares_key(const struct call_content *a, const struct call_content *b)
{
	if (!a->item_count || !b->item_count || a->items_cut || b->items_cut)
		return true; /* which ones they name is not all known */
	for (uint32_t i = 0; i < a->item_count; i++)
		for (uint32_t k = 0; k < b->item_count; k++)
			if (a->items[i].key == b->items[k].key)
				return true;
	return false;
}

/* Something went wrong, or was not there: what is done next may be done because of that. */
static bool decides(const struct run_call *call)
{
	if (call->error || call->client_error)
		return true;
	return call->kind == CALL_EXCHANGE && (!call->answered || (call->content && call->content->missing));
}

static bool changes(const struct call_content *content)
{
	return content->access == PROTOCOL_WRITE || content->access == PROTOCOL_OTHER;
}

/*
 * What is changed comes after what led to it, and before what may read it. What a service does behind a path may show
 * at any other.
 */
static bool has_side_effect(const struct run_call *a, const struct run_call *b)
{
	if (changes(b->content))
		return a->lane == b->lane || same_backend(a, b);
	if (!same_backend(a, b))
		return false;
	if (a->content->access == PROTOCOL_WRITE)
		return !strcmp(a->protocol, "http") || shares_key(a->content, b->content);
	return a->content->access == PROTOCOL_OTHER;
}

static bool keeps_order(const struct run_call *a, const struct run_call *b)
{
	return a->connection == b->connection && (!b->pooled || a->kind == CALL_CONNECT);
}

/* Polling and trying again: the second is made because of what the first was answered. */
static bool is_asked_again(const struct run_call *a, const struct run_call *b)
{
	return a->content->request && a->content->request == b->content->request && same_backend(a, b);
}

static bool can_be_looked_at(const struct run_call *a, const struct run_call *b)
{
	return !a->content->opaque && !a->content->answer_cut && !b->content->request_cut;
}

enum dependency dependency_between(struct plan *plan, uint32_t i, uint32_t j)
{
	const struct run_call *a = &plan->run->made[i], *b = &plan->run->made[j];
	const struct dependencies *dependencies;

	if (keeps_order(a, b) || decides(a))
		return DEPENDENCY_SEEN;
	if (a->kind == CALL_CONNECT || b->kind == CALL_CONNECT)
		return DEPENDENCY_NONE;
	if (!a->content || !b->content)
		return DEPENDENCY_UNKNOWN;
	if (is_asked_again(a, b) || has_side_effect(a, b))
		return DEPENDENCY_SEEN;
	dependencies = get_dependencies(plan);
	if (!dependencies)
		return DEPENDENCY_UNKNOWN;
	if (dependencies->rows[j] && dependencies->rows[j][i / WORD_BITS] >> i % WORD_BITS & 1)
		return DEPENDENCY_SEEN;
	return can_be_looked_at(a, b) && !dependencies->overflown[j] ? DEPENDENCY_NONE : DEPENDENCY_UNKNOWN;
}
