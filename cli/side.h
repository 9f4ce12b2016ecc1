/*
 * side.h: a summary of a whole capture from a file, for those who compare: what `--format json` has printed, or a
 * recording, which is replayed.
 */
#ifndef NT_CLI_SIDE_H
#define NT_CLI_SIDE_H

#include <jansson.h>
#include <stdbool.h>

/* The last final summary of the file, or the last one, as JSON has it. False, having said why: there is none. */
bool side_read(const char *path, json_t **ret_summary);

#endif
