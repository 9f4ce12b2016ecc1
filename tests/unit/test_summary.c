/*
 * test_summary.c: counting, the bounds of the tables, merging, the order, targets.
 */
#include "test.h"

#include <arpa/inet.h>
#include <string.h>

#include "../../daemon/output/output.h"
#include "../../daemon/summary/summary.h"

static const struct run_endpoint homepage = {"shop.views.homepage", "/srv/shop/views.py", 12};
static const struct run_endpoint stock = {"shop.views.stock", "/srv/shop/views.py", 40};
static const struct run_site session = {"shop.session.load", "/srv/shop/session.py", 41};

/* An answered GET to a redis at 127.0.0.1: sent at 1000, answered from 3000 to 4000 ns. */
static struct call make_call(uint16_t port, const char *operation)
{
	struct call call = {
	    .kind = CALL_EXCHANGE,
	    .backend = {.transport = NT_TCP, .family = AF_INET, .port = port, .address = {127, 0, 0, 1}},
	    .protocol = "redis",
	    .keys = 1,
	    .out_first = 1000,
	    .out_last = 1500,
	    .in_first = 3000,
	    .in_last = 4000,
	    .bytes_out = 20,
	    .bytes_in = 50,
	    .round_trip = true,
	    .answered = true,
	};

	snprintf(call.operation, sizeof(call.operation), "%s", operation);
	return call;
}

static struct run make_run(const struct run_endpoint *endpoint, uint64_t wall, uint64_t network)
{
	return (struct run){
	    .endpoint = endpoint,
	    .began = 5000,
	    .ended = 5000 + wall,
	    .network = network,
	    .source = RUN_BY_REQUEST,
	    .exact = true,
	};
}

static void add(struct summary *summary, const struct call *call, const struct run_endpoint *endpoint)
{
	assert_int_equal(summary_add_call(summary, call, endpoint, &session, RUN_NO_ENDPOINT), 0);
}

static const struct summary_endpoint *find(const struct summary *summary, const char *name)
{
	for (const struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

static void test_counts(void **state)
{
	struct summary *summary = summary_new();
	struct call get = make_call(6379, "GET"), mget = make_call(6379, "MGET"), failed = make_call(6379, "GET");

	(void)state;
	mget.keys = 7;
	mget.round_trip = false;
	failed.error = true;
	failed.answered = false;
	add(summary, &get, &homepage);
	add(summary, &mget, &homepage);
	add(summary, &failed, &homepage);
	const struct summary_endpoint *endpoint = find(summary, "shop.views.homepage");

	assert_non_null(endpoint);
	assert_int_equal(endpoint->line, 12);
	assert_true(endpoint->calls == 3 && endpoint->round_trips == 2 && endpoint->errors == 1);
	const struct summary_backend *backend = endpoint->backends;

	assert_string_equal(backend->address, "127.0.0.1:6379");
	assert_true(backend->calls == 3 && backend->keys == 9 && backend->errors == 1);
	assert_true(backend->bytes_out == 60 && backend->bytes_in == 150);
	assert_true(backend->latency.count == 2 && backend->latency.sum == 6000);
	assert_true(backend->wait.count == 2 && backend->wait.sum == 3000);
	assert_int_equal(HASH_COUNT(backend->operations), 2);
	assert_int_equal(backend->site_count, 1);
	assert_true(backend->sites[0].calls == 3 && backend->sites[0].line == 41);
	assert_true(summary_calls(summary) == 3);
	summary_free(summary);
}

static void test_connects(void **state)
{
	struct summary *summary = summary_new();
	struct call made = make_call(6379, "connect"), refused = made;

	(void)state;
	made.kind = refused.kind = CALL_CONNECT;
	made.bytes_out = made.bytes_in = refused.bytes_out = refused.bytes_in = 0;
	refused.answered = false;
	refused.error = true;
	struct call unfinished = made;

	unfinished.answered = false;
	add(summary, &made, &homepage);
	add(summary, &unfinished, &homepage);
	add(summary, &refused, &homepage);
	const struct summary_backend *backend = summary->endpoints->backends;

	assert_true(backend->connects == 1 && backend->calls == 1 && backend->errors == 1);
	assert_string_equal(backend->operations->name, "connect");
	assert_null(backend->operations->hh.next);
	assert_true(backend->operations->calls == 1 && backend->latency.count == 0);
	summary_free(summary);
}

static void test_unattributed(void **state)
{
	struct summary *summary = summary_new();
	struct call call = make_call(6379, "GET");

	(void)state;
	assert_int_equal(summary_add_call(summary, &call, NULL, NULL, RUN_WALK_FAILED), 0);
	assert_int_equal(summary_add_call(summary, &call, NULL, NULL, RUN_WALK_FAILED), 0);
	assert_int_equal(summary_add_call(summary, &call, NULL, NULL, RUN_NO_PYTHON_THREAD), 0);
	assert_null(summary->endpoints);
	assert_true(summary->unattributed_calls == 3 && summary_calls(summary) == 3);
	assert_true(summary->reasons[RUN_WALK_FAILED] == 2 && summary->reasons[RUN_NO_PYTHON_THREAD] == 1);
	assert_true(summary->unattributed.backends->calls == 3 && summary->unattributed.backends->site_count == 0);
	summary_free(summary);
}

static void test_runs(void **state)
{
	struct summary *summary = summary_new();
	struct run run = make_run(&homepage, 50000, 20000);

	(void)state;
	run.route = "GET /";
	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	run.source = RUN_BY_CALLS;
	run.exact = false;
	run.route = "GET /other";
	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	run.route = "GET /";
	assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	run.partial = true; /* its calls are told one by one; nothing else of it counts */
	run.calls = 9;
	run.route = "GET /cut";
	for (int i = 0; i < 9; i++)
		assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	const struct summary_endpoint *row = summary->endpoints;

	assert_true(row->runs == 3 && row->inexact_runs == 2);
	assert_true(row->runs_by[RUN_BY_REQUEST] == 1 && row->runs_by[RUN_BY_CALLS] == 2);
	assert_true(row->partial_runs == 9 && row->run_calls == 0);
	assert_true(row->wall.sum == 150000 && row->network.sum == 60000);
	assert_string_equal(row->route, "GET /");
	summary_free(summary);
}

/* Calls of whole runs, for each backend; a run can be over in a summary whose calls were in the one before. */
static void test_calls_of_runs(void **state)
{
	struct summary *summary = summary_new();
	struct call one = make_call(6379, "GET"), other = make_call(6380, "GET");
	struct run run = make_run(&homepage, 50000, 20000);

	(void)state;
	add(summary, &one, &homepage);
	run.calls = 5;
	run.backend_count = 2;
	run.backends[0] = (struct run_backend){"redis", one.backend, 2};
	run.backends[1] = (struct run_backend){"redis", other.backend, 3};
	for (int i = 0; i < 3; i++) {
		run.partial = i == 2;
		assert_int_equal(summary_add_run(summary, &run, NULL), 0);
	}
	summary_sort(summary);
	const struct summary_endpoint *row = find(summary, homepage.name);
	const struct summary_backend *first = row->backends, *second = first->hh.next;

	assert_true(row->runs == 2 && row->partial_runs == 1 && row->run_calls == 10 && row->calls == 1);
	assert_true(first->calls == 1 && first->run_calls == 4);
	assert_true(second->calls == 0 && second->run_calls == 6);
	summary_free(summary);
}

/* What a run of `wall` ns could save, with one finding. */
static struct finding_report make_report(enum finding_kind kind, const char *operation, uint64_t wall, uint64_t saving)
{
	struct finding_report report = {
	    .count = 1,
	    .analysed = true,
	    .wall = wall,
	    .then = {.low = saving / 2, .expected = saving, .high = 2 * saving},
	};

	report.findings[0] = (struct finding){
	    .kind = kind,
	    .protocol = "redis",
	    .where = make_call(6379, "").backend,
	    .operation = operation,
	    .evidence = "for a test",
	    .calls = 3,
	    .candidates = 4,
	    .needless = 2,
	    .saving = report.then,
	    .sites = {{&session, 3}},
	    .site_count = 1,
	};
	return report;
}

static void add_report(struct summary *summary, const struct finding_report *report)
{
	struct run run = make_run(&homepage, report->wall, report->wall / 2);

	assert_int_equal(summary_add_run(summary, &run, report), 0);
}

/* The same finding of many runs is one row, twice in a run it is one run's; what differs in any part is another. */
static void test_findings(void **state)
{
	struct summary *summary = summary_new();
	struct finding_report report = make_report(FINDING_DUPLICATE, "GET user:?", 50000, 8000);
	struct finding_report serial = make_report(FINDING_SERIAL, "GET user:?", 50000, 9000);
	static const struct run_site other_site = {"shop.stock.all", "/srv/shop/stock.py", 7};

	(void)state;
	report.findings[1] = report.findings[0];
	report.findings[1].sites[0] = (struct finding_site){&other_site, 5};
	report.findings[1].example = "GET user:7";
	report.count = 2;
	for (int i = 0; i < 3; i++)
		add_report(summary, &report);
	report = make_report(FINDING_DUPLICATE, "GET cart:?", 50000, 8000);
	add_report(summary, &report);
	add_report(summary, &serial);
	serial.findings[0].sites[0].site = &other_site;
	add_report(summary, &serial);
	report.analysed = false; /* its calls are not known one by one */
	add_report(summary, &report);
	summary_sort(summary);
	const struct summary_endpoint *row = summary->endpoints;
	const struct summary_finding *first = &row->findings[0];

	assert_true(row->runs == 7 && row->analysed.now.count == 6 && row->finding_count == 4);
	assert_true(first->kind == FINDING_DUPLICATE && first->runs == 3 && first->calls == 18 &&
		    first->needless == 12);
	assert_string_equal(first->operation, "GET user:?");
	assert_string_equal(first->address, "127.0.0.1:6379");
	assert_string_equal(first->example, "GET user:7");
	assert_true(first->saving.expected == 48000 && first->saving.low == 24000 && first->saving.high == 96000);
	assert_true(first->site_count == 2 && first->sites[0].calls == 15 && first->sites[0].line == 7);
	assert_true(row->findings[1].kind == FINDING_SERIAL && row->findings[2].kind == FINDING_SERIAL);
	assert_string_equal(row->findings[3].operation, "GET cart:?");
	summary_free(summary);
}

/*
 * Calls in a row: what changes from run to run is one row all the same, by the places that it has in common, and is
 * called what most runs call it; two of one run are two, and so is what is less sure.
 */
static void test_serial(void **state)
{
	static const struct run_site a = {"f", "/a.py", 1}, b = {"f", "/a.py", 2}, c = {"f", "/a.py", 3},
				     d = {"f", "/a.py", 4};
	struct summary *summary = summary_new(), *merged = summary_new();
	struct finding_report report = make_report(FINDING_SERIAL, "GET one:?", 50000, 9000);

	(void)state;
	report.count = 2;
	report.findings[0].sites[0] = (struct finding_site){&a, 1};
	report.findings[0].sites[1] = (struct finding_site){&b, 2};
	report.findings[0].site_count = 2;
	report.findings[1] = report.findings[0];
	report.findings[1].operation = "GET other:?";
	report.findings[1].sites[0].site = &c;
	report.findings[1].sites[1].site = &d;
	add_report(summary, &report);
	/* Others are typical of them now, and a place of one is in the other. */
	report.findings[0].operation = "GET two:?";
	report.findings[1].sites[0].site = &b;
	add_report(summary, &report);
	add_report(summary, &report);
	report.count = 1;
	report.findings[0].evidence = "less sure";
	add_report(summary, &report);
	for (int i = 0; i < 2; i++)
		assert_int_equal(summary_merge(merged, summary), 0);
	const struct summary_endpoint *row = merged->endpoints;

	assert_int_equal(row->finding_count, 3);
	assert_string_equal(row->findings[0].operation, "GET two:?");
	assert_string_equal(row->findings[1].operation, "GET other:?");
	assert_true(row->findings[0].runs == 6 && row->findings[1].runs == 6 && row->findings[2].runs == 2);
	assert_true(row->findings[0].site_count == 2 && row->findings[1].site_count == 3);
	summary_free(summary);
	summary_free(merged);
}

/* Runs that only tell how much there was to find count in nothing else, also in what they are merged into. */
static void test_candidates(void **state)
{
	struct summary *summary = summary_new(), *merged = summary_new();
	struct finding_report report = make_report(FINDING_REPEATED, "GET", 50000, 8000), nothing = report;

	(void)state;
	nothing.findings[0] = (struct finding){.kind = FINDING_REPEATED,
					       .protocol = "redis",
					       .where = report.findings[0].where,
					       .operation = "GET",
					       .candidates = 10};
	add_report(summary, &nothing);
	assert_false(summary_is_shown(summary, summary->endpoints, &summary->endpoints->findings[0]));
	assert_int_equal(summary_merge(merged, summary), 0);
	add_report(summary, &report);
	add_report(summary, &nothing);
	summary_sort(summary);
	assert_int_equal(summary_merge(merged, summary), 0);
	const struct summary_finding *row = &merged->endpoints->findings[0];

	assert_int_equal(merged->endpoints->finding_count, 1);
	assert_true(row->runs == 1 && row->calls == 3 && row->needless == 2 && row->candidates == 34);
	assert_string_equal(row->evidence, "for a test");
	summary_free(summary);
	summary_free(merged);
}

/* Beyond the table they are counted, and the merged summary knows of them too. */
static void test_findings_bounded(void **state)
{
	struct summary *summary = summary_new(), *merged = summary_new();
	char operation[32];

	(void)state;
	for (int i = 0; i < 2 * SUMMARY_MAX_FINDINGS; i++) {
		struct finding_report report = make_report(FINDING_DUPLICATE, operation, 50000, 8000);

		snprintf(operation, sizeof(operation), "GET thing%d:?", i);
		add_report(summary, &report);
	}
	assert_int_equal(summary->endpoints->finding_count, SUMMARY_MAX_FINDINGS);
	assert_true(summary_unanalysed(summary).findings == SUMMARY_MAX_FINDINGS);
	summary->facts.unanalysed.findings = 5;
	assert_true(summary_unanalysed(summary).findings == SUMMARY_MAX_FINDINGS + 5);
	assert_int_equal(summary_merge(merged, summary), 0);
	assert_int_equal(merged->endpoints->finding_count, SUMMARY_MAX_FINDINGS);
	assert_true(summary_unanalysed(merged).findings == SUMMARY_MAX_FINDINGS);
	summary_free(summary);
	summary_free(merged);
}

/* The medians of what runs take and would take, and a range with the middle half of them. */
static void test_prediction(void **state)
{
	struct summary *summary = summary_new();

	(void)state;
	for (uint64_t i = 0; i < 101; i++) {
		struct finding_report report = make_report(FINDING_DUPLICATE, "GET", (100 + i) * 1000, 20000);

		add_report(summary, &report);
	}
	struct summary_prediction predicted = summary_predict(summary, summary->endpoints);

	assert_true(predicted.runs == 101);
	assert_float_equal(predicted.now, 150000, 150000 * 0.006);
	assert_float_equal(predicted.then, 130000, 130000 * 0.006);
	assert_float_equal(predicted.low, 85000, 85000 * 0.006);
	assert_float_equal(predicted.high, 165000, 165000 * 0.006);
	/* Where no finding counts as one, nothing is saved. */
	summary->facts.rules.shown.runs = 102;
	predicted = summary_predict(summary, summary->endpoints);
	assert_true(predicted.then == predicted.now && predicted.low == predicted.now);
	summary_free(summary);
}

/* Nothing is saved by what takes a cache, and a saving longer than the run leaves nothing of it. */
static void test_prediction_bounds(void **state)
{
	struct summary *summary = summary_new();
	struct finding_report report = make_report(FINDING_REPEATED, "GET", 10000, 9000);

	(void)state;
	report.then = (struct finding_saving){0};
	add_report(summary, &report);
	struct summary_prediction predicted = summary_predict(summary, summary->endpoints);

	assert_true(predicted.runs == 1 && predicted.then == predicted.now);
	summary_clear(summary);
	report = make_report(FINDING_DUPLICATE, "GET", 10000, 9000);
	add_report(summary, &report);
	predicted = summary_predict(summary, summary->endpoints);
	assert_true(predicted.low == 0 && predicted.then > 0);
	summary_free(summary);
}

/* From when on a finding is one over all runs: each threshold is met exactly, and then missed by the least step. */
static void test_shown(void **state)
{
	struct summary *summary = summary_new();
	struct finding_rules *rules = &summary->facts.rules;
	struct finding_report report = make_report(FINDING_REPEATED, "GET", 10000, 500), nothing = report;

	(void)state;
	nothing.count = 0;
	for (int i = 0; i < 10; i++)
		add_report(summary, i < 4 ? &report : &nothing);
	const struct summary_endpoint *row = summary->endpoints;
	struct summary_finding *finding = &row->findings[0]; /* in 4 of 10 runs, 8 needless of 16 */

	*rules = (struct finding_rules){.shown = {.runs = 4, .run_share = 0.4}};
	assert_true(summary_is_shown(summary, row, finding));
	rules->shown.runs = 5;
	assert_false(summary_is_shown(summary, row, finding));
	*rules = (struct finding_rules){.shown = {.run_share = 0.41}};
	assert_false(summary_is_shown(summary, row, finding));
	*rules = (struct finding_rules){.repeated = {.least = 8, .share = 0.5}};
	assert_true(summary_is_shown(summary, row, finding));
	rules->repeated.least = 9;
	assert_false(summary_is_shown(summary, row, finding));
	*rules = (struct finding_rules){.repeated = {.share = 0.51}};
	assert_false(summary_is_shown(summary, row, finding));
	finding->kind = FINDING_RECONNECT; /* what holds for one kind says nothing of another */
	assert_true(summary_is_shown(summary, row, finding));
	rules->reconnect.share = 0.51;
	assert_false(summary_is_shown(summary, row, finding));
	finding->kind = FINDING_SLOW_START;
	rules->slow_start.share = 0.4;
	assert_true(summary_is_shown(summary, row, finding));
	rules->slow_start.share = 0.41;
	assert_false(summary_is_shown(summary, row, finding));
	finding->kind = FINDING_DUPLICATE;
	assert_true(summary_is_shown(summary, row, finding));
	summary_free(summary);
}

static void test_requests(void **state)
{
	struct summary *summary = summary_new();
	struct call request = make_call(50000, "GET /");

	(void)state;
	summary_add_request(summary, &request, true);
	request.answered = false;
	summary_add_request(summary, &request, false);
	assert_true(summary->requests == 2 && summary->requests_without_endpoint == 1);
	assert_true(summary->request_latency.count == 1 && summary->request_latency.sum == 3000);
	summary_free(summary);
}

/* Two methods of one name, as CPython 3.9 names them, are told apart by where they are. */
static void test_same_name(void **state)
{
	struct summary *summary = summary_new();
	struct run_endpoint twin = homepage;
	struct call call = make_call(6379, "GET");

	(void)state;
	twin.line = 99;
	add(summary, &call, &homepage);
	add(summary, &call, &twin);
	assert_int_equal(HASH_COUNT(summary->endpoints), 2);
	summary_free(summary);
}

static void test_addresses(void **state)
{
	static const struct {
		struct call_backend where;
		const char *text;
	} cases[] = {
	    {{NT_TCP, AF_INET, 80, {10, 0, 0, 5}}, "10.0.0.5:80"},
	    {{NT_TCP, AF_INET6, 443, {[15] = 1}}, "[::1]:443"},
	    {{NT_TCP, AF_INET6, 65535, {0x20, 1, 0xd, 0xb8, [15] = 0xff}}, "[2001:db8::ff]:65535"},
	    {{NT_TCP, 99, 80, {1}}, "?:80"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct summary *summary = summary_new();
		struct call call = make_call(0, "GET");

		call.backend = cases[i].where;
		add(summary, &call, &homepage);
		assert_string_equal(summary->endpoints->backends->address, cases[i].text);
		summary_free(summary);
	}
}

static uint64_t endpoint_calls(const struct summary *summary)
{
	uint64_t calls = 0;

	for (const struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next) {
		uint64_t by_backend = 0;

		for (const struct summary_backend *backend = row->backends; backend; backend = backend->hh.next) {
			uint64_t by_operation = 0;

			for (const struct summary_operation *op = backend->operations; op; op = op->hh.next)
				by_operation += op->calls;
			assert_true(by_operation == backend->calls);
			by_backend += backend->calls;
		}
		assert_true(by_backend == row->calls);
		calls += row->calls;
	}
	return calls;
}

/* Beyond the bounds every call is still counted, in a row called "(other)". */
static void test_bounds(void **state)
{
	enum { MANY = 10000 };
	static struct run_endpoint endpoints[MANY];
	struct summary *summary = summary_new();
	char name[32];

	(void)state;
	for (int i = 0; i < MANY; i++) { /* operations of one backend */
		snprintf(name, sizeof(name), "OPERATION %d", i);
		struct call call = make_call(6379, name);

		add(summary, &call, &homepage);
	}
	assert_int_equal(HASH_COUNT(summary->endpoints->backends->operations), SUMMARY_MAX_OPERATIONS + 1);
	for (int i = 0; i < MANY; i++) { /* backends of one endpoint */
		struct call call = make_call((uint16_t)(10000 + i), "GET");

		add(summary, &call, &stock);
	}
	assert_int_equal(HASH_COUNT(find(summary, "shop.views.stock")->backends), SUMMARY_MAX_BACKENDS + 1);
	for (int i = 0; i < MANY; i++) { /* endpoints */
		struct call call = make_call(6379, "GET");

		snprintf(name, sizeof(name), "endpoint %d", i);
		endpoints[i] = (struct run_endpoint){name, "/x.py", 1};
		add(summary, &call, &endpoints[i]);
	}
	assert_true(HASH_COUNT(summary->endpoints) <= SUMMARY_MAX_ENDPOINTS + 1);
	assert_true(summary->rows <= SUMMARY_MAX_ROWS);
	assert_true(summary->truncated);
	assert_non_null(find(summary, SUMMARY_OTHER));
	assert_true(endpoint_calls(summary) == 3 * MANY);
	summary_free(summary);
}

static void test_site_bound(void **state)
{
	struct summary *summary = summary_new();
	struct call call = make_call(6379, "GET");
	struct run_site site = session;

	(void)state;
	for (site.line = 1; site.line <= 3 * SUMMARY_MAX_SITES; site.line++)
		assert_int_equal(summary_add_call(summary, &call, &homepage, &site, RUN_NO_ENDPOINT), 0);
	assert_int_equal(summary->endpoints->backends->site_count, SUMMARY_MAX_SITES);
	assert_true(summary->endpoints->backends->calls == 3 * SUMMARY_MAX_SITES);
	assert_false(summary->truncated);
	summary_free(summary);
}

static char *as_json(struct summary *summary)
{
	struct output_style style = {false, false, 0};
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	summary_sort(summary);
	assert_int_equal(output_find("json")->write(stream, summary, &style), 0);
	fclose(stream);
	return text;
}

/* Adds something random to both. */
static void add_random(struct summary *one, struct summary *other)
{
	static const struct run_endpoint *const endpoints[] = {&homepage, &stock, NULL};
	static const char *const operations[] = {"GET", "SET", "MGET"};
	const struct run_endpoint *endpoint = endpoints[test_random_below(3)];
	struct call call = make_call((uint16_t)(1 + test_random_below(3)), operations[test_random_below(3)]);
	struct run run = make_run(endpoint, test_random_below(1000000), test_random_below(1000000));
	struct run_site site = session;
	enum run_reason reason = (enum run_reason)test_random_below(RUN_REASON_COUNT);
	bool error = test_random_below(10) == 0;
	struct finding_report report = make_report((enum finding_kind)test_random_below(FINDING_KIND_COUNT), "GET",
						   50000, test_random_below(50000));

	report.analysed = test_random_below(4) > 0;
	site.line = 1 + (uint32_t)test_random_below(4);
	run.route = "GET /";
	run.partial = test_random_below(10) == 0;
	run.calls = test_random_below(5);
	run.backend_count = 1;
	run.backends[0] = (struct run_backend){call.protocol, call.backend, run.calls};
	call.error = error;
	call.answered = !error;
	call.in_last += test_random_below(1000000);
	for (int i = 0; i < 2; i++) {
		struct summary *summary = i ? other : one;

		assert_int_equal(summary_add_call(summary, &call, endpoint, &site, reason), 0);
		summary_add_request(summary, &call, !error);
		if (endpoint)
			assert_int_equal(summary_add_run(summary, &run, &report), 0);
	}
}

static void test_merge_is_adding_all(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct summary *all = summary_new(), *merged = summary_new();

		for (int part = 0; part < 5; part++) {
			struct summary *summary = summary_new();

			for (int i = 0; i < 100; i++)
				add_random(all, summary);
			assert_int_equal(summary_merge(merged, summary), 0);
			summary_free(summary);
		}
		char *one = as_json(all), *other = as_json(merged);

		assert_string_equal(one, other);
		assert_non_null(strstr(one, "\"calls\":"));
		free(one);
		free(other);
		summary_free(all);
		summary_free(merged);
	}
}

static void test_order(void **state)
{
	struct summary *summary = summary_new();
	struct run_endpoint other = {"a.first", "/a.py", 1};
	struct run runs[] = {make_run(&homepage, 9000, 2000), make_run(&stock, 9000, 5000),
			     make_run(&other, 9000, 2000)};
	struct call calls[] = {make_call(1, "SET"), make_call(2, "GET"), make_call(2, "SET"), make_call(2, "SET"),
			       make_call(2, "DEL")};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(summary_add_run(summary, &runs[i], NULL), 0);
	for (size_t i = 0; i < 5; i++)
		add(summary, &calls[i], &stock);
	summary_sort(summary);
	const struct summary_endpoint *row = summary->endpoints;

	assert_string_equal(row->name, "shop.views.stock");
	assert_string_equal(row->backends->address, "127.0.0.1:2");
	const struct summary_operation *operation = row->backends->operations;

	assert_string_equal(operation->name, "SET");
	operation = operation->hh.next;
	assert_string_equal(operation->name, "DEL");
	operation = operation->hh.next;
	assert_string_equal(operation->name, "GET");
	row = row->hh.next;
	assert_string_equal(row->name, "a.first");
	row = row->hh.next;
	assert_string_equal(row->name, "shop.views.homepage");
	/* It can be filled on. */
	add(summary, &calls[0], &stock);
	assert_int_equal(HASH_COUNT(summary->endpoints), 3);
	summary_free(summary);
}

static int set_target(struct summary *summary, uint32_t pid, const char *command)
{
	struct {
		struct nt_process process;
		char command[64];
	} record = {.process = {.python_major = 3, .python_minor = 11, .attribution = NT_ATTRIBUTION_STACK}};

	record.process.h.pid = pid;
	record.process.command_size = (__u16)strlen(command);
	memcpy(record.command, command, strlen(command));
	return summary_set_target(summary, &record.process);
}

static void test_targets(void **state)
{
	struct summary *summary = summary_new();

	(void)state;
	assert_int_equal(set_target(summary, 10, "one"), 0);
	assert_int_equal(set_target(summary, 11, "two"), 0);
	assert_int_equal(set_target(summary, 10, "one again"), 0);
	assert_int_equal(summary->target_count, 2);
	assert_string_equal(summary->targets[0].command, "one again");
	summary_end_target(summary, 10);
	assert_int_equal(summary->target_count, 2); /* until this interval's end */
	assert_int_equal(set_target(summary, 10, "the pid again"), 0);
	assert_int_equal(summary->target_count, 3);
	summary_next(summary);
	assert_int_equal(summary->target_count, 2);
	assert_string_equal(summary->targets[0].command, "two");
	assert_string_equal(summary->targets[1].command, "the pid again");
	for (uint32_t pid = 100; pid < 100 + 2 * SUMMARY_MAX_TARGETS; pid++)
		assert_int_equal(set_target(summary, pid, "many"), 0);
	assert_int_equal(summary->target_count, SUMMARY_MAX_TARGETS);
	assert_int_equal(summary->targets_more, SUMMARY_MAX_TARGETS + 2);
	/* Those that have ended make place for others. */
	summary_end_target(summary, 101);
	assert_int_equal(set_target(summary, 50, "new"), 0);
	assert_int_equal(summary->target_count, SUMMARY_MAX_TARGETS);
	assert_int_equal(summary->targets_more, SUMMARY_MAX_TARGETS + 3);
	assert_string_equal(summary->targets[SUMMARY_MAX_TARGETS - 1].command, "new");
	assert_int_equal(summary->targets[0].pid, 11);
	summary_free(summary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_connects),
	    cmocka_unit_test(test_unattributed),
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_serial),
	    cmocka_unit_test(test_candidates),
	    cmocka_unit_test(test_findings_bounded),
	    cmocka_unit_test(test_prediction),
	    cmocka_unit_test(test_prediction_bounds),
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_same_name),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_site_bound),
	    cmocka_unit_test(test_merge_is_adding_all),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_targets),
	    cmocka_unit_test(test_calls_of_runs),
	};

	return cmocka_run_group_tests(tests, test_seed, NULL);
}
