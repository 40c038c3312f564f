/* webhook.c - deliveries of webhooks. */
#include "jobs/webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "jobs/notice.h"
#include "jobs/table.h"
#include "notice/hook.h"
#include "outside/https.h"
#include "store/tenant.h"
#include "store/webhook.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* Making */

/* The first of the notice's events that the webhook is for; NULL: none. */
static const char *event_for(const json_t *hook, const json_t *notice)
{
	const json_t *event, *wanted;
	size_t i, k;

	json_array_foreach(json_object_get(notice, "events"), i, event)
		json_array_foreach(json_object_get(hook, "events"), k, wanted)
			if (json_equal(event, wanted))
				return json_string_value(event);
	return NULL;
}

static int deliver(struct db *db, const json_t *hook, const json_t *notice)
{
	const char *event = event_for(hook, notice);
	json_t *item = json_copy(json_object_get(notice, "item"));
	struct uuid webhook, id = uuid_new();
	char text[UUID_TEXT_SIZE], *body;
	int rc = json_get_uuid(hook, "id", &webhook);

	if (rc == 0 && event) {
		uuid_text(&id, text);
		json_set_string(item, "account", text_of(hook, "tenant"));
		json_object_del(item, "at");
		json_object_del(item, "url");
		json_object_del(item, "path");
		json_object_del(item, "what");
		body = hook_body(hook_format_of(text_of(hook, "format")), text, event, text_of(notice, "severity"), text_of(notice, "at"), item,
			notice_words(hook));
		rc = webhook_deliver(db, &webhook, &id, event, body, json_is_true(json_object_get(hook, "away")));
		free(body);
	}
	json_decref(item);
	return rc;
}

int webhook_tell(struct db *db, clock_us now)
{
	int rc = 0, done = 0;

	(void)now;
	while (rc == 0 && done < TASK_CHUNK) {
		json_t *hook = NULL, *notice;
		size_t i;

		rc = webhook_take(db, TASK_CHUNK, &hook);
		json_array_foreach(json_object_get(hook, "notices"), i, notice)
			if (rc == 0)
				rc = deliver(db, hook, notice);
		done += rc == 0;
		json_decref(hook);
	}
	return rc < 0 && rc != ERR_NOT_FOUND ? rc : done;
}

/* Carrying out */

struct delivery {
	struct uuid id;
	json_t *row;
	struct secret *secret;
};

/* The operator's are under the root key. */
static int reveal(struct work *w, const struct uuid *webhook, const struct buf *wrapped, const struct buf *blob, struct secret **out)
{
	struct keys_object object = { .tenant = w->job->tenant, .wrapped_tenant = wire_view_of(wrapped), .purpose = WEBHOOK_PURPOSE, .object = *webhook };
	char purpose[WEBHOOK_SYSTEM_PURPOSE_SIZE];

	webhook_system_purpose(webhook, purpose);
	return w->job->has_tenant ? keys_reveal(w->keys, &w->job->id, &object, wire_view_of(blob), out)
		: keys_system_reveal(w->keys, &w->job->id, purpose, wire_view_of(blob), out);
}

static int load(struct work *w, struct delivery *d)
{
	struct buf blob = BUF_INIT, wrapped = BUF_INIT;
	struct uuid webhook;
	int rc = json_get_uuid(w->job->payload, "delivery", &d->id);

	if (rc == 0)
		rc = work_begin(w);
	if (rc == 0)
		rc = webhook_delivery_get(w->db, &d->id, &d->row, &blob);
	if (rc == 0 && w->job->has_tenant)
		rc = tenant_key(w->db, &wrapped);
	db_rollback(w->db);
	if (rc == 0)
		rc = json_get_uuid(d->row, "webhook", &webhook);
	if (rc == 0)
		rc = reveal(w, &webhook, &wrapped, &blob, &d->secret);
	buf_free(&blob);
	buf_free(&wrapped);
	return rc;
}

/* The beginning of an answer, for people: whatever it was, it is text. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text > 126)
			*text = ' ';
}

static int post(struct work *w, const struct delivery *d, struct https_reply *reply)
{
	const struct https_server server = { .url = text_of(d->row, "url"), .ca_pem = text_of(d->row, "ca"),
		/* The operator names its own as it likes. */
		.local = !w->job->has_tenant || strcmp(conf_get(w->conf, CONF_OUTSIDE_LOCAL), "yes") == 0,
		.distant = w->job->has_tenant && strcmp(conf_get(w->conf, CONF_OUTSIDE_PRIVATE), "yes") != 0 };
	char id[UUID_TEXT_SIZE], signature[HOOK_SIGNATURE_SIZE], *lines[3];
	const char *headers[5] = { "Content-Type: application/json" };
	int rc;

	uuid_text(&d->id, id);
	hook_sign(d->secret, w->now / CLOCK_SECOND, text_of(d->row, "body"), signature);
	lines[0] = mem_printf("Keyward-Delivery: %s", id);
	lines[1] = mem_printf("Keyward-Event: %s", text_of(d->row, "event"));
	lines[2] = mem_printf("Keyward-Signature: %s", signature);
	for (int i = 0; i < 3; i++)
		headers[i + 1] = lines[i];
	rc = https_deliver(&server, headers, text_of(d->row, "body"), reply);
	for (int i = 0; i < 3; i++)
		free(lines[i]);
	return rc;
}

static int note(struct work *w, const struct delivery *d, int sent, struct https_reply *reply)
{
	char why[300];
	struct webhook_outcome o = { .delivered = sent == 0, .attempts = w->job->attempts, .status = reply->status, .took_ms = reply->took_ms };
	int rc;

	snprintf(why, sizeof why, "%s", sent < 0 ? err_text() : "");
	if (reply->text)
		make_plain(reply->text);
	o.answer = reply->text;
	o.error = sent < 0 ? why : NULL;
	/* A test is tried once, for who waits to see it; an address that is refused stays so. */
	o.last = w->job->attempts >= WEBHOOK_ATTEMPTS || json_is_true(json_object_get(d->row, "is_test")) || reply->refused;
	rc = work_begin(w);
	if (rc == 0)
		rc = webhook_delivery_note(w->db, &d->id, &o);
	rc = db_end(w->db, rc);
	return rc < 0 || sent == 0 || o.last ? rc : err_set(sent, "%s", why);
}

int webhook_job(struct work *w)
{
	struct delivery d = { .row = NULL };
	struct https_reply reply = { .status = 0 };
	int rc = load(w, &d);

	/* Deleted meanwhile: nobody is to be told. */
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	else if (rc == 0 && strcmp(text_of(d.row, "state"), "waiting") == 0) {
		int off = !json_is_true(json_object_get(d.row, "enabled")) && !json_is_true(json_object_get(d.row, "is_test"));

		reply.refused = off;
		rc = note(w, &d, off ? err_set(ERR_CONFLICT, "the webhook is off") : post(w, &d, &reply), &reply);
	}
	free(reply.text);
	secret_free(d.secret);
	json_decref(d.row);
	return rc;
}
