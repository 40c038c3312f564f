/* keeper.c - both ends of the socket pair.
 *
 *     request   u32 number, u8 what, its fields
 *     answer    u32 number, u8 status (an ERR_ code without its sign), u8 sealed, uuid root, string what keeps it sealed, u8 the same as an
 *               enum keys_cause, then bytes result or string reason
 *
 * Number 0 is news without a request: the token was found again, or lost. An answer that comes too late is known by its number. */
#include "keys/keeper.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/apart.h"
#include "keys/client.h"
#include "keys/confine.h"
#include "keys/message.h"

#define CALL_MS 10000
#define UNSEAL_MS 60000
#define AWAY_US (5 * CLOCK_SECOND)   /* after a call that got no answer, others fail at once */
#define RETRY_MS 3000                /* how often the child looks for a token that is away */
#define REASON_MAX 512

enum what { WRAP = 1, UNWRAP, UNSEAL, SEAL };

struct provider_root {
	struct provider as_seen;     /* by the hierarchy: the functions below under the provider's own name */
	int fd;
	uint32_t number;
	int sealed, gone;
	char why[PROVIDER_WHY_SIZE];
	enum keys_cause cause;
	struct uuid id;
	clock_us away_until;
	struct buf in, out;
};

/* The child */

struct kept {
	const struct provider *inner;
	struct provider_root *root;
	int fd;
	struct buf in, out, result;
};

struct kept_start {
	const struct provider *inner;
	const struct provider_options *options;
};

static void put_label(struct buf *b, const struct blob_label *l)
{
	wire_put_string(b, l->purpose);
	wire_put_uuid(b, &l->tenant);
	wire_put_uuid(b, &l->object);
	wire_put_u32(b, l->version);
}

static struct blob_label get_label(struct wire_reader *r, char **purpose)
{
	struct blob_label l;

	l.purpose = *purpose = wire_get_string(r, KEYS_PURPOSE_MAX + 16);
	l.tenant = wire_get_uuid(r);
	l.object = wire_get_uuid(r);
	l.version = wire_get_u32(r);
	return l;
}

static struct secret *secret_of(struct wire_view v)
{
	struct secret *s = secret_new(v.len);

	if (v.len)
		memcpy(s->data, v.data, v.len);
	return s;
}

static int do_wrap(struct kept *k, struct wire_reader *r, int unwrap)
{
	char *purpose;
	struct blob_label label = get_label(r, &purpose);
	struct wire_view given = wire_get_bytes(r, KEYS_BLOB_MAX);
	struct secret *plain = NULL;
	int rc = wire_end(r);

	if (rc == 0 && unwrap) {
		rc = k->inner->unwrap(k->root, &label, given, &plain);
		if (rc == 0)
			buf_add(&k->result, plain->data, plain->len);
	} else if (rc == 0) {
		plain = secret_of(given);
		rc = k->inner->wrap(k->root, &label, plain, &k->result);
	}
	secret_free(plain);
	free(purpose);
	return rc;
}

static int do_unseal(struct kept *k, struct wire_reader *r)
{
	struct wire_view given = wire_get_bytes(r, PROVIDER_PASSPHRASE_MAX);
	struct secret *passphrase;
	int rc = wire_end(r);

	if (rc < 0)
		return rc;
	passphrase = secret_of(given);
	rc = k->inner->unseal(k->root, passphrase);
	secret_free(passphrase);
	return rc;
}

static int act(struct kept *k, struct wire_reader *r, uint8_t what)
{
	switch (what) {
	case WRAP:
	case UNWRAP:
		return do_wrap(k, r, what == UNWRAP);
	case UNSEAL:
		return do_unseal(k, r);
	case SEAL:
		k->inner->seal(k->root);
		return 0;
	}
	return err_set(ERR_UNSUPPORTED, "no such request");
}

static const char *why(const struct kept *k)
{
	return k->root && k->inner->why && k->inner->is_sealed(k->root) ? k->inner->why(k->root) : "";
}

/* NUMBER 0: news. */
static void tell(struct kept *k, uint32_t number, int rc)
{
	struct uuid id = { { 0 } };

	if (k->root)
		k->inner->describe(k->root, &id);
	message_begin(&k->out);
	wire_put_u32(&k->out, number);
	wire_put_u8(&k->out, (uint8_t)-rc);
	wire_put_u8(&k->out, (uint8_t)(k->root == NULL || k->inner->is_sealed(k->root)));
	wire_put_uuid(&k->out, &id);
	wire_put_string(&k->out, why(k));
	wire_put_u8(&k->out, (uint8_t)(k->root && k->inner->cause ? k->inner->cause(k->root) : KEYS_CAUSE_NONE));
	if (rc < 0)
		wire_put_string(&k->out, err_text());
	else
		wire_put_bytes(&k->out, k->result.data, k->result.len);
	if (ipc_send(k->fd, &k->out) < 0)
		_exit(0);
	message_wipe(&k->out);
	message_wipe(&k->result);
}

static void serve(struct kept *k)
{
	struct pollfd p = { k->fd, POLLIN, 0 };
	int sealed = k->inner->is_sealed(k->root);
	char said[PROVIDER_WHY_SIZE];

	snprintf(said, sizeof said, "%s", why(k));
	for (;;) {
		if (poll(&p, 1, RETRY_MS) == 0) {
			if (k->inner->retry)
				k->inner->retry(k->root);
		} else {
			struct wire_reader r;
			uint32_t number;

			message_begin(&k->in);
			if (ipc_receive(k->fd, &k->in) < 0 || k->in.len == 0)
				return;
			r = wire_read(k->in.data, k->in.len);
			number = wire_get_u32(&r);
			message_begin(&k->result);
			tell(k, number, act(k, &r, wire_get_u8(&r)));
			message_wipe(&k->in);
		}
		if (k->inner->is_sealed(k->root) != sealed) {
			sealed = !sealed;
			log_info(sealed ? "root key is away" : "root key is at hand", "provider", k->inner->name, NULL);
			tell(k, 0, 0);
		} else if (strcmp(why(k), said) != 0) {
			tell(k, 0, 0);
		}
		snprintf(said, sizeof said, "%s", why(k));
	}
}

static void run_child(int fd, void *ctx, const char *user)
{
	const struct kept_start *start = ctx;
	struct kept k = { .inner = start->inner, .fd = fd };
	int rc = k.inner->prepare ? k.inner->prepare(start->options) : 0;

	confine_user(user);
	if (rc == 0)
		rc = k.inner->open(start->options, &k.root);
	tell(&k, 0, rc);
	if (rc == 0)
		serve(&k);
	if (k.root)
		k.inner->close(k.root);
}

/* The side of keyd */

static int gone(struct provider_root *r)
{
	r->gone = r->sealed = 1;
	snprintf(r->why, sizeof r->why, "the process that holds the root key has ended");
	return err_set(ERR_UNAVAILABLE, "%s", r->why);
}

/* Reads one message; what it says of the root key counts. *READER is left at the result. *NUMBER is whose it is. */
static int take(struct provider_root *r, int wait_ms, uint32_t *number, uint8_t *status, struct wire_reader *reader)
{
	struct pollfd p = { r->fd, POLLIN, 0 };
	struct wire_view says;
	uint8_t cause;

	if (poll(&p, 1, wait_ms) <= 0)
		return ERR_TIMEOUT;
	message_begin(&r->in);
	if (ipc_receive(r->fd, &r->in) < 0 || r->in.len == 0)
		return gone(r);
	*reader = wire_read(r->in.data, r->in.len);
	*number = wire_get_u32(reader);
	*status = wire_get_u8(reader);
	r->sealed = wire_get_u8(reader);
	r->id = wire_get_uuid(reader);
	says = wire_get_bytes(reader, sizeof r->why - 1);
	cause = wire_get_u8(reader);
	if (!reader->error) {
		snprintf(r->why, sizeof r->why, "%.*s", (int)says.len, (const char *)says.data);
		r->cause = cause < KEYS_CAUSE_COUNT ? (enum keys_cause)cause : KEYS_CAUSE_NONE;
	}
	return reader->error ? gone(r) : 0;
}

/* News that lie there are taken; nobody waits for any. */
static void take_news(struct provider_root *r)
{
	struct wire_reader reader;
	uint32_t number;
	uint8_t status;

	while (!r->gone && take(r, 0, &number, &status, &reader) == 0)
		message_wipe(&r->in);
}

static struct buf *begin(struct provider_root *r, enum what what)
{
	take_news(r);
	if (++r->number == 0)
		r->number = 1;
	message_begin(&r->out);
	wire_put_u32(&r->out, r->number);
	wire_put_u8(&r->out, (uint8_t)what);
	return &r->out;
}

static int refusal(struct wire_reader *reader, int code)
{
	char *reason = wire_get_string(reader, REASON_MAX);

	err_set(code, "%s", reason ? reason : "no reason given");
	free(reason);
	return code;
}

/* 0 with the result in *RESULT, which points into r->in. */
static int wait_for(struct provider_root *r, int limit_ms, struct wire_view *result)
{
	clock_us until = clock_ticks() + limit_ms * (CLOCK_SECOND / 1000);
	struct wire_reader reader;
	uint32_t number = 0;
	uint8_t status;
	int rc = 0;

	while (rc == 0 && number != r->number) {
		clock_us left = until - clock_ticks();

		rc = left > 0 ? take(r, (int)(left / 1000 + 1), &number, &status, &reader) : ERR_TIMEOUT;
	}
	if (rc == ERR_TIMEOUT) {
		r->away_until = clock_ticks() + AWAY_US;
		return err_set(ERR_TIMEOUT, "the root key's provider does not answer");
	}
	if (rc == 0 && status != 0)
		return refusal(&reader, -(int)status);
	if (rc == 0) {
		*result = wire_get_bytes(&reader, KEYS_BLOB_MAX);
		rc = wire_end(&reader);
	}
	return rc;
}

static int call(struct provider_root *r, int limit_ms, struct wire_view *result)
{
	int rc;

	if (r->gone)
		return gone(r);
	if (clock_ticks() < r->away_until)
		return err_set(ERR_UNAVAILABLE, "the root key's provider has just not answered; it is asked again in some seconds");
	rc = ipc_send(r->fd, &r->out);
	message_wipe(&r->out);
	return rc < 0 ? gone(r) : wait_for(r, limit_ms, result);
}

static int keeper_wrap(struct provider_root *r, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	struct buf *b = begin(r, WRAP);
	struct wire_view got;
	int rc;

	put_label(b, label);
	wire_put_bytes(b, plain->data, plain->len);
	rc = call(r, CALL_MS, &got);
	if (rc == 0) {
		buf_reset(out);
		buf_add(out, got.data, got.len);
	}
	message_wipe(&r->in);
	return rc;
}

static int keeper_unwrap(struct provider_root *r, const struct blob_label *label, struct wire_view blob, struct secret **plain)
{
	struct buf *b = begin(r, UNWRAP);
	struct wire_view got;
	int rc;

	put_label(b, label);
	wire_put_bytes(b, blob.data, blob.len);
	rc = call(r, CALL_MS, &got);
	if (rc == 0)
		*plain = secret_of(got);
	message_wipe(&r->in);
	return rc;
}

static int keeper_unseal(struct provider_root *r, const struct secret *passphrase)
{
	struct buf *b = begin(r, UNSEAL);
	struct wire_view got;
	int rc;

	wire_put_bytes(b, passphrase->data, passphrase->len);
	rc = call(r, UNSEAL_MS, &got);
	message_wipe(&r->in);
	return rc;
}

static void keeper_seal(struct provider_root *r)
{
	struct wire_view got;

	begin(r, SEAL);
	if (call(r, CALL_MS, &got) < 0)
		log_warning("the provider of the root key may hold it still", "reason", err_text(), NULL);
	message_wipe(&r->in);
	r->sealed = 1;
}

static int keeper_is_sealed(struct provider_root *r)
{
	take_news(r);
	return r->sealed;
}

static const char *keeper_why(const struct provider_root *r)
{
	return r->why;
}

static enum keys_cause keeper_cause(const struct provider_root *r)
{
	return r->cause;
}

static void keeper_describe(const struct provider_root *r, struct uuid *id)
{
	*id = r->id;
}

static void keeper_close(struct provider_root *r)
{
	if (r) {
		close(r->fd);
		message_wipe(&r->in);
		message_wipe(&r->out);
		buf_free(&r->in);
		buf_free(&r->out);
	}
	free(r);
}

static int keeper_is_gone(const struct provider_root *r)
{
	return r->gone;
}

/* What the child says first. */
static int wait_open(struct provider_root *r)
{
	struct wire_reader reader;
	uint32_t number;
	uint8_t status;
	int rc = take(r, UNSEAL_MS, &number, &status, &reader);

	if (rc == ERR_TIMEOUT)
		return err_set(rc, "the provider of the root key does not start");
	return rc == 0 && status != 0 ? refusal(&reader, -(int)status) : rc;
}

int keeper_start(const struct provider *inner, const struct provider_options *options, const char *user, int *fd)
{
	return apart_start("keyd-keeper", run_child, &(struct kept_start){ inner, options }, user, fd);
}

int keeper_attach(const struct provider *inner, int fd, const struct provider **provider, struct provider_root **out)
{
	static const struct provider kept = { .is_sealed = keeper_is_sealed, .why = keeper_why, .cause = keeper_cause, .wrap = keeper_wrap, .unwrap = keeper_unwrap,
		.describe = keeper_describe, .close = keeper_close, .is_gone = keeper_is_gone };
	struct provider_root *r = mem_alloc(sizeof *r);
	int rc;

	r->fd = fd;
	rc = wait_open(r);
	message_wipe(&r->in);
	if (rc < 0) {
		keeper_close(r);
		return rc;
	}
	r->as_seen = kept;
	r->as_seen.name = inner->name;
	r->as_seen.unseal = inner->unseal ? keeper_unseal : NULL;
	r->as_seen.seal = inner->seal ? keeper_seal : NULL;
	*provider = &r->as_seen;
	*out = r;
	return 0;
}

int keeper_open(const struct provider *inner, const struct provider_options *options, const char *user,
	const struct provider **provider, struct provider_root **out)
{
	int fd, rc = keeper_start(inner, options, user, &fd);

	return rc < 0 ? rc : keeper_attach(inner, fd, provider, out);
}
