/*
 * duplicate.c: the same request to the same backend again within one run, with the same answer.
 *
 * A read that names keys and is answered key by key is as many questions as it has keys, so that a multi-get and a
 * single one can repeat each other; every other read is one question. A write to what a question names ends the
 * sameness if it began before the question was asked again and ended after it was asked first; so does whatever is not
 * known to be a read or a write of certain keys. Requests that failed are none: they are asked again for good reason.
 */
#include <string.h>

#include "group.h"
#include "index.h"

/* What ids stand for. */
enum {
	ASKED_REQUEST,
	ASKED_KEY,
	WRITTEN_KEY, /* `time` of these: when the last write of it ended */
	WRITTEN_SOME,
	WRITTEN_ANY,
};

/* One question that was asked again: which time it was asked first, and by whom again. */
struct repeat {
	uint32_t call, sense;
};

/* A question, for as long as its answer stays the same. */
struct sense {
	uint32_t first; /* call */
	uint32_t times;
};

struct search {
	struct plan *plan;
	struct plan_index index;
	struct sense *senses;
	struct repeat *repeats;
	uint32_t sense_count, repeat_count;
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->duplicate.on;
}

/* Each key has its own answer; then there is nothing else to the request. */
static bool is_keyed(const struct call_content *content)
{
	bool known = content->item_count && !content->items_cut;

	for (uint32_t i = 0; known && i < content->item_count; i++)
		known = content->items[i].answer != 0;
	return known;
}

static uint32_t questions_of(const struct call_content *content)
{
	return is_keyed(content) ? content->item_count : 1;
}

static void note_write(struct search *search, const struct run_call *call, uint32_t what, uint64_t key)
{
	struct index_entry *entry = index_get(&search->index, index_id(&call->where, what, key));
	uint64_t ended = call->in_last ? call->in_last : call->out_last;

	entry->time = ended > entry->time ? ended : entry->time;
	entry->known = true;
}

static void take_write(struct search *search, const struct run_call *call)
{
	const struct call_content *content = call->content;

	if (!content || content->access != PROTOCOL_WRITE || content->items_cut || !content->item_count) {
		note_write(search, call, WRITTEN_ANY, 0);
		return;
	}
	note_write(search, call, WRITTEN_SOME, 0);
	for (uint32_t i = 0; i < content->item_count; i++)
		note_write(search, call, WRITTEN_KEY, content->items[i].key);
}

static bool was_written(const struct search *search, const struct run_call *call, uint32_t what, uint64_t key,
			uint64_t since)
{
	const struct index_entry *entry = index_find(&search->index, index_id(&call->where, what, key));

	return entry && entry->time >= since;
}

/* Could what the call asks for, or of that one key, have been written since then? */
static bool has_changed(const struct search *search, const struct run_call *call, const struct content_item *item,
			uint64_t since)
{
	const struct call_content *content = call->content;
	bool changed = was_written(search, call, WRITTEN_ANY, 0, since);

	if (item)
		return changed || was_written(search, call, WRITTEN_KEY, item->key, since);
	if (content->items_cut || !content->item_count)
		return changed || was_written(search, call, WRITTEN_SOME, 0, since);
	for (uint32_t i = 0; !changed && i < content->item_count; i++)
		changed = was_written(search, call, WRITTEN_KEY, content->items[i].key, since);
	return changed;
}

/* A question with its answer: once more what was asked already, or something new. */
static void ask(struct search *search, uint32_t i, const struct content_item *item)
{
	const struct run_call *made = search->plan->run->made;
	const struct call_content *content = made[i].content;
	uint64_t id = item ? index_id(&made[i].where, ASKED_KEY, item->key)
			   : index_id(&made[i].where, ASKED_REQUEST, content->request);
	uint64_t answer = item ? item->answer : content->answer;
	struct index_entry *entry = index_get(&search->index, id);
	struct sense *sense = &search->senses[entry->call];

	if (entry->known && sense->first == i) /* twice in one multi-get */
		return;
	if (entry->known && (entry->answer == answer || !search->plan->rules->duplicate.same_answer) &&
	    !has_changed(search, &made[i], item, made[sense->first].out_first)) {
		sense->times++;
		search->repeats[search->repeat_count++] = (struct repeat){.call = i, .sense = entry->call};
		return;
	}
	entry->known = true;
	entry->answer = answer;
	entry->call = search->sense_count++;
	search->senses[entry->call] = (struct sense){.first = i, .times = 1};
}

static void take_read(struct search *search, uint32_t i)
{
	const struct run_call *call = &search->plan->run->made[i];
	const struct call_content *content = call->content;
	bool answer_known = content->answer || !search->plan->rules->duplicate.same_answer;

	if (!call->answered || call->error || !content->request || !answer_known)
		return;
	if (!is_keyed(content)) {
		ask(search, i, NULL);
		return;
	}
	for (uint32_t k = 0; k < content->item_count; k++)
		ask(search, i, &content->items[k]);
}

static void take_calls(struct search *search)
{
	const struct run *run = search->plan->run;

	for (uint32_t i = 0; i < run->made_count; i++) {
		const struct call_content *content = run->made[i].content;

		if (run->made[i].kind != CALL_EXCHANGE || (content && content->access == PROTOCOL_CONTROL))
			continue;
		if (content && content->access == PROTOCOL_READ)
			take_read(search, i);
		else
			take_write(search, &run->made[i]);
	}
}

static bool begin_search(struct search *search)
{
	const struct run *run = search->plan->run;
	size_t questions = 0, written = 0;

	for (size_t i = 0; i < run->made_count; i++) {
		questions += run->made[i].content ? questions_of(run->made[i].content) : 1;
		written += run->made[i].content ? run->made[i].content->item_count + 1 : 1;
	}
	search->senses = plan_allocate(search->plan, (questions + 1) * sizeof(*search->senses));
	search->repeats = plan_allocate(search->plan, (questions + 1) * sizeof(*search->repeats));
	return search->senses && search->repeats && index_begin(search->plan, questions + written, &search->index);
}

/* The next command of its pipeline, or this one, is not the first: a round trip stays for the others. */
static bool is_pipelined(const struct run *run, uint32_t i)
{
	const struct run_call *call = &run->made[i];

	if (!call->round_trip)
		return true;
	for (uint32_t j = i + 1; j < run->made_count && run->made[j].out_first <= call->in_last; j++)
		if (run->made[j].connection == call->connection && !run->made[j].round_trip)
			return true;
	return false;
}

static void explain(const struct plan *plan, struct plan_proposal *proposal, bool whole)
{
	bool pipelined = false;

	for (uint32_t i = 0; i < proposal->count; i++) {
		const struct run_call *call = &plan->run->made[proposal->calls[i]];

		pipelined |= is_pipelined(plan->run, proposal->calls[i]);
		/* The size and what is there of it are the same, and that is all that can be said. */
		proposal->sure &= !call->content->request_cut;
	}
	proposal->remedy = "keep the answer for the run";
	if (!whole)
		proposal->evidence = "some keys of it were asked for before within one run, with the same answer";
	else if (pipelined)
		proposal->evidence = "same request and answer within one run, in pipelines";
	else
		proposal->evidence = "same request and answer within one run";
}

/* `needless` has how many questions of each call were asked before. */
static void propose(struct plan *plan, const struct call_group *group, const uint32_t *needless, bool *marks)
{
	const struct run_call *made = plan->run->made;
	uint32_t whole = 0, some = 0, questions = 0;
	struct plan_proposal *proposal;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i]) {
		marks[i] = needless[i] && needless[i] == questions_of(made[i].content);
		questions += needless[i];
		some += needless[i] != 0;
		whole += marks[i];
	}
	if (!some)
		return;
	/* Where no call can go, the keys that need not be in them are all there is to tell. */
	for (uint32_t i = group->first; !whole && i != GROUP_NO_CALL; i = plan->groups->next[i])
		marks[i] = needless[i] != 0;
	proposal = group_propose(plan, group, FINDING_DUPLICATE, whole ? PLAN_REMOVE : PLAN_SHORTEN, marks,
				 whole ? whole : some);
	if (!proposal)
		return;
	proposal->needless = questions;
	explain(plan, proposal, whole != 0);
}

static void find(struct plan *plan)
{
	const struct group_table *table = group_calls(plan);
	struct search search = {.plan = plan};
	size_t count = plan->run->made_count;
	uint32_t *needless = plan_allocate(plan, count * sizeof(*needless));
	bool *marks = plan_allocate(plan, count * sizeof(*marks));

	if (!table || !needless || !marks || !begin_search(&search))
		return;
	take_calls(&search);
	for (uint32_t i = 0; i < search.repeat_count; i++) {
		const struct repeat *repeat = &search.repeats[i];

		if (search.senses[repeat->sense].times >= plan->rules->duplicate.least)
			needless[repeat->call]++;
	}
	for (uint32_t g = 0; search.repeat_count && g < table->count; g++)
		propose(plan, &table->groups[g], needless, marks);
}

const struct finding_type finding_duplicate = {
    .kind = FINDING_DUPLICATE,
    .is_on = is_on,
    .find = find,
};
