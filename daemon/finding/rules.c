/*
 * rules.c: thresholds of the findings, see rules.h.
 */
#include "rules.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

const struct finding_rules rules_table[] = {
    {
	.name = "default",
	.duplicate = {.on = true, .same_answer = true, .least = 2},
	.n_plus_one = {.on = true, .keyed = true, .least = 4, .values = 4},
	.serial =
	    {.on = true, .independent = true, .least = 2, .call_time = MS / 2, .saving = MS / 2, .saving_share = 0.02},
	.repeated = {.on = true, .window = 60 * SECOND, .least = 10, .share = 0.5},
	.reconnect = {.on = true, .least = 3, .share = 0.5},
	.slow_start = {.on = true, .time = MS / 2, .share = 0.1},
	.stalled = {.on = true, .from = 38 * MS, .to = 60 * MS},
	.shown = {.runs = 1, .run_share = 0.05},
    },
    {.name = NULL},
};

const struct finding_rules *rules_find(const char *name)
{
	for (const struct finding_rules *rules = rules_table; rules->name; rules++)
		if (!strcmp(rules->name, name))
			return rules;
	return NULL;
}
