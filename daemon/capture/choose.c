/*
 * choose.c: see choose.h.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "choose.h"

#define SAMPLE_US 100000
#define PROBE_NS 850	  /* a firing's cost, the upper end of what was measured (docs/cost.md) */
#define CPU_PERCENT_MAX 2 /* of one CPU, that `auto` lets the probes take */

/* Versions whose function__entry fires on every call. 3.11 has the note and it is dead
 * (python/cpython#98894), 3.12 to 3.14 have none, 3.15's entries and returns are no pairs by count (docs/inside.md). */
static const struct {
	uint8_t major, minor;
} working[] = {{3, 8}, {3, 9}, {3, 10}, {3, 15}};

/* Compiled functions pass no probe: their runs would be missing one after the other, as they are compiled. */
static bool has_silent_code(const struct target *target)
{
	return target->jit && target->python[1] >= 13;
}

bool choose_probes_work(const struct target *target)
{
	if (!target->usdt.entry || !target->usdt.returned || has_silent_code(target))
		return false;
	for (size_t i = 0; i < sizeof(working) / sizeof(working[0]); i++)
		if (target->python[0] == working[i].major && target->python[1] == working[i].minor)
			return true;
	return false;
}

static int refuse_usdt(const struct target *target, char *why)
{
	const char *reason = "was built without USDT probes (--with-dtrace)";

	if (target->usdt.entry)
		reason = target->python[1] == 11 ? "has a dead function__entry probe (python/cpython#98894)"
						 : "has probes that are not supported yet";
	if (target->usdt.entry && has_silent_code(target))
		reason = "runs with PYTHON_JIT, and what that compiles passes no probe";
	snprintf(why, TARGET_WHY_SIZE, "pid %d: its Python %u.%u.%u %s; use --python stack", target->pid,
		 target->python[0], target->python[1], target->python[2], reason);
	return -ENOTSUP;
}

bool choose_is_cheap(uint64_t calls, uint64_t ns, const struct options *options)
{
	double share = options->usdt_period > 0 ? options->usdt_on / options->usdt_period : 1;

	return calls && share * calls * PROBE_NS * 100 < (double)ns * CPU_PERCENT_MAX;
}

/* Does the target call so few functions that exact times are cheap? */
static bool probes_are_cheap(struct kernel *kernel, const struct target *target, const struct options *options)
{
	uint64_t before = kernel_usdt_calls(kernel), calls;
	struct kernel_usdt *usdt;

	if (kernel_usdt_attach(kernel, target->pid, target->binary, true, &usdt))
		return false;
	usleep(SAMPLE_US);
	calls = kernel_usdt_calls(kernel) - before;
	kernel_usdt_detach(usdt);
	return choose_is_cheap(calls, SAMPLE_US * 1000ull, options);
}

int choose_inspect(pid_t pid, enum options_python python, struct target *ret_target, char *why)
{
	int error = target_inspect(pid, ret_target, why);

	if (python != OPTIONS_PYTHON_NONE || (error && error != -ENOTSUP))
		return error;
	ret_target->kernel.flags &= ~NT_TARGET_PYTHON;
	return ret_target->kernel.flags & NT_TARGET_TRACE ? 0 : error;
}

int choose_attribution(struct kernel *kernel, const struct target *target, const struct options *options,
		       enum nt_attribution *ret_attribution, char *why)
{
	enum options_python python = options->python;
	bool works = choose_probes_work(target);
	char problem[KERNEL_WHY_SIZE];

	if (python == OPTIONS_PYTHON_USDT && !works)
		return refuse_usdt(target, why);
	if (python == OPTIONS_PYTHON_USDT && kernel_check_uprobes(problem)) {
		snprintf(why, TARGET_WHY_SIZE, "%.200s; use --python stack", problem);
		return -EPERM;
	}
	*ret_attribution = python == OPTIONS_PYTHON_NONE ? NT_ATTRIBUTION_NONE : NT_ATTRIBUTION_STACK;
	if (python == OPTIONS_PYTHON_USDT ||
	    (python == OPTIONS_PYTHON_AUTO && works && probes_are_cheap(kernel, target, options)))
		*ret_attribution = NT_ATTRIBUTION_USDT;
	return 0;
}
