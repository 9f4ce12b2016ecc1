/*
 * sink.h: where a live capture's summaries go: to standard output or a file, through a writer that never holds the
 * capture up; on a terminal in place; and the line on standard error that says the capture is alive.
 *
 * Used by main.c. The formats are the outputs of output.h; replay writes them itself, since nothing runs on meanwhile.
 */
#ifndef NT_OUTPUT_SINK_H
#define NT_OUTPUT_SINK_H

#include <stdint.h>

#include "output.h"

struct sink;

/* `path` NULL: standard output. 0 or negative errno of the opening. */
int sink_open(const char *path, const struct output *output, bool show_data, struct sink **ret_sink);

/*
 * Takes a sorted summary without waiting for anybody. One that its reader is too slow for is counted in the next one's
 * lost.summaries; the final one has the count of all. 0, -ENOMEM, or the error of an earlier write.
 */
int sink_put(struct sink *sink, struct summary *summary);

/*
 * Says on standard error, where that is a terminal, how long the capture has been running and what it has seen. 0 or
 * the error of an earlier write.
 */
int sink_show_progress(struct sink *sink, uint64_t elapsed_ns, uint64_t calls);

/*
 * Waits a few seconds until all is written, and closes the file. 0, the error of a write, or -ETIMEDOUT: the reader
 * takes nothing.
 */
int sink_finish(struct sink *sink);

/* The error that a write had so far, or 0. */
int sink_error(const struct sink *sink);

/* What such an error means here. Static. */
const char *sink_problem(int error);

void sink_free(struct sink *sink);

#endif
