/*
 * flow.h: can this instruction be executed after that one, in the same execution of a function?
 *
 * calls.c asks, to tell one run from the next where nothing else tells them apart. Only backward jumps matter:
 * every instruction is taken to be reachable from all that stand before it, which errs on the side of one run. The
 * instructions are those of the running code object, so specialised ones are among them (opcodes.c).
 *
 * NULL as the flow means that nothing is known of it: then everything is possible.
 */
#ifndef NT_RUN_FLOW_H
#define NT_RUN_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow;

/*
 * Reads the instructions of a Python 3.`minor` code object. NULL: no memory, a version that is not known, or an
 * instruction in the place of another that cannot be seen (a debugger's, a JIT's).
 */
struct flow *flow_new(uint8_t minor, const uint8_t *code, size_t size);
void flow_free(struct flow *flow);

/* The offset at which the instruction begins whose bytes, inline caches with them, hold `offset`. */
uint32_t flow_instruction(const struct flow *flow, uint32_t offset);

/* Can the instruction at `to` be executed after the one at `from`? For equal ones: is there a loop around it? */
bool flow_reaches(const struct flow *flow, uint32_t from, uint32_t to);

/*
 * Can the call at `at` be made again without a local variable that changed in between? So it is in every loop but a
 * `for` whose variable is a local.
 */
bool flow_repeats_unseen(const struct flow *flow, uint32_t at);

/* From 3.11 on: is the instruction at `at` one of an `await` or `yield from`? What is not known may be. */
bool flow_awaits(const struct flow *flow, uint32_t at);

/* Is something being thrown into what the `await` at `at` waits for? flow_instruction() takes it for the `await`. */
bool flow_is_thrown(const struct flow *flow, uint32_t at);

/* Does the instruction at `at` call what it calls through C once? Others can be a map() or a sort(). */
bool flow_calls_once(const struct flow *flow, uint32_t at);

#endif
