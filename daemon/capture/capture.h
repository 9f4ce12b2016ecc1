/*
 * capture.h: a live capture from attach to end: the loop between the kernel side and the core.
 */
#ifndef NT_CAPTURE_H
#define NT_CAPTURE_H

#include "../target/match.h"
#include "follow.h"

struct capture;

/* What a capture needs from outside; all of it outlives it. */
struct capture_parts {
	const struct options *options;
	const struct match *match; /* what is traced beside the processes that options name; NULL: nothing */
	struct kernel *kernel;
	struct stream *stream;
	void (*note)(void *context, const char *line); /* takes what the user should hear of, without a full stop */
	void *context;
};

/*
 * Follows the processes that are meant and begins the stream. 0, or negative errno with a line in `why`
 * (TARGET_WHY_SIZE bytes).
 */
int capture_begin(const struct capture_parts *parts, struct capture **ret_capture, char *why);
void capture_free(struct capture *capture);

/* Processes that are traced now; the first one's description. */
size_t capture_count(const struct capture *capture);
const struct target *capture_first(const struct capture *capture);

/* Called once a second while the capture runs; negative errno ends it, and is what capture_run() returns. */
typedef int (*capture_progress_fn)(void *context, uint64_t elapsed_ns);
void capture_on_progress(struct capture *capture, capture_progress_fn progress, void *context);

/*
 * Runs until options->duration has passed, the last target has ended (with `match` there may be a next one), or
 * `stop_fd` (a signalfd) is readable. 0, or negative errno: of reading the kernel's records, of the output or of the
 * recording.
 */
int capture_run(struct capture *capture, int stop_fd);

/* Takes what the kernel side has still sent and ends the stream, the last summary with it. 0 or negative errno as
 * above. */
int capture_finish(struct capture *capture);

#endif
