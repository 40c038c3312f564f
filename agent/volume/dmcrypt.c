/* dmcrypt.c - the engine that lets the kernel do it: device mapper's crypt target, set up by libcryptsetup. The mapped device is
 * called as the volume is. */
#include "agent/volume/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/volume/header.h"
#include "agent/volume/state.h"
#include "base/err.h"

/* Opening it also makes the kernel load the driver, where it has one. */
static int supported(void)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
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

static int activate(struct crypt_device *cd, const struct volume_open_params *p, const struct secret *key)
{
	uint32_t flags = (p->read_only ? CRYPT_ACTIVATE_READONLY : 0u) | (p->discards ? CRYPT_ACTIVATE_ALLOW_DISCARDS : 0u);
	int rc, slot = header_find_slot(cd, key);

	if (slot < 0)
		return slot;
	rc = crypt_activate_by_passphrase(cd, p->name, slot, (const char *)key->data, key->len, flags);
	return rc < 0 ? header_error(rc, "activating") : 0;
}

static int dmcrypt_open(const struct volume_env *env, const struct volume_open_params *p, const struct secret *device_key,
	char device[static VOLUME_TEXT_MAX])
{
	struct volume_state state = { .read_only = p->read_only };
	struct crypt_device *cd = NULL;
	int rc;

	if (!supported())
		return err_set(ERR_UNSUPPORTED, "this kernel has no device mapper");
	snprintf(state.name, sizeof state.name, "%s", p->name);
	snprintf(state.path, sizeof state.path, "%s", p->path);
	snprintf(state.engine, sizeof state.engine, "%s", volume_dmcrypt.name);
	rc = header_load(p->path, &cd);
	/* Saved first: killed in between, a state without a volume is found to be dead, a volume without a state is not found. */
	if (rc == 0)
		rc = state_save(env->run_dir, &state);
	if (rc == 0) {
		rc = activate(cd, p, device_key);
		if (rc < 0)
			state_remove(env->run_dir, p->name);
	}
	crypt_free(cd);
	if (rc < 0)
		return err_wrap(rc, "%s", p->path);
	return dmcrypt_find(&state, device);
}

static int dmcrypt_close(const struct volume_env *env, const struct volume_state *state, int force)
{
	int rc;

	header_listen(NULL);
	/* Forced, the table is replaced by one that gives errors, and the key is gone even while somebody holds the device. */
	rc = crypt_deactivate_by_name(NULL, state->name, force ? CRYPT_DEACTIVATE_FORCE : 0);
	if (rc < 0 && rc != -ENODEV)
		return header_error(rc, state->name);
	return 0;
}

static int dmcrypt_alive(const struct volume_env *env, const struct volume_state *state)
{
	crypt_status_info info = crypt_status(NULL, state->name);

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
