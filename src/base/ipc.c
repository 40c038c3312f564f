/* ipc.c - request and answer over Unix sockets that keep message boundaries. */
#include "base/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

static int address(const char *path, struct sockaddr_un *out)
{
	memset(out, 0, sizeof *out);
	out->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof out->sun_path)
		return err_set(ERR_INVALID, "socket path too long: %s", path);
	memcpy(out->sun_path, path, strlen(path));
	return 0;
}

void ipc_client_init(struct ipc_client *c, const char *path, int timeout_ms)
{
	snprintf(c->path, sizeof c->path, "%s", path);
	c->fd = -1;
	c->timeout_ms = timeout_ms;
	c->most = IPC_MESSAGE_MAX;
}

void ipc_client_close(struct ipc_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int dial(const char *path, int flags, int *out)
{
	struct sockaddr_un to;
	int fd, rc = address(path, &to);

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return err_set(ERR_IO, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		rc = err_set(errno == EAGAIN ? ERR_BUSY : ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int ipc_dial(const char *path, int *fd)
{
	return dial(path, SOCK_NONBLOCK, fd);
}

int ipc_send(int fd, const struct buf *out)
{
	return ipc_send_most(fd, out, IPC_MESSAGE_MAX);
}

int ipc_send_most(int fd, const struct buf *out, size_t most)
{
	if (out->len > most)
		return err_set(ERR_TOO_LARGE, "message of %zu bytes", out->len);
	if (send(fd, out->data, out->len, MSG_NOSIGNAL) != (ssize_t)out->len)
		return err_set(ERR_UNAVAILABLE, "send: %s", strerror(errno));
	return 0;
}

int ipc_receive(int fd, struct buf *in)
{
	return ipc_receive_most(fd, in, IPC_MESSAGE_MAX);
}

int ipc_receive_most(int fd, struct buf *in, size_t most)
{
	struct iovec part;
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	buf_reset(in);
	part.iov_base = buf_extend(in, most);
	part.iov_len = most;
	do
		n = recvmsg(fd, &message, 0);
	while (n < 0 && errno == EINTR);
	in->len = 0;         /* buf_reset would end the "string", and with it the message's first byte */
	if (n < 0)
		return err_set(ERR_UNAVAILABLE, "receive: %s", strerror(errno));
	buf_extend(in, (size_t)n);
	return message.msg_flags & MSG_TRUNC ? err_set(ERR_TOO_LARGE, "message of more than %zu bytes", most) : 0;
}

static int wait_readable(struct ipc_client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, c->timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : err_set(ERR_TIMEOUT, "%s did not answer in %d ms", c->path, c->timeout_ms);
}

static int try_call(struct ipc_client *c, const struct buf *request, struct buf *answer)
{
	int rc = 0;

	if (c->fd < 0)
		rc = dial(c->path, 0, &c->fd);
	if (rc == 0)
		rc = ipc_send_most(c->fd, request, c->most);
	if (rc == 0)
		rc = wait_readable(c);
	if (rc == 0)
		rc = ipc_receive_most(c->fd, answer, c->most);
	if (rc == 0 && answer->len == 0)
		rc = err_set(ERR_UNAVAILABLE, "%s closed the connection", c->path);
	/* A late answer must not be taken for the next request's. */
	if (rc < 0)
		ipc_client_close(c);
	return rc;
}

int ipc_call(struct ipc_client *c, const struct buf *request, struct buf *answer)
{
	int was_open = c->fd >= 0;
	int rc = try_call(c, request, answer);

	if (rc == ERR_UNAVAILABLE && was_open)
		rc = try_call(c, request, answer);
	return rc;
}

int ipc_listen(const char *path, mode_t mode)
{
	struct sockaddr_un at;
	int rc = address(path, &at);
	int fd;

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(ERR_IO, "socket: %s", strerror(errno));
	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || chmod(path, mode) < 0 || listen(fd, 64) < 0) {
		rc = err_set(ERR_IO, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
}

int ipc_peer(int fd, uid_t *uid, pid_t *pid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return err_set(ERR_IO, "peer: %s", strerror(errno));
	*uid = peer.uid;
	*pid = peer.pid;
	return 0;
}
