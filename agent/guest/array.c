/* array.c - see array.h. */
#include "agent/guest/array.h"

#include <stdio.h>
#include <string.h>

#include "agent/guest/claims.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

void array_find(const struct guest *g, const char *id, struct array_members *out)
{
	int twice[VOLUME_PARTS_MAX] = { 0 };

	*out = (struct array_members){ .count = 0 };
	for (int i = 0; i < g->found->devices_count; i++) {
		const struct volume_place *p = &g->places[i];

		if (p->array[0] == '\0' || strcmp(p->array, id) != 0)
			continue;
		/* Of another size or layout: from another array of that name. */
		if (out->count && (out->count != (int)p->count || out->chunk != p->chunk))
			continue;
		out->count = (int)p->count;
		out->chunk = p->chunk;
		twice[p->index] |= out->at[p->index] != NULL;
		out->at[p->index] = &g->found->devices[i];
	}
	for (int i = 0; i < out->count; i++) {
		if (twice[i])
			out->at[i] = NULL;
		out->doubled |= twice[i];
		out->here += out->at[i] != NULL;
	}
}

int array_is_here(const struct guest *g, const char *id)
{
	struct array_members m;

	array_find(g, id, &m);
	return m.count > 0;
}

/* Waits for its members, whatever it waited for before. */
static void lack(struct device *d, const struct array_members *m)
{
	if (d->state == DEVICE_OPEN || d->state == DEVICE_CLOSING || d->state == DEVICE_CLOSED || d->state == DEVICE_PROVISIONING)
		return;
	if (d->state != DEVICE_FAILED || d->wake != DEVICE_NEVER)
		log_warning("an array is not opened", "device", d->id, "reason", m->doubled ? "two disks claim the same place in it" :
			"devices are missing", NULL);
	while (d->state != DEVICE_FAILED && device_move(d, DEVICE_EVENT_FAIL) == 0)
		;
	sealed_free(d->one_time);
	d->one_time = NULL;
	d->wake = DEVICE_NEVER;
	if (m->doubled)
		device_say(d, "two disks claim the same place in the RAID");
	else
		device_say(d, "%d of %d devices of the RAID are here", m->here, m->count);
}

static void complete(struct device *d)
{
	if (d->state != DEVICE_FAILED || d->wake != DEVICE_NEVER)
		return;
	device_move(d, DEVICE_EVENT_RETRY);
	d->wake = clock_ticks();
	device_say(d, "all devices of the RAID are here");
	log_info("an array is complete", "device", d->id, NULL);
}

void array_enter(struct guest *g, int (*adopt)(struct guest *g, struct device *d))
{
	for (int i = 0; i < g->found->devices_count; i++) {
		struct array_members m;
		struct device *d;

		if (g->places[i].array[0] == '\0')
			continue;
		d = guest_device_add(g, g->places[i].array, "");
		if (d == NULL) {
			log_error("more devices than this agent can keep", "device", g->places[i].array, NULL);
			continue;
		}
		array_find(g, d->id, &m);
		adopt(g, d);
		if (m.here < m.count)
			lack(d, &m);
		else
			complete(d);
	}
}

static int unseal_one(const struct guest *g, const struct device *d, const char *id, const struct proto_key_answer *a, const char *sealed,
	int64_t version, const struct proto_device *member, struct secret **key)
{
	struct sealed_expected expected = { .tenant = g->reg.account, .agent = g->reg.agent, .version = (uint32_t)version };
	struct uuid token;
	int rc = claims_read(sealed, &expected);

	if (rc < 0)
		return rc;
	expected.request = a->request;
	if (uuid_parse(member->key_device, &token) == 0 && !uuid_equal(&token, &expected.device))
		log_warning("the key is another device's than the volume's token names", "device", id, NULL);
	return sealed_open(d->one_time, sealed, strlen(sealed), &expected, key);
}

/* The key for the place I. */
static int unseal(const struct guest *g, const struct device *d, const struct array_members *m, const struct proto_key_answer *a, int i,
	struct secret **key)
{
	const struct proto_key_member *k = NULL;
	struct secret *other = NULL;
	int rc;

	for (int j = 0; j < a->members_count; j++)
		if (a->members[j].index == i)
			k = &a->members[j];
	if (k == NULL || strcmp(k->device, m->at[i]->id) != 0)
		return err_set(ERR_CONFLICT, "device %d of the RAID is %s here, and the server's is %s", i + 1, m->at[i]->id,
			k ? k->device : "another");
	rc = unseal_one(g, d, k->device, a, k->sealed, k->key_version, m->at[i], key);
	if (rc == 0 && k->other_sealed[0] && unseal_one(g, d, k->device, a, k->other_sealed, k->other_version, m->at[i], &other) == 0)
		volume_rekey_choose(m->at[i]->path, key, other);
	return rc;
}

/* Each was of the place that it names, or nothing would have been tried. */
static void explain(const struct array_members *m, const struct proto_key_answer *a)
{
	for (int i = 0; i < a->members_count; i++)
		volume_rekey_explain(m->at[a->members[i].index]->path, a->members[i].key_version);
}

int array_open(struct guest *g, const struct device *d, const struct proto_key_answer *answer, char block[static VOLUME_TEXT_MAX])
{
	struct secret *keys[VOLUME_PARTS_MAX] = { NULL };
	struct volume_part more[VOLUME_PARTS_MAX - 1];
	struct array_members m;
	int rc = 0;

	array_find(g, d->id, &m);
	if (m.count == 0 || m.here < m.count)
		return err_set(ERR_NOT_FOUND, "%d of %d devices of the RAID are here", m.here, m.count);
	if (answer->members_count != m.count)
		return err_set(ERR_CONFLICT, "the RAID has %d devices here, and %d on the server", m.count, answer->members_count);
	for (int i = 0; rc == 0 && i < m.count; i++) {
		rc = unseal(g, d, &m, answer, i, &keys[i]);
		if (i > 0)
			more[i - 1] = (struct volume_part){ m.at[i]->path, keys[i] };
	}
	if (rc == 0) {
		struct volume_open_params params = { .path = m.at[0]->path, .name = d->name, .read_only = d->access == PROTO_ACCESS_READ_ONLY,
			.more = more, .more_count = (size_t)m.count - 1, .chunk = m.chunk,
			.expected = { answer->encryption, (unsigned)answer->key_bits } };

		rc = volume_open(&g->env, g->engine, &params, keys[0], block);
		if (rc == ERR_FORBIDDEN)
			explain(&m, answer);
	}
	for (int i = 0; i < m.count; i++)
		secret_free(keys[i]);
	return rc;
}
