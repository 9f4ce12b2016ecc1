/*
 * main.c: nettraced: options, probe, attach, loop, tear down. The only place that writes to standard error.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/choose.h"
#include "capture/find.h"
#include "check.h"
#include "kernel/kernel.h"
#include "options.h"
#include "output/sink.h"
#include "output/words.h"
#include "recording.h"
#include "summary/condition.h"

#define RING_BYTES (8u << 20) /* stated in the summary, beside the daemon's own memory */
#define WHY_SIZE 256
#define NICE -10 /* see go_first() */

enum exit_status { EXIT_DONE = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2, EXIT_MET = 3 };

_Static_assert(WHY_SIZE >= OPTIONS_WHY_SIZE && WHY_SIZE >= KERNEL_WHY_SIZE && WHY_SIZE >= TARGET_WHY_SIZE,
	       "one buffer serves all");

/* What a run of the daemon holds. */
struct nettraced {
	struct options options;
	struct match *match; /* NULL: the options name all that is traced */
	struct sink *sink;
	struct kernel *kernel;
	struct stream stream;
	struct capture *capture;
	int stop_fd;
	bool handovers_told; /* that they are not all seen */
};

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list arguments;

	fputs("nettraced: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static int write_summary(void *context, struct summary *summary)
{
	struct nettraced *daemon = context;

	if (summary->facts.final && daemon->options.fail_on)
		conditions_ask_all(daemon->options.fail_on, summary);
	return sink_put(daemon->sink, summary);
}

static void show_note(void *context, const char *line)
{
	(void)context;
	complain("%s", line);
}

static int show_progress(void *context, uint64_t elapsed_ns)
{
	struct nettraced *daemon = context;

	return sink_show_progress(daemon->sink, elapsed_ns, pipeline_calls(daemon->stream.pipeline));
}

static int open_output(struct nettraced *daemon, char *why)
{
	const struct options *options = &daemon->options;
	int error = sink_open(options->output, output_find(options->format), options->show_data, &daemon->sink);

	if (error)
		snprintf(why, WHY_SIZE, "cannot write to %.160s: %s",
			 options->output ? options->output : "standard output", strerror(-error));
	return error;
}

static int open_stream(struct nettraced *daemon, char *why)
{
	const char *path = daemon->options.record;
	int error;

	daemon->stream.pipeline = pipeline_new(write_summary, daemon);
	if (!daemon->stream.pipeline) {
		snprintf(why, WHY_SIZE, "out of memory");
		return -ENOMEM;
	}
	if (!path)
		return 0;
	error = recording_create(path, &daemon->stream.recording);
	if (error)
		snprintf(why, WHY_SIZE, "cannot record to %.160s: %s", path, recording_problem(error));
	return error;
}

static void stop_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGTERM);
}

/*
 * Incidents are when a machine has no CPU to spare: then records would be lost while we wait for one. What there is to
 * do is bounded by the targets' calls. Where it is not allowed, the losses are counted as ever.
 */
static void go_first(void)
{
	(void)setpriority(PRIO_PROCESS, 0, NICE);
}

static int open_stop(struct nettraced *daemon, char *why)
{
	sigset_t set;

	snprintf(why, WHY_SIZE, "cannot wait for signals");
	stop_signals(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an error of the write */
	daemon->stop_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return daemon->stop_fd < 0 ? -errno : 0;
}

/* Before anything is loaded: a process that is not there is the likeliest mistake, and needs no privilege to see. */
static int find_targets(const struct options *options, char *why)
{
	for (size_t i = 0; i < options->pid_count; i++) {
		if (!kill(options->pids[i], 0) || errno != ESRCH)
			continue;
		snprintf(why, WHY_SIZE, "no process has pid %d", options->pids[i]);
		return -ESRCH;
	}
	return 0;
}

/* Is each named process one that can be traced? Asked before the programs are loaded, so that a wrong pid costs
 * nothing. */
static int inspect_targets(const struct options *options, char *why)
{
	struct target target;
	int error = 0;

	for (size_t i = 0; i < options->pid_count && !error; i++)
		error = choose_inspect(options->pids[i], options->python, &target, why);
	return error;
}

/* A ceiling on what cannot be measured would be none. */
static int check_ceiling(const struct options *options, struct kernel *kernel, char *why)
{
	int error = options->max_cost > 0 ? kernel_measure_cost(kernel, true) : 0;

	kernel_measure_cost(kernel, false);
	if (error)
		snprintf(why, WHY_SIZE,
			 "--max-cost: the kernel does not let us measure the cost (%s): CAP_SYS_ADMIN is "
			 "needed for that",
			 strerror(-error));
	return error;
}

static int open_kernel(struct nettraced *daemon, char *why)
{
	struct kernel_options options = {
	    .rung = kernel_rung_find(options_hooks_name(daemon->options.hooks)),
	    .capture = daemon->options.capture,
	    .ring_bytes = RING_BYTES,
	    .watch_execs = daemon->match != NULL,
	    .times = true,
	};
	int error;

	error = kernel_open(&options, &daemon->kernel, why);
	return error ? error : check_ceiling(&daemon->options, daemon->kernel, why);
}

static int begin(struct nettraced *daemon, char *why)
{
	struct capture_parts parts = {.options = &daemon->options, .stream = &daemon->stream, .note = show_note};
	char ring[32];
	int error = find_targets(&daemon->options, why);

	error = error ? error : find_rules(&daemon->options, &daemon->match, why);
	error = error ? error : kernel_check_privileges(why);
	error = error ? error : inspect_targets(&daemon->options, why);
	error = error ? error : open_output(daemon, why);
	error = error ? error : open_stream(daemon, why);
	error = error ? error : open_kernel(daemon, why);
	error = error ? error : open_stop(daemon, why);
	if (error)
		return error;
	go_first();
	parts.match = daemon->match;
	parts.kernel = daemon->kernel;
	error = capture_begin(&parts, &daemon->capture, why);
	snprintf(ring, sizeof(ring), "%u", RING_BYTES);
	return error ? error : stream_put_setting(&daemon->stream, "ring", ring);
}

static void announce(const struct nettraced *daemon)
{
	const struct target *first = capture_first(daemon->capture);
	const char *end = daemon->options.duration > 0 ? "a summary follows" : "^C ends it";
	const char *hooks = kernel_rung_name(kernel_rung(daemon->kernel));
	size_t others = capture_count(daemon->capture) - 1;
	char more[64] = "";

	if (!first && daemon->match)
		fprintf(stderr,
			"nettraced: attached by %s hooks; no Python process matches so far, it waits for one; %s\n",
			hooks, end);
	if (!first)
		return;
	if (others)
		snprintf(more, sizeof(more), " and %zu more process%s", others, others == 1 ? "" : "es");
	fprintf(stderr, "nettraced: attached to pid %d (%s, Python %u.%u.%u)%s by %s hooks; %s\n", first->pid,
		words_command(first->command), first->python[0], first->python[1], first->python[2], more, hooks, end);
}

/* What work is handed over unseen: it belongs to nobody, and a user who wonders why should not have to guess. */
static void tell_handovers(struct nettraced *daemon)
{
	const char *refusal = kernel_handover_refusal(daemon->kernel);

	if (!*refusal || daemon->handovers_told)
		return;
	complain("what one thread or task hands over to another is not all seen: %s", refusal);
	daemon->handovers_told = true;
}

/* What --help and --version say may find no room either. */
static int end_words(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_DONE;
	complain("cannot write to standard output: %s", strerror(errno));
	return EXIT_CANNOT;
}

/* The first ^C or SIGTERM ended the capture in order; from now on one finds its default action and stops at once. */
static void let_signals_kill(struct nettraced *daemon)
{
	struct signalfd_siginfo first;
	sigset_t set;

	if (read(daemon->stop_fd, &first, sizeof(first)) < 0 && errno != EAGAIN)
		complain("cannot read the signal: %s", strerror(errno));
	stop_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int run(struct nettraced *daemon, char *why)
{
	const char *output = daemon->options.output ? daemon->options.output : "standard output";
	int error, closed, written;

	capture_on_progress(daemon->capture, show_progress, daemon);
	error = capture_run(daemon->capture, daemon->stop_fd);
	let_signals_kill(daemon);
	if (!error)
		error = capture_finish(daemon->capture);
	tell_handovers(daemon);
	closed = recording_close(daemon->stream.recording);
	daemon->stream.recording = NULL;
	written = sink_finish(daemon->sink);
	if (written)
		snprintf(why, WHY_SIZE, "cannot write to %.160s: %s", output, sink_problem(written));
	else if (closed && !error)
		snprintf(why, WHY_SIZE, "the recording is not whole: %s", recording_problem(closed));
	else if (error)
		snprintf(why, WHY_SIZE, "the capture ended early: %s", strerror(-error));
	return error ? error : closed ? closed : written;
}

static void end(struct nettraced *daemon)
{
	capture_free(daemon->capture);
	match_free(daemon->match);
	kernel_close(daemon->kernel);
	recording_close(daemon->stream.recording);
	pipeline_free(daemon->stream.pipeline);
	sink_free(daemon->sink);
	if (daemon->stop_fd >= 0)
		close(daemon->stop_fd);
}

/* What the conditions say of a capture that went well. One that could not be asked has not passed. */
static int judge(const struct options *options)
{
	static const int statuses[] = {
	    [CONDITIONS_PASSED] = EXIT_DONE, [CONDITIONS_MET] = EXIT_MET, [CONDITIONS_UNASKED] = EXIT_CANNOT};

	return options->fail_on ? statuses[conditions_result(options->fail_on, show_note, NULL)] : EXIT_DONE;
}

static int trace(const struct options *options)
{
	struct nettraced daemon = {.options = *options, .stop_fd = -1};
	char why[WHY_SIZE] = "cannot start";
	int error = begin(&daemon, why);

	if (!error) {
		announce(&daemon);
		tell_handovers(&daemon);
		error = run(&daemon, why);
	}
	end(&daemon);
	if (error)
		complain("%s", why);
	return error ? EXIT_CANNOT : judge(options);
}

int main(int argc, char **argv)
{
	struct options options;
	char why[WHY_SIZE];
	int status = EXIT_DONE;

	if (options_parse(argc, argv, &options, why)) {
		complain("%s (nettraced --help lists the options)", why);
		return EXIT_USAGE;
	}
	switch (options.action) {
	case OPTIONS_HELP:
		options_help(stdout);
		status = end_words();
		break;
	case OPTIONS_VERSION:
		printf("nettraced %s\n", NT_VERSION);
		status = end_words();
		break;
	case OPTIONS_CHECK:
		status = check_report(&options, stdout) ? EXIT_CANNOT : EXIT_DONE;
		break;
	case OPTIONS_TRACE:
		status = trace(&options);
		break;
	}
	options_free(&options);
	return status;
}
