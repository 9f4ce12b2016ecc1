/*
 * object.c: opens the kernel side by climbing down the ladder, and talks with it through its maps.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "handover.h"
#include "nettraced.skel.h"
#include "object.h"

/* Of one kernel_read(): libbpf goes on as long as records come, and targets can make them faster than we take them. */
#define READ_RECORDS_MAX 16384

#define READ_FULL (-EOVERFLOW) /* ends libbpf's round; kernel_read() does not pass it on */

static int on_record(void *context, void *record, size_t size)
{
	struct kernel *kernel = context;
	int error = kernel->record(kernel->context, record, size);

	if (error < 0)
		return error;
	return ++kernel->count < READ_RECORDS_MAX ? 0 : READ_FULL;
}

static int climb_down(struct kernel *kernel, const struct kernel_options *options, char *why)
{
	enum kernel_rung first = options->rung == RUNG_AUTO ? RUNG_FENTRY : options->rung;
	enum kernel_rung last = options->rung == RUNG_AUTO ? RUNG_TRACEPOINT : options->rung;
	int error = -ENOTSUP;

	for (enum kernel_rung rung = first; rung <= last; rung++) {
		error = rung_load(kernel, options, rung, kernel->refusal[rung]);
		if (!error)
			return 0;
		snprintf(why, KERNEL_WHY_SIZE, "%s hooks do not work: %.200s", kernel_rung_name(rung),
			 kernel->refusal[rung]);
	}
	return error;
}

int kernel_open(const struct kernel_options *options, struct kernel **ret_kernel, char *why)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int error;

	if (!kernel)
		return -ENOMEM;
	kernel->stats_fd = -1;
	kernel->cpus = libbpf_num_possible_cpus();
	error = climb_down(kernel, options, why);
	if (!error) {
		kernel->ring = ring_buffer__new(bpf_map__fd(kernel->object->maps.ring), on_record, kernel, NULL);
		if (!kernel->ring) {
			error = -errno;
			snprintf(why, KERNEL_WHY_SIZE, "cannot map the ring buffer: %s", strerror(-error));
		}
	}
	if (error) {
		kernel_close(kernel);
		return error;
	}
	*ret_kernel = kernel;
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	kernel_measure_cost(kernel, false);
	ring_buffer__free(kernel->ring);
	handover_detach(kernel);
	rung_unload(kernel);
	free(kernel);
}

enum kernel_rung kernel_rung(const struct kernel *kernel)
{
	return kernel->rung;
}

const char *kernel_rung_refusal(const struct kernel *kernel, enum kernel_rung rung)
{
	return rung < RUNG_COUNT ? kernel->refusal[rung] : "";
}

int kernel_set_target(struct kernel *kernel, pid_t pid, const struct nt_target *target)
{
	uint32_t key = pid;

	return bpf_map__update_elem(kernel->object->maps.targets, &key, sizeof(key), target, sizeof(*target), BPF_ANY);
}

bool kernel_has_target(struct kernel *kernel, pid_t pid)
{
	struct nt_target target;
	uint32_t key = pid;

	return !bpf_map__lookup_elem(kernel->object->maps.targets, &key, sizeof(key), &target, sizeof(target), 0);
}

/*
 * Deletes what `mine` says is the process's. The key after the one that is deleted is asked for first: behind a
 * deleted key the kernel starts from the beginning.
 */
static void map_sweep(struct bpf_map *map, size_t key_size, bool (*mine)(struct bpf_map *, const void *, pid_t),
		      pid_t pid)
{
	unsigned char key[32], next[32];
	bool more = !bpf_map__get_next_key(map, NULL, key, key_size);
	uint32_t bound = bpf_map__max_entries(map) * 2; /* other processes keep adding meanwhile */

	while (more && bound--) {
		more = !bpf_map__get_next_key(map, key, next, key_size);
		if (mine(map, key, pid))
			bpf_map__delete_elem(map, key, key_size, 0);
		memcpy(key, next, key_size);
	}
}

static bool stack_is_of(struct bpf_map *map, const void *key, pid_t pid)
{
	struct nt_stack_note note = {};

	return !bpf_map__lookup_elem(map, key, sizeof(uint64_t), &note, sizeof(note), 0) && note.pid == (uint32_t)pid;
}

static bool code_is_of(struct bpf_map *map, const void *key, pid_t pid)
{
	(void)map;
	return ((const struct nt_code_key *)key)->pid == (uint32_t)pid;
}

void kernel_forget_code(struct kernel *kernel, pid_t pid)
{
	map_sweep(kernel->object->maps.stacks, sizeof(uint64_t), stack_is_of, pid);
	map_sweep(kernel->object->maps.codes, sizeof(struct nt_code_key), code_is_of, pid);
}

void kernel_remove_target(struct kernel *kernel, pid_t pid)
{
	uint32_t key = pid;

	bpf_map__delete_elem(kernel->object->maps.targets, &key, sizeof(key), 0);
}

int kernel_add_listener(struct kernel *kernel, const struct nt_listener *listener)
{
	uint8_t one = 1;

	return bpf_map__update_elem(kernel->object->maps.listeners, listener, sizeof(*listener), &one, sizeof(one),
				    BPF_ANY);
}

int kernel_judge_code(struct kernel *kernel, pid_t pid, uint64_t code, uint32_t flags)
{
	struct nt_code_key key = {.code = code, .pid = pid};
	struct nt_code_note note = {};

	/* What the kernel side knows the object by stays; without it, it tells of the object again, which does no harm.
	 */
	bpf_map__lookup_elem(kernel->object->maps.codes, &key, sizeof(key), &note, sizeof(note), 0);
	note.flags = flags | NT_CODE_KNOWN;
	return bpf_map__update_elem(kernel->object->maps.codes, &key, sizeof(key), &note, sizeof(note), BPF_ANY);
}

int kernel_note_stack(struct kernel *kernel, uint64_t stack, const struct nt_stack_note *note)
{
	/* Only if it is still there: its process may have ended, and its place been given up. */
	return bpf_map__update_elem(kernel->object->maps.stacks, &stack, sizeof(stack), note, sizeof(*note), BPF_EXIST);
}

int kernel_read(struct kernel *kernel, int timeout_ms, int wake_fd, kernel_record_fn record, void *context)
{
	struct pollfd wait[2] = {
	    {.fd = ring_buffer__epoll_fd(kernel->ring), .events = POLLIN},
	    {.fd = wake_fd, .events = POLLIN},
	};
	int error;

	/* What the last round left is not waited for: the kernel tells of new records only. */
	if (poll(wait, 2, kernel->count < READ_RECORDS_MAX ? timeout_ms : 0) < 0 && errno != EINTR)
		return -errno;
	kernel->record = record;
	kernel->context = context;
	kernel->count = 0;
	error = ring_buffer__consume(kernel->ring);
	return error < 0 && kernel->count < READ_RECORDS_MAX ? error : kernel->count;
}

static uint64_t read_stat(struct kernel *kernel, enum nt_stat which, uint64_t *values)
{
	uint32_t key = which;
	uint64_t sum = 0;

	if (bpf_map__lookup_elem(kernel->object->maps.stats, &key, sizeof(key), values, kernel->cpus * sizeof(*values),
				 0))
		return 0;
	for (int i = 0; i < kernel->cpus; i++)
		sum += values[i];
	return sum;
}

/* Hits that the kernel left out because the program was already running on the CPU. */
static uint64_t read_misses(struct kernel *kernel)
{
	struct bpf_program *program;
	uint64_t misses = 0;

	bpf_object__for_each_program (program, kernel->object->obj) {
		struct bpf_prog_info info;
		uint32_t size = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (bpf_program__fd(program) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			misses += info.recursion_misses;
	}
	return misses;
}

uint64_t kernel_lost_records(struct kernel *kernel)
{
	uint64_t *values = calloc(kernel->cpus, sizeof(*values)), sum = 0;

	if (values)
		sum = read_stat(kernel, NT_STAT_RECORDS, values);
	free(values);
	return sum;
}

void kernel_read_loss(struct kernel *kernel, struct nt_loss *ret_loss)
{
	uint64_t *values = calloc(kernel->cpus, sizeof(*values));

	if (!values)
		return;
	ret_loss->records = read_stat(kernel, NT_STAT_RECORDS, values);
	ret_loss->stacks = read_stat(kernel, NT_STAT_STACKS, values);
	ret_loss->payload = read_stat(kernel, NT_STAT_PAYLOAD, values);
	ret_loss->sockets = read_stat(kernel, NT_STAT_SOCKETS, values);
	ret_loss->processes = read_stat(kernel, NT_STAT_PROCESSES, values);
	ret_loss->threads = read_stat(kernel, NT_STAT_THREADS, values);
	ret_loss->probes = read_misses(kernel);
	free(values);
}

void kernel_read_cost(struct kernel *kernel, uint64_t *ret_ns, uint64_t *ret_runs)
{
	struct bpf_program *program;

	*ret_ns = *ret_runs = 0;
	bpf_object__for_each_program (program, kernel->object->obj) {
		struct bpf_prog_info info;
		uint32_t size = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			continue;
		*ret_ns += info.run_time_ns;
		*ret_runs += info.run_cnt;
	}
}

int kernel_measure_cost(struct kernel *kernel, bool on)
{
	if (!on) {
		if (kernel->stats_fd >= 0)
			close(kernel->stats_fd);
		kernel->stats_fd = -1;
		return 0;
	}
	if (kernel->stats_fd < 0)
		kernel->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return kernel->stats_fd < 0 ? -errno : 0;
}
