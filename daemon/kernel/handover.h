/*
 * handover.h: the hand-over probes within kernel/; what others call is in kernel.h.
 */
#ifndef NT_KERNEL_HANDOVER_H
#define NT_KERNEL_HANDOVER_H

#include "object.h"

/* Says which of the programs are to be loaded. 0 or negative errno. */
int handover_select(struct nettraced_bpf *object);

void handover_detach(struct kernel *kernel);

/* Takes all off; none is attached any more. */
void kernel_handover_stop(struct kernel *kernel);

#endif
