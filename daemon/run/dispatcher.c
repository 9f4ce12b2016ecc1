/*
 * dispatcher.c: the table of dispatchers, see dispatcher.h.
 *
 * Each row was measured with the framework itself, in Debian 12's and 13's versions; a framework with two rows has
 * had two ways over time, or has two ways to call.
 */
#include "dispatcher.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

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
    {.file = "rest_framework/views.py", .name = "APIView.dispatch"},
    {.file = "rest_framework/decorators.py", .name = "api_view.<locals>.decorator.<locals>.handler"},
    /* FastAPI and Starlette: `async def`, plain functions on a worker thread, routes, class endpoints */
    {.file = "fastapi/routing.py", .name = "run_endpoint_function"},
    {.file = "anyio/_backends/_asyncio.py", .name = "WorkerThread.run", .generic = true},
    {.file = "starlette/routing.py", .name = "request_response.<locals>.app"},
    {.file = "starlette/routing.py", .name = "request_response.<locals>.app.<locals>.app"},
    {.file = "starlette/endpoints.py", .name = "HTTPEndpoint.dispatch"},
    {.file = "aiohttp/web_app.py", .name = "Application._handle"},
    {.file = "aiohttp/web_urldispatcher.py", .name = "View._iter"},
    {.file = "tornado/web.py", .name = "RequestHandler._execute"},
    {.file = "falcon/asgi/app.py", .name = "App.__call__"},
    {.file = "bottle.py", .name = "JSONPlugin.apply.<locals>.wrapper"},
    {.file = "pyramid/viewderivers.py", .name = "DefaultViewMapper.map_*.<locals>._*view"},
    {.file = "cherrypy/_cpdispatch.py", .name = "PageHandler.__call__"},
    /* tasks */
    {.file = "celery/app/trace.py", .name = "build_tracer.<locals>.trace_task"},
    {.file = "rq/job.py", .name = "Job._execute"},
    /* other servers: gRPC's threads; Thrift's generated code, whose file is the service's name */
    {.file = "grpc/_server.py", .name = "_call_behavior"},
    {.file = NULL, .name = "Processor.process_*", .generic = true, .qualified = true},
    /* gunicorn calls the WSGI application, which is mostly a framework's and not an endpoint itself */
    {.file = "gunicorn/workers/sync.py", .name = "SyncWorker.handle_request", .generic = true},
    {.file = "gunicorn/workers/gthread.py", .name = "ThreadWorker.handle_request", .generic = true},
    {.file = "gunicorn/workers/base_async.py", .name = "AsyncWorker.handle_request", .generic = true},
};

static bool file_matches(const struct dispatcher *row, const char *file)
{
	size_t size = strlen(file), row_size;

	if (!row->file)
		return true;
	row_size = strlen(row->file);
	if (size < row_size || strcmp(file + size - row_size, row->file) != 0)
		return false;
	return size == row_size || file[size - row_size - 1] == '/';
}

static bool name_matches(const struct dispatcher *row, const char *name, bool qualified)
{
	const char *dot;

	if (qualified)
		return fnmatch(row->name, name, 0) == 0;
	if (row->qualified)
		return false;
	dot = strrchr(row->name, '.');
	return fnmatch(dot ? dot + 1 : row->name, name, 0) == 0;
}

const struct dispatcher *dispatcher_find(const char *file, const char *name, bool qualified)
{
	for (size_t i = 0; i < sizeof(dispatcher_table) / sizeof(*dispatcher_table); i++) {
		const struct dispatcher *row = &dispatcher_table[i];

		if (file_matches(row, file) && name_matches(row, name, qualified))
			return row;
	}
	return NULL;
}
