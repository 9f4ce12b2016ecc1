/*
 * findings.h: the table of an endpoint's findings, and the times of the runs that they were looked for in.
 *
 * Used by summary.c, merge.c, sort.c and rows.c only; outputs ask summary_is_shown() and summary_predict().
 */
#ifndef NT_SUMMARY_FINDINGS_H
#define NT_SUMMARY_FINDINGS_H

#include "summary.h"

/* Counts what was found in a run that was analysed. 0 or -ENOMEM. */
int findings_add(struct summary *summary, struct summary_endpoint *endpoint, const struct finding_report *report);

/* Adds what another summary has of the endpoint. 0 or -ENOMEM. */
int findings_merge(struct summary *summary, struct summary_endpoint *into, const struct summary_endpoint *from);

/* What would save most in all comes first. */
void findings_sort(struct summary_endpoint *endpoint);

void findings_clear(struct summary_endpoint *endpoint);

#endif
