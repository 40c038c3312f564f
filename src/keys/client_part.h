/* client_part.h - what the files of the client share: client.c builds and ends calls, client_*.c have the functions of one family. */
#ifndef KEYS_CLIENT_PART_H
#define KEYS_CLIENT_PART_H

#include "keys/client.h"
#include "keys/message.h"

struct buf *client_begin(struct keys_client *c, enum message_type type, const struct uuid *request);
/* Sends the request and puts R at the results. The caller reads them, then calls client_finish. */
int client_call(struct keys_client *c, struct wire_reader *r);
/* After the last result: 0 when they were well and nothing is left over, else client_nonsense. */
int client_end(struct wire_reader *r);
int client_nonsense(void);                       /* ERR_INTERNAL */
/* Every call ends here: wipes both messages; an answer that was not understood ends the connection too. */
int client_finish(struct keys_client *c, int rc);
/* For calls that answer with bytes for the database or the agent. */
int client_call_for_bytes(struct keys_client *c, size_t max, struct buf *out);
/* For answers of a fixed size. */
int client_call_for_raw(struct keys_client *c, uint8_t *out, size_t len);
/* For calls that are answered by their code alone. */
int client_call_for_nothing(struct keys_client *c);
void client_put_device(struct buf *b, const struct keys_device *d);
int client_check_size(size_t len, size_t max, const char *what);

#endif
