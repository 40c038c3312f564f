/* ec2.c - the questions of a plug-in, answered by EC2: who and where by the metadata service, devices by what the kernel tells and, where
 * it tells nothing, by the API; attach and detach by the API. */
#include "agent/plugin/ec2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/provider/block.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define WAIT_SECONDS 150                 /* for a volume to come or go; less than the question's limit */
#define STEP_MOST_MS 4000
#define AGAIN_SECONDS 600                /* after the mapping could not be asked for */
#define FIRST_LETTER 'f'                 /* /dev/sdf to /dev/sdp are for data volumes */
#define LAST_LETTER 'p'

static const struct ec2_dialect *dialect;

/* What one question needs of the cloud; each part is opened when it is first wanted. */
struct ec2 {
	struct kit_question *q;
	struct imds *metadata;
	struct ec2_api *api;
	char instance[EC2_ID_MAX + 1];
};

static int open_metadata(struct ec2 *e)
{
	int rc = e->metadata ? 0 : imds_open(kit_text(e->q->settings, "metadata"), dialect->old_metadata, &e->metadata);

	if (rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT)
		e->q->advice = "Is this an instance, with its metadata service switched on? In a container its hop limit must be 2 or more";
	return rc;
}

static int instance_id(struct ec2 *e)
{
	int rc = e->instance[0] ? 0 : open_metadata(e);

	if (rc == 0 && e->instance[0] == '\0')
		rc = imds_text(e->metadata, "meta-data/instance-id", e->instance, sizeof e->instance);
	if (rc == 0 && e->instance[0] == '\0')
		rc = err_set(ERR_UNAVAILABLE, "the metadata service knows no instance id");
	return rc;
}

static int region_of(struct ec2 *e, char out[static PROTO_WORD_MAX + 1])
{
	char zone[PROTO_WORD_MAX + 1];
	int rc;

	snprintf(out, PROTO_WORD_MAX + 1, "%.*s", PROTO_WORD_MAX, kit_text(e->q->settings, "region"));
	rc = out[0] ? 0 : open_metadata(e);
	if (rc < 0 || out[0])
		return rc;
	rc = imds_text(e->metadata, "meta-data/placement/region", out, PROTO_WORD_MAX + 1);
	/* Older services know only the zone: the region and a letter. */
	if (rc == 0 && out[0] == '\0')
		rc = imds_text(e->metadata, "meta-data/placement/availability-zone", zone, sizeof zone);
	if (rc == 0 && out[0] == '\0' && !dialect->needs_endpoint && strlen(zone) > 1)
		snprintf(out, PROTO_WORD_MAX + 1, "%.*s", (int)strlen(zone) - 1, zone);
	return rc;
}

static int open_api(struct ec2 *e)
{
	char region[PROTO_WORD_MAX + 1];
	int rc = e->api ? 0 : instance_id(e);

	if (rc == 0 && e->api == NULL)
		rc = region_of(e, region);
	if (rc == 0 && e->api == NULL)
		rc = ec2_api_open(dialect, e->q, e->metadata, region, &e->api);
	return rc;
}

static void finish(struct ec2 *e)
{
	ec2_api_close(e->api);
	imds_close(e->metadata);
}

static int identify(struct kit_question *q, void *answer)
{
	struct plugin_identity *out = answer;
	struct ec2 e = { .q = q };
	int rc = instance_id(&e);

	if (rc == 0)
		rc = imds_text(e.metadata, "meta-data/ami-id", out->image_id, sizeof out->image_id);
	memcpy(out->instance_id, e.instance, sizeof e.instance);
	finish(&e);
	return rc;
}

static int location(struct kit_question *q, void *answer)
{
	struct plugin_location *out = answer;
	struct ec2 e = { .q = q };
	int rc = open_metadata(&e);

	if (rc == 0)
		rc = region_of(&e, out->region);
	if (rc == 0)
		rc = imds_text(e.metadata, "meta-data/placement/availability-zone", out->zone, sizeof out->zone);
	finish(&e);
	return rc;
}

static int user_data(struct kit_question *q, void *answer)
{
	struct plugin_user_data *out = answer;
	struct ec2 e = { .q = q };
	struct buf text = BUF_INIT;
	int rc = open_metadata(&e);

	if (rc == 0)
		rc = imds_get(e.metadata, "user-data", &text);
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	else if (rc == 0 && text.len > PLUGIN_USER_DATA_MAX)
		rc = err_set(ERR_TOO_LARGE, "more than %d bytes of user data", PLUGIN_USER_DATA_MAX);
	else if (rc == 0 && (memchr(buf_str(&text), '\0', text.len) || strncmp(buf_str(&text), "\x1f\x8b", 2) == 0))
		rc = err_set(ERR_UNSUPPORTED, "the user data is no text");
	else if (rc == 0)
		memcpy(out->user_data, buf_str(&text), text.len);
	buf_free(&text);
	finish(&e);
	return rc;
}

/* Devices whose names alone tell their volumes. */
static int is_mute(const struct proto_device *d)
{
	const char *name = strrchr(d->path, '/') + 1;

	return d->kind == PROTO_DEVICE_DISK && (strncmp(name, "xvd", 3) == 0 || strncmp(name, "sd", 2) == 0 || strncmp(name, "vd", 2) == 0);
}

/* "xvda xvdf": while these are the same, the mapping of the memo holds. */
static char *mute_names(const struct proto_device *list, int count)
{
	struct buf b = BUF_INIT;
	char volume[EC2_ID_MAX + 1];

	for (int i = 0; i < count; i++) {
		const char *name = strrchr(list[i].path, '/') + 1;

		if (is_mute(&list[i]) && !ec2_volume_of_disk(name, volume))
			buf_printf(&b, "%s%s", b.len ? " " : "", name);
	}
	return buf_take(&b);
}

static int describe_instance(struct ec2 *e, struct xml **x)
{
	const char *parameters[] = { "InstanceId.1", e->instance, NULL };
	int rc = open_api(e);

	return rc == 0 ? ec2_api_ask(e->api, e->q, "DescribeInstances", parameters, x) : rc;
}

static const struct xml_node *mappings(const struct xml *x)
{
	return xml_find(xml_root(x), "reservationSet/item/instancesSet/item/blockDeviceMapping/item");
}

/* What the API says is attached to this instance, "/dev/sdf" -> "vol-...", into the memo. */
static int ask_mapping(struct ec2 *e, const char *names)
{
	struct xml *x = NULL;
	json_t *map = json_object();
	int rc = describe_instance(e, &x);

	for (const struct xml_node *n = rc == 0 ? mappings(x) : NULL; n; n = xml_next(n)) {
		char device[64], volume[EC2_ID_MAX + 1];

		xml_text(n, "deviceName", device, sizeof device);
		xml_text(n, "ebs/volumeId", volume, sizeof volume);
		if (device[0] && ec2_is_volume(volume) && json_object_size(map) < EC2_DEVICES_MAX)
			json_set_string(map, device, volume);
	}
	xml_free(x);
	if (rc == 0) {
		json_object_set(e->q->memo, "map", map);
		json_set_string(e->q->memo, "names", names);
	}
	json_decref(map);
	return rc;
}

static const char *mapped(const json_t *memo, const char *name)
{
	json_t *map = json_object_get(memo, "map"), *v;
	const char *device;

	json_object_foreach(map, device, v)
		if (ec2_same_device(name, device) && json_is_string(v) && ec2_is_volume(json_string_value(v)))
			return json_string_value(v);
	return NULL;
}

/* Volumes instead of what the kernel calls them. A disk of which it cannot be told which volume it is has no id that would stay: it is
 * left out. So is a second disk that claims the same volume. */
static int name_volumes(struct ec2 *e, struct proto_device *list, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		const char *name = strrchr(list[i].path, '/') + 1, *by_map = NULL;
		char volume[EC2_ID_MAX + 1] = "";

		if (list[i].kind == PROTO_DEVICE_DISK && !ec2_volume_of_disk(name, volume) && is_mute(&list[i])) {
			by_map = mapped(e->q->memo, name);
			if (by_map == NULL) {
				snprintf(e->q->warning, sizeof e->q->warning, "%s is left out: which volume it is cannot be told%s%.150s", name,
					err_text()[0] ? ": " : "", err_text());
				continue;
			}
			snprintf(volume, sizeof volume, "%s", by_map);
		}
		list[kept] = list[i];
		if (volume[0])
			snprintf(list[kept].id, sizeof list[kept].id, "%s", volume);
		kept++;
	}
	return kept;
}

/* The mapping of the memo is another machine's state, or there is none; and the API has not just failed. */
static int is_time(const json_t *memo, const char *names)
{
	json_int_t since = clock_now() / CLOCK_SECOND - json_integer_value(json_object_get(memo, "failed_at"));

	return strcmp(names, kit_text(memo, "names")) != 0 && (since < 0 || since >= AGAIN_SECONDS);
}

static int list_all(struct ec2 *e, struct proto_device *list)
{
	int count = block_list(list, PROTO_DEVICES_MAX);
	char *names;

	if (count < 0)
		return count;
	names = mute_names(list, count);
	if (*names && is_time(e->q->memo, names) && ask_mapping(e, names) < 0)
		json_set_int(e->q->memo, "failed_at", clock_now() / CLOCK_SECOND);
	e->q->keep_memo = *names != '\0';
	free(names);
	count = name_volumes(e, list, count);
	return ec2_list_links(kit_text(e->q->settings, "links"), list, count, PROTO_DEVICES_MAX);
}

static int list(struct kit_question *q, void *answer)
{
	static struct proto_device found[PROTO_DEVICES_MAX];
	struct ec2 e = { .q = q };
	int count = list_all(&e, found);

	if (count >= 0)
		kit_devices(found, count, answer);
	/* That a mapping could not be asked for is a warning, not a reason to list nothing. */
	q->advice = NULL;
	finish(&e);
	return count < 0 ? count : 0;
}

/* Where VOLUME is: 1 and its path, 0, or an error. */
static int find_node(struct ec2 *e, const char *volume, char path[static PROTO_TEXT_MAX + 1])
{
	static struct proto_device found[PROTO_DEVICES_MAX];
	int count;

	if (ec2_volume_by_link(kit_text(e->q->settings, "links"), volume, path))
		return 1;
	count = list_all(e, found);
	for (int i = 0; i < count; i++)
		if (strcmp(found[i].id, volume) == 0) {
			snprintf(path, PROTO_TEXT_MAX + 1, "%s", found[i].path);
			return 1;
		}
	return count < 0 ? count : 0;
}

/* The volume as the cloud sees it. */
struct volume {
	char state[32], zone[PROTO_WORD_MAX + 1], attached_to[EC2_ID_MAX + 1], attachment[32];
};

static int look(struct ec2 *e, const char *id, struct volume *out)
{
	const char *parameters[] = { "VolumeId.1", id, NULL };
	const struct xml_node *v;
	struct xml *x = NULL;
	int rc = ec2_api_ask(e->api, e->q, "DescribeVolumes", parameters, &x);

	if (rc < 0)
		return rc;
	memset(out, 0, sizeof *out);
	v = xml_find(xml_root(x), "volumeSet/item");
	xml_text(v, "status", out->state, sizeof out->state);
	xml_text(v, "availabilityZone", out->zone, sizeof out->zone);
	xml_text(v, "attachmentSet/item/instanceId", out->attached_to, sizeof out->attached_to);
	xml_text(v, "attachmentSet/item/status", out->attachment, sizeof out->attachment);
	xml_free(x);
	return v ? 0 : err_set(ERR_NOT_FOUND, "the cloud has no volume %s", id);
}

/* The first name for data volumes that this instance does not use. */
static int free_name(struct ec2 *e, char out[static 16])
{
	struct xml *x = NULL;
	unsigned used = 0;
	int rc = describe_instance(e, &x);

	for (const struct xml_node *n = rc == 0 ? mappings(x) : NULL; n; n = xml_next(n)) {
		char device[64];

		xml_text(n, "deviceName", device, sizeof device);
		for (char c = FIRST_LETTER; c <= LAST_LETTER; c++) {
			char name[8] = { 's', 'd', c, '\0' };

			used |= (unsigned)ec2_same_device(name, device) << (c - 'a');
		}
	}
	xml_free(x);
	for (char c = FIRST_LETTER; rc == 0 && c <= LAST_LETTER; c++)
		if (!(used >> (c - 'a') & 1)) {
			snprintf(out, 16, "/dev/sd%c", c);
			return 0;
		}
	return rc < 0 ? rc : err_set(ERR_TOO_MANY, "this instance has no free name for another volume");
}

static void pause_before(int attempt)
{
	long ms = 250L << (attempt > 4 ? 4 : attempt);
	struct timespec t;

	ms = ms > STEP_MOST_MS ? STEP_MOST_MS : ms;
	t = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	nanosleep(&t, NULL);
}

/* Until the kernel shows it. */
static int await_node(struct ec2 *e, const char *volume, char path[static PROTO_TEXT_MAX + 1])
{
	clock_us until = clock_ticks() + WAIT_SECONDS * CLOCK_SECOND;
	struct volume v;
	int rc;

	for (int i = 0; clock_ticks() < until; i++) {
		/* A new name without a serial number is looked up again each time. */
		json_object_clear(e->q->memo);
		rc = find_node(e, volume, path);
		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = i % 2 ? look(e, volume, &v) : 0;
		if (rc < 0)
			return rc;
		if (i % 2 && strcmp(v.attached_to, e->instance) != 0)
			return err_set(ERR_CONFLICT, "the cloud did not attach it; it is %s", v.state);
		pause_before(i);
	}
	return err_set(ERR_TIMEOUT, "it is attached, but no device has appeared in %d seconds", WAIT_SECONDS);
}

static int check_volume(struct ec2 *e, const struct volume *v)
{
	char zone[PROTO_WORD_MAX + 1] = "";

	if (v->attached_to[0] && strcmp(v->attached_to, e->instance) != 0)
		return err_set(ERR_CONFLICT, "the volume is attached to %s", v->attached_to);
	if (strcmp(v->state, "available") != 0 && v->attached_to[0] == '\0')
		return err_set(ERR_CONFLICT, "the volume is %s", v->state);
	if (imds_text(e->metadata, "meta-data/placement/availability-zone", zone, sizeof zone) == 0 && zone[0] && v->zone[0]
		&& strcmp(zone, v->zone) != 0)
		return err_set(ERR_INVALID, "the volume is in zone %s, this instance in %s", v->zone, zone);
	return 0;
}

static int do_attach(struct ec2 *e, const char *volume)
{
	char name[16];
	const char *parameters[] = { "VolumeId", volume, "InstanceId", e->instance, "Device", name, NULL };
	struct xml *x = NULL;
	struct volume v;
	int rc = look(e, volume, &v);

	if (rc == 0)
		rc = check_volume(e, &v);
	if (rc < 0 || v.attached_to[0])
		return rc;
	rc = free_name(e, name);
	if (rc == 0)
		rc = ec2_api_ask(e->api, e->q, "AttachVolume", parameters, &x);
	xml_free(x);
	return rc;
}

static int need_volume(const struct kit_question *q)
{
	return ec2_is_volume(q->device) ? 0 : err_set(ERR_INVALID, "\"%s\" is no id of a volume", q->device);
}

static int attach(struct kit_question *q, void *answer)
{
	struct plugin_attached *out = answer;
	struct ec2 e = { .q = q };
	int rc = need_volume(q), there = rc == 0 ? find_node(&e, q->device, out->path) : rc;

	if (there == 0) {
		rc = open_api(&e);
		if (rc == 0)
			rc = do_attach(&e, q->device);
		if (rc == 0)
			rc = await_node(&e, q->device, out->path);
	}
	finish(&e);
	return there < 0 ? there : rc;
}

static int do_detach(struct ec2 *e, const char *volume)
{
	const char *parameters[] = { "VolumeId", volume, "InstanceId", e->instance, NULL };
	clock_us until = clock_ticks() + WAIT_SECONDS * CLOCK_SECOND;
	struct xml *x = NULL;
	struct volume v;
	int rc = look(e, volume, &v);

	if (rc == 0 && strcmp(v.attached_to, e->instance) == 0 && strcmp(v.attachment, "detaching") != 0)
		rc = ec2_api_ask(e->api, e->q, "DetachVolume", parameters, &x);
	xml_free(x);
	for (int i = 0; rc == 0; i++) {
		rc = look(e, volume, &v);
		if (rc < 0 || strcmp(v.attached_to, e->instance) != 0)
			break;
		if (clock_ticks() >= until)
			rc = err_set(ERR_TIMEOUT, "the volume is still %s after %d seconds", v.attachment, WAIT_SECONDS);
		pause_before(i);
	}
	return rc;
}

static int detach(struct kit_question *q, void *answer)
{
	struct ec2 e = { .q = q };
	int rc = need_volume(q);

	if (rc == 0)
		rc = open_api(&e);
	if (rc == 0)
		rc = do_detach(&e, q->device);
	json_object_clear(q->memo);
	q->keep_memo = 1;
	finish(&e);
	return rc;
}

/* All that is needed later, changing nothing: this instance is described; attaching and detaching one of its own volumes is asked for
 * as a dry run, which only tells whether one may. */
static int check_rights(struct ec2 *e, const struct xml *x)
{
	char volume[EC2_ID_MAX + 1];
	const char *named[] = { "VolumeId.1", volume, NULL }, *pair[] = { "VolumeId", volume, "InstanceId", e->instance, "Device", "/dev/sdp", NULL };
	const char *back[] = { "VolumeId", volume, "InstanceId", e->instance, NULL };
	int rc;

	xml_text(mappings(x), "ebs/volumeId", volume, sizeof volume);
	if (!ec2_is_volume(volume))
		return err_set(ERR_CONFLICT, "this instance has no volume to ask the cloud about");
	rc = ec2_api_may(e->api, e->q, "DescribeVolumes", named);
	if (rc == 0)
		rc = ec2_api_may(e->api, e->q, "AttachVolume", pair);
	return rc == 0 ? ec2_api_may(e->api, e->q, "DetachVolume", back) : rc;
}

static int check_credentials(struct kit_question *q, void *answer)
{
	struct plugin_account *out = answer;
	struct ec2 e = { .q = q };
	struct xml *x = NULL;
	int rc = describe_instance(&e, &x);

	if (rc == 0) {
		xml_text(xml_root(x), "reservationSet/item/ownerId", out->account, sizeof out->account);
		rc = check_rights(&e, x);
	}
	xml_free(x);
	finish(&e);
	return rc;
}

int ec2_main(const struct ec2_dialect *d)
{
	const struct kit kit = { d->about, {
		[PLUGIN_IDENTIFY] = identify, [PLUGIN_LOCATION] = location, [PLUGIN_USER_DATA] = user_data, [PLUGIN_LIST] = list,
		[PLUGIN_ATTACH] = attach, [PLUGIN_DETACH] = detach, [PLUGIN_CHECK] = check_credentials
	} };

	dialect = d;
	return kit_main(&kit);
}
