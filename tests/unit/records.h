/*
 * records.h: records as the kernel side and the edges write them, made by hand for tests.
 */
#ifndef NT_TEST_RECORDS_H
#define NT_TEST_RECORDS_H

#include <arpa/inet.h>
#include <string.h>

#include "../../bpf/event.h"

/* One record: room for the largest there is, aligned as a ring buffer aligns them. */
union record {
	struct nt_head head;
	struct nt_socket socket;
	struct nt_connect connect;
	struct nt_segment segment;
	struct nt_close close;
	struct nt_stack stack;
	struct nt_code code;
	struct nt_function function;
	struct nt_handover handover;
	struct nt_fork fork;
	struct nt_process process;
	struct nt_module module;
	struct nt_setting setting;
	struct nt_loss loss;
	struct nt_cost cost;
	unsigned char bytes[32768];
	__u64 words[4096];
};

/* A record of only its fixed part, `fixed` bytes, all 0 but the head. */
static inline void record_begin(union record *record, enum nt_type type, size_t fixed, __u64 time, __u32 pid)
{
	memset(record, 0, sizeof(*record));
	record->head = (struct nt_head){
	    .size = (__u32)fixed, .type = (__u16)type, .version = NT_ABI, .time = time, .pid = pid, .tid = pid};
}

/* Puts bytes behind what the record has, and pads it. */
static inline void record_append(union record *record, const void *bytes, size_t size)
{
	memcpy(record->bytes + record->head.size, bytes, size);
	record->head.size += nt_pad8((__u32)size);
}

static inline void record_setting(union record *record, __u64 time, const char *name, const char *value)
{
	char text[512];
	size_t name_size = strlen(name), value_size = strlen(value);

	record_begin(record, NT_SETTING, sizeof(record->setting), time, 0);
	record->setting.name_size = (__u16)name_size;
	record->setting.value_size = (__u16)value_size;
	memcpy(text, name, name_size);
	memcpy(text + name_size, value, value_size);
	record_append(record, text, name_size + value_size);
}

static inline void record_process(union record *record, __u64 time, __u32 pid, const char *command)
{
	record_begin(record, NT_PROCESS, sizeof(record->process), time, pid);
	record->process.python_major = 3;
	record->process.python_minor = 11;
	record->process.python_micro = 2;
	record->process.attribution = NT_ATTRIBUTION_STACK;
	record->process.command_size = (__u16)strlen(command);
	record_append(record, command, strlen(command));
}

/* A function without line table and instructions: its lines are not known. */
static inline void record_code(union record *record, __u64 time, __u32 pid, __u64 code, const char *file,
			       const char *name)
{
	record_begin(record, NT_CODE, sizeof(record->code), time, pid);
	record->code.code = code;
	record->code.first_line = 12;
	record->code.file_size = (__u16)strlen(file);
	record->code.name_size = (__u16)strlen(name);
	record->code.file_kind = record->code.name_kind = 1;
	record->code.qualified = 1;
	record_append(record, file, strlen(file));
	record_append(record, name, strlen(name));
}

/* A stack of one frame. */
static inline void record_stack(union record *record, __u64 time, __u32 pid, __u64 stack, __u64 code)
{
	struct nt_frame frame = {.code = code};

	record_begin(record, NT_STACK, sizeof(record->stack), time, pid);
	record->stack.stack = stack;
	record->stack.depth = 1;
	record_append(record, &frame, sizeof(frame));
}

/* A connection of the target to 127.0.0.1:port. */
static inline void record_socket(union record *record, __u64 time, __u32 pid, __u64 connection, __u16 port)
{
	static const __u8 loopback[] = {127, 0, 0, 1};

	record_begin(record, NT_SOCKET, sizeof(record->socket), time, pid);
	record->socket.connection = connection;
	record->socket.transport = NT_TCP;
	record->socket.family = AF_INET;
	record->socket.role = NT_ROLE_CLIENT;
	record->socket.remote_port = port;
	memcpy(record->socket.remote, loopback, sizeof(loopback));
}

/* Bytes out, with the stack of who sent them (0: none), or bytes in; all of them captured. */
static inline void record_segment(union record *record, __u64 time, __u32 pid, __u64 connection,
				  enum nt_direction direction, const char *text, __u64 stack)
{
	__u32 state = 1;

	record_begin(record, NT_SEGMENT, sizeof(record->segment), time, pid);
	record->segment.connection = connection;
	record->segment.first = time;
	record->segment.bytes = strlen(text);
	record->segment.captured = (__u32)strlen(text);
	record->segment.calls = 1;
	record->segment.direction = (__u8)direction;
	record->segment.flags = NT_SEGMENT_TURN;
	if (direction == NT_OUT) {
		record->segment.owner.walk = stack ? NT_WALK_OK : NT_WALK_NO_THREAD;
		record->segment.owner.stack = stack;
		record->segment.owner.states = stack ? 1 : 0;
	}
	if (record->segment.owner.states)
		record_append(record, &state, sizeof(state));
	record_append(record, text, strlen(text));
}

#endif
