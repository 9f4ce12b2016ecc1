/*
 * test_endpoint.c: which function on a stack is the endpoint, rule by rule; and how code objects are kept.
 */
#include "test.h"

#include <errno.h>

#include "../../daemon/run/code.h"
#include "../../daemon/run/dispatcher.h"
#include "../../daemon/run/endpoint.h"
#include "../../daemon/run/place.h"
#include "../../daemon/run/text.h"
#include "stacks.h"

#define PID 7
#define DIST "/usr/lib/python3/dist-packages/"
#define SITE "/srv/shop/venv/lib/python3.11/site-packages/"
#define STD "/usr/lib/python3.11/"

/* Frames that many stacks have. */
#define SCRIPT                                                                                                         \
	{                                                                                                              \
		"/usr/bin/gunicorn", "<module>"                                                                        \
	}
#define WORKER                                                                                                         \
	{                                                                                                              \
		DIST "gunicorn/workers/sync.py", "SyncWorker.handle_request"                                           \
	}
#define FLASK                                                                                                          \
	{                                                                                                              \
		DIST "flask/app.py", "Flask.dispatch_request"                                                          \
	}
#define FLASK_WSGI                                                                                                     \
	{                                                                                                              \
		DIST "flask/app.py", "Flask.wsgi_app"                                                                  \
	}
#define DJANGO                                                                                                         \
	{                                                                                                              \
		SITE "django/core/handlers/base.py", "BaseHandler._get_response"                                       \
	}
#define REDIS                                                                                                          \
	{                                                                                                              \
		DIST "redis/client.py", "Redis.execute_command"                                                        \
	}
#define VIEW                                                                                                           \
	{                                                                                                              \
		"/srv/shop/views.py", "homepage"                                                                       \
	}
#define NESTED 0x10u  /* co_flags: made inside another function */
#define WRAPPER 0x1cu /* and taking *args, **kwargs */
#define LOGIN                                                                                                          \
	{                                                                                                              \
		"/srv/shop/auth.py", "login.<locals>.wrapper", WRAPPER                                                 \
	}
#define LOGIN_TITLE "auth.login.<locals>.wrapper"
#define THREAD                                                                                                         \
	{STD "threading.py", "Thread._bootstrap"},                                                                     \
	{                                                                                                              \
		STD "threading.py", "Thread.run"                                                                       \
	}

struct example {
	const char *what;
	struct {
		const char *file, *name;
		uint32_t flags; /* co_flags */
	} frames[12];		/* outermost first */
	const char *endpoint;	/* NULL: none */
	const char *site;	/* NULL: the endpoint itself, or none */
	const char *patterns[3];
	bool plain;	/* 3.8-3.10: names are not qualified */
	bool uncertain; /* a frame further out could change the endpoint */
};

static const struct example examples[] = {
    {.what = "Flask's view", .frames = {SCRIPT, WORKER, FLASK_WSGI, FLASK, VIEW, REDIS}, .endpoint = "views.homepage"},
    {.what = "what a view calls is not it",
     .frames = {SCRIPT, WORKER, FLASK, VIEW, {"/srv/shop/session.py", "current_user"}, REDIS},
     .endpoint = "views.homepage",
     .site = "session.current_user"},
    {.what = "a decorator of a package's around the view",
     .frames = {WORKER, FLASK, {SITE "flask_login/utils.py", "login_required.<locals>.decorated_view"}, VIEW, REDIS},
     .endpoint = "views.homepage"},
    {.what = "decorators of the application's own around the view",
     .frames = {WORKER, FLASK, LOGIN, {DIST "functools.py", "once.<locals>.wrapper", WRAPPER}, LOGIN, VIEW, REDIS},
     .endpoint = "views.homepage"},
    {.what = "a call of the decorator itself", .frames = {WORKER, FLASK, LOGIN, REDIS}, .endpoint = LOGIN_TITLE},
    {.what = "a decorator that is a class",
     .frames = {WORKER, FLASK, {"/srv/shop/auth.py", "Login.__call__", WRAPPER & ~NESTED}, VIEW, REDIS},
     .endpoint = "views.homepage"},
    {.what = "a call of a library that comes back is the decorator's own",
     .frames = {FLASK, LOGIN, {DIST "redis/client.py", "Redis.transaction"}, {"/srv/shop/auth.py", "check"}, REDIS},
     .endpoint = LOGIN_TITLE,
     .site = "auth.check"},
    {.what = "a view made inside a function is no decorator",
     .frames = {FLASK, {"/srv/shop/views.py", "make.<locals>.page", NESTED}, {"/srv/shop/views.py", "user"}, REDIS},
     .endpoint = "views.make.<locals>.page",
     .site = "views.user"},
    {.what = "a class view: the inner dispatcher decides",
     .frames = {WORKER,
		FLASK,
		{DIST "flask/views.py", "View.as_view.<locals>.view"},
		{DIST "flask/views.py", "MethodView.dispatch_request"},
		{"/srv/shop/views.py", "Item.get"},
		REDIS},
     .endpoint = "views.Item.get"},
    {.what = "Django's view", .frames = {SCRIPT, WORKER, DJANGO, VIEW, REDIS}, .endpoint = "views.homepage"},
    {.what = "middleware of the application's own is not the view",
     .frames = {WORKER, {"/srv/shop/middleware.py", "Timing.__call__"}, DJANGO, VIEW, REDIS},
     .endpoint = "views.homepage"},
    {.what = "a call of the middleware itself",
     .frames = {WORKER, {"/srv/shop/middleware.py", "Timing.__call__"}, REDIS},
     .endpoint = "middleware.Timing.__call__"},
    {.what = "a package's view, with middleware of the application's own around it",
     .frames = {WORKER,
		{"/srv/shop/middleware.py", "Timing.__call__"},
		DJANGO,
		{SITE "django/contrib/admin/sites.py", "AdminSite.index"},
		REDIS},
     .endpoint = "sites.AdminSite.index"},
    {.what = "a view of the application's own that hands over to a package's",
     .frames = {DJANGO,
		{"/srv/shop/views.py", "Old.dispatch"},
		{SITE "django/views/generic/base.py", "View.dispatch"},
		{SITE "django/views/generic/base.py", "RedirectView.get"},
		REDIS},
     .endpoint = "views.Old.dispatch"},
    {.what = "plain WSGI",
     .frames = {SCRIPT, WORKER, {"/srv/shop/wsgi.py", "application"}, REDIS},
     .endpoint = "wsgi.application"},
    {.what = "WSGI of a package, nothing of the application's own", .frames = {SCRIPT, WORKER, FLASK_WSGI, REDIS}},
    {.what = "the server itself", .frames = {SCRIPT, {DIST "gunicorn/app/base.py", "Application.run"}, REDIS}},
    {.what = "an import inside a view",
     .frames = {FLASK,
		VIEW,
		{"<frozen importlib._bootstrap>", "_find_and_load"},
		{"/srv/shop/late.py", "<module>"},
		{"/srv/shop/late.py", "connect"},
		REDIS},
     .endpoint = "views.homepage",
     .site = "late.connect"},
    {.what = "a script's function",
     .frames = {{"/srv/job.py", "<module>"}, {"/srv/job.py", "main"}, {"/srv/job.py", "one"}, REDIS},
     .endpoint = "job.main",
     .site = "job.one",
     .uncertain = true},
    {.what = "a script's body",
     .frames = {{"/srv/job.py", "<module>"}, REDIS},
     .endpoint = "job.<module>",
     .uncertain = true},
    {.what = "a script of one's own in a directory called bin",
     .frames = {{"/srv/bin/job.py", "<module>"}, REDIS},
     .endpoint = "job.<module>",
     .uncertain = true},
    {.what = "a console script's body", .frames = {{"/usr/local/bin/flower", "<module>"}, REDIS}, .uncertain = true},
    {.what = "what a thread runs",
     .frames = {THREAD, {"/srv/job.py", "worker"}, {"/srv/job.py", "step"}, REDIS},
     .endpoint = "job.worker",
     .site = "job.step",
     .uncertain = true},
    {.what = "a comprehension is its function's",
     .frames = {{"/srv/job.py", "<module>"}, {"/srv/job.py", "<listcomp>"}, {"/srv/job.py", "fetch"}, REDIS},
     .endpoint = "job.fetch",
     .uncertain = true},
    {.what = "a comprehension in a function",
     .frames = {{"/srv/job.py", "main"}, {"/srv/job.py", "main.<locals>.<genexpr>"}, REDIS},
     .endpoint = "job.main",
     .site = "job.main.<locals>.<genexpr>",
     .uncertain = true},
    {.what = "python -c",
     .frames = {{"<string>", "<module>"}, {"<string>", "main"}, REDIS},
     .endpoint = "<string>.main",
     .uncertain = true},
    {.what = "what a library generates is not the application",
     .frames = {{"/srv/job.py", "<module>"}, {"<string>", "__init__"}, {"/srv/job.py", "now"}, REDIS},
     .endpoint = "job.now",
     .uncertain = true},
    {.what = "libraries alone", .frames = {THREAD, {SITE "kafka/client.py", "poll"}}, .uncertain = true},
    {.what = "a package inside a package is not the framework",
     .frames = {{SITE "notflask/app.py", "Flask.dispatch_request"}, VIEW},
     .endpoint = "views.homepage",
     .uncertain = true},
    {.what = "3.9: plain names",
     .frames = {SCRIPT,
		{DIST "gunicorn/workers/sync.py", "handle_request"},
		{DIST "flask/app.py", "dispatch_request"},
		VIEW,
		{DIST "redis/client.py", "get"}},
     .endpoint = "views.homepage",
     .plain = true},
    {.what = "3.9: a class view",
     .frames = {{DIST "flask/app.py", "dispatch_request"},
		{DIST "flask/views.py", "dispatch_request"},
		{"/srv/shop/views.py", "get"}},
     .endpoint = "views.get",
     .plain = true},
    {.what = "3.9: Thrift's handlers are not told by `process_` alone",
     .frames = {{"/srv/a.py", "process_all"}, {"/srv/a.py", "step"}},
     .endpoint = "a.process_all",
     .site = "a.step",
     .plain = true,
     .uncertain = true},
    {.what = "3.9: Thrift's handler",
     .frames = {THREAD,
		{"/srv/gen/Catalog.py", "process"},
		{"/srv/gen/Catalog.py", "process_getItem"},
		{"/srv/a.py", "getItem"}},
     .endpoint = "a.getItem",
     .plain = true},
    {.what = "a pattern: the outermost that matches",
     .frames = {{"/srv/a.py", "f"}, {"/srv/a.py", "g"}, {"/srv/a.py", "f"}, REDIS},
     .endpoint = "a.f",
     .site = "a.f",
     .patterns = {"a.f"}},
    {.what = "a pattern, and nothing that matches",
     .frames = {FLASK, VIEW, REDIS},
     .site = "views.homepage",
     .patterns = {"shop.*"}},
    {.what = "a glob",
     .frames = {FLASK, VIEW, {"/srv/shop/session.py", "user"}, REDIS},
     .endpoint = "session.user",
     .patterns = {"x.*", "ses*.u*"}},
    {.what = "a package's function",
     .frames = {FLASK, VIEW, REDIS},
     .endpoint = "client.Redis.execute_command",
     .patterns = {"client.Redis.*"}},
    {.what = "a file",
     .frames = {FLASK, VIEW, REDIS},
     .endpoint = "views.homepage",
     .patterns = {"/srv/shop/views.py:*"}},
    {.what = "the end of a path",
     .frames = {FLASK, VIEW, REDIS},
     .endpoint = "views.homepage",
     .patterns = {"shop/views.py:home*"}},
    {.what = "not the middle of a name",
     .frames = {FLASK, VIEW, REDIS},
     .site = "views.homepage",
     .patterns = {"iews.py:home*"}},
    {.what = "3.9: a method by its class",
     .frames = {{"/srv/shop/views.py", "get"}, REDIS},
     .endpoint = "views.get",
     .patterns = {"views.Item.get"},
     .plain = true},
    {.what = "3.9: another method of it",
     .frames = {{"/srv/shop/views.py", "get"}, REDIS},
     .site = "views.get",
     .patterns = {"views.Item.put"},
     .plain = true},
    {.what = "3.9: another module",
     .frames = {{"/srv/shop/views.py", "get"}, REDIS},
     .site = "views.get",
     .patterns = {"items.Item.get"},
     .plain = true},
    {.what = "3.9: a file and a method",
     .frames = {{"/srv/shop/views.py", "get"}, REDIS},
     .endpoint = "views.get",
     .patterns = {"views.py:Item.get"},
     .plain = true},
    {.what = "3.11 says which class",
     .frames = {{"/srv/shop/views.py", "get"}, REDIS},
     .site = "views.get",
     .patterns = {"views.Item.get"}},
};

/* The table, with an example's stack in it. */
static struct stack *stack_of(struct code_table *table, const struct endpoint_rules *rules,
			      const struct example *example)
{
	struct nt_frame frames[12] = {0};
	union record *record = malloc(sizeof(*record));
	struct code *code;
	unsigned depth = 0;

	while (depth < 12 && example->frames[depth].file)
		depth++;
	for (unsigned i = 0; i < depth; i++) {
		struct test_code text = {.address = 0x1000 + i * 0x100,
					 .file = example->frames[i].file,
					 .name = example->frames[i].name,
					 .plain = example->plain,
					 .flags = example->frames[i].flags};

		frames[depth - 1 - i].code = text.address;
		record_test_code(record, 1, PID, &text);
		assert_int_equal(code_take(table, &record->code, &code), 0);
		assert_non_null(code);
		endpoint_classify(rules, code);
	}
	record_frames(record, 1, PID, 99, frames, depth);
	assert_int_equal(stack_take(table, &record->stack), 0);
	free(record);
	return stack_find(process_find(table, PID), 99);
}

static void drop(struct code_table *table)
{
	while (table->processes)
		process_remove(table, table->processes);
	assert_int_equal(table->code_count, 0);
	assert_int_equal(table->stack_count, 0);
	assert_int_equal(table->bytes, 0);
}

static void check_example(const struct example *example)
{
	struct code_table table = {0};
	struct endpoint_rules rules = {0};
	struct place_table places = {0};
	struct stack *stack;
	const char *endpoint = NULL, *site = NULL, *wanted = example->site ? example->site : example->endpoint;
	bool certain;
	int index, at;

	for (int i = 0; i < 3 && example->patterns[i]; i++)
		assert_int_equal(endpoint_rules_add(&rules, example->patterns[i]), 0);
	stack = stack_of(&table, &rules, example);
	index = endpoint_find(&rules, stack, stack->depth, &certain);
	at = endpoint_find_site(stack, stack->depth, index);
	if (index >= 0)
		endpoint = place_endpoint(&places, stack->frames[index].code)->name;
	if (at >= 0)
		site = place_site(&places, &stack->frames[at])->function;
	if (!endpoint != !example->endpoint || (endpoint && strcmp(endpoint, example->endpoint) != 0))
		fail_msg("%s: endpoint %s, not %s", example->what, endpoint, example->endpoint);
	if (!site != !wanted || (site && strcmp(site, wanted) != 0))
		fail_msg("%s: site %s, not %s", example->what, site, wanted);
	if (certain == (example->uncertain || !endpoint))
		fail_msg("%s: certain %d", example->what, certain);
	place_table_clear(&places);
	endpoint_rules_clear(&rules);
	drop(&table);
}

static void every_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++)
		check_example(&examples[i]);
}

static void where_the_applications_own_code_is(void **state)
{
	static const struct {
		const char *file;
		enum code_own own;
	} files[] = {
	    {"/srv/shop/views.py", CODE_OWN},
	    {"views.py", CODE_OWN},
	    {"/opt/python/app/main.py", CODE_OWN},
	    {"/home/a/lib/pythonic/x.py", CODE_OWN},
	    {"/home/a/python3.11/x.py", CODE_OWN},
	    {"/usr/lib/python3.11/json/decoder.py", CODE_FOREIGN},
	    {"/usr/lib64/python3.9/json/decoder.py", CODE_FOREIGN},
	    {"/root/x/lib/python3.13t/json/decoder.py", CODE_FOREIGN},
	    {"/usr/lib/python311.zip/json/decoder.py", CODE_FOREIGN},
	    {"/usr/lib/python3/dist-packages/six.py", CODE_FOREIGN},
	    {"/srv/venv/lib/python3.11/site-packages/six.py", CODE_FOREIGN},
	    {"/srv/vendor/site-packages/six.py", CODE_FOREIGN},
	    {"<frozen importlib._bootstrap>", CODE_FOREIGN},
	    {"<attrs generated init shop.Item>", CODE_FOREIGN},
	    {"<string>", CODE_TYPED},
	    {"<stdin>", CODE_TYPED},
	    {"", CODE_FOREIGN},
	    {"__init__", CODE_FOREIGN},
	    {"__init__.py", CODE_OWN},
	};
	struct endpoint_rules rules = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct code code = {
		    .known = true, .file = (char *)(uintptr_t)files[i].file, .name = "f", .title = "m.f"};

		endpoint_classify(&rules, &code);
		if (code.own != files[i].own)
			fail_msg("%s: %d", files[i].file, code.own);
	}
}

static void what_the_kernel_is_told(void **state)
{
	struct endpoint_rules rules = {0};
	struct code view = {.known = true, .file = "/srv/a.py", .name = "f", .title = "a.f"};
	struct code module = {.known = true, .file = "/srv/a.py", .name = "<module>", .title = "a.<module>"};
	struct code flask = {.known = true,
			     .qualified = true,
			     .file = DIST "flask/app.py",
			     .name = "Flask.dispatch_request",
			     .title = "app.Flask.dispatch_request"};

	(void)state;
	endpoint_classify(&rules, &view);
	endpoint_classify(&rules, &module);
	endpoint_classify(&rules, &flask);
	assert_int_equal(endpoint_judge(&rules, &view), NT_CODE_JUDGED | NT_CODE_APPLICATION);
	assert_int_equal(endpoint_judge(&rules, &module), NT_CODE_JUDGED | NT_CODE_APPLICATION | NT_CODE_MODULE);
	assert_int_equal(endpoint_judge(&rules, &flask), NT_CODE_JUDGED | NT_CODE_DISPATCHER);

	assert_int_equal(endpoint_rules_add(&rules, "a.f"), 0);
	endpoint_classify(&rules, &view);
	endpoint_classify(&rules, &flask);
	assert_int_equal(endpoint_judge(&rules, &view), NT_CODE_JUDGED | NT_CODE_ENDPOINT);
	assert_int_equal(endpoint_judge(&rules, &flask), NT_CODE_JUDGED);
	endpoint_rules_clear(&rules);
}

static void dispatchers_by_version(void **state)
{
	struct dispatcher_rows none = {0};

	(void)state;
	assert_non_null(dispatcher_find(&none, SITE "django/core/handlers/base.py", "BaseHandler._get_response", true));
	assert_non_null(dispatcher_find(&none, "/x/django/core/handlers/base.py", "_get_response", false));
	assert_null(dispatcher_find(&none, "/x/django/core/handlers/base.py", "_get_response", true));
	assert_null(dispatcher_find(&none, "/x/mydjango/core/handlers/base.py", "BaseHandler._get_response", true));
	assert_non_null(dispatcher_find(&none, "bottle.py", "JSONPlugin.apply.<locals>.wrapper", true));
	assert_non_null(dispatcher_find(&none, "/srv/gen/Catalog.py", "Processor.process_getItem", true));
	assert_non_null(dispatcher_find(&none, "/srv/gen/Catalog.py", "process_getItem", false));
	assert_non_null(dispatcher_find(&none, SITE "pyramid/viewderivers.py",
					"DefaultViewMapper.map_nonclass_requestonly.<locals>._requestonly_view", true));
}

static void dispatchers_are_added(void **state)
{
	static const char *const wrong[] = {"", " ", "a.py", "a.py b specific", "a.py b generic c"};
	struct dispatcher_rows rows = {0};
	const struct dispatcher *row;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(dispatcher_add(&rows, wrong[i]), -EINVAL);
	assert_int_equal(dispatcher_add(&rows, "shop/frame.py App.call"), 0);
	assert_int_equal(dispatcher_add(&rows, "  shop/jobs.py\trun_*  generic "), 0);
	assert_int_equal(dispatcher_add(&rows, "* Handler.handle_*"), 0);
	assert_int_equal(dispatcher_add(&rows, "flask/app.py Flask.dispatch_request generic"), 0);
	row = dispatcher_find(&rows, "/srv/shop/frame.py", "App.call", true);
	assert_non_null(row);
	assert_false(row->generic);
	assert_non_null(dispatcher_find(&rows, "/srv/shop/frame.py", "call", false));
	row = dispatcher_find(&rows, "/srv/shop/jobs.py", "run_all", true);
	assert_non_null(row);
	assert_true(row->generic);
	assert_non_null(dispatcher_find(&rows, "/any/where.py", "Handler.handle_it", true));
	assert_true(dispatcher_find(&rows, DIST "flask/app.py", "Flask.dispatch_request", true)->generic);
	while (rows.count < DISPATCHER_MAX_ADDED)
		assert_int_equal(dispatcher_add(&rows, "a.py b"), 0);
	assert_int_equal(dispatcher_add(&rows, "a.py b"), -ENOSPC);
	dispatcher_clear(&rows);
	assert_null(dispatcher_find(&rows, "/srv/shop/frame.py", "App.call", true));
}

static void texts_of_every_width(void **state)
{
	static const uint8_t latin[] = {'a', 0xe9, 0x1b, 0x85};
	static const uint16_t two[] = {'b', 0x20ac, 0xd800, '\n'};
	static const uint32_t four[] = {'c', 0x1f600, 0x110000, 0x7f};
	char *text;

	(void)state;
	text = text_utf8(latin, sizeof(latin), 1);
	assert_string_equal(text, "a\xc3\xa9\\x1b\\x85");
	free(text);
	text = text_utf8((const uint8_t *)two, sizeof(two), 2);
	assert_string_equal(text, "b\xe2\x82\xac\xef\xbf\xbd\\x0a");
	free(text);
	text = text_utf8((const uint8_t *)four, sizeof(four), 4);
	assert_string_equal(text, "c\xf0\x9f\x98\x80\xef\xbf\xbd\\x7f");
	free(text);
	text = text_utf8((const uint8_t *)two, 3, 2); /* half a character is none */
	assert_string_equal(text, "b");
	free(text);
	text = text_clean("s\xc3\xb6\xff\xe2\x82x\xc0\x80\n", 10);
	assert_string_equal(text, "s\xc3\xb6\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\\x0a");
	free(text);
}

/* A code object that comes again is the same one, unless it is another: then old stacks keep the old one. */
static void code_objects_come_again(void **state)
{
	static const struct test_code first = {.address = 0x1000, .file = "/srv/a.py", .name = "f"};
	static const struct test_code other = {.address = 0x1000, .file = "/srv/a.py", .name = "g"};
	const struct nt_frame frame = {.code = 0x1000};
	struct code_table table = {0};
	struct code *code, *again;
	union record *record = malloc(sizeof(*record));
	struct stack *stack;

	(void)state;
	record_frames(record, 1, PID, 1, &frame, 1); /* the stack may come first */
	assert_int_equal(stack_take(&table, &record->stack), 0);
	stack = stack_find(process_find(&table, PID), 1);
	assert_false(stack->frames[0].code->known);
	record_test_code(record, 1, PID, &first);
	assert_int_equal(code_take(&table, &record->code, &code), 0);
	assert_ptr_equal(stack->frames[0].code, code);
	assert_int_equal(code_take(&table, &record->code, &again), 0);
	assert_null(again);

	record_test_code(record, 1, PID, &other);
	assert_int_equal(code_take(&table, &record->code, &again), 0);
	assert_non_null(again);
	assert_string_equal(stack->frames[0].code->name, "f");
	assert_int_equal(table.code_count, 2);
	record_frames(record, 1, PID, 1, &frame, 1); /* sent again: it means the new one */
	assert_int_equal(stack_take(&table, &record->stack), 0);
	stack = stack_find(process_find(&table, PID), 1);
	assert_string_equal(stack->frames[0].code->name, "g");
	assert_int_equal(table.code_count, 1);
	free(record);
	drop(&table);
}

static void malformed_records_are_refused(void **state)
{
	struct code_table table = {0};
	union record *record = malloc(sizeof(*record));
	const struct nt_frame frame = {.code = 0x1000};
	struct code *code;

	(void)state;
	record_code(record, 1, PID, 0x1000, "/srv/a.py", "f");
	record->code.lines_size = 9;
	assert_int_equal(code_take(&table, &record->code, &code), -EBADMSG);
	record_frames(record, 1, PID, 1, &frame, 1);
	record->stack.depth = 2;
	assert_int_equal(stack_take(&table, &record->stack), -EBADMSG);
	record->stack.depth = NT_MAX_FRAMES + 1;
	record->head.size = sizeof(*record);
	assert_int_equal(stack_take(&table, &record->stack), -EBADMSG);
	free(record);
	drop(&table);
}

static void tables_are_bounded(void **state)
{
	struct code_table table = {0};
	union record *record = malloc(sizeof(*record));
	struct nt_frame frame = {0};
	struct code *code;

	(void)state;
	for (uint64_t i = 0; i < RUN_MAX_CODES; i++) {
		record_code(record, 1, PID, 0x1000 + i, "", "");
		assert_int_equal(code_take(&table, &record->code, &code), 0);
	}
	record_code(record, 1, PID, 0x1000 + RUN_MAX_CODES, "", "");
	assert_int_equal(code_take(&table, &record->code, &code), -ENOSPC);
	frame.code = 0x1000;
	for (uint64_t i = 0; i < RUN_MAX_STACKS; i++) {
		record_frames(record, 1, PID, i + 1, &frame, 1);
		assert_int_equal(stack_take(&table, &record->stack), 0);
	}
	record_frames(record, 1, PID, RUN_MAX_STACKS + 1, &frame, 1);
	assert_int_equal(stack_take(&table, &record->stack), -ENOSPC);
	frame.code = 1; /* not known, and has no place */
	record_frames(record, 1, PID, 1, &frame, 1);
	assert_int_equal(stack_take(&table, &record->stack), -ENOSPC);
	assert_null(stack_find(process_find(&table, PID), 1));
	free(record);
	drop(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_rule),
	    cmocka_unit_test(where_the_applications_own_code_is),
	    cmocka_unit_test(what_the_kernel_is_told),
	    cmocka_unit_test(dispatchers_by_version),
	    cmocka_unit_test(dispatchers_are_added),
	    cmocka_unit_test(texts_of_every_width),
	    cmocka_unit_test(code_objects_come_again),
	    cmocka_unit_test(malformed_records_are_refused),
	    cmocka_unit_test(tables_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
