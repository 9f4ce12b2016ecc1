/*
 * handover.h: when to look for modules of a process through which work is handed over; for follow.c only.
 *
 * What is found is target/hooks.c's to say, and kernel/handover.c attaches to it.
 */
#ifndef NT_CAPTURE_HANDOVER_H
#define NT_CAPTURE_HANDOVER_H

#include "../kernel/kernel.h"
#include "../target/target.h"

/* Of one process. Times are CLOCK_MONOTONIC ns. */
struct handover_look {
	uint64_t from; /* the next one is due from then on */
	uint64_t wait; /* and the one after it so long after it */
	bool anyio;    /* it uses anyio: its threads are to be watched */
};

/* A process whose modules are not known: looks at once, and then more and more rarely. */
void handover_begin(struct handover_look *look, struct kernel *kernel, const struct target *target, uint64_t now);

/* A forked child: it has its parent's modules, which have been looked at. */
void handover_begin_child(struct handover_look *look, uint64_t now);

/* Its code shows what it has imported. */
void handover_learn(struct handover_look *look, const struct nt_code *code);

/* Looks if it is time. */
void handover_look(struct handover_look *look, struct kernel *kernel, const struct target *target, uint64_t now);

#endif
