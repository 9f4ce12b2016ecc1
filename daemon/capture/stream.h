/*
 * stream.h: the one stream of records that a capture is: what goes into the core also goes into the recording, in the
 * same order, whether the kernel or an edge made it.
 */
#ifndef NT_STREAM_H
#define NT_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "../pipeline.h"
#include "../recording.h"

struct stream {
	struct pipeline *pipeline;
	struct recording_writer *recording; /* NULL: none is kept */
};

/* CLOCK_MONOTONIC, ns: the clock of every record. */
uint64_t stream_now(void);

/* Passes one record on. 0, or negative errno: of the recording's file, of the output, or -ENOMEM. */
int stream_put(struct stream *stream, const struct nt_head *record, size_t size);

/* A record of its head alone (NT_TICK, NT_END). */
int stream_put_mark(struct stream *stream, enum nt_type type);

/* NT_SETTING. */
int stream_put_setting(struct stream *stream, const char *name, const char *value);

/*
 * A record with text behind it: `fixed` is its fixed part of `fixed_size` bytes with its head's type set; the rest of
 * the head is filled here.
 */
int stream_put_text(struct stream *stream, struct nt_head *fixed, size_t fixed_size, const char *text,
		    size_t text_size);

#endif
