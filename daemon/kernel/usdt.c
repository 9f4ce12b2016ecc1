/*
 * usdt.c: CPython's function probes of one process. By process and never for all of a binary: a raised semaphore
 * makes every process that runs it pay.
 */
#include <errno.h>
#include <stdlib.h>

#include "nettraced.skel.h"
#include "object.h"

struct kernel_usdt {
	struct bpf_link *entry, *returned;
};

int kernel_usdt_attach(struct kernel *kernel, pid_t pid, const char *binary, bool count_only,
		       struct kernel_usdt **ret_usdt)
{
	struct bpf_program *entry =
	    count_only ? kernel->object->progs.function_count : kernel->object->progs.function_entry;
	struct kernel_usdt *usdt = calloc(1, sizeof(*usdt));
	int error = 0;

	if (!usdt)
		return -ENOMEM;
	/* A return without its entry is of no interest, the other way round it would be a run without an end. */
	if (!count_only) {
		usdt->returned = bpf_program__attach_usdt(kernel->object->progs.function_return, pid, binary, "python",
							  "function__return", NULL);
		if (!usdt->returned)
			error = -errno;
	}
	if (!error) {
		usdt->entry = bpf_program__attach_usdt(entry, pid, binary, "python", "function__entry", NULL);
		if (!usdt->entry)
			error = -errno;
	}
	if (error) {
		kernel_usdt_detach(usdt);
		return error;
	}
	*ret_usdt = usdt;
	return 0;
}

void kernel_usdt_detach(struct kernel_usdt *usdt)
{
	if (!usdt)
		return;
	bpf_link__destroy(usdt->entry);
	bpf_link__destroy(usdt->returned);
	free(usdt);
}

uint64_t kernel_usdt_calls(struct kernel *kernel)
{
	return kernel->object->bss->function_calls;
}
