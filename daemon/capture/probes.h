/*
 * probes.h: the function probes of the followed processes: who has them, and when; for follow.c only.
 *
 * Taking probes off waits for the kernel, for up to half a second a process, and counting a process's calls for a
 * tenth: once the capture runs, a thread does it, since the ring has to be read meanwhile. kernel/usdt.c does the work.
 */
#ifndef NT_CAPTURE_PROBES_H
#define NT_CAPTURE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/kernel.h"
#include "../target/target.h"

struct probes_job;

/* Of one process. Zeroed memory: it has none and wants none. */
struct probes_process {
	struct kernel_usdt *links; /* NULL: off */
	struct probes_job *job;	   /* what the thread does for it; NULL: nothing */
	bool wanted;		   /* it goes by USDT, though the probes may be off just now */
};

enum probes_news {
	PROBES_ON,	/* the probes are on */
	PROBES_FAILED,	/* they cannot be attached */
	PROBES_OFF,	/* they have been taken off; what they told before is in the ring, not necessarily read */
	PROBES_COUNTED, /* its calls */
};

struct probes_result {
	enum probes_news news;
	uint64_t calls; /* PROBES_COUNTED: in PROBES_SAMPLE_NS */
};

#define PROBES_SAMPLE_NS 100000000ull

struct probes;

/* The probes are on for `on` out of every `period` ns; 0 and 0: always. Returns NULL without memory. */
struct probes *probes_new(struct kernel *kernel, uint64_t on, uint64_t period);
/* Waits for the thread. What processes still hold is theirs to drop first. */
void probes_free(struct probes *probes);

/* From now on the thread does it all: before, the caller waits. */
void probes_run(struct probes *probes, uint64_t now);

/*
 * It is to have probes whenever they are on. 0: it has; -EAGAIN: it will get them; else negative errno: it cannot.
 */
int probes_want(struct probes *probes, struct probes_process *process, const struct target *target);
/* Its calls are to be counted. False: they are not, now. */
bool probes_count(struct probes *probes, struct probes_process *process, const struct target *target);
/* It has ended, or runs another program. */
void probes_drop(struct probes *probes, struct probes_process *process);

/* Nobody gets probes any more. */
void probes_stop(struct probes *probes);
bool probes_is_stopped(const struct probes *probes);

/* Gives a process what is due now: probes, if it wants them, on or off. */
void probes_step(struct probes *probes, struct probes_process *process, const struct target *target, uint64_t now);

/* What the thread has done for a process. False: nothing new. */
bool probes_poll(struct probes *probes, struct probes_process *process, struct probes_result *ret_result);

#endif
