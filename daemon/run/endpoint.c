/*
 * endpoint.c: the rules of endpoint.h.
 */
#include "endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* co_flags, the same in all versions. */
#define CO_VARARGS 0x04
#define CO_VARKEYWORDS 0x08
#define CO_NESTED 0x10

#define PATTERN_MAX_LEVELS 8 /* classes and functions around a function that a pattern may name on 3.8-3.10 */

/* A glob over the title, or over the file and the name. */
struct endpoint_pattern {
	struct endpoint_pattern *next;
	bool plain;	  /* for code whose name is not qualified only */
	const char *file; /* "*" and '/' before what the user gave; NULL: `name` is over the title */
	const char *name;
	char text[];
};

static int pattern_add(struct endpoint_rules *rules, bool plain, const char *file, size_t file_size, const char *name,
		       size_t name_size)
{
	struct endpoint_pattern *pattern = calloc(1, sizeof(*pattern) + file_size + name_size + 4);
	char *at;

	if (!pattern)
		return -ENOMEM;
	at = pattern->text;
	if (file) {
		pattern->file = memcpy(at, "*/", 2);
		memcpy(at + 2, file, file_size);
		at += 2 + file_size + 1;
	}
	pattern->name = memcpy(at, name, name_size);
	pattern->plain = plain;
	pattern->next = rules->patterns;
	rules->patterns = pattern;
	return 0;
}

/*
 * CPython 3.8-3.10 know a method as module.method only: a pattern module.Class.method is one over
 * module.method for them. Which of its components are the module it does not say: all that are possible are tried.
 */
static int pattern_add_plain(struct endpoint_rules *rules, const char *text)
{
	const char *last = text_last_component(text);
	size_t last_size = strlen(last), size = last > text ? (size_t)(last - text - 1) : 0;
	char *shorter = malloc(size + 1 + last_size + 1);
	int error = 0;

	if (!shorter)
		return -ENOMEM;
	memcpy(shorter, text, size);
	for (int level = 0; level < PATTERN_MAX_LEVELS && !error; level++) {
		while (size > 0 && shorter[size - 1] != '.')
			size--;
		if (size <= 1)
			break;
		memcpy(shorter + size, last, last_size + 1);
		error = pattern_add(rules, true, NULL, 0, shorter, size + last_size);
		size--; /* the dot */
	}
	free(shorter);
	return error;
}

int endpoint_rules_add(struct endpoint_rules *rules, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *last;
	int error;

	if (!colon) {
		error = pattern_add(rules, false, NULL, 0, text, strlen(text));
		return error ? error : pattern_add_plain(rules, text);
	}
	last = text_last_component(colon + 1);
	error = pattern_add(rules, false, text, colon - text, colon + 1, strlen(colon + 1));
	if (!error && last != colon + 1)
		error = pattern_add(rules, true, text, colon - text, last, strlen(last));
	return error;
}

void endpoint_rules_clear(struct endpoint_rules *rules)
{
	while (rules->patterns) {
		struct endpoint_pattern *next = rules->patterns->next;

		free(rules->patterns);
		rules->patterns = next;
	}
	dispatcher_clear(&rules->dispatchers);
}

static bool pattern_matches(const struct endpoint_pattern *pattern, const struct code *code)
{
	if (pattern->plain && code->qualified)
		return false;
	if (!pattern->file)
		return !fnmatch(pattern->name, code->title, 0);
	/* As it is, or as the end of a path. */
	return !fnmatch(pattern->name, code->name, 0) &&
	       (!fnmatch(pattern->file + 2, code->file, 0) || !fnmatch(pattern->file, code->file, 0));
}

/* Is there a directory lib/pythonX.Y or lib64/pythonX.Y on the path, or the archive lib/pythonXY.zip? */
static bool in_standard_library(const char *file)
{
	static const char python[] = "/python";

	for (const char *at = strstr(file, python); at; at = strstr(at + 1, python)) {
		const char *end = at + strlen(python);
		bool below_lib = (at - file >= 4 && !strncmp(at - 4, "/lib", 4)) ||
				 (at - file >= 6 && !strncmp(at - 6, "/lib64", 6));

		if (!below_lib || !isdigit((unsigned char)*end))
			continue;
		end += strspn(end, "0123456789");
		if (!strncmp(end, ".zip/", 5))
			return true;
		if (*end != '.' || !isdigit((unsigned char)end[1]))
			continue;
		end++;
		end += strspn(end, "0123456789");
		end += *end == 't'; /* a free-threaded build's */
		if (*end == '/')
			return true;
	}
	return false;
}

/* A program of a package's: in a directory called bin, and without an ending, unlike a user's own script there. */
static bool is_console_script(const char *file)
{
	const char *name = strrchr(file, '/');

	return name && name - file >= 4 && !strncmp(name - 4, "/bin", 4) && !strchr(name, '.');
}

static enum code_own own_of(const char *file, enum code_kind kind)
{
	static const char *const typed[] = {"<string>", "<stdin>", "<ipython-input"};

	if (*file == '<') {
		for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++)
			if (!strncmp(file, typed[i], strlen(typed[i])))
				return CODE_TYPED;
		return CODE_FOREIGN;
	}
	/* What 3.13 puts around a specialised call of a class; it says "__init__" for everything. */
	if (!strcmp(file, "__init__"))
		return CODE_FOREIGN;
	if (!*file || in_standard_library(file) || strstr(file, "/site-packages/") || strstr(file, "/dist-packages/"))
		return CODE_FOREIGN;
	if (kind == CODE_MODULE && is_console_script(file))
		return CODE_FOREIGN;
	return CODE_OWN;
}

static enum code_kind kind_of(const char *name)
{
	static const char *const comprehensions[] = {"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"};
	const char *last = text_last_component(name);

	if (!strcmp(name, "<module>"))
		return CODE_MODULE;
	for (size_t i = 0; i < sizeof(comprehensions) / sizeof(*comprehensions); i++)
		if (!strcmp(last, comprehensions[i]))
			return CODE_COMPREHENSION;
	return CODE_FUNCTION;
}

/* What a decorator puts in a function's place: `def wrapper(*args, **kwargs)` inside another one, or such a __call__().
 */
static bool is_wrapper(const struct code *code)
{
	const uint32_t any_arguments = CO_VARARGS | CO_VARKEYWORDS;

	return (code->flags & any_arguments) == any_arguments &&
	       (code->flags & CO_NESTED || !strcmp(text_last_component(code->name), "__call__"));
}

void endpoint_classify(const struct endpoint_rules *rules, struct code *code)
{
	if (!code->known)
		return;
	code->kind = kind_of(code->name);
	code->own = own_of(code->file, code->kind);
	code->dispatcher = dispatcher_find(&rules->dispatchers, code->file, code->name, code->qualified);
	code->landmark = landmark_find(code->file, code->name, code->qualified);
	code->wrapper = is_wrapper(code);
	code->named_by_user = false;
	for (const struct endpoint_pattern *p = rules->patterns; p && !code->named_by_user; p = p->next)
		code->named_by_user = pattern_matches(p, code);
}

uint32_t endpoint_judge(const struct endpoint_rules *rules, const struct code *code)
{
	uint32_t flags = NT_CODE_JUDGED;

	if (rules->patterns)
		return code->named_by_user ? flags | NT_CODE_ENDPOINT : flags;
	if (code->own != CODE_FOREIGN)
		flags |= NT_CODE_APPLICATION;
	if (code->kind == CODE_MODULE)
		flags |= NT_CODE_MODULE;
	if (code->dispatcher || code->wrapper)
		flags |= NT_CODE_DISPATCHER;
	return flags;
}

/* A stack under the rules. */
struct search {
	const struct stack *stack;
	enum code_own least; /* what counts as the application's own on it */
};

static enum code_own least_own(const struct stack *stack)
{
	for (uint32_t i = 0; i < stack->depth; i++)
		if (stack->frames[i].code->own == CODE_OWN)
			return CODE_OWN;
	return CODE_TYPED;
}

/* The function inside the decorators' frames that begin at `index`; that itself if it is none's. */
static int unwrap(const struct search *search, int index)
{
	const struct stack_frame *frames = search->stack->frames;
	int at = index;

	while (at > 0 && frames[at].code->wrapper) {
		at--;
		if (frames[at].code->own >= search->least && frames[at].code->kind == CODE_FUNCTION)
			index = at;
	}
	return index;
}

/* The outermost frame of this kind and the application's own among the `count` innermost; -1: none. */
static int find_own(const struct search *search, int count, enum code_kind kind)
{
	for (int i = count - 1; i >= 0; i--) {
		const struct code *code = search->stack->frames[i].code;

		if (code->own >= search->least && code->kind == kind)
			return kind == CODE_FUNCTION ? unwrap(search, i) : i;
	}
	return -1;
}

/* The dispatcher that a frame is, called from where it was; NULL: none. */
static const struct dispatcher *dispatcher_at(const struct search *search, uint32_t index)
{
	const struct stack *stack = search->stack;
	const struct code *code = stack->frames[index].code;
	const struct code *caller = index + 1 < stack->depth ? stack->frames[index + 1].code : NULL;

	if (!code->dispatcher || !dispatcher_called_by(code->dispatcher, code->file, caller ? caller->file : NULL,
						       caller ? caller->name : NULL))
		return NULL;
	return code->dispatcher;
}

/* Inside the innermost dispatcher that has something of the application's own inside. */
static int find_dispatched(const struct search *search, bool generic)
{
	for (uint32_t i = 1; i < search->stack->depth; i++) {
		const struct dispatcher *dispatcher = dispatcher_at(search, i);
		int found;

		if (!dispatcher || dispatcher->generic != generic)
			continue;
		found = find_own(search, i, CODE_FUNCTION);
		if (found < 0)
			found = find_own(search, i, CODE_MODULE);
		if (found >= 0)
			return found;
	}
	return -1;
}

/* What the innermost dispatcher called, whosever it is. */
static int find_called(const struct search *search)
{
	for (uint32_t i = 1; i < search->stack->depth; i++) {
		const struct dispatcher *dispatcher = dispatcher_at(search, i);

		if (dispatcher && !dispatcher->generic)
			return i - 1;
	}
	return -1;
}

static int find_named(const struct stack *stack)
{
	for (int i = (int)stack->depth - 1; i >= 0; i--)
		if (stack->frames[i].code->named_by_user)
			return i;
	return -1;
}

int endpoint_find(const struct endpoint_rules *rules, const struct stack *stack, uint32_t inside, bool *ret_certain)
{
	struct search search = {.stack = stack, .least = least_own(stack)};
	int found;

	if (rules->patterns) {
		found = find_named(stack);
		*ret_certain = found >= 0;
		return found;
	}
	found = find_dispatched(&search, false);
	if (found < 0)
		found = find_called(&search);
	if (found < 0)
		found = find_dispatched(&search, true);
	*ret_certain = found >= 0;
	if (found >= 0)
		return found;
	found = find_own(&search, (int)inside, CODE_FUNCTION);
	return found >= 0 ? found : find_own(&search, (int)inside, CODE_MODULE);
}

int endpoint_find_dispatcher(const struct stack *stack, uint32_t endpoint)
{
	const struct search search = {.stack = stack, .least = CODE_OWN};

	for (uint32_t i = endpoint + 1; i < stack->depth; i++) {
		const struct dispatcher *dispatcher = dispatcher_at(&search, i);

		if (dispatcher && !dispatcher->generic)
			return find_own(&search, (int)i, CODE_FUNCTION) == (int)endpoint ? (int)i : -1;
	}
	return -1;
}

int endpoint_find_site(const struct stack *stack, uint32_t inside, int endpoint)
{
	enum code_own least = least_own(stack);
	int count = endpoint < 0 ? (int)inside : endpoint;

	for (int i = 0; i < count; i++)
		if (stack->frames[i].code->own >= least)
			return i;
	return endpoint;
}
