/*
 * flow.c: backward jumps of a code object and what they make reachable, see flow.h.
 *
 * Everything is counted in code units of two bytes: an instruction is one, its inline caches follow it.
 */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#include "../../bpf/event.h"
#include "opcodes.h"

#define FLOW_UNIT 2
#define FLOW_MAX_UNITS (NT_MAX_TABLE / FLOW_UNIT)

/* A jump back: from > to, or the same. */
struct edge {
	uint16_t from, to;
	uint16_t lowest;    /* the first unit that can be reached from where this is the next edge */
	bool assigns_local; /* `to` is the head of a `for` loop whose variable is a local */
};

struct flow {
	uint16_t units;
	uint16_t handlers; /* the first unit of exception handlers, which stand behind all else; `units`: not so */
	uint16_t resumed;  /* the first unit at which a handler goes on; UINT16_MAX: none does */
	uint16_t edge_count;
	struct edge *edges;  /* by `from` */
	uint8_t units_are[]; /* UNIT_*, of each unit */
};

#define UNIT_STARTS 0x01 /* an instruction begins here */
#define UNIT_ONCE 0x02	 /* OPCODE_ONCE */
#define UNIT_AWAIT 0x08	 /* OPCODE_AWAIT */
#define UNIT_THROWN 0x04 /* something is being thrown into what the `await` here waits for */

/* What a pass over the instructions knows at one of them. */
struct cursor {
	const uint8_t *opcodes;
	const uint8_t *code;
	uint8_t minor;
	uint32_t units;
	uint32_t at;	   /* its unit */
	uint32_t next;	   /* the unit of the next instruction */
	uint32_t argument; /* with what EXTENDED_ARG gave */
	uint32_t extended;
	uint8_t kind; /* OPCODE_*, 0: none that matters */
};

static bool cursor_next(struct cursor *cursor)
{
	uint8_t entry;

	cursor->at = cursor->next;
	if (cursor->at >= cursor->units)
		return false;
	entry = cursor->opcodes[cursor->code[cursor->at * FLOW_UNIT]];
	cursor->kind = entry & OPCODE_KIND;
	cursor->argument = cursor->extended << 8 | cursor->code[cursor->at * FLOW_UNIT + 1];
	cursor->extended = cursor->kind == OPCODE_EXTEND ? cursor->argument : 0;
	cursor->next = cursor->at + 1 + (entry & OPCODE_CACHES);
	return true;
}

static struct cursor cursor_begin(uint8_t minor, const uint8_t *code, uint32_t units)
{
	return (struct cursor){.opcodes = opcodes_find(minor), .code = code, .minor = minor, .units = units};
}

/* Where this instruction jumps back to; false if it does not. */
static bool cursor_jump(const struct cursor *cursor, uint32_t *ret_to)
{
	if (cursor->kind == OPCODE_BACK || cursor->kind == OPCODE_RESUME) {
		/* A jump out of the code can only be to its start at worst. */
		*ret_to = cursor->argument < cursor->next ? cursor->next - cursor->argument : 0;
		return *ret_to <= cursor->at;
	}
	if (cursor->kind == OPCODE_ABSOLUTE) {
		/* 3.10 counts units, 3.8 and 3.9 bytes. */
		*ret_to = cursor->minor >= 10 ? cursor->argument : cursor->argument / FLOW_UNIT;
		return *ret_to <= cursor->at;
	}
	return false;
}

/* Is the instruction at `unit` a `for` loop's head, and the next one an assignment to locals? */
static bool assigns_local(uint8_t minor, const uint8_t *code, uint32_t units, uint32_t unit)
{
	struct cursor cursor = cursor_begin(minor, code, units);

	cursor.next = unit;
	do {
		if (!cursor_next(&cursor))
			return false;
	} while (cursor.kind == OPCODE_EXTEND);
	if (cursor.kind != OPCODE_FOR)
		return false;
	do {
		if (!cursor_next(&cursor))
			return false;
	} while (cursor.kind == OPCODE_EXTEND);
	return cursor.kind == OPCODE_STORE;
}

/*
 * 3.8 calls `finally` blocks, and their end jumps back behind the call. Which end belongs to which call
 * is not worth following: the last one does for all.
 */
static void add_finally_edges(struct flow *flow, struct cursor cursor)
{
	uint32_t end = 0;

	for (struct cursor c = cursor; cursor_next(&c);)
		if (c.kind == OPCODE_END_FINALLY)
			end = c.at;
	while (cursor_next(&cursor))
		if (cursor.kind == OPCODE_CALL_FINALLY && cursor.next <= end)
			flow->edges[flow->edge_count++] = (struct edge){.from = end, .to = cursor.next};
}

/* Up to 3.10 `await` is one instruction; while something is thrown the frame stands at the one before it. */
static void join_old_await(struct flow *flow, uint32_t unit)
{
	flow->units_are[unit - 1] |= UNIT_THROWN;
	flow->units_are[unit] &= ~UNIT_STARTS;
}

/* From 3.11 on it is SEND and a jump back to it; while something is thrown the frame stands between them. */
static void join_await(struct flow *flow, uint32_t send, uint32_t jump)
{
	bool thrown = false;

	for (uint32_t i = send + 1; i <= jump; i++) {
		thrown = thrown || flow->units_are[i] & UNIT_STARTS;
		flow->units_are[i] = thrown ? UNIT_THROWN : 0;
	}
}

/*
 * To wait for something is one execution of it, and no loop. Something is thrown into it when a task is cancelled, for
 * one. From 3.12 on an `await` has a handler for that, from which a jump leads to its end.
 */
static bool is_await(struct flow *flow, const struct cursor *cursor, uint8_t before, uint32_t to)
{
	if (before == OPCODE_THROWN || before == OPCODE_HANDLER)
		return true;
	if (cursor->kind != OPCODE_RESUME ||
	    (cursor->opcodes[cursor->code[to * FLOW_UNIT]] & OPCODE_KIND) != OPCODE_AWAIT)
		return false;
	join_await(flow, to, cursor->at);
	return true;
}

/*
 * From 3.13 on a handler at the end of the code goes back with a jump of its own kind to what follows its `try` or
 * `with`. That leads only from handlers, and never to what can raise into them: it is no loop.
 */
static bool is_resumption(struct flow *flow, const struct cursor *cursor, uint32_t to)
{
	if (cursor->kind != OPCODE_RESUME || cursor->at < flow->handlers || to >= flow->handlers)
		return false;
	if (to < flow->resumed)
		flow->resumed = to;
	return true;
}

static void add_edges(struct flow *flow, struct cursor cursor)
{
	struct cursor c = cursor;
	uint8_t before = 0;
	uint32_t to;

	for (; cursor_next(&c); before = c.kind == OPCODE_EXTEND ? before : c.kind) {
		flow->units_are[c.at] = UNIT_STARTS | (c.kind == OPCODE_ONCE ? UNIT_ONCE : 0);
		if (c.kind == OPCODE_AWAIT)
			flow->units_are[c.at] |= UNIT_AWAIT;
		if (c.kind == OPCODE_HANDLER && c.at < flow->handlers)
			flow->handlers = c.at;
		if (c.kind == OPCODE_AWAIT && c.minor <= 10 && c.at > 0)
			join_old_await(flow, c.at);
		if (!cursor_jump(&c, &to) || is_await(flow, &c, before, to) || is_resumption(flow, &c, to))
			continue;
		flow->edges[flow->edge_count++] = (struct edge){
		    .from = c.at,
		    .to = to,
		    .assigns_local = assigns_local(c.minor, c.code, c.units, to),
		};
	}
	add_finally_edges(flow, cursor);
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	return (int)left->from - (int)right->from;
}

/* The first edge at or behind `unit`; edge_count if there is none. */
static uint32_t next_edge(const struct flow *flow, uint32_t unit)
{
	uint32_t low = 0, high = flow->edge_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (flow->edges[middle].from < unit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * For each edge, how far back one gets from there: by any edge from here on, and from where that leads
 * by the edges before this one, which are done already.
 */
static void find_lowest(struct flow *flow)
{
	uint16_t lowest = UINT16_MAX;

	for (uint32_t i = flow->edge_count; i-- > 0;) {
		if (flow->edges[i].to < lowest)
			lowest = flow->edges[i].to;
		flow->edges[i].lowest = lowest;
	}
	for (uint32_t i = 0; i < flow->edge_count; i++) {
		struct edge *edge = &flow->edges[i];
		uint32_t next = next_edge(flow, edge->lowest);

		if (next < i && flow->edges[next].lowest < edge->lowest)
			edge->lowest = flow->edges[next].lowest;
	}
}

/* Can all of it be read? Also counts the edges that there can be. */
static bool is_readable(struct cursor cursor, uint32_t *ret_edges)
{
	uint32_t edges = 0;

	while (cursor_next(&cursor)) {
		if (cursor.kind == OPCODE_HIDDEN)
			return false;
		edges += cursor.kind == OPCODE_BACK || cursor.kind == OPCODE_ABSOLUTE ||
			 cursor.kind == OPCODE_CALL_FINALLY || cursor.kind == OPCODE_RESUME;
	}
	*ret_edges = edges;
	return true;
}

struct flow *flow_new(uint8_t minor, const uint8_t *code, size_t size)
{
	struct cursor cursor = cursor_begin(minor, code, size / FLOW_UNIT);
	struct flow *flow;
	uint32_t edges;

	if (!cursor.opcodes || !size || cursor.units > FLOW_MAX_UNITS || !is_readable(cursor, &edges))
		return NULL;
	flow = calloc(1, sizeof(*flow) + cursor.units);
	if (!flow)
		return NULL;
	flow->units = cursor.units;
	flow->handlers = cursor.units;
	flow->resumed = UINT16_MAX;
	/* One more than may be needed: an array of none is no error. */
	flow->edges = calloc(edges + 1, sizeof(*flow->edges));
	if (!flow->edges) {
		free(flow);
		return NULL;
	}
	add_edges(flow, cursor);
	qsort(flow->edges, flow->edge_count, sizeof(*flow->edges), compare_edges);
	find_lowest(flow);
	return flow;
}

void flow_free(struct flow *flow)
{
	if (!flow)
		return;
	free(flow->edges);
	free(flow);
}

static uint32_t unit_of(const struct flow *flow, uint32_t offset)
{
	uint32_t unit = offset / FLOW_UNIT;

	if (unit >= flow->units)
		return unit;
	while (unit > 0 && !(flow->units_are[unit] & UNIT_STARTS))
		unit--;
	return unit;
}

uint32_t flow_instruction(const struct flow *flow, uint32_t offset)
{
	return flow ? unit_of(flow, offset) * FLOW_UNIT : offset;
}

/* The lowest unit that jumps lead to from `from`; UINT16_MAX: none leads back. */
static uint16_t lowest_from(const struct flow *flow, uint32_t from)
{
	uint32_t next = next_edge(flow, from);

	return next < flow->edge_count ? flow->edges[next].lowest : UINT16_MAX;
}

bool flow_reaches(const struct flow *flow, uint32_t from, uint32_t to)
{
	if (!flow)
		return true;
	from = unit_of(flow, from);
	to = unit_of(flow, to);
	/* Beyond the code: it is not the code that was meant. */
	if (from >= flow->units || to >= flow->units || from < to)
		return true;
	if (lowest_from(flow, from) <= to)
		return true;
	/* Out of a handler: to where any of them goes on, and on from there. */
	return from >= flow->handlers && to < flow->handlers &&
	       (flow->resumed <= to || lowest_from(flow, flow->resumed) <= to);
}

bool flow_repeats_unseen(const struct flow *flow, uint32_t at)
{
	if (!flow)
		return true;
	at = unit_of(flow, at);
	if (at >= flow->units)
		return true;
	for (uint32_t i = next_edge(flow, at); i < flow->edge_count; i++)
		if (flow->edges[i].to <= at && !flow->edges[i].assigns_local)
			return true;
	return false;
}

bool flow_awaits(const struct flow *flow, uint32_t at)
{
	if (!flow || at / FLOW_UNIT >= flow->units)
		return true;
	return flow->units_are[unit_of(flow, at)] & UNIT_AWAIT;
}

bool flow_is_thrown(const struct flow *flow, uint32_t at)
{
	return flow && at / FLOW_UNIT < flow->units && flow->units_are[at / FLOW_UNIT] & UNIT_THROWN;
}

bool flow_calls_once(const struct flow *flow, uint32_t at)
{
	if (!flow)
		return false;
	at = unit_of(flow, at);
	return at < flow->units && flow->units_are[at] & UNIT_ONCE;
}
