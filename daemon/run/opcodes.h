/*
 * opcodes.h: what flow.c must know of each version's instructions, as data.
 */
#ifndef NT_RUN_OPCODES_H
#define NT_RUN_OPCODES_H

#include <stdint.h>

/* An entry: how many inline cache units follow the instruction, and what kind it is. */
#define OPCODE_CACHES 0x0f
#define OPCODE_KIND 0xf0

enum {
	OPCODE_EXTEND = 0x10,	    /* EXTENDED_ARG: eight more bits for the next one's argument */
	OPCODE_BACK = 0x20,	    /* jumps back by its argument, in code units from its end */
	OPCODE_ABSOLUTE = 0x30,	    /* jumps to its argument */
	OPCODE_FOR = 0x40,	    /* FOR_ITER: the head of a `for` loop */
	OPCODE_STORE = 0x50,	    /* puts a loop's value into local variables */
	OPCODE_CALL_FINALLY = 0x60, /* 3.8: into a `finally` block, forward, and back at its end */
	OPCODE_END_FINALLY = 0x70,  /* 3.8: the end of such a block */
	OPCODE_HIDDEN = 0x80,	    /* stands in the place of an instruction that is kept elsewhere */
	OPCODE_HANDLER = 0x90,	    /* 3.13 on: begins an exception handler; all of them are behind the other code */
	OPCODE_RESUME =
	    0xa0,	     /* 3.11 on: jumps back like OPCODE_BACK, to go on awaiting, or from 3.13 on behind `try` */
	OPCODE_AWAIT = 0xc0, /* gets on with what is awaited: SEND, and YIELD_FROM up to 3.10 */
	OPCODE_THROWN = 0xd0, /* 3.12: begins the handler of an `await` for what is thrown into what it waits for */
	OPCODE_ONCE = 0xb0,   /* 3.11 on: Python code that it calls through C is called once */
};

/* The table of Python 3.`minor`, 256 entries; NULL: none. */
const uint8_t *opcodes_find(uint8_t minor);

#endif
