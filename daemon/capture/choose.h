/*
 * choose.h: stack or USDT for one target (decision 2 of the design).
 */
#ifndef NT_CHOOSE_H
#define NT_CHOOSE_H

#include "../kernel/kernel.h"
#include "../options.h"
#include "../target/target.h"

/*
 * target_inspect(), and what it makes of a Python that cannot be read when the user wants none to be: its sockets are
 * traced all the same, and no frame is walked.
 */
int choose_inspect(pid_t pid, enum options_python python, struct target *ret_target, char *why);

/*
 * 0 with the way to use, or -ENOTSUP with a line in `why` (TARGET_WHY_SIZE bytes) when the one that was asked for does
 * not work. May take a tenth of a second: `auto` counts the function calls of a target that has probes.
 */
int choose_attribution(struct kernel *kernel, const struct target *target, const struct options *options,
		       enum nt_attribution *ret_attribution, char *why);

/* Would so many function calls in so many ns make the probes cheap? None at all count as a probe that is absent. */
bool choose_is_cheap(uint64_t calls, uint64_t ns, const struct options *options);

/* Do this version's entry probes fire? A table, because the note's being there proves nothing: 3.11's are dead. */
bool choose_probes_work(const struct target *target);

#endif
