/*
 * config.c: see config.h.
 *
 * jansson says where a file is no JSON, but not where a value stood that it has read: for that the text is looked
 * through once more, which is simple because it is JSON by then.
 */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding/rules.h"

#define CONFIG_MAX_BYTES (1 << 20) /* a thousand times what anybody writes */
#define RULES_MAX_BYTES 2000	   /* without spaces; all thresholds together take half of it */

struct config {
	char *path, *text;
	json_t *root;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static void say(char *why, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, size, format, arguments);
	va_end(arguments);
	for (; *why; why++)
		if (*why == '\n')
			*why = ' ';
}

/* All of a file, with a NUL behind it. */
static int read_file(FILE *file, char *text, size_t *ret_size)
{
	*ret_size = fread(text, 1, CONFIG_MAX_BYTES + 1, file);
	if (ferror(file))
		return -EIO;
	if (*ret_size > CONFIG_MAX_BYTES)
		return -EFBIG;
	text[*ret_size] = '\0';
	return 0;
}

static int read_text(const char *path, char **ret_text, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	int error;

	if (!file)
		return -errno;
	*ret_text = malloc(CONFIG_MAX_BYTES + 2);
	error = *ret_text ? read_file(file, *ret_text, ret_size) : -ENOMEM;
	fclose(file);
	return error;
}

static int parse(struct config *config, char *why, size_t size)
{
	json_error_t error;

	config->root = json_loadb(config->text, config->size, JSON_REJECT_DUPLICATES, &error);
	if (!config->root) {
		say(why, size, "%.100s line %d: %s", config->path, error.line, error.text);
		return -EINVAL;
	}
	if (!json_is_object(config->root)) {
		say(why, size, "%.100s line 1: it is a JSON object of options: {\"interval\": 5}", config->path);
		return -EINVAL;
	}
	return 0;
}

int config_read(const char *path, struct config **ret_config, char *why, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	int error;

	if (!config)
		return -ENOMEM;
	config->path = strdup(path);
	error = config->path ? read_text(path, &config->text, &config->size) : -ENOMEM;
	if (error)
		say(why, size, "cannot read %.160s: %s", path, strerror(-error));
	else
		error = parse(config, why, size);
	if (error) {
		config_free(config);
		return error;
	}
	*ret_config = config;
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	json_decref(config->root);
	free(config->path);
	free(config->text);
	free(config);
}

const char *config_path(const struct config *config)
{
	return config->path;
}

/* The end of the string that begins here. */
static const char *string_end(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return at;
}

/* The line of option number `option`, from 0; of its list's value number `index`, if it is a list. */
static unsigned find_line(const char *text, size_t option, bool list, size_t index)
{
	unsigned line = 1, depth = 0, wanted = list ? 2 : 1;
	size_t options = 0, values = 0;

	for (const char *at = text; *at; at++) {
		if (*at == '\n')
			line++;
		else if (*at == ',')
			*(depth == 1 ? &options : &values) += depth == 1 || (depth == 2 && options == option);
		else if (*at == '}' || *at == ']')
			depth--;
		else if (!strchr(" \t\r:", *at) && depth == wanted && options == option && values == index)
			return line;
		if (*at == '{' || *at == '[')
			depth++;
		if (*at == '"')
			at = string_end(at);
		if (!*at)
			break;
	}
	return line;
}

static json_t *number_as_text(json_t *value)
{
	char text[64];

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%.15g", json_real_value(value));
	return json_string(text);
}

static json_t *object_as_text(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_t *string = text ? json_string(text) : NULL;

	free(text);
	return string;
}

/* Numbers and objects are given on as the text that the command line would have. Keeps it in the value's place. */
static json_t *as_text(json_t *parent, const char *name, size_t index, json_t *value)
{
	bool object = json_is_object(value) && !json_is_array(parent);
	json_t *string;

	if (!json_is_number(value) && !object)
		return value;
	string = object ? object_as_text(value) : number_as_text(value);
	if (!string || (json_is_array(parent) ? json_array_set_new(parent, index, string)
					      : json_object_set_new(parent, name, string)))
		return NULL;
	return string;
}

/* What a walk through the file needs at each value. */
struct walk {
	struct config *config;
	int (*each)(void *context, const struct config_value *value);
	void *context;
	char *why;
	size_t size;
	size_t option;
};

static int walk_value(const struct walk *walk, json_t *parent, const char *name, size_t index, json_t *value)
{
	struct config_value found = {.name = name, .listed = json_is_array(parent), .truth = json_is_true(value)};

	found.object = json_is_object(value);
	found.line = find_line(walk->config->text, walk->option, found.listed, index);
	value = as_text(parent, name, index, value);
	if (!value)
		return -ENOMEM;
	if (!json_is_string(value) && !json_is_boolean(value)) {
		say(walk->why, walk->size, "%.100s line %u: '%.64s' is a text, a number, true, false or a list of them",
		    walk->config->path, found.line, name);
		return -EINVAL;
	}
	found.text = json_string_value(value);
	return walk->each(walk->context, &found);
}

static int walk_option(const struct walk *walk, const char *name, json_t *value)
{
	json_t *one;
	size_t i;
	int error = 0;

	if (!json_is_array(value))
		return walk_value(walk, walk->config->root, name, 0, value);
	json_array_foreach(value, i, one)
	{
		error = walk_value(walk, value, name, i, one);
		if (error)
			break;
	}
	return error;
}

int config_each(struct config *config, int (*each)(void *context, const struct config_value *value), void *context,
		char *why, size_t size)
{
	struct walk walk = {.config = config, .each = each, .context = context, .why = why, .size = size};
	const char *name;
	json_t *value;
	int error = 0;

	json_object_foreach(config->root, name, value)
	{
		error = walk_option(&walk, name, value);
		if (error)
			break;
		walk.option++;
	}
	return error;
}

/* As short as it can be: it goes into recordings. */
static char *compact(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);
	char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));

	json_decref(object);
	return line;
}

/* `name` is where the text is from. */
static int take_rules(const char *name, const char *text, char **ret_text, char *why, size_t size)
{
	struct finding_rules rules;
	char problem[192];

	if (rules_parse(text, &rules, problem, sizeof(problem))) {
		say(why, size, "%.60s: %s", name, problem);
		return -EINVAL;
	}
	*ret_text = *text == '{' || !rules_find(text) ? compact(text) : strdup(text);
	if (!*ret_text)
		return -ENOMEM;
	if (strlen(*ret_text) <= RULES_MAX_BYTES)
		return 0;
	free(*ret_text);
	say(why, size, "%.60s: it is longer than rules can be", name);
	return -EINVAL;
}

int config_read_rules(const char *word, char **ret_text, char *why, size_t size)
{
	char *text = NULL;
	size_t length;
	int error;

	if (*word == '{' || rules_find(word))
		return take_rules("--rules", word, ret_text, why, size);
	error = read_text(word, &text, &length);
	if (error || !text)
		say(why, size, "--rules '%.80s': no preset (default, sentry, perf-sentinel) and no file: %s", word,
		    strerror(-error));
	else
		error = take_rules(word, text, ret_text, why, size);
	free(text);
	return error;
}
