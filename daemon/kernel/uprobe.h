/*
 * uprobe.h: probes at functions of programs and libraries, for the files of kernel/ only.
 */
#ifndef NT_KERNEL_UPROBE_H
#define NT_KERNEL_UPROBE_H

#include <stdint.h>
#include <sys/types.h>

#include <bpf/libbpf.h>

enum uprobe_way {
	UPROBE_REFUSED,
	UPROBE_BY_EVENT, /* perf_event_open(2): all kernels, but newer ones want CAP_SYS_ADMIN for it */
	UPROBE_BY_LINK,	 /* BPF_TRACE_UPROBE_MULTI: from 6.6 on, with CAP_BPF and CAP_PERFMON */
};

/* How this kernel lets us set them. If it does not, `why` (KERNEL_WHY_SIZE bytes) says what is missing; else it is
 * empty. */
enum uprobe_way uprobe_find_way(char *why);

/* To be told before the program is loaded: it cannot change its way afterwards. */
void uprobe_prepare(struct bpf_program *program, enum uprobe_way way);

/* Sets one at an offset in a file, for one process or for all (-1). 0 or negative errno. */
struct uprobe;
int uprobe_attach(const struct bpf_program *program, pid_t pid, const char *path, uint64_t offset,
		  struct uprobe **ret_uprobe);
void uprobe_detach(struct uprobe *uprobe);

#endif
