/*
 * passing.c: where the values in requests came from, see passing.h.
 *
 * Few values are asked with, many are answered: so what requests have is put into a table, and answers are looked at
 * only for what is in it.
 */
#include "passing.h"

#include "index.h"

#define MAX_VALUES 65536 /* different ones in the requests of a run; what is asked with more is `cut` */
#define NOWHERE UINT32_MAX

/* A value that some request has. */
struct value {
	uint32_t hash;
	bool used;
	uint64_t asked;	   /* when the first request with it began; 0: the client gave it */
	uint64_t answered; /* when the first answer with it had ended */
	uint32_t first;	   /* whose answer that was, or NOWHERE */
	uint64_t *givers;  /* bits of calls: answers that began before it was asked with; NULL: none */
};

struct values {
	struct value *table; /* open addressing, at most half full */
	uint32_t mask, count;
	size_t words; /* of a row of bits, one for each call */
};

static bool begin_values(struct plan *plan, struct values *values)
{
	const struct run *run = plan->run;
	uint64_t count = 0;
	uint32_t size = 16;

	for (size_t i = 0; i < run->made_count; i++)
		count += run->made[i].content ? run->made[i].content->request_value_count : 0;
	if (count > MAX_VALUES)
		count = MAX_VALUES;
	while (size < 2 * count)
		size *= 2;
	values->mask = size - 1;
	values->words = (run->made_count + PASSING_WORD_BITS - 1) / PASSING_WORD_BITS;
	values->table = plan_allocate(plan, size * sizeof(*values->table));
	return values->table != NULL;
}

static struct value *place_of(const struct values *values, uint32_t hash)
{
	uint32_t at = hash * 0x9e3779b1u;

	at = (at ^ at >> 15) & values->mask;
	while (values->table[at].used && values->table[at].hash != hash)
		at = (at + 1) & values->mask;
	return &values->table[at];
}

static struct value *find_value(const struct values *values, uint32_t hash)
{
	struct value *value = place_of(values, hash);

	return value->used ? value : NULL;
}

/* False: there is no place for it. */
static bool add_value(struct values *values, uint32_t hash, uint64_t asked)
{
	struct value *value = place_of(values, hash);

	if (value->used)
		return true;
	if (values->count == MAX_VALUES)
		return false;
	values->count++;
	*value = (struct value){.hash = hash, .used = true, .asked = asked, .first = NOWHERE};
	return true;
}

/* Calls are in the order in which they began: the first one that has a value is the earliest. */
static void take_requests(const struct run *run, struct values *values, struct passing *passing)
{
	for (size_t i = 0; i < run->made_count; i++) {
		const struct call_content *content = run->made[i].content;

		for (uint32_t k = 0; content && k < content->request_value_count && !passing[i].cut; k++)
			passing[i].cut = !add_value(values, content->request_values[k], run->made[i].out_first);
	}
	for (uint32_t k = 0; run->asked && k < run->asked->request_value_count; k++) {
		struct value *value = find_value(values, run->asked->request_values[k]);

		if (value)
			value->asked = 0;
	}
}

static bool set_giver(struct plan *plan, const struct values *values, struct value *value, uint32_t i)
{
	if (!value->givers)
		value->givers = plan_allocate(plan, values->words * sizeof(*value->givers));
	if (!value->givers)
		return false;
	value->givers[i / PASSING_WORD_BITS] |= UINT64_C(1) << i % PASSING_WORD_BITS;
	return true;
}

/* Reads of the run so far, and when the last call ended that may have changed something. */
struct reads {
	struct plan_index asked;
	uint64_t changed;
};

/* Was it asked and answered before, and nothing changed since? Then its answer says what was known from there. */
static bool is_said_again(struct plan *plan, struct reads *reads, uint32_t i)
{
	const struct run_call *call = &plan->run->made[i], *before;
	const struct call_content *content = call->content;
	struct index_entry *entry;

	if (call->kind == CALL_CONNECT)
		return false;
	if (!call->answered || !content || content->access != PROTOCOL_READ) {
		reads->changed = call->answered && call->in_last > reads->changed ? call->in_last : reads->changed;
		if (!call->answered)
			reads->changed = UINT64_MAX;
		return false;
	}
	if (!content->request || !content->answer || content->request_cut || content->answer_cut)
		return false;
	entry = index_get(&reads->asked, index_id(plan, i, (uint32_t)call->kind, content->request));
	before = &plan->run->made[entry->call];
	if (entry->known && entry->answer == content->answer && before->in_last <= call->out_first &&
	    before->out_first >= reads->changed)
		return true;
	entry->known = true;
	entry->call = i;
	entry->answer = content->answer;
	return false;
}

/*
 * Values that are wanted of answers, which are looked at from the last one back: an answer that repeats what was asked
 * before it began is no source of that, so wanted is what was asked with first by calls after it.
 */
struct search {
	struct values_wanted wanted;
	size_t asked; /* calls from here on are among those */
};

static void want_asked_since(const struct run *run, const struct values *values, struct search *search, uint64_t since)
{
	while (search->asked && run->made[search->asked - 1].out_first >= since) {
		const struct run_call *call = &run->made[--search->asked];
		const struct call_content *content = call->content;

		for (uint32_t k = 0; content && k < content->request_value_count; k++) {
			const struct value *value = find_value(values, content->request_values[k]);

			if (value && value->asked == call->out_first)
				values_want(&search->wanted, value->hash);
		}
	}
}

static bool take_answer(struct plan *plan, const struct values *values, struct search *search, uint32_t i)
{
	const struct run_call *call = &plan->run->made[i];
	const uint32_t *found;
	uint32_t count;

	want_asked_since(plan->run, values, search, call->in_first < call->in_last ? call->in_first : call->in_last);
	found = content_look(call->content, &search->wanted, &count);
	for (uint32_t k = 0; k < count; k++) {
		struct value *value = find_value(values, found[k]);

		if (!value)
			continue;
		if (value->first == NOWHERE || value->answered >= call->in_last) {
			value->first = i;
			value->answered = call->in_last;
		}
		if (value->asked >= call->in_first && !set_giver(plan, values, value, i))
			return false;
	}
	return true;
}

/* Also those that say nothing new are looked at: can they be read? */
static bool take_answers(struct plan *plan, const struct values *values)
{
	static const struct values_wanted nothing;
	const struct run *run = plan->run;
	struct search *search = plan_allocate(plan, sizeof(*search));
	bool *said_again = plan_allocate(plan, run->made_count * sizeof(*said_again));
	struct reads reads = {.changed = 0};
	uint32_t ignored;

	if (!search || !said_again || !index_begin(plan, run->made_count, &reads.asked))
		return false;
	search->asked = run->made_count;
	for (uint32_t i = 0; i < run->made_count; i++)
		said_again[i] = is_said_again(plan, &reads, i);
	for (uint32_t i = (uint32_t)run->made_count; i-- > 0;) {
		const struct run_call *call = &run->made[i];

		if (!call->content)
			continue;
		if (!call->answered || said_again[i])
			content_look(call->content, &nothing, &ignored);
		else if (!take_answer(plan, values, search, i))
			return false;
	}
	return true;
}

static void add_origin(struct passing *passing, uint32_t call)
{
	uint32_t at = passing->count;

	while (at && passing->from[at - 1] > call)
		at--;
	if (at && passing->from[at - 1] == call)
		return;
	for (uint32_t i = passing->count++; i > at; i--)
		passing->from[i] = passing->from[i - 1];
	passing->from[at] = call;
}

static bool add_givers(struct plan *plan, const struct values *values, struct passing *passing, const uint64_t *givers)
{
	if (!passing->givers)
		passing->givers = plan_allocate(plan, values->words * sizeof(*passing->givers));
	for (size_t w = 0; passing->givers && w < values->words; w++)
		passing->givers[w] |= givers[w];
	return passing->givers != NULL;
}

/* Where what this one asks with came from. */
static bool trace_back(struct plan *plan, const struct values *values, const struct run_call *call,
		       struct passing *passing)
{
	const struct call_content *content = call->content;

	passing->fresh = !content || !content->request_value_count || passing->cut;
	if (!content || !content->request_value_count)
		return true;
	passing->from = plan_allocate(plan, content->request_value_count * sizeof(*passing->from));
	if (!passing->from)
		return false;
	for (uint32_t k = 0; k < content->request_value_count; k++) {
		const struct value *value = find_value(values, content->request_values[k]);

		if (!value)
			continue;
		if (value->first != NOWHERE && value->answered <= value->asked)
			add_origin(passing, value->first);
		else
			passing->fresh |= value->asked == call->out_first;
		if (value->givers && !add_givers(plan, values, passing, value->givers))
			return false;
	}
	return true;
}

const struct passing *passing_look(struct plan *plan)
{
	const struct run *run = plan->run;
	struct values values = {0};
	struct passing *passing;

	if (plan->passing)
		return plan->passing;
	passing = plan_allocate(plan, run->made_count * sizeof(*passing));
	if (!passing || !begin_values(plan, &values))
		return NULL;
	take_requests(run, &values, passing);
	if (!take_answers(plan, &values))
		return NULL;
	for (uint32_t i = 0; i < run->made_count; i++)
		if (!trace_back(plan, &values, &run->made[i], &passing[i]))
			return NULL;
	return plan->passing = passing;
}
