/*
 * event.h: what the kernel side and the daemon say to each other, and what a recording holds.
 *
 * The one header that bpf/ and daemon/ share. Everything is a record: a fixed head, a body that
 * depends on the type, and for some types bytes behind it. Records from the kernel come first in
 * the numbering, records that the daemon's edges add to the same stream (processes, module names,
 * ticks, losses) from NT_PROCESS on: the core behind them cannot tell a live capture from a replay.
 *
 * Times are CLOCK_MONOTONIC nanoseconds, ids of processes and threads are those of the daemon's pid
 * namespace (namespace.h).
 * Bump NT_ABI with every change of a layout here: the daemon checks it against the BPF object's
 * copy, and replay against the recording's.
 */
#ifndef NT_EVENT_H
#define NT_EVENT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define NT_ABI 2

/* 127 frames: the deepest stack seen in the field's frameworks is 32, recursion makes them deeper;
 * the walk costs nothing for frames that are not there. One less than a power of two: it is a mask, too. */
#define NT_MAX_FRAMES 127
#define NT_MAX_PAYLOAD 8192   /* bytes of payload that a record carries at most: a longer segment is sent in parts */
#define NT_MAX_CAPTURE 131072 /* bytes of payload kept of a message, at most; --capture sets less */
#define NT_MAX_NAME 512	      /* bytes of a file or function name; longer ones keep their tail or head */
#define NT_MAX_TABLE 8192     /* bytes of a line table, and of a code object's instructions */

enum nt_type {
	/* from the kernel */
	NT_SOCKET = 1, /* struct nt_socket: a target uses this socket for the first time */
	NT_CONNECT,    /* struct nt_connect: a connect began, or ended */
	NT_SEGMENT,    /* struct nt_segment: bytes went out or came in */
	NT_CLOSE,      /* struct nt_close: no more bytes will come */
	NT_STACK,      /* struct nt_stack: a Python stack that was not seen before */
	NT_CODE,       /* struct nt_code: a code object that was not seen before */
	NT_FUNCTION,   /* struct nt_function: entry or return of a function that matters */
	NT_FORK,       /* struct nt_fork: a target made a child process */
	NT_EXEC,       /* struct nt_head: a target replaced its program; its interpreter is gone */
	NT_EXIT,       /* struct nt_head: a target's last thread ended */
	NT_HANDOVER,   /* struct nt_handover: a thread or task gave work to another one */
	/* from the daemon's edges */
	NT_PROCESS = 64, /* struct nt_process: what a target is */
	NT_MODULE,	 /* struct nt_module: the module that a code object belongs to */
	NT_SETTING,	 /* struct nt_setting: an option that changes what the core does */
	NT_LOSS,	 /* struct nt_loss: the loss counters, totals so far */
	NT_COST,	 /* struct nt_cost: what tracing cost since the last one */
	NT_TICK,	 /* struct nt_head: an interval ends here */
	NT_END,		 /* struct nt_head: the capture ends here */
};

struct nt_head {
	__u32 size; /* of the whole record with what is behind it, a multiple of 8 */
	__u16 type;
	__u16 version; /* NT_ABI */
	__u64 time;
	__u32 pid; /* thread group; 0 where no process is meant */
	__u32 tid;
};
_Static_assert(sizeof(struct nt_head) == 24, "layout");

enum nt_role {
	NT_ROLE_UNKNOWN = 0,
	NT_ROLE_CLIENT, /* the target connected: its bytes out are requests to a backend */
	NT_ROLE_SERVER, /* the target accepted: its bytes in are requests to it */
};

enum nt_transport { NT_TCP = 1, NT_UDP, NT_UNIX };

#define NT_ADDRESS_SIZE 16 /* an IPv6 address; an IPv4 one is in the first four bytes */

struct nt_socket {
	struct nt_head h;
	__u64 connection; /* unique in a capture: never used again, unlike the socket's address */
	__u8 transport;
	__u8 family; /* AF_INET or AF_INET6; v4-mapped addresses come as AF_INET */
	__u8 role;
	__u8 before;		       /* 1: open before its first use was seen, so its start was missed */
	__u16 local_port, remote_port; /* host byte order; 0 not known yet */
	__u8 local[NT_ADDRESS_SIZE], remote[NT_ADDRESS_SIZE];
};
_Static_assert(sizeof(struct nt_socket) == 72, "layout");

/* How the walk of the Python frames went. */
enum nt_walk {
	NT_WALK_NONE = 0,    /* not tried: this record needs no owner of its own */
	NT_WALK_OK,	     /* the whole stack */
	NT_WALK_NO_THREAD,   /* CPython does not know this thread */
	NT_WALK_FAILED,	     /* a read failed or made no sense */
	NT_WALK_TRUNCATED,   /* more than NT_MAX_FRAMES frames: the outermost are missing */
	NT_WALK_UNSUPPORTED, /* no interpreter that we can read in this process */
	NT_WALK_SKIPPED,     /* not tried: only some are, to keep the cost down ("walks" of nt_setting) */
};

/*
 * Who did it: part of the records that have an owner. Behind the fixed part of such a record come, each padded to 8
 * bytes:
 *
 * - the 32-bit states of the outermost `states` frames, the outermost last: hashes of the frame's instruction and the
 *   pointers in its locals. As long as a caller's state is the same it has not moved on, and consecutive events below
 * it may belong to one run (docs/inside.md);
 * - `places` of all frames, innermost first, as long as the daemon has not said which frames matter (struct
 *   nt_stack_note): afterwards `frame` and `item` have the two that do.
 */
struct nt_owner {
	__u64 stack;	 /* id of an NT_STACK that was sent before; 0: none */
	__u64 coroutine; /* address of the outermost frame that a generator or coroutine owns; 0: none */
	__u64 base;	 /* address of the outermost frame: a greenlet's own as long as it lives; 0: no Python */
	__u64 frame;	 /* address of the endpoint's frame (nt_stack_note.endpoint); 0: not asked for */
	__u64 item;  /* first local of the frame that carries handed-over work (nt_stack_note.carrier); 0: likewise */
	__u8 walk;   /* enum nt_walk */
	__u8 states; /* number of them behind the record */
	__u8 places; /* likewise */
	__u8 reserved[5];
};
_Static_assert(sizeof(struct nt_owner) == 48, "layout");

/* Addresses name nothing for long: CPython uses those of frames and coroutines again at once. */
struct nt_place {
	__u64 frame; /* address of the frame */
	__u64 local; /* its first local: what `self` is in a method; 0 if it could not be read */
};
_Static_assert(sizeof(struct nt_place) == 16, "layout");

/*
 * What the thread that a record is about has spent: ns, totals to take differences of; `cpu` and `run_queue` since it
 * began, the others since its first record. Where the kernel side does not count them, all are 0. `run_queue`: ready to
 * run and waiting for a CPU. `lock`: blocked in futex(2), which is what CPython's interpreter lock and all other locks
 * wait in. `sleep`: in a sleep that was asked for.
 */
struct nt_times {
	__u64 cpu, run_queue, lock, sleep;
};
_Static_assert(sizeof(struct nt_times) == 32, "layout");

struct nt_connect {
	struct nt_head h;
	__u64 connection;
	__u8 ended; /* 0: began at h.time; 1: ended at h.time */
	__u8 reserved[3];
	__s32 error;	       /* errno, positive; 0 none */
	struct nt_owner owner; /* of the beginning only */
			       /* then what belongs to the owner */
};
_Static_assert(sizeof(struct nt_connect) == 88, "layout");

enum nt_direction { NT_OUT = 0, NT_IN = 1 };

#define NT_SEGMENT_TURN 0x01 /* the direction turned, or another thread goes on: a message begins here */
#define NT_SEGMENT_EOF 0x02  /* the peer sends no more (a receive of 0 bytes) */
/* Nothing was moved: the owner wants these `bytes` (0: not known how many) to be sent, and others will do it later: an
 * event loop, for a transport that collects writes or for a socket that was full. They are in later segments again. */
#define NT_SEGMENT_INTENT 0x04
/* Sent where a message goes on, on a socket without TCP_NODELAY: the kernel may hold it back until what was sent before
 * is acknowledged (Nagle's algorithm). */
#define NT_SEGMENT_NAGLE 0x08

/*
 * Bytes that one thread sent or received with one system call. h.time is when the last of them was handed over. Where
 * the call moved more than a record can carry, further records follow with the rest, `calls` 0 and the same times.
 */
struct nt_segment {
	struct nt_head h;
	__u64 connection;
	__u64 first;	/* when the first of these bytes was: sends: entry of the call; receives: its return */
	__u64 bytes;	/* moved, of which `captured` are behind the record */
	__u32 captured; /* the first ones of them */
	__u32 calls;
	__s32 error; /* errno, positive, if the call failed; then bytes is 0 */
	__u8 direction;
	__u8 flags;	       /* NT_SEGMENT_* */
	__u16 retransmits;     /* of the target's packets since the last message came in; where one comes in, else 0 */
	struct nt_times times; /* of the thread h.tid at h.time */
	/* Of bytes out to a backend where a message begins; of both directions of a target's clients likewise: there it
	 * is who reads the request and who answers it. */
	struct nt_owner owner;
	/* then what belongs to the owner, then `captured` bytes padded to 8 */
};
_Static_assert(sizeof(struct nt_segment) == 144, "layout");

struct nt_close {
	struct nt_head h;
	__u64 connection;
	__u64 bytes_out; /* what the kernel's own sequence numbers say that the target moved since */
	__u64 bytes_in;	 /* the NT_SOCKET record, to hold against the sum of the segments */
	__s32 error;	 /* errno, positive, that ended the connection; 0: an orderly end */
	__u8 by_peer;	 /* 1: the network ended it, and the target can still read; another record is the last */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct nt_close) == 56, "layout");

struct nt_frame {
	__u64 code;	   /* address of the code object: its id within the process */
	__u32 instruction; /* 3.8-3.10: f_lasti as it is; from 3.11: instruction pointer less `code`, in bytes */
	__u8 owner;	   /* from 3.11: what owns the frame; 1 is a generator or coroutine */
	__u8 from_c;	   /* from 3.11: 1: C code entered it, which may do so again and again (map(), sort()) */
	__u8 reserved[2];
};
_Static_assert(sizeof(struct nt_frame) == 16, "layout");

struct nt_stack {
	struct nt_head h;
	__u64 stack;
	__u32 depth;
	__u32 reserved;
	struct nt_frame frames[]; /* `depth` of them, innermost first, interpreter-made frames left out */
};
_Static_assert(sizeof(struct nt_stack) == 40, "layout");

struct nt_code {
	struct nt_head h;
	__u64 code;
	__u32 first_line;
	__u32 code_start;	     /* from 3.11: offset of the first instruction from `code`; 0 before */
	__u16 file_size, name_size;  /* bytes */
	__u16 lines_size, code_size; /* bytes that follow; less than *_full where cut */
	__u32 lines_full, code_full; /* bytes that the target has */
	__u8 file_kind, name_kind;   /* bytes a character: 1 Latin-1, 2 UCS-2, 4 UCS-4 */
	__u8 qualified;		     /* 1: the name is co_qualname; 0: co_name */
	__u8 reserved;
	__u32 flags; /* co_flags: 0x80 coroutine, 0x100 iterable coroutine, 0x200 asynchronous generator, 0x20 generator
		      */
		     /* then file, name, line table (PEP 626/657 form of the version, or lnotab), instructions:
		      * each padded to 8 bytes */
};
_Static_assert(sizeof(struct nt_code) == 64, "layout");

/* How a function's frame was left, or not. */
enum nt_passage {
	NT_ENTERED = 0, /* called */
	NT_RETURNED,	/* returned or unwound: it is over */
	NT_SUSPENDED, /* its coroutine or generator waits: it will go on, or be closed, of which nothing may be heard */
	NT_RESUMED,   /* it goes on */
};

struct nt_function {
	struct nt_head h;
	__u64 code;
	__u64 frame;  /* address of the frame: pairs entry with return */
	__u64 caller; /* code object of the calling frame; 0: none */
	/* Whose work it is, as in struct nt_owner; but `coroutine` is 0 where the outermost is a plain generator. */
	__u64 coroutine, base;
	__u8 passage;	/* enum nt_passage */
	__u8 generator; /* 1: a generator or coroutine owns the frame */
	__u8 reserved[6];
	struct nt_times times;
};
_Static_assert(sizeof(struct nt_function) == 104, "layout");

enum nt_handover_kind {
	NT_HANDOVER_TASK =
	    1,		    /* an asyncio task was made; `what`: address of its coroutine's frame, as a walk shows it */
	NT_HANDOVER_ITEM,   /* a piece of work was put into a queue of a thread pool; `what`: the object's address */
	NT_HANDOVER_THREAD, /* a thread was started; `what`: its id */
};

/* The work that `what` will do is done for who this record's owner is. An older record with the same `what` is void. */
struct nt_handover {
	struct nt_head h;
	__u64 what;
	__u8 kind; /* enum nt_handover_kind */
	__u8 reserved[7];
	struct nt_owner owner;
	/* then what belongs to the owner */
};
_Static_assert(sizeof(struct nt_handover) == 88, "layout");

struct nt_fork {
	struct nt_head h; /* of the parent */
	__u32 child;
	__u32 generation; /* struct nt_target's, of the child */
};
_Static_assert(sizeof(struct nt_fork) == 32, "layout");

enum nt_attribution { NT_ATTRIBUTION_NONE = 0, NT_ATTRIBUTION_STACK, NT_ATTRIBUTION_USDT };

/* The strings of the edges' records follow the fixed part, without NUL, padded to 8 bytes together. */
struct nt_process {
	struct nt_head h;
	__u64 start; /* when it started, same clock: pid and start are its identity */
	__u32 parent;
	__u8 python_major, python_minor, python_micro; /* 0.0.0: no Python */
	__u8 attribution;			       /* enum nt_attribution */
	__u16 command_size;			       /* command line as people know it, at most NT_MAX_NAME */
	__u8 again;				       /* 1: it was told of before, and is the same */
	__u8 paused; /* 1: its probes (NT_ATTRIBUTION_USDT) are taken off for a while */
	__u16 reserved[2];
};
_Static_assert(sizeof(struct nt_process) == 48, "layout");

struct nt_module {
	struct nt_head h;
	__u64 code;
	__u16 module_size;
	__u16 reserved[3];
};
_Static_assert(sizeof(struct nt_module) == 40, "layout");

/* Settings that the summary or attribution depends on, as name and value; later ones win or, for
 * repeatable options, add. Names: "version", "host", "release", "hooks", "start" (wall clock of the
 * first record in ns since the epoch), "endpoint" (a pattern, repeatable), "show-data" (0/1), "secret" (hex),
 * "interval" (seconds), "ring" (bytes), "target" (what --pid named, repeatable), "reduced" (what was given up to keep
 * the cost down: "usdt_off", "times_off", "walks_thinned"), "walks" (of so many calls one is walked), "dispatcher"
 * ("FILE NAME" or "FILE NAME generic": a row for run/dispatcher.h, repeatable). */
struct nt_setting {
	struct nt_head h;
	__u16 name_size, value_size;
	__u32 reserved;
};
_Static_assert(sizeof(struct nt_setting) == 32, "layout");

struct nt_loss {
	struct nt_head h;
	__u64 records;	 /* that the full ring buffer refused */
	__u64 stacks;	 /* calls whose Python stack could not be read or kept */
	__u64 payload;	 /* records whose payload could not be read */
	__u64 sockets;	 /* that had no place in the kernel's table */
	__u64 processes; /* likewise */
	__u64 probes;	 /* hits that the kernel skipped (nmissed) */
	__u64 threads;	 /* that had no place in the kernel's table */
};
_Static_assert(sizeof(struct nt_loss) == 80, "layout");

struct nt_cost {
	struct nt_head h;
	__u64 wall;	  /* ns that this covers */
	__u64 daemon_cpu; /* ns of CPU that nettraced used in them */
	__u64 daemon_rss; /* bytes, anonymous memory only (RssAnon) */
	__u64 probe_ns;	  /* ns that the probes took in them, where the kernel counts it */
	__u64 probe_runs; /* and how often they ran */
	__u64 target_cpu; /* ns of CPU that the targets used */
};
_Static_assert(sizeof(struct nt_cost) == 72, "layout");

/* The loss counters that the kernel side keeps, one slot each in its `stat` array. */
enum nt_stat {
	NT_STAT_RECORDS = 0,
	NT_STAT_STACKS,
	NT_STAT_PAYLOAD,
	NT_STAT_SOCKETS,
	NT_STAT_PROCESSES,
	NT_STAT_STACK_TABLE, /* table of known stacks full: they are sent again, at a cost, not lost */
	NT_STAT_CODE_TABLE,  /* likewise for code objects */
	NT_STAT_THREADS,     /* threads that had no place: their events are lost */
	NT_STAT_COUNT,
};

/* Where CPython keeps what the walk needs, in bytes; one row a version in daemon/target/layout.c. */
struct nt_layout {
	__u8 major, minor;
	__u8 frame_kind;	/* 0: heap frame objects (3.8-3.10); 1: interpreter frames (3.11 on) */
	__u8 linetable;		/* 0: lnotab (3.8, 3.9); 1: PEP 626 (3.10); 2: PEP 657 (3.11 on) */
	__u16 tstate_frame;	/* thread state to its top frame, or to its cframe */
	__u16 cframe_frame;	/* cframe to the top frame; 0xffff: there is no cframe */
	__u16 tstate_thread_id; /* pthread_self */
	__u16 tstate_next;
	__u16 runtime_interpreters; /* _PyRuntime.interpreters.head */
	__u16 runtime_tss_key;	    /* autoTSSkey's int; 0xffff: none */
	__u16 interpreter_threads;  /* interpreter to its list of thread states */
	__u16 interpreter_next;
	__u16 frame_previous, frame_code, frame_instruction, frame_owner, frame_locals;
	__u16 code_first_line, code_file, code_name, code_qualname, code_lines, code_bytes;
	__u16 unicode_length, unicode_state, unicode_ascii, unicode_compact;
	__u16 bytes_length, bytes_data;
	__u16 code_flags, code_locals; /* co_flags; co_nlocalsplus (3.11 on; before, a frame's ob_size has it) */
	__u16 frame_generator;	       /* 3.8-3.10: f_gen; 0 from 3.11 on, where `frame_owner` says it */
	__u16 generator_frame;	       /* coroutine object to its frame: a pointer before 3.11, then the frame itself */
	__u16 generator_state; /* from 3.11: gi_frame_state. 3.10: the frame's f_state. 3.8, 3.9: its f_stacktop */
	__u16 tuple_items;     /* ob_item */
	/* Of generator_state, what says that the generator waits. 3.8, 3.9: both 0, it is a pointer that then is not
	 * NULL. */
	__s8 suspended_from, suspended_to;
	/* Opcodes of YIELD_VALUE, also the instrumented one, where probes fire before the state is set; 0: not so. */
	__u8 yields[2];
	__u16 reserved;
};
_Static_assert(sizeof(struct nt_layout) == 72, "layout");

#define NT_TARGET_FOLLOW 0x01 /* follow its children */
#define NT_TARGET_TRACE 0x02  /* its sockets matter */
#define NT_TARGET_PYTHON 0x04 /* runtime and layout are set: walk its frames */

/* A traced process, value of the `targets` map (key: thread group id). */
struct nt_target {
	__u32 flags; /* NT_TARGET_* */
	/* Another one for each program of each process: what is kept by pid in other tables is void with the next one.
	 * Even numbers are the daemon's, odd ones the kernel side's. */
	__u32 generation;
	__u64 runtime; /* address of _PyRuntime */
	struct nt_layout layout;
};
_Static_assert(sizeof(struct nt_target) == 88, "layout");

/* What the daemon said of a code object: nt_code_note.flags. */
#define NT_CODE_KNOWN 0x01	 /* its NT_CODE was sent */
#define NT_CODE_JUDGED 0x02	 /* the daemon has set the flags below; before, every entry and return is sent */
#define NT_CODE_APPLICATION 0x04 /* a function of the application's own */
#define NT_CODE_MODULE 0x08	 /* a module's body */
#define NT_CODE_DISPATCHER 0x10	 /* what it calls is an endpoint */
#define NT_CODE_ENDPOINT 0x20	 /* named by --endpoint */

#define NT_STACK_JUDGED 0x01 /* the daemon has said what matters on it */

/*
 * Value of the `stacks` map (key: the stack's id). What the daemon wants to know at each event with this stack: only
 * the callers of an endpoint need states, and of all addresses only those that tell runs apart. Until it has said so,
 * all are sent.
 */
struct nt_stack_note {
	__u32 pid;
	__u8 flags;	  /* NT_STACK_* */
	__u8 states_from; /* index of the first frame whose state is wanted */
	__u8 endpoint;	  /* index + 1 of the endpoint's frame; 0: none */
	__u8 carrier;	  /* index + 1 of the frame whose first local is the piece of work it does; 0: none */
	/* Indices of two coroutines, the outer one a task's: those between them, each awaiting the next, change nothing
	 * of the above. 0: none. */
	__u8 chain_inner, chain_outer;
	__u16 reserved;
};
_Static_assert(sizeof(struct nt_stack_note) == 12, "layout");

struct nt_code_key {
	__u64 code;
	__u32 pid;
	__u32 generation; /* struct nt_target's */
};
_Static_assert(sizeof(struct nt_code_key) == 16, "layout");

/* Value of the `codes` map. Another code object can come to lie at the same address: what tells one from another. */
struct nt_code_note {
	__u32 flags; /* NT_CODE_* */
	__u32 first_line;
	__u64 file; /* address of its co_filename */
};
_Static_assert(sizeof(struct nt_code_note) == 16, "layout");

/* Value of the `listeners` map: whether the port is still listened on. */
#define NT_LISTENS 1
#define NT_LISTENS_PERHAPS 2 /* a socket that did has been closed; there may be another one: the daemon finds out */

/* A port that a target listens on, key of the `listeners` map: tells an accepted socket. */
struct nt_listener {
	__u32 netns; /* inode number of the network namespace */
	__u16 port;  /* host byte order */
	__u16 reserved;
};
_Static_assert(sizeof(struct nt_listener) == 8, "layout");

static inline __u32 nt_pad8(__u32 size)
{
	return (size + 7) & ~7u;
}

/* Bytes that belong to an owner, behind its record's fixed part. */
static inline __u32 nt_owner_size(const struct nt_owner *owner)
{
	return nt_pad8(owner->states * 4u) + owner->places * (__u32)sizeof(struct nt_place);
}

#endif
