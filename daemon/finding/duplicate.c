/*
 * duplicate.c: the same question (question.h) to the same backend again within one run, with the same answer.
 *
 * A write to what it asks for ends the sameness if it began before the question was asked again and ended after it was
 * asked first; from then on it counts anew.
 */
#include "group.h"
#include "index.h"
#include "question.h"

/* A question that was asked again, and when it was first. */
struct repeat {
	uint32_t call, sense;
};

/* A question for as long as its answer stays the same. */
struct sense {
	uint32_t first; /* call */
	uint32_t times;
};

struct search {
	struct plan *plan;
	const struct question_list *asked;
	struct plan_index index; /* questions: `call` is the sense; what was written: `time` is when that ended */
	struct sense *senses;
	struct repeat *repeats;
	uint32_t sense_count, repeat_count;
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->duplicate.on;
}

static void take_write(struct search *search, uint32_t write)
{
	uint64_t ids[QUESTION_MAX_WRITTEN], ended = question_write_end(&search->plan->run->made[write]);
	uint32_t count = question_written(search->plan, write, ids);

	for (uint32_t i = 0; i < count; i++) {
		struct index_entry *entry = index_get(&search->index, ids[i]);

		entry->time = ended > entry->time ? ended : entry->time;
	}
}

static bool was_written(const struct search *search, uint32_t call, uint32_t question, uint64_t since)
{
	uint64_t ids[QUESTION_MAX_WRITTEN];
	uint32_t count = question_depends(search->plan, call, question, ids);

	for (uint32_t i = 0; i < count; i++) {
		const struct index_entry *entry = index_find(&search->index, ids[i]);

		if (entry && entry->time >= since)
			return true;
	}
	return false;
}

/* A question with its answer: once more what was asked already, or something new. */
static void ask(struct search *search, uint32_t i, uint32_t index)
{
	const struct run_call *made = search->plan->run->made;
	bool same_answer = search->plan->rules->duplicate.same_answer;
	struct question question = search->asked->questions[search->asked->first[i] + index];
	struct index_entry *entry = index_get(&search->index, question.id);
	struct sense *sense = &search->senses[entry->call];

	if ((entry->known && sense->first == i) /* twice in one multi-get */ || (same_answer && !question.answer))
		return;
	if (entry->known && (entry->answer == question.answer || !same_answer) &&
	    !was_written(search, i, index, made[sense->first].out_first)) {
		sense->times++;
		search->repeats[search->repeat_count++] = (struct repeat){.call = i, .sense = entry->call};
		return;
	}
	entry->known = true;
	entry->answer = question.answer;
	entry->call = search->sense_count++;
	search->senses[entry->call] = (struct sense){.first = i, .times = 1};
}

static void take_calls(struct search *search)
{
	const struct run *run = search->plan->run;

	for (uint32_t i = 0; i < run->made_count; i++) {
		if (question_is_write(&run->made[i]))
			take_write(search, i);
		for (uint32_t k = 0; k < question_count(search->asked, i); k++)
			ask(search, i, k);
	}
}

static bool begin_search(struct search *search)
{
	const struct run *run = search->plan->run;
	size_t questions, written = 0;

	search->asked = question_look(search->plan);
	if (!search->asked)
		return false;
	questions = search->asked->first[run->made_count] + 1;
	for (size_t i = 0; i < run->made_count; i++)
		if (question_is_write(&run->made[i]))
			written += 1 + (run->made[i].content ? run->made[i].content->item_count : 0);
	search->senses = plan_allocate(search->plan, questions * sizeof(*search->senses));
	search->repeats = plan_allocate(search->plan, questions * sizeof(*search->repeats));
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
		/* Its size and what is there of it are the same, and that is all that can be said. */
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
	uint32_t whole = 0, some = 0, questions = 0, candidates = 0;
	struct plan_proposal *proposal;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i]) {
		marks[i] = needless[i] && needless[i] == question_count(plan->asked, i);
		questions += needless[i];
		candidates += question_count(plan->asked, i);
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
	proposal->candidates = candidates;
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
