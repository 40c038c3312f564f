/* request.c - key requests and what follows from their answers. */
#include "agent/guest/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/guest/array.h"
#include "agent/guest/claims.h"
#include "agent/guest/holders.h"
#include "agent/guest/mountunit.h"
#include "agent/guest/note.h"
#include "agent/guest/pool.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mount_point.h"

#define POLL_STANDARD 5          /* seconds, where the server says nothing */
#define REFUSED_STANDARD 60
#define FAILED_FIRST 30          /* doubles with each failure in a row, up to: */
#define FAILED_MOST 3600

static void wake_in(struct device *d, int64_t seconds)
{
	d->wake = clock_ticks() + device_jitter(seconds);
}

static void drop_one_time(struct device *d)
{
	sealed_free(d->one_time);
	d->one_time = NULL;
}

static void fail(struct device *d, const char *what)
{
	int64_t wait = FAILED_FIRST;

	for (unsigned i = 0; i < d->failures && wait < FAILED_MOST; i++)
		wait *= 2;
	d->failures++;
	d->ask_reason = PROTO_REASON_FAILURE;
	device_say(d, "%s: %s", what, err_text());
	snprintf(d->trouble, sizeof d->trouble, "%s", d->detail);
	log_error("a volume cannot be opened", "device", d->id, "reason", d->detail, NULL);
	device_move(d, DEVICE_EVENT_FAIL);
	d->untold_opened = 0;
	d->untold_closed = 1;
	d->close_reason = PROTO_REASON_FAILURE;
	wake_in(d, wait);
}

/* Disks that have changed places, or a copy in the place of another disk, are not opened. A clone has a key of its own id that was made
 * for the device which its token still names; the server says so. */
static int check_token(const struct device *d, const struct uuid *device, const struct uuid *made_for)
{
	char text[UUID_TEXT_SIZE];

	if (uuid_is_nil(&d->key_device) || uuid_equal(&d->key_device, device) || uuid_equal(&d->key_device, made_for))
		return 0;
	uuid_text(&d->key_device, text);
	return err_set(ERR_FORBIDDEN, "the disk that is here now holds the volume of another device (%s): it was not opened", text);
}

static int unseal_one(struct guest *g, const struct device *d, const struct proto_key_answer *a, const char *sealed, int64_t version,
	struct secret **key)
{
	struct sealed_expected expected = { .tenant = g->reg.account, .agent = g->reg.agent, .version = (uint32_t)version };
	int rc = claims_read(sealed, &expected);

	if (rc < 0)
		return rc;
	/* The request is ours to know; the device too, once its token has said so. */
	expected.request = a->request;
	/* A device of the pool's in its place: that one's token was not read yet. */
	rc = d->given[0] ? 0 : check_token(d, &expected.device, &a->token_device);
	return rc < 0 ? rc : sealed_open(d->one_time, sealed, strlen(sealed), &expected, key);
}

static int unseal(struct guest *g, const struct device *d, const struct proto_key_answer *a, struct secret **key)
{
	struct secret *other = NULL;
	int rc = unseal_one(g, d, a, a->sealed, a->key_version, key);

	if (rc == 0 && a->other_sealed[0] && unseal_one(g, d, a, a->other_sealed, a->other_version, &other) == 0)
		volume_rekey_choose(d->path, key, other);
	return rc;
}

static int mount_open(struct guest *g, struct device *d, const char *block)
{
	int read_only = d->access == PROTO_ACCESS_READ_ONLY;
	int rc = read_only ? 0 : volume_check(block, d->found);

	if (rc == 0 && !read_only && d->found[0])
		log_warning("the file system was repaired", "device", d->id, "found", d->found, NULL);
	if (rc == 0)
		rc = note_write(&g->env, d);
	if (rc == 0) {
		mountunit_order(d->mount_point);
		rc = volume_mount(block, d->mount_point, read_only);
	}
	return rc;
}

/* The key lives from here to the end of volume_open. */
static int open_one(struct guest *g, struct device *d, const struct proto_key_answer *a, char block[static VOLUME_TEXT_MAX])
{
	struct volume_open_params params = { .path = d->path, .name = d->name, .read_only = d->access == PROTO_ACCESS_READ_ONLY,
		.expected = { a->encryption, (unsigned)a->key_bits } };
	struct secret *key = NULL;
	int rc = unseal(g, d, a, &key);

	if (rc < 0)
		return err_wrap(rc, "the key cannot be used");
	rc = volume_open(&g->env, g->engine, &params, key, block);
	secret_free(key);
	return rc == ERR_FORBIDDEN ? volume_rekey_explain(d->path, a->key_version) : rc;
}

static void open_with(struct guest *g, struct device *d, const struct proto_key_answer *a)
{
	char block[VOLUME_TEXT_MAX];
	int rc = a->members_count > 0 ? array_open(g, d, a, block) : open_one(g, d, a, block);

	drop_one_time(d);
	if (rc < 0) {
		fail(d, "opening failed");
		return;
	}
	rc = mount_open(g, d, block);
	if (rc < 0) {
		fail(d, "mounting failed");
		volume_close(&g->env, d->name, 0);
		note_remove(&g->env, d);
		return;
	}
	device_move(d, DEVICE_EVENT_OPENED);
	d->failures = 0;
	d->trouble[0] = '\0';
	d->untold_opened = 1;
	d->untold_closed = 0;
	d->wake = clock_ticks() + REQUEST_LOOK;
	device_say(d, "mounted on %s", d->mount_point);
	log_info("volume open and mounted", "device", d->id, "mounted", d->mount_point, "access",
		proto_access_names[d->access], NULL);
}

/* The server's word goes before that of user data and file; where it gave another device of the pool, that one takes the place of the one
 * asked for. */
static void take_mount_point(const struct guest *g, struct device *d, const struct proto_key_answer *a)
{
	const struct want *want = wants_find(&g->wants, d->id);
	int other = a->device[0] && strcmp(a->device, d->id) != 0;

	if (a->mount_point[0] == '\0' || (other && d->mount_point[0]))
		return;
	if (want && strcmp(want->mount_point, a->mount_point) != 0)
		log_warning("the server's mount point goes before that of the guest", "device", d->id, "server", a->mount_point,
			want->by_user_data ? "user_data" : "agent.conf", want->mount_point, NULL);
	snprintf(d->mount_point, sizeof d->mount_point, "%s", a->mount_point);
}

/* From the server, or an earlier task of its: never over what the system runs from. What the guest names itself is its own affair. */
static int check_mount_point(const struct guest *g, const struct device *d)
{
	const struct want *want = wants_find(&g->wants, d->id);
	const char *problem = want && strcmp(want->mount_point, d->mount_point) == 0 ? NULL : mount_point_problem(d->mount_point);

	if (d->mount_point[0] != '/')
		return err_set(ERR_INVALID, "neither the server nor user data nor the configuration file says where to mount it");
	return problem ? err_set(ERR_FORBIDDEN, "the server wants it mounted on %s: %s", d->mount_point, problem) : 0;
}

static void deliver(struct guest *g, struct device *d, const struct proto_key_answer *a)
{
	device_move(d, DEVICE_EVENT_KEY);
	take_mount_point(g, d, a);
	if (a->access != PROTO_ACCESS_UNKNOWN)
		d->access = a->access;
	if (d->access == PROTO_ACCESS_UNKNOWN)
		d->access = PROTO_ACCESS_READ_WRITE;
	if (check_mount_point(g, d) == 0 && (a->members_count > 0 || pool_place(g, d, a->device) == 0)) {
		open_with(g, d, a);
		return;
	}
	drop_one_time(d);
	fail(d, "the key cannot be used");
}

/* The one-time key stays: who denied may change his mind. */
static void denied(struct device *d, const struct proto_key_answer *a)
{
	device_move(d, DEVICE_EVENT_DENY);
	d->ask_reason = PROTO_REASON_SCHEDULE;
	device_say(d, "denied%s%s", a->reason[0] ? ": " : "", a->reason);
	log_warning("the key request was denied", "device", d->id, "reason", a->reason, "again",
		a->retry_after_s > 0 ? "later" : "when the server orders it", NULL);
	if (a->retry_after_s > 0)
		wake_in(d, a->retry_after_s);
	else
		d->wake = DEVICE_NEVER;
}

static void pending(struct device *d, const struct proto_key_answer *a)
{
	int first = d->state == DEVICE_REQUESTING;

	device_move(d, DEVICE_EVENT_PEND);
	/* Approved without a key: what it waits for is not announced. */
	d->undecided = a->status == PROTO_KEY_PENDING;
	/* Whoever is to decide again wants to know what became of it the last time. */
	device_say(d, "%s%s%s%s%s", proto_key_status_names[a->status], a->reason[0] ? ": " : "", a->reason, d->trouble[0] ? "; before that, " : "",
		d->trouble);
	if (first)
		log_info("the key request waits for approval", "device", d->id, "reason", a->reason, NULL);
	wake_in(d, a->retry_after_s > 0 ? a->retry_after_s : POLL_STANDARD);
}

static void take_answer(struct guest *g, struct device *d, const struct proto_key_answer *a)
{
	if (!uuid_is_nil(&a->request))
		d->request = a->request;
	switch (a->status) {
	case PROTO_KEY_PENDING:
	case PROTO_KEY_APPROVED:
		pending(d, a);
		break;
	case PROTO_KEY_DELIVERED:
		deliver(g, d, a);
		break;
	default:
		denied(d, a);
	}
}

/* No answer: the same again later, by the server's wish or when it can be reached. */
static void refused(struct guest *g, struct device *d, int rc)
{
	int reached = g->client.refusal.code[0] != '\0';

	d->undecided = 0;
	device_say(d, "%s", err_text());
	if (reached) {
		log_warning("the server refuses to decide on a key", "device", d->id, "reason", err_name(rc), "text",
			d->detail, NULL);
		wake_in(d, guest_retry_after(g, REFUSED_STANDARD));
	} else {
		d->wake = g->next_try > clock_ticks() ? g->next_try : clock_ticks() + CLOCK_SECOND;
	}
}

static int prepare(struct guest *g, struct device *d, struct proto_key_request *r)
{
	drop_one_time(d);
	snprintf(r->device, sizeof r->device, "%s", d->id);
	snprintf(r->mount_point, sizeof r->mount_point, "%s", d->mount_point);
	r->access = d->access != PROTO_ACCESS_UNKNOWN ? d->access : PROTO_ACCESS_READ_WRITE;
	r->reason = d->ask_reason;
	r->facts = guest_facts(g);
	return guest_recipient(g, d->id, &d->one_time, r->recipient_key, r->signature);
}

void request_ask(struct guest *g, struct device *d)
{
	struct proto_key_request *r = proto_request_new(PROTO_KEY_REQUEST);
	struct proto_key_answer *a = proto_answer_new(PROTO_KEY_REQUEST);
	int rc;

	if (device_move(d, DEVICE_EVENT_ASK) == 0) {
		rc = prepare(g, d, r);
		if (rc == 0)
			rc = guest_call(g, PROTO_KEY_REQUEST, r, a);
		if (rc == 0) {
			take_answer(g, d, a);
		} else {
			device_move(d, DEVICE_EVENT_FAIL);
			refused(g, d, rc);
		}
	}
	proto_answer_free(PROTO_KEY_REQUEST, a);
	proto_request_free(PROTO_KEY_REQUEST, r);
}

/* What became of the request; where nothing is said, D is looked at again later. */
static int poll(struct guest *g, struct device *d, struct proto_key_answer *a)
{
	struct proto_key_poll r = { .request = d->request };
	int rc = guest_call(g, PROTO_KEY_POLL, &r, a);

	if (rc == ERR_NOT_FOUND && g->client.refusal.code[0]) {
		log_info("the server no longer has the request; asking anew", "device", d->id, NULL);
		device_move(d, DEVICE_EVENT_FAIL);
		wake_in(d, guest_retry_after(g, 1));
	} else if (rc < 0) {
		refused(g, d, rc);
	}
	return rc;
}

void request_poll(struct guest *g, struct device *d)
{
	struct proto_key_answer *a = proto_answer_new(PROTO_KEY_POLL);

	if (poll(g, d, a) == 0)
		take_answer(g, d, a);
	proto_answer_free(PROTO_KEY_POLL, a);
}

void request_again(struct guest *g, struct device *d)
{
	struct proto_key_answer *a = proto_answer_new(PROTO_KEY_POLL);
	int rc = poll(g, d, a);

	if (rc == 0 && (a->status == PROTO_KEY_DENIED || a->status == PROTO_KEY_REVOKED))
		request_ask(g, d);
	else if (rc == 0)
		take_answer(g, d, a);
	proto_answer_free(PROTO_KEY_POLL, a);
}

void request_look(struct guest *g, struct device *d)
{
	struct volume_state v;
	int rc = volume_status(&g->env, d->name, &v);

	d->wake = clock_ticks() + REQUEST_LOOK;
	if (rc == 0 && v.alive && v.mounted[0])
		return;
	if (rc == 0 && v.alive)
		err_set(ERR_NOT_FOUND, "somebody has unmounted it");
	else
		err_set(ERR_IO, "its block device is gone");
	fail(d, "the volume was lost");
	volume_close(&g->env, d->name, rc == 0 && !v.alive);
	note_remove(&g->env, d);
}

static void still_busy(struct device *d, const char *point)
{
	char who[PROTO_TEXT_MAX / 2], reason[PROTO_TEXT_MAX / 2];

	snprintf(reason, sizeof reason, "%s", err_text());
	holders_find(point, who, sizeof who);
	device_say(d, "cannot be closed yet: %s", who[0] ? who : reason);
	log_warning("a volume is in use and cannot be closed yet", "device", d->id, "mounted", point, "used_by", who,
		"reason", reason, NULL);
	d->wake = clock_ticks() + REQUEST_LOOK;
}

void request_close(struct guest *g, struct device *d)
{
	struct volume_state v;
	int rc = volume_status(&g->env, d->name, &v);

	if (rc == 0 && v.mounted[0])
		rc = volume_unmount(v.mounted, d->force);
	if (rc == 0)
		rc = volume_close(&g->env, d->name, d->force || !v.alive);
	if (rc < 0 && rc != ERR_NOT_FOUND) {
		still_busy(d, v.mounted[0] ? v.mounted : d->mount_point);
		return;
	}
	note_remove(&g->env, d);
	pool_return(g, d);
	device_move(d, DEVICE_EVENT_GONE);
	d->wake = DEVICE_NEVER;
	d->untold_opened = 0;
	d->untold_closed = 1;
	d->force = 0;
	device_say(d, "closed, key wiped");
	log_info("volume closed, key wiped", "device", d->id, "reason", proto_reason_names[d->close_reason], NULL);
}

static int tell_closed(struct guest *g, struct device *d)
{
	struct proto_closed *c = proto_request_new(PROTO_CLOSED);
	int rc;

	snprintf(c->device, sizeof c->device, "%s", d->id);
	c->reason = d->close_reason;
	snprintf(c->detail, sizeof c->detail, "%s", d->detail);
	rc = guest_tell(g, PROTO_CLOSED, c, NULL);
	proto_request_free(PROTO_CLOSED, c);
	return rc;
}

static int tell_opened(struct guest *g, struct device *d)
{
	struct proto_opened *o = proto_request_new(PROTO_OPENED);
	int rc;

	o->request = d->request;
	snprintf(o->device, sizeof o->device, "%s", d->id);
	snprintf(o->repaired, sizeof o->repaired, "%s", d->found);
	rc = guest_tell(g, PROTO_OPENED, o, NULL);
	if (rc == 0)
		d->found[0] = '\0';
	proto_request_free(PROTO_OPENED, o);
	return rc;
}

/* A message that the server refuses is not sent for ever: it has answered, and heartbeats tell it the state anyway. */
static int is_told(struct guest *g, const struct device *d, int rc)
{
	if (rc < 0 && g->client.refusal.code[0])
		log_warning("the server does not take a volume's state", "device", d->id, "reason", err_text(), NULL);
	return rc == 0 || g->client.refusal.code[0];
}

void request_tell(struct guest *g, struct device *d)
{
	if (d->untold_closed && is_told(g, d, tell_closed(g, d)))
		d->untold_closed = 0;
	if (d->untold_opened && !d->untold_closed && is_told(g, d, tell_opened(g, d)))
		d->untold_opened = 0;
}
