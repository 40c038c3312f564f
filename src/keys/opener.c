/* opener.c - both ends.
 *
 *     request   u8 RELOAD, u8 count, count x uuid known          answer   u8 status, u8 count (or string reason); then count times:
 *                                                                         uuid, string provider, u8 how, bytes file
 *     request   u8 IDENTITY, bytes blob                          answer   u8 status (string reason)
 *
 * HOW: KNOWN, keyd has it; FILE, the bytes of the root key's file; KEEPER, a socket comes with the message; FAILED, why it cannot be opened. */
#include "keys/opener.h"

#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/apart.h"
#include "keys/client.h"
#include "keys/keeper.h"
#include "keys/message.h"
#include "keys/roots.h"
#include "keys/slowfile.h"

#define FILE_MAX 4096
#define REASON_MAX 512
#define PROVIDER_NAME_MAX 31

enum what { RELOAD = 1, IDENTITY };
enum how { KNOWN = 1, FILE_BYTES, KEEPER, FAILED };

static int fd = -1;              /* keyd's end */

/* A message, with a descriptor unless PASSED is -1. */
static int send_with(int to, const struct buf *b, int passed)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	struct iovec part = { b->data, b->len };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (passed >= 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof passed);
	}
	return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)b->len ? 0 : err_set(ERR_UNAVAILABLE, "send: %s", strerror(errno));
}

/* *PASSED is -1 where none came. */
static int receive_with(int from, struct buf *b, int *passed)
{
	union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
	struct iovec part;
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
	struct cmsghdr *c;
	ssize_t n;

	*passed = -1;
	message_begin(b);
	part.iov_base = buf_extend(b, FILE_MAX * 2);
	part.iov_len = FILE_MAX * 2;
	do
		n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	b->len = 0;
	if (n <= 0)
		return err_set(ERR_UNAVAILABLE, "the process that opens root keys has ended: start the key service anew");
	buf_extend(b, (size_t)n);
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(c), sizeof *passed);
	return 0;
}

/* The child */

struct opener {
	struct opener_files files;
	const char *user;
	int fd;
	struct buf in, out;
	char said[ROOTS_MAX][REASON_MAX];    /* why each was not opened last: logged once */
};

static void begin_answer(struct opener *o, int rc)
{
	message_wipe(&o->out);
	message_begin(&o->out);
	wire_put_u8(&o->out, (uint8_t)-rc);
	if (rc < 0)
		wire_put_string(&o->out, err_text());
}

static int is_known(const struct uuid *known, size_t count, const struct uuid *id)
{
	for (size_t i = 0; i < count; i++)
		if (uuid_equal(&known[i], id))
			return 1;
	return 0;
}

static void put_one(struct opener *o, const struct roots_row *row, enum how how, const void *bytes, size_t len)
{
	message_wipe(&o->out);
	message_begin(&o->out);
	wire_put_uuid(&o->out, &row->id);
	wire_put_string(&o->out, row->provider);
	wire_put_u8(&o->out, (uint8_t)how);
	wire_put_bytes(&o->out, bytes, len);
}

/* Fills OUT with what keyd needs to use the root, or with the reason why it cannot; *PASSED is a descriptor to go with it, or -1. */
static int open_one(struct opener *o, const struct roots_row *row, int known, int *passed)
{
	struct provider_options options = { .location = row->location, .wanted = row->id };
	const struct provider *provider;
	struct secret *file = NULL;
	int rc = provider_find(row->provider, &provider);

	*passed = -1;
	if (rc == 0 && !known && provider->apart)
		rc = keeper_start(provider, &options, o->user, passed);
	else if (rc == 0 && !known)
		rc = slowfile_read(row->location, FILE_MAX, &file);
	if (rc == 0)
		put_one(o, row, known ? KNOWN : file ? FILE_BYTES : KEEPER, file ? file->data : NULL, file ? file->len : 0);
	else
		put_one(o, row, FAILED, err_text(), strlen(err_text()));
	secret_free(file);
	return rc;
}

static void note(struct opener *o, size_t i, const struct roots_row *row, int rc)
{
	const char *why = rc < 0 ? err_text() : "";

	if (rc < 0 && strcmp(o->said[i], why) != 0)
		log_error("root key not opened", "provider", row->provider, "reason", why, NULL);
	snprintf(o->said[i], sizeof o->said[i], "%s", why);
}

/* One that cannot be opened is left out; the others serve. */
static void reload(struct opener *o, struct wire_reader *r)
{
	struct uuid known[ROOTS_MAX];
	size_t count = wire_get_u8(r);
	struct roots roots = { .count = 0 };
	int rc;

	for (size_t i = 0; i < count && i < ROOTS_MAX; i++)
		known[i] = wire_get_uuid(r);
	rc = wire_end(r);
	if (rc == 0)
		rc = count ? roots_read(o->files.roots, &roots) : roots_find(o->files.roots, o->files.provider, o->files.location, &roots);
	begin_answer(o, rc);
	if (rc == 0)
		wire_put_u8(&o->out, (uint8_t)roots.count);
	send_with(o->fd, &o->out, -1);
	for (size_t i = 0; rc == 0 && i < roots.count; i++) {
		int passed = -1;

		note(o, i, &roots.rows[i], open_one(o, &roots.rows[i], is_known(known, count, &roots.rows[i].id), &passed));
		send_with(o->fd, &o->out, passed);
		if (passed >= 0)
			close(passed);
	}
	roots_free(&roots);
}

static void replace_identity(struct opener *o, struct wire_reader *r)
{
	struct wire_view blob = wire_get_bytes(r, FILE_MAX);
	int rc = wire_end(r);

	if (rc == 0)
		rc = file_write(o->files.identity, blob.data, blob.len, 0600);
	begin_answer(o, rc);
	send_with(o->fd, &o->out, -1);
}

static void serve(struct opener *o)
{
	int passed;

	while (receive_with(o->fd, &o->in, &passed) == 0) {
		struct wire_reader r = wire_read(o->in.data, o->in.len);
		uint8_t what = wire_get_u8(&r);

		if (passed >= 0)
			close(passed);
		if (what == RELOAD)
			reload(o, &r);
		else if (what == IDENTITY)
			replace_identity(o, &r);
		message_wipe(&o->in);
		message_wipe(&o->out);
	}
}

/* Root still, but only over root's own files; a keeper needs to become keyd's user. */
static void narrow(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (geteuid() == 0 && (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, CAP_IPC_LOCK, CAP_SETUID,
			CAP_SETGID, CAP_SETPCAP, -1) < 0 || capng_apply(CAPNG_SELECT_BOTH) < 0))
		fatal("cannot give up capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal("PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
}

static void run_child(int end, void *ctx, const char *user)
{
	struct opener *o = ctx;

	o->fd = end;
	o->user = user;
	signal(SIGCHLD, SIG_IGN);
	narrow();
	serve(o);
}

int opener_start(const struct opener_files *files, const char *user)
{
	static struct opener o;

	o.files = *files;
	return apart_start("keyd-opener", run_child, &o, user, &fd);
}

/* The side of keyd */

static int is_sealed(const struct hierarchy_older *r)
{
	return r->provider->is_sealed && r->provider->is_sealed(r->root);
}

static struct uuid id_of(const struct hierarchy_older *r)
{
	struct uuid id;

	r->provider->describe(r->root, &id);
	return id;
}

static int status_of(struct wire_reader *r)
{
	int code = -(int)wire_get_u8(r);
	char *reason = code < 0 ? wire_get_string(r, REASON_MAX) : NULL;

	if (code < 0)
		err_set(code, "%s", reason ? reason : "no reason given");
	free(reason);
	return code;
}

static int open_bytes(const struct provider *provider, struct wire_view bytes, const struct uuid *wanted, struct provider_root **out)
{
	struct secret *file = secret_new(bytes.len);
	struct provider_options options = { .location = "the root key's file", .file = file, .wanted = *wanted };
	int rc;

	if (bytes.len)
		memcpy(file->data, bytes.data, bytes.len);
	rc = provider->open(&options, out);
	secret_free(file);
	return rc;
}

/* The next of the answer: 1 a root that H has already, 0 a new one, which is the caller's, or an error. WANTED: its id where the list has none. */
static int take_one(struct buf *in, const struct hierarchy_older *have, size_t have_count, const struct uuid *wanted, struct hierarchy_older *out)
{
	int passed, rc = receive_with(fd, in, &passed);
	struct wire_reader r = wire_read(in->data, in->len);
	struct uuid id = wire_get_uuid(&r);
	char *name = wire_get_string(&r, PROVIDER_NAME_MAX);
	uint8_t how = wire_get_u8(&r);
	struct wire_view bytes = wire_get_bytes(&r, FILE_MAX);

	if (rc == 0 && wire_end(&r) < 0)
		rc = err_set(ERR_UNAVAILABLE, "a root key of the list cannot be opened: see the log");
	if (rc == 0 && how == FAILED)
		rc = err_set(ERR_UNAVAILABLE, "%.*s", (int)bytes.len, (const char *)bytes.data);
	for (size_t i = 0; rc == 0 && how == KNOWN && i < have_count; i++) {
		struct uuid known = id_of(&have[i]);

		if (uuid_equal(&known, &id)) {
			*out = have[i];
			rc = 1;
		}
	}
	if (rc == 0)
		rc = provider_find(name, &out->provider);
	if (rc == 0 && how == FILE_BYTES)
		rc = open_bytes(out->provider, bytes, uuid_is_nil(&id) ? wanted : &id, &out->root);
	else if (rc == 0 && how == KEEPER && passed >= 0)
		rc = keeper_attach(out->provider, passed, &out->provider, &out->root);
	else if (rc == 0)
		rc = err_set(ERR_UNAVAILABLE, "a root key of the list cannot be opened");
	free(name);
	message_wipe(in);
	return rc;
}

struct set {
	struct hierarchy_older roots[ROOTS_MAX];
	int fresh[ROOTS_MAX];
	size_t count, missing;
	char why[PROVIDER_WHY_SIZE];         /* the last of these is missing */
};

static int take_all(struct buf *in, const struct hierarchy_older *have, size_t have_count, const struct uuid *wanted, size_t count, struct set *s)
{
	int rc = 0, one = 0;

	/* Every message of the answer is taken, whatever comes of it. */
	for (size_t i = 0; i < count; i++) {
		one = take_one(in, have, have_count, wanted, &s->roots[s->count]);
		if (one >= 0) {
			s->fresh[s->count++] = one == 0;
		} else if (i + 1 < count) {
			s->missing++;
			snprintf(s->why, sizeof s->why, "%s", err_text());
		} else {
			rc = one;
		}
	}
	return rc;
}

/* PASSPHRASE may be for one only; whether all are open is for their owner to see. The last one must be, unless there was NONE. */
static int wake(struct set *s, const struct secret *passphrase, int none)
{
	for (size_t i = 0; i < s->count; i++)
		if (passphrase && passphrase->len && s->fresh[i] && is_sealed(&s->roots[i]) && s->roots[i].provider->unseal
			&& s->roots[i].provider->unseal(s->roots[i].root, passphrase) < 0)
			log_warning("a root key stays sealed", "reason", err_text(), NULL);
	return !none && is_sealed(&s->roots[s->count - 1]) ? err_set(ERR_SEALED, "the new root key is not at hand: %s", err_text()) : 0;
}

static void close_those(struct hierarchy_older *roots, size_t count, const struct set *keep)
{
	for (size_t i = 0; i < count; i++) {
		int kept = 0;

		for (size_t j = 0; keep && j < keep->count; j++)
			kept |= keep->roots[j].root == roots[i].root;
		if (!kept)
			roots[i].provider->close(roots[i].root);
	}
}

static void adopt(struct hierarchy *h, const struct set *s)
{
	h->provider = s->roots[s->count - 1].provider;
	h->root = s->roots[s->count - 1].root;
	h->older_count = s->count - 1;
	memcpy(h->older, s->roots, h->older_count * sizeof h->older[0]);
	if (s->missing > h->missing)
		log_error("an older root key is left out", "reason", s->why, NULL);
	h->missing = s->missing;
}

static int ask_roots(struct buf *b, const struct hierarchy_older *have, size_t count, size_t *coming)
{
	struct wire_reader r;
	int passed, rc;

	message_begin(b);
	wire_put_u8(b, RELOAD);
	wire_put_u8(b, (uint8_t)count);
	for (size_t i = 0; i < count; i++) {
		struct uuid id = id_of(&have[i]);

		wire_put_uuid(b, &id);
	}
	rc = ipc_send(fd, b);
	if (rc == 0)
		rc = receive_with(fd, b, &passed);
	if (rc < 0)
		return rc;
	r = wire_read(b->data, b->len);
	rc = status_of(&r);
	*coming = rc == 0 ? wire_get_u8(&r) : 0;
	return rc < 0 || *coming == 0 || *coming > ROOTS_MAX ? (rc < 0 ? rc : err_set(ERR_UNAVAILABLE, "no root keys in the list")) : 0;
}

int opener_reload(struct hierarchy *h, const struct secret *passphrase)
{
	struct hierarchy_older have[ROOTS_MAX];
	size_t have_count = h->older_count, coming;
	struct set s = { .count = 0 };
	struct buf b = BUF_INIT;
	int rc;

	memcpy(have, h->older, have_count * sizeof have[0]);
	if (h->root)
		have[have_count++] = (struct hierarchy_older){ h->provider, h->root };
	rc = ask_roots(&b, have, have_count, &coming);
	if (rc == 0)
		rc = take_all(&b, have, have_count, &h->wanted, coming, &s);
	if (rc == 0)
		rc = wake(&s, passphrase, h->root == NULL);
	if (rc == 0) {
		close_those(have, have_count, &s);
		adopt(h, &s);
	} else {
		struct set old = { .count = have_count };

		memcpy(old.roots, have, have_count * sizeof have[0]);
		close_those(s.roots, s.count, &old);
	}
	message_wipe(&b);
	buf_free(&b);
	return rc;
}

int opener_identity(const void *blob, size_t len)
{
	struct buf b = BUF_INIT;
	struct wire_reader r;
	int passed, rc;

	message_begin(&b);
	wire_put_u8(&b, IDENTITY);
	wire_put_bytes(&b, blob, len);
	rc = ipc_send(fd, &b);
	if (rc == 0)
		rc = receive_with(fd, &b, &passed);
	if (rc == 0) {
		r = wire_read(b.data, b.len);
		rc = status_of(&r);
	}
	message_wipe(&b);
	buf_free(&b);
	return rc;
}
