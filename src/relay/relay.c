/* relay.c - main of keyward-relay: options, privileges, and a thread for each connection. */
#include "relay/relay.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/confine.h"
#include "relay/porch.h"
#include "relay/share.h"
#include "tls/link.h"

#define STACK (256 * 1024)           /* bytes of a thread's: OpenSSL's handshake takes a few ten thousand */

static const char usage[] =
	"usage: keyward-relay near --connect NAME:PORT --socket PATH --allow USER[,USER...] [--socket-group GROUP]\n"
	"                          --user NAME --ca FILE --certificate FILE --key FILE\n"
	"       keyward-relay far  --listen ADDRESS:PORT --socket PATH --names NAME[,NAME...]\n"
	"                          --user NAME --ca FILE --certificate FILE --key FILE\n"
	"  near      on the web server's machine: makes the socket PATH, which web workers are told as keyd.socket\n"
	"  far       on the key service's machine: asks at its socket PATH what comes from near\n"
	"  --user    what it becomes; far: who asks in the key service's eyes (keyward-web)\n"
	"  --names   of the certificates of machines that may connect\n"
	"  --ca, --certificate, --key   files in PEM; the key belongs to root and is nobody else's to read\n";

struct options {
	int far;
	const char *group, *allow, *user, *ca, *certificate, *key;
};

struct served {
	struct relay *relay;
	int far, fd;
	enum porch where;            /* far: where it stands before it is known who it is; PORCH_FULL: not there */
	int shared;                  /* far: has a place of the name WHICH (share.h) */
	unsigned which;
	int counted;                 /* near: is one of SERVING */
	struct sockaddr_storage from;
};

static atomic_int serving;

static void explain(void)
{
	fputs(usage, stderr);
	exit(2);
}

/* "name:port", or "[address]:port". */
static int parse_place(char *text, struct relay *r)
{
	char *colon = strrchr(text, ':'), *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (colon == NULL || colon == text || *end || port == 0 || port > 65535)
		return -1;
	*colon = '\0';
	r->port = (uint32_t)port;
	r->host = text;
	if (*text == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		r->host = text + 1;
	}
	return 0;
}

static void parse_options(int argc, char **argv, struct relay *r, struct options *o)
{
	static const struct option known[] = { { "connect", required_argument, NULL, 'C' }, { "listen", required_argument, NULL, 'L' },
		{ "socket", required_argument, NULL, 's' }, { "socket-group", required_argument, NULL, 'g' }, { "allow", required_argument, NULL, 'a' },
		{ "names", required_argument, NULL, 'n' }, { "user", required_argument, NULL, 'u' }, { "ca", required_argument, NULL, 'A' },
		{ "certificate", required_argument, NULL, 'c' }, { "key", required_argument, NULL, 'k' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int c, place = 0;

	o->far = argc > 1 && strcmp(argv[1], "far") == 0;
	if (argc < 2 || (!o->far && strcmp(argv[1], "near") != 0 && strcmp(argv[1], "--help") != 0))
		explain();
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'C': case 'L':
			place = (c == 'L') == o->far && parse_place(optarg, r) == 0;
			break;
		case 's': r->socket = optarg; break;
		case 'g': o->group = optarg; break;
		case 'a': o->allow = optarg; break;
		case 'n': r->names = optarg; break;
		case 'u': o->user = optarg; break;
		case 'A': o->ca = optarg; break;
		case 'c': o->certificate = optarg; break;
		case 'k': o->key = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: explain();
		}
	}
	if (!place || optind != argc - 1 || !r->socket || !o->user || !o->ca || !o->certificate || !o->key || (o->far ? !r->names : !o->allow))
		explain();
}

static char *read_pem(const char *path)
{
	struct buf b = BUF_INIT;

	if (file_read(path, TLS_PEM_MAX, &b) < 0)
		fatal("%s", err_text());
	return buf_take(&b);
}

/* While still root: the key is root's. Whether all of it fits together is said now and not at the first connection. */
static void read_files(struct relay *r, const struct options *o)
{
	r->ca = read_pem(o->ca);
	r->certificate = read_pem(o->certificate);
	if (keyfile_read(o->key, TLS_KEY_MAX, &r->key) < 0)
		fatal("%s", err_text());
	if (tls_peer_check(&(struct tls_peer){ .what = "this relay", .host = r->host, .port = r->port, .ca = r->ca, .certificate = r->certificate, .key = r->key }) < 0)
		fatal("%s", err_text());
}

static int count(struct served *s)
{
	s->counted = atomic_fetch_add(&serving, 1) < RELAY_MOST;
	if (!s->counted)
		atomic_fetch_sub(&serving, 1);
	return s->counted ? 0 : err_set(ERR_TOO_MANY, "%d connections at a time", RELAY_MOST);
}

/* Who it is was shown. */
static int come_in(void *ctx, unsigned which)
{
	struct served *s = ctx;

	porch_leave(&s->from, s->where, 1);
	s->where = PORCH_FULL;
	s->which = which;
	s->shared = share_take(which);
	return s->shared ? 0 : err_set(ERR_TOO_MANY, "it has its share of %d connections, what is left is kept for others", RELAY_MOST);
}

static void leave(struct served *s)
{
	if (s->where != PORCH_FULL)
		porch_leave(&s->from, s->where, 0);
	if (s->shared)
		share_leave(s->which);
	if (s->counted)
		atomic_fetch_sub(&serving, 1);
	free(s);
}

static void *serve(void *given)
{
	struct served *s = given;

	if (s->far)
		far_serve(s->relay, s->fd, come_in, s);
	else
		near_serve(s->relay, s->fd);
	leave(s);
	return NULL;
}

static int find_place(struct served *s)
{
	if (!s->far)
		return count(s);
	s->where = porch_enter(&s->from);
	return s->where == PORCH_FULL ? err_set(ERR_TOO_MANY, "too many that have not shown who they are") : 0;
}

/* Once a second: strangers are not to fill the log. */
static void note_full(void)
{
	static clock_us told;

	if (told && clock_ticks() - told < CLOCK_SECOND)
		return;
	told = clock_ticks();
	log_warning("too many connections at a time", "reason", err_text(), NULL);
}

static void take(struct relay *r, int far, int listener, const pthread_attr_t *how)
{
	struct served *s = mem_alloc(sizeof *s);
	socklen_t size = sizeof s->from;
	pthread_t thread;

	*s = (struct served){ .relay = r, .far = far };
	s->fd = accept4(listener, (struct sockaddr *)&s->from, &size, SOCK_CLOEXEC);
	if (s->fd < 0) {
		free(s);
		return;
	}
	if (find_place(s) < 0) {
		note_full();
	} else if (pthread_create(&thread, how, serve, s) == 0) {
		return;
	} else {
		log_warning("no thread for a connection", NULL);
	}
	close(s->fd);
	leave(s);
}

int main(int argc, char **argv)
{
	static struct relay r;
	struct options o = { 0 };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	pthread_attr_t how;

	parse_options(argc, argv, &r, &o);
	log_open("relay", LOG_LEVEL_INFO);
	secret_init();
	signal(SIGPIPE, SIG_IGN);
	read_files(&r, &o);
	if (!o.far)
		daemon_allow(&r.users, o.allow);
	fds[0].fd = daemon_signals();
	fds[1].fd = o.far ? far_listen(&r) : near_listen(&r, o.group);
	daemon_become(o.user);
	confine_calls();
	pthread_attr_init(&how);
	pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&how, STACK);
	log_info("ready", "end", o.far ? "far" : "near", NULL);
	do {
		if (poll(fds, 2, -1) > 0 && fds[1].revents)
			take(&r, o.far, fds[1].fd, &how);
	} while (!fds[0].revents);
	log_info("stopped", NULL);
	/* Connections are threads that hold nothing but themselves: they end with the process, without its exit handlers. */
	_exit(0);
}
