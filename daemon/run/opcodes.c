/*
 * opcodes.c: one table a version, see opcodes.h.
 *
 * Written by make_opcodes.py, from each interpreter's own `opcode` and `_opcode_metadata` modules (3.11, 3.12: its
 * opcode.h): the specialised and the instrumented forms have the inline caches of the instruction that they replace.
 * What is not named has no caches and does not matter. A new version is a table here, and a fixture that
 * tests/unit/make_code_fixtures.py writes: test_flow.c and test_lines.c hold what is read here against it.
 */
#include "opcodes.h"

#include <stddef.h>

/* clang-format off */
static const uint8_t opcodes_8[256] = {
	[72] = OPCODE_AWAIT, [88] = OPCODE_END_FINALLY, [92] = OPCODE_STORE, [93] = OPCODE_FOR, [94] = OPCODE_STORE,
	[111 ... 115] = OPCODE_ABSOLUTE, [125] = OPCODE_STORE, [144] = OPCODE_EXTEND, [162] = OPCODE_CALL_FINALLY,
};

/* and 3.10 */
static const uint8_t opcodes_9[256] = {
	[72] = OPCODE_AWAIT, [92] = OPCODE_STORE, [93] = OPCODE_FOR, [94] = OPCODE_STORE,
	[111 ... 115] = OPCODE_ABSOLUTE, [121] = OPCODE_ABSOLUTE, [125] = OPCODE_STORE, [144] = OPCODE_EXTEND,
};

static const uint8_t opcodes_11[256] = {
	[3 ... 8] = 1, [13 ... 14] = 1, [16] = 1, [17 ... 25] = 4, [26 ... 29] = 2, [34] = OPCODE_EXTEND,
	[38] = OPCODE_BACK, [39 ... 43] = OPCODE_ONCE | 4, [47 ... 48] = 5, [49] = OPCODE_ONCE,
	[52 ... 53] = OPCODE_ONCE, [55] = 5, [56 ... 59] = OPCODE_ONCE | 10, [60] = 1, [62 ... 63] = OPCODE_ONCE | 10,
	[64 ... 67] = 1, [72 ... 73] = 1, [76 ... 81] = 1, [92] = OPCODE_STORE | 1, [93] = OPCODE_FOR,
	[94] = OPCODE_STORE, [95] = OPCODE_ONCE | 4, [106] = OPCODE_ONCE | 4, [107] = 2, [113] = 1, [116] = 5,
	[121 ... 122] = 1, [123] = OPCODE_AWAIT, [125] = OPCODE_STORE, [127] = 1, [134] = OPCODE_RESUME,
	[140] = OPCODE_BACK, [141] = 1, [142] = OPCODE_ONCE, [143] = 1, [144] = OPCODE_EXTEND,
	[153 ... 154] = OPCODE_ONCE | 4, [158 ... 159] = OPCODE_ONCE | 4, [160] = OPCODE_ONCE | 10,
	[161] = OPCODE_STORE, [166] = 1, [167] = OPCODE_STORE, [168 ... 170] = 1, [171] = 4,
	[173 ... 176] = OPCODE_BACK, [177 ... 180] = OPCODE_STORE | 1,
};

static const uint8_t opcodes_12[256] = {
	[6 ... 8] = 1, [10] = 1, [13 ... 14] = 1, [16] = 1, [18 ... 22] = 1, [23 ... 24] = 3, [25] = 1,
	[28 ... 29] = 3, [34] = 3, [38 ... 48] = 3, [49] = OPCODE_ONCE, [52 ... 53] = OPCODE_ONCE,
	[55] = OPCODE_THROWN, [56] = 3, [57 ... 60] = 1, [62 ... 65] = OPCODE_FOR | 1, [66 ... 67] = 1,
	[70] = OPCODE_ONCE | 9, [72 ... 73] = OPCODE_ONCE | 9, [76 ... 82] = OPCODE_ONCE | 9, [92] = OPCODE_STORE | 1,
	[93] = OPCODE_FOR | 1, [94] = OPCODE_STORE, [95] = OPCODE_ONCE | 4, [106] = OPCODE_ONCE | 9, [107] = 1,
	[111 ... 112] = 4, [113] = OPCODE_ONCE | 4, [116] = 4, [122] = 1, [123] = OPCODE_AWAIT | 1,
	[125] = OPCODE_STORE, [134] = OPCODE_RESUME, [140] = OPCODE_BACK, [141] = 1, [142] = OPCODE_ONCE,
	[144] = OPCODE_EXTEND, [148] = OPCODE_ONCE | 4, [153] = OPCODE_ONCE | 4, [154] = OPCODE_STORE,
	[158] = OPCODE_STORE, [159 ... 160] = 1, [161] = OPCODE_STORE | 1, [166 ... 167] = OPCODE_STORE | 1,
	[168] = OPCODE_AWAIT | 1, [171] = 3, [237] = 1, [241] = 3, [244] = OPCODE_ONCE, [246] = OPCODE_BACK,
	[248] = OPCODE_FOR | 1, [253 ... 254] = OPCODE_HIDDEN,
};

static const uint8_t opcodes_13[256] = {
	[1 ... 2] = OPCODE_ONCE, [3] = 1, [5] = 1, [8] = OPCODE_HANDLER, [33] = OPCODE_HANDLER, [39] = 1, [40] = 3,
	[44] = OPCODE_ONCE, [45] = 1, [53] = 3, [54] = OPCODE_ONCE, [58 ... 59] = 1, [70] = OPCODE_HIDDEN,
	[71] = OPCODE_EXTEND, [72] = OPCODE_FOR | 1, [77] = OPCODE_BACK | 1, [78] = OPCODE_RESUME,
	[82] = OPCODE_ONCE | 9, [91] = 4, [93] = 1, [97 ... 100] = 1, [104] = OPCODE_AWAIT | 1,
	[108] = OPCODE_ONCE | 4, [110 ... 112] = OPCODE_STORE, [116] = OPCODE_STORE, [117] = OPCODE_STORE | 1,
	[150 ... 161] = 1, [162 ... 181] = 3, [182 ... 186] = 1, [187 ... 190] = OPCODE_FOR | 1,
	[191 ... 202] = OPCODE_ONCE | 9, [203 ... 204] = 4, [205 ... 206] = 1, [208] = OPCODE_AWAIT | 1,
	[209 ... 211] = OPCODE_ONCE | 4, [212 ... 213] = 1, [214 ... 219] = 3, [220 ... 222] = OPCODE_STORE | 1,
	[242] = 1, [243] = OPCODE_FOR | 1, [244] = 3, [246] = OPCODE_ONCE, [247] = OPCODE_HIDDEN,
	[249] = OPCODE_BACK | 1, [250 ... 253] = 1, [254] = OPCODE_HIDDEN,
};

static const uint8_t opcodes_14[256] = {
	[3] = 5, [4] = OPCODE_ONCE, [7] = OPCODE_HANDLER, [32] = OPCODE_HANDLER, [38] = 1, [39] = 3,
	[43] = OPCODE_ONCE, [44] = 5, [52] = 3, [55] = 3, [56 ... 57] = 1, [69] = OPCODE_EXTEND,
	[70] = OPCODE_FOR | 1, [75] = OPCODE_BACK | 1, [76] = OPCODE_RESUME, [80] = OPCODE_ONCE | 9, [92] = 4,
	[95] = OPCODE_ONCE, [96] = 1, [100 ... 103] = 1, [106] = OPCODE_AWAIT | 1, [110] = OPCODE_ONCE | 4,
	[112 ... 114] = OPCODE_STORE, [118] = OPCODE_STORE, [119] = OPCODE_STORE | 1, [129 ... 142] = 5,
	[143 ... 165] = 3, [166 ... 170] = 1, [171 ... 174] = OPCODE_FOR | 1, [175 ... 176] = OPCODE_BACK | 1,
	[177 ... 189] = OPCODE_ONCE | 9, [192 ... 193] = 4, [194 ... 195] = 1, [197] = OPCODE_AWAIT | 1,
	[198 ... 200] = OPCODE_ONCE | 4, [201 ... 202] = 1, [203 ... 208] = 3, [209 ... 211] = OPCODE_STORE | 1,
	[237] = OPCODE_FOR | 1, [238] = OPCODE_HIDDEN, [241 ... 244] = 1, [249] = 1, [250 ... 251] = 3,
	[252] = OPCODE_ONCE, [253] = OPCODE_BACK | 1, [254 ... 255] = OPCODE_HIDDEN,
};

static const uint8_t opcodes_15[256] = {
	[3] = 5, [4] = OPCODE_ONCE | 1, [7] = OPCODE_HANDLER, [30] = OPCODE_HANDLER, [36] = 1, [37] = 3,
	[41] = OPCODE_ONCE, [42] = 5, [50] = 3, [53] = 3, [54 ... 55] = 1, [67] = OPCODE_EXTEND,
	[68] = OPCODE_FOR | 1, [70] = 1, [74] = OPCODE_BACK | 1, [75] = OPCODE_RESUME, [79] = OPCODE_ONCE | 9,
	[91] = 4, [94] = OPCODE_ONCE, [95] = 1, [99 ... 102] = 1, [105] = OPCODE_AWAIT | 1, [109] = OPCODE_ONCE | 4,
	[111 ... 113] = OPCODE_STORE, [117] = OPCODE_STORE, [118] = OPCODE_STORE | 1, [128] = 1, [129 ... 143] = 5,
	[144 ... 150] = 3, [151 ... 152] = 1, [153 ... 168] = 3, [169 ... 173] = 1, [174 ... 178] = OPCODE_FOR | 1,
	[179 ... 180] = 1, [181 ... 182] = OPCODE_BACK | 1, [183 ... 195] = OPCODE_ONCE | 9, [196 ... 197] = 4,
	[198 ... 201] = 1, [202 ... 204] = OPCODE_AWAIT | 1, [205 ... 207] = OPCODE_ONCE | 4, [208 ... 209] = 1,
	[210 ... 215] = 3, [216 ... 218] = OPCODE_STORE | 1, [236] = OPCODE_FOR | 1, [237] = OPCODE_HIDDEN,
	[240 ... 244] = 1, [248] = 1, [249 ... 250] = 3, [251] = OPCODE_ONCE | 1, [252] = OPCODE_BACK | 1,
	[253 ... 255] = OPCODE_HIDDEN,
};

/* clang-format on */

static const uint8_t *const opcodes_table[] = {
    [8] = opcodes_8,   [9] = opcodes_9,	  [10] = opcodes_9,  [11] = opcodes_11,
    [12] = opcodes_12, [13] = opcodes_13, [14] = opcodes_14, [15] = opcodes_15,
};

const uint8_t *opcodes_find(uint8_t minor)
{
	return minor < sizeof(opcodes_table) / sizeof(*opcodes_table) ? opcodes_table[minor] : NULL;
}
