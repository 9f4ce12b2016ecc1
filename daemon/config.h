/*
 * config.h: options from a file (--config): names and values as the command line has them, for options.c; and rules of
 * findings from a file (--rules).
 *
 * JSON, because its library is needed anyway and Debian 12 has none for TOML in C (only for C++). The format is in
 * docs/config.md.
 */
#ifndef NT_CONFIG_H
#define NT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct config;

/* A value, of those of a list one. */
struct config_value {
	const char *name;
	const char *text; /* NULL: it is true or false */
	bool truth;	  /* which of them */
	bool listed;	  /* it stands in a list */
	bool object;	  /* it is an object, `text` its JSON */
	unsigned line;
};

/*
 * Reads a file. 0, or negative errno with one line without a full stop in `why` (of `size` bytes) that names file and
 * line.
 */
int config_read(const char *path, struct config **ret_config, char *why, size_t size);
void config_free(struct config *config);

/*
 * Calls `each` for every value, in the file's order, until it returns something else than 0, which is returned. The
 * texts live as long as the config; an object's is JSON. -EINVAL with a line in `why` for a value that no option has:
 * null, a list in a list, an object in a list.
 */
int config_each(struct config *config, int (*each)(void *context, const struct config_value *value), void *context,
		char *why, size_t size);

/*
 * The rules of findings that a word names (--rules): a preset; a JSON text, which begins with `{`; or a file that holds
 * one. As a short text for rules_parse(), to be freed. 0, or negative errno with one line in `why`: -EINVAL where they
 * are none.
 */
int config_read_rules(const char *word, char **ret_text, char *why, size_t size);

/* The file's name, as it was given. */
const char *config_path(const struct config *config);

#endif
