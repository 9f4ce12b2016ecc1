/*
 * hooks.h: C functions of CPython's modules (and of uvloop) through which one thread or task gives work to another,
 * found in the files that a process has mapped.
 *
 * Stripped files have no symbols for them, but the tables that CPython itself reads are there: a type's name leads to
 * its slots and methods. Neighbours: kernel/handover.c attaches probes to what is found, capture/follow.c says when to
 * look.
 */
#ifndef NT_HOOKS_H
#define NT_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum hook_function {
	HOOK_TASK_INIT,	   /* _asyncio.Task.__init__ */
	HOOK_QUEUE_PUT,	   /* _queue.SimpleQueue.put */
	HOOK_STREAM_WRITE, /* uvloop.loop.UVStream.write and writelines */
	HOOK_DEQUE_POP,	   /* collections.deque.pop: how anyio takes an idle thread */
	HOOK_FUNCTION_COUNT,
};

/* Where a function finds its arguments behind `self`, in the second register or the third. */
enum hook_convention {
	HOOK_TUPLE,  /* in a tuple: slots like tp_init, METH_VARARGS */
	HOOK_ONE,    /* it is the argument: METH_O */
	HOOK_ARRAY,  /* in an array: METH_FASTCALL */
	HOOK_METHOD, /* likewise, behind the class: METH_METHOD */
	HOOK_NONE,   /* it has none: METH_NOARGS */
};

struct hook {
	enum hook_function function;
	enum hook_convention convention;
	uint64_t offset; /* of its first instruction in the file: what a uprobe wants */
};

#define HOOKS_MAX 5 /* in one file: as many as there are rows in hooks.c */

struct hooks {
	dev_t device; /* which file it is */
	ino_t inode;
	char path[32]; /* that opens it from here, until `each` returns */
	size_t count;
	struct hook hooks[HOOKS_MAX];
};

/* Finds them in an open file. 0, with a count of 0 where there are none; -ENOEXEC, -ENOTSUP as elf_file_open(). */
int hooks_find(int fd, struct hooks *ret_hooks);

/*
 * Calls `each` for the files with such functions that the process has mapped now, or will have when it imports the
 * modules of its CPython, until it returns something else than 0, which is returned. Files are remembered by what fstat
 * says of them. Not for several threads.
 */
struct target;
int hooks_each(const struct target *target, int (*each)(void *context, const struct hooks *hooks), void *context);

/* Does it run an event loop, with anyio where its packages are? Then calls of deque.pop() are worth a probe. */
bool hooks_anyio_is_likely(const struct target *target);

/* "tasks of asyncio": what is seen by the function. Static. */
const char *hook_name(enum hook_function function);

#endif
