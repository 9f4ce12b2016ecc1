/*
 * recording.h: the file that --record writes and nettrace replay reads.
 *
 * A header, then the records of event.h as they went into the core, until NT_END. Numbers are in the machine's byte
 * order (little endian: only x86-64 is supported). A recording holds payload, so it is only its owner's to read.
 * Functions return negative errno where they can fail; recording_problem() puts it in words.
 */
#ifndef NT_RECORDING_H
#define NT_RECORDING_H

#include <stdint.h>

#include "../bpf/event.h"

#define RECORDING_MAGIC "nettrace" /* eight bytes, no NUL */
#define RECORDING_HOLDS_PAYLOAD 0x01

/* What a file begins with. */
struct recording_header {
	char magic[8];
	__u32 abi;	   /* NT_ABI of its records */
	__u32 header_size; /* bytes before the first record, a multiple of 8 */
	__u32 flags;	   /* RECORDING_* */
	__u32 reserved;
	/* then a line for those who look into the file, filled up with NUL */
};
_Static_assert(sizeof(struct recording_header) == 24, "layout");

/* A record of a recording is at most this large: what NT_SETTING's lengths allow, rounded up. */
#define RECORDING_MAX_RECORD (256u * 1024)

struct recording_writer;

/*
 * Creates the file with mode 0600, or empties one that is there and is ours alone. It never goes through a symbolic
 * link: -ELOOP; -EINVAL: not a regular file; -EPERM: somebody else's; -EMLINK: it has other names too.
 */
int recording_create(const char *path, struct recording_writer **ret_writer);

/*
 * Appends a record. Negative errno once, for the first failure; the writer stays failed, and what follows is
 * dropped without another error.
 */
int recording_write(struct recording_writer *writer, const struct nt_head *record);

/* Hands what is buffered to the kernel: the end of this process loses nothing then. Errors as recording_write(). */
int recording_flush(struct recording_writer *writer);

/* 0, or the error that the writer failed with, now or before. NULL is fine: 0. */
int recording_close(struct recording_writer *writer);

struct recording_reader;

/*
 * Opens a recording and reads its header. -ENOEXEC: no recording; -EPROTO: of another NT_ABI; -EISDIR and others of the
 * file itself.
 */
int recording_open(const char *path, struct recording_reader **ret_reader);
void recording_reader_free(struct recording_reader *reader);

/*
 * Reads the next record, which has passed record_check() and is valid until the next call. 1; 0: the end, after an
 * NT_END; -ENODATA: the file ends without one, or within a record; -EBADMSG: what is at recording_offset() is no
 * record; -EPROTO: it is one of another NT_ABI; -EIO and others of the file.
 */
int recording_read(struct recording_reader *reader, const struct nt_head **ret_record);

/* Where in the file the last record that was asked for begins. */
uint64_t recording_offset(const struct recording_reader *reader);

/* What an error of these functions means, without a full stop. Static, or strerror()'s. */
const char *recording_problem(int error);

#endif
