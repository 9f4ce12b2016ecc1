/*
 * reconnect.c: connections that are made for one request each.
 *
 * How many requests a connection carried shows when it is closed, which may be before its run is reported or after: of
 * connections that are still open, those that the same place has made in earlier runs tell. What stays open, or is used
 * again, is a pool that fills. Along with the connect goes what is said on a connection before it is of use: greetings,
 * logins, handshakes.
 */
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "share.h"

#define MAX_CONNECTIONS 16384		     /* in each of two tables */
#define KEPT (UINT64_C(60) * 1000 * 1000000) /* ns for which a closing waits for the run that made the connection */

/* Across runs. */
struct connections {
	struct remember_table open;   /* made in runs that were reported; `number`: their history's */
	struct remember_table closed; /* by whom is not known yet; `number`: requests; `mark`: by the backend */
	/* By history_id(): `other` were made, of which `number` carried one request at most until they were closed. */
	struct remember_table histories;
	struct remember_table shares;
};

struct search {
	struct plan *plan;
	struct connections *connections;
	/* Connections of this run: `time` is the requests on it that the run made; `known`: made in vain, by the group
	 * `call`. */
	struct plan_index used;
	bool *marks; /* by call: it makes one of them, or is part of that */
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->reconnect.on;
}

static struct connections *get_connections(struct finding_stage *stage)
{
	void **memory = plan_memory(stage, FINDING_RECONNECT);
	uint64_t *refused = &plan_stats(stage)->connections_refused;
	struct connections *connections = *memory;

	if (connections)
		return connections;
	*memory = connections = calloc(1, sizeof(*connections));
	if (!connections) {
		++*refused;
		return NULL;
	}
	connections->open = (struct remember_table){.size = MAX_CONNECTIONS, .refused = refused};
	connections->closed = (struct remember_table){.size = MAX_CONNECTIONS, .refused = refused};
	connections->histories = (struct remember_table){.size = SHARE_MAX, .refused = refused};
	connections->shares = (struct remember_table){.size = SHARE_MAX, .refused = refused};
	return connections;
}

static void clear(struct finding_stage *stage)
{
	void **memory = plan_memory(stage, FINDING_RECONNECT);
	struct connections *connections = *memory;

	if (!connections)
		return;
	remember_clear(&connections->open);
	remember_clear(&connections->closed);
	remember_clear(&connections->histories);
	remember_clear(&connections->shares);
	free(connections);
	*memory = NULL;
}

static bool was_in_vain(uint64_t requests)
{
	return requests <= 1;
}

static void closed(struct finding_stage *stage, const struct call_closing *closing)
{
	struct connections *connections = get_connections(stage);
	struct remember_value *value, *history;

	if (!connections)
		return;
	value = remember_find(&connections->open, closing->connection);
	if (value) {
		history = remember_find(&connections->histories, value->number);
		if (history)
			history->number += was_in_vain(closing->requests);
		remember_drop(&connections->open, closing->connection);
		return;
	}
	if (closing->when > KEPT)
		remember_expire(&connections->closed, closing->when - KEPT);
	value = remember_put(&connections->closed, closing->connection, closing->when);
	if (value) {
		value->number = closing->requests;
		value->mark = closing->by_peer;
	}
}

static bool is_connect(const struct run_call *call)
{
	return call->kind == CALL_CONNECT && call->answered && call->where.port != DNS_PORT;
}

/* A number for what this place in the code connects to in this endpoint. */
static uint64_t history_id(const struct plan *plan, const struct call_group *group, const struct run_call *call)
{
	return share_id(plan, group) ^ (uint64_t)(uintptr_t)call->site * UINT64_C(0xbf58476d1ce4e5b9);
}

/* Were those of earlier runs mostly made in vain? */
static bool is_known_to_be(const struct finding_rules *rules, const struct remember_value *history)
{
	return history->number >= rules->reconnect.least &&
	       (double)history->number >= rules->reconnect.share * (double)history->other;
}

/* Is what this call has connected used for no more than one request? */
static bool take_connect(struct search *search, const struct run_call *call, uint64_t id, uint64_t requests,
			 uint32_t *by_peer)
{
	struct connections *connections = search->connections;
	const struct remember_value *closing = remember_find(&connections->closed, call->connection);
	uint64_t now = search->plan->run->ended;
	struct remember_value *history = remember_put(&connections->histories, id, now), *open;
	bool vain;

	if (!history)
		return false;
	if (closing) {
		vain = was_in_vain(closing->number);
		history->number += vain;
		*by_peer += vain && closing->mark;
		remember_drop(&connections->closed, call->connection);
	} else {
		vain = was_in_vain(requests) && is_known_to_be(search->plan->rules, history);
		open = remember_put(&connections->open, call->connection, now);
		if (open)
			open->number = id;
	}
	history->other++;
	return vain;
}

/* Marks the group's calls that connect in vain. */
static uint32_t take_connects(struct search *search, uint32_t number, uint32_t *ret_candidates, uint32_t *by_peer)
{
	const struct call_group *group = &search->plan->groups->groups[number];
	uint32_t hits = 0;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = search->plan->groups->next[i]) {
		const struct run_call *call = &search->plan->run->made[i];
		struct index_entry *entry;

		if (!is_connect(call))
			continue;
		++*ret_candidates;
		entry = index_get(&search->used, call->connection);
		if (!take_connect(search, call, history_id(search->plan, group, call), entry->time, by_peer))
			continue;
		hits++;
		search->marks[i] = true;
		entry->known = true;
		entry->call = number;
	}
	return hits;
}

/* Is it about its connection, and nothing else? */
static bool is_greeting(const struct run_call *call)
{
	if (call->kind != CALL_EXCHANGE)
		return false;
	if (!call->content)
		return !strcmp(call->protocol, "tls") && !strcmp(call->operation, "handshake");
	return call->content->access == PROTOCOL_CONTROL;
}

/* What is said on these connections about themselves. */
static uint32_t take_greetings(struct search *search, uint32_t number)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < search->plan->run->made_count; i++) {
		const struct run_call *call = &search->plan->run->made[i];
		const struct index_entry *entry;

		if (!is_greeting(call))
			continue;
		entry = index_find(&search->used, call->connection);
		if (entry && entry->known && entry->call == number) {
			search->marks[i] = true;
			count++;
		}
	}
	return count;
}

static void look_at(struct search *search, uint32_t number)
{
	const struct call_group *group = &search->plan->groups->groups[number];
	uint32_t candidates = 0, by_peer = 0, hits, count;
	struct plan_proposal *proposal;

	hits = take_connects(search, number, &candidates, &by_peer);
	if (!share_tell(search->plan, &search->connections->shares, group, hits, &candidates))
		return;
	count = hits ? hits + take_greetings(search, number) : 0;
	proposal = plan_propose(search->plan, FINDING_RECONNECT, PLAN_REMOVE, count);
	if (!proposal)
		return;
	for (uint32_t i = 0; proposal->count < count; i++) {
		const struct run_call *call = &search->plan->run->made[i];
		const struct index_entry *entry = index_find(&search->used, call->connection);

		if (search->marks[i] && entry && entry->call == number)
			proposal->calls[proposal->count++] = i;
	}
	proposal->shown = group->first;
	proposal->needless = hits;
	proposal->candidates = candidates;
	if (by_peer && by_peer == hits) {
		proposal->evidence = "a connection for each call, closed by the backend";
		proposal->remedy = "have the backend keep connections open";
	} else {
		proposal->evidence = "a connection for each call";
		proposal->remedy = "keep the connection, in a pool or session";
	}
}

static void count_requests(struct search *search)
{
	for (uint32_t i = 0; i < search->plan->run->made_count; i++) {
		const struct run_call *call = &search->plan->run->made[i];
		struct index_entry *entry = index_get(&search->used, call->connection);

		entry->time += call->kind == CALL_EXCHANGE && !is_greeting(call);
	}
}

static void find(struct plan *plan)
{
	const struct group_table *table = group_calls(plan);
	struct search search = {.plan = plan, .connections = get_connections(plan->stage)};
	bool any = false;

	for (uint32_t g = 0; table && g < table->count && !any; g++)
		any = plan->run->made[table->groups[g].first].kind == CALL_CONNECT;
	if (!any || !search.connections)
		return;
	search.marks = plan_allocate(plan, plan->run->made_count * sizeof(*search.marks));
	if (!search.marks || !index_begin(plan, plan->run->made_count, &search.used))
		return;
	count_requests(&search);
	for (uint32_t g = 0; g < table->count; g++)
		if (plan->run->made[table->groups[g].first].kind == CALL_CONNECT)
			look_at(&search, g);
}

const struct finding_type finding_reconnect = {
    .kind = FINDING_RECONNECT,
    .is_on = is_on,
    .find = find,
    .closed = closed,
    .clear = clear,
};
