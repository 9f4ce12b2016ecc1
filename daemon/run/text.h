/*
 * text.h: the target's strings as people can read them.
 *
 * CPython keeps a string with 1, 2 or 4 bytes a character; code.c makes UTF-8 of it here.
 */
#ifndef NT_RUN_TEXT_H
#define NT_RUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The `size` bytes at `data`, `kind` (1, 2, 4) bytes a character in host byte order, as UTF-8 that the caller frees.
 * Control characters are written as \xNN, so that a name cannot steer a terminal or break a line; what
 * is no character (lone surrogates, numbers beyond Unicode) becomes U+FFFD. NULL without memory.
 */
char *text_utf8(const uint8_t *data, size_t size, unsigned kind);

/* The `size` bytes at `text`, which should be UTF-8, in the same form: bytes that are none become U+FFFD. */
char *text_clean(const char *text, size_t size);

/* The last component of a dotted name; the whole where there is only one. Points into it. */
const char *text_last_component(const char *name);

/* Does a path end with this one, from the beginning of a directory's or a file's name? */
bool text_ends_path(const char *path, const char *end);

#endif
