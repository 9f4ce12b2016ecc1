/*
 * stacks.h: code objects with instructions and stacks of several frames, as records.h makes the rest.
 */
#ifndef NT_TEST_STACKS_H
#define NT_TEST_STACKS_H

#include "records.h"

/* A code object as a test states it. Its address names it. */
struct test_code {
	__u64 address;
	const char *file, *name;
	const __u8 *code; /* instructions; NULL: none are there */
	__u32 code_size;
	__u8 plain;  /* 1: the name is co_name, as 3.8-3.10 have it */
	__u32 flags; /* co_flags */
};

static inline void record_test_code(union record *record, __u64 time, __u32 pid, const struct test_code *code)
{
	record_code(record, time, pid, code->address, code->file, code->name);
	record->code.qualified = !code->plain;
	record->code.flags = code->flags;
	record->code.code_size = (__u16)code->code_size;
	record->code.code_full = code->code_size;
	record_append(record, code->code ? (const void *)code->code : "", code->code_size);
}

/* A stack, innermost frame first. */
static inline void record_frames(union record *record, __u64 time, __u32 pid, __u64 stack,
				 const struct nt_frame *frames, __u32 depth)
{
	record_begin(record, NT_STACK, sizeof(record->stack), time, pid);
	record->stack.stack = stack;
	record->stack.depth = depth;
	record_append(record, frames, depth * sizeof(*frames));
}

static inline void record_module(union record *record, __u64 time, __u32 pid, __u64 code, const char *module)
{
	record_begin(record, NT_MODULE, sizeof(record->module), time, pid);
	record->module.code = code;
	record->module.module_size = (__u16)strlen(module);
	record_append(record, module, strlen(module));
}

static inline void record_function(union record *record, __u64 time, __u32 pid, __u32 tid, __u64 code, __u64 caller,
				   __u64 frame, __u8 returned)
{
	record_begin(record, NT_FUNCTION, sizeof(record->function), time, pid);
	record->head.tid = tid;
	record->function.code = code;
	record->function.caller = caller;
	record->function.frame = frame;
	record->function.passage = returned ? NT_RETURNED : NT_ENTERED;
}

#endif
