/*
 * capture.c: see capture.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "ceiling.h"
#include "cost.h"
#include "find.h"

/* Records wait this long for us at most. The ring holds a quarter of a second of the fastest traffic that one CPU can
 * make, and a ring that fills wakes us before. */
#define READ_MS 10
#define LOST_NS 1000000000ull /* between two looks at whether records were lost */
#define PROGRESS_NS 1000000000ull
#define DRAIN_ROUNDS 8 /* at the end: more than the ring holds; targets that go on all the time must not keep us */

struct capture {
	const struct options *options;
	struct kernel *kernel;
	struct stream *stream;
	struct follow *follow;
	struct find *find; /* NULL: only what was named is traced */
	struct cost cost;
	struct ceiling ceiling;
	void (*note)(void *context, const char *line);
	void *note_context;
	uint64_t began, next_tick, next_progress, next_lost;
	uint64_t lost;		      /* records, when last asked */
	capture_progress_fn progress; /* NULL: nobody asks */
	void *progress_context;
};

static int put_number(struct stream *stream, const char *name, unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return stream_put_setting(stream, name, text);
}

static unsigned long long wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* What contents are hashed with: nobody can look up what a hash stands for. A recording keeps it, to give the same. */
static int put_secret(struct stream *stream)
{
	uint64_t secret[2];
	char text[40];

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -errno;
	snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)secret[0], (unsigned long long)secret[1]);
	return stream_put_setting(stream, "secret", text);
}

/* Everything that the core's answers depend on goes into the stream: a replay has no options of its own. */
static int put_settings(struct capture *capture)
{
	const struct options *options = capture->options;
	char host[256] = "", text[64];
	int error;

	gethostname(host, sizeof(host) - 1);
	error = put_number(capture->stream, "start", wall_clock());
	error = error ? error : put_secret(capture->stream);
	error = error ? error : stream_put_setting(capture->stream, "version", NT_VERSION);
	error = error ? error : stream_put_setting(capture->stream, "host", host);
	error = error ? error : stream_put_setting(capture->stream, "release", kernel_release());
	error = error ? error
		      : stream_put_setting(capture->stream, "hooks", kernel_rung_name(kernel_rung(capture->kernel)));
	error = error ? error : stream_put_setting(capture->stream, "show-data", options->show_data ? "1" : "0");
	snprintf(text, sizeof(text), "%g", options->interval);
	error = error ? error : stream_put_setting(capture->stream, "interval", text);
	if (options->rules && !error)
		error = stream_put_setting(capture->stream, "rules", options->rules);
	for (size_t i = 0; i < options->endpoints.count && !error; i++)
		error = stream_put_setting(capture->stream, "endpoint", options->endpoints.words[i]);
	for (size_t i = 0; i < options->dispatchers.count && !error; i++)
		error = stream_put_setting(capture->stream, "dispatcher", options->dispatchers.words[i]);
	for (size_t i = 0; i < options->pid_count && !error; i++)
		error = put_number(capture->stream, "target", options->pids[i]);
	return error;
}

static int on_record(void *context, void *record, size_t size)
{
	struct capture *capture = context;
	const struct nt_head *head = record;
	int error;

	/* Programs that others begin are no part of the stream: most of them are none of ours. */
	if (capture->find && size >= sizeof(*head) && head->type == NT_EXEC && !follow_has(capture->follow, head->pid))
		return find_exec(capture->find, head->pid, stream_now());
	error = stream_put(capture->stream, record, size);
	return error ? error : follow_record(capture->follow, record, size);
}

/* What is in the ring now. A scan is never begun by a record, so nobody is reading it already. */
static int read_ring(void *context)
{
	struct capture *capture = context;
	int count = kernel_read(capture->kernel, 0, -1, on_record, capture);

	return count < 0 ? count : 0;
}

static int begin_finding(struct capture *capture, const struct capture_parts *parts)
{
	if (!parts->match)
		return 0;
	capture->find = find_new(capture->follow, parts->match, parts->note, parts->context);
	if (!capture->find)
		return -ENOMEM;
	find_on_pause(capture->find, read_ring, capture);
	return find_all(capture->find);
}

int capture_begin(const struct capture_parts *parts, struct capture **ret_capture, char *why)
{
	const struct options *options = parts->options;
	struct capture *capture = calloc(1, sizeof(*capture));
	int error;

	if (!capture)
		return -ENOMEM;
	snprintf(why, TARGET_WHY_SIZE, "cannot begin the capture");
	capture->options = options;
	capture->kernel = parts->kernel;
	capture->stream = parts->stream;
	capture->note = parts->note;
	capture->note_context = parts->context;
	capture->follow = follow_new(parts->kernel, parts->stream, options);
	error = capture->follow ? put_settings(capture) : -ENOMEM;
	for (size_t i = 0; i < options->pid_count && !error; i++)
		error = follow_add(capture->follow, options->pids[i], why);
	error = error ? error : begin_finding(capture, parts);
	if (error) {
		capture_free(capture);
		return error;
	}
	*ret_capture = capture;
	return 0;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	find_free(capture->find);
	follow_free(capture->follow);
	free(capture);
}

size_t capture_count(const struct capture *capture)
{
	return follow_count(capture->follow);
}

const struct target *capture_first(const struct capture *capture)
{
	return follow_first(capture->follow);
}

static int put_loss(struct capture *capture)
{
	struct nt_loss record = {.h = {.type = NT_LOSS}};

	kernel_read_loss(capture->kernel, &record);
	return stream_put_text(capture->stream, &record.h, sizeof(record), "", 0);
}

/* An interval or the capture ends: what it lost and what it cost, then the mark. */
static int put_end_of(struct capture *capture, enum nt_type mark)
{
	int error = put_loss(capture);

	error = error ? error : cost_put(&capture->cost, capture->stream, stream_now());
	error = error ? error : stream_put_mark(capture->stream, mark);
	if (!error && capture->stream->recording)
		error = recording_flush(capture->stream->recording);
	return error;
}

static bool is_over(const struct capture *capture, int stop_fd, uint64_t now)
{
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};

	if (poll(&stop, 1, 0) > 0 || (!capture->find && !follow_count(capture->follow)))
		return true;
	return capture->options->duration > 0 && now - capture->began >= capture->options->duration * 1e9;
}

void capture_on_progress(struct capture *capture, capture_progress_fn progress, void *context)
{
	capture->progress = progress;
	capture->progress_context = context;
}

static int tell_progress(struct capture *capture, uint64_t now)
{
	if (!capture->progress || now < capture->next_progress)
		return 0;
	capture->next_progress = now + PROGRESS_NS;
	return capture->progress(capture->progress_context, now - capture->began);
}

/* Processes that were not ready, or not heard of. */
static int look_again(struct capture *capture, uint64_t now)
{
	int error;

	if (now >= capture->next_lost) {
		capture->lost = kernel_lost_records(capture->kernel);
		capture->next_lost = now + LOST_NS;
	}
	error = follow_retry(capture->follow, now, capture->lost);
	if (!error && capture->find)
		error = find_step(capture->find, now, capture->lost);
	return error;
}

/* Costs more than it may: what is given up is said in the stream, too, since the summaries mean something else then. */
static int keep_below(struct capture *capture)
{
	char line[CEILING_LINE_SIZE];
	int error;

	if (!ceiling_check(&capture->ceiling, &capture->cost, line))
		return 0;
	capture->note(capture->note_context, line);
	error = stream_put_setting(capture->stream, "reduced", ceiling_name(capture->ceiling.step));
	return error ? error : put_number(capture->stream, "walks", capture->ceiling.walk_one_of);
}

static int step(struct capture *capture, int stop_fd)
{
	uint64_t interval = capture->options->interval * 1e9, now;
	int error = kernel_read(capture->kernel, READ_MS, stop_fd, on_record, capture);

	if (error < 0)
		return error;
	now = stream_now();
	error = look_again(capture, now);
	cost_step(&capture->cost, now);
	error = error ? error : keep_below(capture);
	if (!error && interval && now >= capture->next_tick) {
		error = put_end_of(capture, NT_TICK);
		capture->next_tick += interval;
		if (capture->next_tick <= now) /* we were held up: no burst of empty intervals */
			capture->next_tick = now + interval;
	}
	return error ? error : tell_progress(capture, now);
}

/* What the kernel side has sent until now. */
static int drain(struct capture *capture)
{
	int count = 1;

	for (int i = 0; i < DRAIN_ROUNDS && count > 0; i++)
		count = kernel_read(capture->kernel, 0, -1, on_record, capture);
	return count < 0 ? count : 0;
}

int capture_run(struct capture *capture, int stop_fd)
{
	int error = 0;

	capture->began = stream_now();
	follow_run(capture->follow, capture->began);
	capture->next_tick = capture->began + (uint64_t)(capture->options->interval * 1e9);
	ceiling_begin(&capture->ceiling, capture->options->max_cost, capture->kernel, capture->follow);
	cost_begin(&capture->cost, capture->kernel, capture->follow, capture->options->interval * 1e9, capture->began);
	while (!error && !is_over(capture, stop_fd, stream_now()))
		error = step(capture, stop_fd);
	return error;
}

int capture_finish(struct capture *capture)
{
	int error = drain(capture);

	return error ? error : put_end_of(capture, NT_END);
}
