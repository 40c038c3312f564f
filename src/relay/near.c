/* near.c - the end on the web server's machine: a socket like keyd's, and a connection to the other machine for each of its own. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "relay/relay.h"
#include "tls/link.h"

#define CONNECT_LIMIT (10 * CLOCK_SECOND)

int near_listen(const struct relay *r, const char *group)
{
	return daemon_listen(r->socket, group);
}

static int may_ask(const struct relay *r, int fd)
{
	uid_t uid;
	pid_t pid;
	int rc = ipc_peer(fd, &uid, &pid);

	return rc < 0 || daemon_allows(&r->users, uid) ? rc : err_set(ERR_FORBIDDEN, "user %u is not allowed", uid);
}

/* Each web worker tries again and again: a line when it is away, one when it is back. */
static void note(const struct relay *r, int rc)
{
	static atomic_int away;

	if (rc < 0 && !atomic_exchange(&away, 1))
		log_warning("no connection to the key service's machine", "host", r->host, "reason", err_text(), NULL);
	if (rc == 0 && atomic_exchange(&away, 0))
		log_info("connected again", "host", r->host, NULL);
}

void near_serve(struct relay *r, int fd)
{
	const struct tls_peer far = { .what = "the key service's machine", .host = r->host, .port = r->port, .ca = r->ca, .certificate = r->certificate,
		.key = r->key, .local = 1 };
	struct tls_link *l = NULL;
	int rc = may_ask(r, fd);

	if (rc < 0) {
		log_warning("refused", "reason", err_text(), NULL);
	} else {
		rc = tls_link_open(&far, CONNECT_LIMIT, &l);
		note(r, rc);
		if (rc == 0 && pump(fd, l) < 0)
			log_warning("connection ended", "reason", err_text(), NULL);
	}
	tls_link_close(l);
	close(fd);
}
