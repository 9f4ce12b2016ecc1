/*
 * handover.c: attaches the hand-over probes (bpf/handover.h) to what target/hooks.c has found. Each to a file, for all
 * processes that have it mapped: so a child that is forked later is covered at once.
 */
#include "handover.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../target/hooks.h"
#include "nettraced.skel.h"
#include "uprobe.h"

#define HANDOVER_WATCHES 4096 /* processes with a probe of their own; as many are traced (FOLLOW_MAX) */
#define HANDOVER_FILES 256    /* that have probes at once: a version's two or three, for each container image */

struct handovers {
	struct file {
		dev_t device;
		ino_t inode;
		struct uprobe *probes[HOOKS_MAX];
	} files[HANDOVER_FILES];
	size_t count;
	struct watch {
		pid_t pid; /* 0: free */
		struct uprobe *probe;
	} watches[HANDOVER_WATCHES];
	int error; /* nothing can be attached */
	bool stopping;
	pthread_t stopper; /* takes all off */
	char refusal[KERNEL_WHY_SIZE];
};

static const struct program {
	enum hook_function function;
	enum hook_convention convention;
	const char *name;
	bool by_process; /* it would be too dear for others */
} programs[] = {
    {HOOK_TASK_INIT, HOOK_TUPLE, "task_init", false},	  {HOOK_QUEUE_PUT, HOOK_ARRAY, "queue_put", false},
    {HOOK_STREAM_WRITE, HOOK_ONE, "stream_write", false}, {HOOK_STREAM_WRITE, HOOK_ARRAY, "stream_write_array", false},
    {HOOK_DEQUE_POP, HOOK_NONE, "deque_pop", true},
};

#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

int handover_select(struct nettraced_bpf *object)
{
	char why[KERNEL_WHY_SIZE];
	enum uprobe_way way = uprobe_find_way(why);

	for (size_t i = 0; i < PROGRAM_COUNT; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object->obj, programs[i].name);

		if (!program)
			return -ENOENT;
		bpf_program__set_autoload(program, true);
		uprobe_prepare(program, way);
	}
	bpf_program__set_autoload(object->progs.handover_rest, true);
	uprobe_prepare(object->progs.handover_rest, way); /* programs that go on in another one are of its kind */
	return 0;
}

const char *kernel_handover_refusal(const struct kernel *kernel)
{
	return kernel->handovers ? kernel->handovers->refusal : "";
}

static int handover_refuse(struct handovers *handovers, const struct hook *hook, int error, const char *why)
{
	snprintf(handovers->refusal, sizeof(handovers->refusal), "%s: %s", hook_name(hook->function),
		 why ? why : strerror(-error));
	return error;
}

static const struct program *program_find(const struct hook *hook)
{
	for (size_t i = 0; i < PROGRAM_COUNT; i++)
		if (programs[i].function == hook->function && programs[i].convention == hook->convention)
			return &programs[i];
	return NULL;
}

/* Attaches one probe, of one process or of all (-1). */
static int hook_attach(struct kernel *kernel, pid_t pid, const struct hooks *hooks, const struct hook *hook,
		       struct uprobe **ret_probe)
{
	const struct program *row = program_find(hook);
	struct bpf_program *program;
	int error;

	if (!row)
		return handover_refuse(kernel->handovers, hook, -ENOTSUP,
				       "its functions are called in a way that is not supported yet");
	if (row->by_process != (pid > 0))
		return 0;
	program = bpf_object__find_program_by_name(kernel->object->obj, row->name);
	error = uprobe_attach(program, pid, hooks->path, hook->offset, ret_probe);
	return error ? handover_refuse(kernel->handovers, hook, error, NULL) : 0;
}

static void file_detach(struct file *file)
{
	for (size_t i = 0; i < HOOKS_MAX; i++)
		uprobe_detach(file->probes[i]);
}

static int file_attach(struct kernel *kernel, struct file *file, const struct hooks *hooks)
{
	int error = 0;

	for (size_t i = 0; i < hooks->count && !error; i++)
		error = hook_attach(kernel, -1, hooks, &hooks->hooks[i], &file->probes[i]);
	return error;
}

/* Asks whether there can be uprobes at all, and tells the programs where they go on. */
static int handovers_prepare(struct kernel *kernel, char *why)
{
	int rest = bpf_program__fd(kernel->object->progs.handover_rest), error = kernel_check_handovers(why);
	uint32_t slot = 0;

	if (error)
		return error;
	error = bpf_map__update_elem(kernel->object->maps.handover_programs, &slot, sizeof(slot), &rest, sizeof(rest),
				     BPF_ANY);
	if (error)
		snprintf(why, KERNEL_WHY_SIZE, "this kernel refuses to join programs: %s", strerror(-error));
	return error;
}

/* The table, made at first use. NULL: no memory. */
static struct handovers *handovers_get(struct kernel *kernel)
{
	if (kernel->handovers)
		return kernel->handovers;
	kernel->handovers = calloc(1, sizeof(*kernel->handovers));
	if (kernel->handovers)
		kernel->handovers->error = handovers_prepare(kernel, kernel->handovers->refusal);
	return kernel->handovers;
}

int kernel_handover_attach(struct kernel *kernel, const struct hooks *hooks)
{
	struct file file = {.device = hooks->device, .inode = hooks->inode};
	struct handovers *handovers = handovers_get(kernel);
	int error;

	if (!handovers)
		return -ENOMEM;
	if (handovers->error)
		return handovers->error;
	for (size_t i = 0; i < handovers->count; i++)
		if (handovers->files[i].device == file.device && handovers->files[i].inode == file.inode)
			return 0;
	if (handovers->count == HANDOVER_FILES)
		return handover_refuse(handovers, &hooks->hooks[0], -E2BIG, "too many files with such functions");
	error = file_attach(kernel, &file, hooks);
	if (error) {
		file_detach(&file);
		return error;
	}
	handovers->files[handovers->count++] = file;
	return 0;
}

static struct watch *watch_find(struct handovers *handovers, pid_t pid)
{
	for (size_t i = 0; i < HANDOVER_WATCHES; i++)
		if (handovers->watches[i].pid == pid)
			return &handovers->watches[i];
	return NULL;
}

int kernel_handover_watch(struct kernel *kernel, pid_t pid, const struct hooks *hooks)
{
	struct handovers *handovers = handovers_get(kernel);
	uint32_t key = (uint32_t)pid;
	struct watch *watch;
	uint8_t one = 1;
	int error = 0;

	if (!handovers)
		return -ENOMEM;
	if (handovers->error || watch_find(handovers, pid))
		return handovers->error;
	watch = watch_find(handovers, 0);
	if (!watch)
		return -E2BIG;
	for (size_t i = 0; i < hooks->count && !error && !watch->probe; i++)
		error = hook_attach(kernel, pid, hooks, &hooks->hooks[i], &watch->probe);
	if (error || !watch->probe)
		return error;
	watch->pid = pid;
	return bpf_map__update_elem(kernel->object->maps.anyio_processes, &key, sizeof(key), &one, sizeof(one),
				    BPF_ANY);
}

void kernel_handover_unwatch(struct kernel *kernel, pid_t pid)
{
	struct watch *watch = kernel->handovers ? watch_find(kernel->handovers, pid) : NULL;
	uint32_t key = (uint32_t)pid;

	if (!watch || kernel->handovers->stopping)
		return;
	bpf_map__delete_elem(kernel->object->maps.anyio_processes, &key, sizeof(key), 0);
	uprobe_detach(watch->probe);
	*watch = (struct watch){.pid = 0};
}

static void *detach_all(void *context)
{
	struct handovers *handovers = context;

	for (size_t i = 0; i < HANDOVER_WATCHES; i++) {
		uprobe_detach(handovers->watches[i].probe);
		handovers->watches[i].probe = NULL;
	}
	while (handovers->count)
		file_detach(&handovers->files[--handovers->count]);
	return NULL;
}

/* Taking a probe off waits for the kernel, for up to half a second: the ring has to be read meanwhile. */
void kernel_handover_stop(struct kernel *kernel)
{
	struct handovers *handovers = handovers_get(kernel);

	if (!handovers || handovers->stopping)
		return;
	handovers->error = -ECANCELED;
	handovers->stopping = !pthread_create(&handovers->stopper, NULL, detach_all, handovers);
	if (!handovers->stopping)
		detach_all(handovers);
}

void handover_detach(struct kernel *kernel)
{
	struct handovers *handovers = kernel->handovers;

	if (!handovers)
		return;
	if (handovers->stopping)
		pthread_join(handovers->stopper, NULL);
	detach_all(handovers);
	free(handovers);
	kernel->handovers = NULL;
}
