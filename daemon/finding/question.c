/*
 * question.c: reads as questions, see question.h.
 */
#include "question.h"

#include "index.h"

/* What ids stand for. */
enum {
	ASKED_REQUEST,
	ASKED_KEY,
	WRITTEN_KEY,
	WRITTEN_SOME, /* some keys */
	WRITTEN_ANY,
};

bool question_is_write(const struct run_call *call)
{
	const struct call_content *content = call->content;

	return call->kind == CALL_EXCHANGE &&
	       (!content || content->access == PROTOCOL_WRITE || content->access == PROTOCOL_OTHER);
}

/* Each key has its own answer; then there is nothing else to the request. */
static bool is_keyed(const struct call_content *content)
{
	bool known = content->item_count && !content->items_cut;

	for (uint32_t i = 0; known && i < content->item_count; i++)
		known = content->items[i].answer != 0;
	return known;
}

static bool is_asked(const struct run_call *call)
{
	const struct call_content *content = call->content;

	return call->kind == CALL_EXCHANGE && content && content->access == PROTOCOL_READ && content->request &&
	       call->answered && !call->error;
}

static uint32_t count_questions(const struct run_call *call)
{
	if (!is_asked(call))
		return 0;
	return is_keyed(call->content) ? call->content->item_count : 1;
}

static void take_questions(struct plan *plan, uint32_t i, struct question *ret_questions, uint32_t count)
{
	const struct call_content *content = plan->run->made[i].content;

	if (count && !is_keyed(content)) {
		ret_questions[0].id = index_id(plan, i, ASKED_REQUEST, content->request);
		ret_questions[0].answer = content->answer;
		return;
	}
	for (uint32_t k = 0; k < count; k++) {
		ret_questions[k].id = index_id(plan, i, ASKED_KEY, content->items[k].key);
		ret_questions[k].answer = content->items[k].answer;
	}
}

const struct question_list *question_look(struct plan *plan)
{
	uint32_t count = (uint32_t)plan->run->made_count;
	struct question_list *list;

	if (plan->asked)
		return plan->asked;
	list = plan_allocate(plan, sizeof(*list));
	if (!list || !(list->first = plan_allocate(plan, (count + 1) * sizeof(*list->first))))
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		list->first[i + 1] = list->first[i] + count_questions(&plan->run->made[i]);
	list->questions = plan_allocate(plan, list->first[count] * sizeof(*list->questions));
	if (!list->questions)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		take_questions(plan, i, &list->questions[list->first[i]], question_count(list, i));
	return plan->asked = list;
}

uint32_t question_written(struct plan *plan, uint32_t write, uint64_t ret_ids[QUESTION_MAX_WRITTEN])
{
	const struct call_content *content = plan->run->made[write].content;
	uint32_t count = 0;

	if (!content || content->access != PROTOCOL_WRITE || content->items_cut || !content->item_count) {
		ret_ids[count++] = index_id(plan, write, WRITTEN_ANY, 0);
		return count;
	}
	ret_ids[count++] = index_id(plan, write, WRITTEN_SOME, 0);
	for (uint32_t i = 0; i < content->item_count; i++)
		ret_ids[count++] = index_id(plan, write, WRITTEN_KEY, content->items[i].key);
	return count;
}

uint32_t question_depends(struct plan *plan, uint32_t call, uint32_t index, uint64_t ret_ids[QUESTION_MAX_WRITTEN])
{
	const struct call_content *content = plan->run->made[call].content;
	uint32_t first = 0, last = content->item_count, count = 0;

	ret_ids[count++] = index_id(plan, call, WRITTEN_ANY, 0);
	if (content->items_cut || !content->item_count) { /* it may read whatever there is */
		ret_ids[count++] = index_id(plan, call, WRITTEN_SOME, 0);
		return count;
	}
	if (is_keyed(content)) {
		first = index;
		last = index + 1;
	}
	for (uint32_t i = first; i < last; i++)
		ret_ids[count++] = index_id(plan, call, WRITTEN_KEY, content->items[i].key);
	return count;
}

uint64_t question_write_end(const struct run_call *write)
{
	return write->in_last > write->out_last ? write->in_last : write->out_last;
}
