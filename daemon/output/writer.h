/*
 * writer.h: writes to a file, pipe or terminal that may keep us waiting, without keeping its caller waiting.
 *
 * A thread of its own does the writing. What waits is bounded: beyond, a text is refused as a whole, so that a reader
 * that has stopped costs summaries and never records. Used by sink.c.
 */
#ifndef NT_OUTPUT_WRITER_H
#define NT_OUTPUT_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#define WRITER_MAX_WAITING (256u << 10) /* bytes that may wait; one text is taken whatever its size when none waits */

struct writer;

/* 0, -ENOMEM or -EAGAIN (no thread). The descriptor stays the caller's, and open as long as the writer is. */
int writer_new(int fd, struct writer **ret_writer);

/*
 * Takes a text, which is malloc'ed and given up in any case. 0; -EAGAIN: too much waits (never with `must`); or the
 * error of an earlier write, after which nothing is written any more.
 */
int writer_put(struct writer *writer, char *text, size_t size, bool must);

/* Is all that was taken written? */
bool writer_is_idle(struct writer *writer);

/* The first error of a write, or 0. */
int writer_error(struct writer *writer);

/* Waits until all is written. 0, the error of a write, or -ETIMEDOUT after `ms`. */
int writer_wait(struct writer *writer, unsigned ms);

/* Ends the thread; what is not written yet is given up. NULL is fine. */
void writer_free(struct writer *writer);

#endif
