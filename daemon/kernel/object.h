/*
 * object.h: the loaded BPF object, shared by the files of kernel/ only.
 */
#ifndef NT_KERNEL_OBJECT_H
#define NT_KERNEL_OBJECT_H

#include <bpf/libbpf.h>

#include "kernel.h"

struct nettraced_bpf;

struct kernel {
	struct nettraced_bpf *object;
	struct ring_buffer *ring;
	enum kernel_rung rung;
	char refusal[RUNG_COUNT][KERNEL_WHY_SIZE];
	kernel_record_fn record; /* of the kernel_read() that is going on */
	void *context;
	int count;    /* records that the last kernel_read() handed over */
	int stats_fd; /* holds the kernel's accounting on; -1: off */
	int cpus;
	uint32_t generation;	     /* last one given to a target; even */
	struct handovers *handovers; /* NULL: none attached yet */
};

/* Loads one rung into `kernel`. 0, or negative errno with a reason in `why`. */
int rung_load(struct kernel *kernel, const struct kernel_options *options, enum kernel_rung rung, char *why);
void rung_unload(struct kernel *kernel);

#endif
