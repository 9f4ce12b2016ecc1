/*
 * mask.h: what of a request's data may be shown as part of an operation's name: what names a route or a kind of key,
 * not what may be somebody's.
 */
#ifndef NT_MASK_H
#define NT_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol.h"

/*
 * Does a part of a path look like data? Numbers, dates, hexadecimal ids, uuids, tokens, whatever is long, and whatever
 * has characters that no name of a route has.
 */
bool mask_is_data(const char *text, size_t size);

/*
 * Writes `GET user:?` for GET and the key user:17: of a key only the first component is ever shown, and that if it
 * looks like a name: letters, then a separator and something behind it. `size` bytes of the key are there.
 */
void mask_key(char ret_template[PROTOCOL_OPERATION_SIZE], const char *operation, const char *key, size_t size);

#endif
