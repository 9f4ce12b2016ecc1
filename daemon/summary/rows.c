/*
 * rows.c: the bounded tables of a summary (rows.h).
 */
#include "rows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

/* Of a table of rows: most have few. */
#undef HASH_INITIAL_NUM_BUCKETS
#define HASH_INITIAL_NUM_BUCKETS 4U
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS_LOG2 2U

/* Bytes of a name or a file; the run stage's are shorter, and longer ones lose their end. */
#define NAME_MAX_SIZE 2048

struct endpoint_key {
	char bytes[2 * (NAME_MAX_SIZE + 1) + sizeof(uint32_t)];
	size_t size, file; /* `file` is where the file begins */
};

static void make_endpoint_key(struct endpoint_key *key, const char *name, const char *file, uint32_t line)
{
	size_t name_size = strnlen(name, NAME_MAX_SIZE);
	size_t file_size = strnlen(file, NAME_MAX_SIZE);

	memcpy(key->bytes, name, name_size);
	key->bytes[name_size] = 0;
	key->file = name_size + 1;
	memcpy(key->bytes + key->file, file, file_size);
	key->bytes[key->file + file_size] = 0;
	key->size = key->file + file_size + 1;
	memcpy(key->bytes + key->size, &line, sizeof(line));
	key->size += sizeof(line);
}

static struct summary_endpoint *add_endpoint(struct summary *summary, const struct endpoint_key *key, uint32_t line)
{
	struct summary_endpoint *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->key = malloc(key->size);
	if (!row->key)
		goto fail;
	memcpy(row->key, key->bytes, key->size);
	row->name = row->key;
	row->file = row->key + key->file;
	row->line = line;
	HASH_ADD_KEYPTR(hh, summary->endpoints, row->key, key->size, row);
	if (row->hh.tbl)
		return row;
fail:
	free(row->key);
	free(row);
	return NULL;
}

/* Has a table of `used` rows a place for one more of its own? If not, "(other)" is what there is. */
bool row_take_place(struct summary *summary, size_t used, size_t limit)
{
	if (used < limit && summary->rows < SUMMARY_MAX_ROWS) {
		summary->rows++;
		return true;
	}
	summary->truncated = true;
	return false;
}

struct summary_endpoint *row_endpoint(struct summary *summary, const char *name, const char *file, uint32_t line)
{
	struct summary_endpoint *row;
	struct endpoint_key key;

	make_endpoint_key(&key, name, file, line);
	HASH_FIND(hh, summary->endpoints, key.bytes, key.size, row);
	if (row)
		return row;
	if (!row_take_place(summary, HASH_COUNT(summary->endpoints), SUMMARY_MAX_ENDPOINTS)) {
		line = 0;
		make_endpoint_key(&key, SUMMARY_OTHER, "", line);
		HASH_FIND(hh, summary->endpoints, key.bytes, key.size, row);
		if (row)
			return row;
	}
	return add_endpoint(summary, &key, line);
}

struct summary_endpoint *row_of_endpoint(struct summary *summary, const struct run_endpoint *endpoint)
{
	struct summary_recent *recent =
	    &summary->recent[(uintptr_t)endpoint / sizeof(*endpoint) % SUMMARY_RECENT_ENDPOINTS];

	if (recent->endpoint == endpoint)
		return recent->row;
	recent->row = row_endpoint(summary, row_text(endpoint->name), row_text(endpoint->file), endpoint->line);
	recent->endpoint = recent->row ? endpoint : NULL;
	return recent->row;
}

void row_format_address(const struct call_backend *where, char *ret_text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (!where->transport) {
		snprintf(ret_text, size, "%s", SUMMARY_OTHER);
		return;
	}
	if (where->transport == NT_UNIX) {
		snprintf(ret_text, size, "unix:");
		return;
	}
	if (where->family == AF_INET || where->family == AF_INET6)
		inet_ntop(where->family, where->address, host, sizeof(host));
	snprintf(ret_text, size, where->family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, where->port);
}

static struct summary_backend *find_backend(const struct summary_endpoint *endpoint,
					    const struct summary_backend_key *key)
{
	struct summary_backend *row;

	HASH_FIND(hh, endpoint->backends, key, sizeof(*key), row);
	return row;
}

struct summary_backend *row_backend(struct summary *summary, struct summary_endpoint *endpoint,
				    const struct summary_backend_key *key)
{
	struct summary_backend *row = find_backend(endpoint, key);
	struct summary_backend_key other = *key;

	if (row)
		return row;
	memset(&other.where, 0, sizeof(other.where));
	if (!row_take_place(summary, HASH_COUNT(endpoint->backends), SUMMARY_MAX_BACKENDS)) {
		key = &other;
		row = find_backend(endpoint, key);
		if (row)
			return row;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->key = *key;
	row_format_address(&key->where, row->address, sizeof(row->address));
	HASH_ADD(hh, endpoint->backends, key, sizeof(row->key), row);
	if (!row->hh.tbl) {
		free(row);
		return NULL;
	}
	return row;
}

struct summary_backend *row_of_backend(struct summary *summary, struct summary_endpoint *endpoint, const char *protocol,
				       const struct call_backend *where)
{
	struct summary_backend_key key = {.where = *where};
	struct summary_backend *row;

	for (unsigned i = 0; i < SUMMARY_RECENT_BACKENDS && endpoint->recent[i]; i++) {
		row = endpoint->recent[i];
		if (row->protocol == protocol && !memcmp(&row->key.where, where, sizeof(*where)))
			return row;
	}
	strncpy(key.protocol, protocol, sizeof(key.protocol) - 1);
	row = row_backend(summary, endpoint, &key);
	if (row) {
		row->protocol = protocol;
		endpoint->recent[endpoint->recent_next++ % SUMMARY_RECENT_BACKENDS] = row;
	}
	return row;
}

static struct summary_operation *find_operation(struct summary_backend *backend, const char *name)
{
	struct summary_operation *row = backend->recent;

	if (row && !strcmp(row->name, name))
		return row;
	HASH_FIND(hh, backend->operations, name, strlen(name), row);
	if (row)
		backend->recent = row;
	return row;
}

struct summary_operation *row_operation(struct summary *summary, struct summary_backend *backend, const char *name)
{
	struct summary_operation *row = find_operation(backend, name);

	if (row)
		return row;
	if (!row_take_place(summary, HASH_COUNT(backend->operations), SUMMARY_MAX_OPERATIONS)) {
		name = SUMMARY_OTHER;
		row = find_operation(backend, name);
		if (row)
			return row;
	}
	row = calloc(1, sizeof(*row));
	if (!row)
		return NULL;
	row->name = strdup(name);
	if (row->name)
		HASH_ADD_KEYPTR(hh, backend->operations, row->name, strlen(row->name), row);
	if (!row->hh.tbl) {
		free(row->name);
		free(row);
		return NULL;
	}
	return row;
}

static bool same_text(const char *one, const char *other)
{
	return one == other || !strcmp(one, other);
}

int row_add_site(struct summary_backend *backend, const char *function, const char *file, uint32_t line, uint64_t calls)
{
	for (size_t i = 0; i < backend->site_count; i++) {
		struct summary_site *site = &backend->sites[i];

		if (site->line == line && same_text(site->function, function) && same_text(site->file, file)) {
			site->calls += calls;
			return 0;
		}
	}
	if (backend->site_count == SUMMARY_MAX_SITES)
		return 0;
	struct summary_site *sites = realloc(backend->sites, (backend->site_count + 1) * sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	backend->sites = sites;
	sites[backend->site_count++] =
	    (struct summary_site){.function = function, .file = file, .line = line, .calls = calls};
	return 0;
}

/* The rows of a cleared table are still linked in their order. */
static void free_operations(struct summary_operation *row)
{
	while (row) {
		struct summary_operation *next = row->hh.next;

		histogram_free(&row->latency);
		free(row->name);
		free(row);
		row = next;
	}
}

static void free_backends(struct summary_backend *row)
{
	while (row) {
		struct summary_backend *next = row->hh.next;
		struct summary_operation *operations = row->operations;

		HASH_CLEAR(hh, row->operations);
		free_operations(operations);
		histogram_free(&row->latency);
		histogram_free(&row->wait);
		free(row->sites);
		free(row);
		row = next;
	}
}

void row_clear_endpoint(struct summary_endpoint *endpoint)
{
	struct summary_backend *backends = endpoint->backends;

	HASH_CLEAR(hh, endpoint->backends);
	free_backends(backends);
	histogram_free(&endpoint->wall);
	histogram_free(&endpoint->network);
	findings_clear(endpoint);
	free(endpoint->route);
	free(endpoint->key);
}

void row_free_endpoints(struct summary *summary)
{
	struct summary_endpoint *row = summary->endpoints;

	HASH_CLEAR(hh, summary->endpoints);
	while (row) {
		struct summary_endpoint *next = row->hh.next;

		row_clear_endpoint(row);
		free(row);
		row = next;
	}
}
