/*
 * Tests of what is read from files: daemon/target/elf.c, usdt.c and binary.c, on small files made here, whole and
 * broken, and on the interpreter of this machine.
 */
#define _GNU_SOURCE
#include "elf_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/target/binary.h"
#include "../../daemon/target/layout.h"

/* A note as <sys/sdt.h> writes it. Returns its size. */
static size_t make_note(uint8_t *ret_note, const char *provider, const char *name)
{
	Elf64_Nhdr head = {.n_namesz = 8, .n_type = 3};
	uint64_t addresses[3] = {IMAGE_BASE + 16, 0, 0};
	uint8_t *at = ret_note + sizeof(head);

	memcpy(at, "stapsdt", 8);
	memcpy(at + 8, addresses, sizeof(addresses));
	at += 8 + sizeof(addresses);
	at = (uint8_t *)stpcpy((char *)at, provider) + 1;
	at = (uint8_t *)stpcpy((char *)at, name) + 1;
	at = (uint8_t *)stpcpy((char *)at, "8@%rbp") + 1;
	head.n_descsz = (uint32_t)(at - ret_note - (ptrdiff_t)sizeof(head) - 8);
	memcpy(ret_note, &head, sizeof(head));
	return ((size_t)(at - ret_note) + 3) & ~(size_t)3;
}

static void image_add_notes(struct image *image)
{
	uint8_t notes[512] = {0};
	size_t size = 0;

	size += make_note(notes + size, "python", "line");
	size += make_note(notes + size, "libc", "function__return");
	size += make_note(notes + size, "python", "function__entry");
	image_add_section(image, ".note.stapsdt", SHT_NOTE, notes, size);
}

static int parse(const void *bytes, size_t size, struct binary *ret_binary)
{
	int fd = make_file(bytes, size), r;

	r = binary_parse(fd, ret_binary);
	close(fd);
	return r;
}

static int parse_image(struct image *image, struct binary *ret_binary)
{
	image_end(image);
	return parse(image->bytes, image->used, ret_binary);
}

/* 3.9: a runtime in a data section, a symbol for it, the version only in strings. */
static void make_python_3_9(struct image *image, const char *strings, size_t size)
{
	uint8_t runtime[64] = {0};
	unsigned data;

	image_begin(image);
	data = image_add_section(image, ".data", SHT_PROGBITS, runtime, sizeof(runtime));
	image_add_section(image, ".rodata", SHT_PROGBITS, strings, size);
	image_add_symbol(image, SHT_DYNSYM, "_PyRuntime", data);
	image_add_notes(image);
}

static void test_version_from_strings(void **state)
{
	static const struct {
		const char *strings;
		size_t size;
		uint8_t version[3];
	} cases[] = {
#define CASE(text, ...)                                                                                                \
	{                                                                                                              \
		text, sizeof(text),                                                                                    \
		{                                                                                                      \
			__VA_ARGS__                                                                                    \
		}                                                                                                      \
	}
	    CASE("x\0lib/python3.9\0003.9.2\0", 3, 9, 2),
	    CASE("/opt/python-3.9.18\0python3.9\0", 3, 9, 18), /* merged with the end of another string */
	    CASE("python3.10\0lib-3.10.1\0003.10.13+\0", 3, 10, 13),
	    CASE("python3.10\00013.10.4\0003.10.0rc1\0", 3, 10, 0),
	    CASE("python3.8\0", 3, 8, 0),
	    CASE("Usage: python script\0python3\0python2.7\0", 2, 7, 0),
	    CASE("python3.999\0python3\0", 0, 0, 0),
	    CASE("python3.", 0, 0, 0),
	    CASE("python", 0, 0, 0),
	};
	struct binary binary;
	struct image image;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_python_3_9(&image, cases[i].strings, cases[i].size);
		assert_int_equal(parse_image(&image, &binary), 0);
		assert_true(binary.python);
		assert_memory_equal(binary.version, cases[i].version, 3);
		assert_int_equal(binary.layout.minor,
				 layout_find(cases[i].version[0], cases[i].version[1]) ? cases[i].version[1] : 0);
	}
}

static void test_runtime_and_probes(void **state)
{
	static const char strings[] = "python3.9\0003.9.2";
	struct binary binary;
	struct image image;

	(void)state;
	make_python_3_9(&image, strings, sizeof(strings));
	assert_int_equal(parse_image(&image, &binary), 0);
	assert_true(binary.relocatable);
	assert_int_equal(binary.runtime, image.headers[1].sh_addr);
	assert_int_equal(binary.load_count, 1);
	assert_int_equal(binary.loads[0].address, IMAGE_BASE);
	assert_true(binary.usdt.entry);
	assert_false(binary.usdt.returned); /* that one is another provider's */
}

/* 3.11 and 3.12 say their version in a symbol; stripped of symbols, the runtime has a section of its own. */
static void test_version_from_symbol(void **state)
{
	uint64_t version = 0x030b02f0;
	static const char strings[] = "python3.12";
	struct binary binary;
	struct image image;
	unsigned data;

	(void)state;
	image_begin(&image);
	image_add_section(&image, ".PyRuntime", SHT_PROGBITS, strings, sizeof(strings));
	data = image_add_section(&image, ".rodata", SHT_PROGBITS, &version, sizeof(version));
	image_add_symbol(&image, SHT_SYMTAB, "Py_Version", data);
	assert_int_equal(parse_image(&image, &binary), 0);
	assert_true(binary.python);
	assert_int_equal(binary.runtime, image.headers[1].sh_addr);
	assert_int_equal(binary.version[1], 11);
	assert_int_equal(binary.version[2], 2);
	assert_memory_equal(&binary.layout, layout_find(3, 11), sizeof(binary.layout));
}

static void make_python_3_13(struct image *image, bool free_threaded)
{
	uint64_t words[LAYOUT_MAX_WORDS] = {0, 0x030d0500, free_threaded};
	unsigned data;

	memcpy(words, "xdebugpy", 8);
	image_begin(image);
	data = image_add_section(image, ".PyRuntime", SHT_PROGBITS, words, sizeof(words));
	image_add_symbol(image, SHT_DYNSYM, "_PyRuntime", data);
}

static void test_version_from_debug_offsets(void **state)
{
	struct binary binary;
	struct image image;

	(void)state;
	make_python_3_13(&image, false);
	assert_int_equal(parse_image(&image, &binary), 0);
	assert_int_equal(binary.version[1], 13);
	assert_int_equal(binary.version[2], 5);
	assert_false(binary.free_threaded);
	/* These offsets are all 0 and make no sense: the row holds. */
	assert_memory_equal(&binary.layout, layout_find(3, 13), sizeof(binary.layout));
	make_python_3_13(&image, true);
	assert_int_equal(parse_image(&image, &binary), 0);
	assert_true(binary.free_threaded);
}

static void test_no_python(void **state)
{
	static const char text[] = "#!/usr/bin/python3\nimport os\n";
	struct binary binary;
	struct image image;

	(void)state;
	image_begin(&image);
	image_add_symbol(&image, SHT_DYNSYM, "_PyRuntime", 0); /* wanted, but not here: an executable of a libpython */
	assert_int_equal(parse_image(&image, &binary), 0);
	assert_false(binary.python);
	assert_int_equal(parse(text, sizeof(text), &binary), -ENOEXEC);
	assert_int_equal(parse("", 0, &binary), -ENOEXEC);
}

static void test_other_machines(void **state)
{
	static const char strings[] = "python3.9";
	struct binary binary;
	struct image image;

	(void)state;
	make_python_3_9(&image, strings, sizeof(strings));
	image_end(&image);
	image.bytes[EI_CLASS] = ELFCLASS32;
	assert_int_equal(parse(image.bytes, image.used, &binary), -ENOTSUP);
	assert_string_equal(binary.kind, "a 32-bit program");
	image.bytes[EI_CLASS] = ELFCLASS64;
	((Elf64_Ehdr *)image.bytes)->e_machine = EM_AARCH64;
	assert_int_equal(parse(image.bytes, image.used, &binary), -ENOTSUP);
	assert_string_equal(binary.kind, "a program for arm64");
	((Elf64_Ehdr *)image.bytes)->e_machine = EM_X86_64;
	((Elf64_Ehdr *)image.bytes)->e_type = ET_REL;
	assert_int_equal(parse(image.bytes, image.used, &binary), -ENOEXEC);
}

/* What comes of a broken file does not matter, but that it comes, and is within bounds. */
static void check_sane(int result, const struct binary *binary)
{
	assert_true(result == 0 || result == -ENOEXEC || result == -ENOTSUP);
	assert_true(binary->load_count <= ELF_FILE_MAX_LOADS);
	assert_true(binary->layout.major == 0 || layout_find(binary->version[0], binary->version[1]));
}

static void make_whole(struct image *image)
{
	static const char strings[] = "lib/python3.9\0003.9.2";

	make_python_3_9(image, strings, sizeof(strings));
	image_end(image);
}

static void test_truncated(void **state)
{
	struct binary binary;
	struct image image;
	size_t size;

	(void)state;
	make_whole(&image);
	for (size = 0; size < image.used; size++)
		check_sane(parse(image.bytes, size, &binary), &binary);
}

static void test_broken(void **state)
{
	static const uint8_t extremes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	struct image image, broken;
	struct binary binary;
	unsigned round, flips;
	size_t at;

	(void)state;
	make_whole(&image);
	for (round = 0; round < 30000; round++) {
		broken = image;
		for (flips = 1 + (unsigned)test_random_below(4); flips > 0; flips--) {
			at = test_random_below(image.used);
			broken.bytes[at] = test_random_below(2) ? extremes[test_random_below(sizeof(extremes))]
								: (uint8_t)test_random();
		}
		check_sane(parse(broken.bytes, image.used, &binary), &binary);
	}
}

/* Every length and offset of the headers, one after another, at its worst. */
static void test_extreme_headers(void **state)
{
	static const uint64_t values[] = {0, 1, 0xffff, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 15};
	struct image image, broken;
	struct binary binary;
	size_t at, i, end;

	(void)state;
	make_whole(&image);
	end = ((Elf64_Ehdr *)image.bytes)->e_shoff + image.sections * sizeof(Elf64_Shdr);
	for (at = EI_NIDENT; at + 8 <= end; at += 4) {
		for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			broken = image;
			memcpy(broken.bytes + at, &values[i], 8);
			check_sane(parse(broken.bytes, image.used, &binary), &binary);
			memcpy(broken.bytes + at + 4, image.bytes + at + 4, 4);
			check_sane(parse(broken.bytes, image.used, &binary), &binary);
		}
	}
}

/* The interpreter of this machine, its copies cut and broken at random. */
static void test_system_python(void **state)
{
	int fd = open("/usr/bin/python3", O_RDONLY | O_CLOEXEC), copy;
	struct binary binary, again;
	struct stat status;
	unsigned round;
	uint8_t *bytes;

	(void)state;
	if (fd < 0) {
		print_message("skipped: no /usr/bin/python3 here\n");
		skip();
	}
	assert_int_equal(binary_parse(fd, &binary), 0);
	assert_int_equal(fstat(fd, &status), 0);
	if (!binary.python) {
		close(fd);
		print_message("skipped: this /usr/bin/python3 has its interpreter in a library\n");
		skip();
	}
	assert_int_equal(binary.version[0], 3);
	assert_true(binary.runtime != 0);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(bytes != MAP_FAILED);
	for (round = 0; round < 20; round++) {
		bytes[test_random_below(64 + 56 * 13)] ^= (uint8_t)(1 + test_random_below(255));
		bytes[(size_t)status.st_size - 1 - test_random_below(32 * 64)] ^= (uint8_t)(1 + test_random_below(255));
		copy =
		    make_file(bytes, round % 2 ? (size_t)status.st_size : test_random_below((uint64_t)status.st_size));
		check_sane(binary_parse(copy, &again), &again);
		close(copy);
	}
	munmap(bytes, (size_t)status.st_size);
	close(fd);
}

/* A file is read once, and again when it has changed. */
static void test_cache(void **state)
{
	static const char strings[] = "python3.9\0003.9.2";
	struct binary first, second;
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	struct image image;
	unsigned i;
	int fd, others[BINARY_CACHE];

	(void)state;
	make_python_3_9(&image, strings, sizeof(strings));
	image_end(&image);
	fd = make_file(image.bytes, image.used);
	assert_int_equal(binary_read(fd, &first), 0);
	assert_int_equal(first.version[2], 2);
	assert_int_equal(binary_read(fd, &second), 0);
	assert_memory_equal(&first, &second, sizeof(first));
	make_python_3_13(&image, false);
	image_end(&image);
	assert_int_equal(pwrite(fd, image.bytes, image.used, 0), (ssize_t)image.used);
	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(binary_read(fd, &second), 0);
	assert_int_equal(second.version[1], 13);
	for (i = 0; i < BINARY_CACHE; i++) { /* more than it holds */
		others[i] = make_file("no program", 10);
		assert_int_equal(binary_read(others[i], &first), -ENOEXEC);
		assert_int_equal(binary_read(others[i], &first), -ENOEXEC);
	}
	assert_int_equal(binary_read(fd, &second), 0);
	assert_int_equal(second.version[1], 13);
	for (i = 0; i < BINARY_CACHE; i++)
		close(others[i]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_version_from_strings),
	    cmocka_unit_test(test_runtime_and_probes),
	    cmocka_unit_test(test_version_from_symbol),
	    cmocka_unit_test(test_version_from_debug_offsets),
	    cmocka_unit_test(test_no_python),
	    cmocka_unit_test(test_other_machines),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_broken),
	    cmocka_unit_test(test_extreme_headers),
	    cmocka_unit_test(test_system_python),
	    cmocka_unit_test(test_cache),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
