/*
 * record.c: is a record well-formed? The gate in front of the core (record_check() of pipeline.h).
 *
 * Behind it the stages rely on every count and length of event.h: what they say is there is there, and words that
 * come from an enum are in it. Whether the content makes sense is for the stages to judge.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline.h"

/* Adds to what a record needs; lengths are 32 bits at most, so 64 bits never overflow. */
static uint64_t pad8(uint64_t size)
{
	return (size + 7) & ~7ull;
}

static bool check_owner(const struct nt_owner *owner)
{
	return owner->walk <= NT_WALK_SKIPPED && owner->states <= NT_MAX_FRAMES && owner->places <= NT_MAX_FRAMES;
}

/* Each check gets a record whose fixed part is there, and says how many bytes follow it; false: nonsense. */

static bool check_nothing(const struct nt_head *head, uint64_t *ret_behind)
{
	(void)head;
	*ret_behind = 0;
	return true;
}

static bool check_socket(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_socket *record = (const struct nt_socket *)head;

	*ret_behind = 0;
	return record->transport >= NT_TCP && record->transport <= NT_UNIX && record->role <= NT_ROLE_SERVER;
}

static bool check_connect(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_connect *record = (const struct nt_connect *)head;

	*ret_behind = nt_owner_size(&record->owner);
	return check_owner(&record->owner);
}

static bool check_segment(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_segment *record = (const struct nt_segment *)head;

	*ret_behind = nt_owner_size(&record->owner) + pad8(record->captured);
	return check_owner(&record->owner) && record->direction <= NT_IN && record->captured <= record->bytes &&
	       record->captured <= NT_MAX_PAYLOAD && !(record->flags & NT_SEGMENT_INTENT && record->captured);
}

static bool check_stack(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_stack *record = (const struct nt_stack *)head;

	*ret_behind = (uint64_t)record->depth * sizeof(record->frames[0]);
	return record->depth <= NT_MAX_FRAMES;
}

/* A string of characters of one, two or four bytes. */
static bool check_characters(uint16_t size, uint8_t kind)
{
	return size <= NT_MAX_NAME && (!size || kind == 1 || kind == 2 || kind == 4);
}

static bool check_code(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_code *record = (const struct nt_code *)head;

	*ret_behind =
	    pad8(record->file_size) + pad8(record->name_size) + pad8(record->lines_size) + pad8(record->code_size);
	return check_characters(record->file_size, record->file_kind) &&
	       check_characters(record->name_size, record->name_kind) && record->lines_size <= NT_MAX_TABLE &&
	       record->code_size <= NT_MAX_TABLE && record->lines_size <= record->lines_full &&
	       record->code_size <= record->code_full;
}

static bool check_function(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_function *record = (const struct nt_function *)head;

	*ret_behind = 0;
	return record->passage <= NT_RESUMED;
}

static bool check_handover(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_handover *record = (const struct nt_handover *)head;

	*ret_behind = nt_owner_size(&record->owner);
	return check_owner(&record->owner) && record->kind >= NT_HANDOVER_TASK && record->kind <= NT_HANDOVER_THREAD;
}

static bool check_process(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_process *record = (const struct nt_process *)head;

	*ret_behind = pad8(record->command_size);
	return record->command_size <= NT_MAX_NAME && record->attribution <= NT_ATTRIBUTION_USDT;
}

static bool check_module(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_module *record = (const struct nt_module *)head;

	*ret_behind = pad8(record->module_size);
	return record->module_size <= NT_MAX_NAME;
}

static bool check_setting(const struct nt_head *head, uint64_t *ret_behind)
{
	const struct nt_setting *record = (const struct nt_setting *)head;

	*ret_behind = pad8((uint64_t)record->name_size + record->value_size);
	return true;
}

static const struct shape {
	size_t fixed; /* bytes of the fixed part; 0: no such type */
	bool (*check)(const struct nt_head *head, uint64_t *ret_behind);
} shapes[] = {
    [NT_SOCKET] = {sizeof(struct nt_socket), check_socket},
    [NT_CONNECT] = {sizeof(struct nt_connect), check_connect},
    [NT_SEGMENT] = {sizeof(struct nt_segment), check_segment},
    [NT_CLOSE] = {sizeof(struct nt_close), check_nothing},
    [NT_STACK] = {sizeof(struct nt_stack), check_stack},
    [NT_CODE] = {sizeof(struct nt_code), check_code},
    [NT_FUNCTION] = {sizeof(struct nt_function), check_function},
    [NT_FORK] = {sizeof(struct nt_fork), check_nothing},
    [NT_EXEC] = {sizeof(struct nt_head), check_nothing},
    [NT_EXIT] = {sizeof(struct nt_head), check_nothing},
    [NT_HANDOVER] = {sizeof(struct nt_handover), check_handover},
    [NT_PROCESS] = {sizeof(struct nt_process), check_process},
    [NT_MODULE] = {sizeof(struct nt_module), check_module},
    [NT_SETTING] = {sizeof(struct nt_setting), check_setting},
    [NT_LOSS] = {sizeof(struct nt_loss), check_nothing},
    [NT_COST] = {sizeof(struct nt_cost), check_nothing},
    [NT_TICK] = {sizeof(struct nt_head), check_nothing},
    [NT_END] = {sizeof(struct nt_head), check_nothing},
};

int record_check(const void *record, size_t size)
{
	const struct nt_head *head = record;
	uint64_t behind;

	if (size < sizeof(*head) || (uintptr_t)record % 8)
		return -EBADMSG;
	if (head->version != NT_ABI)
		return -EPROTO;
	if (head->size > size || head->size % 8 || head->type >= sizeof(shapes) / sizeof(shapes[0]))
		return -EBADMSG;
	const struct shape *shape = &shapes[head->type];

	if (!shape->fixed || head->size < shape->fixed)
		return -EBADMSG;
	if (!shape->check(head, &behind) || behind > head->size - shape->fixed)
		return -EBADMSG;
	return 0;
}
