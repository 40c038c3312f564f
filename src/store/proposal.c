/* proposal.c - see proposal.h. What an agent's role may do to a device is in sql/0018; here is what becomes of a proposal, and why. */
#include "store/proposal.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mount_point.h"
#include "store/device_step.h"
#include "store/tenant.h"

#define SETTING "guest_proposals"

static const char *const rule_names[] = {
#define X(id, name, title, text) name,
	PROPOSAL_RULES(X)
#undef X
};

static enum proposal_rule rule_of(const char *name)
{
	for (int i = 0; i < PROPOSAL_RULE_COUNT; i++)
		if (strcmp(rule_names[i], name) == 0)
			return (enum proposal_rule)i;
	/* What this build does not know must not do more than it does. */
	return PROPOSAL_ASK;
}

int proposal_rule(struct db *db, enum proposal_rule *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(settings ->> '" SETTING "', 'empty') from tenant where id = current_tenant()",
		DB_NONE);

	if (rc < 0)
		return rc;
	*out = rule_of(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

int proposal_rule_set(struct db *db, enum proposal_rule rule)
{
	json_t *patch = json_pack("{s:s}", SETTING, rule_names[rule]);
	int rc = tenant_change_settings(db, NULL, patch);

	json_decref(patch);
	return rc;
}

static json_t *detail_of(const struct proposal *p)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:b}", "os", p->os, "filesystem", p->filesystem, "mount_point", p->mount_point,
		"access", p->access, "mode", p->mode, "key_bits", (json_int_t)p->key_bits, "overwrite", p->overwrite);
}

static int log_device(struct db *db, const struct device *d, enum audit_event event, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", &d->id, d->name }, detail);
}

static int is_same(const struct device *d, const struct proposal *p)
{
	return strcmp(d->filesystem, p->filesystem) == 0 && strcmp(d->mount_point, p->mount_point) == 0
		&& strcmp(d->access, p->access) == 0 && strcmp(d->mode, p->mode) == 0 && d->key_bits == p->key_bits;
}

static int is_valid(const struct proposal *p)
{
	static const char *const filesystems[] = { "ext3", "ext4", "xfs", NULL };
	const char *problem = mount_point_problem(p->mount_point);
	int known = 0, xts = strcmp(p->mode, "xts-plain64") == 0, cbc = strcmp(p->mode, "cbc-essiv:sha256") == 0;

	for (int i = 0; filesystems[i]; i++)
		known |= strcmp(filesystems[i], p->filesystem) == 0;
	if (!known)
		return err_set(ERR_INVALID, "file system: ext3, ext4 or xfs");
	if (strcmp(p->os, "linux") != 0)
		return err_set(ERR_INVALID, "operating system: linux");
	if (problem)
		return err_set(ERR_INVALID, "mount point: %s", problem);
	if (!(p->key_bits == 128 || p->key_bits == 256 || (cbc && p->key_bits == 192)) || !(xts || cbc))
		return err_set(ERR_INVALID, "key size: XTS takes 128 or 256 bits, CBC-ESSIV 128, 192 or 256");
	return 0;
}

/* The device is past Not configured. */
static int settled(struct db *db, const struct device *d, const struct proposal *p, enum proposal_outcome *out)
{
	int rc = 0;

	if (!is_same(d, p))
		return err_set(ERR_CONFLICT, "it is configured already, and otherwise (%s, %s, %s, %s, %lld bits): change that in the console",
			d->filesystem, d->mount_point, d->access, d->mode, (long long)d->key_bits);
	*out = PROPOSAL_UNCHANGED;
	/* A person, or the rule above, has asked for its encryption before. What is on it the agent looks at again. */
	if (d->status == DEVICE_ERROR) {
		*out = PROPOSAL_APPLIED;
		rc = device_step(db, &d->id, DEVICE_EVENT_ENCRYPT, AUDIT_DEVICE_ENCRYPT, json_pack("{s:b,s:b}", "overwrite", d->overwrite,
			"proposed", 1));
	}
	return rc;
}

static int keep(struct db *db, const struct uuid *instance, const struct device *d, const struct proposal *p)
{
	return db_queue(db, "insert into device_proposal (tenant, device, instance, name, os, filesystem, mount_point, access, mode, key_bits,"
		" overwrite) values (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (tenant, device) do update set"
		" instance = excluded.instance, name = excluded.name, os = excluded.os, filesystem = excluded.filesystem,"
		" mount_point = excluded.mount_point, access = excluded.access, mode = excluded.mode, key_bits = excluded.key_bits,"
		" overwrite = excluded.overwrite, proposed = now()", DB_ARGS(db_uuid_arg(&d->id), db_uuid_arg(instance), db_text_arg(p->name),
		db_text_arg(p->os), db_text_arg(p->filesystem), db_text_arg(p->mount_point), db_text_arg(p->access), db_text_arg(p->mode),
		db_int_arg(p->key_bits), db_bool_arg(p->overwrite)));
}

/* 1 when the proposal that is kept for the device is this one: said again, it is not news. */
static int is_kept(struct db *db, const struct device *d, const struct proposal *p)
{
	return db_has(db, "select 1 from device_proposal where device = $1 and filesystem = $2 and mount_point = $3 and access = $4"
		" and mode = $5 and key_bits = $6 and overwrite = $7 and name = $8", DB_ARGS(db_uuid_arg(&d->id), db_text_arg(p->filesystem),
		db_text_arg(p->mount_point), db_text_arg(p->access), db_text_arg(p->mode), db_int_arg(p->key_bits),
		db_bool_arg(p->overwrite), db_text_arg(p->name)));
}

/* What is on the device as it was last published; "" for nothing. *BUSY: the guest itself uses it. What belongs to an array is people's
 * business alone: ERR_CONFLICT. */
static int contents(struct db *db, const struct device *d, char found[static 64], int *busy)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select found_filesystem, is_busy, raid is not null or kind = 'raid-0' from device where id = $1",
		DB_ARGS(db_uuid_arg(&d->id)));

	if (rc < 0)
		return rc;
	snprintf(found, 64, "%s", db_text(r, 0, 0));
	*busy = db_bool(r, 0, 1);
	rc = db_bool(r, 0, 2) ? err_set(ERR_CONFLICT, "it belongs to a RAID, which is configured in the console") : 0;
	db_result_free(r);
	return rc;
}

static int apply(struct db *db, const struct device *d, const struct proposal *p)
{
	int rc = db_run_one(db, "select device_proposal_apply($1)", DB_ARGS(db_uuid_arg(&d->id)));

	if (rc == 0)
		rc = log_device(db, d, AUDIT_DEVICE_CONFIGURED, json_pack("{s:b,s:o}", "proposed", 1, "configuration", detail_of(p)));
	return rc < 0 ? rc : log_device(db, d, AUDIT_DEVICE_ENCRYPT, json_pack("{s:b,s:b}", "overwrite", p->overwrite, "proposed", 1));
}

/* The device is Not configured. */
static int fresh(struct db *db, const struct uuid *instance, const struct device *d, const struct proposal *p, const char *found,
	int busy, enum proposal_outcome *out)
{
	enum proposal_rule rule = PROPOSAL_REFUSE;
	int known, rc = proposal_rule(db, &rule);

	if (rc < 0)
		return rc;
	if (rule == PROPOSAL_REFUSE)
		return err_set(ERR_FORBIDDEN, "this account takes no proposals from machines: configure the device in the console");
	if (d->system || busy)
		return err_set(ERR_CONFLICT, d->system ? "the system runs from it" : "it is in use: unmount it, and publish the inventory");
	if (*found && !p->overwrite)
		return err_set(ERR_CONFLICT, "it holds %s, and is not named for being overwritten", found);
	*out = rule == PROPOSAL_ASK || (*found && rule != PROPOSAL_CONFIRMED) ? PROPOSAL_WAITING : PROPOSAL_APPLIED;
	known = is_kept(db, d, p);
	rc = known < 0 ? known : keep(db, instance, d, p);
	if (rc == 0 && *out == PROPOSAL_APPLIED)
		return apply(db, d, p);
	return rc < 0 || known ? rc : log_device(db, d, AUDIT_DEVICE_PROPOSED, detail_of(p));
}

int proposal_make(struct db *db, const struct uuid *instance, const struct device *d, const struct proposal *p,
	enum proposal_outcome *out)
{
	char found[64];
	int busy = 0, rc = is_valid(p);

	if (rc == 0)
		rc = contents(db, d, found, &busy);
	if (rc < 0)
		return rc;
	return d->status == DEVICE_NOT_CONFIGURED ? fresh(db, instance, d, p, found, busy, out) : settled(db, d, p, out);
}

int proposal_get(struct db *db, const struct uuid *device, json_t **out)
{
	return db_get_row(db, out, "select device, name, os, filesystem, mount_point, access, mode, key_bits, overwrite, proposed"
		" from device_proposal where device = $1", DB_ARGS(db_uuid_arg(device)));
}

static const char *text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

int proposal_accept(struct db *db, const struct uuid *device, int overwrite)
{
	json_t *o = NULL;
	int rc = proposal_get(db, device, &o);

	if (rc == 0 && *text(o, "name"))
		rc = device_rename(db, device, text(o, "name"), NULL);
	if (rc == 0)
		rc = device_configure(db, device, &(struct device_configuration){ .os = text(o, "os"), .filesystem = text(o, "filesystem"),
			.mount_point = text(o, "mount_point"), .access = text(o, "access"), .cipher = "aes", .mode = text(o, "mode"),
			.hash = "sha256", .key_bits = json_integer_value(json_object_get(o, "key_bits")) });
	if (rc == 0)
		rc = device_encrypt(db, device, overwrite);
	json_decref(o);
	return rc;
}

int proposal_reject(struct db *db, const struct uuid *device)
{
	struct device d = { .name = NULL };
	int rc = device_load(db, device, &d);

	if (rc == 0)
		rc = db_run_one(db, "delete from device_proposal where device = $1", DB_ARGS(db_uuid_arg(device)));
	if (rc == 0)
		rc = log_device(db, &d, AUDIT_DEVICE_PROPOSAL_REJECTED, NULL);
	device_release(&d);
	return rc;
}
