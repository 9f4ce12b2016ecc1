/*
 * nettraced.bpf.c: the one BPF object for all kernels. The daemon finds out what the kernel has and
 * loads of the optional programs ("?") those of one rung (daemon/kernel/rung.c).
 */
#include "common.h"
#include <bpf/usdt.bpf.h>
#include "maps.h"
#include "thread.h"
#include "sched.h" /* before what makes entries of threads: it is attached first */
#include "python.h"
#include "syscall.h"
#include "socket.h"
#include "segment.h"
#include "handover.h"
#include "process.h"
#include "connection.h"
#include "rung_tracepoint.h"
#include "rung_kprobe.h"
#include "rung_fentry.h"
#include "usdt.h"

/* Held against the daemon's own: both must have been built from one event.h. */
const volatile __u32 cfg_abi = NT_ABI;

char LICENSE[] SEC("license") = "GPL";
