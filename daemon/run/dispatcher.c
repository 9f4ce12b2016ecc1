/*
 * dispatcher.c: the table of dispatchers, see dispatcher.h.
 *
 * Each row was measured with the framework itself, in the versions of Debian 11 to unstable that have it
 * (tests/matrix); a framework with two rows has had two ways over time, or has two ways to call.
 *
 * On 3.8-3.10 the last component is all there is of a name. What else has such a name in these files was looked at:
 * `app`, `handler`, `wrapper`, `dispatch`, `run`, `__call__` and Pyramid's views call users' functions there, too, or
 * stand around one that does; and the innermost one counts.
 */
#include "dispatcher.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const struct dispatcher dispatcher_table[] = {
    /* Flask: view functions, class views */
    {.file = "flask/app.py", .name = "Flask.dispatch_request"},
    {.file = "flask/views.py", .name = "MethodView.dispatch_request"},
    {.file = "quart/app.py", .name = "Quart.dispatch_request"},
    /* Flask's and Django's `async def` views, and Django's plain views under ASGI */
    {.file = "asgiref/sync.py", .name = "AsyncToSync.main_wrap", .generic = true},
    {.file = "asgiref/sync.py", .name = "SyncToAsync.thread_handler", .generic = true},
    /* Django: WSGI, ASGI, class views, csrf_exempt */
    {.file = "django/core/handlers/base.py", .name = "BaseHandler._get_response"},
    {.file = "django/core/handlers/base.py", .name = "BaseHandler._get_response_async"},
    {.file = "django/views/generic/base.py", .name = "View.dispatch"},
    {.file = "django/views/decorators/csrf.py", .name = "csrf_exempt.<locals>.wrapped_view"},
    {.file = "django/views/decorators/csrf.py", .name = "csrf_exempt.<locals>._view_wrapper"},
    {.file = "rest_framework/views.py", .name = "APIView.dispatch"},
    {.file = "rest_framework/decorators.py", .name = "api_view.<locals>.decorator.<locals>.handler"},
    /* FastAPI and Starlette: `async def`, plain functions on a worker thread, routes, class endpoints */
    {.file = "fastapi/routing.py", .name = "run_endpoint_function"},
    {.file = "anyio/_backends/_asyncio.py", .name = "WorkerThread.run", .generic = true},
    {.file = "starlette/routing.py", .name = "request_response.<locals>.app"},
    {.file = "starlette/routing.py", .name = "request_response.<locals>.app.<locals>.app"},
    /* FastAPI's own since 0.118: what it calls beside endpoints are their dependencies */
    {.file = "fastapi/routing.py", .name = "request_response.<locals>.app.<locals>.app"},
    {.file = "starlette/endpoints.py", .name = "HTTPEndpoint.dispatch"},
    {.file = "aiohttp/web_app.py", .name = "Application._handle"},
    {.file = "aiohttp/web_urldispatcher.py", .name = "View._iter"},
    {.file = "tornado/web.py", .name = "RequestHandler._execute"},
    {.file = "falcon/asgi/app.py", .name = "App.__call__"},
    {.file = "bottle.py", .name = "JSONPlugin.apply.<locals>.wrapper"},
    /* Pyramid: what adapts views' arguments; a view that takes both of them has none, and rendering is not the view */
    {.file = "pyramid/viewderivers.py", .name = "DefaultViewMapper.map_*.<locals>._*view"},
    {.file = "pyramid/viewderivers.py", .name = "rendered_view.<locals>.*view*", .generic = true},
    {.file = "cherrypy/_cpdispatch.py", .name = "PageHandler.__call__"},
    /* tasks; Celery's function also sends the result and the next tasks' messages */
    {.file = "celery/app/trace.py", .name = "build_tracer.<locals>.trace_task", .generic = true},
    {.file = "rq/job.py", .name = "Job._execute"},
    /* other servers: gRPC's threads; Thrift's generated code, whose file is the service's name */
    {.file = "grpc/_server.py", .name = "_call_behavior"},
    {.file = "grpc/_server.py", .name = "_take_response_from_response_iterator"},
    {.file = NULL, .name = "Processor.process_*", .generic = true, .caller = "process"},
    /* gunicorn calls the WSGI application, which is mostly a framework's and not an endpoint itself */
    {.file = "gunicorn/workers/sync.py", .name = "SyncWorker.handle_request", .generic = true},
    {.file = "gunicorn/workers/gthread.py", .name = "ThreadWorker.handle_request", .generic = true},
    {.file = "gunicorn/workers/base_async.py", .name = "AsyncWorker.handle_request", .generic = true},
};

struct dispatcher_row {
	struct dispatcher dispatcher;
	struct dispatcher_row *next;
	char text[];
};

/* The next word of a text, which is cut there; NULL: none. */
static char *next_word(char **text)
{
	char *word;

	do
		word = strsep(text, " \t");
	while (word && !*word);
	return word;
}

int dispatcher_add(struct dispatcher_rows *rows, const char *text)
{
	struct dispatcher_row *row;
	char *rest, *kind;

	if (rows->count >= DISPATCHER_MAX_ADDED)
		return -ENOSPC;
	row = calloc(1, sizeof(*row) + strlen(text) + 1);
	if (!row)
		return -ENOMEM;
	rest = memcpy(row->text, text, strlen(text) + 1);
	row->dispatcher.file = next_word(&rest);
	row->dispatcher.name = next_word(&rest);
	kind = next_word(&rest);
	row->dispatcher.generic = kind;
	if (!row->dispatcher.name || (kind && strcmp(kind, "generic") != 0) || next_word(&rest)) {
		free(row);
		return -EINVAL;
	}
	if (!strcmp(row->dispatcher.file, "*"))
		row->dispatcher.file = NULL;
	*(rows->last ? &rows->last->next : &rows->first) = row;
	rows->last = row;
	rows->count++;
	return 0;
}

void dispatcher_clear(struct dispatcher_rows *rows)
{
	while (rows->first) {
		struct dispatcher_row *next = rows->first->next;

		free(rows->first);
		rows->first = next;
	}
	rows->last = NULL;
	rows->count = 0;
}

static bool matches(const struct dispatcher *row, const char *file, const char *name, bool qualified)
{
	return (!row->file || text_ends_path(file, row->file)) &&
	       !fnmatch(qualified ? row->name : text_last_component(row->name), name, 0);
}

const struct dispatcher *dispatcher_find(const struct dispatcher_rows *rows, const char *file, const char *name,
					 bool qualified)
{
	for (const struct dispatcher_row *row = rows->first; row; row = row->next)
		if (matches(&row->dispatcher, file, name, qualified))
			return &row->dispatcher;
	for (size_t i = 0; i < sizeof(dispatcher_table) / sizeof(*dispatcher_table); i++)
		if (matches(&dispatcher_table[i], file, name, qualified))
			return &dispatcher_table[i];
	return NULL;
}

bool dispatcher_called_by(const struct dispatcher *row, const char *file, const char *caller_file,
			  const char *caller_name)
{
	if (!row->caller)
		return true;
	return caller_name && !strcmp(text_last_component(caller_name), row->caller) && !strcmp(caller_file, file);
}
