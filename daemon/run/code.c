/*
 * code.c: tables of processes, code objects and stacks, see code.h.
 */
#include "code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "text.h"

#define OWNER_GENERATOR 1 /* of a frame, CPython's number */

struct process *process_find(struct code_table *table, uint32_t pid)
{
	struct process *process;

	if (table->recent && table->recent->pid == pid)
		return table->recent;
	HASH_FIND(hh, table->processes, &pid, sizeof(pid), process);
	if (process)
		table->recent = process;
	return process;
}

struct process *process_get(struct code_table *table, uint32_t pid)
{
	struct process *process = process_find(table, pid);

	if (process || table->process_count >= CODE_MAX_PROCESSES)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	HASH_ADD(hh, table->processes, pid, sizeof(process->pid), process);
	if (process->refused) {
		free(process);
		return NULL;
	}
	table->process_count++;
	return process;
}

void process_set_minor(struct process *process, uint8_t minor)
{
	if (process->minor == minor)
		return;
	process->minor = minor;
	for (struct code *code = process->codes; code; code = code->hh.next) {
		code->minor = minor;
		flow_free(code->flow);
		code->flow = NULL;
		code->flow_made = false;
	}
}

void process_empty(struct code_table *table, struct process *process)
{
	struct code *code = process->codes, *next_code;
	struct stack *stack;
	size_t at = 0;

	while ((stack = map_next(&process->stacks, &at)))
		stack_release(table, stack);
	map_free(&process->stacks);
	HASH_CLEAR(hh, process->codes);
	for (; code; code = next_code) {
		next_code = code->hh.next;
		code_release(table, code);
	}
}

void process_remove(struct code_table *table, struct process *process)
{
	process_empty(table, process);
	HASH_DEL(table->processes, process);
	table->process_count--;
	if (table->recent == process)
		table->recent = NULL;
	free(process);
}

struct code *code_find(struct process *process, uint64_t address)
{
	struct code *code;

	HASH_FIND(hh, process->codes, &address, sizeof(address), code);
	return code;
}

struct stack *stack_find(struct process *process, uint64_t id)
{
	return map_find(&process->stacks, id);
}

struct code *code_hold(struct code *code)
{
	code->references++;
	return code;
}

struct stack *stack_hold(struct stack *stack)
{
	stack->references++;
	return stack;
}

/* Frees what NT_CODE and NT_MODULE told, so that it can be told anew. */
static void code_clear(struct code_table *table, struct code *code)
{
	if (code->lines)
		table->bytes -= code->lines_size;
	if (code->instructions)
		table->bytes -= code->instructions_size;
	free(code->file);
	free(code->name);
	free(code->title);
	free(code->lines);
	free(code->instructions);
	flow_free(code->flow);
}

void code_release(struct code_table *table, struct code *code)
{
	if (!code || --code->references)
		return;
	code_clear(table, code);
	table->code_count--;
	free(code);
}

void stack_release(struct code_table *table, struct stack *stack)
{
	if (!stack || --stack->references)
		return;
	for (uint32_t i = 0; i < stack->depth; i++)
		code_release(table, stack->frames[i].code);
	table->stack_count--;
	free(stack);
}

/* A code object of which nothing is known yet, in its process's table. */
static struct code *code_add(struct code_table *table, struct process *process, uint64_t address)
{
	struct code *code;

	if (table->code_count >= RUN_MAX_CODES)
		return NULL;
	code = calloc(1, sizeof(*code));
	if (!code)
		return NULL;
	code->address = address;
	code->minor = process->minor;
	code->references = 1;
	HASH_ADD(hh, process->codes, address, sizeof(code->address), code);
	if (code->refused) {
		free(code);
		return NULL;
	}
	table->code_count++;
	return code;
}

/* The parts of an NT_CODE record. */
struct code_parts {
	const uint8_t *file, *name, *lines, *instructions;
};

/* Its strings, allocated. */
struct code_names {
	char *file, *name, *title;
};

static void names_free(struct code_names *names)
{
	free(names->file);
	free(names->name);
	free(names->title);
}

static char *title_make(const char *module, size_t module_size, const char *name)
{
	size_t size = module_size + 1 + strlen(name) + 1;
	char *title = malloc(size);

	if (title)
		snprintf(title, size, "%.*s.%s", (int)module_size, module, name);
	return title;
}

/* The title while the module is not known: the file's name, without directory and ending, stands for it. */
static char *title_from_file(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');
	const char *stem = slash ? slash + 1 : file;
	const char *dot = strrchr(stem, '.');

	return title_make(stem, dot && dot != stem ? (size_t)(dot - stem) : strlen(stem), name);
}

static int names_make(const struct nt_code *record, const struct code_parts *parts, struct code_names *ret_names)
{
	struct code_names names = {
	    .file = text_utf8(parts->file, record->file_size, record->file_kind),
	    .name = text_utf8(parts->name, record->name_size, record->name_kind),
	};

	if (names.file && names.name)
		names.title = title_from_file(names.file, names.name);
	if (!names.title) {
		names_free(&names);
		return -ENOMEM;
	}
	*ret_names = names;
	return 0;
}

static int code_split(const struct nt_code *record, struct code_parts *ret_parts)
{
	uint64_t at = sizeof(*record);

	ret_parts->file = (const uint8_t *)record + at;
	at += nt_pad8(record->file_size);
	ret_parts->name = (const uint8_t *)record + at;
	at += nt_pad8(record->name_size);
	ret_parts->lines = (const uint8_t *)record + at;
	at += nt_pad8(record->lines_size);
	ret_parts->instructions = (const uint8_t *)record + at;
	at += nt_pad8(record->code_size);
	return at <= record->h.size ? 0 : -EBADMSG;
}

/* A copy that counts, or NULL: then the code object does without. */
static uint8_t *table_copy(struct code_table *table, const uint8_t *bytes, size_t size)
{
	uint8_t *copy;

	if (!size || table->bytes + size > CODE_MAX_BYTES)
		return NULL;
	copy = malloc(size);
	if (!copy)
		return NULL;
	memcpy(copy, bytes, size);
	table->bytes += size;
	return copy;
}

/* Does the record say what is known? Instructions may differ: a running interpreter specialises them. */
static bool code_is(const struct code *code, const struct nt_code *record, const struct code_parts *parts,
		    const struct code_names *names)
{
	return code->known && code->first_line == record->first_line && code->code_start == record->code_start &&
	       !strcmp(code->file, names->file) && !strcmp(code->name, names->name) &&
	       code->lines_full == record->lines_full &&
	       (!code->lines ||
		(code->lines_size == record->lines_size && !memcmp(code->lines, parts->lines, record->lines_size)));
}

static void code_fill(struct code_table *table, struct code *code, const struct nt_code *record,
		      const struct code_parts *parts, const struct code_names *names)
{
	code->known = true;
	code->file = names->file;
	code->name = names->name;
	code->title = names->title;
	code->qualified = record->qualified;
	code->flags = record->flags;
	code->first_line = record->first_line;
	code->code_start = record->code_start;
	code->lines = table_copy(table, parts->lines, record->lines_size);
	code->lines_size = code->lines ? record->lines_size : 0;
	code->lines_full = record->lines_full;
	code->instructions = table_copy(table, parts->instructions, record->code_size);
	code->instructions_size = code->instructions ? record->code_size : 0;
	code->whole = code->instructions && record->code_size == record->code_full;
}

/*
 * Puts the record's code object into its place: a new one, one that was waited for, or another one's. Takes the names
 * if it says so in ret_code.
 */
static int code_put(struct code_table *table, struct process *process, const struct nt_code *record,
		    const struct code_parts *parts, const struct code_names *names, struct code **ret_code)
{
	struct code *code = code_find(process, record->code);

	if (code && code_is(code, record, parts, names))
		return 0;
	if (code && code->known) {
		HASH_DEL(process->codes, code);
		code_release(table, code);
		code = NULL;
	}
	if (!code)
		code = code_add(table, process, record->code);
	if (!code)
		return table->code_count >= RUN_MAX_CODES ? -ENOSPC : -ENOMEM;
	code_fill(table, code, record, parts, names);
	*ret_code = code;
	return 0;
}

int code_take(struct code_table *table, const struct nt_code *record, struct code **ret_code)
{
	struct process *process;
	struct code_parts parts;
	struct code_names names;
	int error;

	*ret_code = NULL;
	if (code_split(record, &parts) < 0)
		return -EBADMSG;
	process = process_get(table, record->h.pid);
	if (!process)
		return table->process_count >= CODE_MAX_PROCESSES ? -ENOSPC : -ENOMEM;
	error = names_make(record, &parts, &names);
	if (error)
		return error;
	error = code_put(table, process, record, &parts, &names, ret_code);
	if (!*ret_code)
		names_free(&names);
	return error;
}

int code_set_module(struct code *code, const char *module, size_t size)
{
	char *text, *title;

	if (!code->known)
		return 0;
	text = text_clean(module, size);
	title = text ? title_make(text, strlen(text), code->name) : NULL;
	free(text);
	if (!title)
		return -ENOMEM;
	if (!strcmp(code->title, title)) {
		free(title);
		return 0;
	}
	free(code->title);
	code->title = title;
	code->endpoint = NULL;
	return 1;
}

/* Is this stack the one that is known, with the code objects that are at these addresses now? */
static bool stack_is(struct process *process, const struct stack *stack, const struct nt_stack *record)
{
	if (stack->depth != record->depth)
		return false;
	for (uint32_t i = 0; i < stack->depth; i++) {
		const struct stack_frame *frame = &stack->frames[i];

		if (frame->code->address != record->frames[i].code ||
		    frame->instruction != record->frames[i].instruction ||
		    frame->from_c != !!record->frames[i].from_c ||
		    code_find(process, frame->code->address) != frame->code)
			return false;
	}
	return true;
}

static int stack_add(struct code_table *table, struct process *process, const struct nt_stack *record)
{
	struct stack *stack;

	if (table->stack_count >= RUN_MAX_STACKS)
		return -ENOSPC;
	stack = calloc(1, sizeof(*stack) + record->depth * sizeof(stack->frames[0]));
	if (!stack)
		return -ENOMEM;
	table->stack_count++;
	stack->references = 1;
	stack->id = record->stack;
	stack->number = ++table->numbers;
	for (; stack->depth < record->depth; stack->depth++) {
		const struct nt_frame *frame = &record->frames[stack->depth];
		struct code *code = code_find(process, frame->code);

		if (!code)
			code = code_add(table, process, frame->code);
		if (!code) {
			stack_release(table, stack);
			return table->code_count >= RUN_MAX_CODES ? -ENOSPC : -ENOMEM;
		}
		stack->frames[stack->depth] = (struct stack_frame){
		    .code = code_hold(code),
		    .instruction = frame->instruction,
		    .from_c = frame->from_c,
		    .generator = frame->owner == OWNER_GENERATOR,
		};
	}
	int error = map_add(&process->stacks, stack->id, stack);

	if (error)
		stack_release(table, stack);
	return error;
}

int stack_take(struct code_table *table, const struct nt_stack *record)
{
	struct process *process;
	struct stack *stack;

	if (record->depth > NT_MAX_FRAMES ||
	    sizeof(*record) + record->depth * sizeof(record->frames[0]) > record->h.size)
		return -EBADMSG;
	process = process_get(table, record->h.pid);
	if (!process)
		return table->process_count >= CODE_MAX_PROCESSES ? -ENOSPC : -ENOMEM;
	stack = stack_find(process, record->stack);
	if (stack && stack_is(process, stack, record))
		return 0;
	if (stack) {
		map_remove(&process->stacks, stack->id);
		stack_release(table, stack);
	}
	return stack_add(table, process, record);
}

uint32_t frame_offset(const struct stack_frame *frame)
{
	const struct code *code = frame->code;

	if (code->minor >= 11)
		return frame->instruction >= code->code_start ? frame->instruction - code->code_start : CODE_NO_OFFSET;
	/* f_lasti counts code units in 3.10 (bpo-27129), bytes before; -1: nothing was executed yet. */
	if (frame->instruction > INT32_MAX / 2)
		return CODE_NO_OFFSET;
	return code->minor == 10 ? frame->instruction * 2 : frame->instruction;
}

uint32_t frame_line(const struct stack_frame *frame)
{
	const struct code *code = frame->code;
	uint32_t offset = frame_offset(frame);

	/* None is a table too: lnotab's of code that stands on one line, like most lambdas. */
	if ((!code->lines && code->lines_full) || offset == CODE_NO_OFFSET)
		return 0;
	return lines_find(code->minor, code->lines, code->lines_size, code->lines_full, code->first_line, offset);
}

const struct flow *code_flow(struct code *code)
{
	if (!code->flow_made && code->known) {
		code->flow_made = true;
		if (code->whole)
			code->flow = flow_new(code->minor, code->instructions, code->instructions_size);
	}
	return code->flow;
}
