/*
 * table.c: the kinds of findings, in the order in which they are asked (plan.h).
 */
#include "plan.h"

const struct finding_type *const finding_types[] = {
    &finding_duplicate, &finding_n_plus_one, &finding_serial,  &finding_repeated,
    &finding_reconnect, &finding_slow_start, &finding_stalled, NULL,
};
