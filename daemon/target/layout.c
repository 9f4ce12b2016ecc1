/*
 * layout.c: where each CPython version keeps what the walk of its frames needs. One row a version.
 *
 * binary.c picks the row for an interpreter, the kernel side walks with it. docs/add-a-python-version.md says
 * where the numbers come from and how to check them.
 */
#include "layout.h"

#include <stdio.h>
#include <string.h>

/* What does not change from version to version, x86-64. */
#define OBJECTS .unicode_length = 16, .unicode_state = 32, .bytes_length = 16, .bytes_data = 32
/* Tuples remember their hash from 3.14 on. */
#define TUPLE .tuple_items = 24
#define TUPLE_WITH_HASH .tuple_items = 32
/* PyASCIIObject and PyCompactUnicodeObject lost their wchar_t members in 3.12 (PEP 623). */
#define UNICODE_WITH_WCHAR .unicode_ascii = 48, .unicode_compact = 72
#define UNICODE .unicode_ascii = 40, .unicode_compact = 56

/*
 * Frames are heap objects. code_bytes points to a bytes object; there is no co_qualname and no owner, which is 0: a
 * generator's frame looks like any other.
 */
#define HEAP_FRAMES                                                                                                    \
	.frame_kind = 0, .tstate_frame = 24, .cframe_frame = LAYOUT_NONE, .tstate_thread_id = 176, .tstate_next = 8,   \
	.runtime_interpreters = 32, .interpreter_threads = 8, .interpreter_next = 0, .frame_previous = 24,             \
	.frame_code = 32, .code_first_line = 40, .code_file = 104, .code_name = 112, .code_lines = 120,                \
	.code_bytes = 48, .code_flags = 36, .code_locals = LAYOUT_NONE, .generator_frame = 16, UNICODE_WITH_WCHAR,     \
	OBJECTS, TUPLE

/* Frames are on CPython's own stack (3.11). The instructions are within the code object, at code_bytes. */
#define INTERPRETER_FRAMES                                                                                             \
	.frame_kind = 1, .linetable = 2, .tstate_next = 8, .frame_instruction = 56, .code_file = 112,                  \
	.code_name = 120, .code_qualname = 128, .code_lines = 136, .code_flags = 48, OBJECTS

static const struct nt_layout layout_table[] = {
    {
	.major = 3,
	.minor = 8,
	HEAP_FRAMES,
	.linetable = 0,
	.runtime_tss_key = 1396,
	.frame_instruction = 104,
	.frame_locals = 360,
	.frame_generator = 96,
	.generator_state = 72,
    },
    {
	.major = 3,
	.minor = 9,
	HEAP_FRAMES,
	.linetable = 0,
	.runtime_tss_key = 588,
	.frame_instruction = 104,
	.frame_locals = 360,
	.frame_generator = 96,
	.generator_state = 72,
    },
    {
	.major = 3,
	.minor = 10,
	HEAP_FRAMES,
	.linetable = 1,
	.runtime_tss_key = 588,
	.frame_instruction = 96,
	.frame_locals = 352,
	.frame_generator = 88,
	.generator_state = 108,
	.suspended_from = -1,
	.suspended_to = -1,
    },
    {
	.major = 3,
	.minor = 11,
	INTERPRETER_FRAMES,
	TUPLE,
	UNICODE_WITH_WCHAR,
	.tstate_frame = 56,
	.cframe_frame = 8,
	.tstate_thread_id = 152,
	.runtime_interpreters = 40,
	.runtime_tss_key = 596,
	.interpreter_threads = 16,
	.interpreter_next = 0,
	.frame_previous = 48,
	.frame_code = 32,
	.frame_owner = 69,
	.frame_locals = 72,
	.code_first_line = 72,
	.code_bytes = 184,
	.code_locals = 76,
	.generator_frame = 80,
	.generator_state = 75,
	.suspended_from = -1,
	.suspended_to = -1,
    },
    {
	.major = 3,
	.minor = 12,
	INTERPRETER_FRAMES,
	TUPLE,
	UNICODE,
	.tstate_frame = 56,
	.cframe_frame = 0,
	.tstate_thread_id = 136,
	.runtime_interpreters = 40,
	.runtime_tss_key = 1548,
	.interpreter_threads = 72,
	.interpreter_next = 0,
	.frame_previous = 8,
	.frame_code = 0,
	.frame_owner = 70,
	.frame_locals = 72,
	.code_first_line = 68,
	.code_bytes = 192,
	.code_locals = 72,
	.generator_frame = 72,
	.generator_state = 67,
	.suspended_from = -1,
	.suspended_to = -1,
    },
    {
	.major = 3,
	.minor = 13,
	INTERPRETER_FRAMES,
	TUPLE,
	UNICODE,
	.tstate_frame = 72,
	.cframe_frame = LAYOUT_NONE,
	.tstate_thread_id = 152,
	.runtime_interpreters = 632,
	.runtime_tss_key = 2164,
	.interpreter_threads = 7344,
	.interpreter_next = 7264,
	.frame_previous = 8,
	.frame_code = 0,
	.frame_owner = 70,
	.frame_locals = 72,
	.code_first_line = 68,
	.code_bytes = 200,
	.code_locals = 72,
	.generator_frame = 72,
	.generator_state = 67,
	.suspended_from = -2,
	.suspended_to = -1,
    },
    {
	.major = 3,
	.minor = 14,
	INTERPRETER_FRAMES,
	TUPLE_WITH_HASH,
	UNICODE,
	.tstate_frame = 72,
	.cframe_frame = LAYOUT_NONE,
	.tstate_thread_id = 152,
	.runtime_interpreters = 808,
	.runtime_tss_key = 2340,
	.interpreter_threads = 7344,
	.interpreter_next = 7272,
	.frame_previous = 8,
	.frame_code = 0,
	.frame_owner = 74,
	.frame_locals = 80,
	.code_first_line = 68,
	.code_bytes = 208,
	.code_locals = 72,
	.generator_frame = 72,
	.generator_state = 67,
	.suspended_from = -2,
	.suspended_to = -1,
    },
    {
	.major = 3,
	.minor = 15,
	INTERPRETER_FRAMES,
	TUPLE_WITH_HASH,
	UNICODE,
	.tstate_frame = 72,
	.cframe_frame = LAYOUT_NONE,
	.tstate_thread_id = 176,
	.runtime_interpreters = 936,
	.runtime_tss_key = LAYOUT_NONE, /* the thread state is in a TLS variable: the thread list finds it */
	.interpreter_threads = 7336,
	.interpreter_next = 7264,
	.frame_previous = 8,
	.frame_code = 0,
	.frame_owner = 74,
	.frame_locals = 80,
	.code_first_line = 68,
	.code_bytes = 208,
	.code_locals = 72,
	.generator_frame = 72,
	.generator_state = 67,
	.suspended_from = 1,
	.suspended_to = 3,
	.yields = {119, 246},
    },
};

#define LAYOUT_COUNT (sizeof(layout_table) / sizeof(layout_table[0]))

const struct nt_layout *layout_find(uint8_t major, uint8_t minor)
{
	size_t i;

	for (i = 0; i < LAYOUT_COUNT; i++)
		if (layout_table[i].major == major && layout_table[i].minor == minor)
			return &layout_table[i];
	return NULL;
}

const char *target_supported(void)
{
	static char text[LAYOUT_COUNT * sizeof("255.255, ")];
	size_t i, length = 0;

	if (text[0] != '\0')
		return text;
	for (i = 0; i < LAYOUT_COUNT; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%u.%u", i ? ", " : "",
					   layout_table[i].major, layout_table[i].minor);
	return text;
}

/*
 * _Py_DebugOffsets: 64-bit words, sorted into groups, each but the last few with the size of the struct that its
 * offsets are of. Which word says what differs from minor version to minor version, so: a table.
 */
enum { DEBUG_COOKIE = 0, DEBUG_VERSION = 1, DEBUG_FREE_THREADED = 2 };

/* Where PyObject's size and its ob_type stand: 16 and 8 on every 64-bit build with a GIL, so they tell a shifted table.
 */
#define DEBUG_OBJECT_SIZE 16
#define DEBUG_OBJECT_TYPE 8

struct debug_field {
	uint16_t offset; /* in struct nt_layout */
	uint8_t word;
	uint8_t size_word; /* of its group's size */
};

struct debug_map {
	uint8_t major, minor;
	uint8_t object_word; /* of PyObject's size; ob_type's offset follows */
	struct debug_field fields[24];
};

#define FIELD(name, group, index)                                                                                      \
	{                                                                                                              \
		.offset = offsetof(struct nt_layout, name), .word = (group) + (index), .size_word = (group)            \
	}
#define END                                                                                                            \
	{                                                                                                              \
		.size_word = 0                                                                                         \
	}

/* Groups whose beginning is the same in all of 3.13 to 3.15; the arguments are the words where they start. */
#define DEBUG_RUNTIME FIELD(runtime_interpreters, 3, 2)
#define DEBUG_INTERPRETER FIELD(interpreter_next, 6, 2), FIELD(interpreter_threads, 6, 3)
#define DEBUG_FRAME(g)                                                                                                 \
	FIELD(frame_previous, g, 1), FIELD(frame_code, g, 2), FIELD(frame_instruction, g, 3),                          \
	    FIELD(frame_locals, g, 4), FIELD(frame_owner, g, 5)
#define DEBUG_CODE(g)                                                                                                  \
	FIELD(code_file, g, 1), FIELD(code_name, g, 2), FIELD(code_qualname, g, 3), FIELD(code_lines, g, 4),           \
	    FIELD(code_first_line, g, 5), FIELD(code_bytes, g, 9)
#define DEBUG_BYTES(g) FIELD(bytes_length, g, 1), FIELD(bytes_data, g, 2)
#define DEBUG_UNICODE(g) FIELD(unicode_state, g, 1), FIELD(unicode_length, g, 2), FIELD(unicode_ascii, g, 3)

static const struct debug_map debug_maps[] = {
    {
	.major = 3,
	.minor = 13,
	.object_word = 44,
	.fields = {DEBUG_RUNTIME, DEBUG_INTERPRETER, FIELD(tstate_next, 19, 2), FIELD(tstate_frame, 19, 4),
		   FIELD(tstate_thread_id, 19, 5), DEBUG_FRAME(28), DEBUG_CODE(34), DEBUG_BYTES(64), DEBUG_UNICODE(67),
		   END},
    },
    {
	.major = 3,
	.minor = 14,
	.object_word = 50,
	.fields = {DEBUG_RUNTIME, DEBUG_INTERPRETER, FIELD(tstate_next, 22, 2), FIELD(tstate_frame, 22, 4),
		   FIELD(tstate_thread_id, 22, 5), DEBUG_FRAME(31), DEBUG_CODE(39), DEBUG_BYTES(74), DEBUG_UNICODE(77),
		   END},
    },
    {
	.major = 3,
	.minor = 15,
	.object_word = 58,
	.fields = {DEBUG_RUNTIME, DEBUG_INTERPRETER, FIELD(tstate_next, 22, 2), FIELD(tstate_frame, 22, 4),
		   FIELD(tstate_thread_id, 22, 8), DEBUG_FRAME(39), DEBUG_CODE(47), DEBUG_BYTES(86), DEBUG_UNICODE(89),
		   FIELD(unicode_compact, 89, 4), END},
    },
};

bool layout_read_debug(const uint64_t *words, size_t count, struct layout_debug *ret_debug)
{
	if (count <= DEBUG_FREE_THREADED || memcmp(&words[DEBUG_COOKIE], "xdebugpy", sizeof(words[0])) != 0)
		return false;
	*ret_debug = (struct layout_debug){
	    .version = (uint32_t)words[DEBUG_VERSION],
	    .free_threaded = words[DEBUG_FREE_THREADED] != 0,
	};
	return true;
}

static const struct debug_map *debug_map_find(uint8_t major, uint8_t minor)
{
	size_t i;

	for (i = 0; i < sizeof(debug_maps) / sizeof(debug_maps[0]); i++)
		if (debug_maps[i].major == major && debug_maps[i].minor == minor)
			return &debug_maps[i];
	return NULL;
}

bool layout_refine(struct nt_layout *layout, const uint64_t *words, size_t count)
{
	const struct debug_map *map = debug_map_find(layout->major, layout->minor);
	struct nt_layout refined = *layout;
	const struct debug_field *field;
	struct layout_debug debug;
	uint16_t value;

	if (!map || !layout_read_debug(words, count, &debug) || debug.free_threaded)
		return false;
	if (map->object_word + 1u >= count || words[map->object_word] != DEBUG_OBJECT_SIZE ||
	    words[map->object_word + 1] != DEBUG_OBJECT_TYPE)
		return false;
	for (field = map->fields; field->size_word != 0; field++) {
		/* An offset may be its struct's size: data that stands behind it. */
		if (field->word >= count || words[field->word] > words[field->size_word] ||
		    words[field->word] >= LAYOUT_NONE)
			return false;
		value = (uint16_t)words[field->word];
		memcpy((char *)&refined + field->offset, &value, sizeof(value));
	}
	/* The key is not among them. Where its neighbour has moved, the row's place for it is not to be trusted. */
	if (refined.runtime_interpreters != layout->runtime_interpreters)
		refined.runtime_tss_key = LAYOUT_NONE;
	*layout = refined;
	return true;
}
