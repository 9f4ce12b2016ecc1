/*
 * test_images.c: the walk of the frames as the kernel compiles it, over pictures of each version's memory: every frame
 * with its code object, name, file and line, as the interpreter in the picture said of itself.
 */
#include "kernel.h"

#include "test.h"

#include "../../daemon/run/code.h"
#include "../../daemon/target/layout.h"
#include "image.h"

#define PID 4711
#define TID 4712

static const char *const versions[] = {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"};

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

static struct image image;
static struct nt_target target;

static long read_image(void *to, __u32 size, __u64 address)
{
	return image_read(&image, to, size, address);
}

static void open_image(size_t version)
{
	char path[64];
	json_t *python;

	snprintf(path, sizeof(path), "tests/images/%s.image", versions[version]);
	if (image_open(&image, path) < 0)
		fail_msg("%s cannot be read", path);
	python = json_object_get(image.truth, "python");
	target = (struct nt_target){.flags = NT_TARGET_PYTHON, .runtime = image_number(image.truth, "runtime")};
	target.layout = *layout_find((uint8_t)json_integer_value(json_array_get(python, 0)),
				     (uint8_t)json_integer_value(json_array_get(python, 1)));
	kernel_read = read_image;
	kernel_id = (uint64_t)PID << 32 | TID;
}

/* Walks the thread with this pthread_self; returns how it went, with the owner in the scratch. */
static struct scratch *walk_thread(uint64_t self)
{
	struct thread thread = {0};
	uint32_t which = SCRATCH_SYSCALL, pid = PID;
	struct scratch *s;

	kernel_reset();
	kernel_thread_pointer = self;
	bpf_map_update_elem(&targets, &pid, &target, BPF_ANY);
	s = bpf_map_lookup_elem(&scratches, &which);
	python_walk(&target, &thread, s, which);
	return s;
}

/* The records that the walk sent, into the daemon's own tables. Returns the stack. */
static struct stack *take_records(struct code_table *table)
{
	struct process *process = process_get(table, PID);
	struct stack *stack = NULL;
	unsigned long at = 0;
	struct code *code;

	assert_non_null(process);
	process_set_minor(process, target.layout.minor);
	while (at < kernel_records_size) {
		const struct nt_head *head = (const void *)(kernel_records + at);

		if (head->type == NT_CODE)
			assert_int_equal(code_take(table, (const void *)head, &code), 0);
		if (head->type == NT_STACK) {
			assert_int_equal(stack_take(table, (const void *)head), 0);
			stack = stack_find(process, ((const struct nt_stack *)head)->stack);
		}
		at += head->size;
	}
	return stack;
}

/* Of one frame: the failure says which. */
#define check_same(truth, what, is, name)                                                                              \
	do {                                                                                                           \
		if ((uint64_t)(is) != image_number(truth, name))                                                       \
			fail_msg("3.%u: %s:%d %s: %s is %llu", target.layout.minor, image_text(truth, "file"),         \
				 (int)image_number(truth, "line"), image_text(truth, "name"), what,                    \
				 (unsigned long long)(is));                                                            \
	} while (0)

static void check_frame(const struct stack_frame *frame, json_t *truth)
{
	check_same(truth, "code object", frame->code->address, "code");
	assert_true(frame->code->known);
	assert_string_equal(frame->code->name, image_text(truth, "name"));
	assert_string_equal(frame->code->file, image_text(truth, "file"));
	check_same(truth, "first line", frame->code->first_line, "first_line");
	check_same(truth, "line", frame_line(frame), "line");
	check_same(truth, "generator", frame->generator, "is_generator");
	if (target.layout.frame_kind == 1 && json_object_get(truth, "from_c"))
		check_same(truth, "entered from C", frame->from_c, "from_c");
}

/* Where a frame is: of its own, or in its generator. 0: on the data stack, of which the interpreter says nothing. */
static uint64_t frame_address(json_t *truth)
{
	uint64_t generator = image_number(truth, "generator");

	if (target.layout.frame_kind == 0)
		return image_number(truth, "frame");
	return generator ? generator + target.layout.generator_frame : 0;
}

/* Whose lane it is: the outermost coroutine and the outermost frame; of all frames the address and the first local. */
static void check_owner(const struct scratch *s, json_t *frames, bool whole)
{
	uint64_t address, coroutine = 0;
	json_t *truth;
	uint32_t i;

	assert_int_equal(s->owner.places, s->depth);
	for (i = 0; i < s->depth; i++) {
		truth = json_array_get(frames, i);
		address = frame_address(truth);
		if (address)
			assert_int_equal(s->places[i].frame, address);
		if (image_number(truth, "local"))
			check_same(truth, "first local", s->places[i].local, "local");
		if (whole && image_number(truth, "generator"))
			coroutine = address;
	}
	assert_int_equal(s->owner.coroutine, coroutine);
	assert_int_equal(s->owner.base, whole ? s->places[s->depth - 1].frame : 0);
}

static void check_thread(json_t *thread)
{
	json_t *frames = json_object_get(thread, "frames");
	const struct scratch *s = walk_thread(image_number(thread, "self"));
	bool whole = json_array_size(frames) <= NT_MAX_FRAMES;
	struct code_table table = {0};
	struct stack *stack;
	uint32_t i;

	assert_int_equal(s->owner.walk, whole ? NT_WALK_OK : NT_WALK_TRUNCATED);
	assert_int_equal(s->depth, whole ? json_array_size(frames) : NT_MAX_FRAMES);
	check_owner(s, frames, whole);
	stack = take_records(&table);
	assert_non_null(stack);
	assert_int_equal(stack->id, s->owner.stack);
	assert_int_equal(stack->depth, s->depth);
	for (i = 0; i < stack->depth; i++)
		check_frame(&stack->frames[i], json_array_get(frames, i));
	process_remove(&table, process_get(&table, PID));
}

/* Every thread, as it is found by CPython's key and by its list of threads. */
static void check_threads(void)
{
	uint16_t key = target.layout.runtime_tss_key;
	size_t index;
	json_t *thread;

	json_array_foreach(json_object_get(image.truth, "threads"), index, thread)
	{
		check_thread(thread);
		target.layout.runtime_tss_key = TSS_NONE;
		check_thread(thread);
		target.layout.runtime_tss_key = key;
	}
	assert_true(index >= 7);
}

static void test_every_frame(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		check_threads();
		image_close(&image);
	}
}

/* What CPython itself says of its layout is the row, and finds the same frames. */
static void test_every_frame_by_debug_offsets(void **state)
{
	uint64_t words[LAYOUT_MAX_WORDS];
	struct nt_layout row;
	unsigned with = 0;

	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		row = target.layout;
		assert_int_equal(image_read(&image, words, sizeof(words), target.runtime), 0);
		if (layout_refine(&target.layout, words, LAYOUT_MAX_WORDS)) {
			assert_memory_equal(&target.layout, &row, sizeof(row));
			check_threads();
			with++;
		}
		image_close(&image);
	}
	assert_int_equal(with, 3); /* 3.13, 3.14 and 3.15 */
}

static uint64_t read_pointer(uint64_t address)
{
	uint64_t value = 0;

	assert_int_equal(image_read(&image, &value, sizeof(value), address), 0);
	return value;
}

static uint32_t read_int(uint64_t address)
{
	uint32_t value = 0;

	assert_int_equal(image_read(&image, &value, sizeof(value), address), 0);
	return value;
}

/* What the walk does not read of frames and code objects, others do. */
static void test_other_fields(void **state)
{
	const struct nt_layout *layout = &target.layout;
	size_t t, f;
	json_t *thread, *truth;

	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		json_array_foreach(json_object_get(image.truth, "threads"), t, thread)
		    json_array_foreach(json_object_get(thread, "frames"), f, truth)
		{
			uint64_t code = image_number(truth, "code"), generator = image_number(truth, "generator");

			if (f >= NT_MAX_FRAMES)
				break;
			assert_int_equal(read_int(code + layout->code_flags), image_number(truth, "flags"));
			if (layout->frame_kind == 1)
				assert_int_equal(read_int(code + layout->code_locals), image_number(truth, "slots"));
			else
				assert_int_equal(read_pointer(image_number(truth, "frame") + layout->frame_generator),
						 generator);
			if (layout->frame_kind == 0 && generator)
				assert_int_equal(read_pointer(generator + layout->generator_frame),
						 image_number(truth, "frame"));
		}
		image_close(&image);
	}
}

static bool is_suspended(json_t *generator)
{
	const struct nt_layout *layout = &target.layout;
	uint64_t at = image_number(generator, "frame") + layout->generator_state;
	int8_t value = 0;

	if (layout->frame_kind)
		at = image_number(generator, "object") + layout->generator_state;
	if (!layout->suspended_to)
		return read_pointer(at) != 0;
	assert_int_equal(image_read(&image, &value, sizeof(value), at), 0);
	return value >= layout->suspended_from && value <= layout->suspended_to;
}

/* Generators and coroutines that wait, run, are over or have not begun: only those that wait say so. */
static void test_suspended(void **state)
{
	unsigned waiting = 0, others = 0;
	json_t *generator;
	size_t g;

	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		json_array_foreach(json_object_get(image.truth, "generators"), g, generator)
		{
			const char *is = image_text(generator, "state");

			/* Before 3.11 one that is over has no frame; 3.8 and 3.9 do not tell one that has not begun. */
			if (target.layout.frame_kind == 0 &&
			    (!image_number(generator, "frame") || strcmp(is, "created") == 0))
				continue;
			if (is_suspended(generator) != (strcmp(is, "suspended") == 0))
				fail_msg("3.%u: one that is %s", target.layout.minor, is);
			waiting += is_suspended(generator);
			others += !is_suspended(generator);
		}
		image_close(&image);
	}
	assert_true(waiting >= 2 * VERSIONS && others >= 2 * VERSIONS);
}

/* A thread that CPython does not know: the list says so, and the key where its slot is empty. */
static void test_unknown_thread(void **state)
{
	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		assert_int_equal(walk_thread(0x7f0000000000)->owner.walk, NT_WALK_NO_THREAD);
		image_close(&image);
	}
}

/* A stack of which something found no room in the ring is told once more by the next event with it, and then whole. */
static void test_record_without_room(void **state)
{
	uint32_t which = SCRATCH_SYSCALL;
	unsigned told = 0;

	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		for (unsigned before = 0; before < 3; before++) {
			json_t *truth = json_array_get(json_object_get(image.truth, "threads"), 0);
			struct thread thread = {0};
			struct code_table table = {0};
			const struct scratch *s;
			struct stack *stack;

			kernel_room = before;
			kernel_refusals = 1;
			s = walk_thread(image_number(truth, "self"));
			assert_int_equal(kernel_refusals, 0);
			assert_null(bpf_map_lookup_elem(&stacks, &s->hash));
			python_walk(&target, &thread, bpf_map_lookup_elem(&scratches, &which), which);
			assert_non_null(bpf_map_lookup_elem(&stacks, &s->hash));
			stack = take_records(&table);
			for (uint32_t k = 0; k < s->depth; k++, told++)
				check_frame(&stack->frames[k], json_array_get(json_object_get(truth, "frames"), k));
			process_remove(&table, process_get(&table, PID));
		}
		image_close(&image);
	}
	assert_true(told > 3 * VERSIONS);
}

/* Memory that cannot be read ends a walk in good order, wherever it is missing. */
static void test_missing_memory(void **state)
{
	unsigned failed = 0;

	(void)state;
	for (size_t i = 0; i < VERSIONS; i++) {
		open_image(i);
		for (size_t hidden = 0; hidden < json_array_size(image.ranges); hidden++) {
			json_t *thread = json_array_get(json_object_get(image.truth, "threads"), hidden % 7);
			const struct scratch *s;

			image.hidden = hidden;
			s = walk_thread(image_number(thread, "self"));
			assert_true(s->owner.walk >= NT_WALK_OK && s->owner.walk <= NT_WALK_TRUNCATED);
			assert_true(s->depth <= NT_MAX_FRAMES);
			failed += s->owner.walk == NT_WALK_FAILED;
		}
		image_close(&image);
	}
	assert_true(failed > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_frame),	   cmocka_unit_test(test_every_frame_by_debug_offsets),
	    cmocka_unit_test(test_other_fields),   cmocka_unit_test(test_suspended),
	    cmocka_unit_test(test_unknown_thread), cmocka_unit_test(test_record_without_room),
	    cmocka_unit_test(test_missing_memory),
	};

	return cmocka_run_group_tests(tests, test_seed, kernel_tear_down);
}
