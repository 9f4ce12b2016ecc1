/*
 * content.c: what calls asked and were answered, see content.h.
 */
#include "content.h"

#include <stdlib.h>

struct call_content *content_hold(struct call_content *content)
{
	if (content)
		content->holders++;
	return content;
}

void content_release(struct call_content *content)
{
	if (!content || --content->holders)
		return;
	free(content->items);
	free(content->request_values);
	free(content->answer_values);
	free(content->example);
	free(content);
}

bool content_passes(const struct call_content *from, const struct call_content *to)
{
	uint32_t i = 0, j = 0;

	while (i < from->answer_value_count && j < to->request_value_count) {
		if (from->answer_values[i] == to->request_values[j])
			return true;
		if (from->answer_values[i] < to->request_values[j])
			i++;
		else
			j++;
	}
	return false;
}
