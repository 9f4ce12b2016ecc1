/*
 * dependency.c: which calls of a run need what others were answered. See plan.h.
 */
#include <string.h>

#include "passing.h"

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
	return !a->content->opaque && !a->content->answer_cut && !b->content->request_cut &&
	       !b->content->request_opaque;
}

enum dependency dependency_between(struct plan *plan, uint32_t i, uint32_t j)
{
	const struct run_call *a = &plan->run->made[i], *b = &plan->run->made[j];
	const struct passing *passing;

	if (keeps_order(a, b) || decides(a))
		return DEPENDENCY_SEEN;
	if (a->kind == CALL_CONNECT || b->kind == CALL_CONNECT)
		return DEPENDENCY_NONE;
	if (!a->content || !b->content)
		return DEPENDENCY_UNKNOWN;
	if (is_asked_again(a, b) || has_side_effect(a, b))
		return DEPENDENCY_SEEN;
	passing = passing_look(plan);
	if (!passing)
		return DEPENDENCY_UNKNOWN;
	if (passing_gives(&passing[j], i))
		return DEPENDENCY_SEEN;
	return can_be_looked_at(a, b) && !passing[j].cut ? DEPENDENCY_NONE : DEPENDENCY_UNKNOWN;
}
