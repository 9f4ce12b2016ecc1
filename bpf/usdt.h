/*
 * usdt.h: entry and return of Python functions, from CPython's own probes, for the functions that matter.
 *
 * The probe has trapped by the time we run, so nothing here makes a call that does not matter
 * cheap; it only keeps it out of the ring buffer. What matters the daemon decides (NT_CODE_* in event.h): a
 * code object that it has not judged yet is let through.
 */
#ifndef NT_USDT_H
#define NT_USDT_H

#include "socket.h"

/* The function's frame, its code object and its caller's. False: no frame there. */
static __always_inline bool function_read(const struct nt_target *target, struct thread *thread, __u64 *ret_frame,
					  __u64 *ret_code, __u64 *ret_caller)
{
	const struct nt_layout *layout = &target->layout;
	__u64 tstate = tstate_find(target, thread), caller = 0;

	*ret_caller = 0;
	if (!tstate || !frame_top(layout, tstate, ret_frame) || !*ret_frame)
		return false;
	if (!read_user(ret_code, *ret_frame + layout->frame_code) ||
	    !read_user(&caller, *ret_frame + layout->frame_previous))
		return false;
	if (caller)
		read_user(ret_caller, caller + layout->frame_code);
	return true;
}

static __always_inline bool function_matters(__u32 code, __u32 caller)
{
	if (!(code & NT_CODE_JUDGED) || code & NT_CODE_ENDPOINT)
		return true;
	if (caller & NT_CODE_DISPATCHER)
		return true;
	return code & NT_CODE_APPLICATION && !(code & NT_CODE_MODULE) &&
	       (!(caller & NT_CODE_APPLICATION) || caller & NT_CODE_MODULE);
}

/* What is known of a code object; sends it first if nothing is. */
static __always_inline __u32 function_flags(const struct nt_target *target, __u64 code)
{
	struct nt_code_key key = {.code = code, .pid = current_process(), .generation = target->generation};
	struct nt_code_note *known = bpf_map_lookup_elem(&codes, &key);
	struct scratch *s;
	__u32 flags;

	if (known)
		return known->flags;
	s = scratch_get(SCRATCH_UPROBE);
	if (!s)
		return 0; /* another program is at it on this CPU: the next call of the function does it */
	flags = code_announce(code, SCRATCH_UPROBE);
	scratch_put(s);
	return flags;
}

static __always_inline int function_probe(bool returned)
{
	struct nt_target *target = target_get();
	struct nt_function record = {};
	__u32 flags, caller_flags;
	struct thread *thread;
	__u64 now;

	if (!target || !(target->flags & NT_TARGET_PYTHON))
		return 0;
	thread = thread_get();
	if (!thread || !function_read(target, thread, &record.frame, &record.code, &record.caller))
		return 0;
	flags = function_flags(target, record.code);
	caller_flags = record.caller ? function_flags(target, record.caller) : NT_CODE_JUDGED;
	if (!function_matters(flags, caller_flags))
		return 0;
	record.passage = returned ? NT_RETURNED : NT_ENTERED;
	now = bpf_ktime_get_ns();
	thread_times(thread, now, &record.times);
	head_fill(&record.h, NT_FUNCTION, sizeof(record), now);
	record_send(&record, sizeof(record), wakeup_flags());
	return 0;
}

SEC("?usdt")
int BPF_USDT(function_entry)
{
	return function_probe(false);
}

SEC("?usdt")
int BPF_USDT(function_return)
{
	return function_probe(true);
}

/* Counts how often a process calls Python functions, to know before what its probes would cost. */
__u64 function_calls;

SEC("?usdt")
int BPF_USDT(function_count)
{
	__sync_fetch_and_add(&function_calls, 1);
	return 0;
}

#endif
