/*
 * floor.bpf.c: empty programs on nettraced's hooks: what hooking alone costs, whatever one does there.
 *
 * Each looks whether the process is the one to trace, as nettraced must, and returns. floor.c loads those of one rung.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 cfg_pid;
__u64 stat_hits; /* tells floor.c, and so the bench, that they ran */

static __always_inline int look(void)
{
	if (bpf_get_current_pid_tgid() >> 32 == cfg_pid)
		stat_hits++;
	return 0;
}

#define EMPTY(name, section)                                                                                           \
	SEC("?" section) int name(void *context)                                                                       \
	{                                                                                                              \
		(void)context;                                                                                         \
		return look();                                                                                         \
	}

EMPTY(tracepoint_enter, "tp_btf/sys_enter")
EMPTY(tracepoint_exit, "tp_btf/sys_exit")
EMPTY(tracepoint_state, "tp_btf/inet_sock_set_state")

EMPTY(kprobe_send, "kprobe/tcp_sendmsg")
EMPTY(kprobe_receive, "kprobe/tcp_recvmsg")
EMPTY(kprobe_exit, "tp_btf/sys_exit")
EMPTY(kprobe_state, "tp_btf/inet_sock_set_state")

EMPTY(fentry_send, "fentry/tcp_sendmsg")
EMPTY(fentry_sent, "fexit/tcp_sendmsg")
EMPTY(fentry_received, "fexit/inet_recvmsg")
EMPTY(fentry_state, "tp_btf/inet_sock_set_state")
