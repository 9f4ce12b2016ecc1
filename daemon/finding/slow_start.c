/*
 * slow_start.c: what a run waits for before it can ask anything: name look-ups and TLS handshakes inside of it.
 */
#include <string.h>

#include "group.h"

/* How something that comes before the first request is known, and what would spare it. */
struct beginning {
	const char *protocol, *operation; /* NULL: any */
	uint16_t port;			  /* 0: any */
	const char *evidence, *remedy;
};

static const struct beginning beginnings[] = {
    {"tls", "handshake", 0, "TLS handshake inside the run", "keep the connection, in a pool or session"},
    {"dns", NULL, 0, "name look-up inside the run", "keep the connection, or what the name stands for"},
    {NULL, NULL, DNS_PORT, "name look-up inside the run", "keep the connection, or what the name stands for"},
};

static bool is_on(const struct finding_rules *rules)
{
	return rules->slow_start.on;
}

static bool fits(const char *wanted, const char *is)
{
	return !wanted || !strcmp(wanted, is);
}

static const struct beginning *find_beginning(const struct run_call *call)
{
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		const struct beginning *beginning = &beginnings[i];

		if (fits(beginning->protocol, call->protocol) && fits(beginning->operation, call->operation) &&
		    (!beginning->port || beginning->port == call->where.port))
			return beginning;
	}
	return NULL;
}

static uint64_t length_of(const struct run_call *call)
{
	return call->in_last > call->out_first ? call->in_last - call->out_first : 0;
}

/* Marks what a run waits for at some beginning; how long it takes together. */
static uint64_t mark(const struct run *run, bool *marks)
{
	uint64_t time = 0;

	for (size_t i = 0; i < run->made_count; i++) {
		const struct run_call *call = &run->made[i];

		marks[i] = call->kind == CALL_EXCHANGE && !call->late && call->answered && find_beginning(call);
		time += marks[i] ? length_of(call) : 0;
	}
	return time;
}

static void propose(struct plan *plan, const struct call_group *group, const bool *marks)
{
	const struct beginning *beginning = find_beginning(&plan->run->made[group->first]);
	struct plan_proposal *proposal;
	uint32_t count = 0;

	for (uint32_t i = group->first; i != GROUP_NO_CALL; i = plan->groups->next[i])
		count += marks[i];
	if (!count)
		return;
	proposal = group_propose(plan, group, FINDING_SLOW_START, PLAN_SHORTEN, marks, count);
	if (!proposal)
		return;
	for (uint32_t k = 0; k < count; k++)
		proposal->less[k] = length_of(&plan->run->made[proposal->calls[k]]);
	proposal->needless = count;
	proposal->evidence = beginning->evidence;
	proposal->remedy = beginning->remedy;
}

static void find(struct plan *plan)
{
	bool *marks = plan_allocate(plan, plan->run->made_count * sizeof(*marks));
	const struct group_table *table;
	uint64_t time;

	if (!marks)
		return;
	time = mark(plan->run, marks);
	table = time && time >= plan->rules->slow_start.time ? group_calls(plan) : NULL;
	for (uint32_t g = 0; table && g < table->count; g++)
		propose(plan, &table->groups[g], marks);
}

const struct finding_type finding_slow_start = {
    .kind = FINDING_SLOW_START,
    .is_on = is_on,
    .find = find,
};
