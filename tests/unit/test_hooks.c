/*
 * Tests of daemon/target/hooks.c: small files made here, with the tables of each CPython's kind, whole and broken, and
 * the modules of this machine's interpreter.
 */
#define _GNU_SOURCE
#include "elf_image.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../daemon/target/hooks.h"
#include "../../daemon/target/target.h"

#define WORDS 80      /* of a file's table of pointers */
#define FUNCTION 0x40 /* of the text section, where the function that is looked for begins */
#define FLAG_GC (1 << 14)

/* A file under construction: a text section, one with strings, one with words, relocations for some of them. */
struct made {
	struct image image;
	uint64_t words[WORDS];
	Elf64_Rela relocations[WORDS];
	size_t relocation_count;
	char strings[256];
	size_t strings_used;
	uint64_t text, names, data; /* addresses */
	bool relocated;		    /* pointers are only in the relocations */
};

/* The sections come in a fixed order with room reserved, so that addresses are known before the contents. */
static void made_begin(struct made *made, bool relocated)
{
	static const uint8_t code[0x80];
	unsigned text, names;

	memset(made, 0, sizeof(*made));
	made->relocated = relocated;
	image_begin(&made->image);
	text = image_add_section(&made->image, ".text", SHT_PROGBITS, code, sizeof(code));
	names = image_add_section(&made->image, ".rodata", SHT_PROGBITS, made->strings, sizeof(made->strings));
	made->text = made->image.headers[text].sh_addr;
	made->names = made->image.headers[names].sh_addr;
	/* Where the next section will begin: sections are aligned to 16 bytes. */
	made->data = IMAGE_BASE + ((made->image.used + 15) & ~(size_t)15);
	made->strings_used = 1;
}

static uint64_t made_string(struct made *made, const char *text)
{
	uint64_t address = made->names + made->strings_used;

	assert_true(made->strings_used + strlen(text) < sizeof(made->strings));
	strcpy(made->strings + made->strings_used, text);
	made->strings_used += strlen(text) + 1;
	return address;
}

static void made_pointer(struct made *made, unsigned word, uint64_t value)
{
	assert_true(word < WORDS);
	if (!made->relocated) {
		made->words[word] = value;
		return;
	}
	made->relocations[made->relocation_count++] = (Elf64_Rela){
	    .r_offset = made->data + word * 8,
	    .r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
	    .r_addend = (int64_t)value,
	};
}

static uint64_t made_word(const struct made *made, unsigned word)
{
	return made->data + word * 8;
}

static void made_end(struct made *made)
{
	unsigned data = image_add_section(&made->image, ".data", SHT_PROGBITS, made->words, sizeof(made->words));

	assert_int_equal(made->image.headers[data].sh_addr, made->data);
	memcpy(made->image.bytes + (made->names - IMAGE_BASE), made->strings, sizeof(made->strings));
	if (made->relocation_count)
		image_add_section(&made->image, ".rela.dyn", SHT_RELA, made->relocations,
				  made->relocation_count * sizeof(made->relocations[0]));
	image_end(&made->image);
}

/* A static PyTypeObject at word 0, the word `field` bytes into it pointing to `value`. */
static void made_type(struct made *made, const char *name, unsigned field, uint64_t value)
{
	made_pointer(made, 3, made_string(made, name));
	made->words[4] = 120;
	made->words[21] = 1 << 18 | FLAG_GC;
	made_pointer(made, 6, made->text); /* tp_dealloc */
	made_pointer(made, field / 8, value);
}

/* A PyType_Spec at word 0, its slots from word 4 on: one of another kind first, then `slot`. */
static void made_spec(struct made *made, const char *name, unsigned slot, uint64_t value)
{
	made_pointer(made, 0, made_string(made, name));
	made->words[1] = 120;
	made->words[2] = FLAG_GC;
	made_pointer(made, 3, made_word(made, 4));
	made->words[4] = 52; /* Py_tp_dealloc */
	made_pointer(made, 5, made->text);
	made->words[6] = slot;
	made_pointer(made, 7, value);
}

/* Methods from word 50 on: another one, whose name begins alike, then `name`. Returns the table's address. */
static uint64_t made_methods(struct made *made, const char *name, uint64_t flags, const char *text)
{
	char other[64];

	snprintf(other, sizeof(other), "%s_nowait", name);
	made_pointer(made, 50, made_string(made, other));
	made_pointer(made, 51, made->text);
	made->words[52] = 0x82;
	made_pointer(made, 54, made_string(made, name));
	made_pointer(made, 55, made->text + FUNCTION);
	made->words[56] = flags;
	made_pointer(made, 57, made_string(made, text));
	return made_word(made, 50);
}

static int find(const void *bytes, size_t size, struct hooks *ret_hooks)
{
	int fd = make_file(bytes, size), r;

	r = hooks_find(fd, ret_hooks);
	close(fd);
	return r;
}

static void check_found(struct made *made, enum hook_function function, enum hook_convention convention)
{
	struct hooks hooks;

	made_end(made);
	assert_int_equal(find(made->image.bytes, made->image.used, &hooks), 0);
	assert_int_equal(hooks.count, 1);
	assert_int_equal(hooks.hooks[0].function, function);
	assert_int_equal(hooks.hooks[0].convention, convention);
	assert_int_equal(hooks.hooks[0].offset, made->text + FUNCTION - IMAGE_BASE);
}

static void check_none(struct made *made)
{
	struct hooks hooks;

	made_end(made);
	assert_int_equal(find(made->image.bytes, made->image.used, &hooks), 0);
	assert_int_equal(hooks.count, 0);
}

/* 3.8 to 3.11, in a module and in an executable that is not relocated. */
static void test_task_type(void **state)
{
	struct made made;
	unsigned relocated;

	(void)state;
	for (relocated = 0; relocated < 2; relocated++) {
		made_begin(&made, relocated);
		made_type(&made, "_asyncio.Task", 296, made.text + FUNCTION);
		check_found(&made, HOOK_TASK_INIT, HOOK_TUPLE);
	}
}

/* 3.12 on. */
static void test_task_spec(void **state)
{
	struct made made;
	unsigned relocated;

	(void)state;
	for (relocated = 0; relocated < 2; relocated++) {
		made_begin(&made, relocated);
		made_spec(&made, "_asyncio.Task", 60, made.text + FUNCTION);
		check_found(&made, HOOK_TASK_INIT, HOOK_TUPLE);
	}
}

static void test_queue_put(void **state)
{
	static const struct {
		uint32_t flags;
		int convention;
	} kinds[] = {{0x82, HOOK_ARRAY}, {0x80, HOOK_ARRAY}, {0x08, HOOK_ONE},
		     {0x01, HOOK_TUPLE}, {0x03, HOOK_TUPLE}, {0x282, HOOK_METHOD}};
	struct made made;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		made_begin(&made, i % 2);
		made_type(&made, "_queue.SimpleQueue", 232, made_methods(&made, "put", kinds[i].flags, ""));
		check_found(&made, HOOK_QUEUE_PUT, kinds[i].convention);
		made_begin(&made, i % 2);
		made_spec(&made, "_queue.SimpleQueue", 64, made_methods(&made, "put", kinds[i].flags, ""));
		check_found(&made, HOOK_QUEUE_PUT, kinds[i].convention);
	}
}

/* Cython's: in the type's table or standing alone, known by its text. */
static void test_stream_write(void **state)
{
	struct made made;

	(void)state;
	made_begin(&made, true);
	made_methods(&made, "write", 0x82, "UVStream.write(self, buf)");
	check_found(&made, HOOK_STREAM_WRITE, HOOK_ARRAY);
	made_begin(&made, true);
	made_methods(&made, "writelines", 0x08, "UVStream.writelines(self, bufs)");
	check_found(&made, HOOK_STREAM_WRITE, HOOK_ONE);
	made_begin(&made, true);
	made_methods(&made, "write", 0x82, "_SSLProtocolTransport.write(self, data)");
	check_none(&made);
}

static void test_deque_pop(void **state)
{
	struct made made;

	(void)state;
	made_begin(&made, false); /* until 3.11 */
	made_type(&made, "collections.deque", 232, made_methods(&made, "pop", 0x04, ""));
	check_found(&made, HOOK_DEQUE_POP, HOOK_NONE);
	made_begin(&made, false);
	made_spec(&made, "collections.deque", 64, made_methods(&made, "pop", 0x04, ""));
	check_found(&made, HOOK_DEQUE_POP, HOOK_NONE);
}

static void test_not_there(void **state)
{
	struct made made;

	(void)state;
	made_begin(&made, true); /* the name is there, and nothing that points to it */
	made_string(&made, "_asyncio.Task");
	check_none(&made);
	made_begin(&made, true); /* another type's */
	made_type(&made, "_asyncio.TaskStepMethWrapper", 296, made.text + FUNCTION);
	check_none(&made);
	made_begin(&made, true); /* a pointer to the name in a table of strings */
	made_pointer(&made, 3, made_string(&made, "_asyncio.Task"));
	made_pointer(&made, 3 + 272 / 8, made.text + FUNCTION);
	check_none(&made);
	made_begin(&made, true); /* a function outside the file's code */
	made_type(&made, "_asyncio.Task", 296, IMAGE_BASE + 0x100000);
	check_none(&made);
	made_begin(&made, true); /* slots that never end */
	made_spec(&made, "_asyncio.Task", 60, made.text + FUNCTION);
	for (unsigned i = 8; i < WORDS; i += 2)
		made.words[i] = 1;
	check_none(&made);
	made_begin(&made, true); /* called in a way that no CPython has */
	made_type(&made, "_queue.SimpleQueue", 232, made_methods(&made, "put", 0x8a, ""));
	check_none(&made);
}

/* What comes of a broken file does not matter, but that it comes, and is within bounds. */
static void check_sane(int result, const struct hooks *hooks)
{
	size_t i;

	assert_true(result == 0 || result == -ENOEXEC || result == -ENOTSUP);
	assert_true(hooks->count <= HOOKS_MAX);
	for (i = 0; result == 0 && i < hooks->count; i++)
		assert_true(hooks->hooks[i].function < HOOK_FUNCTION_COUNT && hooks->hooks[i].convention <= HOOK_NONE);
}

static void test_broken(void **state)
{
	static const uint64_t extremes[] = {0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX, UINT64_MAX - 15};
	struct image broken;
	struct hooks hooks;
	unsigned round;
	struct made made;
	size_t at, size;

	(void)state;
	for (round = 0; round < 20000; round++) {
		made_begin(&made, round % 2);
		if (round % 4 < 2)
			made_type(&made, "_queue.SimpleQueue", 232, made_methods(&made, "put", 0x82, ""));
		else
			made_spec(&made, "_queue.SimpleQueue", 64, made_methods(&made, "put", 0x82, ""));
		made_end(&made);
		broken = made.image;
		at = test_random_below(broken.used - 8);
		if (test_random_below(2))
			memcpy(broken.bytes + (at & ~7ull), &extremes[test_random_below(6)], 8);
		else
			broken.bytes[at] = (uint8_t)test_random();
		size = test_random_below(8) ? broken.used : test_random_below(broken.used);
		check_sane(find(broken.bytes, size, &hooks), &hooks);
	}
}

/* Opens the first file that fits; -1: none. */
static int open_first(const char *pattern)
{
	glob_t found;
	int fd = -1;

	if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
		fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	return fd;
}

static void check_system(const char *module, enum hook_function function, enum hook_convention convention)
{
	int fd = open_first(module);
	struct hooks hooks;

	if (fd < 0) {
		print_message("skipped: no %s here\n", module);
		skip();
	}
	assert_int_equal(hooks_find(fd, &hooks), 0);
	assert_int_equal(hooks.count, 1);
	assert_int_equal(hooks.hooks[0].function, function);
	assert_int_equal(hooks.hooks[0].convention, convention);
	close(fd);
}

static void test_system_task(void **state)
{
	(void)state;
	check_system("/usr/lib/python3.*/lib-dynload/_asyncio.*.so", HOOK_TASK_INIT, HOOK_TUPLE);
}

static void test_system_queue(void **state)
{
	(void)state;
	check_system("/usr/lib/python3.*/lib-dynload/_queue.*.so", HOOK_QUEUE_PUT, HOOK_ARRAY);
}

static int count_queue(void *context, const struct hooks *hooks)
{
	struct stat status;
	int *count = context;

	assert_int_equal(stat(hooks->path, &status), 0);
	assert_int_equal(status.st_ino, hooks->inode);
	if (hooks->hooks[0].function == HOOK_QUEUE_PUT)
		++*count;
	return 0;
}

/* What a process has mapped: here ourselves, the file deleted meanwhile. */
static void test_mapped(void **state)
{
	char directory[] = "/tmp/nettrace-hooks-XXXXXX", path[64];
	struct made made;
	struct target self = {.pid = getpid()};
	int fd, count = 0;
	void *at;

	(void)state;
	made_begin(&made, true);
	made_spec(&made, "_queue.SimpleQueue", 64, made_methods(&made, "put", 0x82, ""));
	made_end(&made);
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/_queue.so", directory);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, made.image.bytes, made.image.used), (ssize_t)made.image.used);
	assert_int_equal(hooks_each(&self, count_queue, &count), 0);
	assert_int_equal(count, 0);
	at = mmap(NULL, made.image.used, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(at != MAP_FAILED);
	assert_int_equal(hooks_each(&self, count_queue, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
	/* map_files wants privileges; a path that leads nowhere any more finds nothing. */
	count = 0;
	assert_int_equal(hooks_each(&self, count_queue, &count), 0);
	assert_int_equal(count, geteuid() == 0);
	munmap(at, made.image.used);
	close(fd);
}

/* Creates an empty file below a directory, with the directories on its way, and maps it. */
static void *map_below(const char *directory, const char *file)
{
	char path[256];
	void *at;
	int fd;

	for (const char *slash = strchr(file, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(path, sizeof(path), "%s/%.*s", directory, (int)(slash - file), file);
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	}
	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "", 1), 1);
	at = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(at != MAP_FAILED);
	close(fd);
	return at;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

/* anyio is taken to be in use where an event loop's module is loaded and anyio is where another library comes from. */
static void test_anyio(void **state)
{
	char directory[] = "/tmp/nettrace-hooks-XXXXXX";
	struct target self = {.pid = getpid(), .python = {3, 11, 2}};
	void *mapped[3];

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_false(hooks_anyio_is_likely(&self));
	mapped[0] = map_below(directory, "site-packages/other/speedups.so");
	mapped[1] = map_below(directory, "lib-dynload/_asyncio.so");
	assert_false(hooks_anyio_is_likely(&self));
	mapped[2] = map_below(directory, "site-packages/anyio/_backends/_asyncio.py");
	munmap(mapped[2], 1);
	assert_true(hooks_anyio_is_likely(&self));
	munmap(mapped[1], 1);
	assert_false(hooks_anyio_is_likely(&self));
	munmap(mapped[0], 1);
	assert_int_equal(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_task_type),	 cmocka_unit_test(test_task_spec),
	    cmocka_unit_test(test_queue_put),	 cmocka_unit_test(test_stream_write),
	    cmocka_unit_test(test_deque_pop),	 cmocka_unit_test(test_not_there),
	    cmocka_unit_test(test_broken),	 cmocka_unit_test(test_system_task),
	    cmocka_unit_test(test_system_queue), cmocka_unit_test(test_mapped),
	    cmocka_unit_test(test_anyio),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
