/* inventory.c - scanning and publishing. */
#include "agent/guest/inventory.h"

#include <blkid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/common/host.h"
#include "agent/guest/array.h"
#include "agent/guest/note.h"
#include "agent/guest/pool.h"
#include "base/err.h"
#include "base/log.h"
#include "base/word.h"

#define LOOK_AGAIN (5 * CLOCK_SECOND)

void inventory_luks_uuid(const char *path, char out[static 37])
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *type = NULL, *uuid = NULL;

	out[0] = '\0';
	if (probe == NULL)
		return;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID);
	if (blkid_do_safeprobe(probe) == 0 && blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0
		&& strcmp(type, "crypto_LUKS") == 0 && blkid_probe_lookup_value(probe, "UUID", &uuid, NULL) == 0)
		snprintf(out, 37, "%s", uuid);
	blkid_free_probe(probe);
}

static void set_filesystem(const struct volume_report *r, char out[static PROTO_WORD_MAX + 1])
{
	out[0] = '\0';
	if (r->content == VOLUME_OURS || r->content == VOLUME_LUKS_FOREIGN)
		snprintf(out, PROTO_WORD_MAX + 1, "crypto_LUKS");
	else if (r->content == VOLUME_TABLE)
		snprintf(out, PROTO_WORD_MAX + 1, "partitions");
	else if (r->content == VOLUME_SIGNATURE)
		snprintf(out, PROTO_WORD_MAX + 1, "%.*s", (int)strcspn(r->content_text, " "), r->content_text);
}

/* Why it could not be encrypted as it is, so that nobody offers it, and somebody can mend it. */
static void judge(const struct volume_report *r, struct proto_device *d)
{
	if (r->use != VOLUME_FREE)
		snprintf(d->unusable, sizeof d->unusable, "%.*s", PROTO_TEXT_MAX, r->use_text);
	else if (r->read_only)
		snprintf(d->unusable, sizeof d->unusable, "it can only be read");
	else if (r->size < VOLUME_SIZE_LEAST)
		snprintf(d->unusable, sizeof d->unusable, "it is too small: a volume needs %d MiB", VOLUME_SIZE_LEAST >> 20);
}

/* What cannot be looked at is published as in use, so that nobody offers it for encryption. */
static int look(const struct guest *g, struct proto_device *d, struct volume_report *r)
{
	struct stat device, root;

	if (volume_inspect(d->path, r) < 0) {
		(g->scanned ? log_debug : log_warning)("a device cannot be looked at", "device", d->id, "reason", err_text(),
			NULL);
		snprintf(d->unusable, sizeof d->unusable, "it cannot be looked at: %.*s", PROTO_TEXT_MAX - 32, err_text());
		word_readable(d->unusable);
		d->in_use = 1;
		d->system = stat(d->path, &device) == 0 && stat("/", &root) == 0 && device.st_rdev == root.st_dev;
		return 0;
	}
	d->in_use = r->use != VOLUME_FREE;
	d->system = r->use == VOLUME_ROOT_DISK;
	if (r->size > 0 && r->size <= INT64_MAX)
		d->size_bytes = (int64_t)r->size;
	judge(r, d);
	set_filesystem(r, d->filesystem);
	if (r->content == VOLUME_OURS || r->content == VOLUME_LUKS_FOREIGN)
		inventory_luks_uuid(d->path, d->luks_uuid);
	return 1;
}

static void show_token(const struct volume_report *r, struct proto_device *d)
{
	uuid_text(&r->token.device, d->key_device);
	uuid_text(&r->token.account, d->key_account);
	snprintf(d->key_server, sizeof d->key_server, "%.*s", PROTO_TEXT_MAX, r->token.server);
	d->key_version = r->token.key_version;
}

/* Finds an open volume again after a restart of the agent: 1 where it is one of ours that has the disk in use. One that is open but not
 * mounted is closed: its key was on the way when the agent was killed, and the next request gets it again. But only by who opens volumes
 * here: to others it is one that the agent is just about to mount. */
static int adopt(struct guest *g, struct device *d)
{
	struct volume_state v;

	if (d->state == DEVICE_OPEN || d->state == DEVICE_CLOSING || volume_status(&g->env, d->name, &v) < 0)
		return 0;
	if (v.alive && v.mounted[0]) {
		snprintf(d->mount_point, sizeof d->mount_point, "%.*s", PROTO_PATH_MAX, v.mounted);
		d->access = v.read_only ? PROTO_ACCESS_READ_ONLY : PROTO_ACCESS_READ_WRITE;
		note_read(&g->env, d);
		if (device_move(d, DEVICE_EVENT_FOUND) < 0)
			return 1;
		d->wake = clock_ticks() + LOOK_AGAIN;
		d->untold_opened = 1;
		device_say(d, "found open");
		log_info("volume is open already", "device", d->id, "mounted", d->mount_point, NULL);
	} else if (g->tends && volume_close(&g->env, d->name, !v.alive) < 0) {
		log_error("a left-over volume cannot be closed", "device", d->id, "reason", err_text(), NULL);
		return 0;
	} else if (g->tends) {
		log_info("closed a volume that was left half open", "device", d->id, NULL);
	}
	return g->tends || v.alive;
}

/* A volume of ours that something else than this agent (OURS: it was that) has in use: opening it must wait until that lets go. */
static void note_use(struct guest *g, struct device *d, const struct volume_report *r, int ours)
{
	int held = r->use != VOLUME_FREE && !ours && d->state != DEVICE_OPEN && d->state != DEVICE_CLOSING;

	if (held && !d->held)
		log_warning("a volume is in use by somebody else: no key is asked for until it is free", "device", d->id, "use", r->use_text,
			NULL);
	g->look_soon |= held && !d->held;
	if (d->held && !held)
		d->wake = clock_ticks();
	d->held = held;
	if (held)
		device_say(d, "%s", r->use_text);
}

static void enter(struct guest *g, struct proto_device *found, const struct volume_report *r)
{
	struct volume_place *place = &g->places[found - g->found->devices];
	struct device *d;

	if (r->content != VOLUME_OURS || r->token.provisioning)
		return;
	if (!uuid_equal(&r->token.account, &g->reg.account)) {
		log_debug("a volume of another account is left alone", "device", found->id, NULL);
		return;
	}
	*place = r->token.place;
	/* A pooled one is looked after as the one in whose place it was given. */
	if (place->array[0] || pool_is_given(g, found->id))
		return;
	d = guest_device_add(g, found->id, found->path);
	if (d == NULL) {
		log_error("more devices than this agent can keep", "device", found->id, NULL);
		return;
	}
	d->key_device = r->token.device;
	note_use(g, d, r, adopt(g, d));
	if (!d->held)
		found->unusable[0] = '\0';
}

/* What user data or file want and is not here: where the provider attaches, its key is asked for, and the server says which device it
 * may be. */
static int is_wanted_elsewhere(const struct guest *g, const char *id)
{
	return pool_can_attach(g) && wants_find(&g->wants, id) != NULL && !guest_found(g, id);
}

static void enter_wanted(struct guest *g)
{
	for (int i = 0; i < g->wants.count; i++) {
		const char *id = g->wants.list[i].id;
		struct device *d = is_wanted_elsewhere(g, id) ? guest_device(g, id) : NULL;

		if (d || !is_wanted_elsewhere(g, id))
			continue;
		d = guest_device_add(g, id, "");
		if (d)
			adopt(g, d);
	}
}

/* A disk that was pulled must not be asked for; one that is open is looked after whatever the provider says. */
static void forget_missing(struct guest *g)
{
	for (int i = g->devices_count - 1; i >= 0; i--) {
		struct device *d = &g->devices[i];
		int kept = (guest_found(g, d->id) && !pool_is_given(g, d->id)) || array_is_here(g, d->id) || is_wanted_elsewhere(g, d->id);

		if (kept || d->state == DEVICE_OPEN || d->state == DEVICE_CLOSING || d->untold_closed)
			continue;
		log_info("a device is no longer there", "device", d->id, NULL);
		sealed_free(d->one_time);
		*d = g->devices[--g->devices_count];
	}
}

int inventory_scan(struct guest *g)
{
	struct provider_context ctx = guest_provider_context(g);
	struct proto_inventory *inv = g->found;
	int count = provider_list(g->provider, &ctx, inv->devices, PROTO_DEVICES_MAX);

	if (count < 0)
		return count;
	inv->devices_count = count;
	snprintf(inv->provider, sizeof inv->provider, "%s", g->provider->name);
	snprintf(inv->instance_id, sizeof inv->instance_id, "%s", g->who.instance_id);
	snprintf(inv->image_id, sizeof inv->image_id, "%s", g->who.image_id);
	snprintf(inv->image_name, sizeof inv->image_name, "%s", g->who.image_name);
	snprintf(inv->region, sizeof inv->region, "%s", g->who.region);
	snprintf(inv->zone, sizeof inv->zone, "%s", g->who.zone);
	host_describe(&inv->host);
	if (g->registered)
		enter_wanted(g);
	for (int i = 0; i < count; i++) {
		struct volume_report r;

		g->places[i].array[0] = '\0';
		if (!look(g, &inv->devices[i], &r))
			continue;
		if (r.content == VOLUME_OURS)
			show_token(&r, &inv->devices[i]);
		if (g->registered)
			enter(g, &inv->devices[i], &r);
	}
	array_enter(g, adopt);
	forget_missing(g);
	g->scanned = 1;
	return 0;
}

uint64_t inventory_digest(const struct guest *g)
{
	struct buf text = BUF_INIT;
	uint8_t digest[PROTO_DIGEST_SIZE];
	uint64_t out = 0;

	if (proto_request_encode(PROTO_INVENTORY, g->found, &text) == 0 && proto_sha256(text.data, text.len, digest) == 0)
		memcpy(&out, digest, sizeof out);
	buf_free(&text);
	return out;
}

int inventory_publish(struct guest *g)
{
	struct proto_inventory_answer *answer = proto_answer_new(PROTO_INVENTORY);
	char count[16];
	int rc = guest_call(g, PROTO_INVENTORY, g->found, answer);

	if (rc == 0) {
		if (answer->warning[0])
			log_warning("the server says", "message", "inventory", "warning", answer->warning, NULL);
		guest_watch(g, answer->watch_files, answer->watch_files_count);
		snprintf(count, sizeof count, "%d", g->found->devices_count);
		log_info("inventory published", "devices", count, NULL);
	}
	proto_answer_free(PROTO_INVENTORY, answer);
	return rc;
}
