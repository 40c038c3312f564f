/* message.c - message buffers that may hold secrets: they never move while filled, and are wiped. */
#include "keys/message.h"

#include "base/ipc.h"
#include "base/secret.h"

void message_begin(struct buf *b)
{
	message_wipe(b);
	if (b->cap <= IPC_MESSAGE_MAX)
		buf_extend(b, IPC_MESSAGE_MAX);
	buf_reset(b);
}

void message_wipe(struct buf *b)
{
	if (b->data)
		secret_wipe(b->data, b->len);
	buf_reset(b);
}
