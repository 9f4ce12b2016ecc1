/*
 * side.c: see side.h.
 *
 * A recording goes through the core and the JSON output, so that there is one form of a summary to look at.
 */
#include "side.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/output/output.h"
#include "../daemon/pipeline.h"
#include "../daemon/recording.h"
#include "cli.h"

#define SCHEMA "nettrace.summary/1"

/* Keeps the final summary of a replay. */
static int keep_final(void *context, struct summary *summary)
{
	static const struct output_style style = {.columns = 0};
	json_t **object = context;
	char *text = NULL;
	size_t size;
	FILE *stream;
	int error;

	if (!summary->facts.final)
		return 0;
	stream = open_memstream(&text, &size);
	if (!stream)
		return -ENOMEM;
	error = output_find("json")->write(stream, summary, &style);
	if (fclose(stream) && !error)
		error = -ENOMEM;
	if (!error)
		*object = json_loadb(text, size, 0, NULL);
	free(text);
	return error ? error : *object ? 0 : -ENOMEM;
}

static int feed_all(struct pipeline *pipeline, struct recording_reader *reader)
{
	const struct nt_head *record;
	int more, error = 0;

	while (!error && (more = recording_read(reader, &record)) > 0)
		error = pipeline_feed(pipeline, record, record->size);
	return error ? error : more;
}

static bool replay(const char *path, struct recording_reader *reader, json_t **ret_summary)
{
	struct pipeline *pipeline = pipeline_new(keep_final, ret_summary);
	int error = pipeline ? feed_all(pipeline, reader) : -ENOMEM;

	pipeline_free(pipeline);
	if (!error && *ret_summary)
		return true;
	if (error == -ENODATA || error == -EBADMSG)
		cli_say("%s is no whole recording; nettrace replay --json -i 0 makes a summary of what is there", path);
	else
		cli_say("cannot replay %s: %s", path, recording_problem(error));
	json_decref(*ret_summary);
	*ret_summary = NULL;
	return false;
}

static bool skip_space(FILE *file)
{
	int next;

	while ((next = getc(file)) != EOF && isspace(next))
		;
	return next != EOF && ungetc(next, file) != EOF;
}

static bool is_summary(const json_t *object)
{
	const char *schema = json_string_value(json_object_get(object, "schema"));

	return schema && !strcmp(schema, SCHEMA);
}

/* One object after the other: the last final one, or else the last. */
static bool read_objects(const char *path, FILE *file, json_t **ret_summary)
{
	json_error_t problem;

	while (skip_space(file)) {
		json_t *object = json_loadf(file, JSON_DISABLE_EOF_CHECK, &problem);
		bool was_final = json_is_true(json_object_get(*ret_summary, "final"));

		if (!object || !is_summary(object)) {
			cli_say("%s is neither a recording nor summaries as JSON (%s)", path, SCHEMA);
			json_decref(object);
			return false;
		}
		if (was_final && !json_is_true(json_object_get(object, "final"))) {
			json_decref(object);
			continue;
		}
		json_decref(*ret_summary);
		*ret_summary = object;
	}
	if (ferror(file) || !*ret_summary) {
		cli_say("cannot read %s: %s", path, ferror(file) ? strerror(errno) : "it is empty");
		return false;
	}
	return true;
}

static bool read_json(const char *path, json_t **ret_summary)
{
	FILE *file = fopen(path, "re");
	bool done;

	if (!file) {
		cli_say("cannot read %s: %s", path, strerror(errno));
		return false;
	}
	done = read_objects(path, file, ret_summary);
	fclose(file);
	if (!done) {
		json_decref(*ret_summary);
		*ret_summary = NULL;
	}
	return done;
}

bool side_read(const char *path, json_t **ret_summary)
{
	struct recording_reader *reader = NULL;
	int error = recording_open(path, &reader);
	bool done = false;

	*ret_summary = NULL;
	if (error == -ENOEXEC)
		return read_json(path, ret_summary);
	if (error)
		cli_say("cannot read %s: %s", path, recording_problem(error));
	else
		done = replay(path, reader, ret_summary);
	recording_reader_free(reader);
	return done;
}
