/*
 * cost.h: what tracing costs, measured while it goes on: the probes' time, the daemon's CPU and memory, the targets'
 * CPU.
 */
#ifndef NT_CAPTURE_COST_H
#define NT_CAPTURE_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "follow.h"

struct cost {
	struct kernel *kernel;
	struct follow *follow;
	uint64_t since;					     /* of the span that is being measured */
	uint64_t daemon_cpu, target_cpu;		     /* when it began */
	uint64_t sampled_ns, sampled_runs;		     /* of the probes, while their accounting was on */
	uint64_t sampled_time;				     /* how long it was on within the span */
	uint64_t on_since, off_since;			     /* 0: the accounting is off (on) */
	uint64_t sample_off_ns;				     /* how long it is off between two samples */
	struct kernel_cost before;			     /* when it was switched on */
	uint64_t measured_since, measured_ns, measured_time; /* likewise, for cost_measure() */
};

/* `interval`: ns between two cost_put(), 0: only one. */
void cost_begin(struct cost *cost, struct kernel *kernel, struct follow *follow, uint64_t interval, uint64_t now);

/*
 * What the probes took of a CPU since the last such answer, in percent: about once a second there is a new one. False:
 * not yet.
 */
bool cost_measure(struct cost *cost, double *ret_percent);

/* Switches the kernel's accounting on and off: it costs itself, so it is on for a twenty-fifth of the time. */
void cost_step(struct cost *cost, uint64_t now);

/* Puts NT_COST for the span that ends now and begins a new one. 0 or negative errno. */
int cost_put(struct cost *cost, struct stream *stream, uint64_t now);

#endif
