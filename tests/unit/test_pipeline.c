/*
 * test_pipeline.c: the gate for records, and what the pipeline makes of settings, losses, cost, targets, ticks and the
 * end.
 */
#include "test.h"

#include <errno.h>

#include "../../daemon/output/output.h"
#include "../../daemon/pipeline.h"
#include "records.h"

#define SECOND 1000000000ull
#define PID 42
#define BEGIN (100 * SECOND) /* monotonic time of the first record */
#define WALL "1769860800000000000"

/* What the output function got: as JSON, for a pipeline's summaries are gone after it. */
struct outputs {
	struct pipeline *pipeline;
	int count, fail_with;
	struct summary_facts facts[8];
	uint64_t calls[8], unattributed[8], requests[8];
	size_t targets[8];
	bool endpoint[8]; /* an endpoint was there, and it was the one */
	uint64_t endpoint_runs[8];
	char *json[8];
};

static int take_summary(void *context, struct summary *summary)
{
	struct outputs *outputs = context;
	struct output_style style = {.columns = 0};
	int index = outputs->count++;
	size_t size;

	assert_true(index < 8);
	FILE *stream = open_memstream(&outputs->json[index], &size);

	assert_int_equal(output_find("json")->write(stream, summary, &style), 0);
	fclose(stream);
	outputs->facts[index] = summary->facts;
	outputs->calls[index] = summary_calls(summary);
	outputs->unattributed[index] = summary->unattributed_calls;
	outputs->targets[index] = summary->target_count;
	if (summary->endpoints) {
		outputs->endpoint[index] = !strcmp(summary->endpoints->name, "shop.views.homepage");
		outputs->endpoint_runs[index] = summary->endpoints->runs;
	}
	return outputs->fail_with;
}

static int begin(void **state)
{
	struct outputs *outputs = calloc(1, sizeof(*outputs));

	if (!outputs)
		return -1;
	outputs->pipeline = pipeline_new(take_summary, outputs);
	*state = outputs;
	return outputs->pipeline ? 0 : -1;
}

static int end(void **state)
{
	struct outputs *outputs = *state;

	pipeline_free(outputs->pipeline);
	for (int i = 0; i < outputs->count; i++)
		free(outputs->json[i]);
	free(outputs);
	return 0;
}

static void feed(struct outputs *outputs, const union record *record)
{
	assert_int_equal(pipeline_feed(outputs->pipeline, record, record->head.size), 0);
}

static void feed_setting(struct outputs *outputs, const char *name, const char *value)
{
	union record record;

	record_setting(&record, BEGIN, name, value);
	feed(outputs, &record);
}

static int feed_mark(struct outputs *outputs, enum nt_type type, uint64_t time)
{
	union record record;

	record_begin(&record, type, sizeof(record.head), time, 0);
	return pipeline_feed(outputs->pipeline, &record, record.head.size);
}

static void feed_process(struct outputs *outputs, uint32_t pid, const char *command)
{
	union record record;

	record_process(&record, BEGIN, pid, command);
	feed(outputs, &record);
}

/* A redis call at a time, answered after a millisecond; `stack` 0: by a thread that Python does not know. */
static void feed_call(struct outputs *outputs, uint64_t time, uint64_t stack)
{
	union record record;

	record_segment(&record, time, PID, 1, NT_OUT, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", stack);
	feed(outputs, &record);
	record_segment(&record, time + SECOND / 1000, PID, 1, NT_IN, "$1\r\nb\r\n", 0);
	feed(outputs, &record);
}

static void feed_start(struct outputs *outputs)
{
	union record record;

	feed_setting(outputs, "version", "0.1.0");
	feed_setting(outputs, "host", "web-3");
	feed_setting(outputs, "start", WALL);
	feed_setting(outputs, "ring", "8388608");
	feed_setting(outputs, "no-such-setting", "whatever");
	feed_setting(outputs, "endpoint", "shop.views.*");
	feed_process(outputs, PID, "gunicorn shop");
	record_code(&record, BEGIN, PID, 0x1000, "/srv/shop/views.py", "homepage");
	feed(outputs, &record);
	record_begin(&record, NT_MODULE, sizeof(record.module), BEGIN, PID);
	record.module.code = 0x1000;
	record.module.module_size = 10;
	record_append(&record, "shop.views", 10);
	feed(outputs, &record);
	record_stack(&record, BEGIN, PID, 1, 0x1000);
	feed(outputs, &record);
	record_socket(&record, BEGIN, PID, 1, 6379);
	feed(outputs, &record);
}

static void feed_loss(struct outputs *outputs, uint64_t records, uint64_t probes)
{
	union record record;

	record_begin(&record, NT_LOSS, sizeof(record.loss), BEGIN, 0);
	record.loss.records = records;
	record.loss.probes = probes;
	feed(outputs, &record);
}

static void feed_cost(struct outputs *outputs, uint64_t cpu, uint64_t rss)
{
	union record record;

	record_begin(&record, NT_COST, sizeof(record.cost), BEGIN, 0);
	record.cost.wall = 10 * SECOND;
	record.cost.daemon_cpu = cpu;
	record.cost.daemon_rss = rss;
	record.cost.probe_ns = 1000;
	record.cost.probe_runs = 5;
	feed(outputs, &record);
}

static void test_intervals(void **state)
{
	struct outputs *outputs = *state;

	feed_start(outputs);
	feed_call(outputs, BEGIN + SECOND, 0);
	feed_call(outputs, BEGIN + 2 * SECOND, 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 10 * SECOND), 0);
	feed_call(outputs, BEGIN + 11 * SECOND, 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 20 * SECOND), 0);
	feed_call(outputs, BEGIN + 21 * SECOND, 0);
	feed_call(outputs, BEGIN + 22 * SECOND, 0);
	feed_call(outputs, BEGIN + 23 * SECOND, 0);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 25 * SECOND), 0);
	assert_int_equal(outputs->count, 3);
	const struct summary_facts *facts = outputs->facts;

	assert_true(facts[0].duration == 10 * SECOND && facts[1].duration == 10 * SECOND);
	assert_true(facts[2].duration == 25 * SECOND);
	assert_true(!facts[0].final && !facts[1].final && facts[2].final);
	assert_true(facts[0].start_wall == 1769860800000000000ull && facts[2].start_wall == facts[0].start_wall);
	assert_true(facts[1].start_wall == facts[0].start_wall + 10 * SECOND);
	assert_true(facts[0].ring_bytes == 8388608);
	assert_true(outputs->unattributed[0] == 2 && outputs->unattributed[1] == 1 && outputs->unattributed[2] == 6);
	assert_non_null(strstr(outputs->json[1], "\"reasons\":{\"no_python_thread\":1}"));
	assert_non_null(strstr(outputs->json[2], "\"host\":\"web-3\""));
}

/* Rules are those of the records, in every summary, unless others were set before. */
static void test_rules(void **state)
{
	struct outputs *outputs = *state;
	union record record;

	feed_start(outputs);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + SECOND), 0);
	feed_setting(outputs, "rules", "sentry");
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 2 * SECOND), 0);
	record_setting(&record, BEGIN, "rules", "{\"serial\":{\"last\":1}}");
	assert_int_equal(pipeline_feed(outputs->pipeline, &record, record.head.size), -EBADMSG);
	feed_setting(outputs, "rules", "{\"serial\":{\"least\":9}}");
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 3 * SECOND), 0);
	pipeline_set_rules(outputs->pipeline, rules_find("perf-sentinel"));
	feed_setting(outputs, "rules", "sentry");
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 4 * SECOND), 0);
	assert_string_equal(outputs->facts[0].rules.name, "default");
	assert_string_equal(outputs->facts[1].rules.name, "sentry");
	assert_true(outputs->facts[2].rules.serial.least == 9 && outputs->facts[2].rules.repeated.on);
	assert_string_equal(outputs->facts[3].rules.name, "perf-sentinel");
	assert_non_null(strstr(outputs->json[1], "\"rules\":\"sentry\""));
}

static void test_endpoint(void **state)
{
	struct outputs *outputs = *state;

	feed_start(outputs);
	feed_call(outputs, BEGIN + SECOND, 1);
	feed_call(outputs, BEGIN + 2 * SECOND, 1);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 10 * SECOND), 0);
	assert_true(outputs->calls[0] == 2 && outputs->unattributed[0] == 0);
	assert_true(outputs->endpoint[0]);
	assert_true(outputs->endpoint_runs[0] >= 1);
	assert_non_null(strstr(outputs->json[0], "\"operation\":\"GET\",\"calls\":2"));
	assert_non_null(strstr(outputs->json[0], "\"file\":\"/srv/shop/views.py\",\"line\":12"));
}

/* Losses come as totals: each summary has what was lost in its time. */
static void test_losses(void **state)
{
	struct outputs *outputs = *state;
	union record record;

	feed_start(outputs);
	feed_loss(outputs, 5, 0);
	feed_loss(outputs, 7, 1);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 10 * SECOND), 0);
	feed_loss(outputs, 7, 3);
	record_segment(&record, BEGIN, PID, 999, NT_OUT, "x", 0); /* of a connection that nobody knows */
	feed(outputs, &record);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 20 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 30 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 40 * SECOND), 0);
	const struct summary_facts *facts = outputs->facts;

	assert_true(facts[0].lost.records == 7 && facts[0].lost.probes == 1 && facts[0].lost.orphans == 0);
	assert_true(facts[1].lost.records == 0 && facts[1].lost.probes == 2 && facts[1].lost.orphans == 1);
	assert_true(facts[2].lost.records == 0 && facts[2].lost.probes == 0 && facts[2].lost.orphans == 0);
	assert_true(facts[3].lost.records == 7 && facts[3].lost.probes == 3 && facts[3].lost.orphans == 1);
}

static void test_cost(void **state)
{
	struct outputs *outputs = *state;

	feed_start(outputs);
	feed_cost(outputs, SECOND, 1000);
	feed_cost(outputs, SECOND, 3000);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 20 * SECOND), 0);
	feed_cost(outputs, 2 * SECOND, 2000);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 30 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 30 * SECOND), 0);
	const struct summary_facts *facts = outputs->facts;

	assert_true(facts[0].cost.wall == 20 * SECOND && facts[0].cost.daemon_cpu == 2 * SECOND);
	assert_true(facts[0].cost.daemon_rss == 3000 && facts[0].cost.probe_runs == 10);
	assert_true(facts[1].cost.wall == 10 * SECOND && facts[1].cost.daemon_rss == 2000);
	assert_true(facts[2].cost.wall == 30 * SECOND && facts[2].cost.daemon_cpu == 4 * SECOND);
	assert_true(facts[2].cost.daemon_rss == 3000);
}

static void test_targets(void **state)
{
	struct outputs *outputs = *state;
	union record record;

	feed_start(outputs);
	feed_process(outputs, 43, "worker");
	record_begin(&record, NT_EXIT, sizeof(record.head), BEGIN, 43);
	feed(outputs, &record);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 10 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 20 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 30 * SECOND), 0);
	assert_int_equal(outputs->targets[0], 2); /* until its interval's end */
	assert_int_equal(outputs->targets[1], 1);
	assert_int_equal(outputs->targets[2], 2);
}

/* What an output function returns comes back, and nothing is counted twice or lost for it. */
static void test_output_error(void **state)
{
	struct outputs *outputs = *state;

	feed_start(outputs);
	feed_call(outputs, BEGIN + SECOND, 0);
	outputs->fail_with = -ENOSPC;
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 10 * SECOND), -ENOSPC);
	outputs->fail_with = 0;
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 20 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 30 * SECOND), 0);
	assert_true(outputs->unattributed[0] == 1 && outputs->unattributed[1] == 0 && outputs->unattributed[2] == 1);
}

static void test_after_the_end(void **state)
{
	struct outputs *outputs = *state;

	feed_start(outputs);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 30 * SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + 40 * SECOND), -EBADMSG);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 40 * SECOND), -EBADMSG);
	assert_int_equal(outputs->count, 1);
}

static void test_malformed_is_counted(void **state)
{
	struct outputs *outputs = *state;
	union record record;

	feed_start(outputs);
	record_socket(&record, BEGIN, PID, 5, 80);
	record.head.size = 64;
	assert_int_equal(pipeline_feed(outputs->pipeline, &record, 64), -EBADMSG);
	record.head.version = NT_ABI + 1;
	assert_int_equal(pipeline_feed(outputs->pipeline, &record, 64), -EPROTO);
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 30 * SECOND), 0);
	assert_true(outputs->facts[0].lost.malformed == 2);
}

/* Times that go backwards, or a start that is no number, make no nonsense. */
static void test_odd_times(void **state)
{
	struct outputs *outputs = *state;

	feed_setting(outputs, "start", "yesterday");
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN - SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_TICK, BEGIN + SECOND), 0);
	assert_int_equal(feed_mark(outputs, NT_END, 0), 0);
	assert_true(outputs->facts[0].duration == 0 && outputs->facts[1].duration == SECOND);
	assert_true(outputs->facts[2].duration == 0 && outputs->facts[2].start_wall == 0);
	assert_non_null(strstr(outputs->json[2], "\"start\":null"));
}

/* A good record of each type. */
static void make_each(union record *record, enum nt_type type)
{
	static const char bytes[64] = "0123456789";
	static const size_t fixed[] = {[NT_CONNECT] = sizeof(struct nt_connect),   [NT_CLOSE] = sizeof(struct nt_close),
				       [NT_FUNCTION] = sizeof(struct nt_function), [NT_FORK] = sizeof(struct nt_fork),
				       [NT_HANDOVER] = sizeof(struct nt_handover), [NT_LOSS] = sizeof(struct nt_loss),
				       [NT_COST] = sizeof(struct nt_cost),	   [NT_END] = 0};

	switch (type) {
	case NT_SOCKET:
		record_socket(record, 1, PID, 1, 80);
		break;
	case NT_SEGMENT:
		record_segment(record, 1, PID, 1, NT_OUT, "abc", 1);
		break;
	case NT_STACK:
		record_stack(record, 1, PID, 1, 1);
		break;
	case NT_CODE:
		record_code(record, 1, PID, 1, "file", "name");
		record->code.lines_size = record->code.code_size = 5;
		record->code.lines_full = record->code.code_full = 9;
		record_append(record, bytes, 5);
		record_append(record, bytes, 5);
		break;
	case NT_PROCESS:
		record_process(record, 1, PID, "command");
		break;
	case NT_MODULE:
		record_begin(record, type, sizeof(struct nt_module), 1, PID);
		record->module.module_size = 3;
		record_append(record, bytes, 3);
		break;
	case NT_SETTING:
		record_setting(record, 1, "name", "value");
		break;
	default:
		record_begin(record, type, fixed[type] ? fixed[type] : sizeof(struct nt_head), 1, PID);
		if (type == NT_CONNECT) {
			record->connect.owner.states = 3;
			record_append(record, bytes, 3 * sizeof(__u32));
		}
		if (type == NT_HANDOVER) {
			record->handover.what = 1;
			record->handover.kind = NT_HANDOVER_ITEM;
			record->handover.owner =
			    (struct nt_owner){.stack = 1, .walk = NT_WALK_OK, .states = 3, .places = 2};
			record_append(record, bytes, 3 * sizeof(__u32));
			record_append(record, bytes, 2 * sizeof(struct nt_place));
		}
	}
}

static const enum nt_type types[] = {NT_SOCKET,	  NT_CONNECT,  NT_SEGMENT, NT_CLOSE, NT_STACK, NT_CODE,
				     NT_FUNCTION, NT_HANDOVER, NT_FORK,	   NT_EXEC,  NT_EXIT,  NT_PROCESS,
				     NT_MODULE,	  NT_SETTING,  NT_LOSS,	   NT_COST,  NT_TICK,  NT_END};
#define TYPES (sizeof(types) / sizeof(types[0]))

/* Checks a copy that ends where the record does, so that the sanitizer sees each byte too many. */
static int check_exactly(const union record *record, size_t size)
{
	void *copy = malloc(size ? size : 1);

	memcpy(copy, record, size);
	int err = record_check(copy, size);

	free(copy);
	return err;
}

static void test_check_sizes(void **state)
{
	union record record;

	(void)state;
	for (size_t i = 0; i < TYPES; i++) {
		make_each(&record, types[i]);
		__u32 size = record.head.size;

		assert_int_equal(check_exactly(&record, size), 0);
		for (__u32 cut = 0; cut < size; cut++) { /* the buffer ends early */
			assert_int_equal(check_exactly(&record, cut), -EBADMSG);
			record.head.size = cut; /* the record says that it does */
			assert_int_equal(check_exactly(&record, size), -EBADMSG);
			record.head.size = size;
		}
		record.head.size = size + 8; /* more than there is */
		assert_int_equal(check_exactly(&record, size), -EBADMSG);
		record.head.size = size; /* a ring buffer's entry may be larger than the record in it */
		assert_int_equal(check_exactly(&record, size + 8), 0);
		record.head.version++;
		assert_int_equal(check_exactly(&record, size), -EPROTO);
	}
}

static void test_check_values(void **state)
{
	union record record;

	(void)state;
#define REFUSED(type, change)                                                                                          \
	do {                                                                                                           \
		make_each(&record, type);                                                                              \
		change;                                                                                                \
		assert_int_equal(check_exactly(&record, sizeof(record)), -EBADMSG);                                    \
	} while (0)
	REFUSED(NT_SOCKET, record.socket.transport = 0);
	REFUSED(NT_SOCKET, record.socket.transport = 4);
	REFUSED(NT_SOCKET, record.socket.role = 3);
	REFUSED(NT_CONNECT, record.connect.owner.walk = 9);
	REFUSED(NT_CONNECT, record.connect.owner.states = NT_MAX_FRAMES + 1);
	REFUSED(NT_SEGMENT, record.segment.direction = 2);
	REFUSED(NT_SEGMENT, record.segment.captured = 5);
	REFUSED(NT_SEGMENT, record.segment.captured = 0xfffffff9);
	REFUSED(NT_SEGMENT, record.segment.bytes = 2);
	REFUSED(NT_SEGMENT, record.segment.owner.states = 4);
	REFUSED(NT_SEGMENT, record.segment.owner.places = 1);
	REFUSED(NT_SEGMENT, record.segment.owner.places = NT_MAX_FRAMES + 1);
	REFUSED(NT_SEGMENT, record.segment.flags = NT_SEGMENT_INTENT); /* it has no bytes of its own */
	REFUSED(NT_CONNECT, record.connect.owner.places = 255);
	REFUSED(NT_HANDOVER, record.handover.kind = 0);
	REFUSED(NT_HANDOVER, record.handover.kind = NT_HANDOVER_THREAD + 1);
	REFUSED(NT_HANDOVER, record.handover.owner.walk = 9);
	REFUSED(NT_HANDOVER, record.handover.owner.states = 5);
	REFUSED(NT_HANDOVER, record.handover.owner.places = 3);
	REFUSED(NT_FUNCTION, record.function.passage = NT_RESUMED + 1);
	REFUSED(NT_STACK, record.stack.depth = 2);
	REFUSED(NT_STACK, record.stack.depth = 0x10000000);
	REFUSED(NT_CODE, record.code.file_kind = 3);
	REFUSED(NT_CODE, record.code.name_size = 600);
	REFUSED(NT_CODE, record.code.lines_size = 10);
	REFUSED(NT_CODE, record.code.lines_full = 4);
	REFUSED(NT_PROCESS, record.process.command_size = 9);
	REFUSED(NT_PROCESS, record.process.attribution = 3);
	REFUSED(NT_MODULE, record.module.module_size = 9);
	REFUSED(NT_SETTING, record.setting.name_size = 65535);
	REFUSED(NT_SETTING, record.setting.value_size = 65535);
	REFUSED(NT_END, record.head.type = 0);
	REFUSED(NT_END, record.head.type = 11);
	REFUSED(NT_END, record.head.type = NT_END + 1);
	REFUSED(NT_END, record.head.type = 65535);
#undef REFUSED
	make_each(&record, NT_END);
	assert_int_equal(record_check(record.bytes + 4, 1000), -EBADMSG); /* not aligned */
}

/* Random damage to good records, fed through everything: nothing is read outside of them. */
static void test_damage(void **state)
{
	struct outputs *outputs = *state;
	union record record;

	feed_start(outputs);
	for (int i = 0; i < 20000; i++) {
		enum nt_type type = types[test_random_below(TYPES)];

		if (type == NT_TICK || type == NT_END)
			continue;
		make_each(&record, type);
		size_t size = record.head.size;

		for (uint64_t flips = test_random_below(4); flips; flips--)
			record.bytes[8 + test_random_below(size - 8)] ^= (unsigned char)(1u << test_random_below(8));
		void *copy = malloc(size);

		memcpy(copy, &record, size);
		int err = pipeline_feed(outputs->pipeline, copy, size);

		assert_true(err == 0 || err == -EBADMSG);
		free(copy);
	}
	assert_int_equal(feed_mark(outputs, NT_END, BEGIN + 10 * SECOND), 0);
	assert_int_equal(outputs->count, 1);
}

/* --- records that are well-formed and make no sense --- */

#define STACKS 24

/* Some file and name of each kind that stacks are read by. */
static const struct {
	const char *file, *name;
	uint32_t flags;
} some_codes[] = {
    {"/srv/shop/views.py", "homepage", 0},
    {"/srv/shop/api.py", "search", 0x80},
    {"/srv/shop/api.py", "lines", 0x20},
    {"/srv/job.py", "<module>", 0},
    {"/usr/lib/python3/dist-packages/flask/app.py", "Flask.dispatch_request", 0},
    {"/usr/lib/python3/dist-packages/redis/client.py", "Redis.get", 0},
    {"/usr/lib/python3/dist-packages/aiohttp/web_app.py", "Application._handle", 0x80},
    {"/usr/lib/python3/dist-packages/uvicorn/protocol.py", "Protocol.data_received", 0},
    {"/usr/lib/python3.11/asyncio/events.py", "Handle._run", 0},
    {"/usr/lib/python3.11/concurrent/futures/thread.py", "_worker", 0},
    {"/usr/lib/python3.11/concurrent/futures/thread.py", "_WorkItem.run", 0},
    {"/usr/lib/python3.11/threading.py", "Thread._bootstrap", 0},
};
#define SOME_CODES (sizeof(some_codes) / sizeof(some_codes[0]))

static void make_some_code(union record *record, uint64_t time)
{
	size_t i = test_random_below(SOME_CODES);
	static const char nops[64];

	record_code(record, time, PID, 1 + i, some_codes[i].file, some_codes[i].name);
	record->code.flags = some_codes[i].flags;
	record->code.code_size = (uint16_t)test_random_below(sizeof(nops));
	record->code.code_full = record->code.code_size;
	record_append(record, nops, record->code.code_size);
}

static void make_some_stack(union record *record, uint64_t time)
{
	struct nt_frame frames[8] = {{0}};

	record_begin(record, NT_STACK, sizeof(record->stack), time, PID);
	record->stack.stack = 1 + test_random_below(STACKS);
	record->stack.depth = (uint32_t)test_random_below(9);
	for (uint32_t i = 0; i < record->stack.depth; i++)
		frames[i] = (struct nt_frame){.code = 1 + test_random_below(SOME_CODES),
					      .instruction = (uint32_t)test_random_below(80),
					      .owner = (uint8_t)test_random_below(3),
					      .from_c = (uint8_t)test_random_below(2)};
	record_append(record, frames, record->stack.depth * sizeof(frames[0]));
}

/* An owner whose numbers come again, with any number of states and places behind the record. */
static void add_some_owner(union record *record, struct nt_owner *owner)
{
	struct nt_place places[12];
	uint32_t states[12];

	for (unsigned i = 0; i < 12; i++) {
		places[i] = (struct nt_place){.frame = test_random_below(6), .local = test_random_below(6)};
		states[i] = (uint32_t)test_random_below(2);
	}
	*owner = (struct nt_owner){
	    .stack = test_random_below(STACKS + 2),
	    .coroutine = test_random_below(6),
	    .base = test_random_below(6),
	    .frame = test_random_below(3),
	    .item = test_random_below(6),
	    .walk = (uint8_t)(test_random_below(8) ? NT_WALK_OK : test_random_below(NT_WALK_UNSUPPORTED + 1)),
	    .states = (uint8_t)test_random_below(13),
	    .places = (uint8_t)(test_random_below(2) ? test_random_below(13) : 0),
	};
	record_append(record, states, owner->states * sizeof(states[0]));
	record_append(record, places, owner->places * sizeof(places[0]));
}

static void make_some_segment(union record *record, uint64_t time)
{
	static const char *const texts[] = {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					    "*1\r\n$4\r\nPING\r\n", "+PONG\r\n", "x"};
	const char *text = texts[test_random_below(5)];
	struct nt_segment *segment = &record->segment;

	record_begin(record, NT_SEGMENT, sizeof(*segment), time, PID);
	segment->connection = test_random_below(8);
	segment->first = time;
	segment->bytes = test_random_below(10) ? strlen(text) : test_random() >> test_random_below(64);
	segment->direction = (uint8_t)test_random_below(2);
	segment->flags = (uint8_t)test_random_below(2);
	segment->times.cpu = test_random_below(3);
	add_some_owner(record, &segment->owner);
	if (!test_random_below(4)) {
		segment->flags |= NT_SEGMENT_INTENT;
	} else if (segment->bytes >= strlen(text)) {
		segment->captured = (uint32_t)strlen(text);
		record_append(record, text, segment->captured);
	}
}

static void make_something(union record *record, uint64_t time)
{
	switch (test_random_below(16)) {
	case 0:
		make_some_code(record, time);
		break;
	case 1:
		make_some_stack(record, time);
		break;
	case 2:
		record_socket(record, time, PID, test_random_below(8), 80);
		record->socket.role = (uint8_t)test_random_below(3);
		break;
	case 3:
		record_begin(record, test_random_below(200) ? NT_CLOSE : NT_EXIT, sizeof(record->close), time, PID);
		record->close.connection = test_random_below(8);
		break;
	case 4:
		record_begin(record, NT_FUNCTION, sizeof(record->function), time, PID);
		record->function.code = 1 + test_random_below(SOME_CODES);
		record->function.caller = test_random_below(SOME_CODES);
		record->function.frame = test_random_below(6);
		record->function.passage = (uint8_t)test_random_below(NT_RESUMED + 1);
		record->function.generator = (uint8_t)test_random_below(2);
		break;
	case 5:
		record_begin(record, NT_CONNECT, sizeof(record->connect), time, PID);
		record->connect.connection = test_random_below(8);
		record->connect.ended = (uint8_t)test_random_below(2);
		add_some_owner(record, &record->connect.owner);
		break;
	case 6:
	case 7:
	case 8:
		record_begin(record, NT_HANDOVER, sizeof(record->handover), time, PID);
		record->handover.what = test_random_below(6);
		record->handover.kind = (uint8_t)(1 + test_random_below(3));
		add_some_owner(record, &record->handover.owner);
		break;
	default:
		make_some_segment(record, time);
	}
	if (record->head.type != NT_CODE && record->head.type != NT_STACK)
		record->head.tid = 1 + (uint32_t)test_random_below(4);
}

/* Tasks, pools and threads that give each other work in ways that no program does. */
static void test_nonsense(void **state)
{
	struct outputs *outputs = *state;
	uint64_t time = BEGIN;
	union record record;

	feed_process(outputs, PID, "nonsense");
	for (int i = 0; i < 30000; i++) {
		time += test_random_below(4) ? test_random_below(SECOND / 100) : 0;
		make_something(&record, time - (test_random_below(10) ? 0 : test_random_below(SECOND)));
		if (record.head.type == NT_EXIT)
			feed_process(outputs, PID, "again");
		void *copy = malloc(record.head.size);

		memcpy(copy, &record, record.head.size);
		assert_int_equal(pipeline_feed(outputs->pipeline, copy, record.head.size), 0);
		free(copy);
		if (i == 10000 || i == 20000)
			assert_int_equal(feed_mark(outputs, NT_TICK, time), 0);
	}
	assert_int_equal(feed_mark(outputs, NT_END, time), 0);
	assert_int_equal(outputs->count, 3);
	assert_true(outputs->calls[0] + outputs->calls[1] <= outputs->calls[2]);
	assert_true(outputs->calls[2] > 1000 && outputs->unattributed[2] < outputs->calls[2]);
}

#define WITH_PIPELINE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_PIPELINE(test_intervals),	 WITH_PIPELINE(test_endpoint),
	    WITH_PIPELINE(test_losses),		 WITH_PIPELINE(test_cost),
	    WITH_PIPELINE(test_targets),	 WITH_PIPELINE(test_output_error),
	    WITH_PIPELINE(test_after_the_end),	 WITH_PIPELINE(test_malformed_is_counted),
	    WITH_PIPELINE(test_odd_times),	 cmocka_unit_test(test_check_sizes),
	    cmocka_unit_test(test_check_values), WITH_PIPELINE(test_damage),
	    WITH_PIPELINE(test_nonsense),	 WITH_PIPELINE(test_rules),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
