/*
 * kernel.h: the kernel side as the daemon sees it: load it, choose the rung of hooks, read its records, tell it
 * about targets.
 *
 * One of the two places that need root (the other is target/). Nothing here knows what a record means.
 */
#ifndef NT_KERNEL_H
#define NT_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../../bpf/event.h"

#define KERNEL_WHY_SIZE 256

enum kernel_rung { RUNG_AUTO, RUNG_FENTRY, RUNG_KPROBE, RUNG_TRACEPOINT, RUNG_COUNT };

/* Words of --hooks and of the summary; NULL-safe for any value of the enum. */
const char *kernel_rung_name(enum kernel_rung rung);
/* RUNG_COUNT: no such rung. */
enum kernel_rung kernel_rung_find(const char *name);

struct kernel_options {
	enum kernel_rung rung;
	uint32_t capture;    /* payload bytes per message, at most NT_MAX_CAPTURE */
	uint32_t ring_bytes; /* a power of two, of whole pages */
	bool watch_execs;    /* tell of every program that begins on the machine */
	bool times;	     /* count what the targets' threads spend their time on (struct nt_times) */
};

struct kernel;

/*
 * Loads and attaches the best rung that the kernel takes, or the one that was asked for. 0, or negative errno with one
 * line in `why` (KERNEL_WHY_SIZE bytes) that says what is missing and what would help.
 */
int kernel_open(const struct kernel_options *options, struct kernel **ret_kernel, char *why);
void kernel_close(struct kernel *kernel);

enum kernel_rung kernel_rung(const struct kernel *kernel);

/* Why a rung above the one in use was not taken; "" if it was not tried or works. */
const char *kernel_rung_refusal(const struct kernel *kernel, enum kernel_rung rung);

/* Adds or replaces a target, by its id as our own /proc has it. 0 or negative errno. */
/* Gives the target a generation. */
int kernel_set_target(struct kernel *kernel, pid_t pid, struct nt_target *target);
/* Only if it is of that generation. */
void kernel_remove_target(struct kernel *kernel, pid_t pid, uint32_t generation);

/* Shows every process that the kernel side has in its table, also those that it put there itself. */
typedef void (*kernel_target_fn)(void *context, pid_t pid, const struct nt_target *target);
void kernel_each_target(struct kernel *kernel, kernel_target_fn each, void *context);

/* Is there still a process with this pid, of this generation (0: whichever)? */
typedef bool (*kernel_lives_fn)(void *context, pid_t pid, uint32_t generation);
/* Forgets code and stacks of processes that are gone. Looks through all that is known: once for many of them. */
void kernel_sweep_code(struct kernel *kernel, kernel_lives_fn lives, void *context);
bool kernel_has_target(struct kernel *kernel, pid_t pid);
/* False: it has no such target. */
bool kernel_get_target(struct kernel *kernel, pid_t pid, struct nt_target *ret_target);

/* A port, and the inode of a socket that listens on it. 0 or negative errno. */
int kernel_add_listener(struct kernel *kernel, const struct nt_listener *listener, uint64_t inode);
/* Forgets ports whose last socket was closed. */
void kernel_sweep_listeners(struct kernel *kernel);

/* Says what a code object is (NT_CODE_*). 0 or negative errno. */
int kernel_judge_code(struct kernel *kernel, const struct nt_code_key *code, uint32_t flags);

/* Says what of a stack matters. 0 or negative errno. */
int kernel_note_stack(struct kernel *kernel, uint64_t stack, const struct nt_stack_note *note);

/* One record; negative to stop reading, which kernel_read() then returns. */
typedef int (*kernel_record_fn)(void *context, void *record, size_t size);

/* Waits at most `timeout_ms` for an urgent record, or until `wake_fd` (-1: none) is readable, then hands over the
 * records there are, a bounded number of them. Number of records, or negative errno, or what `record` returned. */
int kernel_read(struct kernel *kernel, int timeout_ms, int wake_fd, kernel_record_fn record, void *context);

/* Records that found the ring full so far: some of what they told may be found out in another way. */
uint64_t kernel_lost_records(struct kernel *kernel);

/* Fills the counters of `ret_loss` (not its head) with the totals so far. */
void kernel_read_loss(struct kernel *kernel, struct nt_loss *ret_loss);

/* What the programs took so far, where the kernel counts it (kernel_measure_cost): ns, runs; and how many of those came
 * by a trap in the target, whose own time nobody counts. */
struct kernel_cost {
	uint64_t ns, runs, traps;
};
void kernel_read_cost(struct kernel *kernel, struct kernel_cost *ret_cost);

/* Stops counting threads' times, and takes the hand-over probes off. For good. */
void kernel_stop_times(struct kernel *kernel);
/* Of so many calls, by chance, one is to have its Python stack looked at. */
void kernel_thin_walks(struct kernel *kernel, uint32_t one_of);
/* Switches the kernel's own accounting of BPF programs on or off. It costs about 40 ns a run while it is on. 0 or
 * negative errno. */
int kernel_measure_cost(struct kernel *kernel, bool on);

/* Function probes of one process: traced entry and return, or only counted. */
struct kernel_usdt;
int kernel_usdt_attach(struct kernel *kernel, pid_t pid, const char *binary, bool count_only,
		       struct kernel_usdt **ret_usdt);
void kernel_usdt_detach(struct kernel_usdt *usdt);
/* Function calls counted so far by all count-only attachments. */
uint64_t kernel_usdt_calls(struct kernel *kernel);

/*
 * Attaches probes to the functions of a file through which work is handed over, for every process that has it mapped;
 * once for a file, however often it is asked for. 0 or negative errno, which is no reason to stop: see below.
 */
struct hooks;
int kernel_handover_attach(struct kernel *kernel, const struct hooks *hooks);
/*
 * Attaches those that are for one process alone: calls of deque.pop(), by which anyio takes its threads and others do
 * other things. Again does nothing; kernel_handover_unwatch() when the process has ended or runs another program.
 */
int kernel_handover_watch(struct kernel *kernel, pid_t pid, const struct hooks *hooks);
void kernel_handover_unwatch(struct kernel *kernel, pid_t pid);
/* The last thing that was refused; "" if nothing was. Work that is handed over there belongs to nobody. */
const char *kernel_handover_refusal(const struct kernel *kernel);

/* What these privileges and this kernel allow, before anything is loaded: 0, or negative errno with a line in `why`. */
int kernel_check_privileges(char *why);
/* Likewise for probes in programs (uprobes, USDT), which want more than the rest. */
int kernel_check_uprobes(char *why);
/* Likewise for those that tell of hand-overs, for which newer kernels have another way. */
int kernel_check_handovers(char *why);
/* Are we in another pid namespace than the machine's first one? Then all process ids here are those that it has. */
bool kernel_is_nested(void);
/* "6.1.0-13-amd64". Static. */
const char *kernel_release(void);

#endif
