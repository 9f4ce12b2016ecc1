/*
 * privileges.c: may we load programs here at all, and if not, what is missing. Asked before libbpf is, because its
 * errors speak of programs and file descriptors, and an operator wants to hear of capabilities and lockdown.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "kernel.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define KERNEL_FLOOR_MAJOR 5
#define KERNEL_FLOOR_MINOR 10
#define MEMLOCK_ENOUGH (256ull << 20) /* bytes: several times what the tables take */
#define MEMLOCK_LAST_MINOR 10	      /* up to 5.10 BPF memory counts as locked; then as the control group's */

/* The kernel's numbers for the namespaces that it boots with (include/linux/proc_ns.h). */
#define FIRST_PID_NAMESPACE 0xeffffffc
#define FIRST_USER_NAMESPACE 0xeffffffd

#define OR(capability) (1ull << (capability))

/* `instead`: each of these stands for it as well. */
static const struct {
	int capability;
	const char *name, *use;
	uint64_t instead;
} needed[] = {
    {CAP_BPF, "CAP_BPF", "to load programs", OR(CAP_SYS_ADMIN)},
    {CAP_PERFMON, "CAP_PERFMON", "to attach them and let them read memory", OR(CAP_SYS_ADMIN)},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "to look into processes", 0},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "to read other users' files", OR(CAP_DAC_OVERRIDE)},
    {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "or `ulimit -l unlimited`, for memory of this old kernel", 0},
};

/* The effective set, or 0 if the kernel does not say. */
static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void read_release(int *ret_major, int *ret_minor)
{
	*ret_major = *ret_minor = 0;
	if (sscanf(kernel_release(), "%d.%d", ret_major, ret_minor) != 2)
		*ret_major = 0;
}

/* BPF maps of old kernels want locked memory, of which a container may have 64 KiB and not take more. */
static bool memory_is_enough(void)
{
	struct rlimit limit;
	int major, minor;

	read_release(&major, &minor);
	if (major != KERNEL_FLOOR_MAJOR || minor > MEMLOCK_LAST_MINOR)
		return true;
	return !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_max >= MEMLOCK_ENOUGH;
}

static int check_capabilities(char *why)
{
	uint64_t set = effective_capabilities();
	size_t length = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (set & (OR(needed[i].capability) | needed[i].instead))
			continue;
		if (needed[i].capability == CAP_SYS_RESOURCE && memory_is_enough())
			continue;
		length += snprintf(why + length, KERNEL_WHY_SIZE - length, "%s%s (%s)",
				   length ? ", " : "missing privilege: ", needed[i].name, needed[i].use);
		if (length >= KERNEL_WHY_SIZE)
			break;
	}
	if (!length)
		return 0;
	if (length < KERNEL_WHY_SIZE)
		snprintf(why + length, KERNEL_WHY_SIZE - length, "; run it as root or with these");
	return -EPERM;
}

static bool is_namespace(const char *name, ino_t inode)
{
	char path[64];
	struct stat own;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &own) || own.st_ino == inode;
}

/* What a user namespace gives to its root counts within it only, and BPF is the machine's. */
static int check_users(char *why)
{
	if (is_namespace("user", FIRST_USER_NAMESPACE))
		return 0;
	snprintf(
	    why, KERNEL_WHY_SIZE,
	    "nettraced is in a user namespace, whose capabilities do not count for BPF; run it in the host's (docker "
	    "run --userns=host, hostUsers: true)");
	return -EPERM;
}

/*
 * System calls that containers are often not let make, with arguments that do nothing, and what is without them. Who
 * may make them is told that the arguments are wrong.
 */
static int check_calls(char *why)
{
	static const struct {
		long number;
		const char *name;
	} calls[] = {{SYS_bpf, "bpf"}, {SYS_perf_event_open, "perf_event_open"}, {SYS_openat2, "openat2"}};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (syscall(calls[i].number, -1L, 0L, 0L, 0L, 0L) >= 0 || (errno != EPERM && errno != ENOSYS))
			continue;
		snprintf(
		    why, KERNEL_WHY_SIZE,
		    "the system call %s is refused although the capabilities are there: a seccomp profile; allow it "
		    "(docker run --security-opt seccomp=..., seccompProfile: Unconfined)",
		    calls[i].name);
		return -EPERM;
	}
	return 0;
}

/* The least program that reads memory of the kernel. */
static int load_reader(void)
{
	struct bpf_insn reader[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
	    {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
	    {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "nt_try", "GPL", reader,
			       sizeof(reader) / sizeof(reader[0]), NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Lockdown and security modules cannot be looked at from every container, but what they let us do can be tried. */
static int check_reading(char *why)
{
	int error = load_reader();

	if (error == -EINVAL)
		snprintf(why, KERNEL_WHY_SIZE,
			 "the kernel lets no program read memory: it is locked down (confidentiality); boot with "
			 "lockdown=integrity or less");
	else if (error)
		snprintf(why, KERNEL_WHY_SIZE,
			 "the kernel takes no program although the capabilities are there (%s): SELinux or another "
			 "security module",
			 strerror(-error));
	return error;
}

static int check_machine(char *why)
{
	struct utsname name;
	int major, minor;

	if (uname(&name))
		return -errno;
	if (strcmp(name.machine, "x86_64") != 0) {
		snprintf(why, KERNEL_WHY_SIZE, "this machine is %.32s; only x86-64 is supported so far", name.machine);
		return -ENOTSUP;
	}
	read_release(&major, &minor);
	if (major && (major < KERNEL_FLOOR_MAJOR || (major == KERNEL_FLOOR_MAJOR && minor < KERNEL_FLOOR_MINOR))) {
		snprintf(why, KERNEL_WHY_SIZE, "Linux %.64s is too old: %d.%d or later is needed", name.release,
			 KERNEL_FLOOR_MAJOR, KERNEL_FLOOR_MINOR);
		return -ENOTSUP;
	}
	return 0;
}

bool kernel_is_nested(void)
{
	return !is_namespace("pid", FIRST_PID_NAMESPACE);
}

/* The numbers that /proc/self/status gives a process: one for each pid namespace from the one that /proc is of down to
 * its own. 0: it does not show us at all. */
static int count_own_numbers(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[512];
	int count = 0;

	if (!file)
		return 0;
	while (!count && fgets(line, sizeof(line), file))
		if (!strncmp(line, "NSpid:", 6))
			for (char *at = line + 6; *(at += strspn(at, "\t ")) >= '0'; count++)
				at += strcspn(at, "\t \n");
	fclose(file);
	return count;
}

/* What --pid means, what /proc shows and what the kernel takes from us must be the same numbers. */
static int check_namespace(char *why)
{
	int count = count_own_numbers();

	if (count == 1)
		return 0;
	snprintf(
	    why, KERNEL_WHY_SIZE,
	    count ? "/proc is that of an outer pid namespace, whose process ids are not those of nettraced; mount it "
		    "anew here (mount -t proc proc /proc)"
		  : "/proc does not show nettraced itself: mount it here (mount -t proc proc /proc), as it is in its "
		    "own pid namespace");
	return -ENOTSUP;
}

int kernel_check_privileges(char *why)
{
	int error = check_machine(why);

	if (!error)
		error = check_namespace(why);
	if (!error)
		error = check_users(why);
	if (!error)
		error = check_capabilities(why);
	if (!error)
		error = check_calls(why);
	if (!error)
		error = check_reading(why);
	if (!error && access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, KERNEL_WHY_SIZE,
			 "the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF, which "
			 "distribution kernels have");
		error = -ENOTSUP;
	}
	return error;
}

/* The number by which perf_event_open(2) knows uprobes; negative: this kernel has none. */
static int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &type) != 1)
		type = -1;
	fclose(file);
	return type;
}

int kernel_check_uprobes(char *why)
{
	int type = uprobe_type();
	/* No file has this name: who is let make a uprobe hears of that. */
	struct perf_event_attr attr = {.size = sizeof(attr), .type = type, .uprobe_path = (uintptr_t) ""};

	if (type < 0) {
		snprintf(why, KERNEL_WHY_SIZE, "this kernel has no uprobes (CONFIG_UPROBE_EVENTS is not set)");
		return -ENOENT;
	}
	if (syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) >= 0 ||
	    (errno != EACCES && errno != EPERM))
		return 0;
	/* Since the answer to CVE-2025-38466; before, CAP_PERFMON was enough. */
	snprintf(why, KERNEL_WHY_SIZE, "this kernel lets nobody without CAP_SYS_ADMIN set probes in programs");
	return -EPERM;
}

const char *kernel_release(void)
{
	static struct utsname name;

	if (!name.release[0] && uname(&name))
		return "";
	return name.release;
}
