/*
 * layout.h: CPython's own word about where things are, for the files of this folder only.
 */
#ifndef NT_LAYOUT_H
#define NT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target.h"

#define LAYOUT_NONE 0xffff  /* no such field, where 0 could be an offset: cframe_frame, runtime_tss_key */
#define LAYOUT_MAX_WORDS 96 /* 64-bit words of _Py_DebugOffsets that we read: 94 reach all that we use in 3.15 */

/* How _PyRuntime begins from 3.13 on (pycore_debug_offsets.h, before 3.14 pycore_runtime.h). */
struct layout_debug {
	uint32_t version; /* PY_VERSION_HEX */
	bool free_threaded;
};

/* False: these words, the first ones of _PyRuntime, do not begin with CPython's cookie. */
bool layout_read_debug(const uint64_t *words, size_t count, struct layout_debug *ret_debug);

/*
 * Replaces what a row says by what CPython itself says in `words`. False: they make no sense, or are laid out in a
 * way that we do not know, and the row is as it was.
 */
bool layout_refine(struct nt_layout *layout, const uint64_t *words, size_t count);

#endif
