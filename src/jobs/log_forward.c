/* log_forward.c - sends entries to a receiver in batches, each in a connection of its own. The protocol has no receipt, so one counts as sent when the
 * receiver has closed that connection in good order; else the whole batch comes again, and who wants to can tell by account and number.
 *
 * Good order is the goodbye of TLS, which nobody else can say. Some receivers never say it (rsyslog's driver gtls) and are believed when TCP ends in order;
 * one that has said it since its settings were saved has to say it always. */
#include "jobs/log_forward.h"

#include <stdio.h>
#include <string.h>

#include "audit/syslog.h"
#include "base/err.h"
#include "store/audit.h"
#include "store/log_forward.h"
#include "store/tenant.h"
#include "tls/link.h"

#define BATCH 500                /* entries */
#define BATCHES 20               /* in one job: then others have their turn */
#define SEND_TIME (30 * CLOCK_SECOND)

struct batch {
	const struct conf *conf;
	enum syslog_format format;
	struct buf frames;
	int64_t last;
};

static int add(void *ctx, const struct audit_entry *e)
{
	struct batch *b = ctx;

	syslog_write(e, b->format, conf_get(b->conf, CONF_DOMAIN_CENTRAL), audit_label(e->event), &b->frames);
	b->last = e->seq;
	return 0;
}

/* So that a test shows at the other end. It has no number: it is no entry. */
static void add_test(struct work *w, struct batch *b)
{
	struct audit_entry e = { .at = clock_now(), .category = "system", .event = "log-forward.test", .actor_kind = "system", .actor_name = "jobd" };

	if (w->job->has_tenant)
		e.tenant = w->job->tenant;
	syslog_write(&e, b->format, conf_get(b->conf, CONF_DOMAIN_CENTRAL), "Forwarding of the log: test", &b->frames);
}

/* 1: F is claimed and B what is to be sent of it. */
static int begin(struct work *w, struct log_forward *f, struct batch *b)
{
	int rc = work_begin(w), due = rc == 0 ? log_forward_claim(w->db, f) : rc;
	int64_t first = 0;

	rc = due < 0 ? due : 0;
	if (due > 0) {
		b->format = (enum syslog_format)syslog_format_find(f->format);
		b->last = f->seq;
		rc = audit_first(w->db, f->seq, &first);
		if (rc == 0 && first > f->seq + 1) {
			rc = log_forward_skip(w->db, f, first);
			f->seq = b->last = first - 1;
		}
		if (rc == 0)
			rc = audit_each(w->db, f->seq, f->seq + BATCH, add, b);
		if (rc == 0 && b->last == f->seq && f->test)
			add_test(w, b);
	}
	rc = db_end(w->db, rc);
	return rc < 0 ? rc : due;
}

/* Of our certificate. */
static int open_key(struct work *w, const struct log_forward *f, struct secret **out)
{
	struct keys_object object = { .tenant = w->job->tenant, .purpose = LOG_FORWARD_PURPOSE, .object = w->job->tenant };
	struct buf wrapped = BUF_INIT;
	int rc;

	if (!w->job->has_tenant)
		return keys_system_reveal(w->keys, &w->job->id, LOG_FORWARD_PURPOSE, wire_view_of(&f->key), out);
	rc = work_begin(w);
	if (rc == 0)
		rc = tenant_key(w->db, &wrapped);
	db_rollback(w->db);
	object.wrapped_tenant = wire_view_of(&wrapped);
	if (rc == 0)
		rc = keys_reveal(w->keys, &w->job->id, &object, wire_view_of(&f->key), out);
	buf_free(&wrapped);
	return rc;
}

/* 1: with a goodbye; 0: without, which is fine for this receiver. */
static int finish(const struct log_forward *f, struct tls_link *link)
{
	int goodbye = 0, rc = tls_link_finish(link, &goodbye);

	if (rc == 0 && f->goodbye && !goodbye)
		return err_set(ERR_UNAVAILABLE, "the receiver has closed the connection without TLS's close_notify, which it has sent before");
	return rc < 0 ? rc : goodbye;
}

/* As finish(). */
static int send_with(struct work *w, const struct log_forward *f, const struct secret *key, const struct buf *frames)
{
	/* The operator names its own as it likes. */
	struct tls_peer p = { .what = "the receiver", .host = f->host, .port = (uint32_t)f->port, .ca = f->ca, .certificate = key ? f->certificate : NULL, .key = key,
		.local = !w->job->has_tenant || strcmp(conf_get(w->conf, CONF_OUTSIDE_LOCAL), "yes") == 0 };
	struct tls_link *link = NULL;
	int rc = tls_link_open(&p, SEND_TIME, &link);

	if (rc == 0)
		rc = tls_link_write(link, frames->data, frames->len);
	if (rc == 0)
		rc = finish(f, link);
	tls_link_close(link);
	return rc;
}

static int send(struct work *w, const struct log_forward *f, const struct buf *frames)
{
	struct secret *key = NULL;
	int rc = f->key.len ? open_key(w, f, &key) : 0;

	if (rc == 0)
		rc = send_with(w, f, key, frames);
	secret_free(key);
	return rc;
}

static int end(struct work *w, const struct log_forward *f, int64_t last, int sent)
{
	char why[256];
	int rc;

	snprintf(why, sizeof why, "%s", err_text());
	rc = work_begin(w);
	if (rc == 0)
		rc = sent < 0 ? log_forward_failed(w->db, f, why) : log_forward_sent(w->db, f, last, sent);
	return db_end(w->db, rc);
}

/* 1: there may be more. */
static int send_batch(struct work *w)
{
	struct batch b = { .conf = w->conf };
	struct log_forward f = { NULL };
	int rc = begin(w, &f, &b), sent = rc > 0 && b.frames.len ? send(w, &f, &b.frames) : 0, more = rc > 0 && sent >= 0;

	if (rc > 0)
		rc = end(w, &f, b.last, sent);
	buf_free(&b.frames);
	log_forward_free(&f);
	return rc < 0 ? rc : more;
}

int log_forward_job(struct work *w)
{
	int rc = 1;

	for (int i = 0; rc > 0 && i < BATCHES; i++)
		rc = send_batch(w);
	return rc < 0 ? rc : 0;
}
