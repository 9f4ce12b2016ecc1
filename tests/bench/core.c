/*
 * core.c: what the core costs for each call, and whether its memory stays flat: core [--calls N] [--json FILE]
 *
 * Records as a capture writes them go through the core from memory: 16 workers, each with its own connections, that
 * answer requests at six endpoints with 25 calls each to redis, memcached and HTTP backends, with answers of 50 to 1000
 * bytes, duplicates, an N+1 and calls in a row among them. They are made in batches between the measurements and differ
 * from run to run. Three times: through the first stage alone (readers, contents), through the whole core with all
 * findings off, and with the default rules. The last is what `nettrace replay` spends, but for reading the file and
 * printing.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../daemon/call/call.h"
#include "../../daemon/finding/finding.h"
#include "../../daemon/pipeline.h"
#include "../unit/records.h"

#define WORKERS 16
#define ENDPOINTS 6
#define CALLS 25 /* of a run */
#define BATCH_CALLS 512
#define BATCH_BYTES (4u << 20)
#define STEP 20000	    /* ns between two records */
#define TICK 10000000000ull /* likewise between two summaries */
#define FIRST_PID 100
#define PORT_REDIS 6379
#define PORT_MEMCACHE 11211
#define PORT_HTTP 8000

enum backend { REDIS, MEMCACHE, HTTP, HTTP_OTHER, BACKENDS };

/* Where a worker is in its run. */
struct worker {
	uint32_t pid;
	uint64_t client;		/* connection of who asks it */
	uint64_t connections[BACKENDS]; /* that it asks */
	unsigned endpoint, step;
	uint64_t run, state;
};

struct load {
	uint64_t now, next_tick, random, made, runs, connections;
	struct worker workers[WORKERS];
	unsigned turn;
	unsigned char *batch;
	size_t size;
	uint64_t answer_bytes;
	union record record;
};

static uint32_t draw(struct load *load, uint32_t below)
{
	load->random = load->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((load->random >> 33) % below);
}

static void put(struct load *load)
{
	if (load->size + load->record.head.size > BATCH_BYTES) {
		fprintf(stderr, "core: a batch has no room\n");
		exit(1);
	}
	memcpy(load->batch + load->size, load->record.bytes, load->record.head.size);
	load->size += load->record.head.size;
	load->now += STEP;
}

static void put_segment(struct load *load, const struct worker *worker, uint64_t connection,
			enum nt_direction direction, const char *text, size_t size, uint64_t stack)
{
	uint32_t states[3] = {7, 8, (uint32_t)worker->state};
	union record *record = &load->record;

	/* record_begin() clears all of a record. */
	memset(record, 0, sizeof(record->segment));
	record->head = (struct nt_head){.size = sizeof(record->segment),
					.type = NT_SEGMENT,
					.version = NT_ABI,
					.time = load->now,
					.pid = worker->pid,
					.tid = worker->pid};
	record->segment.connection = connection;
	record->segment.first = load->now;
	record->segment.bytes = size;
	record->segment.captured = (uint32_t)size;
	record->segment.calls = 1;
	record->segment.direction = (uint8_t)direction;
	record->segment.flags = NT_SEGMENT_TURN;
	if (stack) {
		record->segment.owner.walk = NT_WALK_OK;
		record->segment.owner.stack = stack;
		record->segment.owner.states = 3;
		record_append(record, states, sizeof(states));
	}
	record_append(record, text, size);
	put(load);
}

/* Some object in JSON of about `size` bytes. */
static size_t write_json(struct load *load, char *text, size_t size, unsigned id)
{
	static const char *const words[] = {"amber", "bright", "copper",  "delta",
					    "ember", "frost",  "granite", "harbor"};
	size_t at = (size_t)sprintf(text, "{\"id\": %u, \"active\": true, \"owner\": {\"id\": %u, \"name\": \"%s %s\"}",
				    id, draw(load, 100000), words[draw(load, 8)], words[draw(load, 8)]);

	while (at + 60 < size)
		at += (size_t)sprintf(text + at, ", \"%s_%u\": %u.%02u, \"%s\": \"%s of %s\"", words[draw(load, 8)],
				      draw(load, 10), draw(load, 1000), draw(load, 100), words[draw(load, 8)],
				      words[draw(load, 8)], words[draw(load, 8)]);
	return at + (size_t)sprintf(text + at, "}");
}

static size_t write_command(char *text, const char *name, const char *kind, unsigned first, unsigned count)
{
	size_t at = (size_t)sprintf(text, "*%u\r\n$%zu\r\n%s\r\n", count + 1, strlen(name), name);
	char key[32];

	for (unsigned i = 0; i < count; i++) {
		int size = sprintf(key, "%s:%u", kind, first + i);

		at += (size_t)sprintf(text + at, "$%d\r\n%s\r\n", size, key);
	}
	return at;
}

static size_t write_bulk(struct load *load, char *text, size_t size, unsigned id)
{
	char body[2048];
	size_t length = write_json(load, body, size, id);

	return (size_t)sprintf(text, "$%zu\r\n%s\r\n", length, body);
}

static size_t write_ok(struct load *load, char *text, size_t size, unsigned id)
{
	char body[2048];
	size_t length = write_json(load, body, size, id);

	return (size_t)sprintf(text,
			       "HTTP/1.1 200 OK\r\nServer: gunicorn\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\n"
			       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			       length, body);
}

/* What the calls of a run are: which backend, and the texts. */
static enum backend write_call(struct load *load, const struct worker *worker, char *request, size_t *ret_request,
			       char *answer, size_t *ret_answer)
{
	unsigned step = worker->step, user = (unsigned)(worker->run * 2654435761u % 100000), id;

	if (step < 4) { /* the session's user, again and again */
		struct load same = *load;

		same.random = worker->run;
		*ret_request = write_command(request, "GET", "user", user, 1);
		*ret_answer = write_bulk(&same, answer, 250, user);
		return REDIS;
	}
	if (step < 11) { /* an N+1 */
		id = user + step * 7;
		*ret_request = write_command(request, "GET", "item", id, 1);
		*ret_answer = write_bulk(load, answer, 50 + draw(load, 300), id);
		return REDIS;
	}
	if (step < 13) {
		*ret_request = write_command(request, "MGET", "price", user + step, 5);
		*ret_answer = (size_t)sprintf(answer, "*5\r\n");
		for (unsigned i = 0; i < 5; i++)
			*ret_answer += (size_t)sprintf(answer + *ret_answer, "$4\r\n%04u\r\n", draw(load, 10000));
		return REDIS;
	}
	if (step < 14) {
		*ret_request = (size_t)sprintf(request, "*3\r\n$3\r\nSET\r\n$4\r\nseen\r\n$5\r\n%05u\r\n", user);
		*ret_answer = (size_t)sprintf(answer, "+OK\r\n");
		return REDIS;
	}
	if (step < 18) {
		char body[2048];
		size_t size = write_json(load, body, 100 + draw(load, 400), user);

		*ret_request = (size_t)sprintf(request, "get page:%u:%u\r\n", user, step);
		*ret_answer =
		    (size_t)sprintf(answer, "VALUE page:%u:%u 0 %zu\r\n%s\r\nEND\r\n", user, step, size, body);
		return MEMCACHE;
	}
	*ret_request = (size_t)sprintf(request,
				       "GET /v1/stock/%u?currency=eur HTTP/1.1\r\nHost: stock:8000\r\n"
				       "User-Agent: python-requests/2.28.1\r\nAccept-Encoding: gzip, deflate\r\n"
				       "Accept: */*\r\nConnection: keep-alive\r\n\r\n",
				       user + 13 * step);
	*ret_answer = write_ok(load, answer, 200 + draw(load, 800), user + 13 * step);
	return step % 2 ? HTTP : HTTP_OTHER;
}

static void make_call(struct load *load, struct worker *worker)
{
	char request[1024], answer[4096];
	size_t request_size, answer_size;
	enum backend backend = write_call(load, worker, request, &request_size, answer, &answer_size);
	uint64_t connection = worker->connections[backend], stack = 1 + worker->endpoint * CALLS + worker->step;

	put_segment(load, worker, connection, NT_OUT, request, request_size, stack);
	put_segment(load, worker, connection, NT_IN, answer, answer_size, 0);
	load->answer_bytes += answer_size;
	load->made++;
	worker->step++;
}

static void begin_run(struct load *load, struct worker *worker)
{
	char text[256];
	int size;

	worker->endpoint = draw(load, ENDPOINTS);
	worker->step = 0;
	worker->state++;
	worker->run = load->runs++;
	size = sprintf(text, "GET /page%u/%llu HTTP/1.1\r\nHost: shop\r\n\r\n", worker->endpoint,
		       (unsigned long long)worker->run);
	put_segment(load, worker, worker->client, NT_IN, text, (size_t)size, 0);
}

static void end_run(struct load *load, struct worker *worker)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

	put_segment(load, worker, worker->client, NT_OUT, text, sizeof(text) - 1, 0);
}

static void make_batch(struct load *load)
{
	uint64_t until = load->made + BATCH_CALLS;

	load->size = 0;
	while (load->made < until) {
		struct worker *worker = &load->workers[load->turn++ % WORKERS];

		if (worker->step == CALLS) {
			end_run(load, worker);
			begin_run(load, worker);
		} else {
			make_call(load, worker);
		}
	}
	if (load->now >= load->next_tick) {
		record_begin(&load->record, NT_TICK, sizeof(struct nt_head), load->now, 0);
		put(load);
		load->next_tick += TICK;
	}
}

static uint64_t open_connection(struct load *load, uint32_t pid, enum nt_role role, uint16_t port)
{
	record_socket(&load->record, load->now, pid, ++load->connections, port);
	load->record.socket.role = (uint8_t)role;
	put(load);
	return load->connections;
}

static void put_code(struct load *load, uint32_t pid, uint64_t code, const char *file, const char *name)
{
	record_code(&load->record, load->now, pid, code, file, name);
	put(load);
}

/* Four frames: a client library, a helper, the endpoint's function, the framework. */
static void put_stacks(struct load *load, uint32_t pid)
{
	char name[32];

	put_code(load, pid, 0x1000, "/usr/lib/python3/dist-packages/redis/connection.py",
		 "Connection.send_packed_command");
	put_code(load, pid, 0x2000, "/srv/shop/helpers.py", "fetch");
	put_code(load, pid, 0x3000, "/usr/lib/python3/dist-packages/flask/app.py", "Flask.dispatch_request");
	for (unsigned endpoint = 0; endpoint < ENDPOINTS; endpoint++) {
		sprintf(name, "page%u", endpoint);
		put_code(load, pid, 0x4000 + 0x1000 * endpoint, "/srv/shop/views.py", name);
		for (unsigned step = 0; step < CALLS; step++) {
			struct nt_frame frames[] = {{.code = 0x1000, .instruction = 192},
						    {.code = 0x2000, .instruction = 192 + 6 * step},
						    {.code = 0x4000 + 0x1000 * endpoint, .instruction = 192 + 6 * step},
						    {.code = 0x3000, .instruction = 200}};

			record_begin(&load->record, NT_STACK, sizeof(load->record.stack), load->now, pid);
			load->record.stack.stack = 1 + endpoint * CALLS + step;
			load->record.stack.depth = 4;
			record_append(&load->record, frames, sizeof(frames));
			put(load);
		}
	}
}

/* The first batch: what a capture begins with. */
static void begin_load(struct load *load)
{
	static const uint16_t ports[BACKENDS] = {PORT_REDIS, PORT_MEMCACHE, PORT_HTTP, PORT_HTTP + 1};

	load->now = 1000000000;
	load->next_tick = load->now + TICK;
	load->random = 42;
	record_setting(&load->record, load->now, "start", "1769860800000000000");
	put(load);
	record_setting(&load->record, load->now, "secret", "0123456789abcdef0123456789abcdef");
	put(load);
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker *worker = &load->workers[i];

		worker->pid = FIRST_PID + i;
		record_process(&load->record, load->now, worker->pid, "gunicorn: worker [shop]");
		put(load);
		put_stacks(load, worker->pid);
		worker->client = open_connection(load, worker->pid, NT_ROLE_SERVER, 43210);
		for (unsigned k = 0; k < BACKENDS; k++)
			worker->connections[k] = open_connection(load, worker->pid, NT_ROLE_CLIENT, ports[k]);
		begin_run(load, worker);
	}
}

/* Sinks that take everything and do nothing. */
static void ignore_call(void *context, struct call *call)
{
	(void)context;
	(void)call;
}

static void ignore_answerer(void *context, struct call *call, const struct call_owner *by)
{
	(void)context;
	(void)call;
	(void)by;
}

struct told {
	uint64_t summaries, calls, findings;
};

static int take_summary(void *context, struct summary *summary)
{
	struct told *told = context;

	told->summaries++;
	if (!summary->facts.final)
		return 0;
	told->calls = summary_calls(summary);
	for (const struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next)
		told->findings += row->finding_count;
	return 0;
}

enum variant { FIRST_STAGE, WITHOUT_FINDINGS, WITH_FINDINGS, VARIANTS };
static const char *const variant_names[] = {"first_stage", "without_findings", "with_findings"};
static const char *const variant_words[] = {"readers and contents alone", "the core without findings",
					    "the core with findings"};

struct core {
	struct call_stage *calls;
	struct pipeline *pipeline;
	struct told told;
};

static void begin_core(struct core *core, enum variant variant)
{
	static const struct finding_rules none = {.name = "none"};
	struct call_sink sink = {.began = ignore_call,
				 .received = ignore_call,
				 .answering = ignore_answerer,
				 .responding = ignore_call,
				 .ended = ignore_call};

	*core = (struct core){0};
	if (variant == FIRST_STAGE)
		core->calls = call_stage_new(&sink);
	else
		core->pipeline = pipeline_new(take_summary, &core->told);
	if (!core->calls && !core->pipeline) {
		fprintf(stderr, "core: no memory\n");
		exit(1);
	}
	if (variant == WITHOUT_FINDINGS)
		pipeline_set_rules(core->pipeline, &none);
}

static void feed(struct core *core, const struct load *load)
{
	for (size_t at = 0; at < load->size;) {
		const struct nt_head *head = (const void *)(load->batch + at);
		int error =
		    core->calls ? call_stage_feed(core->calls, head) : pipeline_feed(core->pipeline, head, head->size);

		if (error) {
			fprintf(stderr, "core: record %zu of a batch: %s\n", at, strerror(-error));
			exit(1);
		}
		at += head->size;
	}
}

static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, resident = 0;

	if (file && fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

struct result {
	double us_per_call, answer_bytes;
	long resident_tenth, resident_end;
	uint64_t calls;
	struct told told;
};

static struct result measure(enum variant variant, uint64_t calls, unsigned char *batch)
{
	static struct load load;
	struct result result = {0};
	uint64_t spent = 0;
	struct core core;

	load = (struct load){.batch = batch};
	begin_core(&core, variant);
	begin_load(&load);
	feed(&core, &load);
	while (load.made < calls) {
		uint64_t before;

		make_batch(&load);
		before = cpu_now();
		feed(&core, &load);
		spent += cpu_now() - before;
		if (!result.resident_tenth && load.made >= calls / 10)
			result.resident_tenth = resident_kib();
	}
	result.resident_end = resident_kib();
	load.size = 0;
	record_begin(&load.record, NT_END, sizeof(struct nt_head), load.now, 0);
	put(&load);
	feed(&core, &load);
	call_stage_free(core.calls);
	pipeline_free(core.pipeline);
	result.us_per_call = (double)spent / 1000 / (double)load.made;
	result.answer_bytes = (double)load.answer_bytes / (double)load.made;
	result.calls = load.made;
	result.told = core.told;
	return result;
}

static void write_json_results(const char *path, const struct result *results)
{
	FILE *file = fopen(path, "w");

	if (!file) {
		perror(path);
		exit(1);
	}
	fprintf(file, "{\"calls\": %llu, \"answer_bytes\": %.1f", (unsigned long long)results[0].calls,
		results[0].answer_bytes);
	for (unsigned i = 0; i < VARIANTS; i++)
		fprintf(file, ", \"%s\": {\"us_per_call\": %.4f, \"resident_kib\": [%ld, %ld]}", variant_names[i],
			results[i].us_per_call, results[i].resident_tenth, results[i].resident_end);
	fprintf(file, "}\n");
	if (fclose(file)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct result results[VARIANTS];
	uint64_t calls = 1000000;
	const char *json = NULL;
	unsigned char *batch = malloc(BATCH_BYTES);

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--calls"))
			calls = strtoull(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--json"))
			json = argv[i + 1];
	}
	if (!batch || argc % 2 == 0 || calls < BATCH_CALLS) {
		fprintf(stderr, "usage: core [--calls N] [--json FILE]\n");
		return 2;
	}
	for (unsigned i = 0; i < VARIANTS; i++) {
		results[i] = measure((enum variant)i, calls, batch);
		printf("%-28s %6.3f us a call   %6.1f MiB after a tenth, %6.1f MiB at the end", variant_words[i],
		       results[i].us_per_call, (double)results[i].resident_tenth / 1024,
		       (double)results[i].resident_end / 1024);
		if (i > 0)
			printf("   %llu summaries, %llu calls, %llu findings",
			       (unsigned long long)results[i].told.summaries, (unsigned long long)results[i].told.calls,
			       (unsigned long long)results[i].told.findings);
		printf("\n");
	}
	printf("%llu calls each, answers of %.0f bytes on average\n", (unsigned long long)results[0].calls,
	       results[0].answer_bytes);
	if (json)
		write_json_results(json, results);
	free(batch);
	return 0;
}
