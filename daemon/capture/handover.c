/*
 * handover.c: see handover.h.
 */
#define _GNU_SOURCE
#include <string.h>

#include "../target/hooks.h"
#include "handover.h"

#define FIRST_WAIT_NS 50000000ull /* modules are imported bit by bit, most of them when a program begins */
#define CHILD_WAIT_NS 1000000000ull
#define MAX_WAIT_NS 60000000000ull /* reading the mappings of a thousand processes costs half a second */

struct attaching {
	struct kernel *kernel;
	pid_t pid;
	bool anyio;
};

static int attach(void *context, const struct hooks *hooks)
{
	const struct attaching *attaching = context;

	/* What is refused costs the attribution of some work, not the trace: kernel_handover_refusal() has it. */
	kernel_handover_attach(attaching->kernel, hooks);
	if (attaching->anyio)
		kernel_handover_watch(attaching->kernel, attaching->pid, hooks);
	return 0;
}

void handover_begin(struct handover_look *look, struct kernel *kernel, const struct target *target, uint64_t now)
{
	*look = (struct handover_look){.from = 0};
	handover_look(look, kernel, target, now);
}

void handover_begin_child(struct handover_look *look, uint64_t now)
{
	look->wait = CHILD_WAIT_NS;
	look->from = now + look->wait;
}

void handover_learn(struct handover_look *look, const struct nt_code *code)
{
	static const char *const directories[] = {"/asyncio/", "/concurrent/futures/", "/uvloop/", "/anyio/"};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (!memmem(code + 1, code->file_size, directories[i], strlen(directories[i])))
			continue;
		look->from = look->wait = 0;
		look->anyio = look->anyio || !strcmp(directories[i], "/anyio/");
	}
}

void handover_look(struct handover_look *look, struct kernel *kernel, const struct target *target, uint64_t now)
{
	struct attaching attaching = {.kernel = kernel, .pid = target->pid};

	if (now < look->from || !(target->kernel.flags & NT_TARGET_PYTHON))
		return;
	look->anyio = look->anyio || hooks_anyio_is_likely(target);
	attaching.anyio = look->anyio;
	hooks_each(target, attach, &attaching);
	look->wait = look->wait ? look->wait * 2 : FIRST_WAIT_NS;
	if (look->wait > MAX_WAIT_NS)
		look->wait = MAX_WAIT_NS;
	look->from = now + look->wait;
}
