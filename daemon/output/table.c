/*
 * table.c: the outputs that there are. A new one is a file here and a line below.
 */
#include "output.h"

#include <string.h>

extern const struct output output_text, output_json;

const struct output *const output_table[] = {
    &output_text,
    &output_json,
    NULL,
};

const struct output *output_find(const char *name)
{
	for (const struct output *const *output = output_table; *output; output++)
		if (!strcmp((*output)->name, name))
			return *output;
	return NULL;
}
