/*
 * sort.c: the order in which outputs show a summary: what costs most comes first.
 */
#include <string.h>

#include "findings.h"
#include "summary.h"

static int more_first(uint64_t one, uint64_t other)
{
	return one == other ? 0 : one > other ? -1 : 1;
}

/* The last words decide between equals, so that the same records always give the same order. */
static int compare_endpoints(const struct summary_endpoint *one, const struct summary_endpoint *other)
{
	int order = more_first(one->network.sum, other->network.sum);

	if (!order)
		order = strcmp(one->name, other->name);
	if (!order)
		order = strcmp(one->file, other->file);
	return order ? order : more_first(other->line, one->line);
}

static int compare_backends(const struct summary_backend *one, const struct summary_backend *other)
{
	int order = more_first(one->calls, other->calls);

	if (!order)
		order = strcmp(one->key.protocol, other->key.protocol);
	if (!order)
		order = strcmp(one->address, other->address);
	return order ? order : memcmp(&one->key, &other->key, sizeof(one->key));
}

static int compare_operations(const struct summary_operation *one, const struct summary_operation *other)
{
	int order = more_first(one->calls, other->calls);

	return order ? order : strcmp(one->name, other->name);
}

static void sort_sites(struct summary_backend *backend)
{
	for (size_t i = 1; i < backend->site_count; i++) {
		struct summary_site site = backend->sites[i];
		size_t place = i;

		for (; place && backend->sites[place - 1].calls < site.calls; place--)
			backend->sites[place] = backend->sites[place - 1];
		backend->sites[place] = site;
	}
}

static void sort_backends(struct summary_endpoint *endpoint)
{
	HASH_SORT(endpoint->backends, compare_backends);
	for (struct summary_backend *row = endpoint->backends; row; row = row->hh.next) {
		HASH_SORT(row->operations, compare_operations);
		sort_sites(row);
	}
}

void summary_sort(struct summary *summary)
{
	HASH_SORT(summary->endpoints, compare_endpoints);
	for (struct summary_endpoint *row = summary->endpoints; row; row = row->hh.next) {
		sort_backends(row);
		findings_sort(row);
	}
	sort_backends(&summary->unattributed);
}
