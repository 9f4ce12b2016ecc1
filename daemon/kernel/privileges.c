/*
 * privileges.c: may we load programs here at all, and if not, what is missing. Asked before libbpf is, because its
 * errors speak of programs and file descriptors, and an operator wants to hear of capabilities and lockdown.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define KERNEL_FLOOR_MAJOR 5
#define KERNEL_FLOOR_MINOR 10
#define FIRST_PID_NAMESPACE 0xeffffffc /* PROC_PID_INIT_INO of the kernel */

static const struct {
	int capability;
	const char *name;
} needed[] = {
    {CAP_BPF, "CAP_BPF"},
    {CAP_PERFMON, "CAP_PERFMON"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"},
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

static bool has_capability(uint64_t set, int capability)
{
	/* CAP_SYS_ADMIN still stands for what was split off from it. */
	if (set >> capability & 1)
		return true;
	return (capability == CAP_BPF || capability == CAP_PERFMON) && set >> CAP_SYS_ADMIN & 1;
}

static int check_capabilities(char *why)
{
	uint64_t set = effective_capabilities();
	char missing[128] = "";

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (has_capability(set, needed[i].capability))
			continue;
		if (*missing)
			strncat(missing, ", ", sizeof(missing) - strlen(missing) - 1);
		strncat(missing, needed[i].name, sizeof(missing) - strlen(missing) - 1);
	}
	if (!*missing)
		return 0;
	snprintf(why, KERNEL_WHY_SIZE,
		 "missing privilege: %s; run it as root, or in a container with these capabilities", missing);
	return -EPERM;
}

/* The word in brackets is the mode in force: none [integrity] confidentiality. */
static int check_lockdown(char *why)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";
	int error = 0;

	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file) && strstr(line, "[confidentiality]")) {
		snprintf(why, KERNEL_WHY_SIZE,
			 "the kernel is locked down (confidentiality): it lets no program read memory; boot with "
			 "lockdown=integrity or less");
		error = -EPERM;
	}
	fclose(file);
	return error;
}

static int check_machine(char *why)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name))
		return -errno;
	if (strcmp(name.machine, "x86_64") != 0) {
		snprintf(why, KERNEL_WHY_SIZE, "this machine is %.32s; only x86-64 is supported so far", name.machine);
		return -ENOTSUP;
	}
	if (sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	    (major < KERNEL_FLOOR_MAJOR || (major == KERNEL_FLOOR_MAJOR && minor < KERNEL_FLOOR_MINOR))) {
		snprintf(why, KERNEL_WHY_SIZE, "Linux %.64s is too old: %d.%d or later is needed", name.release,
			 KERNEL_FLOOR_MAJOR, KERNEL_FLOOR_MINOR);
		return -ENOTSUP;
	}
	return 0;
}

bool kernel_is_nested(void)
{
	struct stat own;

	return !stat("/proc/self/ns/pid", &own) && own.st_ino != FIRST_PID_NAMESPACE;
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
		error = check_capabilities(why);
	if (!error)
		error = check_lockdown(why);
	if (!error && access("/sys/kernel/btf/vmlinux", R_OK)) {
		snprintf(why, KERNEL_WHY_SIZE,
			 "the kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF, which "
			 "distribution kernels have");
		error = -ENOTSUP;
	}
	return error;
}

const char *kernel_release(void)
{
	static struct utsname name;

	if (!name.release[0] && uname(&name))
		return "";
	return name.release;
}
