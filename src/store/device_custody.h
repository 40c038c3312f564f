/* device_custody.h - volumes that change hands (VOL-7): taken over with their data, handed over to their owner, decrypted in place. */
#ifndef STORE_DEVICE_CUSTODY_H
#define STORE_DEVICE_CUSTODY_H

#include "store/device.h"

/* What the header of a volume says, and where its agent would mount it. */
struct device_adoption {
	const char *cipher, *mode, *hash, *filesystem, *mount_point, *access;
	int64_t key_bits;
};

/* 0, or why not, for people: ERR_CONFLICT, ERR_INVALID. */
int device_may_adopt(const struct device *d, const struct device_adoption *a);
/* Agent: begins, or begins again; D becomes Encrypting, and no task. FRESH as for device_start. ERR_CONFLICT: it is managed already, an
 * array's, or to be encrypted. */
int device_adopt(struct db *db, const struct device *d, const struct device_adoption *a, const struct device_key_new *fresh);
/* Agent: device_finish for a device that is being adopted; for others that alone. */
int device_adopt_finish(struct db *db, const struct uuid *id, const char *luks_uuid, int64_t key_version);

/* Console: what the guest may do: "hand-over" (its owner's passphrase takes the place of our key) or "decrypt"; "": nothing any more.
 * DESTROYS: the keys go for good then, else they stay as former ones. ERR_CONFLICT: no volume of its own, or the agent has begun. */
int device_allow_release(struct db *db, const struct uuid *id, const char *release, int destroys);
/* Agent: the key is given for RELEASE; with "decrypt" the device is Decrypting from now on. ERR_FORBIDDEN, with a text for people: nobody has
 * allowed it; ERR_CONFLICT: it is the other one that is allowed, or the volume is open. */
int device_release_begin(struct db *db, const struct uuid *id, const char *release);
/* Agent: it is done: Not configured, keys as the person chose, whatever is open for it ended. Can be repeated. */
int device_release_finish(struct db *db, const struct uuid *id, const struct uuid *instance, const char *luks_uuid);

#endif
