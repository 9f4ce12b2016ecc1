/*
 * stage.c: runs through all kinds of findings, and what they propose into findings. See plan.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "group.h"

#define BLOCK_SIZE 65536 /* bytes of memory for a plan that are asked for at once */

const char *const finding_kind_names[FINDING_KIND_COUNT] = {
    [FINDING_DUPLICATE] = "duplicate", [FINDING_N_PLUS_ONE] = "n_plus_one", [FINDING_SERIAL] = "serial",
    [FINDING_REPEATED] = "repeated",   [FINDING_RECONNECT] = "reconnect",   [FINDING_SLOW_START] = "slow_start",
    [FINDING_STALLED] = "stalled",
};

/* Memory of a plan: the newest block first; the oldest one, of BLOCK_SIZE, is kept for the next plan. */
struct block {
	struct block *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

struct finding_stage {
	struct finding_rules rules;
	struct finding_stats stats;
	void *memory[FINDING_KIND_COUNT];
	struct block *blocks;
	struct plan plan;
	size_t proposal_room;
	struct library_table *libraries;
};

struct finding_stage *finding_stage_new(void)
{
	struct finding_stage *stage = calloc(1, sizeof(*stage));

	if (stage)
		stage->rules = rules_table[0];
	return stage;
}

static void free_blocks(struct finding_stage *stage, bool all)
{
	while (stage->blocks && (all || stage->blocks->next)) {
		struct block *block = stage->blocks;

		stage->blocks = block->next;
		free(block);
	}
	if (stage->blocks)
		stage->blocks->used = 0;
}

void finding_stage_free(struct finding_stage *stage)
{
	if (!stage)
		return;
	for (size_t i = 0; finding_types[i]; i++)
		if (finding_types[i]->clear)
			finding_types[i]->clear(stage);
	library_free(stage->libraries);
	free_blocks(stage, true);
	free(stage->plan.proposals);
	free(stage);
}

void finding_stage_set_rules(struct finding_stage *stage, const struct finding_rules *rules)
{
	stage->rules = *rules;
}

const struct finding_rules *finding_stage_rules(const struct finding_stage *stage)
{
	return &stage->rules;
}

const struct finding_stats *finding_stage_stats(const struct finding_stage *stage)
{
	return &stage->stats;
}

struct finding_stats *plan_stats(struct finding_stage *stage)
{
	return &stage->stats;
}

void **plan_memory(struct finding_stage *stage, enum finding_kind kind)
{
	return &stage->memory[kind];
}

struct library_table **plan_libraries(struct finding_stage *stage)
{
	return &stage->libraries;
}

static bool add_block(struct finding_stage *stage, size_t size)
{
	size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct block *block = malloc(sizeof(*block) + room);

	if (!block)
		return false;
	*block = (struct block){.next = stage->blocks, .size = room};
	stage->blocks = block;
	return true;
}

void *plan_allocate(struct plan *plan, size_t size)
{
	struct finding_stage *stage = plan->stage;
	void *memory;

	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if ((!stage->blocks || stage->blocks->size - stage->blocks->used < size) && !add_block(stage, size)) {
		plan->no_memory = true;
		return NULL;
	}
	memory = stage->blocks->bytes + stage->blocks->used;
	stage->blocks->used += size;
	return memset(memory, 0, size);
}

static struct plan_proposal *add_proposal(struct plan *plan)
{
	struct finding_stage *stage = plan->stage;

	if (plan->proposal_count == stage->proposal_room) {
		size_t room = stage->proposal_room ? 2 * stage->proposal_room : FINDING_MAX;
		struct plan_proposal *proposals = realloc(plan->proposals, room * sizeof(*proposals));

		if (!proposals) {
			plan->no_memory = true;
			return NULL;
		}
		plan->proposals = proposals;
		stage->proposal_room = room;
	}
	return &plan->proposals[plan->proposal_count];
}

struct plan_proposal *plan_propose(struct plan *plan, enum finding_kind kind, enum plan_change change, uint32_t count)
{
	uint32_t *calls = plan_allocate(plan, count * sizeof(*calls));
	uint64_t *less = change == PLAN_SHORTEN ? plan_allocate(plan, count * sizeof(*less)) : NULL;
	struct plan_proposal *proposal = calls && (less || change != PLAN_SHORTEN) ? add_proposal(plan) : NULL;

	if (!proposal)
		return NULL;
	plan->proposal_count++;
	*proposal = (struct plan_proposal){
	    .kind = kind, .change = change, .calls = calls, .less = less, .shown = PLAN_FIRST, .sure = true};
	return proposal;
}

/* A library may connect where none of the application's own functions is; who uses the connection first wanted it. */
static const struct run_site *site_of(const struct plan *plan, uint32_t i)
{
	const struct run_call *made = plan->run->made, *call = &made[i];

	if (call->site || call->kind != CALL_CONNECT)
		return call->site;
	for (i++; i < plan->run->made_count; i++)
		if (made[i].connection == call->connection && made[i].site)
			return made[i].site;
	return NULL;
}

static void add_site(struct finding *finding, const struct run_site *site)
{
	size_t i = 0;

	if (!site)
		return;
	while (i < finding->site_count && finding->sites[i].site != site)
		i++;
	if (i == FINDING_MAX_SITES)
		return;
	if (i == finding->site_count)
		finding->sites[finding->site_count++] = (struct finding_site){.site = site};
	finding->sites[i].calls++;
}

/* What it saves alone. */
static void weigh(struct plan *plan, struct plan_proposal *proposal)
{
	if (proposal->count && !proposal->weighed)
		proposal->saving = schedule_saving(plan, &(const struct plan_proposal *){proposal}, 1);
	proposal->weighed = true;
}

static void describe(struct plan *plan, const struct plan_proposal *proposal, struct finding *ret_finding)
{
	const struct run_call *made = plan->run->made;
	const struct run_call *first = &made[proposal->shown == PLAN_FIRST ? proposal->calls[0] : proposal->shown];

	*ret_finding = (struct finding){
	    .kind = proposal->kind,
	    .protocol = first->protocol,
	    .where = first->where,
	    .operation = proposal->operation ? proposal->operation : group_operation(first),
	    .example = first->content ? first->content->example : NULL,
	    .evidence = proposal->evidence,
	    .remedy = proposal->remedy,
	    .calls = proposal->count,
	    .candidates = proposal->candidates,
	    .needless = proposal->needless,
	    .saving = proposal->saving,
	};
	for (uint32_t i = 0; i < proposal->count; i++) {
		const struct run_call *call = &made[proposal->calls[i]];

		add_site(ret_finding, site_of(plan, proposal->calls[i]));
		ret_finding->many_backends |= memcmp(&call->where, &first->where, sizeof(first->where)) != 0;
	}
}

/* Takes it in, in order of what it saves; the smallest one goes where there are too many. */
static void add_finding(struct finding_stage *stage, struct finding_report *report, const struct finding *finding)
{
	size_t at = report->count;

	if (at == FINDING_MAX) {
		stage->stats.findings_refused++;
		at--;
		if (report->findings[at].saving.expected >= finding->saving.expected)
			return;
	} else {
		report->count++;
	}
	for (; at && report->findings[at - 1].saving.expected < finding->saving.expected; at--)
		report->findings[at] = report->findings[at - 1];
	report->findings[at] = *finding;
}

static struct finding_saving save_together(struct plan *plan)
{
	const struct plan_proposal **together = plan_allocate(plan, plan->proposal_count * sizeof(void *));
	size_t count = 0;

	for (size_t i = 0; together && i < plan->proposal_count; i++)
		if (plan->proposals[i].count && !plan->proposals[i].apart)
			together[count++] = &plan->proposals[i];
	if (count < 2)
		return count ? together[0]->saving : (struct finding_saving){0};
	return schedule_saving(plan, together, count);
}

static bool says_anything(const struct plan_proposal *proposal)
{
	return proposal->count || (proposal->candidates && proposal->shown != PLAN_FIRST);
}

/* Nothing can be said of a run that may be several, or whose calls are not all here. */
static bool can_be_looked_at(const struct run *run)
{
	return run->exact && !run->partial && run->made_count;
}

static bool is_any_on(const struct finding_rules *rules)
{
	for (size_t i = 0; finding_types[i]; i++)
		if (finding_types[i]->is_on(rules))
			return true;
	return false;
}

int finding_stage_ran(struct finding_stage *stage, const struct run *run, struct finding_report *ret_report)
{
	struct plan *plan = &stage->plan;
	struct finding finding;

	ret_report->count = 0;
	ret_report->analysed = can_be_looked_at(run);
	ret_report->wall = run->ended > run->began ? run->ended - run->began : 0;
	ret_report->then = (struct finding_saving){0};
	if (!ret_report->analysed)
		return 0;
	*plan = (struct plan){.stage = stage, .run = run, .rules = &stage->rules, .proposals = plan->proposals};
	free_blocks(stage, false);
	if (is_any_on(&stage->rules))
		library_learn(plan);
	for (size_t i = 0; finding_types[i]; i++)
		if (finding_types[i]->is_on(&stage->rules))
			finding_types[i]->find(plan);
	for (size_t i = 0; i < plan->proposal_count; i++) {
		if (!says_anything(&plan->proposals[i]))
			continue;
		weigh(plan, &plan->proposals[i]);
		describe(plan, &plan->proposals[i], &finding);
		add_finding(stage, ret_report, &finding);
	}
	ret_report->then = save_together(plan);
	return plan->no_memory ? -ENOMEM : 0;
}

void finding_stage_closed(struct finding_stage *stage, const struct call_closing *closing)
{
	for (size_t i = 0; finding_types[i]; i++)
		if (finding_types[i]->closed)
			finding_types[i]->closed(stage, closing);
}
