/*
 * connection.c: the tables of the first stage: connections by id, and protocols by backend.
 *
 * Both are bounded; what has no place is counted by stage.c's counters and never stops the stage.
 */
#include "internal.h"

#include "../protocol/readers.h"

#include <stdlib.h>
#include <string.h>

struct connection *connection_find(struct call_stage *stage, uint64_t id)
{
	struct connection *connection = stage->recent;

	if (connection && connection->id == id)
		return connection;
	HASH_FIND(hh, stage->connections, &id, sizeof(id), connection);
	if (connection)
		stage->recent = connection;
	return connection;
}

void connection_describe(struct connection *connection, const struct nt_socket *socket)
{
	struct call_backend *backend = &connection->backend;

	backend->transport = socket->transport;
	backend->family = socket->family;
	backend->port = socket->remote_port;
	memcpy(backend->address, socket->remote, sizeof(backend->address));
}

struct connection *connection_add(struct call_stage *stage, const struct nt_socket *socket)
{
	struct connection *connection;

	if (HASH_COUNT(stage->connections) >= CALL_MAX_CONNECTIONS) {
		stage->stats.connections_refused++;
		return NULL;
	}
	connection = calloc(1, sizeof(*connection));
	if (connection) {
		connection->id = socket->connection;
		connection->direction = NT_NOWHERE;
		connection->role = socket->role == NT_ROLE_SERVER ? NT_ROLE_SERVER : NT_ROLE_CLIENT;
		connection->role_sure = socket->role != NT_ROLE_UNKNOWN;
		connection_describe(connection, socket);
		/* Of UDP it is told only where it goes to a name server, and not always with the bytes. */
		if (socket->transport == NT_UDP) {
			connection->spoken = &protocol_dns;
			connection->tries = CALL_DETECT_TRIES;
		}
		HASH_ADD(hh, stage->connections, id, sizeof(connection->id), connection);
	}
	if (!connection || connection->refused) {
		free(connection);
		stage->no_memory = true;
		stage->stats.connections_refused++;
		return NULL;
	}
	stage->recent = connection;
	return connection;
}

void connection_remove(struct call_stage *stage, struct connection *connection)
{
	if (stage->recent == connection)
		stage->recent = NULL;
	HASH_DEL(stage->connections, connection);
	intent_forget(stage, connection);
	content_drop(stage->contents, &connection->gathering[PROTOCOL_REQUEST]);
	content_drop(stage->contents, &connection->gathering[PROTOCOL_ANSWER]);
	free(connection->reader);
	free(connection);
}

const char *connection_protocol_name(const struct connection *connection)
{
	static const char *const transports[] = {[NT_TCP] = "tcp", [NT_UDP] = "udp", [NT_UNIX] = "unix"};
	uint8_t transport = connection->backend.transport;

	if (connection->protocol)
		return connection->protocol->name;
	if (connection->spoken)
		return connection->spoken->name;
	return transport >= NT_TCP && transport <= NT_UNIX ? transports[transport] : "tcp";
}

static struct known_backend *find_backend(const struct call_stage *stage, const struct call_backend *backend)
{
	struct known_backend *known;

	HASH_FIND(hh, stage->backends, backend, sizeof(*backend), known);
	return known;
}

void backend_learn(struct call_stage *stage, const struct call_backend *backend, const struct protocol *protocol)
{
	struct known_backend *known = find_backend(stage, backend);

	if (known) {
		known->protocol = protocol;
		return;
	}
	if (HASH_COUNT(stage->backends) < CALL_MAX_BACKENDS && (known = calloc(1, sizeof(*known)))) {
		known->backend = *backend;
		known->protocol = protocol;
		HASH_ADD(hh, stage->backends, backend, sizeof(known->backend), known);
	}
	if (!known || known->refused) {
		free(known);
		stage->stats.backends_refused++;
	}
}

const struct protocol *backend_protocol(const struct call_stage *stage, const struct call_backend *backend)
{
	struct known_backend *known = find_backend(stage, backend);

	return known ? known->protocol : NULL;
}

void backend_forget_all(struct call_stage *stage)
{
	struct known_backend *known = stage->backends, *next;

	HASH_CLEAR(hh, stage->backends); /* frees the table, not what was in it */
	for (; known; known = next) {
		next = known->hh.next;
		free(known);
	}
}
