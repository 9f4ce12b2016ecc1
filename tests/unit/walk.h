/*
 * walk.h: the walk of CPython's frames in plain C, to test the layout table with.
 *
 * Does what bpf/ does at a call, by the same struct nt_layout, but over any memory: a live process's (a reader around
 * process_vm_readv(2)) or an image saved from one.
 */
#ifndef NT_TESTS_WALK_H
#define NT_TESTS_WALK_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "../../bpf/event.h"

#define WALK_NONE 0xffff    /* cframe_frame and runtime_tss_key of versions that have none */
#define WALK_MAX_THREADS 64 /* looked at */

/* What is read from. `read` brings all `size` bytes at `address`, 0, or none, negative errno. */
struct walk_memory {
	int (*read)(void *context, uint64_t address, void *ret_data, size_t size);
	void *context;
};

struct walk_frame {
	uint64_t frame, code;
	uint32_t first_line;
	uint8_t owner;				   /* frame_kind 1 only */
	char file[512], name[256], qualified[256]; /* qualified: empty before 3.11 */
};

static inline int walk_read_process(void *context, uint64_t address, void *ret_data, size_t size)
{
	struct iovec local = {.iov_base = ret_data, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
	ssize_t got = process_vm_readv(*(const pid_t *)context, &local, 1, &remote, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
}

static inline int walk_read_pointer(const struct walk_memory *memory, uint64_t address, uint64_t *ret_pointer)
{
	return memory->read(memory->context, address, ret_pointer, sizeof(*ret_pointer));
}

/* A string object, compact and of Latin-1 or ASCII, which names are; others give -ENOTSUP. */
static inline int walk_read_string(const struct walk_memory *memory, const struct nt_layout *layout, uint64_t object,
				   char *ret_text, size_t size)
{
	uint64_t length, data;
	uint32_t state;
	int r;

	r = walk_read_pointer(memory, object + layout->unicode_length, &length);
	if (r == 0)
		r = memory->read(memory->context, object + layout->unicode_state, &state, sizeof(state));
	if (r < 0)
		return r;
	if ((state & 0x20) == 0 || (state >> 2 & 7) != 1)
		return -ENOTSUP;
	if (length >= size)
		return -ENAMETOOLONG;
	data = object + ((state & 0x40) ? layout->unicode_ascii : layout->unicode_compact);
	r = memory->read(memory->context, data, ret_text, length);
	if (r < 0)
		return r;
	ret_text[length] = '\0';
	return 0;
}

static inline int walk_read_name(const struct walk_memory *memory, const struct nt_layout *layout, uint64_t code,
				 uint16_t field, char *ret_text, size_t size)
{
	uint64_t object;
	int r;

	ret_text[0] = '\0';
	if (field == 0)
		return 0;
	r = walk_read_pointer(memory, code + field, &object);
	return r < 0 ? r : walk_read_string(memory, layout, object, ret_text, size);
}

static inline int walk_read_code(const struct walk_memory *memory, const struct nt_layout *layout, uint64_t code,
				 struct walk_frame *frame)
{
	int r;

	frame->code = code;
	r = memory->read(memory->context, code + layout->code_first_line, &frame->first_line,
			 sizeof(frame->first_line));
	if (r == 0)
		r = walk_read_name(memory, layout, code, layout->code_file, frame->file, sizeof(frame->file));
	if (r == 0)
		r = walk_read_name(memory, layout, code, layout->code_name, frame->name, sizeof(frame->name));
	if (r == 0)
		r = walk_read_name(memory, layout, code, layout->code_qualname, frame->qualified,
				   sizeof(frame->qualified));
	return r;
}

/* Fills `threads` with the addresses of the first interpreter's thread states. Their number, or negative errno. */
static inline int walk_threads(const struct walk_memory *memory, const struct nt_target *target, uint64_t *threads,
			       unsigned max)
{
	uint64_t interpreter, thread;
	unsigned count = 0;
	int r;

	r = walk_read_pointer(memory, target->runtime + target->layout.runtime_interpreters, &interpreter);
	if (r == 0)
		r = walk_read_pointer(memory, interpreter + target->layout.interpreter_threads, &thread);
	while (r == 0 && thread != 0 && count < max) {
		threads[count++] = thread;
		r = walk_read_pointer(memory, thread + target->layout.tstate_next, &thread);
	}
	return r < 0 ? r : (int)count;
}

/*
 * The thread state in glibc's slot for CPython's key, of the thread whose pthread_self is `self`. -ENOTSUP: this
 * version has no key.
 */
static inline int walk_thread_by_key(const struct walk_memory *memory, const struct nt_target *target, uint64_t self,
				     uint64_t *ret_thread)
{
	uint32_t key;
	int r;

	if (target->layout.runtime_tss_key == WALK_NONE)
		return -ENOTSUP;
	r = memory->read(memory->context, target->runtime + target->layout.runtime_tss_key, &key, sizeof(key));
	if (r < 0)
		return r;
	if (key >= 32) /* struct pthread's first block; further ones are allocated */
		return -ERANGE;
	return walk_read_pointer(memory, self + 0x310 + key * 16 + 8, ret_thread);
}

static inline int walk_top_frame(const struct walk_memory *memory, const struct nt_layout *layout, uint64_t thread,
				 uint64_t *ret_frame)
{
	int r = walk_read_pointer(memory, thread + layout->tstate_frame, ret_frame);

	if (r == 0 && layout->cframe_frame != WALK_NONE)
		r = walk_read_pointer(memory, *ret_frame + layout->cframe_frame, ret_frame);
	return r;
}

/* The frames of a thread, innermost first, those that the interpreter made for itself left out. Their number, or
 * negative errno. */
static inline int walk_frames(const struct walk_memory *memory, const struct nt_layout *layout, uint64_t thread,
			      struct walk_frame *frames, unsigned max)
{
	uint64_t frame, code;
	unsigned count = 0;
	uint8_t owner = 0;
	int r;

	r = walk_top_frame(memory, layout, thread, &frame);
	while (r == 0 && frame != 0 && count < max) {
		r = walk_read_pointer(memory, frame + layout->frame_code, &code);
		if (r == 0 && layout->frame_kind == 1)
			r = memory->read(memory->context, frame + layout->frame_owner, &owner, sizeof(owner));
		if (r == 0 && owner < 3) {
			frames[count] = (struct walk_frame){.frame = frame, .owner = owner};
			/* From 3.14 the lowest bit says that the reference is not counted. */
			r = walk_read_code(memory, layout, code & ~1ull, &frames[count++]);
		}
		if (r == 0)
			r = walk_read_pointer(memory, frame + layout->frame_previous, &frame);
	}
	return r < 0 ? r : (int)count;
}

#endif
