/*
 * passing.c: where the values in requests came from, see passing.h.
 *
 * One pass in the order in which calls began. A value is known from the moment that the first answer with it has ended,
 * or that the first request with it began.
 */
#include "passing.h"

#include "index.h"

#define NOWHERE UINT32_MAX

static size_t count_values(const struct run *run)
{
	size_t count = 0;

	for (size_t i = 0; i < run->made_count; i++)
		if (run->made[i].content)
			count += run->made[i].content->request_value_count;
	return count;
}

/* Only values of requests are looked for: they are few, while answers may have thousands. */
static void begin_values(const struct run *run, struct plan_index *values)
{
	for (size_t i = 0; i < run->made_count; i++) {
		const struct call_content *content = run->made[i].content;

		for (uint32_t k = 0; content && k < content->request_value_count; k++)
			index_get(values, content->request_values[k]);
	}
	for (uint32_t k = 0; run->asked && k < run->asked->request_value_count; k++) {
		struct index_entry *entry = index_find(values, run->asked->request_values[k]);

		if (!entry)
			continue;
		entry->known = true;
		entry->call = NOWHERE;
	}
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

static bool take_request(struct plan *plan, const struct run_call *call, struct plan_index *values,
			 struct passing *passing)
{
	const struct call_content *content = call->content;

	passing->fresh = !content || !content->request_value_count;
	if (passing->fresh)
		return true;
	passing->from = plan_allocate(plan, content->request_value_count * sizeof(*passing->from));
	if (!passing->from)
		return false;
	for (uint32_t k = 0; k < content->request_value_count; k++) {
		struct index_entry *entry = index_find(values, content->request_values[k]);

		if (entry->known && entry->time <= call->out_first) {
			if (entry->call != NOWHERE)
				add_origin(passing, entry->call);
			continue;
		}
		passing->fresh = true;
		entry->known = true;
		entry->time = call->out_first;
		entry->call = NOWHERE;
	}
	return true;
}

static void take_answer(const struct run_call *call, uint32_t number, struct plan_index *values)
{
	const struct call_content *content = call->content;

	for (uint32_t k = 0; content && call->answered && k < content->answer_value_count; k++) {
		struct index_entry *entry = index_find(values, content->answer_values[k]);

		if (!entry || (entry->known && entry->time <= call->in_last))
			continue;
		entry->known = true;
		entry->time = call->in_last;
		entry->call = number;
	}
}

const struct passing *passing_look(struct plan *plan)
{
	const struct run *run = plan->run;
	struct passing *passing;
	struct plan_index values;

	if (plan->passing)
		return plan->passing;
	passing = plan_allocate(plan, run->made_count * sizeof(*passing));
	if (!passing || !index_begin(plan, count_values(run), &values))
		return NULL;
	begin_values(run, &values);
	for (uint32_t i = 0; i < run->made_count; i++) {
		if (!take_request(plan, &run->made[i], &values, &passing[i]))
			return NULL;
		take_answer(&run->made[i], i, &values);
	}
	return plan->passing = passing;
}
