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

int kernel_set_target(struct kernel *kernel, pid_t pid, struct nt_target *target)
{
	uint32_t key = pid;

	kernel->generation += 2;
	target->generation = kernel->generation;
	return bpf_map__update_elem(kernel->object->maps.targets, &key, sizeof(key), target, sizeof(*target), BPF_ANY);
}

bool kernel_get_target(struct kernel *kernel, pid_t pid, struct nt_target *ret_target)
{
	uint32_t key = pid;

	return !bpf_map__lookup_elem(kernel->object->maps.targets, &key, sizeof(key), ret_target, sizeof(*ret_target),
				     0);
}

bool kernel_has_target(struct kernel *kernel, pid_t pid)
{
	struct nt_target target;

	return kernel_get_target(kernel, pid, &target);
}

#define SWEEP_ENTRIES 1024 /* that one call of the kernel brings: more than any bucket of a table has */

/* Takes an entry of a table; false: it is to be deleted. */
typedef bool (*map_keep_fn)(void *context, const void *key, const void *value);

/* Shows all entries of a table, many at a time: one by one a full table takes a tenth of a second. */
static void map_sweep(struct bpf_map *map, map_keep_fn keep, void *context)
{
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	char *keys = malloc(SWEEP_ENTRIES * key_size), *values = malloc(SWEEP_ENTRIES * value_size);
	uint32_t rounds = bpf_map__max_entries(map) / SWEEP_ENTRIES * 4 + 4; /* others keep adding meanwhile */
	uint32_t at = 0, count;
	bool first = true;
	int error = keys && values ? 0 : -ENOMEM;

	while (!error && rounds--) {
		count = SWEEP_ENTRIES;
		error = bpf_map_lookup_batch(bpf_map__fd(map), first ? NULL : &at, &at, keys, values, &count, NULL);
		if (error && error != -ENOENT) /* that is the end, with the last entries */
			break;
		for (uint32_t i = 0; i < count; i++)
			if (!keep(context, keys + i * key_size, values + i * value_size))
				bpf_map__delete_elem(map, keys + i * key_size, key_size, 0);
		first = false;
	}
	free(keys);
	free(values);
}

/* What kernel_sweep_code() was told, for map_sweep(). */
struct sweep {
	kernel_lives_fn lives;
	void *context;
};

static bool keep_stack(void *context, const void *key, const void *value)
{
	const struct nt_stack_note *note = value;
	const struct sweep *sweep = context;

	(void)key;
	return sweep->lives(sweep->context, note->pid, 0);
}

static bool keep_code(void *context, const void *key, const void *value)
{
	const struct nt_code_key *code = key;
	const struct sweep *sweep = context;

	(void)value;
	return sweep->lives(sweep->context, code->pid, code->generation);
}

void kernel_sweep_code(struct kernel *kernel, kernel_lives_fn lives, void *context)
{
	struct sweep sweep = {.lives = lives, .context = context};

	map_sweep(kernel->object->maps.stacks, keep_stack, &sweep);
	map_sweep(kernel->object->maps.codes, keep_code, &sweep);
}

/* What kernel_each_target() was told. */
struct showing {
	kernel_target_fn each;
	void *context;
};

static bool show_target(void *context, const void *key, const void *value)
{
	const struct showing *showing = context;
	uint32_t pid;

	memcpy(&pid, key, sizeof(pid));
	showing->each(showing->context, pid, value);
	return true;
}

void kernel_each_target(struct kernel *kernel, kernel_target_fn each, void *context)
{
	struct showing showing = {.each = each, .context = context};

	map_sweep(kernel->object->maps.targets, show_target, &showing);
}

void kernel_remove_target(struct kernel *kernel, pid_t pid, uint32_t generation)
{
	struct nt_target target;
	uint32_t key = pid;

	/* The pid can be a new child's by now. */
	if (kernel_get_target(kernel, pid, &target) && target.generation == generation)
		bpf_map__delete_elem(kernel->object->maps.targets, &key, sizeof(key), 0);
}

int kernel_add_listener(struct kernel *kernel, const struct nt_listener *listener, uint64_t inode)
{
	uint8_t listens = NT_LISTENS;
	int error = bpf_map__update_elem(kernel->object->maps.listening, &inode, sizeof(inode), listener,
					 sizeof(*listener), BPF_ANY);

	return error ? error
		     : bpf_map__update_elem(kernel->object->maps.listeners, listener, sizeof(*listener), &listens,
					    sizeof(listens), BPF_ANY);
}

/* A port whose sockets are looked for. */
struct port_search {
	struct kernel *kernel;
	struct nt_listener port;
	uint64_t inode; /* of one that was found; 0: none */
};

static bool find_listening(void *context, const void *key, const void *value)
{
	struct port_search *search = context;

	if (!memcmp(value, &search->port, sizeof(search->port)))
		memcpy(&search->inode, key, sizeof(search->inode));
	return true;
}

/*
 * Is the port's last socket closed? A socket that begins to listen on it meanwhile is in its table before the port is
 * in this one: it is found by the second look, or puts the port back itself.
 */
static bool keep_listener(void *context, const void *key, const void *value)
{
	struct port_search search = {.kernel = context};
	struct bpf_map *listeners = search.kernel->object->maps.listeners;

	if (*(const uint8_t *)value != NT_LISTENS_PERHAPS)
		return true;
	memcpy(&search.port, key, sizeof(search.port));
	bpf_map__delete_elem(listeners, key, sizeof(search.port), 0);
	map_sweep(search.kernel->object->maps.listening, find_listening, &search);
	if (search.inode)
		kernel_add_listener(search.kernel, &search.port, search.inode);
	return true;
}

void kernel_sweep_listeners(struct kernel *kernel)
{
	map_sweep(kernel->object->maps.listeners, keep_listener, kernel);
}

int kernel_judge_code(struct kernel *kernel, const struct nt_code_key *code, uint32_t flags)
{
	struct bpf_map *codes = kernel->object->maps.codes;
	struct nt_code_note note = {};

	/* What the kernel side knows the object by stays; without it, it tells of the object again, which does no harm.
	 */
	bpf_map__lookup_elem(codes, code, sizeof(*code), &note, sizeof(note), 0);
	note.flags = flags | NT_CODE_KNOWN;
	return bpf_map__update_elem(codes, code, sizeof(*code), &note, sizeof(note), BPF_ANY);
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

/* Does it run where the target traps? */
static bool is_trapped(const struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);

	section += *section == '?';
	return !strncmp(section, "usdt", 4) || !strncmp(section, "uprobe", 6);
}

void kernel_read_cost(struct kernel *kernel, struct kernel_cost *ret_cost)
{
	struct bpf_program *program;

	*ret_cost = (struct kernel_cost){0};
	bpf_object__for_each_program (program, kernel->object->obj) {
		struct bpf_prog_info info;
		uint32_t size = sizeof(info);

		memset(&info, 0, sizeof(info));
		if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			continue;
		ret_cost->ns += info.run_time_ns;
		ret_cost->runs += info.run_cnt;
		if (is_trapped(program))
			ret_cost->traps += info.run_cnt;
	}
}

void kernel_stop_times(struct kernel *kernel)
{
	kernel->object->bss->times_stopped = 1;
	bpf_link__destroy(kernel->object->links.sched_switch);
	kernel->object->links.sched_switch = NULL;
	kernel_handover_stop(kernel);
}

void kernel_thin_walks(struct kernel *kernel, uint32_t one_of)
{
	kernel->object->data->walk_one_of = one_of;
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
