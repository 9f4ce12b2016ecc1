/*
 * check.h: `nettraced --check`: what this kernel, these privileges and these targets allow.
 */
#ifndef NT_CHECK_H
#define NT_CHECK_H

#include <stdio.h>

#include "options.h"

/* Writes the answer to `stream`; attaches nothing. 0 if the targets could be traced with these options, else negative
 * errno. */
int check_report(const struct options *options, FILE *stream);

#endif
