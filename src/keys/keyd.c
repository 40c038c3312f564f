/* keyd.c - the key service: opens its key files and its socket as root, locks itself in, answers until told to stop.
 * One thread, one poll loop; each message is answered before the next is read. It has no database and no network. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/daemon.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "keys/confine.h"
#include "keys/keeper.h"
#include "keys/keyserver_child.h"
#include "keys/message.h"
#include "keys/opener.h"
#include "keys/provider.h"
#include "keys/roots.h"
#include "keys/service.h"
#include "keys/setup.h"
#include "keys/slowfile.h"
#include "keys/wipe.h"

#define PEERS_MAX 512
#define STRANGERS_MAX 16             /* connections of users not allowed, kept until they hear so */
#define PARKED_MAX 64                /* messages that wait for key servers */
#define PARKED_LOOK_MS 200           /* how often it is looked whether they have waited long enough */
#define FIRST 3                      /* of the peers in fds */
#define STACK_USED 65536             /* more than a handler reaches down to; ciphers leave blocks of plaintext there */
#define ROOT_FILE_MAX 4096           /* bytes: more than any root key's file has */
#define SWEEP_MS 30000               /* how often old tenant keys are looked for */
#define SEALED_MS 1000               /* and a root key that is away */
#define MISSING_MS 5000              /* and an older one */

struct options {
	const char *socket, *provider, *root_key, *identity, *user, *allow, *socket_group;
	const char *roots, *location, *drop_root, *present;
	int create, change_passphrase, new_root, destroy;
};

struct peer {
	struct service_peer who;
	int allowed;
};

/* A message that waits for a key server; nothing else is read from its peer meanwhile. */
struct parked {
	uint32_t number;
	struct uuid owner;
	struct service_peer who;
	int fd;                              /* -1: the peer has gone */
	clock_us until;
	struct buf in;
};

struct keyd {
	struct service service;
	struct daemon_users users;
	/* fds[0] signals, fds[1] listener, fds[2] the child for key servers, fds[FIRST + i] peers[i] */
	struct pollfd fds[FIRST + PEERS_MAX];
	struct peer peers[PEERS_MAX];
	size_t peer_count, stranger_count;
	struct parked parked[PARKED_MAX];
	size_t parked_count;
	struct buf in, out;
	int stop;
};

static const char usage[] =
	"usage: keyward-keyd --socket PATH --root-key FILE --identity FILE --user NAME --allow USER[,USER...]\n"
	"                    [--provider file|passphrase|pkcs11|kmip] [--socket-group GROUP] [--roots FILE]\n"
	"       keyward-keyd --create --provider passphrase|pkcs11 --root-key WHERE --identity FILE [--user NAME]\n"
	"           makes root key and identity file; passphrase or PIN, unless that is in a file, is the first line of standard input\n"
	"       keyward-keyd --change-passphrase --root-key FILE\n"
	"           the old one and the new one are the first two lines of standard input\n"
	"       keyward-keyd --new-root --provider NAME --location WHERE --roots FILE --root-key FILE --present NAME:ID [--user NAME]\n"
	"           makes a root key and puts it into the list; --root-key and --present: the one in use, while there is no list\n"
	"       keyward-keyd --drop-root ID --roots FILE [--destroy]\n"
	"           takes it out of the list, and destroys its file (`keyward rotate root` and `keyward key retire` use these two)\n";

static int is_complete(const struct options *o)
{
	return o->socket && o->identity && o->user && o->allow;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "provider", required_argument, NULL, 'p' },
		{ "root-key", required_argument, NULL, 'r' },
		{ "identity", required_argument, NULL, 'i' },
		{ "user", required_argument, NULL, 'u' },
		{ "allow", required_argument, NULL, 'a' },
		{ "socket-group", required_argument, NULL, 'g' },
		{ "roots", required_argument, NULL, 'R' },
		{ "location", required_argument, NULL, 'l' },
		{ "present", required_argument, NULL, 'n' },
		{ "new-root", no_argument, NULL, 'N' },
		{ "drop-root", required_argument, NULL, 'D' },
		{ "destroy", no_argument, NULL, 'X' },
		{ "create", no_argument, NULL, 'C' },
		{ "change-passphrase", no_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 's': o->socket = optarg; break;
		case 'p': o->provider = optarg; break;
		case 'R': o->roots = optarg; break;
		case 'l': o->location = optarg; break;
		case 'n': o->present = optarg; break;
		case 'N': o->new_root = 1; break;
		case 'D': o->drop_root = optarg; break;
		case 'X': o->destroy = 1; break;
		case 'C': o->create = 1; break;
		case 'P': o->change_passphrase = 1; break;
		case 'r': o->root_key = optarg; break;
		case 'i': o->identity = optarg; break;
		case 'u': o->user = optarg; break;
		case 'a': o->allow = optarg; break;
		case 'g': o->socket_group = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(2);
		}
	}
	if (optind != argc || !(o->root_key || o->drop_root) || !(is_complete(o) || (o->create && o->identity) || o->change_passphrase
			|| (o->new_root && o->roots && o->location && o->present) || (o->drop_root && o->roots))) {
		fputs(usage, stderr);
		exit(2);
	}
}

/* In a file. One whose file system hangs is not at hand now, as one that is missing; what else is wrong with it the provider says itself. */
static int open_in_file(const struct provider *provider, const struct provider_options *options, struct provider_root **root)
{
	struct provider_options with_file = *options;
	struct secret *file = NULL;
	int rc = options->may_create ? 0 : slowfile_read(options->location, ROOT_FILE_MAX, &file);

	if (rc == ERR_TIMEOUT)
		return err_wrap(ERR_SEALED, "root key");
	with_file.file = file;
	rc = provider->open(&with_file, root);
	secret_free(file);
	return rc;
}

static int open_root(const char *name, const struct provider_options *options, const char *user, const struct provider **provider,
	struct provider_root **root)
{
	int rc = provider_find(name, provider);

	if (rc < 0)
		return rc;
	return (*provider)->apart ? keeper_open(*provider, options, user, provider, root) : open_in_file(*provider, options, root);
}

/* One that does not open keeps closed what is under it still; nothing else. */
static void open_older(struct hierarchy *h, const struct roots *roots, const char *user)
{
	for (size_t i = 0; i + 1 < roots->count; i++) {
		struct provider_options options = { .location = roots->rows[i].location, .wanted = roots->rows[i].id };
		struct hierarchy_older *at = &h->older[h->older_count];

		if (open_root(roots->rows[i].provider, &options, user, &at->provider, &at->root) == 0) {
			h->older_count++;
			continue;
		}
		log_error("an older root key is not at hand", "place", options.location, "reason", err_text(), NULL);
		h->missing++;
	}
}

/* A new root key is made only where nothing can have been wrapped yet: the identity is wrapped in every first start. */
static void open_keys(struct keyd *k, const struct options *o)
{
	struct roots roots = { .count = 0 };
	struct provider_options options = { .location = NULL };
	struct service *s = &k->service;
	const struct roots_row *active;
	int rc = roots_find(o->roots, o->provider, o->root_key, &roots);

	/* It lies beside the list of root keys: where that folder's file system hangs, the list was not read. */
	if (rc == 0)
		options.may_create = !signer_exists(o->identity);
	if (rc == 0 && !options.may_create)
		rc = signer_read(o->identity, &s->identity);
	if (rc < 0)
		fatal("%s", err_text());
	active = &roots.rows[roots.count - 1];
	options.location = active->location;
	if (s->identity)
		s->keys.wanted = hierarchy_key_of((struct wire_view){ s->identity->data, s->identity->len });
	options.wanted = uuid_is_nil(&active->id) ? s->keys.wanted : active->id;
	open_older(&s->keys, &roots, o->user);
	rc = open_root(active->provider, &options, o->user, &s->keys.provider, &s->keys.root);
	roots_free(&roots);
	/* It is looked for from now on (service_heal). */
	if (rc == ERR_SEALED || (rc == ERR_CONFLICT && !options.may_create)) {
		hierarchy_lacks_root(&s->keys, rc);
		s->keys.missing++;
		log_warning("sealed", "reason", err_text(), NULL);
		return;
	}
	if (rc == 0 && options.may_create) {
		rc = signer_create(&s->keys, o->identity);
		log_info("identity key made", "file", o->identity, NULL);
		if (rc == 0)
			rc = signer_read(o->identity, &s->identity);
	}
	if (rc == 0 && !hierarchy_is_sealed(&s->keys) && service_open(s) < 0) {
		if (s->keys.older_count == 0)
			fatal("%s", err_text());
		log_warning("the identity key does not open yet", "reason", err_text(), NULL);
	}
	if (rc < 0)
		fatal("%s", err_text());
	if (s->signer && service_move_identity(s) < 0)
		log_warning("the identity key stays under an older root key", "reason", err_text(), NULL);
}

/* Beside the identity file, unless it is said. */
static void place_roots(struct options *o)
{
	static char path[1024];
	char *copy;

	if (o->roots)
		return;
	copy = mem_strdup(o->identity);
	snprintf(path, sizeof path, "%s/roots", dirname(copy));
	free(copy);
	o->roots = path;
}

static void drop_peer(struct keyd *k, size_t i)
{
	size_t last = --k->peer_count;

	for (size_t n = 0; n < k->parked_count; n++)
		if (k->parked[n].fd == k->fds[FIRST + i].fd)
			k->parked[n].fd = -1;
	close(k->fds[FIRST + i].fd);
	k->stranger_count -= !k->peers[i].allowed;
	k->fds[FIRST + i] = k->fds[FIRST + last];
	k->peers[i] = k->peers[last];
	k->service.clients = (uint32_t)k->peer_count;
}

static void accept_peer(struct keyd *k)
{
	int fd = accept4(k->fds[1].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer p;

	if (fd < 0)
		return;
	if (ipc_peer(fd, &p.who.uid, &p.who.pid) < 0) {
		close(fd);
		return;
	}
	p.allowed = daemon_allows(&k->users, p.who.uid);
	if (!p.allowed && k->stranger_count == STRANGERS_MAX) {
		close(fd);
		return;
	}
	k->stranger_count += !p.allowed;
	k->peers[k->peer_count] = p;
	k->fds[FIRST + k->peer_count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	k->service.clients = (uint32_t)++k->peer_count;
}

static struct pollfd *find_peer(struct keyd *k, int fd)
{
	for (size_t i = 0; i < k->peer_count; i++)
		if (k->fds[FIRST + i].fd == fd)
			return &k->fds[FIRST + i];
	return NULL;
}

/* Sends what lies in k->out, and wipes it. */
static int reply_peer(struct keyd *k, int fd)
{
	int rc;

	sodium_stackzero(STACK_USED);
	rc = ipc_send(fd, &k->out);
	message_wipe(&k->out);
	return rc;
}

/* Its message has been handled as far as can be: k->in becomes the parked one's. */
static void park(struct keyd *k, int fd, const struct service_peer *who)
{
	static const struct keyserver_reply full = { .status = ERR_UNAVAILABLE, .reason = "too many requests wait for key servers" };
	struct parked *p = &k->parked[k->parked_count];

	if (k->parked_count == PARKED_MAX) {
		keyserver_note(&k->service.servers, &k->service.parked.owner, &(struct keyserver_reply){ .status = 0 }, clock_ticks());
		service_resume(&k->service, who, &k->in, &full, &k->out);
		return;
	}
	k->parked_count++;
	*p = (struct parked){ .number = k->service.parked.number, .owner = k->service.parked.owner, .who = *who, .fd = fd,
		.until = clock_ticks() + KEYSERVER_CALL_MS * (CLOCK_SECOND / 1000), .in = k->in };
	k->in = (struct buf)BUF_INIT;
	find_peer(k, fd)->events = 0;
}

static void unpark(struct keyd *k, size_t i, const struct keyserver_reply *reply)
{
	struct parked p = k->parked[i];
	struct pollfd *peer = p.fd < 0 ? NULL : find_peer(k, p.fd);

	k->parked[i] = k->parked[--k->parked_count];
	keyserver_note(&k->service.servers, &p.owner, reply, clock_ticks());
	if (peer) {
		message_begin(&k->out);
		service_resume(&k->service, &p.who, &p.in, reply, &k->out);
		peer->events = POLLIN;
		if (reply_peer(k, p.fd) < 0)
			drop_peer(k, (size_t)(peer - k->fds) - FIRST);
	}
	message_wipe(&p.in);
	buf_free(&p.in);
}

static void take_reply(struct keyd *k)
{
	struct keyserver_reply reply;
	size_t i = 0;

	if (keyserver_receive(&k->service.servers, &reply) < 0) {
		log_error("key servers", "reason", err_text(), NULL);
		k->fds[2].fd = -1;
		return;
	}
	while (i < k->parked_count && k->parked[i].number != reply.number)
		i++;
	if (i < k->parked_count)
		unpark(k, i, &reply);
	message_wipe(&k->service.servers.in);
}

static void end_waiting(struct keyd *k)
{
	static const struct keyserver_reply late = { .status = ERR_TIMEOUT, .reason = "the key server does not answer in time" };

	for (size_t i = k->parked_count; i-- > 0;)
		if (clock_ticks() > k->parked[i].until)
			unpark(k, i, &late);
}

/* 0, or -1 when the connection has to end. A peer that does not read its answers loses its connection: nobody waits for it. */
static int answer_peer(struct keyd *k, int fd, const struct peer *p)
{
	int rc, keep;

	message_begin(&k->in);
	message_begin(&k->out);
	rc = ipc_receive(fd, &k->in);
	if (rc == ERR_UNAVAILABLE || (rc == 0 && k->in.len == 0))
		return -1;
	keep = rc == 0 && p->allowed;
	if (!p->allowed)
		service_refuse(&k->service, &p->who, err_set(ERR_FORBIDDEN, "user %u is not allowed", p->who.uid), &k->out);
	else if (rc < 0)
		service_refuse(&k->service, &p->who, rc, &k->out);
	else
		service_answer(&k->service, &p->who, &k->in, &k->out);
	if (keep && k->service.parked.number)
		park(k, fd, &p->who);
	message_wipe(&k->in);
	if (k->out.len == 0)
		return 0;
	return reply_peer(k, fd) == 0 && keep ? 0 : -1;
}

static void turn(struct keyd *k)
{
	int n, wait_ms = k->service.signer == NULL ? SEALED_MS : k->service.keys.missing ? MISSING_MS : SWEEP_MS;
	nfds_t count;

	/* A peer that is lost by that moves others: before anything is counted. */
	end_waiting(k);
	count = FIRST + k->peer_count;
	/* Full: who waits at the door waits on. */
	k->fds[1].events = k->peer_count < PEERS_MAX ? POLLIN : 0;
	n = poll(k->fds, count, k->parked_count ? PARKED_LOOK_MS : wait_ms);
	if (n < 0 && errno != EINTR)
		fatal("poll: %s", strerror(errno));
	cache_expire(&k->service.keys.cache, clock_ticks());
	service_heal(&k->service);
	if (n <= 0)
		return;
	k->stop = k->fds[0].revents != 0;
	/* From the end, because a dropped peer's place is taken by the last. */
	for (size_t i = count - FIRST; i-- > 0;)
		if (k->fds[FIRST + i].revents && answer_peer(k, k->fds[FIRST + i].fd, &k->peers[i]) < 0)
			drop_peer(k, i);
	if (k->fds[2].revents)
		take_reply(k);
	if (k->fds[1].revents)
		accept_peer(k);
	if (hierarchy_is_gone(&k->service.keys))
		fatal("the process that holds the root key has ended");
}

static void close_all(struct keyd *k)
{
	while (k->peer_count)
		drop_peer(k, k->peer_count - 1);
	service_close(&k->service);
	message_wipe(&k->in);
	message_wipe(&k->out);
	buf_free(&k->in);
	buf_free(&k->out);
}

static void say_ready(const struct keyd *k)
{
	char root[UUID_TEXT_SIZE] = "";
	struct uuid id;

	if (k->service.keys.root) {
		k->service.keys.provider->describe(k->service.keys.root, &id);
		uuid_text(&id, root);
	}
	log_info("ready", "provider", k->service.keys.provider->name, "root", *root ? root : NULL, "sealed",
		hierarchy_is_sealed(&k->service.keys) ? "yes" : NULL, NULL);
}

int main(int argc, char **argv)
{
	static struct keyd k;
	struct options o = { .provider = "file" };

	wipe_check();
	parse_options(argc, argv, &o);
	log_open("keyd", LOG_LEVEL_INFO);
	secret_init();
	confine_memory();
	if (o.create || o.change_passphrase)
		return (o.create ? setup_create(o.provider, o.root_key, o.identity, o.user) : setup_change_passphrase(o.root_key)) < 0;
	if (o.new_root)
		return setup_new_root(&(struct setup_root){ o.roots, o.provider, o.location, o.root_key, o.present, o.user }) < 0;
	if (o.drop_root)
		return setup_drop_root(o.roots, o.drop_root, o.destroy) < 0;
	daemon_allow(&k.users, o.allow);
	/* Before any key is there, and before there is anybody who would give one out: each child has what was opened before it. */
	if (keyserver_start(&k.service.servers, o.user) < 0)
		fatal("%s", err_text());
	place_roots(&o);
	if (opener_start(&(struct opener_files){ o.roots, o.identity, o.provider, o.root_key }, o.user) < 0)
		fatal("%s", err_text());
	k.service.reload = opener_reload;
	k.service.keep_identity = opener_identity;
	open_keys(&k, &o);
	k.fds[0] = (struct pollfd){ .fd = daemon_signals(), .events = POLLIN };
	k.fds[1] = (struct pollfd){ .fd = daemon_listen(o.socket, o.socket_group) };
	k.fds[2] = (struct pollfd){ .fd = k.service.servers.fd, .events = POLLIN };
	if (service_rehearse(&k.service) < 0)
		fatal("rehearsal: %s", err_text());
	confine_user(o.user);
	confine_calls();
	say_ready(&k);
	while (!k.stop)
		turn(&k);
	close_all(&k);
	log_info("stopped", NULL);
	return 0;
}
