/*
 * endpoint.h: which function on a stack is the endpoint.
 *
 * With patterns (--endpoint): the outermost frame that one of them matches, and nothing else.
 * Without:
 *   1. the innermost frame of a framework's dispatcher (dispatcher.c) that has frames of the application's own
 *      inside it: the first such function;
 *   2. else the function that the innermost framework's dispatcher called, a package's own view as it may be;
 *   3. else as 1 for dispatchers that call much else, too (gunicorn's WSGI: the application, or its middleware);
 *   4. else the outermost function of the application's own code: what a thread or task runs, what a script calls;
 *   5. else the body of a module of the application's own, if it is no console script.
 *
 * The application's own code is what lies in no standard library (.../lib/pythonX.Y/), site-packages or dist-packages.
 * What has no file (<frozen importlib>, code that a library generates) is not the application's; <string> and <stdin>,
 * which `python -c` runs but namedtuple and dataclass make, too, are if nothing else on the stack is. A comprehension
 * belongs to the function that it stands in. A console script is a file without ending in a directory called bin.
 * A decorator's function (made inside another one, or a __call__(), that takes `*args, **kwargs`) stands for what it
 * calls: inside it, the next function of the application's own is the one, if there are only more of its kind between
 * them. What it calls for itself, before or after, is its own.
 */
#ifndef NT_RUN_ENDPOINT_H
#define NT_RUN_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "code.h"
#include "dispatcher.h"

struct endpoint_pattern;

struct endpoint_rules {
	struct endpoint_pattern *patterns;  /* NULL: the rules above */
	struct dispatcher_rows dispatchers; /* beside those that are built in */
};

/* 0 or -ENOMEM. Code objects that were classified before are to be again. */
int endpoint_rules_add(struct endpoint_rules *rules, const char *pattern);
void endpoint_rules_clear(struct endpoint_rules *rules);

/* Sets what a code object is, once its names are known. */
void endpoint_classify(const struct endpoint_rules *rules, struct code *code);

/* NT_CODE_* of a classified code object. */
uint32_t endpoint_judge(const struct endpoint_rules *rules, const struct code *code);

/*
 * The index of the endpoint's frame, or -1. For rules 4 and 5 only the `inside` innermost frames count: an event loop's
 * caller is not who wants what its tasks do. `ret_certain`: it was found by another rule, and frames that the walk did
 * not reach, outside of those that are there, would not change it.
 */
int endpoint_find(const struct endpoint_rules *rules, const struct stack *stack, uint32_t inside, bool *ret_certain);

/*
 * The index of the frame of the dispatcher that says of this endpoint, and whatever is outside, that it is one: it is
 * found from the frames up to the dispatcher's caller alone. -1: there is none.
 */
int endpoint_find_dispatcher(const struct stack *stack, uint32_t endpoint);

/*
 * The index of the innermost frame of the application's own within the endpoint's frame; that itself if there is none.
 * For an endpoint of -1: of the innermost one on the stack, or -1.
 */
int endpoint_find_site(const struct stack *stack, uint32_t inside, int endpoint);

#endif
