/*
 * recording.c: writes and reads recordings (recording.h).
 *
 * An edge: nettraced writes what it feeds the pipeline, nettrace replay feeds a pipeline what it reads.
 */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline.h"

#define TEXT                                                                                                           \
	"\nA recording of nettraced. It holds what the traced processes sent and received: keep it private (mode "     \
	"0600).\n"
#define HEADER_SIZE 160
_Static_assert(sizeof(struct recording_header) + sizeof(TEXT) <= HEADER_SIZE && HEADER_SIZE % 8 == 0, "layout");

#define MAX_HEADER_SIZE 65536 /* of a later version's header */
#define BUFFER_SIZE (64 * 1024)

struct recording_writer {
	FILE *file;
	int error; /* the first one */
};

static int failed(void)
{
	return errno ? -errno : -EIO;
}

/* Is this file one that payload may go into? */
static int check_file(int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return failed();
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_uid != geteuid())
		return -EPERM;
	return status.st_nlink > 1 ? -EMLINK : 0;
}

/*
 * A new file is ours from the start. One that is there must be ours alone and becomes private before it gets a byte.
 * O_NONBLOCK so that a FIFO does not block the open; on a regular file it means nothing.
 */
static int open_private(const char *path)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags);
	if (fd < 0)
		return errno == ENXIO ? -EINVAL : failed();
	int err = check_file(fd);

	if (!err && (fchmod(fd, 0600) || ftruncate(fd, 0)))
		err = failed();
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int write_header(struct recording_writer *writer)
{
	char bytes[HEADER_SIZE] = "";
	struct recording_header header = {
	    .abi = NT_ABI,
	    .header_size = HEADER_SIZE,
	    .flags = RECORDING_HOLDS_PAYLOAD,
	};

	memcpy(header.magic, RECORDING_MAGIC, sizeof(header.magic));
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), TEXT, sizeof(TEXT));
	if (fwrite(bytes, sizeof(bytes), 1, writer->file) != 1)
		return failed();
	return recording_flush(writer);
}

int recording_create(const char *path, struct recording_writer **ret_writer)
{
	struct recording_writer *writer = calloc(1, sizeof(*writer));
	int err, fd = -1;

	if (!writer)
		return -ENOMEM;
	err = fd = open_private(path);
	if (fd < 0)
		goto fail;
	writer->file = fdopen(fd, "w");
	if (!writer->file) {
		err = failed();
		close(fd);
		goto fail;
	}
	setvbuf(writer->file, NULL, _IOFBF, BUFFER_SIZE);
	err = write_header(writer);
	if (err) {
		fclose(writer->file);
		goto fail;
	}
	*ret_writer = writer;
	return 0;
fail:
	free(writer);
	return err;
}

int recording_write(struct recording_writer *writer, const struct nt_head *record)
{
	if (writer->error)
		return 0;
	errno = 0;
	if (fwrite(record, record->size, 1, writer->file) != 1)
		writer->error = failed();
	return writer->error;
}

int recording_flush(struct recording_writer *writer)
{
	if (writer->error)
		return 0;
	errno = 0;
	if (fflush(writer->file))
		writer->error = failed();
	return writer->error;
}

int recording_close(struct recording_writer *writer)
{
	if (!writer)
		return 0;
	int err = writer->error;

	errno = 0;
	if (fclose(writer->file) && !err)
		err = failed();
	free(writer);
	return err;
}

struct recording_reader {
	FILE *file;
	uint64_t offset, next; /* of the last record asked for, and of the one behind it */
	bool ended;	       /* NT_END was read */
	struct nt_head *record;
	size_t room; /* bytes at `record` */
};

/* Reads exactly `size` bytes; -ENODATA: the file ends before. */
static int read_bytes(struct recording_reader *reader, void *ret_bytes, size_t size)
{
	errno = 0;
	if (!size || fread(ret_bytes, size, 1, reader->file) == 1)
		return 0;
	return ferror(reader->file) ? failed() : -ENODATA;
}

static int skip_bytes(struct recording_reader *reader, size_t size)
{
	char bytes[256];
	int err = 0;

	while (!err && size) {
		size_t part = size < sizeof(bytes) ? size : sizeof(bytes);

		err = read_bytes(reader, bytes, part);
		size -= part;
	}
	return err;
}

static int read_header(struct recording_reader *reader)
{
	struct recording_header header;
	int err = read_bytes(reader, &header, sizeof(header));

	if (err == -ENODATA || (!err && memcmp(header.magic, RECORDING_MAGIC, sizeof(header.magic)) != 0))
		return -ENOEXEC;
	if (err)
		return err;
	if (header.abi != NT_ABI)
		return -EPROTO;
	if (header.header_size < sizeof(header) || header.header_size > MAX_HEADER_SIZE || header.header_size % 8)
		return -ENOEXEC;
	reader->offset = reader->next = header.header_size;
	return skip_bytes(reader, header.header_size - sizeof(header));
}

static int reserve(struct recording_reader *reader, size_t size)
{
	if (size <= reader->room)
		return 0;
	struct nt_head *record = realloc(reader->record, size);

	if (!record)
		return -ENOMEM;
	reader->record = record;
	reader->room = size;
	return 0;
}

int recording_open(const char *path, struct recording_reader **ret_reader)
{
	struct recording_reader *reader = calloc(1, sizeof(*reader));
	int err = -ENOMEM;

	if (!reader)
		return err;
	errno = 0;
	reader->file = fopen(path, "re");
	err = reader->file ? reserve(reader, sizeof(*reader->record)) : failed();
	if (!err)
		err = read_header(reader);
	if (!err)
		*ret_reader = reader;
	else
		recording_reader_free(reader);
	return err;
}

void recording_reader_free(struct recording_reader *reader)
{
	if (!reader)
		return;
	if (reader->file)
		fclose(reader->file);
	free(reader->record);
	free(reader);
}

static bool at_end(struct recording_reader *reader)
{
	int byte = getc(reader->file);

	if (byte != EOF)
		ungetc(byte, reader->file);
	return byte == EOF && !ferror(reader->file);
}

/* What follows the head at `record`: its size is not to be believed yet. */
static int read_rest(struct recording_reader *reader)
{
	uint32_t size = reader->record->size;
	int err;

	if (reader->record->version != NT_ABI)
		return -EPROTO;
	if (size < sizeof(*reader->record) || size > RECORDING_MAX_RECORD || size % 8)
		return -EBADMSG;
	err = reserve(reader, size);
	if (!err)
		err = read_bytes(reader, reader->record + 1, size - sizeof(*reader->record));
	return err ? err : record_check(reader->record, size);
}

int recording_read(struct recording_reader *reader, const struct nt_head **ret_record)
{
	reader->offset = reader->next;
	if (reader->ended)
		return at_end(reader) ? 0 : -EBADMSG;
	int err = read_bytes(reader, reader->record, sizeof(*reader->record));

	if (!err)
		err = read_rest(reader);
	if (err)
		return err;
	reader->next += reader->record->size;
	reader->ended = reader->record->type == NT_END;
	*ret_record = reader->record;
	return 1;
}

uint64_t recording_offset(const struct recording_reader *reader)
{
	return reader->offset;
}

const char *recording_problem(int error)
{
	static const struct {
		int error;
		const char *words;
	} problems[] = {
	    {-ENOEXEC, "it is not a recording of nettraced"},
	    {-EPROTO, "it is a recording of another version of nettraced: replay it with that one"},
	    {-ENODATA, "it ends before the capture did"},
	    {-EBADMSG, "it is damaged"},
	    {-ELOOP, "it is a symbolic link, and a recording goes into no file that a link chose"},
	    {-EINVAL, "it is not a regular file"},
	    {-EPERM, "it belongs to another user, who could read the payload"},
	    {-EMLINK, "it has other names too, through which the payload could be read"},
	};

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
		if (problems[i].error == error)
			return problems[i].words;
	return strerror(-error);
}
