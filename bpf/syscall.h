/*
 * syscall.h: what a socket system call was asked to do, read from its registers.
 *
 * Every rung ends in a system call, so the buffer, its length and the flags come from one place
 * whichever hook told of the bytes. One row a system call.
 */
#ifndef NT_SYSCALL_H
#define NT_SYSCALL_H

#include "common.h"

#define NO_DIRECTION 2 /* beside enum nt_direction */
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define MSG_ASIDE                                                                                                      \
	(MSG_OOB | MSG_PEEK | MSG_ERRQUEUE) /* a receive with one of these takes no byte out of the stream             \
					     */
#define MAX_VECTORS 16			    /* parts of a vectored call that payload is taken from */
#define MAX_MESSAGES 64 /* of sendmmsg and recvmmsg that are added up; the kernel's own limit is 1024 */

enum buffer_kind {
	BUFFER_NONE,	 /* sendfile, splice: the bytes are nowhere in user memory */
	BUFFER_PLAIN,	 /* address and length */
	BUFFER_VECTOR,	 /* struct iovec array and its count */
	BUFFER_MESSAGE,	 /* struct user_msghdr */
	BUFFER_MESSAGES, /* struct mmsghdr array; the result counts messages */
};

struct syscall_view {
	__u8 direction; /* enum nt_direction, or NO_DIRECTION */
	__u8 kind;	/* enum buffer_kind */
	__u8 aside;	/* MSG_ASIDE */
	__u8 discard;	/* MSG_TRUNC: the bytes are thrown away, and not in the buffer */
	__s32 fd;
	__u64 buffer, count;
};

/* A socket call that has ended. */
struct socket_call {
	struct syscall_view view;
	__u64 first; /* ns: when it began */
	__u64 bytes;
	__u64 sent;	   /* of them, those in records already */
	__u64 allowed;	   /* bytes of payload that its records may still carry */
	__s32 error;	   /* errno, positive */
	__u8 turn;	   /* 1: with it a message begins */
	__u8 nagle;	   /* 1: NT_SEGMENT_NAGLE */
	__u16 retransmits; /* struct nt_segment's */
};

static __always_inline void view_set(struct syscall_view *view, __u8 direction, __u8 kind, __u64 fd, __u64 buffer,
				     __u64 count, __u64 flags)
{
	view->direction = direction;
	view->kind = kind;
	view->fd = fd;
	view->buffer = buffer;
	view->count = count;
	view->aside = (flags & MSG_ASIDE) != 0;
	view->discard = (flags & MSG_TRUNC) != 0;
}

static __always_inline bool syscall_sends(__u64 number)
{
	return number == 1 || number == 44 || number == 20 || number == 46 || number == 307 || number == 40 ||
	       number == 275 || number == 328;
}

static __always_inline bool syscall_receives(__u64 number)
{
	return number == 0 || number == 45 || number == 19 || number == 47 || number == 299 || number == 327;
}

#define SYSCALL_CLOSE 3
#define SYSCALL_CONNECT 42
#define SYSCALL_SPLICE 275

/* A splice moves from its first descriptor to its third: which of them is the socket, the caller tries. */
static __always_inline bool syscall_read_view(const struct pt_regs *regs, __u64 number, struct syscall_view *view)
{
	__u64 a = regs->di, b = regs->si, c = regs->dx, d = regs->r10;

	switch (number) {
	case 0: /* read */
		view_set(view, NT_IN, BUFFER_PLAIN, a, b, c, 0);
		return true;
	case 1: /* write */
		view_set(view, NT_OUT, BUFFER_PLAIN, a, b, c, 0);
		return true;
	case 19:  /* readv */
	case 327: /* preadv2 */
		view_set(view, NT_IN, BUFFER_VECTOR, a, b, c, 0);
		return true;
	case 20:  /* writev */
	case 328: /* pwritev2 */
		view_set(view, NT_OUT, BUFFER_VECTOR, a, b, c, 0);
		return true;
	case 40: /* sendfile */
		view_set(view, NT_OUT, BUFFER_NONE, a, 0, 0, 0);
		return true;
	case 44: /* sendto */
		view_set(view, NT_OUT, BUFFER_PLAIN, a, b, c, 0);
		return true;
	case 45: /* recvfrom */
		view_set(view, NT_IN, BUFFER_PLAIN, a, b, c, d);
		return true;
	case 46: /* sendmsg */
		view_set(view, NT_OUT, BUFFER_MESSAGE, a, b, 1, 0);
		return true;
	case 47: /* recvmsg */
		view_set(view, NT_IN, BUFFER_MESSAGE, a, b, 1, c);
		return true;
	case 307: /* sendmmsg */
		view_set(view, NT_OUT, BUFFER_MESSAGES, a, b, c, 0);
		return true;
	case 299: /* recvmmsg */
		view_set(view, NT_IN, BUFFER_MESSAGES, a, b, c, d);
		return true;
	case SYSCALL_SPLICE:
		view_set(view, NO_DIRECTION, BUFFER_NONE, a, c, 0, 0);
		return true;
	}
	return false;
}

/* The bytes that sendmmsg or recvmmsg moved: their result is a number of messages. Global: see tstate_search_some(). */
__noinline __u64 messages_bytes(__u64 array, __u64 messages)
{
	__u64 bytes = 0;
	__u32 length;

	for (__u64 i = 0; i < MAX_MESSAGES; i++) {
		if (i >= messages)
			break;
		if (!read_user(&length,
			       array + i * sizeof(struct mmsghdr) + __builtin_offsetof(struct mmsghdr, msg_len)))
			break;
		bytes += length;
	}
	return bytes;
}

#endif
