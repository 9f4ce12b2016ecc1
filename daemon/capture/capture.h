/*
 * capture.h: a live capture from attach to end: the loop between the kernel side and the core.
 */
#ifndef NT_CAPTURE_H
#define NT_CAPTURE_H

#include "follow.h"

struct capture;

/*
 * Follows the processes in `options` and begins the stream. 0, or negative errno with a line in `why` (TARGET_WHY_SIZE
 * bytes). `kernel` and `stream` outlive it.
 */
int capture_begin(const struct options *options, struct kernel *kernel, struct stream *stream,
		  struct capture **ret_capture, char *why);
void capture_free(struct capture *capture);

/* Processes that are traced now; the first one's description. */
size_t capture_count(const struct capture *capture);
const struct target *capture_first(const struct capture *capture);

/* Called once a second while the capture runs; negative errno ends it, and is what capture_run() returns. */
typedef int (*capture_progress_fn)(void *context, uint64_t elapsed_ns);
void capture_on_progress(struct capture *capture, capture_progress_fn progress, void *context);

/*
 * Runs until options->duration has passed, the last target has ended, or `stop_fd` (a signalfd) is readable. 0, or
 * negative errno: of reading the kernel's records, of the output or of the recording.
 */
int capture_run(struct capture *capture, int stop_fd);

/* Takes what the kernel side has still sent and ends the stream, the last summary with it. 0 or negative errno as
 * above. */
int capture_finish(struct capture *capture);

#endif
