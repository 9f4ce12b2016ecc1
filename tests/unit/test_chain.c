/*
 * test_chain.c: chains of coroutines that a walk need not read again (bpf/chain.h), as the kernel compiles it, over
 * memory that is laid out as each version does: whatever else is in it than before, who runs is what it says now.
 */
#include "kernel.h"

#include "test.h"

#include "../../daemon/target/layout.h"

#define PID 4711
#define TID 4712
#define SELF 0x7f0000000000ull /* the thread's pthread_self */
#define BASE 0x7f0000010000ull /* the memory that there is */
#define STEP 256	       /* from one object to the next */
#define OBJECTS 48
#define THREAD_STATE (BASE + (OBJECTS - 1) * STEP)
#define SLOT (BASE + (OBJECTS - 2) * STEP) /* which holds the thread state's address */
#define CFRAME (BASE + (OBJECTS - 3) * STEP)
#define OWNER_THREAD 0

static const uint8_t minors[] = {11, 12, 13, 14, 15};

/* The stack, innermost first: two functions, the endpoint, its dispatcher, what calls that, links, the task, the loop.
 */
enum { CALL, HELPER, ENDPOINT, DISPATCHER, INNER, LINKS, OUTER = LINKS + 8, LOOP, MODULE, FRAMES };

struct memory {
	uint8_t bytes[OBJECTS * STEP];
};

static struct memory memory;
static unsigned reads;
static struct nt_target target;
static struct thread thread;

static long read_memory(void *to, __u32 size, __u64 address)
{
	reads++;
	if (address < BASE || address + size > BASE + sizeof(memory.bytes))
		return -1;
	memcpy(to, memory.bytes + (address - BASE), size);
	return 0;
}

static void put(uint64_t address, const void *from, size_t size)
{
	assert_true(address >= BASE && address + size <= BASE + sizeof(memory.bytes));
	memcpy(memory.bytes + (address - BASE), from, size);
}

static void put_pointer(uint64_t address, uint64_t value)
{
	put(address, &value, sizeof(value));
}

static uint64_t place_of(unsigned object)
{
	return BASE + object * STEP;
}

/* A generator has its frame in it; a function's frame is an object here, too. */
static uint64_t frame_of(unsigned object)
{
	return place_of(object) + target.layout.generator_frame;
}

static uint64_t code_of(unsigned frame)
{
	return 0x600000 + 4096 * frame;
}

static void set_caller(unsigned frame, uint64_t caller)
{
	put_pointer(frame_of(frame) + target.layout.frame_previous, caller);
}

static void set_code(unsigned frame, uint64_t code, uint64_t instruction)
{
	put_pointer(frame_of(frame) + target.layout.frame_code, code);
	put_pointer(frame_of(frame) + target.layout.frame_instruction, code + instruction);
}

static void set_state(unsigned frame, uint8_t state)
{
	put(place_of(frame) + target.layout.generator_state, &state, 1);
}

static void make_stack(uint8_t minor)
{
	const struct nt_layout *layout;
	uint32_t pid = PID;

	kernel_reset();
	memory = (struct memory){0};
	thread = (struct thread){.tss_slot = SLOT};
	target = (struct nt_target){.flags = NT_TARGET_PYTHON, .generation = 2};
	target.layout = *layout_find(3, minor);
	layout = &target.layout;
	kernel_read = read_memory;
	kernel_id = (uint64_t)PID << 32 | TID;
	kernel_thread_pointer = SELF;
	bpf_map_update_elem(&targets, &pid, &target, BPF_ANY);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint8_t owner = i >= ENDPOINT && i <= OUTER ? OWNER_GENERATOR : OWNER_THREAD;

		set_code(i, code_of(i), 40 + 2 * i);
		set_caller(i, i + 1 < FRAMES ? frame_of(i + 1) : 0);
		put(frame_of(i) + layout->frame_owner, &owner, 1);
	}
	put_pointer(SLOT, THREAD_STATE);
	if (layout->cframe_frame != CFRAME_NONE) {
		put_pointer(THREAD_STATE + layout->tstate_frame, CFRAME);
		put_pointer(CFRAME + layout->cframe_frame, frame_of(CALL));
	} else {
		put_pointer(THREAD_STATE + layout->tstate_frame, frame_of(CALL));
	}
}

static struct scratch *walk(void)
{
	uint32_t which = SCRATCH_SYSCALL;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	reads = 0;
	python_walk(&target, &thread, s, which);
	return s;
}

/* Says of the stack that was walked last what the daemon would. */
static void judge(const struct scratch *s)
{
	struct nt_stack_note note = {.pid = PID,
				     .flags = NT_STACK_JUDGED,
				     .states_from = FRAMES,
				     .endpoint = ENDPOINT + 1,
				     .chain_inner = INNER,
				     .chain_outer = OUTER};

	bpf_map_update_elem(&stacks, &s->owner.stack, &note, BPF_ANY);
}

/* A stack whose chain was walked once; returns its id. */
static uint64_t make_known(uint8_t minor)
{
	struct scratch *s;

	make_stack(minor);
	s = walk();
	assert_int_equal(s->owner.walk, NT_WALK_OK);
	assert_int_equal(s->depth, FRAMES);
	judge(s);
	walk();
	return s->owner.stack;
}

/* What is there now, with nothing known of what was before. */
static uint64_t walk_afresh(void)
{
	struct memory kept = memory;
	uint64_t stack;

	make_stack(target.layout.minor);
	memory = kept;
	stack = walk()->owner.stack;
	return stack;
}

static void test_known_chain_is_not_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(minors); i++) {
		uint64_t known = make_known(minors[i]);
		unsigned whole = reads;
		struct scratch *s = walk();

		assert_int_equal(s->chained, OUTER - INNER);
		assert_int_equal(s->depth, FRAMES);
		assert_int_equal(s->owner.walk, NT_WALK_OK);
		assert_int_equal(s->owner.stack, known);
		assert_int_equal(s->owner.coroutine, frame_of(OUTER));
		assert_int_equal(s->owner.frame, frame_of(ENDPOINT));
		assert_int_equal(s->owner.base, frame_of(MODULE));
		assert_int_equal(s->owner.places, 0);
		assert_int_equal(s->owner.states, 0);
		/* The first walk read the outer one again to remember it. */
		assert_true(whole - reads >= OUTER - LINKS);
	}
}

/* From 3.12 on, what is resumed from C has a frame of the interpreter's own between it and its caller. */
static void test_entered_from_c(void **state)
{
	static const unsigned places[] = {INNER, LINKS + 1, OUTER};

	(void)state;
	for (size_t i = 1; i < sizeof(minors); i++)
		for (size_t k = 0; k < sizeof(places) / sizeof(*places); k++) {
			uint8_t owner = OWNER_C_STACK;
			struct scratch *s;
			uint64_t stack;

			make_stack(minors[i]);
			put(frame_of(FRAMES) + target.layout.frame_owner, &owner, 1);
			set_caller(FRAMES, frame_of(places[k] + 1));
			set_caller(places[k], frame_of(FRAMES));
			s = walk();
			stack = s->owner.stack;
			judge(s);
			walk();
			assert_int_equal(s->depth, FRAMES);
			assert_int_equal(walk()->chained, OUTER - INNER);
			assert_int_equal(s->owner.stack, stack);
		}
}

/* Of another call of the same endpoint nothing is known but the chain: all is read, and next time it need not be. */
static void test_another_place_in_the_endpoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(minors); i++) {
		uint64_t known = make_known(minors[i]), other;
		struct scratch *s;

		set_code(HELPER, code_of(HELPER), 88);
		s = walk();
		assert_int_equal(s->chained, 0);
		assert_int_equal(s->owner.places, FRAMES);
		for (unsigned frame = 0; frame < FRAMES; frame++)
			assert_int_equal(s->places[frame].frame, frame_of(frame));
		other = s->owner.stack;
		assert_true(other != known);
		judge(s);
		assert_int_equal(walk()->owner.stack, other);
		assert_int_equal(s->chained, OUTER - INNER);
		assert_int_equal(walk_afresh(), other);
	}
}

struct change {
	const char *what;
	void (*make)(void);
};

static void suspend_outer(void)
{
	set_state(OUTER, (uint8_t)target.layout.suspended_from);
}

static void move_outer(void)
{
	set_code(OUTER, code_of(OUTER), 300);
}

static void replace_outer(void)
{
	set_code(OUTER, code_of(FRAMES), 40 + 2 * OUTER);
}

/* Another thread's loop has it now. */
static void call_outer_from_elsewhere(void)
{
	set_code(FRAMES, code_of(FRAMES), 12);
	set_caller(FRAMES, frame_of(MODULE));
	set_caller(OUTER, frame_of(FRAMES));
}

static void move_inner(void)
{
	set_code(INNER, code_of(INNER), 300);
}

static void replace_inner(void)
{
	set_code(INNER, code_of(FRAMES), 40 + 2 * INNER);
}

/* The same endpoint in another task's chain. */
static void call_inner_from_elsewhere(void)
{
	uint8_t owner = OWNER_GENERATOR;

	set_code(FRAMES, code_of(FRAMES), 12);
	put(frame_of(FRAMES) + target.layout.frame_owner, &owner, 1);
	set_caller(FRAMES, frame_of(LOOP));
	set_caller(INNER, frame_of(FRAMES));
}

/* The same program in another process, or another one in this. */
static void change_program(void)
{
	target.generation += 2;
}

static void test_change_is_seen(void **state)
{
	static const struct change changes[] = {
	    {"the outer one waits", suspend_outer},
	    {"the outer one has moved on", move_outer},
	    {"another outer one", replace_outer},
	    {"the outer one is called from elsewhere", call_outer_from_elsewhere},
	    {"the inner one has moved on", move_inner},
	    {"another inner one", replace_inner},
	    {"the inner one is called from elsewhere", call_inner_from_elsewhere},
	    {"another program", change_program},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(minors); i++)
		for (size_t k = 0; k < sizeof(changes) / sizeof(*changes); k++) {
			struct nt_target changed;
			struct scratch *s;
			uint64_t stack;

			make_known(minors[i]);
			assert_int_equal(walk()->chained, OUTER - INNER);
			changes[k].make();
			s = walk();
			if (s->chained)
				fail_msg("3.%u: %s: not seen", minors[i], changes[k].what);
			stack = s->owner.stack;
			changed = target;
			make_stack(minors[i]);
			changes[k].make();
			target = changed;
			assert_int_equal(walk()->owner.stack, stack);
		}
}

/* A stack has only so many frames: where the chain would be beyond, it is read as far as there is place. */
static void test_no_place_for_all_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(minors); i++) {
		uint32_t which = SCRATCH_SYSCALL;
		struct scratch *s;

		make_known(minors[i]);
		s = bpf_map_lookup_elem(&scratches, &which);
		s->chain_code = code_of(INNER);
		s->depth = NT_MAX_FRAMES - 3;
		s->addresses[s->depth - 1] = frame_of(INNER);
		s->frames[s->depth - 1] =
		    (struct nt_frame){.code = code_of(INNER), .instruction = 40 + 2 * INNER, .owner = OWNER_GENERATOR};
		assert_int_equal(chain_follow(frame_of(LINKS), which), frame_of(LINKS));
		assert_int_equal(s->depth, NT_MAX_FRAMES - 3);
	}
}

/* The outer one's object is gone, and its memory with it. */
static void test_missing_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(minors); i++) {
		uint64_t known = make_known(minors[i]);
		uint32_t slot = frame_of(INNER) * HASH_FACTOR >> 32 & (CHAINS - 1);
		struct chain *chain = bpf_map_lookup_elem(&chains, &slot);

		assert_int_equal(chain->inner, frame_of(INNER));
		chain->outer = 8;
		assert_int_equal(walk()->owner.stack, known);
		assert_int_equal(chain->outer, frame_of(OUTER));
		assert_int_equal(walk()->chained, OUTER - INNER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_chain_is_not_read),	  cmocka_unit_test(test_entered_from_c),
	    cmocka_unit_test(test_another_place_in_the_endpoint), cmocka_unit_test(test_change_is_seen),
	    cmocka_unit_test(test_no_place_for_all_frames),	  cmocka_unit_test(test_missing_memory),
	};

	return cmocka_run_group_tests(tests, test_seed, kernel_tear_down);
}
