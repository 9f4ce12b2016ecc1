/*
 * follow.c: see follow.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../hash.h"
#include "../run/text.h"
#include "choose.h"
#include "follow.h"
#include "probes.h"
#include "handover.h"

#define LOOK_NS 10000000ull	 /* between two rounds of looks; a round of reading the ring is as long */
#define FIRST_LOOK_NS 5000000ull /* from an exec to the second look: the loader has mapped libpython by then */
#define READY_NS 5000000000ull	 /* after exec it has this long to become a Python */
#define USDT_AGE_NS 100000000ull /* a child gets its probes when it has lived this long */
#define SWEEP_NS 1000000000ull	 /* between two looks for processes whose end was not heard of */
#define STALE_MAX 256		 /* processes that have ended, whose code may be in the kernel's tables */
#define OFF_ROUNDS 3		 /* of reading the ring, after which what probes told is known to the core */
#define STRAY_ROUNDS 3		 /* sweeps for forks that were lost: a fork that is in the ring yet is none */

struct process {
	pid_t pid;
	struct target target;
	enum nt_attribution attribution;
	struct probes_process probes;
	bool python;			/* it is traced, not only followed */
	bool told;			/* of code or a stack: the kernel side's tables have entries of it */
	bool announced;			/* by an NT_PROCESS */
	bool seen_alive;		/* after the kernel side was told of it */
	bool missed;			/* by the last sweep */
	uint64_t start;			/* with the pid its identity in the stream; 0: not told of */
	uint64_t since;			/* when it was first known */
	uint64_t look_from;		/* look again (or attach probes) from then on; 0: no need */
	uint64_t look_wait, look_until; /* looks become rarer */
	bool probes_due;		/* its calls are to be counted before it gets probes; else it gets them so */
	bool paused;			/* they are off for now */
	unsigned off_rounds;		/* after so many more rounds what they told has been read */
	struct handover_look handover;
	uint64_t cpu; /* ns used when last asked */
	UT_hash_handle hh;
};

/* A process that the kernel side follows and we have not heard of. */
struct stray {
	pid_t pid;
	uint32_t generation;
	UT_hash_handle hh;
};

struct follow {
	struct kernel *kernel;
	struct stream *stream;
	const struct options *options;
	struct probes *probes;
	struct process *processes; /* by pid */
	struct module_names *modules;
	uint64_t last_retry, last_sweep;
	uint64_t lost;	       /* records, in all */
	unsigned stray_rounds; /* sweeps to come that look for processes whose fork was lost */
	struct stray *strays;  /* found by the last such sweep, by pid */
	unsigned stale;	       /* processes that are gone, whose code the kernel side still knows */
	uint64_t ended_cpu;    /* of processes that are gone */
	long ticks;
};

struct follow *follow_new(struct kernel *kernel, struct stream *stream, const struct options *options)
{
	struct follow *follow = calloc(1, sizeof(*follow));

	if (!follow)
		return NULL;
	follow->kernel = kernel;
	follow->stream = stream;
	follow->options = options;
	follow->ticks = sysconf(_SC_CLK_TCK);
	follow->modules = module_names_new();
	follow->probes = probes_new(kernel, options->usdt_on * 1e9, options->usdt_period * 1e9);
	if (!follow->modules || !follow->probes) {
		follow_free(follow);
		return NULL;
	}
	return follow;
}

static void strays_clear(struct stray **strays)
{
	struct stray *stray = *strays, *next;

	HASH_CLEAR(hh, *strays);
	for (; stray; stray = next) {
		next = stray->hh.next;
		free(stray);
	}
}

static void process_drop(struct follow *follow, struct process *process)
{
	probes_drop(follow->probes, &process->probes);
	HASH_DEL(follow->processes, process);
	free(process);
}

void follow_free(struct follow *follow)
{
	struct process *process, *next;

	if (!follow)
		return;
	process = follow->processes;
	HASH_CLEAR(hh, follow->processes); /* the table; its elements still know their next one */
	for (; process; process = next) {
		next = process->hh.next;
		probes_drop(follow->probes, &process->probes);
		free(process);
	}
	probes_free(follow->probes);
	strays_clear(&follow->strays);
	module_names_free(follow->modules);
	free(follow);
}

static struct process *process_find(struct follow *follow, pid_t pid)
{
	struct process *process;

	HASH_FIND_INT(follow->processes, &pid, process);
	return process;
}

/* The process's entry, made when it is new; NULL when there is no place. */
static struct process *process_get(struct follow *follow, pid_t pid)
{
	struct process *process = process_find(follow, pid);

	if (process)
		return process;
	if (HASH_COUNT(follow->processes) >= FOLLOW_MAX)
		return NULL;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->target.pid = pid;
	process->since = stream_now();
	HASH_ADD_INT(follow->processes, pid, process);
	if (!process_find(follow, pid)) { /* the table could not grow */
		free(process);
		return NULL;
	}
	return process;
}

static int listener_add(void *context, const struct nt_listener *listener, uint64_t inode)
{
	struct follow *follow = context;

	kernel_add_listener(follow->kernel, listener, inode);
	return 0;
}

static int process_announce(struct follow *follow, struct process *process)
{
	const struct target *target = &process->target;

	/* As it was said first: /proc knows it by the clock tick only. */
	if (!process->start)
		process->start = target->start;
	struct nt_process record = {
	    .h = {.type = NT_PROCESS, .pid = process->pid},
	    .start = process->start,
	    .parent = target->parent,
	    .python_major = target->python[0],
	    .python_minor = target->python[1],
	    .python_micro = target->python[2],
	    .attribution = process->attribution,
	    .command_size = strlen(target->command),
	    .again = process->announced,
	    .paused = process->paused,
	};

	process->announced = true;
	return stream_put_text(follow->stream, &record.h, sizeof(record), target->command, record.command_size);
}

/* Probes that cannot be attached, or only later, cost the run times, not the trace: the process goes by stack. */
static void process_attach_probes(struct follow *follow, struct process *process)
{
	bool has = !probes_want(follow->probes, &process->probes, &process->target);

	process->attribution = has ? NT_ATTRIBUTION_USDT : NT_ATTRIBUTION_STACK;
}

/* Everybody learns of a process whose interpreter is known. */
static int process_start(struct follow *follow, struct process *process)
{
	int error;

	process->python = true;
	process->look_from = 0;
	module_names_learn(follow->modules, process->pid);
	target_each_listener(process->pid, listener_add, follow);
	/* Before anything is told of it: what an event loop writes while these are being attached would be nobody's. */
	handover_begin(&process->handover, follow->kernel, &process->target, stream_now());
	error = kernel_set_target(follow->kernel, process->pid, &process->target.kernel);
	if (error) {
		kernel_handover_unwatch(follow->kernel, process->pid);
		return error;
	}
	if (process->attribution == NT_ATTRIBUTION_USDT)
		process_attach_probes(follow, process);
	return process_announce(follow, process);
}

/*
 * Stack or USDT without the time that counting its calls takes: what can have probes goes by stack first, and is looked
 * at again when it has lived long enough to be worth them. A program that has just begun has its first calls before it.
 */
static int process_choose_now(struct follow *follow, struct process *process, char *why)
{
	if (follow->options->python != OPTIONS_PYTHON_AUTO || !choose_probes_work(&process->target))
		return choose_attribution(follow->kernel, &process->target, follow->options, &process->attribution,
					  why);
	process->attribution = NT_ATTRIBUTION_STACK;
	process->probes_due = true;
	return 0;
}

static int process_begin(struct follow *follow, struct process *process, char *why)
{
	int error = choose_inspect(process->pid, follow->options->python, &process->target, why);

	error = error ? error : process_choose_now(follow, process, why);
	error = error ? error : process_start(follow, process);
	if (!error && process->probes_due)
		process->look_from = stream_now() + USDT_AGE_NS;
	return error;
}

int follow_take(struct follow *follow, pid_t pid, char *why)
{
	struct process *process = process_get(follow, pid);
	int error;

	if (!process)
		return -E2BIG;
	if (process->python)
		return 0;
	error = process_begin(follow, process, why);
	if (error && !process->python && !kernel_has_target(follow->kernel, pid))
		process_drop(follow, process); /* it is none of ours */
	return error;
}

bool follow_has(struct follow *follow, pid_t pid)
{
	return process_find(follow, pid) != NULL;
}

static int descendant_add(void *context, pid_t pid)
{
	struct follow *follow = context;
	char why[TARGET_WHY_SIZE];
	struct process *process = process_get(follow, pid);

	int error;

	if (!process || process->python)
		return 0;
	error = process_begin(follow, process, why);
	if (!error || process->python)
		return error;
	/* No Python itself, but its children may be. */
	process->target.kernel.flags = NT_TARGET_FOLLOW;
	kernel_set_target(follow->kernel, pid, &process->target.kernel);
	return 0;
}

int follow_take_child(struct follow *follow, pid_t pid)
{
	return descendant_add(follow, pid);
}

int follow_add(struct follow *follow, pid_t pid, char *why)
{
	struct process *process = process_get(follow, pid);
	int error;

	if (!process) {
		snprintf(why, TARGET_WHY_SIZE, "too many processes: at most %d are traced at once", FOLLOW_MAX);
		return -E2BIG;
	}
	if (process->python)
		return 0;
	error = choose_inspect(pid, follow->options->python, &process->target, why);
	if (!error)
		error =
		    choose_attribution(follow->kernel, &process->target, follow->options, &process->attribution, why);
	if (error)
		return error;
	error = process_start(follow, process);
	if (!error && follow->options->python == OPTIONS_PYTHON_USDT && process->attribution != NT_ATTRIBUTION_USDT) {
		snprintf(why, TARGET_WHY_SIZE, "pid %d: its function probes cannot be attached; use --python stack",
			 pid);
		return -ENOTSUP;
	}
	if (!error)
		error = target_each_descendant(pid, descendant_add, follow);
	/* Once more: a child that was forked between the first look and the parent's place in the kernel's table. */
	if (!error)
		error = target_each_descendant(pid, descendant_add, follow);
	if (error)
		snprintf(why, TARGET_WHY_SIZE, "pid %d: cannot trace it: %s", pid, strerror(-error));
	return error;
}

static void process_forget(struct follow *follow, struct process *process)
{
	follow->stale += process->told;
	process->told = false;
	module_names_forget(follow->modules, process->pid);
	kernel_handover_unwatch(follow->kernel, process->pid);
}

static void process_end(struct follow *follow, struct process *process)
{
	follow->ended_cpu += process->cpu;
	process_forget(follow, process);
	process_drop(follow, process);
}

static void on_end(struct follow *follow, const struct nt_head *record)
{
	struct process *process = process_find(follow, record->pid);

	if (!process)
		return;
	/* It has left the kernel's table, but may have come back with an answer of ours to its exec. */
	kernel_remove_target(follow->kernel, process->pid, process->target.kernel.generation);
	process_end(follow, process);
}

/* It was forked before the kernel side was told what its parent runs since an exec: it has to be told of both. */
static void child_complete(struct follow *follow, struct process *child)
{
	struct nt_target known;

	if (kernel_get_target(follow->kernel, child->pid, &known) && !(known.flags & NT_TARGET_PYTHON) &&
	    known.generation == child->target.kernel.generation)
		kernel_set_target(follow->kernel, child->pid, &child->target.kernel);
}

/* A child is what its parent is until it says otherwise (exec). */
static int on_fork(struct follow *follow, const struct nt_fork *record)
{
	struct process *parent = process_find(follow, record->h.pid), *child = process_find(follow, record->child);

	if (!parent)
		return 0;
	if (child && child->since >= record->h.time)
		return 0; /* it was found in /proc meanwhile, and can be something else by now */
	if (child)
		process_end(follow, child); /* another one, of the same pid, whose end was not heard of */
	child = process_get(follow, record->child);
	if (!child)
		return 0; /* the kernel's table is as full, and counts it */
	child->since = record->h.time;
	child->target = parent->target;
	child->target.pid = record->child;
	child->target.parent = record->h.pid;
	child->target.kernel.generation = record->generation;
	child->start = record->h.time;
	child->python = parent->python;
	child->attribution = parent->probes.wanted ? NT_ATTRIBUTION_STACK : parent->attribution;
	if (!child->python)
		return 0;
	if (parent->probes.wanted)
		child->look_from = record->h.time + USDT_AGE_NS;
	child_complete(follow, child);
	module_names_fork(follow->modules, record->h.pid, child->pid);
	handover_begin_child(&child->handover, record->h.time);
	return process_announce(follow, child);
}

/* Asks what the process is now. It may not be a Python yet. */
static int process_look(struct follow *follow, struct process *process)
{
	char why[TARGET_WHY_SIZE];
	int error = process_begin(follow, process, why);

	if (!error || process->python)
		return error;
	/* Its sockets are no business of ours, its children may be. */
	process->target.kernel.flags = NT_TARGET_FOLLOW;
	if (kernel_has_target(follow->kernel, process->pid))
		kernel_set_target(follow->kernel, process->pid, &process->target.kernel);
	return 0;
}

static int on_exec(struct follow *follow, const struct nt_head *record)
{
	struct process *process = process_find(follow, record->pid);

	if (!process)
		return 0;
	probes_drop(follow->probes, &process->probes);
	process->python = process->probes_due = process->paused = false;
	process->off_rounds = 0;
	process_forget(follow, process);
	process->look_wait = FIRST_LOOK_NS;
	process->look_from = record->time + FIRST_LOOK_NS;
	process->look_until = record->time + READY_NS;
	return process_look(follow, process);
}

/* The module that a code object's file is imported as goes into the stream: a replay has no file system to ask. */
static int put_module(struct follow *follow, const struct nt_code *code)
{
	struct nt_module record = {.h = {.type = NT_MODULE, .pid = code->h.pid, .time = code->h.time},
				   .code = code->code};
	char *file = text_utf8((const uint8_t *)(code + 1), code->file_size, code->file_kind);
	char module[NT_MAX_NAME];

	if (!file)
		return -ENOMEM;
	module_names_find(follow->modules, code->h.pid, file, module, sizeof(module));
	free(file);
	record.module_size = strlen(module);
	return stream_put_text(follow->stream, &record.h, sizeof(record), module, record.module_size);
}

static int on_code(struct follow *follow, const struct nt_code *code)
{
	struct nt_code_key key = {.code = code->code, .pid = code->h.pid};
	struct process *process = process_find(follow, code->h.pid);
	uint32_t flags;
	int error;

	/* Malformed records are the core's to count. */
	if (record_check(code, code->h.size))
		return 0;
	if (process) {
		process->told = true;
		handover_learn(&process->handover, code);
	}
	error = put_module(follow, code);
	/* Whoever can have probes may get them later. */
	if (error || !process || follow->options->python == OPTIONS_PYTHON_STACK ||
	    !choose_probes_work(&process->target))
		return error;
	key.generation = process->target.kernel.generation;
	flags = pipeline_judge(follow->stream->pipeline, code->h.pid, code->code);
	return flags ? kernel_judge_code(follow->kernel, &key, flags) : 0;
}

/* The walk need not look at the locals of frames that tell no runs apart. */
static void on_stack(struct follow *follow, const struct nt_stack *stack)
{
	struct process *process = process_find(follow, stack->h.pid);
	struct nt_stack_note note;

	if (process)
		process->told = true;
	if (pipeline_note(follow->stream->pipeline, stack, &note))
		kernel_note_stack(follow->kernel, stack->stack, &note);
}

int follow_record(struct follow *follow, const struct nt_head *record, size_t size)
{
	switch (record->type) {
	case NT_CODE:
		return size >= sizeof(struct nt_code) ? on_code(follow, (const struct nt_code *)record) : 0;
	case NT_STACK:
		if (size >= sizeof(struct nt_stack))
			on_stack(follow, (const struct nt_stack *)record);
		break;
	case NT_FORK:
		return size >= sizeof(struct nt_fork) ? on_fork(follow, (const struct nt_fork *)record) : 0;
	case NT_EXEC:
		return on_exec(follow, record);
	case NT_EXIT:
		on_end(follow, record);
		break;
	}
	return 0;
}

/*
 * A process that has lived long enough to be worth probes of its own. What a forked child inherited names its parent's
 * file.
 */
static void process_late_probes(struct follow *follow, struct process *process)
{
	uint32_t generation = process->target.kernel.generation;
	char why[TARGET_WHY_SIZE];
	int error = target_inspect(process->pid, &process->target, why);

	process->target.kernel.generation = generation;
	process->look_from = 0;
	if (error)
		return; /* it ends; its exit will come */
	if (!process->probes_due)
		probes_want(follow->probes, &process->probes, &process->target);
	else
		process->probes_due = probes_count(follow->probes, &process->probes, &process->target);
}

/* The probes are on, off, or not to be had. Their last records are read before that is said. */
static int process_take_news(struct follow *follow, struct process *process, const struct probes_result *result)
{
	switch (result->news) {
	case PROBES_COUNTED:
		process->probes_due = false;
		if (choose_is_cheap(result->calls, PROBES_SAMPLE_NS, follow->options))
			probes_want(follow->probes, &process->probes, &process->target);
		return 0;
	case PROBES_OFF:
		process->off_rounds = OFF_ROUNDS;
		return 0;
	case PROBES_ON:
		process->paused = false;
		process->attribution = NT_ATTRIBUTION_USDT;
		break;
	case PROBES_FAILED:
		process->attribution = NT_ATTRIBUTION_STACK;
		break;
	}
	process->off_rounds = 0;
	return process_announce(follow, process);
}

static int process_step_probes(struct follow *follow, struct process *process, uint64_t now)
{
	struct probes_result result;

	if (process->off_rounds && !--process->off_rounds) {
		process->paused = !probes_is_stopped(follow->probes);
		if (!process->paused)
			process->attribution = NT_ATTRIBUTION_STACK;
		return process_announce(follow, process);
	}
	if (probes_poll(follow->probes, &process->probes, &result))
		return process_take_news(follow, process, &result);
	probes_step(follow->probes, &process->probes, &process->target, now);
	return 0;
}

static int process_retry(struct follow *follow, struct process *process, uint64_t now)
{
	if (process->python)
		handover_look(&process->handover, follow->kernel, &process->target, now);
	if (process->look_from && now >= process->look_from && process->python)
		process_late_probes(follow, process);
	if (process->python)
		return process_step_probes(follow, process, now);
	if (!process->look_from || now < process->look_from)
		return 0;
	process->look_wait *= 2;
	process->look_from = now < process->look_until ? now + process->look_wait : 0;
	return process_look(follow, process);
}

/*
 * CPU time of /proc/PID/stat (fields 14 and 15), which comes behind a name that may hold anything. False: it has ended.
 * A first thread that has (Z in field 3) may leave others behind (field 20).
 */
static bool process_read_cpu(struct follow *follow, pid_t pid, uint64_t *ret_cpu)
{
	static const char format[] = " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %d";
	unsigned long long user, system;
	char path[64], line[1024], *rest, state;
	int threads;
	size_t size;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	size = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[size] = 0;
	rest = strrchr(line, ')');
	if (!rest || sscanf(rest + 1, format, &state, &user, &system, &threads) != 4)
		return false;
	*ret_cpu = (user + system) * (1000000000ull / follow->ticks);
	return (state != 'Z' && state != 'X') || threads > 1;
}

/*
 * The kernel side takes a process out of its table when it ends, also where the record of that finds no room. And what
 * we put in ourselves can have ended just before, for which there is no record.
 */
static bool process_is_gone(struct follow *follow, struct process *process)
{
	uint64_t cpu;

	if (!kernel_has_target(follow->kernel, process->pid))
		return true;
	if (!process->seen_alive)
		process->seen_alive = process_read_cpu(follow, process->pid, &cpu);
	return !process->seen_alive;
}

/* Ends processes that are gone; not the first time they are missed, because what they sent last may be on its way. */
static int process_sweep(struct follow *follow, struct process *process)
{
	struct nt_head record = {.size = sizeof(record), .type = NT_EXIT, .version = NT_ABI, .pid = process->pid};
	bool again = process->missed;
	int error;

	process->missed = process_is_gone(follow, process);
	if (!process->missed || !again)
		return 0;
	record.time = stream_now();
	error = stream_put(follow->stream, &record, sizeof(record));
	on_end(follow, &record);
	return error;
}

static bool process_lives(void *context, pid_t pid, uint32_t generation)
{
	const struct process *process = process_find(context, pid);

	return process && (!generation || process->target.kernel.generation == generation);
}

/* What the kernel side keeps of processes that are gone is void already; here it makes room. */
static void sweep_code(struct follow *follow)
{
	if (follow->stale)
		kernel_sweep_code(follow->kernel, process_lives, follow);
	follow->stale = 0;
}

static void stray_add(void *context, pid_t pid, const struct nt_target *target)
{
	struct follow *follow = context;
	struct stray *stray;

	if (process_find(follow, pid))
		return;
	stray = calloc(1, sizeof(*stray));
	if (!stray)
		return;
	stray->pid = pid;
	stray->generation = target->generation;
	HASH_ADD_INT(follow->strays, pid, stray);
	if (!stray->hh.tbl)
		free(stray);
}

/* Takes processes of which two sweeps in a row say that their fork was not heard of: that record was lost. */
static int sweep_strays(struct follow *follow)
{
	struct stray *before = follow->strays, *stray, *known;
	int error = 0;

	follow->strays = NULL;
	if (follow->stray_rounds) {
		follow->stray_rounds--;
		kernel_each_target(follow->kernel, stray_add, follow);
	}
	for (stray = follow->strays; stray && !error; stray = stray->hh.next) {
		HASH_FIND_INT(before, &stray->pid, known);
		if (known && known->generation == stray->generation)
			error = follow_take_child(follow, stray->pid);
	}
	strays_clear(&before);
	return error;
}

static int sweep(struct follow *follow, uint64_t now)
{
	struct process *process, *next;
	int error = 0;

	follow->last_sweep = now;
	sweep_code(follow);
	kernel_sweep_listeners(follow->kernel);
	for (process = follow->processes; process && !error; process = next) {
		next = process->hh.next; /* this one may be dropped */
		error = process_sweep(follow, process);
	}
	return error ? error : sweep_strays(follow);
}

int follow_retry(struct follow *follow, uint64_t now, uint64_t lost)
{
	struct process *process, *next;
	int error = 0;

	if (now - follow->last_retry < LOOK_NS)
		return 0;
	follow->last_retry = now;
	if (lost != follow->lost)
		follow->stray_rounds = STRAY_ROUNDS;
	follow->lost = lost;
	for (process = follow->processes; process && !error; process = next) {
		next = process->hh.next;
		error = process_retry(follow, process, now);
	}
	if (follow->stale >= STALE_MAX)
		sweep_code(follow);
	if (!error && now - follow->last_sweep >= SWEEP_NS)
		error = sweep(follow, now);
	return error;
}

void follow_run(struct follow *follow, uint64_t now)
{
	probes_run(follow->probes, now);
}

bool follow_stop_usdt(struct follow *follow)
{
	bool any = false;

	if (probes_is_stopped(follow->probes))
		return false;
	for (const struct process *process = follow->processes; process; process = process->hh.next)
		any |= process->probes.wanted;
	probes_stop(follow->probes);
	return any;
}

size_t follow_count(const struct follow *follow)
{
	const struct process *process;
	size_t count = 0;

	for (process = follow->processes; process; process = process->hh.next)
		count += process->python || process->look_from;
	return count;
}

const struct target *follow_first(const struct follow *follow)
{
	const struct process *process;

	for (process = follow->processes; process; process = process->hh.next)
		if (process->python)
			return &process->target;
	return NULL;
}

uint64_t follow_cpu(struct follow *follow)
{
	uint64_t sum = follow->ended_cpu;
	struct process *process;

	for (process = follow->processes; process; process = process->hh.next) {
		if (process->python)
			process_read_cpu(follow, process->pid, &process->cpu);
		sum += process->cpu; /* also of what it used before it ran another program: the sum never falls */
	}
	return sum;
}
