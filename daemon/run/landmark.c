/*
 * landmark.c: the table of landmark.h.
 */
#include "landmark.h"

#include <stddef.h>
#include <string.h>

#include "text.h"

static const struct row {
	const char *file; /* what the path of its file ends with, from the beginning of a name; NULL: any */
	const char *name; /* qualified; without `file`: the last component alone */
	enum landmark landmark;
} rows[] = {
    {"asyncio/events.py", "Handle._run", LANDMARK_LOOP},
    {"asyncio/base_events.py", "BaseEventLoop._run_once", LANDMARK_LOOP},
    {"asyncio/base_events.py", "BaseEventLoop.run_forever", LANDMARK_LOOP},
    {"asyncio/base_events.py", "BaseEventLoop.run_until_complete", LANDMARK_LOOP},
    {"asyncio/runners.py", "Runner.run", LANDMARK_LOOP}, /* uvloop's own loop has no frames */
    {"asyncio/runners.py", "run", LANDMARK_LOOP},
    {NULL, "connection_made", LANDMARK_LOOP}, /* it calls this, for no request that it has read */
    {"concurrent/futures/thread.py", "_worker", LANDMARK_WORKER},
    {"concurrent/futures/thread.py", "_WorkItem.run", LANDMARK_CARRIER},
    {"multiprocessing/pool.py", "worker", LANDMARK_WORKER},
    {"anyio/_backends/_asyncio.py", "WorkerThread.run", LANDMARK_SERVANT},
    {"starlette/background.py", "BackgroundTask.__call__", LANDMARK_AFTERWARDS},
    {"asyncio/selector_events.py", "_SelectorSocketTransport._read_ready", LANDMARK_RECEIVER},
    {NULL, "data_received", LANDMARK_RECEIVER}, /* asyncio.Protocol's, which a loop in C calls */
    {NULL, "buffer_updated", LANDMARK_RECEIVER},
};

enum landmark landmark_find(const char *file, const char *name, bool qualified)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		const char *wanted = row->file && qualified ? row->name : text_last_component(row->name);
		const char *found = row->file && qualified ? name : text_last_component(name);

		if (!strcmp(wanted, found) && (!row->file || text_ends_path(file, row->file)))
			return row->landmark;
	}
	return LANDMARK_NONE;
}
