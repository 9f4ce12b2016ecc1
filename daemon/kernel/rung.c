/*
 * rung.c: the ladder of hooks: which programs make a rung, and loading one of them.
 *
 * Whether a kernel takes a rung is found out by trying: what configuration and version promise is not always so (this
 * project has met kernels that load fentry programs but refuse to attach them, and the other way round).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "handover.h"
#include "nettraced.skel.h"
#include "object.h"

static const char *const rung_names[RUNG_COUNT] = {
    [RUNG_AUTO] = "auto",
    [RUNG_FENTRY] = "fentry",
    [RUNG_KPROBE] = "kprobe",
    [RUNG_TRACEPOINT] = "tracepoint",
};

/*
 * The programs of each rung. `symbol`: a kernel function that not every kernel has; without it the program is left
 * out and the rung stands: the function's traffic then comes by another one.
 */
static const struct rung_program {
	enum kernel_rung rung;
	const char *program;
	const char *symbol;
} rung_programs[] = {
    {RUNG_FENTRY, "fentry_sendmsg", NULL},
    {RUNG_FENTRY, "fexit_sendmsg", NULL},
    {RUNG_FENTRY, "fexit_recvmsg", NULL},
    {RUNG_FENTRY, "fexit_recvmsg6", "inet6_recvmsg"},
    {RUNG_FENTRY, "fentry_sendpage", "tcp_sendpage"},
    {RUNG_FENTRY, "fexit_sendpage", "tcp_sendpage"},
    {RUNG_FENTRY, "fexit_splice_read", "tcp_splice_read"},
    {RUNG_FENTRY, "fentry_v4_connect", NULL},
    {RUNG_FENTRY, "fexit_v4_connect", NULL},
    {RUNG_FENTRY, "fentry_v6_connect", "tcp_v6_connect"},
    {RUNG_FENTRY, "fexit_v6_connect", "tcp_v6_connect"},
    {RUNG_FENTRY, "fentry_udp_sendmsg", NULL},
    {RUNG_FENTRY, "fexit_udp_sendmsg", NULL},
    {RUNG_FENTRY, "fentry_udpv6_sendmsg", "udpv6_sendmsg"},
    {RUNG_FENTRY, "fexit_udpv6_sendmsg", "udpv6_sendmsg"},
    {RUNG_FENTRY, "fentry_udp_destroy", "udp_destroy_sock"},
    {RUNG_FENTRY, "fentry_udpv6_destroy", "udpv6_destroy_sock"},
    {RUNG_KPROBE, "kprobe_sendmsg", NULL},
    {RUNG_KPROBE, "kprobe_recvmsg", NULL},
    {RUNG_KPROBE, "kprobe_sendpage", "tcp_sendpage"},
    {RUNG_KPROBE, "kprobe_splice_read", "tcp_splice_read"},
    {RUNG_KPROBE, "kprobe_v4_connect", NULL},
    {RUNG_KPROBE, "kprobe_v6_connect", "tcp_v6_connect"},
    {RUNG_KPROBE, "kprobe_udp_sendmsg", NULL},
    {RUNG_KPROBE, "kprobe_udpv6_sendmsg", "udpv6_sendmsg"},
    {RUNG_KPROBE, "kprobe_udp_recvmsg", NULL},
    {RUNG_KPROBE, "kprobe_udpv6_recvmsg", "udpv6_recvmsg"},
    {RUNG_KPROBE, "kprobe_udp_destroy", "udp_destroy_sock"},
    {RUNG_KPROBE, "kprobe_udpv6_destroy", "udpv6_destroy_sock"},
    {RUNG_KPROBE, "kprobe_exit", NULL},
    {RUNG_TRACEPOINT, "tracepoint_enter", NULL},
    {RUNG_TRACEPOINT, "tracepoint_exit", NULL},
};

const char *kernel_rung_name(enum kernel_rung rung)
{
	return rung < RUNG_COUNT ? rung_names[rung] : "unknown";
}

enum kernel_rung kernel_rung_find(const char *name)
{
	for (int i = 0; i < RUNG_COUNT; i++)
		if (!strcmp(name, rung_names[i]))
			return i;
	return RUNG_COUNT;
}

/* libbpf's last complaint: the one place where it says which program or type was refused. */
static char last_complaint[KERNEL_WHY_SIZE];

__attribute__((format(printf, 2, 0))) static int note_complaint(enum libbpf_print_level level, const char *format,
								va_list arguments)
{
	char line[KERNEL_WHY_SIZE];

	if (level != LIBBPF_WARN || last_complaint[0])
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = 0;
	snprintf(last_complaint, sizeof(last_complaint), "%s", line);
	return 0;
}

/* Does the kernel have this function? Asked of its BTF, which lists those that can be hooked. */
static bool kernel_has_function(const struct btf *btf, const char *name)
{
	return btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static int rung_select(struct nettraced_bpf *object, const struct kernel_options *options, enum kernel_rung rung)
{
	struct btf *btf = btf__load_vmlinux_btf();

	for (size_t i = 0; i < sizeof(rung_programs) / sizeof(rung_programs[0]); i++) {
		const struct rung_program *row = &rung_programs[i];
		struct bpf_program *program = bpf_object__find_program_by_name(object->obj, row->program);

		if (!program) {
			btf__free(btf);
			return -ENOENT;
		}
		bpf_program__set_autoload(program,
					  row->rung == rung && (!row->symbol || kernel_has_function(btf, row->symbol)));
	}
	btf__free(btf);
	/* The function probes are attached by process (usdt.c), but they are loaded with the rest. */
	bpf_program__set_autoload(object->progs.function_entry, true);
	bpf_program__set_autoload(object->progs.function_return, true);
	bpf_program__set_autoload(object->progs.function_count, true);
	bpf_program__set_autoload(object->progs.sched_switch, options->times);
	bpf_program__set_autoload(object->progs.namespace_learn, kernel_is_nested());
	return handover_select(object);
}

/* Loads the least fentry program there is: some kernels have all that it takes and refuse it all the same. */
static int fentry_try(void)
{
	struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	struct btf *btf = btf__load_vmlinux_btf();
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = btf ? btf__find_by_name_kind(btf, "tcp_sendmsg", BTF_KIND_FUNC) : -ENOENT, fd;

	btf__free(btf);
	if (id < 0)
		return id;
	options.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "nt_try", "GPL", nothing, sizeof(nothing) / sizeof(nothing[0]),
			   &options);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* What can be seen without loading the whole, said in words that name the cause. */
static int rung_precheck(enum kernel_rung rung, char *why)
{
	int error = rung == RUNG_FENTRY ? fentry_try() : 0;

	if (error) {
		snprintf(
		    why, KERNEL_WHY_SIZE,
		    "this kernel refuses fentry programs (%s): built without CONFIG_FUNCTION_TRACER, or locked down",
		    strerror(-error));
		return error;
	}
	if (rung == RUNG_KPROBE && access("/sys/bus/event_source/devices/kprobe/type", R_OK)) {
		snprintf(why, KERNEL_WHY_SIZE, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS is not set)");
		return -ENOENT;
	}
	return 0;
}

static int rung_explain(const char *step, int error, char *why)
{
	snprintf(why, KERNEL_WHY_SIZE, "%s: %s%s%.160s", step, strerror(-error), last_complaint[0] ? ": " : "",
		 last_complaint);
	return error;
}

/* Before anything is attached, the kernel side learns which pid namespace is ours. */
static int learn_namespace(struct nettraced_bpf *object)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (!kernel_is_nested())
		return 0;
	return bpf_prog_test_run_opts(bpf_program__fd(object->progs.namespace_learn), &options);
}

int rung_load(struct kernel *kernel, const struct kernel_options *options, enum kernel_rung rung, char *why)
{
	struct nettraced_bpf *object;
	int error = rung_precheck(rung, why);

	if (error)
		return error;
	last_complaint[0] = 0;
	libbpf_set_print(note_complaint);
	object = nettraced_bpf__open();
	if (!object)
		return rung_explain("cannot open the BPF object", -errno, why);
	if (object->rodata->cfg_abi != NT_ABI) {
		snprintf(why, KERNEL_WHY_SIZE, "the BPF object is of another build (ABI %u, not %d): build again",
			 object->rodata->cfg_abi, NT_ABI);
		nettraced_bpf__destroy(object);
		return -EPROTO;
	}
	object->rodata->cfg_capture = options->capture;
	object->rodata->cfg_watch_execs = options->watch_execs;
	object->rodata->cfg_times = options->times;
	object->rodata->cfg_wakeup_bytes = options->ring_bytes / 8;
	object->rodata->cfg_nested = kernel_is_nested();
	error = rung_select(object, options, rung);
	if (!error)
		error = bpf_map__set_max_entries(object->maps.ring, options->ring_bytes);
	if (!error)
		error = nettraced_bpf__load(object);
	if (error) {
		nettraced_bpf__destroy(object);
		return rung_explain("loading", error, why);
	}
	error = learn_namespace(object);
	if (!error)
		error = nettraced_bpf__attach(object);
	if (error) {
		nettraced_bpf__destroy(object);
		return rung_explain("attaching", error, why);
	}
	kernel->object = object;
	kernel->rung = rung;
	return 0;
}

void rung_unload(struct kernel *kernel)
{
	nettraced_bpf__destroy(kernel->object);
	kernel->object = NULL;
}
