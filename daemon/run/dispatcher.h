/*
 * dispatcher.h: the functions of frameworks and servers whose callee is the user's function, as data.
 *
 * A row is all that a framework takes (docs/add-a-framework.md): in the table of dispatcher.c, or added at run time,
 * which is what a user does in a file of --config.
 */
#ifndef NT_RUN_DISPATCHER_H
#define NT_RUN_DISPATCHER_H

#include <stdbool.h>

#define DISPATCHER_MAX_ADDED 256 /* more rows than there are frameworks */

struct dispatcher {
	const char *file; /* what the path of its file ends with, from the beginning of a directory or file name */
	const char *name; /* its qualified name, a glob */
	/* It calls much else, too: what it calls is an endpoint only if it is the application's own. */
	bool generic;
	/* It is one only where the function of this name, of the same file, called it; NULL: always. For names that
	 * others could have. */
	const char *caller;
};

/* Rows that were added; they come before the table's. All zero: none. */
struct dispatcher_rows {
	struct dispatcher_row *first, *last;
	unsigned count;
};

/*
 * Adds "FILE NAME" or "FILE NAME generic", where a FILE of * is any. 0; -EINVAL: it is neither; -ENOSPC; -ENOMEM. What
 * was found before is to be found again.
 */
int dispatcher_add(struct dispatcher_rows *rows, const char *text);
void dispatcher_clear(struct dispatcher_rows *rows);

/*
 * The row for a function, which lives as long as `rows`; NULL: none. Where `qualified` is false, `name` is the plain
 * name, all that 3.8-3.10 keep, and the last component of a row's name is what counts.
 */
const struct dispatcher *dispatcher_find(const struct dispatcher_rows *rows, const char *file, const char *name,
					 bool qualified);

/* Is a function of `file`, for which this row was found, a dispatcher if that one called it? NULL, NULL: nobody did. */
bool dispatcher_called_by(const struct dispatcher *row, const char *file, const char *caller_file,
			  const char *caller_name);

#endif
