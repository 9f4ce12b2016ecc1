/*
 * maps.h: the tables that the programs share with each other and with the daemon, and the
 * small helpers to send a record and count a loss.
 *
 * Every table has a fixed size and no entry is evicted: what does not fit is counted (enum nt_stat).
 */
#ifndef NT_MAPS_H
#define NT_MAPS_H

#include "common.h"
#include "syscall.h"

/* Set by the daemon before loading (kernel/object.c). */
const volatile __u32 cfg_capture = NT_MAX_CAPTURE; /* payload bytes kept of a message */
const volatile __u64 cfg_wakeup_bytes = 1 << 20;   /* wake the daemon when this much waits */

const volatile __u8 cfg_watch_execs; /* tell of every exec(2), not only of those of targets */

/* The daemon sets the size: --ring in its options. Records leave in the order in which they were made. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps");

/* Traced processes by thread group id. The daemon puts the first ones in, forks add theirs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct nt_target);
} targets SEC(".maps");

/* What a thread leaves the CPU for, as far as it is told apart. */
enum waits { WAITS_NOT = 0, WAITS_LOCK, WAITS_SLEEP };

/*
 * One thread of a target, by the kernel's own thread id: what it is in the middle of, and where its Python state is.
 * The socket call that is being handled is kept here and not on the stack, of which kernels before 6.13 give a whole
 * chain of functions 512 bytes.
 */
struct thread {
	struct socket_call call;
	__u64 first;	  /* when the socket call that it is in began */
	__u64 socket;	  /* struct sock *, where a kprobe has told; else 0 */
	__u64 tss_slot;	  /* address of its thread-specific slot that holds the thread state; 0 not known */
	__u64 tstate;	  /* thread state found through the interpreter's list; 0 not known */
	__u16 connecting; /* the connect(2) that it is in reached the network */
	__u16 probe;	  /* enum probe: the hand-over that it is in */
	__u16 window;	  /* bytes that are to be read of its frames at once; 0: not known */
	__u16 top_apart;  /* its innermost frame was not beside others, when it was looked at last */
	__u64 chain_code; /* code object of the coroutine that its last chain began with (chain.h); 0: none */
	/* What it spends (sched.h); ns. */
	__u32 waits;	 /* enum waits: its last wait */
	__u64 since;	 /* when it got the CPU */
	__u64 ran;	 /* what the kernel says that it had run by then */
	__u64 left;	 /* when it left the CPU for the wait that lasts; 0: it does not wait */
	__u64 away;	 /* how long it was off the CPU for its last wait, if that is not in `waited` yet; else 0 */
	__u64 delay;	 /* its run_delay before that wait */
	__u64 waited[3]; /* all waits, by enum waits */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct thread);
} threads SEC(".maps");

/* By the peer first, where the target still holds the socket; then for good. */
enum { CLOSED_NOT = 0, CLOSED_BY_PEER, CLOSED };

/* A socket that a target uses, by address of its struct sock. */
struct socket_state {
	__u64 connection;
	__u64 counted[2];    /* bytes in the segments so far, by direction */
	__u64 message_bytes; /* bytes that this message has so far */
	__u32 base[2];	     /* the kernel's sequence numbers when counting began */
	__u32 pid, tid;	     /* who used it last */
	__u32 sender;	     /* thread that sent last */
	__u8 direction;	     /* of the message that is under way; NO_DIRECTION at first */
	__u8 role;
	__u8 closed; /* CLOSED*: which NT_CLOSE was sent */
	__u8 connecting;
	__u8 announced;	   /* its NT_SOCKET was sent */
	__u8 datagrams;	   /* of UDP: no stream, so nothing of TCP's is in its struct sock */
	__u16 port;	   /* its own, then: what tells it from another one at its address */
	__u32 retransmits; /* that the kernel had counted when a message came in last */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/*
 * Likewise of UDP, of which those that ask a name server are told of. Where nothing says that one is closed (its
 * process ended), another one takes its place.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct socket_state);
} datagram_sockets SEC(".maps");

/* Stacks whose NT_STACK was sent, by id. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct nt_stack_note);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct nt_code_key);
	__type(value, struct nt_code_note);
} codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_listener);
	__type(value, __u8);
} listeners SEC(".maps");

/* The sockets that listen on them, by inode number, as /proc knows them: a port can have several. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct nt_listener);
} listening SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} stats SEC(".maps");

#define STATES_SIZE (((NT_MAX_FRAMES + 1) & ~1) * 4)
#define OWNER_SIZE (STATES_SIZE + NT_MAX_FRAMES * sizeof(struct nt_place)) /* what belongs to an owner, at most */
#define PAYLOAD_START (sizeof(struct nt_segment) + OWNER_SIZE)		   /* or before */
/* Twice the payload's bound: so a part that begins inside the bound also ends inside the buffer, whatever its
 * length, which even the verifier of 5.10 can follow. A per-CPU value has 32 KiB at most. */
#define RECORD_SIZE (PAYLOAD_START + 2 * NT_MAX_PAYLOAD + 8)
#define CODE_SIZE (sizeof(struct nt_code) + 2 * NT_MAX_NAME + 2 * NT_MAX_TABLE)

#define WINDOW_SIZE 3968       /* two dozen frames of ordinary size */
#define WINDOW_FIRST 512       /* of a thread's first one: of many with few frames each, the rest is in no cache */
#define WINDOW_NOWHERE (~0ull) /* there is none */
#define WINDOW_START 128       /* before it, a frame's head that was read alone */
#define WINDOW_MASK 0xfffull   /* of where a frame is in both */
#define LOCALS_SIZE 128	       /* the first 16 pointers of them */

/*
 * What does not fit the 512-byte stack of a program. One a CPU for programs in system calls, one for
 * those behind uprobes, which can be preempted, as fexit programs can: `busy` keeps a second program on the CPU out,
 * and what that one wanted is counted as lost.
 */
struct scratch {
	__u64 busy;	  /* programs that are using it or want to: only the first one may */
	__u32 depth;	  /* frames walked */
	__u32 unreadable; /* a frame could not be read */
	__u32 untold;	  /* one of the stack's code objects could not be sent */
	__u32 end;	  /* of the record that is being put together */
	__u32 room;	  /* bytes of payload that this record may have */
	__u64 hash;	  /* of the frames walked: names the stack within the process */
	struct nt_owner owner;
	struct nt_layout layout;	    /* of the process that is walked */
	__u32 generation;		    /* likewise */
	__u32 chained;			    /* frames that a chain stands for: all but the last were not read */
	__u64 chain_code;		    /* where a chain may begin; 0: nowhere, each frame is to be read */
	__u64 above;			    /* the last frame, if the next one can be beside it; else 0 */
	__u64 window_at;		    /* the target's memory that the window has: from here */
	__u64 window_last;		    /* so far behind is the last frame whose head is in it */
	__u64 window_wanted;		    /* bytes of the next one */
	__u8 window[WINDOW_MASK + 1 + 128]; /* more, because a field's masked offset comes on top of the frame's */
	__u8 locals[LOCALS_SIZE];	    /* a frame's locals and evaluation stack */
	__u32 states[NT_MAX_FRAMES + 1];    /* of the outermost frames */
	__u64 addresses[NT_MAX_FRAMES + 1]; /* of the frames */
	__u64 hashes[NT_MAX_FRAMES + 1];    /* of those up to this one */
	struct nt_place places[NT_MAX_FRAMES + 1];
	struct nt_stack stack;
	struct nt_frame frames[NT_MAX_FRAMES + 1];
	union {
		__u8 record[RECORD_SIZE];
		__u8 code[CODE_SIZE];
	};
};

enum { SCRATCH_SYSCALL = 0, SCRATCH_UPROBE, SCRATCH_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_COUNT);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Coroutines that await each other, between two of which the others need not be read again (chain.h). */
struct chain {
	__u64 inner, outer;	  /* addresses of the two's frames */
	__u64 inner_is, outer_is; /* hashes of what tells that they are the same ones and where they were */
	__u64 hash, factor; /* what the frames from behind the inner one to the outer one do to the stack's hash */
	__u64 frames;	    /* so many they are */
};

#define CHAINS 512 /* by the inner frame's address, one taking another's place */

/* A table a CPU: who holds its scratch for system calls has this one too. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CHAINS);
	__type(key, __u32);
	__type(value, struct chain);
} chains SEC(".maps");

static __always_inline void stat_add(__u32 which, __u64 n)
{
	__u64 *counter = bpf_map_lookup_elem(&stats, &which);

	if (counter)
		*counter += n;
}

static __always_inline void scratch_put(struct scratch *s)
{
	__sync_fetch_and_add(&s->busy, -1);
}

/* The caller holds it until scratch_put(). NULL: another program does. */
static __always_inline struct scratch *scratch_get(__u32 which)
{
	struct scratch *s = bpf_map_lookup_elem(&scratches, &which);

	if (!s)
		return NULL;
	/* Only an addition, which is all that is atomic on old kernels. Of two that are here at once both may give up.
	 */
	__sync_fetch_and_add(&s->busy, 1);
	if (s->busy == 1)
		return s;
	scratch_put(s);
	return NULL;
}

static __always_inline void head_fill(struct nt_head *head, __u16 type, __u32 size, __u64 time)
{
	__u64 id = current_id();

	head->size = size;
	head->type = type;
	head->version = NT_ABI;
	head->time = time;
	head->pid = id >> 32;
	head->tid = (__u32)id;
}

#define WAKEUP_WINDOW (64 << 10) /* bytes, of several of the largest records: one of them is not to step over it */

/*
 * The daemon reads on a timer: waking it for each record would cost the target several times
 * what the record does. Only a ring that fills, or news that cannot wait, wakes it; one that goes on filling has a
 * daemon that is awake and behind.
 */
static __always_inline __u64 wakeup_flags(void)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	return waiting - cfg_wakeup_bytes < WAKEUP_WINDOW ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline long record_send(void *record, __u64 size, __u64 flags)
{
	long error = bpf_ringbuf_output(&ring, record, size, flags);

	if (error)
		stat_add(NT_STAT_RECORDS, 1);
	return error;
}

#endif
