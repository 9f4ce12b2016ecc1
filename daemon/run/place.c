/*
 * place.c: interning endpoints and sites, see place.h.
 */
#include "place.h"

#include <stdlib.h>
#include <string.h>

/* An endpoint or a site. Its strings lie in `key`, with a NUL behind each: so equal keys are equal places. */
struct place {
	UT_hash_handle hh;
	union {
		struct run_endpoint endpoint;
		struct run_site site;
	};
	bool refused;
	size_t key_size;
	char key[];
};

static const struct run_endpoint other = {.name = "(other)", .file = ""};

/* A place that is not in a table yet; its key is the title, the file and the line. */
static struct place *place_new(const struct code *code, uint32_t line)
{
	size_t title_size = strlen(code->title) + 1, file_size = strlen(code->file) + 1;
	struct place *place = calloc(1, sizeof(*place) + title_size + file_size + sizeof(line));

	if (!place)
		return NULL;
	place->key_size = title_size + file_size + sizeof(line);
	memcpy(place->key, code->title, title_size);
	memcpy(place->key + title_size, code->file, file_size);
	memcpy(place->key + title_size + file_size, &line, sizeof(line));
	return place;
}

/* The place in the table that is like this one, which is freed if it is another. NULL: full, or no memory. */
static struct place *place_intern(struct place **table, unsigned *count, unsigned most, struct place *place)
{
	struct place *known;

	HASH_FIND(hh, *table, place->key, place->key_size, known);
	if (!known && *count < most) {
		HASH_ADD_KEYPTR(hh, *table, place->key, place->key_size, place);
		if (!place->refused) {
			(*count)++;
			return place;
		}
	}
	free(place);
	return known;
}

const struct run_endpoint *place_endpoint(struct place_table *table, struct code *code)
{
	struct place *place;

	if (code->endpoint)
		return code->endpoint;
	if (!code->known)
		return NULL;
	place = place_new(code, code->first_line);
	if (!place)
		return NULL;
	place->endpoint.name = place->key;
	place->endpoint.file = place->key + strlen(place->key) + 1;
	place->endpoint.line = code->first_line;
	place = place_intern(&table->endpoints, &table->endpoint_count, PLACE_MAX_ENDPOINTS, place);
	code->endpoint = place ? &place->endpoint : &other;
	return code->endpoint;
}

const struct run_site *place_site(struct place_table *table, const struct stack_frame *frame)
{
	struct place *place;
	uint32_t line;

	if (!frame->code->known)
		return NULL;
	line = frame_line(frame);
	place = place_new(frame->code, line);
	if (!place)
		return NULL;
	place->site.function = place->key;
	place->site.file = place->key + strlen(place->key) + 1;
	place->site.line = line;
	place = place_intern(&table->sites, &table->site_count, PLACE_MAX_SITES, place);
	return place ? &place->site : NULL;
}

static void places_free(struct place **places)
{
	struct place *place = *places, *next;

	HASH_CLEAR(hh, *places);
	for (; place; place = next) {
		next = place->hh.next;
		free(place);
	}
}

void place_table_clear(struct place_table *table)
{
	places_free(&table->endpoints);
	places_free(&table->sites);
	*table = (struct place_table){0};
}
