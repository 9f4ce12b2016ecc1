/*
 * stream.c: see stream.h.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "stream.h"

#define LARGEST_TEXT (NT_MAX_NAME * 4)
#define LARGEST_FIXED 128

uint64_t stream_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int stream_put(struct stream *stream, const struct nt_head *record, size_t size)
{
	int error = stream->recording ? recording_write(stream->recording, record) : 0;
	int fed = pipeline_feed(stream->pipeline, record, size);

	/* A malformed record is counted as lost by the pipeline; it ends nothing. */
	if (fed && fed != -EBADMSG)
		return fed;
	return error;
}

int stream_put_mark(struct stream *stream, enum nt_type type)
{
	struct nt_head head = {.size = sizeof(head), .type = type, .version = NT_ABI, .time = stream_now()};

	return stream_put(stream, &head, sizeof(head));
}

int stream_put_text(struct stream *stream, struct nt_head *fixed, size_t fixed_size, const char *text, size_t text_size)
{
	_Alignas(8) char record[LARGEST_FIXED + LARGEST_TEXT];
	size_t size = fixed_size + text_size;

	if (fixed_size > LARGEST_FIXED || text_size > LARGEST_TEXT)
		return -E2BIG;
	fixed->size = nt_pad8(size);
	fixed->version = NT_ABI;
	if (!fixed->time)
		fixed->time = stream_now();
	memset(record, 0, sizeof(record));
	memcpy(record, fixed, fixed_size);
	memcpy(record + fixed_size, text, text_size);
	return stream_put(stream, (struct nt_head *)record, fixed->size);
}

int stream_put_setting(struct stream *stream, const char *name, const char *value)
{
	struct nt_setting setting = {.h.type = NT_SETTING, .name_size = strlen(name)};
	size_t room = LARGEST_TEXT - setting.name_size;
	char text[LARGEST_TEXT];

	setting.value_size = strnlen(value, room);
	memcpy(text, name, setting.name_size);
	memcpy(text + setting.name_size, value, setting.value_size);
	return stream_put_text(stream, &setting.h, sizeof(setting), text, setting.name_size + setting.value_size);
}
