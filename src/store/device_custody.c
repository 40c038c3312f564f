/* device_custody.c - volumes that change hands. What only a person decides is in the functions of sql/0023_custody.sql, which an
 * agent can but call. */
#include "store/device_custody.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/device_step.h"
#include "store/key.h"
#include "store/request.h"
#include "store/rotation.h"

/* Agent: taking over */

int device_may_adopt(const struct device *d, const struct device_adoption *a)
{
	if (*a->mount_point == '\0' && *d->mount_point == '\0')
		return err_set(ERR_INVALID, "where it is to be mounted is not known: --mount-point");
	if (!uuid_is_nil(&d->raid) || d->is_raid)
		return err_set(ERR_CONFLICT, "a member of a RAID 0 cannot be adopted");
	if (d->system)
		return err_set(ERR_INVALID, "a device that holds the root file system cannot be adopted");
	if (d->status == DEVICE_PENDING)
		return err_set(ERR_CONFLICT, "the console has ordered its encryption, which would destroy it: cancel that first");
	if (d->status == DEVICE_ENCRYPTING && !d->adopting)
		return err_set(ERR_CONFLICT, "it is being encrypted");
	if (d->status == DEVICE_ENCRYPTED || d->status == DEVICE_IN_USE)
		return err_set(ERR_CONFLICT, "it is managed already");
	return 0;
}

static json_t *adoption_json(const struct device_adoption *a)
{
	return json_pack("{s:s,s:s,s:s,s:I,s:s,s:s,s:s}", "cipher", a->cipher, "mode", a->mode, "hash", a->hash, "key_bits",
		(json_int_t)a->key_bits, "filesystem", a->filesystem, "mount_point", a->mount_point, "access", a->access);
}

static int begin(struct db *db, const struct device *d, const struct device_adoption *a, const struct device_key_new *fresh)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select device_adopt($1, $2, $3, $4, $5, $6, $7::int, $8)", DB_ARGS(db_uuid_arg(&d->id),
		db_text_arg(a->filesystem), db_text_arg(a->mount_point), db_text_arg(a->access), db_text_arg(a->cipher), db_text_arg(a->mode),
		db_int_arg(a->key_bits), db_text_arg(a->hash)));

	if (rc < 0)
		return rc;
	db_result_free(r);
	rc = device_step(db, &d->id, DEVICE_EVENT_ADOPT, AUDIT_DEVICE_ADOPT, adoption_json(a));
	if (rc == 0)
		rc = device_key_add(db, &d->id, d->name, d->key_version + 1, fresh);
	return rc < 0 ? rc : db_queue(db, "update device set progress = 0, luks_uuid = '' where id = $1", DB_ARGS(db_uuid_arg(&d->id)));
}

int device_adopt(struct db *db, const struct device *d, const struct device_adoption *a, const struct device_key_new *fresh)
{
	int rc = device_may_adopt(d, a);

	if (rc == 0 && fresh == NULL && d->status != DEVICE_ENCRYPTING)
		rc = err_set(ERR_CONFLICT, "taking over begins with a new key");
	return rc < 0 || fresh == NULL ? rc : begin(db, d, a, fresh);
}

int device_adopt_finish(struct db *db, const struct uuid *id, const char *luks_uuid, int64_t key_version)
{
	struct device d = { 0 };
	int rc = device_load(db, id, &d), fresh = rc == 0 && d.adopting;

	if (rc == 0)
		rc = device_finish(db, id, luks_uuid, key_version);
	if (rc == 0 && fresh)
		rc = db_queue(db, "update device set adopting = false where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0 && fresh)
		rc = audit_log(db, AUDIT_DEVICE_ADOPTED, &(struct audit_object) { "device", id, d.name }, NULL);
	device_release(&d);
	return rc;
}

/* Console */

static int may_release(const struct device *d, const char *release)
{
	if (d->is_raid || !uuid_is_nil(&d->raid))
		return err_set(ERR_CONFLICT, "the volumes of a RAID 0 belong together: they cannot be released one by one");
	if (d->status == DEVICE_DECRYPTING)
		return err_set(ERR_CONFLICT, "its agent has begun to decrypt it");
	if (*release && uuid_is_nil(&d->instance))
		return err_set(ERR_CONFLICT, "no machine has it now that could do it");
	if (*release && d->status != DEVICE_ENCRYPTED && d->status != DEVICE_IN_USE)
		return err_set(ERR_CONFLICT, "only a device that is Encrypted or In-use can be released");
	return 0;
}

/* This entry is what the database gives the key for (sql/0033): for what, and to which machine. */
static json_t *leave(const struct device *d, const char *release, int destroys)
{
	json_t *detail = json_pack("{s:s,s:b}", "as", release, "destroys_keys", destroys);

	json_set_uuid(detail, "instance", &d->instance);
	return detail;
}

int device_allow_release(struct db *db, const struct uuid *id, const char *release, int destroys)
{
	struct device d = { 0 };
	struct db_result *r;
	int rc = db_query_row(db, &r, "select 1 from device where id = $1 for no key update", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	db_result_free(r);
	rc = device_load(db, id, &d);
	if (rc == 0)
		rc = may_release(&d, release);
	if (rc == 0)
		rc = db_run(db, "update device set release = $2, release_destroys = $3, release_by = $4, changed = now() where id = $1"
			" and (release, release_destroys) is distinct from ($2, $3)",
			DB_ARGS(db_uuid_arg(id), db_text_arg(release), db_bool_arg(destroys), db_text_arg(*release ? db_actor(db)->name : "")));
	/* Otherwise it was so already. */
	if (rc > 0)
		rc = audit_log(db, *release ? AUDIT_DEVICE_RELEASE : AUDIT_DEVICE_RELEASE_CANCELLED,
			&(struct audit_object) { "device", id, d.name }, *release ? leave(&d, release, destroys) : NULL);
	device_release(&d);
	return rc;
}

/* Agent: giving back */

static int read_release(struct db *db, const struct uuid *id, const char **out)
{
	static const char *const releases[] = { "hand-over", "decrypt" };
	struct db_result *r;
	int rc = db_query_row(db, &r, "select release from device where id = $1 for no key update", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*out = NULL;
	for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++)
		if (strcmp(db_text(r, 0, 0), releases[i]) == 0)
			*out = releases[i];
	db_result_free(r);
	return *out ? 0 : err_set(ERR_FORBIDDEN, "nobody has allowed it: somebody who may chooses Hand over or Decrypt on the device's page in"
		" the console");
}

int device_release_begin(struct db *db, const struct uuid *id, const char *release)
{
	const char *allowed;
	struct device d = { 0 };
	int rc = read_release(db, id, &allowed);

	if (rc == 0 && strcmp(allowed, release) != 0)
		rc = err_set(ERR_CONFLICT, "the console allows \"%s\", not \"%s\"", allowed, release);
	if (rc == 0)
		rc = rotation_stop(db, id);
	if (rc == 0)
		rc = device_load(db, id, &d);
	if (rc == 0 && strcmp(release, "decrypt") == 0 && d.status == DEVICE_IN_USE)
		rc = err_set(ERR_CONFLICT, "the volume is open: close it first (stop keyward-agent)");
	if (rc == 0)
		rc = audit_log(db, AUDIT_DEVICE_RELEASE_KEY, &(struct audit_object) { "device", id, d.name }, json_pack("{s:s}", "as", release));
	if (rc == 0 && strcmp(release, "decrypt") == 0)
		rc = device_step(db, id, DEVICE_EVENT_DECRYPT, AUDIT_DEVICE_DECRYPTING, NULL);
	device_release(&d);
	return rc;
}

static int let_go(struct db *db, const struct device *d, const char *release)
{
	struct db_result *r;
	int gone, rc = device_step(db, &d->id, DEVICE_EVENT_RELEASE, AUDIT_DEVICE_RELEASED, json_pack("{s:s}", "as", release));

	if (rc == 0)
		rc = db_query_row(db, &r, "select device_released($1)", DB_ARGS(db_uuid_arg(&d->id)));
	if (rc < 0)
		return rc;
	gone = (int)db_int(r, 0, 0);
	db_result_free(r);
	return gone == 0 ? 0 : audit_log(db, AUDIT_KEY_DESTROYED, &(struct audit_object) { "device", &d->id, d->name },
		json_pack("{s:i}", "keys", gone));
}

int device_release_finish(struct db *db, const struct uuid *id, const struct uuid *instance, const char *luks_uuid)
{
	const char *release = NULL;
	struct device d = { 0 };
	int rc = device_load(db, id, &d);

	/* Told already. */
	if (rc == 0 && d.status == DEVICE_NOT_CONFIGURED) {
		device_release(&d);
		return 0;
	}
	/* Requests come before their device for whoever takes both; what is refused after it undoes it. */
	if (rc == 0)
		rc = request_volume_closed(db, instance, id, "released");
	if (rc == 0)
		rc = read_release(db, id, &release);
	if (rc == 0 && *luks_uuid && strcmp(luks_uuid, d.luks_uuid) != 0)
		rc = err_set(ERR_CONFLICT, "it is another volume than the one that was managed");
	if (rc == 0)
		rc = let_go(db, &d, release);
	device_release(&d);
	return rc;
}
