/*
 * content.h: what a call asked and was answered, as far as findings need it: enough to say whether two are the same and
 * whether a value went from one to another, and not the bytes themselves.
 *
 * Filled by content.c from what protocol readers tell (protocol.h, `content` and `item`). Hashes are seeded with the
 * capture's secret.
 */
#ifndef NT_CONTENT_H
#define NT_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../protocol/protocol.h"
#include "values.h"

#define CONTENT_MAX_ITEMS 64	 /* keys of a call that are told apart; calls that name more are `items_cut` */
#define CONTENT_MAX_VALUES 4096	 /* values of an answer that are looked for; of more, it is cut */
#define CONTENT_EXAMPLE_SIZE 120 /* bytes of a request that --show-data shows */
#define CONTENT_MAX_BYTES (UINT64_C(64) << 20) /* of all contents together; calls beyond have none (counted) */

/*
 * One of the keys that a request names, with what was answered for it. What two calls have in common, one of which
 * writes, may have changed between them. So that equal keys suffice for that, what is written or read by a path has
 * several: a read of /orders/17 those of itself and of all below /orders and below /, a write that of all below
 * itself and those of /orders and /.
 */
struct content_item {
	uint64_t key;
	/*
	 * 0: the answer does not say which part of it is for this key, or the request asks for less than all that the
	 * key has (a field, a range, its time to live): where it is known, the same key was asked the same.
	 */
	uint64_t answer;
};

/*
 * Shared by those who hold it: when the call has ended, nobody but content_look() changes it. Of a CALL_REQUEST only
 * the request is known.
 */
struct call_content {
	unsigned holders;
	enum protocol_access access;
	const char *batch;			/* static; NULL: nothing asks for many at once */
	char template[PROTOCOL_OPERATION_SIZE]; /* masked */
	uint64_t request, answer;		/* of all that is told of each, and of its size; 0: nothing was told */
	uint64_t request_size, answer_size;	/* bytes that were told, holes included */
	/* Some of it is not there to compare: the sizes and what is there make the hash. */
	bool request_cut, answer_cut;
	bool missing;	     /* struct protocol_answer's */
	bool opaque;	     /* the answer's values are not known, or not all: certain after content_look() */
	bool request_opaque; /* likewise the request's */
	bool items_cut;
	uint32_t item_count;
	struct content_item *items; /* in the request's order */
	/*
	 * Values that may be passed on: hashes of what the request has as data, in which some may be twice, and of what
	 * the answer has. One that is in call i's answer and in call j's request may be how j came to know it. The
	 * answer's are for content_look() to say.
	 */
	uint32_t request_value_count, answer_value_count;
	uint32_t *request_values, *answer_values;
	char *example; /* beginning of the request as it is, for --show-data; NULL: not asked for */
	/*
	 * content.c's: text of the answer in which values are looked for when somebody asks; its `bytes` are NULL if
	 * `answer_values` are all. Then what it is counted in, with how much; NULL: made by others, who also gave it
	 * its arrays.
	 */
	struct values_text later;
	struct content_budget *budget;
	size_t size;
	size_t block; /* bytes of memory that it stands at the beginning of, with what fits behind it */
};

/* One more holder of it; NULL is one as well. */
struct call_content *content_hold(struct call_content *content);
void content_release(struct call_content *content);

/*
 * The answer's values, valid until another content is looked at: those that are `wanted`, and perhaps others; NULL:
 * all. `opaque` may turn out true.
 */
const uint32_t *content_look(struct call_content *content, const struct values_wanted *wanted, uint32_t *ret_count);

#endif
