/* ipc.h - messages between processes of one machine: a Unix socket that keeps message boundaries (SOCK_SEQPACKET).
 *
 * A client is not thread-safe; give each thread its own. Every call is one request and one answer; a broken connection is
 * opened again once, before the request counts as failed. */
#ifndef BASE_IPC_H
#define BASE_IPC_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

#define IPC_MESSAGE_MAX 65536
#define IPC_LARGE_MAX 131072     /* for those who ask for it: what a socket's standard buffer carries in one piece */

struct ipc_client {
	char path[108];
	int fd;              /* -1 while not connected */
	int timeout_ms;
	size_t most;         /* bytes of a message, either way */
};

/* Messages of IPC_MESSAGE_MAX; set MOST afterwards for others. */
void ipc_client_init(struct ipc_client *c, const char *path, int timeout_ms);
/* Sends REQUEST and replaces what ANSWER holds. ERR_UNAVAILABLE when nobody answers, ERR_TIMEOUT when too late,
 * ERR_TOO_LARGE for a message over C's limit. */
int ipc_call(struct ipc_client *c, const struct buf *request, struct buf *answer);
void ipc_client_close(struct ipc_client *c);

/* A listening socket at PATH with MODE, replacing a left-over one; the descriptor, or ERR_IO. */
int ipc_listen(const char *path, mode_t mode);
/* User and process id of the peer as the kernel knows them. */
int ipc_peer(int fd, uid_t *uid, pid_t *pid);
/* One whole message; 0 with an empty IN when the peer has closed. ERR_TOO_LARGE: IN holds its beginning. */
int ipc_receive(int fd, struct buf *in);
int ipc_send(int fd, const struct buf *out);
/* The same with another limit than IPC_MESSAGE_MAX. */
int ipc_receive_most(int fd, struct buf *in, size_t most);
int ipc_send_most(int fd, const struct buf *out, size_t most);
/* A connection to the socket at PATH that never waits, for callers with a loop of their own: ERR_UNAVAILABLE, or ERR_BUSY when too many
 * wait at its door. */
int ipc_dial(const char *path, int *fd);

#endif
