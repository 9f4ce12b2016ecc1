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

bool question_is_asked(const struct run_call *call)
{
	const struct call_content *content = call->content;

	return call->kind == CALL_EXCHANGE && content && content->access == PROTOCOL_READ && content->request &&
	       call->answered && !call->error;
}

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

uint32_t question_count(const struct run_call *call)
{
	return is_keyed(call->content) ? call->content->item_count : 1;
}

struct question question_get(const struct run_call *call, uint32_t index)
{
	const struct call_content *content = call->content;

	if (!is_keyed(content))
		return (struct question){index_id(&call->where, ASKED_REQUEST, content->request), content->answer};
	return (struct question){index_id(&call->where, ASKED_KEY, content->items[index].key),
				 content->items[index].answer};
}

uint32_t question_written(const struct run_call *write, uint64_t ret_ids[QUESTION_MAX_WRITTEN])
{
	const struct call_content *content = write->content;
	uint32_t count = 0;

	if (!content || content->access != PROTOCOL_WRITE || content->items_cut || !content->item_count) {
		ret_ids[count++] = index_id(&write->where, WRITTEN_ANY, 0);
		return count;
	}
	ret_ids[count++] = index_id(&write->where, WRITTEN_SOME, 0);
	for (uint32_t i = 0; i < content->item_count; i++)
		ret_ids[count++] = index_id(&write->where, WRITTEN_KEY, content->items[i].key);
	return count;
}

uint32_t question_depends(const struct run_call *call, uint32_t index, uint64_t ret_ids[QUESTION_MAX_WRITTEN])
{
	const struct call_content *content = call->content;
	uint32_t first = 0, last = content->item_count, count = 0;

	ret_ids[count++] = index_id(&call->where, WRITTEN_ANY, 0);
	if (content->items_cut || !content->item_count) { /* it may read whatever there is */
		ret_ids[count++] = index_id(&call->where, WRITTEN_SOME, 0);
		return count;
	}
	if (is_keyed(content)) {
		first = index;
		last = index + 1;
	}
	for (uint32_t i = first; i < last; i++)
		ret_ids[count++] = index_id(&call->where, WRITTEN_KEY, content->items[i].key);
	return count;
}

uint64_t question_write_end(const struct run_call *write)
{
	return write->in_last > write->out_last ? write->in_last : write->out_last;
}
