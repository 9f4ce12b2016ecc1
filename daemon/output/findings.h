/*
 * findings.h: the lines about an endpoint's findings in the text summary. A part of endpoints.c's table.
 */
#ifndef NT_OUTPUT_FINDINGS_H
#define NT_OUTPUT_FINDINGS_H

#include "output.h"

#define FINDINGS_MAX_SHOWN 5 /* of an endpoint; JSON has them all */

/* What would save most in all comes first; nothing where there is none. */
void findings_put(FILE *stream, const struct summary *summary, const struct summary_endpoint *endpoint,
		  const struct output_style *style);

#endif
