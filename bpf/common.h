/*
 * common.h: what every part of the BPF object includes.
 */
#ifndef NT_COMMON_H
#define NT_COMMON_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "event.h"

#ifndef NULL
#define NULL ((void *)0)
#endif

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/* Reads one field, of a type, at an offset in the target's memory. True if it went well. */
#define read_user(ret, address) (bpf_probe_read_user((ret), sizeof(*(ret)), (const void *)(address)) == 0)

#include "namespace.h"

#endif
