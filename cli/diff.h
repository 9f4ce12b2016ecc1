/*
 * diff.h: the two forms of what nettrace diff prints.
 */
#ifndef NT_CLI_DIFF_H
#define NT_CLI_DIFF_H

#include <stdio.h>

#include "compare.h"

struct diff {
	const char *paths[2]; /* before and after, like the rest */
	json_t *summaries[2];
	struct compared *endpoints;
	size_t count;
};

/* 0, or -ENOMEM. Errors of the stream are the caller's to look for. */
int diff_put_text(FILE *stream, const struct diff *diff);
int diff_put_json(FILE *stream, const struct diff *diff);

#endif
