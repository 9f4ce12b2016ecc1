/*
 * uprobe.c: see uprobe.h. libbpf 1.1 knows the one way only, and the kernel's headers of its time the number of neither
 * the other nor its attributes.
 */
#include "uprobe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "kernel.h"

#define TRACE_UPROBE_MULTI 48 /* enum bpf_attach_type of Linux 6.6 */

struct uprobe {
	struct bpf_link *event; /* NULL: a link of its own */
	int fd;
};

/* What BPF_LINK_CREATE is told of such a link: union bpf_attr, link_create with uprobe_multi. */
struct link_attributes {
	uint32_t program, target, type, flags;
	uint64_t path, offsets, reference_counts, cookies; /* of the last three an array each, or NULL */
	uint32_t count, multi_flags, pid, reserved;
};
_Static_assert(sizeof(struct link_attributes) == 64, "layout");

/* Returns a file descriptor that holds the probe, or negative errno. */
static int link_create(int program, pid_t pid, const char *path, uint64_t offset)
{
	struct link_attributes attributes = {
	    .program = (uint32_t)program,
	    .type = TRACE_UPROBE_MULTI,
	    .path = (uintptr_t)path,
	    .offsets = (uintptr_t)&offset,
	    .count = 1,
	    .pid = pid > 0 ? (uint32_t)pid : 0,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));

	return fd < 0 ? -errno : fd;
}

/* A kernel that knows such links complains that a directory is no program; others do not get that far. */
static bool has_links(void)
{
	struct bpf_insn nothing[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = TRACE_UPROBE_MULTI);
	int program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "nt_try", "GPL", nothing,
				    sizeof(nothing) / sizeof(nothing[0]), &options);
	int error;

	if (program < 0)
		return false;
	error = link_create(program, -1, "/", 0);
	close(program);
	if (error >= 0)
		close(error);
	return error == -EBADF;
}

enum uprobe_way uprobe_find_way(char *why)
{
	why[0] = '\0';
	if (!kernel_check_uprobes(why))
		return UPROBE_BY_EVENT;
	if (!has_links())
		return UPROBE_REFUSED;
	why[0] = '\0';
	return UPROBE_BY_LINK;
}

int kernel_check_handovers(char *why)
{
	return uprobe_find_way(why) == UPROBE_REFUSED ? -EPERM : 0;
}

void uprobe_prepare(struct bpf_program *program, enum uprobe_way way)
{
	if (way == UPROBE_BY_LINK)
		bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)TRACE_UPROBE_MULTI);
}

int uprobe_attach(const struct bpf_program *program, pid_t pid, const char *path, uint64_t offset,
		  struct uprobe **ret_uprobe)
{
	struct uprobe *uprobe = calloc(1, sizeof(*uprobe));
	int error = 0;

	if (!uprobe)
		return -ENOMEM;
	uprobe->fd = -1;
	if (bpf_program__expected_attach_type(program) == (enum bpf_attach_type)TRACE_UPROBE_MULTI) {
		uprobe->fd = link_create(bpf_program__fd(program), pid, path, offset);
		error = uprobe->fd < 0 ? uprobe->fd : 0;
	} else {
		uprobe->event = bpf_program__attach_uprobe(program, false, pid, path, offset);
		error = uprobe->event ? 0 : -errno;
	}
	if (error) {
		free(uprobe);
		return error;
	}
	*ret_uprobe = uprobe;
	return 0;
}

void uprobe_detach(struct uprobe *uprobe)
{
	if (!uprobe)
		return;
	bpf_link__destroy(uprobe->event);
	if (uprobe->fd >= 0)
		close(uprobe->fd);
	free(uprobe);
}
