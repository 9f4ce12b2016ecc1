/*
 * test_output.c: what summaries look like as text and as JSON, also with hostile names, and how write errors come back.
 */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "../../daemon/output/output.h"
#include "../../daemon/output/words.h"

#define MS 1000000ull

static const struct output_style plain = {.columns = 0};
static const struct output_style terminal = {.columns = 120, .rows = 30};

static struct summary *make_summary(void)
{
	struct summary *summary = summary_new();
	struct {
		struct nt_process process;
		char command[56];
	} target = {.process = {.h = {.pid = 1234},
				.python_major = 3,
				.python_minor = 11,
				.python_micro = 2,
				.attribution = NT_ATTRIBUTION_STACK,
				.command_size = 49},
		    .command = "/usr/bin/python3 /usr/bin/gunicorn -w 2 shop.wsgi"};

	assert_int_equal(summary_set_target(summary, &target.process), 0);
	summary->facts.version = strdup("0.1.0");
	summary->facts.host = strdup("web-3");
	summary->facts.release = strdup("6.1.0");
	summary->facts.hooks = strdup("kprobe");
	summary->facts.start_wall = 1769860800123456789ull;
	summary->facts.duration = 10000 * MS;
	summary->facts.ring_bytes = 8 << 20;
	summary->facts.cost = (struct nt_cost){.wall = 10000 * MS,
					       .daemon_cpu = 80 * MS,
					       .daemon_rss = 11534336,
					       .probe_ns = 120 * MS,
					       .probe_runs = 1000};
	return summary;
}

static struct call make_call(const char *protocol, uint16_t port, const char *operation, uint64_t latency)
{
	struct call call = {
	    .kind = CALL_EXCHANGE,
	    .backend = {.transport = NT_TCP, .family = AF_INET, .port = port, .address = {10, 0, 0, 5}},
	    .protocol = protocol,
	    .keys = 1,
	    .out_first = 1000,
	    .out_last = 1000,
	    .in_first = 1000 + latency,
	    .in_last = 1000 + latency,
	    .bytes_out = 20,
	    .bytes_in = 50,
	    .round_trip = true,
	    .answered = true,
	};

	snprintf(call.operation, sizeof(call.operation), "%s", operation);
	return call;
}

static void add_calls(struct summary *summary, const struct run_endpoint *endpoint, struct call call, int count)
{
	static const struct run_site site = {"shop.session.load", "/srv/shop/session.py", 41};

	while (count--)
		assert_int_equal(
		    summary_add_call(summary, &call, endpoint, endpoint ? &site : NULL, RUN_NO_PYTHON_THREAD), 0);
}

static struct run make_run(const struct run_endpoint *endpoint, enum run_source source, bool exact)
{
	return (struct run){
	    .endpoint = endpoint,
	    .route = "GET /",
	    .began = 1000,
	    .ended = 1000 + 50 * MS,
	    .network = 40 * MS,
	    .source = source,
	    .exact = exact,
	};
}

static void add_run(struct summary *summary, const struct run_endpoint *endpoint, enum run_source source, bool exact)
{
	struct run run = make_run(endpoint, source, exact);

	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
}

/* One of the shop's homepage, with its calls. */
static void add_homepage_run(struct summary *summary, const struct run_endpoint *endpoint, enum run_source source,
			     bool exact)
{
	struct run run = make_run(endpoint, source, exact);
	struct finding_report report = {.analysed = exact, .wall = 50 * MS};

	run.calls = 27;
	run.backend_count = 3;
	run.backends[0] = (struct run_backend){"redis", make_call("redis", 6379, "", 0).backend, 18};
	run.backends[1] = (struct run_backend){"http", make_call("http", 8000, "", 0).backend, 6};
	run.backends[2] = (struct run_backend){"memcache", make_call("memcache", 11211, "", 0).backend, 3};
	assert_int_equal(summary_add_run(summary, &run, &report), 0);
}

/* One that the capture's end has cut. */
static void add_cut_run(struct summary *summary, const struct run_endpoint *endpoint)
{
	struct run run = {.endpoint = endpoint, .began = 1000, .ended = 2000, .partial = true, .calls = 2};

	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
}

static struct summary *make_shop(enum run_source source, bool exact)
{
	static const struct run_endpoint homepage = {"shop.views.homepage", "/srv/shop/views.py", 12};
	struct summary *summary = make_summary();
	struct call failed = make_call("redis", 6379, "SET", MS);

	for (int i = 0; i < 10; i++) {
		add_calls(summary, &homepage, make_call("redis", 6379, "GET", MS), 18);
		add_calls(summary, &homepage, make_call("http", 8000, "GET /stock/?", 5 * MS), 6);
		add_calls(summary, &homepage, make_call("memcache", 11211, "get", MS / 2), 3);
		add_homepage_run(summary, &homepage, source, exact);
	}
	failed.error = true;
	add_calls(summary, &homepage, failed, 2);
	add_cut_run(summary, &homepage);
	add_calls(summary, NULL, make_call("redis", 6379, "GET", MS), 3);
	summary_sort(summary);
	return summary;
}

static char *write_out(const char *format, const struct summary *summary, const struct output_style *style)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	assert_int_equal(output_find(format)->write(stream, summary, style), 0);
	fclose(stream);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in:\n%s", part, text);
}

/* Fails if a line is wider than `width`. */
static void assert_fits(const char *text, size_t width)
{
	char *copy = strdup(text), *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));)
		if (words_width(line) > width)
			fail_msg("wider than %zu: %s", width, line);
	free(copy);
}

static void test_text(void **state)
{
	struct summary *summary = make_shop(RUN_BY_REQUEST, true);
	char *text = write_out("text", summary, &plain);

	(void)state;
	assert_has(
	    text,
	    "nettraced 0.1.0   pid 1234 gunicorn -w 2 shop.wsgi   Python 3.11.2 by stack   kprobes, Linux 6.1.0   "
	    "10.0 s\n");
	assert_has(text, "\nlost 0   unattributed 3 of 275 calls   cost: target +1.2 %, nettraced 0.8 % CPU 11 MiB + "
			 "8.0 MiB ring\n");
	assert_has(text, "\nENDPOINT ");
	assert_has(text, " 27.0  redis 18  http 6  memcache 3\n");
	assert_has(text, "\n1 more run cut by the capture's beginning or end");
	assert_has(text, "40.0ms  80%");
	assert_has(text, "\n    shop/views.py:12  GET /\n");
	assert_has(text, "\n    redis    10.0.0.5:6379           182 calls  p50");
	assert_has(text, "GET 180  SET 2  at shop/session.py:41\n");
	assert_has(text, "\n    errors   redis 10.0.0.5:6379 SET 2 of 2\n");
	assert_has(text, "no_python_thread 3: ");
	assert_has_not(text, "\033");
	assert_has_not(text, "~");
	assert_has_not(text, ">=");
	free(text);
	summary_free(summary);
}

static void test_text_signs(void **state)
{
	struct summary *summary = make_shop(RUN_BY_CALLS, false);

	(void)state;
	summary->truncated = true;
	summary->facts.lost.records = 12;
	summary->facts.lost.unparsed = 340;
	char *text = write_out("text", summary, &terminal);

	assert_has_not(text, "\033");
	assert_has(text, " ~10 ");
	assert_has(text, "\n~  some runs");
	assert_has(text, ">=50.");
	assert_has(text, "\n>= wall time from");
	assert_has(text, "lost records 12, unparsed 340   unattributed");
	assert_has(text, "\nlost records: 12 records that found the ring full; make them smaller (--capture 1024)");
	assert_has(text, "(other)");
	free(text);
	summary_free(summary);
}

static void test_text_empty(void **state)
{
	struct summary *summary = make_summary();

	(void)state;
	char *text = write_out("text", summary, &plain);

	assert_has(text, "no calls yet");
	free(text);
	summary->facts.final = true;
	text = write_out("text", summary, &plain);
	assert_has(text, "no calls seen");
	free(text);
	summary->requests = 5;
	text = write_out("text", summary, &plain);
	assert_has(text, "requests 5\n");
	assert_has(text, "without asking a backend");
	free(text);
	summary_clear(summary);
	text = write_out("text", summary, &plain); /* nothing is known at all */
	assert_has(text, "no target");
	assert_has(text, "cost: not measured");
	free(text);
	summary_free(summary);
}

/* On a terminal of 120 columns no line of the table wraps, however long the names are. */
static void test_text_fits(void **state)
{
	struct run_endpoint endpoint = {
	    "a.very.long.module.path.that.somebody.thought.good.TheClass.the_method_of_it.<locals>.inner", "/x.py", 3};
	struct summary *summary = make_summary();
	struct output_style style = {.columns = 120};
	char name[120];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	add_calls(summary, &endpoint, make_call("memcache", 11211, name, MS), 1000);
	add_calls(summary, &endpoint, make_call("postgresql", 5432, name, MS), 1000);
	add_calls(summary, &endpoint, make_call("redis", 6379, name, MS), 1000);
	add_run(summary, &endpoint, RUN_BY_CALLS, false);
	char *text = write_out("text", summary, &style);

	assert_fits(text, 120);
	assert_has(text, "a.very.");
	assert_has(text, "...");
	assert_has(text, ".inner");
	free(text);
	text = write_out("text", summary, &plain);
	assert_has(text, endpoint.name);
	free(text);
	summary_free(summary);
}

/* The p50 of what runs took on the network stands beside the p50 of what they took; the share is that of the sums. */
static void test_text_network(void **state)
{
	static const struct run_endpoint endpoint = {"m.f", "/srv/m.py", 1};
	struct summary *summary = make_summary();
	struct run run = {.endpoint = &endpoint, .began = 1000, .source = RUN_BY_REQUEST, .exact = true};

	(void)state;
	for (int i = 0; i < 10; i++) {
		run.ended = run.began + (i ? 2 : 82) * MS;
		run.network = (i ? 1 : 81) * MS;
		assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	}
	char *text = write_out("text", summary, &plain);

	assert_has(text, "2.00ms   82.0ms   1.00ms  90%");
	free(text);
	summary_free(summary);
}

static struct finding make_finding(enum finding_kind kind, const char *protocol, const char *operation,
				   const struct run_site *site)
{
	return (struct finding){
	    .kind = kind,
	    .protocol = protocol,
	    .where = make_call(protocol, 6379, "", 0).backend,
	    .operation = operation,
	    .example = "user:7 in the clear",
	    .evidence = "for a test",
	    .calls = 6,
	    .candidates = 8,
	    .needless = 5,
	    .saving = {.low = 4 * MS, .expected = 5 * MS, .high = 6 * MS},
	    .sites = {{site, 6}},
	    .site_count = 1,
	};
}

/* A summary of ten runs of 48.1 ms that could take 22.6; the second finding is in four of them only. */
static struct summary *make_findings(uint64_t low, uint64_t high)
{
	static const struct run_endpoint homepage = {"shop.views.homepage", "/srv/shop/views.py", 12};
	static const struct run_site session = {"shop.session.current_user", "/srv/shop/session.py", 41};
	static const struct run_site stock = {"shop.stock.Stock.availability", "/srv/shop/stock.py", 88};
	struct summary *summary = make_summary();
	struct run run = make_run(&homepage, RUN_BY_REQUEST, true);
	struct finding_report report = {.analysed = true, .wall = 48100000};

	run.ended = run.began + report.wall;
	report.then = (struct finding_saving){.low = low, .expected = 25500000, .high = high};
	report.findings[0] = make_finding(FINDING_REPEATED, "memcache", "get", &session);
	report.findings[0].saving.expected = 30 * MS;
	report.findings[1] = make_finding(FINDING_SERIAL, "http", "GET /stock/?", &stock);
	report.findings[1].saving.expected = 21300000;
	report.findings[1].evidence = "in a row, no data seen passed on";
	report.findings[2] = make_finding(FINDING_DUPLICATE, "redis", "GET user:?", &session);
	report.findings[2].remedy = "ask once";
	for (int i = 0; i < 10; i++) {
		report.count = i < 4 ? 3 : 2;
		assert_int_equal(summary_add_run(summary, &run, &report), 0);
	}
	summary->facts.rules = *rules_find("default");
	summary_sort(summary);
	return summary;
}

/* What saves most comes first, what takes a cache is below the sum that it is not in. */
static void test_text_findings(void **state)
{
	struct summary *summary = make_findings(25 * MS, 26 * MS);
	char *text = write_out("text", summary, &plain);

	(void)state;
	assert_has(text, "\n      serial      http GET /stock/?  6.0 in a row, no data seen passed on   -21.3ms  "
			 "shop/stock.py:88 availability\n"
			 "      duplicate   redis GET user:?   5.0 needless a run, in 40 % of runs    -5.00ms  "
			 "shop/session.py:41 current_user\n"
			 "      without these: 48.1 -> 22.6 ms a run (-53 %)\n"
			 "      repeated    memcache get       5.0 a run a cache would answer (62 %)  -30.0ms  "
			 "shop/session.py:41 current_user\n");
	assert_has_not(text, "in the clear");
	assert_has_not(text, "rules");
	free(text);
	text = write_out("text", summary, &(struct output_style){.show_data = true});
	assert_has(text, "\n                  like: user:7 in the clear\n");
	free(text);
	text = write_out("text", summary, &(struct output_style){.columns = 100}); /* no place is cut */
	assert_has(text, "-5.00ms\n                  at shop/session.py:41 current_user\n");
	assert_fits(text, 100);
	free(text);
	for (unsigned columns = 60; columns <= 200; columns += 20) {
		text = write_out("text", summary, &(struct output_style){.columns = columns});
		assert_fits(text, columns);
		free(text);
	}
	summary->facts.rules.name = "sentry";
	summary->facts.unanalysed.runs = 3;
	text = write_out("text", summary, &plain);
	assert_has(text, "\nfindings by the rules of sentry\n");
	assert_has(text, "\nnot looked at for findings: 3 runs with too many calls to keep\n");
	free(text);
	summary_free(summary);
}

/* The range is told where it is wide, and runs that could not be looked at are. */
static void test_text_prediction(void **state)
{
	struct summary *summary = make_findings(10 * MS, 30 * MS);
	struct run run =
	    make_run(&(struct run_endpoint){"shop.views.homepage", "/srv/shop/views.py", 12}, RUN_BY_REQUEST, false);
	char *text = write_out("text", summary, &plain);

	(void)state;
	assert_has(text, "without these: 48.1 -> 22.6 ms a run (-53 %), 18.1 to 38.1\n");
	free(text);
	for (int i = 0; i < 10; i++)
		assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	text = write_out("text", summary, &plain);
	assert_has(text, " 18.1 to 38.1, of the 10 runs that could be looked at\n");
	free(text);
	summary_free(summary);
}

/* More findings than there are lines for are counted, and those with hostile or long names steer and wrap nothing. */
static void test_text_many_findings(void **state)
{
	static const struct run_endpoint endpoint = {"m.f", "/srv/m.py", 1};
	struct summary *summary = make_summary();
	struct run_site site = {"m.f", "/srv/m.py", 1};
	struct finding_report report = {.analysed = true, .wall = 50 * MS, .count = 7};
	struct run run = make_run(&endpoint, RUN_BY_REQUEST, true);
	char names[7][120];

	(void)state;
	for (int i = 0; i < 7; i++) {
		snprintf(names[i], sizeof(names[i]), "GET /\033[2J%0*d", i ? 100 : 1, i);
		report.findings[i] = make_finding(FINDING_DUPLICATE, "http", names[i], &site);
		report.findings[i].saving.expected = 0;
	}
	report.findings[0].kind = FINDING_STALLED;
	report.findings[0].saving.expected = MS;
	assert_int_equal(summary_add_run(summary, &run, &report), 0);
	char *text = write_out("text", summary, &plain);

	assert_has(text, "\n      and 2 more: see --json\n");
	assert_has(
	    text,
	    "      stalled     http GET /?[2J0                     5.0 a run: for a test  -1.00ms  srv/m.py:1 f\n");
	assert_has(text, "      duplicate   http GET /?[2J0...0000000000000001  5.0 needless a run           -");
	assert_has_not(text, "\033");
	assert_fits(text, 120);
	free(text);
	summary_free(summary);
}

/* One call is "1 call"; where none was answered there are no times. */
static void test_text_few(void **state)
{
	static const struct run_endpoint endpoint = {"m.f", "", 0};
	struct summary *summary = make_summary();
	struct call refused = make_call("tcp", 9, "connect", 0);

	(void)state;
	refused.kind = CALL_CONNECT;
	refused.error = true;
	refused.answered = false;
	add_calls(summary, &endpoint, make_call("memcache", 11211, "get", MS), 1);
	add_calls(summary, &endpoint, refused, 1);
	char *text = write_out("text", summary, &plain);

	assert_has(text, " 1 call   p50 1.00ms");
	assert_has(text, " 1 call  1 error  connect 1  at shop/session.py:41\n");
	assert_has_not(text, "1 calls");
	free(text);
	summary_free(summary);
}

/* Where there is no room for all, the line that made the calls comes before the second operation. */
static void test_text_room(void **state)
{
	static const struct run_endpoint endpoint = {"m.f", "/srv/m.py", 1};
	struct summary *summary = make_summary();

	(void)state;
	add_calls(summary, &endpoint, make_call("http", 80, "GET /stock/?", MS), 3);
	add_calls(summary, &endpoint, make_call("http", 80, "GET /delivery/?", MS), 2);
	add_calls(summary, &endpoint, make_call("http", 80, "GET /", MS), 1);
	summary_sort(summary);
	char *text = write_out("text", summary, &plain);

	assert_has(text, "  GET /stock/? 3  +2 more  at shop/session.py:41\n");
	assert_fits(text, 120);
	free(text);
	summary_free(summary);
}

static void set_command(struct summary *summary, const char *command)
{
	free(summary->targets[0].command);
	summary->targets[0].command = strdup(command);
}

static void test_text_header(void **state)
{
	struct summary *summary = make_summary();
	struct output_style narrow = {.columns = 80};
	char command[300] = "/usr/bin/python3 -u /srv/shop/manage.py ";

	(void)state;
	set_command(summary, "/usr/bin/python3 -u /srv/shop/manage.py runserver 0.0.0.0:8000 --noreload --insecure");
	char *text = write_out("text", summary, &plain);

	assert_has(text, "   pid 1234 manage.py runserver 0.0.0.0:8000 --noreload --insecure   Python 3.11.2 by stack\n"
			 "    kprobes, Linux 6.1.0   10.0 s\n");
	assert_fits(text, 120);
	free(text);
	memset(command + strlen(command), 'x', sizeof(command) - strlen(command) - 1);
	command[sizeof(command) - 1] = 0;
	set_command(summary, command);
	text = write_out("text", summary, &plain);
	assert_has(text, "xxx...\n    Python 3.11.2 by stack   kprobes, Linux 6.1.0   10.0 s\nlost 0 ");
	assert_fits(text, 120);
	free(text);
	text = write_out("text", summary, &narrow);
	assert_fits(text, 80);
	assert_has(text, "xxx...\n    Python");
	assert_has(text, "\n    cost: target +1.2 %");
	free(text);
	summary_free(summary);
}

/* Whatever is lost or unattributed, there is a word of what would help; also then the lines are no longer than others.
 */
static void test_text_reduced(void **state)
{
	static const struct {
		const char *reduced;
		uint64_t walks;
		const char *line; /* NULL: none */
	} cases[] = {
	    {NULL, 0, NULL},
	    {"usdt_off", 1, "\nreduced for --max-cost: function probes are off\n"},
	    {"times_off", 1, "threads' times and hand-overs are off\n"},
	    {"walks_thinned", 8, "hand-overs are off; one call in 8 has an endpoint\n"},
	    {"of a later version", 1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct summary *summary = make_summary();

		summary->facts.reduced = cases[i].reduced ? strdup(cases[i].reduced) : NULL;
		summary->facts.walks = cases[i].walks;
		char *text = write_out("text", summary, &plain);

		if (cases[i].line)
			assert_has(text, cases[i].line);
		else
			assert_has_not(text, "reduced");
		free(text);
		summary_free(summary);
	}
}

static void test_text_hints(void **state)
{
	static const struct run_endpoint endpoint = {"m.f", "/srv/m.py", 1};
	struct summary *summary = make_summary();
	struct call call = make_call("redis", 6379, "GET", MS);

	(void)state;
	add_calls(summary, &endpoint, call, 996);
	for (int reason = 0; reason < RUN_REASON_COUNT; reason++)
		assert_int_equal(summary_add_call(summary, &call, NULL, NULL, (enum run_reason)reason), 0);
	char *text = write_out("text", summary, &plain);

	assert_has(text, "unattributed 6 of 1002 calls");
	assert_has_not(text, "--endpoint");
	free(text);
	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++)
		*summary_lost_count(&summary->facts.lost, kind) = 1234567890123456789u;
	for (int reason = 0; reason < RUN_REASON_COUNT; reason++)
		for (int i = 0; i < 20; i++)
			summary_add_call(summary, &call, NULL, NULL, (enum run_reason)reason);
	text = write_out("text", summary, &plain);
	assert_has(text, "\n        name one: --endpoint ");
	for (const struct summary_lost_kind *kind = summary_lost_kinds; kind->name; kind++) {
		char line[64];

		snprintf(line, sizeof(line), "\nlost %s: 1234567890123456789 ", kind->name);
		assert_has(text, line);
		assert_non_null(strchr(strstr(text, line), ';'));
	}
	assert_fits(text, 140);
	free(text);
	summary_free(summary);
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		lines++;
	}
	return lines;
}

/* A page that the next one replaces keeps to the terminal's rows: first endpoints go, then what is below. */
static void test_text_rows(void **state)
{
	static char names[60][16];
	static struct run_endpoint endpoints[60];
	struct summary *summary = make_summary();

	(void)state;
	for (int i = 0; i < 60; i++) {
		snprintf(names[i], sizeof(names[i]), "m.f%d", i);
		endpoints[i] = (struct run_endpoint){names[i], "/srv/m.py", 1};
		add_calls(summary, &endpoints[i], make_call("redis", 6379, "GET", MS), 1);
		add_run(summary, &endpoints[i], RUN_BY_CALLS, true);
	}
	add_calls(summary, NULL, make_call("redis", 6379, "GET", MS), 1);
	for (unsigned rows = 3; rows < 200; rows++) {
		struct output_style style = {.columns = 100, .rows = rows};
		char *text = write_out("text", summary, &style);

		assert_in_range(count_lines(text), rows < 150 ? rows - 2 : 100, rows);
		assert_int_equal(strncmp(text, "nettraced", 9), 0);
		assert_fits(text, 100);
		if (rows >= 20)
			assert_has(text, "... and ");
		if (rows >= 20)
			assert_has(text, "\n>= wall time from");
		free(text);
	}
	summary->facts.final = true;
	struct output_style last = {.columns = 100};
	char *text = write_out("text", summary, &last);

	assert_has(text, "... and 10 more endpoints, with less");
	free(text);
	summary_free(summary);
}

/* Names from outside can neither steer a terminal nor break JSON. */
static void test_hostile_names(void **state)
{
	struct run_endpoint endpoint = {"m\033]0;x\007.\xff\xfe\xc3\xa9\xed\xa0\x80", "/\x80.py", 1};
	struct summary *summary = make_summary();
	json_error_t error;

	(void)state;
	free(summary->targets[0].command);
	summary->targets[0].command = strdup("evil\033[2J\xc2\x9b\n\"name\"");
	add_calls(summary, &endpoint, make_call("redis", 1, "GET \xf0\x28\x8c\x28\x1b[1m", MS), 1);
	char *text = write_out("text", summary, &plain);

	assert_has_not(text, "\033");
	assert_has_not(text, "\007");
	assert_has_not(text, "\xc2\x9b");
	assert_has_not(text, "\xff");
	assert_has(text, "\xc3\xa9");
	free(text);
	text = write_out("json", summary, &plain);
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error); /* refuses what is not UTF-8 */

	assert_non_null(object);
	assert_has(
	    json_string_value(json_object_get(json_array_get(json_object_get(object, "endpoints"), 0), "endpoint")),
	    "\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd");
	json_decref(object);
	free(text);
	summary_free(summary);
}

static void assert_keys(const json_t *object, const char *expected)
{
	char keys[512] = "";
	const char *key;
	json_t *value;

	assert_true(json_is_object(object));
	json_object_foreach((json_t *)object, key, value)
	{
		strcat(keys, *keys ? " " : "");
		strcat(keys, key);
	}
	assert_string_equal(keys, expected);
}

static json_t *at(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (!value)
		fail_msg("no '%s'", key);
	return value;
}

static void assert_real(const json_t *object, const char *key, double expected, double tolerance)
{
	double value = json_real_value(json_object_get(object, key));

	if (!json_is_real(json_object_get(object, key)) || value < expected - tolerance || value > expected + tolerance)
		fail_msg("%s is %g, not %g", key, value, expected);
}

static void test_json_shape(void **state)
{
	struct summary *summary = make_shop(RUN_BY_REQUEST, true);
	char *text = write_out("json", summary, &plain);
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	(void)state;
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
	assert_keys(object, "schema version host final start duration_s kernel targets targets_more lost unanalysed "
			    "cost rules endpoints requests "
			    "unattributed truncated");
	assert_string_equal(json_string_value(at(object, "schema")), "nettrace.summary/1");
	assert_string_equal(json_string_value(at(object, "start")), "2026-01-31T12:00:00.123Z");
	assert_keys(at(object, "kernel"), "release hooks");
	assert_keys(json_array_get(at(object, "targets"), 0), "pid command python attribution");
	assert_keys(at(object, "lost"), "records stacks payload unparsed bytes sockets processes threads probes calls "
					"connections orphans runs handovers intents malformed summaries");
	assert_keys(
	    at(object, "cost"),
	    "probe_ns_per_call target_cpu_percent daemon_cpu_percent daemon_rss ring_bytes reduced walks_one_in");
	json_t *endpoint = json_array_get(at(object, "endpoints"), 0);

	assert_keys(endpoint,
		    "endpoint file line route runs partial_runs runs_exact inexact_runs wall wall_source network time "
		    "calls round_trips calls_per_run round_trips_per_run "
		    "errors backends findings predicted");
	assert_keys(at(endpoint, "predicted"), "wall_now wall_then low high runs");
	assert_keys(at(object, "unanalysed"), "runs contents findings answers connections libraries");
	assert_keys(at(endpoint, "wall"), "count sum mean p50 p95 p99 max");
	assert_keys(at(endpoint, "time"), "network other");
	json_t *backend = json_array_get(at(endpoint, "backends"), 0);

	assert_keys(backend, "protocol address name calls calls_per_run round_trips keys connects bytes_out bytes_in "
			     "errors client_errors "
			     "latency wait operations where");
	assert_keys(json_array_get(at(backend, "operations"), 0), "operation calls keys errors client_errors latency");
	assert_keys(json_array_get(at(backend, "where"), 0), "function file line calls");
	assert_keys(at(object, "requests"), "count without_endpoint latency");
	assert_keys(at(object, "unattributed"), "calls backends reasons");
	assert_keys(at(at(object, "unattributed"), "reasons"), "no_python_thread");
	json_decref(object);
	free(text);
	summary_free(summary);
}

/* Means are over the runs that have it; an example is shown to those who asked for data only. */
static void test_json_findings(void **state)
{
	struct summary *summary = make_findings(10 * MS, 30 * MS);
	char *masked = write_out("json", summary, &plain);
	char *shown = write_out("json", summary, &(struct output_style){.show_data = true});
	json_t *object = json_loads(masked, 0, NULL);
	json_t *endpoint = json_array_get(json_object_get(object, "endpoints"), 0);
	json_t *findings = json_object_get(endpoint, "findings"), *finding = json_array_get(findings, 2);
	json_t *predicted = json_object_get(endpoint, "predicted");

	(void)state;
	assert_int_equal(json_array_size(findings), 3);
	assert_string_equal(json_string_value(json_object_get(finding, "kind")), "duplicate");
	assert_string_equal(json_string_value(json_object_get(finding, "backend")), "redis 10.0.0.5:6379");
	assert_string_equal(json_string_value(json_object_get(finding, "operation")), "GET user:?");
	assert_string_equal(json_string_value(json_object_get(finding, "remedy")), "ask once");
	assert_keys(finding, "kind backend other_backends operation runs calls_per_run needless_calls_per_run "
			     "needless_share saving saving_total_ms share evidence remedy where example");
	assert_true(json_is_null(json_object_get(finding, "example")));
	assert_int_equal(json_integer_value(json_object_get(finding, "runs")), 4);
	assert_float_equal(json_number_value(json_object_get(finding, "needless_calls_per_run")), 5, 0);
	assert_float_equal(json_number_value(json_object_get(json_object_get(finding, "saving"), "high")), 6, 0);
	assert_float_equal(json_number_value(json_object_get(finding, "saving_total_ms")), 20, 0);
	assert_float_equal(json_number_value(json_object_get(finding, "share")), 20 / 481.0, 0.0001);
	assert_float_equal(json_number_value(json_object_get(predicted, "wall_now")), 48.1, 0.001);
	assert_float_equal(json_number_value(json_object_get(predicted, "wall_then")), 22.6, 0.001);
	assert_float_equal(json_number_value(json_object_get(predicted, "low")), 18.1, 0.001);
	assert_float_equal(json_number_value(json_object_get(predicted, "high")), 38.1, 0.001);
	assert_int_equal(json_integer_value(json_object_get(predicted, "runs")), 10);
	assert_string_equal(json_string_value(json_object_get(object, "rules")), "default");
	assert_has_not(masked, "in the clear");
	assert_has(shown, "\"example\":\"user:7 in the clear\"");
	json_decref(object);
	free(masked);
	free(shown);
	summary_free(summary);
}

static void test_json_values(void **state)
{
	struct summary *summary = make_shop(RUN_BY_REQUEST, true);
	char *text = write_out("json", summary, &plain);
	json_t *object = json_loads(text, 0, NULL);
	json_t *endpoint = json_array_get(at(object, "endpoints"), 0);
	json_t *backend = json_array_get(at(endpoint, "backends"), 0);

	(void)state;
	assert_real(object, "duration_s", 10, 0);
	assert_real(at(object, "cost"), "target_cpu_percent", 1.2, 0);
	assert_real(at(object, "cost"), "daemon_cpu_percent", 0.8, 0);
	assert_real(at(object, "cost"), "probe_ns_per_call", 436363.6, 0.1);
	assert_int_equal(json_integer_value(at(endpoint, "runs")), 10);
	assert_int_equal(json_integer_value(at(endpoint, "partial_runs")), 1);
	assert_real(backend, "calls_per_run", 18, 0);
	assert_true(json_is_true(at(endpoint, "runs_exact")));
	assert_string_equal(json_string_value(at(endpoint, "wall_source")), "request");
	assert_string_equal(json_string_value(at(endpoint, "route")), "GET /");
	assert_real(at(endpoint, "wall"), "sum", 500, 0);
	assert_real(at(endpoint, "wall"), "p50", 50, 0);
	assert_real(at(endpoint, "time"), "network", 40, 0);
	assert_real(at(endpoint, "time"), "other", 10, 0);
	assert_real(at(endpoint, "predicted"), "wall_now", 50, 0);
	assert_int_equal(json_integer_value(at(endpoint, "calls")), 272);
	assert_int_equal(json_integer_value(at(endpoint, "errors")), 2);
	assert_int_equal(json_integer_value(at(backend, "calls")), 182);
	assert_string_equal(json_string_value(at(backend, "address")), "10.0.0.5:6379");
	assert_true(json_is_null(at(backend, "name")));
	assert_int_equal(json_integer_value(at(at(object, "unattributed"), "calls")), 3);
	json_decref(object);
	free(text);
	summary_free(summary);
}

/* What is not known is null, never 0. */
static void test_json_unknown(void **state)
{
	static const struct run_endpoint bare = {"m.f", "", 0};
	struct summary *summary = summary_new();

	(void)state;
	add_calls(summary, &bare, make_call("tcp", 1, "send", MS), 1);
	char *text = write_out("json", summary, &plain);
	json_t *object = json_loads(text, 0, NULL);
	json_t *endpoint = json_array_get(at(object, "endpoints"), 0);
	static const char *const tops[] = {"version", "host", "start"};
	static const char *const costs[] = {"probe_ns_per_call", "target_cpu_percent", "daemon_cpu_percent"};
	static const char *const ends[] = {"file", "line", "route", "wall_source"};
	json_t *backend = json_array_get(at(endpoint, "backends"), 0);

	for (size_t i = 0; i < 3; i++) {
		assert_true(json_is_null(at(object, tops[i])));
		assert_true(json_is_null(at(at(object, "cost"), costs[i])));
	}
	for (size_t i = 0; i < 4; i++)
		assert_true(json_is_null(at(endpoint, ends[i])));
	assert_true(json_is_null(at(at(endpoint, "wall"), "p50")));
	assert_true(json_is_null(at(backend, "calls_per_run")));
	assert_int_equal(json_object_size(at(endpoint, "time")), 0);
	json_decref(object);
	free(text);
	summary_free(summary);
}

static void test_write_errors(void **state)
{
	struct summary *summary = make_shop(RUN_BY_REQUEST, true);

	(void)state;
	for (const struct output *const *output = output_table; *output; output++) {
		FILE *full = fopen("/dev/full", "w");

		if (!full)
			skip();
		assert_int_equal((*output)->write(full, summary, &plain), -ENOSPC);
		fclose(full);
	}
	summary_free(summary);
}

static void test_find(void **state)
{
	(void)state;
	assert_string_equal(output_find("json")->name, "json");
	assert_string_equal(output_find("text")->name, "text");
	assert_null(output_find("xml"));
	assert_null(output_find(""));
}

static void assert_time(double ns, const char *expected)
{
	char text[32];

	words_time(ns, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_units(void **state)
{
	char text[64];

	(void)state;
	assert_time(0, "0.0us");
	assert_time(870, "0.9us");
	assert_time(42e3, "42us");
	assert_time(870e3, "870us");
	assert_time(999.6e3, "1.00ms");
	assert_time(1.234e6, "1.23ms");
	assert_time(48.06e6, "48.1ms");
	assert_time(480e6, "480ms");
	assert_time(999.9e6, "1.00s");
	assert_time(61e9, "61.0s");
	assert_time(3600e9, "3600s");
	words_size(11534336, text, sizeof(text));
	assert_string_equal(text, "11 MiB");
	words_size(512, text, sizeof(text));
	assert_string_equal(text, "512 B");
	words_size(1536, text, sizeof(text));
	assert_string_equal(text, "1.5 KiB");
	words_date(0, text, sizeof(text));
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	words_date(UINT64_MAX, text, sizeof(text));
	assert_int_equal(strlen(text), 24);
}

static void assert_clean(const char *from, bool printable, size_t size, const char *expected)
{
	char text[128];

	assert_true(size <= sizeof(text));
	words_clean(from, printable, text, size);
	assert_string_equal(text, expected);
}

static void test_clean(void **state)
{
	(void)state;
	assert_clean("plain", true, 128, "plain");
	assert_clean("a\tb\n", true, 128, "a?b?");
	assert_clean("a\tb\n", false, 128, "a\tb\n");
	assert_clean("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true, 128, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_clean("\xc0\x80", false, 128, "\xef\xbf\xbd\xef\xbf\xbd"); /* overlong NUL */
	assert_clean("\xe2\x82", false, 128, "\xef\xbf\xbd\xef\xbf\xbd"); /* cut */
	assert_clean("\xf5\x80\x80\x80", false, 7, "\xef\xbf\xbd\xef\xbf\xbd");
	assert_clean("ab\xc3\xa9", false, 4, "ab"); /* never half a character */
	assert_clean("abc", false, 1, "");
	for (int i = 0; i < 20000; i++) {
		char from[16] = "", to[16 * 3 + 1];

		for (uint64_t j = test_random_below(sizeof(from)); j; j--)
			from[j - 1] = (char)test_random();
		assert_true(words_clean_size(from) <= sizeof(to));
		words_clean(from, false, to, sizeof(to));
		json_t *string = json_string(to); /* NULL for what is not UTF-8 */

		assert_non_null(string);
		json_decref(string);
	}
}

static void test_command(void **state)
{
	static const struct {
		const char *full, *shown;
	} commands[] = {
	    {"/usr/bin/python3 /usr/bin/gunicorn -w 2 shop.wsgi:app", "gunicorn -w 2 shop.wsgi:app"},
	    {"python plain.py 500", "plain.py 500"},
	    {"/srv/venv/bin/celery -A x worker", "celery -A x worker"},
	    {"gunicorn: master [shop.wsgi]", "gunicorn: master [shop.wsgi]"},
	    {"python3 -u -X dev -W ignore -m celery -A x", "celery -A x"},
	    {"python3.13t -Xdev -um http.server 80", "http.server 80"},
	    {"python3 -mcelery worker", "celery worker"},
	    {"/usr/bin/python3-dbg -bbE -- /srv/a/b.py /x/y", "b.py /x/y"},
	    {"python3 --check-hash-based-pycs always /a/b.py", "b.py"},
	    {"python3 /srv/app/", "app/"},
	    {"/usr/bin/python3 -c import?x", "python3 -c import?x"},
	    {"/usr/bin/python3 -Wignore -Ic x", "python3 -Wignore -Ic x"},
	    {"/usr/bin/python3", "python3"},
	    {"python3 -", "python3 -"},
	    {"python3 -X", "python3 -X"},
	    {"python3 -m", "python3 -m"},
	    {"/opt/python/bin/uwsgi --ini /etc/x", "uwsgi --ini /etc/x"},
	    {"pythonista /x", "pythonista /x"},
	    {"[a/b]", "[a/b]"},
	    {"", ""},
	    {" ", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		assert_string_equal(words_command(commands[i].full), commands[i].shown);
	for (int i = 0; i < 100000; i++) { /* stays inside, whatever comes */
		static const char *const parts[] = {" ", "-", "python", "3", "/", "c", "m", "W", "X", "b", "--", "["};
		char command[64] = "python";

		for (uint64_t j = test_random_below(12); j; j--)
			strcat(command, parts[test_random_below(sizeof(parts) / sizeof(parts[0]))]);
		const char *shown = words_command(command);

		assert_in_range((uintptr_t)shown, (uintptr_t)command, (uintptr_t)command + strlen(command));
	}
	assert_string_equal(words_file("/srv/shop/views.py"), "shop/views.py");
	assert_string_equal(words_file("/x.py"), "x.py");
	assert_string_equal(words_file("x.py"), "x.py");
	assert_string_equal(words_file("shop/x.py"), "shop/x.py");
	assert_string_equal(words_file("<string>"), "<string>");
	assert_string_equal(words_file(""), "");
}

static void test_cuts(void **state)
{
	char text[32] = "shop.views.homepage", accents[32] = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";

	(void)state;
	words_cut_middle(text, 19);
	assert_string_equal(text, "shop.views.homepage");
	words_cut_middle(text, 11);
	assert_string_equal(text, "shop...page");
	words_cut_end(text, 7);
	assert_string_equal(text, "shop...");
	words_cut_middle(accents, 6);
	assert_int_equal(words_width(accents), 6);
	assert_string_equal(accents, "\xc3\xa9...\xc3\xa9\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_text_signs),
	    cmocka_unit_test(test_text_empty),
	    cmocka_unit_test(test_text_fits),
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_json_shape),
	    cmocka_unit_test(test_json_values),
	    cmocka_unit_test(test_json_unknown),
	    cmocka_unit_test(test_write_errors),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_clean),
	    cmocka_unit_test(test_cuts),
	    cmocka_unit_test(test_command),
	    cmocka_unit_test(test_text_network),
	    cmocka_unit_test(test_text_few),
	    cmocka_unit_test(test_text_room),
	    cmocka_unit_test(test_text_header),
	    cmocka_unit_test(test_text_reduced),
	    cmocka_unit_test(test_text_hints),
	    cmocka_unit_test(test_text_rows),
	    cmocka_unit_test(test_text_findings),
	    cmocka_unit_test(test_text_prediction),
	    cmocka_unit_test(test_text_many_findings),
	    cmocka_unit_test(test_json_findings),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
