/*
 * handover.h: tells the daemon that a thread or task gave work to another one, with the giver's stack.
 */
#ifndef NT_HANDOVER_H
#define NT_HANDOVER_H

#include "socket.h"

/*
 * Sends an NT_HANDOVER: the current thread gives `what` (enum nt_handover_kind) away. Works in the scratch memory
 * `which`: programs behind uprobes have their own. 1 if it was sent. Global: see tstate_search_some().
 */
__noinline int handover_send(__u64 what, __u32 kind, __u32 which)
{
	struct nt_target *target = target_get();
	struct thread *thread;
	struct scratch *s;

	if (!target)
		return 0;
	thread = thread_get();
	if (!thread)
		return 0;
	s = scratch_get(which);
	if (!s) {
		stat_add(NT_STAT_RECORDS, 1);
		return 0;
	}
	struct nt_handover *record = (void *)s->record;

	python_walk(target, thread, s, which);
	if (s->owner.walk == NT_WALK_FAILED)
		stat_add(NT_STAT_STACKS, 1);
	__builtin_memset(record, 0, sizeof(*record));
	record->what = what;
	record->kind = kind;
	record->owner = s->owner;
	__u32 size = owner_append(s, sizeof(*record));
	head_fill(&record->h, NT_HANDOVER, size, bpf_ktime_get_ns());
	int sent = size <= sizeof(*record) + OWNER_SIZE && record_send(record, size, wakeup_flags()) == 0;
	scratch_put(s);
	return sent;
}

#endif
