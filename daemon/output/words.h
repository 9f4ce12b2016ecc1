/*
 * words.h: numbers and names as text that is safe to print, for the outputs of this folder.
 *
 * Names come from traced processes and their peers: nothing is taken to be UTF-8, nor fit for a terminal.
 */
#ifndef NT_OUTPUT_WORDS_H
#define NT_OUTPUT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that words_clean() needs at most for `text`, with the NUL. */
size_t words_clean_size(const char *text);

/*
 * Copies `text` as valid UTF-8, each byte that is none replaced by U+FFFD; with `printable` control characters
 * become '?' too, so that no name can steer a terminal. What does not fit is left out, never half a character.
 */
void words_clean(const char *text, bool printable, char *ret_text, size_t size);

/* Characters of valid UTF-8. */
size_t words_width(const char *text);

/* Cuts valid UTF-8 to `width` characters, in the middle (names keep both ends) or at the end. */
void words_cut_middle(char *text, size_t width);
void words_cut_end(char *text, size_t width);

/* A time in ns with the unit that reads best: 870us, 48.1ms, 1.25s. */
void words_time(double ns, char *ret_text, size_t size);

/* 11 MiB */
void words_size(uint64_t bytes, char *ret_text, size_t size);

/*
 * Where in a process's command line its program begins, as people know it: without the interpreter's path and options
 * and without the program's directories. `/usr/bin/python3 -u /srv/run/gunicorn -w 2 app` begins at `gunicorn`.
 */
const char *words_command(const char *command);

/* A source file with its directory, which is what tells files apart: the end of `file`. */
const char *words_file(const char *file);

/* Wall time in ns since the epoch as ISO 8601, UTC, with ms. */
void words_date(uint64_t ns, char *ret_text, size_t size);

#endif
