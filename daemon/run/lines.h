/*
 * lines.h: the source line of an instruction, from a code object's line table.
 *
 * Three formats: lnotab (CPython 3.8, 3.9; Objects/lnotab_notes.txt), the line table of PEP 626 (3.10) and the
 * location table of PEP 657 (3.11 on; Objects/locations.md). The tables come from another process's memory:
 * nothing in them is trusted.
 */
#ifndef NT_RUN_LINES_H
#define NT_RUN_LINES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The line of the instruction at byte `offset` of a Python 3.`minor` code object. `size` bytes of the table are there;
 * `full` is what the target has. 0 where the instruction has no line, the table ends before it, was cut, or the version
 * is not known.
 */
uint32_t lines_find(uint8_t minor, const uint8_t *table, size_t size, size_t full, uint32_t first_line,
		    uint32_t offset);

#endif
