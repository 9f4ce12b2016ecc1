/*
 * repeated.c: the same question (question.h) with the same answer as in an earlier run, so that a cache would have
 * served it.
 *
 * What is remembered is what a cache that keeps answers for the rules' window would have: an answer that was fetched is
 * there from then on until the window is over, something that it depends on is written, or another answer comes. Only
 * the first time that a run asks something counts: the rest is duplicate.c's.
 */
#include <stdlib.h>

#include "index.h"
#include "question.h"
#include "share.h"

#define MAX_ANSWERS 65536
#define MAX_WRITES 65536

/* Across runs. */
struct cache {
	struct remember_table answers; /* `number`: hash of the answer; `other`: when it was asked for */
	struct remember_table writes;  /* put when they ended */
	struct remember_table shares;
};

struct search {
	struct plan *plan;
	struct cache *cache;
	const struct question_list *asked;
	struct plan_index known; /* of these, those that were asked already */
	bool *marks;		 /* by call: a cache would have served it */
	bool *first;		 /* by call: it asks something that the run has not asked before */
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->repeated.on;
}

static struct cache *get_cache(struct plan *plan)
{
	void **memory = plan_memory(plan->stage, FINDING_REPEATED);
	uint64_t *refused = &plan_stats(plan->stage)->answers_refused;
	struct cache *cache = *memory;

	if (cache)
		return cache;
	*memory = cache = calloc(1, sizeof(*cache));
	if (!cache) {
		plan->no_memory = true;
		return NULL;
	}
	cache->answers = (struct remember_table){.size = MAX_ANSWERS, .refused = refused};
	cache->writes = (struct remember_table){.size = MAX_WRITES, .refused = refused};
	cache->shares = (struct remember_table){.size = SHARE_MAX, .refused = refused};
	return cache;
}

static void clear(struct finding_stage *stage)
{
	void **memory = plan_memory(stage, FINDING_REPEATED);
	struct cache *cache = *memory;

	if (!cache)
		return;
	remember_clear(&cache->answers);
	remember_clear(&cache->writes);
	remember_clear(&cache->shares);
	free(cache);
	*memory = NULL;
}

static void take_write(const struct search *search, uint32_t write)
{
	uint64_t ids[QUESTION_MAX_WRITTEN], ended = question_write_end(&search->plan->run->made[write]);
	uint32_t count = question_written(search->plan, write, ids);
	struct cache *cache = search->cache;

	for (uint32_t i = 0; i < count; i++) {
		const struct remember_value *known = remember_find(&cache->writes, ids[i]);

		if (!known || known->when < ended)
			remember_put(&cache->writes, ids[i], ended);
	}
}

static bool was_written(const struct search *search, uint32_t call, uint32_t question, uint64_t since)
{
	uint64_t ids[QUESTION_MAX_WRITTEN];
	uint32_t count = question_depends(search->plan, call, question, ids);
	const struct cache *cache = search->cache;

	for (uint32_t i = 0; i < count; i++) {
		const struct remember_value *write = remember_find(&cache->writes, ids[i]);

		if (write && write->when >= since)
			return true;
	}
	return cache->writes.lost >= since; /* perhaps it was one of those that had no place */
}

/* Would the cache have had it? If not, it has it from now on. */
static bool serve(struct search *search, uint32_t i, uint32_t index)
{
	const struct run_call *call = &search->plan->run->made[i];
	struct cache *cache = search->cache;
	struct question question = search->asked->questions[search->asked->first[i] + index];
	struct remember_value *known = remember_find(&cache->answers, question.id);
	uint64_t window = search->plan->rules->repeated.window;

	if (known && known->when > call->out_first) /* of a run that goes on beside this one */
		return false;
	if (known && known->number == question.answer && call->out_first - known->when <= window &&
	    !was_written(search, i, index, known->other))
		return true;
	known = remember_put(&cache->answers, question.id, call->in_last);
	if (known) {
		known->number = question.answer;
		known->other = call->out_first;
	}
	return false;
}

static void take_read(struct search *search, uint32_t i)
{
	const struct question *questions = &search->asked->questions[search->asked->first[i]];
	uint32_t count = question_count(search->asked, i), served = 0, again = 0;

	for (uint32_t k = 0; k < count; k++) {
		struct index_entry *entry = index_get(&search->known, questions[k].id);

		if (!questions[k].answer || entry->known)
			again++;
		else
			served += serve(search, i, k);
		entry->known = true;
	}
	search->first[i] = again < count;
	search->marks[i] = search->first[i] && served == count - again;
}

static bool begin_search(struct search *search)
{
	struct plan *plan = search->plan;
	const struct run *run = plan->run;

	search->asked = question_look(plan);
	search->cache = get_cache(plan);
	search->marks = plan_allocate(plan, run->made_count * sizeof(*search->marks));
	search->first = plan_allocate(plan, run->made_count * sizeof(*search->first));
	return search->asked && search->cache && search->marks && search->first &&
	       index_begin(plan, search->asked->first[run->made_count], &search->known);
}

static void propose(const struct search *search, const struct call_group *group)
{
	const struct group_table *table = search->plan->groups;
	uint32_t hits = 0, candidates = 0;
	struct plan_proposal *proposal;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = table->next[i]) {
		hits += search->marks[i];
		candidates += search->first[i];
	}
	if (!share_tell(search->plan, &search->cache->shares, group, hits, &candidates))
		return;
	proposal = group_propose(search->plan, group, FINDING_REPEATED, PLAN_REMOVE, search->marks, hits);
	if (!proposal)
		return;
	proposal->needless = hits;
	proposal->candidates = candidates;
	proposal->evidence = "same answer as in an earlier run";
	proposal->remedy = "a cache";
	proposal->apart = true;
	for (uint32_t i = 0; i < proposal->count; i++)
		proposal->sure &= !search->plan->run->made[proposal->calls[i]].content->request_cut;
}

static void find(struct plan *plan)
{
	const struct group_table *table = group_calls(plan);
	struct search search = {.plan = plan};
	uint64_t window = plan->rules->repeated.window, now = plan->run->ended;

	if (!table || !begin_search(&search))
		return;
	if (now > window) {
		remember_expire(&search.cache->answers, now - window);
		remember_expire(&search.cache->writes, now - window);
	}
	for (uint32_t k = 0; k < search.asked->first[plan->run->made_count]; k++)
		remember_expect(&search.cache->answers, search.asked->questions[k].id);
	for (uint32_t i = 0; i < plan->run->made_count; i++) {
		if (question_is_write(&plan->run->made[i]))
			take_write(&search, i);
		else if (question_count(search.asked, i))
			take_read(&search, i);
	}
	for (uint32_t g = 0; g < table->count; g++)
		propose(&search, &table->groups[g]);
}

const struct finding_type finding_repeated = {
    .kind = FINDING_REPEATED,
    .is_on = is_on,
    .find = find,
    .clear = clear,
};
