/* dmcrypt.c - the engine that lets the kernel do it: device mapper's crypt target, set up by libcryptsetup. The mapped device is
 * called as the volume is. Of an array each member is one of those, NAME.0 and so on, and device mapper's striped target joins them. */
#include "agent/volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/volume/cryptsetup.h"
#include "agent/volume/dmstripe.h"
#include "agent/volume/header.h"
#include "agent/volume/state.h"
#include "agent/volume/use.h"
#include "base/err.h"

#define DM_NAME_MAX (VOLUME_NAME_MAX + 16)

/* Opening it also makes the kernel load the driver, where it has one. */
static int supported(void)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Of member I of an array. */
static void part_name(const char *name, int i, char out[static DM_NAME_MAX])
{
	snprintf(out, DM_NAME_MAX, "%s.%d", name, i);
}

static int dmcrypt_find(const struct volume_state *state, char device[static VOLUME_TEXT_MAX])
{
	char path[VOLUME_TEXT_MAX];

	snprintf(path, sizeof path, "/dev/mapper/%s", state->name);
	if (access(path, F_OK) < 0)
		return err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	memcpy(device, path, sizeof path);
	return 0;
}

static int activate(struct crypt_device *cd, const struct volume_open_params *p, const char *name, const struct secret *key)
{
	uint32_t flags = (p->read_only ? CRYPT_ACTIVATE_READONLY : 0u) | (p->discards ? CRYPT_ACTIVATE_ALLOW_DISCARDS : 0u);
	int slot, tries = 0, rc = header_expect(cd, &p->expected);

	if (rc < 0)
		return rc;
	slot = header_find_slot(cd, key, LIMITS_DEVICE_KEY);
	if (slot < 0)
		return slot;
	/* While it is encrypted anew two slots hold what it takes; a piece that was being moved when the power was cut is mended by this. */
	if (crypt_reencrypt_status(cd, NULL) > CRYPT_REENCRYPT_NONE) {
		slot = CRYPT_ANY_SLOT;
		rc = header_may_try_all(cd);
		if (rc < 0)
			return rc;
	}
	do
		rc = crypt_activate_by_passphrase(cd, name, slot, (const char *)key->data, key->len, flags);
	while (rc == -EBUSY && use_again(&tries));
	return rc < 0 ? cryptsetup_error(rc, "activating") : 0;
}

/* The key's check value is in the header: a wrong one activates nothing. */
static int activate_path(const struct volume_open_params *p, const char *path, const char *name, const struct secret *key)
{
	struct crypt_device *cd = NULL;
	int rc = header_load(path, &cd);

	if (rc == 0)
		rc = activate(cd, p, name, key);
	crypt_free(cd);
	return rc < 0 ? err_wrap(rc, "%s", path) : 0;
}

/* What encrypting anew lays under the device, left behind where it was killed: libcryptsetup's names. */
static int remove_helpers(const char *name, int force)
{
	static const char *const ends[] = { "overlay", "hotzone-forward" };
	char helper[DM_NAME_MAX + 24];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof ends / sizeof ends[0]; i++) {
		snprintf(helper, sizeof helper, "%s-%s", name, ends[i]);
		rc = dmstripe_close(helper, force);
	}
	return rc;
}

/* Forced, the table is replaced by one that gives errors, and the key is gone even while somebody holds the device. */
static int deactivate(const char *name, int force)
{
	int rc;

	cryptsetup_listen(NULL);
	rc = crypt_deactivate_by_name(NULL, name, force ? CRYPT_DEACTIVATE_FORCE : 0);
	return rc < 0 && rc != -ENODEV ? cryptsetup_error(rc, name) : remove_helpers(name, force);
}

/* The stripe first, then what it stands on. */
static int close_array(const char *name, int parts, int force)
{
	char part[DM_NAME_MAX];
	int rc = dmstripe_close(name, force);

	for (int i = parts - 1; rc == 0 && i >= 0; i--) {
		part_name(name, i, part);
		rc = deactivate(part, force);
	}
	return rc;
}

/* All or nothing; what went wrong is kept. */
static int give_up(const struct volume_open_params *p, int rc)
{
	char why[VOLUME_TEXT_MAX];

	snprintf(why, sizeof why, "%s", err_text());
	close_array(p->name, (int)p->more_count + 1, 1);
	return err_set(rc, "%s", why);
}

static int open_array(const struct volume_open_params *p, const struct secret *device_key)
{
	char names[VOLUME_PARTS_MAX][DM_NAME_MAX], paths[VOLUME_PARTS_MAX][DM_NAME_MAX + 16];
	const char *list[VOLUME_PARTS_MAX];
	int rc = 0;

	if (dmstripe_is_open(p->name))
		return err_set(ERR_BUSY, "%s is open already", p->name);
	for (size_t i = 0; rc == 0 && i <= p->more_count; i++) {
		part_name(p->name, (int)i, names[i]);
		snprintf(paths[i], sizeof paths[i], "/dev/mapper/%s", names[i]);
		list[i] = paths[i];
		rc = activate_path(p, i ? p->more[i - 1].path : p->path, names[i], i ? p->more[i - 1].key : device_key);
	}
	if (rc == 0)
		rc = dmstripe_open(p->name, list, p->more_count + 1, p->chunk, p->read_only);
	return rc < 0 ? give_up(p, rc) : 0;
}

static int dmcrypt_open(const struct volume_env *env, const struct volume_open_params *p, const struct secret *device_key,
	char device[static VOLUME_TEXT_MAX])
{
	struct volume_state state = { .read_only = p->read_only, .parts = (int)p->more_count + 1 };
	int rc;

	if (!supported())
		return err_set(ERR_UNSUPPORTED, "this kernel has no device mapper");
	snprintf(state.name, sizeof state.name, "%s", p->name);
	snprintf(state.path, sizeof state.path, "%s", p->path);
	snprintf(state.engine, sizeof state.engine, "%s", volume_dmcrypt.name);
	/* Saved first: killed in between, a state without a volume is found to be dead, a volume without a state is not found. */
	rc = state_save(env->run_dir, &state);
	if (rc == 0) {
		rc = p->more_count ? open_array(p, device_key) : activate_path(p, p->path, p->name, device_key);
		if (rc < 0)
			state_remove(env->run_dir, p->name);
	}
	return rc < 0 ? rc : dmcrypt_find(&state, device);
}

static int dmcrypt_close(const struct volume_env *env, const struct volume_state *state, int force)
{
	return state->parts > 1 ? close_array(state->name, state->parts, force) : deactivate(state->name, force);
}

static int dmcrypt_alive(const struct volume_env *env, const struct volume_state *state)
{
	crypt_status_info info;

	if (state->parts > 1)
		return dmstripe_is_open(state->name);
	info = crypt_status(NULL, state->name);
	return info == CRYPT_ACTIVE || info == CRYPT_BUSY;
}

const struct volume_engine volume_dmcrypt = {
	.name = "dm-crypt",
	.supported = supported,
	.open = dmcrypt_open,
	.close = dmcrypt_close,
	.alive = dmcrypt_alive,
	.find = dmcrypt_find,
};
