/*
 * pipeline.h: the core as one thing: records in, summaries out.
 *
 * Wires call/, run/, finding/ and summary/ together and handles the records that concern the whole (settings,
 * losses, cost, ticks). nettraced feeds it live, nettrace replay from a file, tests from memory: the same
 * records give the same summaries.
 */
#ifndef NT_PIPELINE_H
#define NT_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "../bpf/event.h"
#include "summary/summary.h"

struct pipeline;

/* Takes a summary when an interval (NT_TICK) or the capture (NT_END) ends. Negative errno stops the feed with it. */
typedef int (*pipeline_output_fn)(void *context, struct summary *summary);

/* Returns NULL without memory. */
struct pipeline *pipeline_new(pipeline_output_fn output, void *context);
void pipeline_free(struct pipeline *pipeline);

/*
 * Feeds one record of `size` bytes at `record` (8-byte aligned). -EBADMSG: it is malformed, and was ignored;
 * -EPROTO: another NT_ABI; -ENOMEM; or what the output function returned.
 */
int pipeline_feed(struct pipeline *pipeline, const void *record, size_t size);

/* Rules of findings from now on, whatever those are that the records name. */
void pipeline_set_rules(struct pipeline *pipeline, const struct finding_rules *rules);

/* Findings have examples of requests as they are: for outputs that show data. */
void pipeline_keep_examples(struct pipeline *pipeline);

/* Calls that summaries have or will have, until now. */
uint64_t pipeline_calls(const struct pipeline *pipeline);

/* See run_stage_judge(). */
uint32_t pipeline_judge(const struct pipeline *pipeline, uint32_t pid, uint64_t code);

/* See run_stage_note(). */
bool pipeline_note(struct pipeline *pipeline, const struct nt_stack *record, struct nt_stack_note *ret_note);

/* Is this record well-formed: sizes, counts, lengths within it? 0, -EBADMSG or -EPROTO. */
int record_check(const void *record, size_t size);

#endif
