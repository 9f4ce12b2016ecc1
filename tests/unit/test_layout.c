/*
 * Tests of daemon/target/layout.c: the rows, CPython's own word about them, and both against living interpreters.
 */
#define _GNU_SOURCE
#include "test.h"

#include "../../daemon/target/layout.h"
#include "child.h"
#include "walk.h"

/* The words of a 3.13.0 built with gcc for x86-64, as they stand in its data section. */
static const uint64_t debug_3_13[] = {
    0,	    0x030d00f0, 0,						  /* cookie, version, free-threaded */
    283320, 608,	632,						  /* runtime */
    194968, 7272,	7264, 7344, 7400, 7656, 7640, 7648, 16,		  /* interpreter */
    7752,   0,		7768, 7760,					  /* */
    304,    0,		8,    16,   72,	  152,	160,  232,  32,		  /* thread */
    80,	    8,		0,    56,   72,	  70,				  /* frame */
    208,    112,	120,  128,  136,  68,	52,   96,   104, 200,	  /* code */
    16,	    8,		416,  24,   88,	  168,				  /* object, type */
    32,	    24,		16,   40,   24,	  16,	48,   32,   40,	 24,  16, /* tuple, list, dict, float */
    32,	    16,		24,   40,   16,	  32,	64,   32,   16,	 40,	  /* long, bytes, unicode */
};

/*
 * The same for 3.14 and 3.15, in the order of pycore_debug_offsets.h: what the table of facts has for these versions, 1
 * where no test looks.
 */
static const uint64_t debug_3_14[] = {
    0,	    0x030e00f0, 0,    400000, 1,   808, /* */
    200000, 1,		7272, 7344,   1,   1,	1,   1,	 1,   1,   1,
    1,	    1,		1,    1,      1,			      /* interpreter: + threads_main, two generations */
    400,    0,		8,    16,     72,  152, 160, 1,	 1,	      /* thread */
    88,	    8,		0,    56,     80,  74,	64,  0,		      /* frame: + stack pointer, index */
    216,    112,	120,  128,    136, 68,	52,  96, 104, 208, 0, /* code: + thread-local code */
    16,	    8,		416,  24,     88,  168,			      /* object, type */
    32,	    24,		16,   40,     24,  16,	200, 24, 40,  32,     /* tuple, list, set */
    48,	    32,		40,   24,     16,  32,	16,  24, 40,  16,  32, /* dict, float, long, bytes */
    64,	    32,		16,   40,				       /* unicode */
};
static const uint64_t debug_3_15[] = {
    0,	    0x030f02f0, 0,    400000, 1,   936, /* */
    200000, 1,		7264, 7336,   1,   1,	1,   1,	 1,   1,   1,
    1,	    1,		1,    1,      1, /* interpreter */
    880,    0,		8,    16,     72,  80,	88,  96, 176, 184, 248,
    32,	    36,		40,   1,      1,			       /* thread: + base, profiled, state */
    0,								       /* exception */
    88,	    8,		0,    56,     80,  74,	64,  0,		       /* frame */
    216,    112,	120,  128,    136, 68,	52,  96, 104, 208, 0,  /* code */
    16,	    8,		416,  24,     88,  168, 1,   1,	 800, 1,       /* object, type, heap type */
    32,	    24,		16,   40,     24,  16,	200, 24, 40,  32,      /* tuple, list, set */
    48,	    32,		40,   24,     16,  32,	16,  24, 40,  16,  32, /* dict, float, long, bytes */
    64,	    32,		16,   40,     56,			       /* unicode: + compact */
};

static const struct {
	uint8_t minor;
	const uint64_t *words;
	size_t count;
} debug_tables[] = {
    {13, debug_3_13, sizeof(debug_3_13) / sizeof(debug_3_13[0])},
    {14, debug_3_14, sizeof(debug_3_14) / sizeof(debug_3_14[0])},
    {15, debug_3_15, sizeof(debug_3_15) / sizeof(debug_3_15[0])},
};

#define DEBUG_TABLES (sizeof(debug_tables) / sizeof(debug_tables[0]))

static size_t debug_copy(size_t table, uint64_t words[LAYOUT_MAX_WORDS])
{
	memcpy(words, debug_tables[table].words, debug_tables[table].count * sizeof(words[0]));
	memcpy(&words[0], "xdebugpy", 8);
	return debug_tables[table].count;
}

static void test_rows(void **state)
{
	const struct nt_layout *row;
	uint8_t minor;

	(void)state;
	for (minor = 8; minor <= 15; minor++) {
		row = layout_find(3, minor);
		assert_non_null(row);
		assert_int_equal(row->major, 3);
		assert_int_equal(row->minor, minor);
		assert_int_equal(row->frame_kind, minor >= 11);
		assert_int_equal(row->code_qualname == 0, minor < 11);
		assert_int_equal(row->cframe_frame != LAYOUT_NONE, minor == 11 || minor == 12);
	}
	assert_null(layout_find(3, 7));
	assert_null(layout_find(3, 16));
	assert_null(layout_find(2, 11));
	assert_string_equal(target_supported(), "3.8, 3.9, 3.10, 3.11, 3.12, 3.13, 3.14, 3.15");
}

/* Every field that CPython names itself is first made wrong, and must come out as the row has it. */
static void test_refine_agrees_with_rows(void **state)
{
	uint64_t words[LAYOUT_MAX_WORDS];
	struct nt_layout layout;
	const struct nt_layout *row;
	size_t i, count;

	(void)state;
	for (i = 0; i < DEBUG_TABLES; i++) {
		row = layout_find(3, debug_tables[i].minor);
		count = debug_copy(i, words);
		layout = *row;
		layout.interpreter_next = layout.interpreter_threads = layout.tstate_next = layout.tstate_frame = 1;
		layout.tstate_thread_id = layout.frame_previous = layout.frame_code = layout.frame_instruction = 1;
		layout.frame_locals = layout.frame_owner = layout.code_file = layout.code_name = 1;
		layout.code_qualname = layout.code_lines = layout.code_first_line = layout.code_bytes = 1;
		layout.bytes_length = layout.bytes_data = layout.unicode_state = layout.unicode_length = 1;
		layout.unicode_ascii = 1;
		assert_true(layout_refine(&layout, words, count));
		assert_memory_equal(&layout, row, sizeof(layout));
	}
}

static void test_refine_refuses(void **state)
{
	uint64_t words[LAYOUT_MAX_WORDS];
	struct nt_layout layout;
	const struct nt_layout *row;
	size_t i, count;

	(void)state;
	for (i = 0; i < DEBUG_TABLES; i++) {
		row = layout_find(3, debug_tables[i].minor);
		layout = *row;
		count = debug_copy(i, words);
		words[2] = 1;
		assert_false(layout_refine(&layout, words, count)); /* free-threaded */
		debug_copy(i, words);
		words[0] = 0;
		assert_false(layout_refine(&layout, words, count)); /* no cookie */
		debug_copy(i, words);
		words[5] = words[3] + 1;
		assert_false(layout_refine(&layout, words, count)); /* an offset beyond its struct */
		debug_copy(i, words);
		words[8] = words[6] = 0x10000;
		assert_false(layout_refine(&layout, words, count)); /* one that a layout cannot hold */
		debug_copy(i, words);
		memmove(&words[20], &words[19], (count - 20) * sizeof(words[0]));
		assert_false(layout_refine(&layout, words, count)); /* another table, shifted by a word */
		count = debug_copy(i, words);
		assert_false(layout_refine(&layout, words, count - 2));
		assert_memory_equal(&layout, row, sizeof(layout));
	}
	layout = *layout_find(3, 12);
	count = debug_copy(0, words);
	assert_false(layout_refine(&layout, words, count)); /* 3.12 has no such table */
}

static void test_refine_distrusts_key(void **state)
{
	uint64_t words[LAYOUT_MAX_WORDS];
	struct nt_layout layout = *layout_find(3, 13);
	size_t count = debug_copy(0, words);

	(void)state;
	words[5] += 8;
	assert_true(layout_refine(&layout, words, count));
	assert_int_equal(layout.runtime_interpreters, 640);
	assert_int_equal(layout.runtime_tss_key, LAYOUT_NONE);
}

/* Random words are refused or give offsets, and never anything else. */
static void test_refine_random(void **state)
{
	uint64_t words[LAYOUT_MAX_WORDS];
	struct nt_layout layout;
	const struct nt_layout *row;
	size_t count, i, round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		i = test_random_below(DEBUG_TABLES);
		row = layout_find(3, debug_tables[i].minor);
		count = debug_copy(i, words);
		words[test_random_below(count)] = test_random() >> test_random_below(64);
		layout = *row;
		if (!layout_refine(&layout, words, test_random_below(count + 1)))
			assert_memory_equal(&layout, row, sizeof(layout));
		assert_int_equal(layout.minor, row->minor);
		assert_int_equal(layout.frame_kind, row->frame_kind);
	}
}

/* A stack that is known: a closure below a method below a function, on the main thread and on a second one. */
static const char walk_script[] = "import sys, threading\n"
				  "class Shop:\n"
				  "    def total(self, items):\n"
				  "        def line():\n"
				  "            done.wait() if items else sys.stdin.read()\n"
				  "        line()\n"
				  "def homepage(items):\n"
				  "    for shop in [Shop()]:\n"
				  "        shop.total(items)\n"
				  "def generate():\n"
				  "    yield homepage([])\n"
				  "done = threading.Event()\n"
				  "thread = threading.Thread(target=homepage, args=([1],), daemon=True)\n"
				  "thread.start()\n"
				  "while not thread.is_alive(): pass\n"
				  "import time; time.sleep(0.3)\n"
				  "print('ready %d.%d.%d' % sys.version_info[:3], flush=True)\n"
				  "for result in generate(): pass\n";

static const struct {
	const char *name, *qualified;
	uint32_t first_line;
	uint8_t owner;
} walk_expected[] = {
    {"line", "Shop.total.<locals>.line", 4, 0},
    {"total", "Shop.total", 3, 0},
    {"homepage", "homepage", 7, 0},
    {"generate", "generate", 10, 1},
    {"<module>", "<module>", 1, 0},
};

#define WALK_EXPECTED (sizeof(walk_expected) / sizeof(walk_expected[0]))

static void check_frames(const struct nt_layout *layout, const struct walk_frame *frames, const char *file)
{
	size_t i;

	for (i = 0; i < WALK_EXPECTED; i++) {
		assert_string_equal(frames[i].name, walk_expected[i].name);
		assert_int_equal(frames[i].first_line, walk_expected[i].first_line);
		assert_string_equal(frames[i].file, file);
		if (layout->frame_kind == 0)
			continue;
		assert_string_equal(frames[i].qualified, walk_expected[i].qualified);
		assert_int_equal(frames[i].owner, walk_expected[i].owner);
	}
}

/* The thread is found in the list and by the key, and both are one. */
static void check_key(const struct walk_memory *memory, const struct nt_target *target, uint64_t thread)
{
	uint64_t self, by_key;
	int r;

	assert_int_equal(walk_read_pointer(memory, thread + target->layout.tstate_thread_id, &self), 0);
	r = walk_thread_by_key(memory, target, self, &by_key);
	if (r == -ENOTSUP) {
		assert_int_equal(target->layout.runtime_tss_key, LAYOUT_NONE);
		return;
	}
	assert_int_equal(r, 0);
	assert_int_equal(by_key, thread);
}

/* The line that the child says comes before it is where it is looked at: the innermost frame tells. */
static void wait_for_frames(const struct walk_memory *memory, const struct nt_target *target)
{
	struct walk_frame frame;
	uint64_t threads[WALK_MAX_THREADS];
	int count, i, tries;

	for (tries = 0; tries < 200; tries++) {
		count = walk_threads(memory, target, threads, WALK_MAX_THREADS);
		for (i = 0; i < count; i++)
			if (walk_frames(memory, &target->layout, threads[i], &frame, 1) == 1 &&
			    strcmp(frame.name, walk_expected[0].name) == 0)
				return;
		usleep(20000);
	}
}

/* Two threads: the main one with the whole stack, the other from the same function on. */
static void check_threads(const struct walk_memory *memory, const struct nt_target *target, const char *file)
{
	struct walk_frame frames[32];
	uint64_t threads[WALK_MAX_THREADS];
	int count, depth, i, main_threads = 0, others = 0;

	count = walk_threads(memory, target, threads, WALK_MAX_THREADS);
	assert_int_equal(count, 2);
	for (i = 0; i < count; i++) {
		check_key(memory, target, threads[i]);
		depth = walk_frames(memory, &target->layout, threads[i], frames, 32);
		assert_true(depth >= (int)WALK_EXPECTED);
		if (strcmp(frames[depth - 1].name, "<module>") == 0) {
			assert_int_equal(depth, WALK_EXPECTED);
			check_frames(&target->layout, frames, file);
			main_threads++;
		} else if (strstr(frames[depth - 1].name, "_bootstrap")) {
			others++;
		}
	}
	assert_int_equal(main_threads, 1);
	assert_int_equal(others, 1);
}

/* Returns false if this interpreter does not start here. */
static bool check_interpreter(const char *python)
{
	char directory[128], script[160], why[TARGET_WHY_SIZE], version[32];
	char *arguments[] = {(char *)python, script, NULL};
	struct walk_memory memory = {.read = walk_read_process};
	struct target target;
	struct child child;
	bool started;

	assert_true(child_make_directory(directory, sizeof(directory)));
	snprintf(script, sizeof(script), "%s/shop.py", directory);
	assert_true(child_write_file(script, walk_script));
	started = child_start(&child, python, arguments);
	if (started) {
		memory.context = &child.pid;
		if (target_inspect(child.pid, &target, why) < 0)
			fail_msg("%s", why);
		snprintf(version, sizeof(version), "ready %u.%u.%u", target.python[0], target.python[1],
			 target.python[2]);
		assert_string_equal(child.ready, version);
		print_message("%s: %s\n", python, version);
		wait_for_frames(&memory, &target.kernel);
		check_threads(&memory, &target.kernel, script);
	}
	child_end(&child);
	child_remove(directory);
	return started;
}

/* NETTRACE_PYTHONS=/path/to/python3.9:/path/to/python3.12 names further ones (docs/add-a-python-version.md). */
static void test_walk(void **state)
{
	const char *given = getenv("NETTRACE_PYTHONS");
	char *list, *rest, *python;
	bool system_python;

	(void)state;
	system_python = check_interpreter(CHILD_PYTHON);
	list = rest = strdup(given ? given : "");
	while ((python = strsep(&rest, ":")))
		if (python[0] && !check_interpreter(python))
			fail_msg("%s does not start", python);
	free(list);
	if (!system_python) {
		print_message("skipped: no " CHILD_PYTHON " here\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),	   cmocka_unit_test(test_refine_agrees_with_rows),
	    cmocka_unit_test(test_refine_refuses), cmocka_unit_test(test_refine_distrusts_key),
	    cmocka_unit_test(test_refine_random),  cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
