/*
 * dispatcher.h: the functions of frameworks and servers whose callee is the user's function, as data.
 *
 * A row is all that a framework takes (docs/add-a-framework.md).
 */
#ifndef NT_RUN_DISPATCHER_H
#define NT_RUN_DISPATCHER_H

#include <stdbool.h>

struct dispatcher {
	const char *file; /* what the path of its file ends with, from the beginning of a directory or file name */
	const char *name; /* its qualified name, a glob */
	/* It calls much else, too: what it calls is an endpoint only if it is the application's own. */
	bool generic;
	/* Its plain name alone, all that 3.8-3.10 keep, says too little. */
	bool qualified;
};

/*
 * The row for a function; NULL: none. Where `qualified` is false, `name` is the plain name, and the last component of a
 * row's name is what counts.
 */
const struct dispatcher *dispatcher_find(const char *file, const char *name, bool qualified);

#endif
