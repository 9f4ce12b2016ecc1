/*
 * check.c: see check.h. One line a fact, `ok` or `no` first, and behind a `no` what would help.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "capture/choose.h"
#include "capture/find.h"
#include "check.h"
#include "kernel/kernel.h"
#include "target/hooks.h"
#include "target/target.h"

#define CHECK_RING_BYTES (256u << 10)
#define CHECK_FOUND_MAX 50 /* processes that are found, shown */

__attribute__((format(printf, 3, 4))) static void line(FILE *stream, bool ok, const char *format, ...)
{
	va_list arguments;

	fprintf(stream, "%s  ", ok ? "ok" : "no");
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	fputc('\n', stream);
}

/* Each rung alone, so that each can say its own reason; with no target in the table its programs do nothing. True if
 * the one that is wanted (or any, for auto) works. */
static bool check_rungs(const struct options *options, FILE *stream)
{
	enum kernel_rung wanted = kernel_rung_find(options_hooks_name(options->hooks));
	bool works = false;

	for (enum kernel_rung rung = RUNG_FENTRY; rung < RUNG_COUNT; rung++) {
		struct kernel_options probe = {
		    .rung = rung,
		    .capture = options->capture,
		    .ring_bytes = CHECK_RING_BYTES,
		    .times = true,
		};
		char why[KERNEL_WHY_SIZE] = "";
		struct kernel *kernel = NULL;
		bool ok = !kernel_open(&probe, &kernel, why);

		kernel_close(kernel);
		if (ok)
			line(stream, true, "hooks %-10s attach%s", kernel_rung_name(rung),
			     !works && wanted == RUNG_AUTO ? "; --hooks auto takes these" : "");
		else
			line(stream, false, "%s", why);
		if (ok && (wanted == RUNG_AUTO || wanted == rung))
			works = true;
	}
	return works;
}

static int check_probes(const struct target *target, const struct options *options, FILE *stream)
{
	char why[KERNEL_WHY_SIZE] = "";

	if (!choose_probes_work(target)) {
		line(stream, false, "pid %d  USDT probes: %s; --python stack needs none", target->pid,
		     target->usdt.entry ? "there, but this version's entry probe does not fire"
					: "this Python was built without them");
	} else if (kernel_check_uprobes(why)) {
		line(stream, false, "pid %d  USDT probes: entry and return, but %s", target->pid, why);
	} else {
		line(stream, true,
		     "pid %d  USDT probes: entry and return; --python auto takes them if the process calls few "
		     "functions",
		     target->pid);
		return 0;
	}
	return options->python == OPTIONS_PYTHON_USDT ? -ENOTSUP : 0;
}

/* Which kinds of hand-overs the process's modules show. */
static int note_hooks(void *context, const struct hooks *hooks)
{
	unsigned *kinds = context;

	for (size_t i = 0; i < hooks->count; i++)
		*kinds |= 1u << hooks->hooks[i].function;
	return 0;
}

static void check_handovers(const struct target *target, FILE *stream)
{
	char why[KERNEL_WHY_SIZE] = "", seen[128] = "";
	unsigned kinds = 0;
	size_t length = 0;

	hooks_each(target, note_hooks, &kinds);
	for (unsigned function = 0; function < HOOK_FUNCTION_COUNT; function++)
		if (kinds & 1u << function && length < sizeof(seen))
			length += snprintf(seen + length, sizeof(seen) - length, "%s%s", length ? ", " : "",
					   hook_name(function));
	if (!kinds)
		line(stream, false, "pid %d  hand-overs: its Python has none of the modules that they are seen by",
		     target->pid);
	else if (kernel_check_handovers(why))
		line(stream, false, "pid %d  hand-overs: %s, but %s", target->pid, seen, why);
	else
		line(stream, true, "pid %d  hand-overs: %s", target->pid, seen);
}

static int check_target(pid_t pid, const struct options *options, FILE *stream)
{
	char why[TARGET_WHY_SIZE] = "", namespaces[TARGET_NAMESPACES_SIZE];
	struct target target;
	int error = choose_inspect(pid, options->python, &target, why);

	if (error) {
		line(stream, false, "%s", why);
		return error;
	}
	line(stream, true, "pid %d  %s", pid, target.command);
	line(stream, true, "pid %d  Python %u.%u.%u in %s: %s", pid, target.python[0], target.python[1],
	     target.python[2], target.binary,
	     target.kernel.flags & NT_TARGET_PYTHON ? "frames can be walked" : "no frame is walked (--python none)");
	if (target_describe_namespaces(pid, namespaces))
		line(stream, true, "pid %d  is in other namespaces than nettraced: %s", pid, namespaces);
	if (options->python == OPTIONS_PYTHON_NONE)
		return 0;
	check_handovers(&target, stream);
	return check_probes(&target, options, stream);
}

/* What a look through all processes needs. */
struct looking {
	const struct options *options;
	const struct match *match;
	FILE *stream;
	unsigned found;
};

/* Of processes that were not named, those that run no Python are of no interest, and others' mistakes are no failure.
 */
static int check_one(void *context, const struct match_found *found)
{
	struct looking *looking = context;
	char why[TARGET_WHY_SIZE];
	struct target target;
	int error;

	if (!match_process(looking->match, found->pid))
		return 0;
	error = target_inspect(found->pid, &target, why);
	if (error && error != -ENOTSUP)
		return 0;
	if (looking->found++ < CHECK_FOUND_MAX)
		check_target(found->pid, looking->options, looking->stream);
	return 0;
}

static int check_matching(const struct options *options, FILE *stream)
{
	struct looking looking = {.options = options, .stream = stream};
	char why[TARGET_WHY_SIZE];
	struct match *match;
	int error = find_rules(options, &match, why);

	if (error)
		line(stream, false, "%s", why);
	if (error || !match)
		return error;
	looking.match = match;
	error = match_each_process(check_one, &looking);
	match_free(match);
	if (looking.found > CHECK_FOUND_MAX)
		line(stream, true, "and %u more processes that match", looking.found - CHECK_FOUND_MAX);
	if (!looking.found)
		line(stream, true, "no Python process matches so far: nettraced would wait for one");
	return error;
}

int check_report(const struct options *options, FILE *stream)
{
	char why[KERNEL_WHY_SIZE] = "";
	int error = kernel_check_privileges(why), one;

	fprintf(stream, "nettraced %s on Linux %s\n", NT_VERSION, kernel_release());
	if (error) {
		line(stream, false, "%s", why);
	} else {
		line(stream, true, "kernel, BTF and privileges");
		line(stream, true, "process ids are those of %s",
		     kernel_is_nested() ? "this pid namespace: what is outside it is not seen" : "the machine");
		if (!check_rungs(options, stream))
			error = -ENOTSUP;
	}
	for (size_t i = 0; i < options->pid_count; i++) {
		one = check_target(options->pids[i], options, stream);
		error = error ? error : one;
	}
	one = check_matching(options, stream);
	error = error ? error : one;
	if (fflush(stream))
		return -errno;
	return error;
}
