/*
 * test_recording.c: what is written is read again; what is not a recording, or not whole, is told apart; where
 * payload may be written to.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/recording.h"
#include "records.h"

static char folder[] = "/tmp/test_recording.XXXXXX";
static char path[128];

static int make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/a.recording", folder);
	return test_seed(state);
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void make_random(union record *record, int index)
{
	char payload[257];

	switch (test_random_below(3)) {
	case 0:
		record_socket(record, (__u64)index, 7, (__u64)index, 6379);
		break;
	case 1:
		memset(payload, 'x', sizeof(payload));
		payload[test_random_below(sizeof(payload))] = 0;
		payload[sizeof(payload) - 1] = 0;
		record_segment(record, (__u64)index, 7, 1, NT_OUT, payload, test_random_below(2));
		break;
	default:
		record_setting(record, (__u64)index, "host", "web-3");
	}
}

static void append(struct recording_writer *writer, const union record *record)
{
	assert_int_equal(recording_write(writer, &record->head), 0);
}

/* A recording of `count` sockets and, if `ended`, an NT_END. */
static void make_file(int count, bool ended)
{
	struct recording_writer *writer;
	union record record;

	assert_int_equal(recording_create(path, &writer), 0);
	for (int i = 0; i < count; i++) {
		record_socket(&record, 1000, 7, (__u64)i + 1, 80);
		append(writer, &record);
	}
	record_begin(&record, NT_END, sizeof(record.head), 2000, 0);
	if (ended)
		append(writer, &record);
	assert_int_equal(recording_close(writer), 0);
}

/* Reads all records. Their number, and what the reading ended with. */
static int count_records(int *ret_end, uint64_t *ret_offset)
{
	struct recording_reader *reader;
	const struct nt_head *record;
	int count = 0;

	assert_int_equal(recording_open(path, &reader), 0);
	while ((*ret_end = recording_read(reader, &record)) > 0)
		count++;
	*ret_offset = recording_offset(reader);
	recording_reader_free(reader);
	return count;
}

static void write_at(long offset, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "r+");

	assert_non_null(file);
	assert_int_equal(fseek(file, offset, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, size, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void test_round_trip(void **state)
{
	enum { COUNT = 3000 };
	struct recording_writer *writer;
	struct recording_reader *reader;
	const struct nt_head *read;
	union record record;
	uint64_t seed = test_random_state;

	(void)state;
	assert_int_equal(recording_create(path, &writer), 0);
	for (int i = 0; i < COUNT; i++) {
		make_random(&record, i);
		append(writer, &record);
	}
	record_begin(&record, NT_END, sizeof(record.head), COUNT, 0);
	append(writer, &record);
	assert_int_equal(recording_close(writer), 0);
	test_random_state = seed;
	assert_int_equal(recording_open(path, &reader), 0);
	for (int i = 0; i < COUNT; i++) {
		make_random(&record, i);
		assert_int_equal(recording_read(reader, &read), 1);
		assert_int_equal(read->size, record.head.size);
		assert_memory_equal(read, &record, record.head.size);
	}
	assert_int_equal(recording_read(reader, &read), 1);
	assert_int_equal(read->type, NT_END);
	assert_int_equal(recording_read(reader, &read), 0);
	assert_int_equal(recording_read(reader, &read), 0);
	recording_reader_free(reader);
}

static void test_file_is_private(void **state)
{
	struct stat status;
	char text[256] = "";
	FILE *file;

	(void)state;
	umask(0);
	make_file(1, true);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	/* One that is there becomes private, and what it had is gone. */
	assert_int_equal(chmod(path, 0666), 0);
	make_file(0, true);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > sizeof(struct recording_header));
	assert_non_null(strstr(text + sizeof(struct recording_header), "keep it private"));
	assert_int_equal(((struct recording_header *)text)->flags, RECORDING_HOLDS_PAYLOAD);
	fclose(file);
}

static void test_where_not_to_write(void **state)
{
	struct recording_writer *writer = NULL;
	char other[160];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", folder);
	unlink(path);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(recording_create(path, &writer), -ELOOP);
	assert_int_equal(access(other, F_OK), -1);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(recording_create(path, &writer), -EINVAL); /* and it does not wait for a reader */
	unlink(path);
	make_file(1, true);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(recording_create(path, &writer), -EMLINK);
	unlink(other);
	assert_int_equal(recording_create(folder, &writer), -EISDIR);
	assert_int_equal(recording_create("/nowhere/at/all", &writer), -ENOENT);
	assert_int_equal(recording_create("/dev/null", &writer), -EINVAL);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(recording_create(path, &writer), -EPERM);
		unlink(path);
	}
	assert_null(writer);
	assert_int_equal(recording_close(NULL), 0);
}

/* A full disk, made by a limit of file size: one error, then silence, and the close tells it again. */
static void test_write_error(void **state)
{
	struct rlimit limit, before;
	struct recording_writer *writer;
	union record record;
	int errors = 0, last = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(recording_create(path, &writer), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = before;
	limit.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 10000; i++) {
		record_socket(&record, 1, 1, 1, 1);
		int err = recording_write(writer, &record.head);

		errors += err != 0;
		last = err ? err : last;
	}
	assert_int_equal(recording_flush(writer), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(errors, 1);
	assert_int_equal(last, -EFBIG);
	assert_int_equal(recording_close(writer), -EFBIG);
}

/* At whatever byte a file ends, it is truncated, and what is whole before is read. */
static void test_truncated(void **state)
{
	struct stat status;
	uint64_t offset;
	int end;

	(void)state;
	make_file(4, false);
	assert_int_equal(count_records(&end, &offset), 4);
	assert_int_equal(end, -ENODATA);
	make_file(4, true);
	assert_int_equal(stat(path, &status), 0);
	long header = status.st_size - 4 * (long)sizeof(struct nt_socket) - (long)sizeof(struct nt_head);

	for (long size = status.st_size - 1; size >= header; size--) {
		assert_int_equal(truncate(path, size), 0);
		assert_int_equal(count_records(&end, &offset), (size - header) / (long)sizeof(struct nt_socket));
		assert_int_equal(end, -ENODATA);
	}
	for (long size = header - 1; size >= 0; size--) {
		struct recording_reader *reader = NULL;

		assert_int_equal(truncate(path, size), 0);
		int err = recording_open(path, &reader);

		assert_true(err == -ENOEXEC || err == -ENODATA);
		assert_null(reader);
	}
}

static void test_malformed(void **state)
{
	static const __u32 sizes[] = {0, 1, 23, 76, 0x7fffffff, 0xfffffff8, RECORDING_MAX_RECORD + 8};
	static const __u16 no_type = 999;
	struct stat status;
	uint64_t offset;
	int end;

	(void)state;
	make_file(4, true);
	assert_int_equal(stat(path, &status), 0);
	long second = status.st_size - 3 * (long)sizeof(struct nt_socket) - (long)sizeof(struct nt_head);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		make_file(4, true);
		write_at(second, &sizes[i], sizeof(sizes[i]));
		assert_int_equal(count_records(&end, &offset), 1);
		assert_int_equal(end, -EBADMSG);
		assert_int_equal(offset, second);
	}
	make_file(4, true);
	write_at(second + 4, &no_type, sizeof(no_type));
	assert_int_equal(count_records(&end, &offset), 1);
	assert_int_equal(end, -EBADMSG);
	make_file(4, true); /* something behind the end */
	write_at(status.st_size, "x", 1);
	assert_int_equal(count_records(&end, &offset), 5);
	assert_int_equal(end, -EBADMSG);
	assert_int_equal(offset, status.st_size);
}

static void test_other_abi(void **state)
{
	static const __u32 abi = NT_ABI + 1;
	static const __u16 version = NT_ABI + 1;
	struct recording_reader *reader = NULL;
	struct stat status;
	uint64_t offset;
	int end;

	(void)state;
	make_file(1, true);
	write_at((long)offsetof(struct recording_header, abi), &abi, sizeof(abi));
	assert_int_equal(recording_open(path, &reader), -EPROTO);
	make_file(1, true);
	assert_int_equal(stat(path, &status), 0);
	write_at(status.st_size - (long)sizeof(struct nt_head) + (long)offsetof(struct nt_head, version), &version,
		 sizeof(version));
	assert_int_equal(count_records(&end, &offset), 1);
	assert_int_equal(end, -EPROTO);
}

static void test_no_recording(void **state)
{
	struct recording_reader *reader = NULL;

	(void)state;
	make_file(1, true);
	write_at(0, "NETTRACE", 8);
	assert_int_equal(recording_open(path, &reader), -ENOEXEC);
	assert_int_equal(recording_open(folder, &reader), -EISDIR);
	assert_int_equal(recording_open("/nowhere", &reader), -ENOENT);
	assert_int_equal(recording_open("/dev/null", &reader), -ENOEXEC);
	assert_null(reader);
	recording_reader_free(NULL);
}

/* Every error has words, and none of ours is taken for another. */
static void test_problems(void **state)
{
	static const int errors[] = {-ENOEXEC, -EPROTO, -ENODATA, -EBADMSG, -ELOOP,
				     -EINVAL,  -EPERM,	-EMLINK,  -EISDIR,  -EACCES};

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(recording_problem(errors[i]), recording_problem(errors[j]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),	       cmocka_unit_test(test_file_is_private),
	    cmocka_unit_test(test_where_not_to_write), cmocka_unit_test(test_write_error),
	    cmocka_unit_test(test_truncated),	       cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_other_abi),	       cmocka_unit_test(test_no_recording),
	    cmocka_unit_test(test_problems),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
