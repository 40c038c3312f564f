/* licence.c - licences in force, the operator's book, warnings. */
#include "store/licence.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/setting.h"
#include "store/tenant.h"

#define TRIAL_SETTING "licence.trial"

/* The account's side */

static int take_state(struct db *db, const char *sql, struct licence_state *out)
{
	struct licence_state s = { .has = 0 };
	struct db_result *r;
	int rc = db_query(db, &r, sql, DB_NONE);

	if (rc < 0)
		return rc;
	if (db_rows(r)) {
		s = (struct licence_state){ .has = 1, .serial = db_int(r, 0, 1), .keys = db_int(r, 0, 2), .until = db_time(r, 0, 3), .used =
			db_int(r, 0, 4), .pending = db_int(r, 0, 5), .level_keys = (int)db_int(r, 0, 6), .level_end = (int)db_int(r, 0, 7) };
		rc = licence_kind_parse(db_text(r, 0, 0), &s.kind);
	}
	db_result_free(r);
	if (rc == 0)
		*out = s;
	return rc;
}

int licence_get(struct db *db, struct licence_state *out)
{
	return take_state(db, "select l.kind, l.serial, l.keys::bigint, l.until, u.used, licence_pending(), licence_level_keys(u.used, l.keys),"
		" licence_level_end(l.until, l.kind, now()) from licence l, (select licence_used() as used) u where l.tenant = current_tenant() and"
		" l.replaced is null", out);
}

int licence_glance(struct db *db, struct licence_state *out)
{
	return take_state(db, "select l.kind, l.serial, l.keys::bigint, l.until, u.used, 0::bigint, licence_level_keys(u.used, l.keys),"
		" licence_level_end(l.until, l.kind, now()) from licence l join licence_use u on u.tenant = l.tenant where l.tenant = current_tenant()"
		" and l.replaced is null", out);
}

int licence_check(struct db *db, const struct uuid *device, int starts)
{
	struct licence_state s;
	const char *refusal;
	struct db_result *r;
	int64_t want;
	int rc = db_query_row(db, &r, "select count(*) from device where (id = $1 or raid = $1) and kind <> 'raid-0' and key_created is null",
		DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	want = db_int(r, 0, 0);
	db_result_free(r);
	if (want == 0)
		return 0;
	rc = licence_get(db, &s);
	if (rc < 0)
		return rc;
	if (starts)
		s.pending = 0;
	refusal = licence_refusal(&s, want, clock_now());
	return refusal ? err_set(ERR_FORBIDDEN, "%s", refusal) : 0;
}

int licence_had(struct db *db, uint32_t serial, int *had)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select 1 from licence where tenant = current_tenant() and serial = $1", DB_ARGS(db_int_arg(serial)));

	if (rc < 0)
		return rc;
	*had = db_rows(r) > 0;
	db_result_free(r);
	return 0;
}

static json_t *detail_of(const struct licence *l)
{
	char until[CLOCK_TEXT_SIZE];

	clock_text(l->until, until);
	return json_pack("{s:s, s:I, s:I, s:s}", "kind", licence_kind_name(l->kind), "keys", (json_int_t)l->keys, "serial",
		(json_int_t)l->serial, "until", until);
}

int licence_enter(struct db *db, const struct licence *l, const char *code)
{
	struct uuid id = uuid_new();
	/* Two at once: the second waits here. What the first has put into force meanwhile it then leaves where that is the later one, and so finds
	 * no place for its own. */
	int rc = db_has(db, "select 1 from licence where tenant = current_tenant() and replaced is null for update", DB_NONE);

	if (rc >= 0)
		rc = db_run(db, "update licence set replaced = now() where tenant = current_tenant() and replaced is null and serial < $1",
			DB_ARGS(db_int_arg(l->serial)));
	if (rc >= 0)
		rc = db_run(db, "insert into licence (tenant, id, serial, kind, keys, until, issued, code, entered_by) values (current_tenant(), $1,"
			" $2, $3, $4, $5, $6, $7, $8)", DB_ARGS(db_uuid_arg(&id), db_int_arg(l->serial), db_text_arg(licence_kind_name(l->kind)),
			db_int_arg(l->keys), db_time_arg(l->until), db_time_arg(l->issued), db_text_arg(code), db_text_arg(db_actor(db)->name)));
	if (rc == ERR_CONFLICT)
		return err_set(rc, "a later code has just been entered");
	return rc < 0 ? rc : audit_log(db, AUDIT_LICENCE_ENTERED, &(struct audit_object){ "licence", &id, NULL }, detail_of(l));
}

static const struct list_column history_sorts[] = {
	{ "entered", "h.entered", "timestamptz", 1 },
	{ "serial", "h.serial::bigint", "bigint", 1 },
	{ "kind", "h.kind", "text", 0 },
	{ "keys", "h.keys::bigint", "bigint", 1 },
	{ "until", "h.until", "timestamptz", 1 },
	{ NULL },
};
static const char *const history_searches[] = { "h.entered_by", "h.serial::text", NULL };
static const struct list_spec history_spec = {
	.columns = "h.id, h.serial, h.kind, h.keys, h.until, h.issued, h.entered, h.entered_by, h.replaced, h.until <= now() as ended", .from = "licence h",
	.where = "h.tenant = current_tenant()", .id = "h.id", .sorts = history_sorts, .searches = history_searches,
};

int licence_history(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &history_spec, query, page);
}

/* The operator's side */

/* The serial of the next code of ACCOUNT; locks its row. */
static int next_serial(struct db *db, const struct uuid *account, uint32_t *serial)
{
	struct db_result *r;
	int64_t highest = 0;
	int rc = db_query_row(db, &r, "select state from tenant where id = $1 for no key update", DB_ARGS(db_uuid_arg(account)));

	if (rc < 0)
		return rc;
	if (strcmp(db_text(r, 0, 0), "closed") == 0 || strcmp(db_text(r, 0, 0), "closing") == 0)
		rc = err_set(ERR_CONFLICT, "the account is %s", db_text(r, 0, 0));
	db_result_free(r);
	/* After the lock, so that two at once count on. */
	if (rc == 0)
		rc = db_query_row(db, &r, "select greatest((select max(serial) from licence_issue where account = $1), (select max(serial) from licence"
			" where tenant = $1), 0)", DB_ARGS(db_uuid_arg(account)));
	if (rc < 0)
		return rc;
	highest = db_int(r, 0, 0);
	db_result_free(r);
	*serial = (uint32_t)highest + 1;
	return 0;
}

static int keep(struct db *db, const struct licence *l, const char *code, const char *note, int assign)
{
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into licence_issue (id, account, serial, kind, keys, until, issued, issued_by, note, code) values ($1, $2, $3,"
		" $4, $5, $6, $7, $8, $9, $10)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(&l->account), db_int_arg(l->serial),
		db_text_arg(licence_kind_name(l->kind)), db_int_arg(l->keys), db_time_arg(l->until), db_time_arg(l->issued),
		db_text_arg(db_actor(db)->name), db_text_arg(note), db_text_arg(code)));

	if (rc >= 0)
		rc = tenant_log(db, AUDIT_LICENCE_ISSUED, &l->account, 0, detail_of(l));
	if (rc == 0 && assign)
		rc = db_run(db, "select licence_assign($1, $2)", DB_ARGS(db_uuid_arg(&id), db_text_arg(db_actor(db)->name)));
	if (rc >= 0 && assign)
		rc = tenant_log(db, AUDIT_LICENCE_ASSIGNED, &l->account, 1, detail_of(l));
	return rc < 0 ? rc : 0;
}

int licence_issue(struct db *db, const struct signing_by *by, struct licence *l, const char *note, int assign, char **code)
{
	uint8_t signature[LICENCE_SIGNATURE_SIZE];
	struct buf text = BUF_INIT;
	char *made = NULL;
	int rc = next_serial(db, &l->account, &l->serial);

	if (rc == 0)
		rc = installation_id(db, &l->installation);
	l->issued = clock_now() / CLOCK_SECOND * CLOCK_SECOND;
	l->until = l->until / CLOCK_SECOND * CLOCK_SECOND;
	if (rc == 0) {
		licence_signed(l, &text);
		rc = signing_sign(db, by, SIGNING_LICENCE, &text, signature);
	}
	if (rc == 0) {
		made = licence_text(l, signature);
		rc = keep(db, l, made, note, assign);
	}
	buf_free(&text);
	if (rc == 0)
		*code = made;
	else
		free(made);
	return rc;
}

#define CODE_STATE "case when l.id is not null and l.replaced is null and l.until > now() then 'in-force' when l.replaced is not null then 'replaced'" \
	" when i.until <= now() then 'expired' else 'issued' end"

static const struct list_column code_sorts[] = {
	{ "serial", "i.serial::bigint", "bigint", 1 },
	{ "state", CODE_STATE, "text", 0 },
	{ "kind", "i.kind", "text", 0 },
	{ "keys", "i.keys::bigint", "bigint", 1 },
	{ "until", "i.until", "timestamptz", 1 },
	{ "issued", "i.issued", "timestamptz", 1 },
	{ NULL },
};
static const char *const code_searches[] = { "i.note", "i.issued_by", "i.serial::text", NULL };
static const struct list_filter code_filters[] = { { "account", "i.account = $::uuid" }, { "state", CODE_STATE " = $" }, { NULL } };
static const struct list_spec code_spec = {
	.columns = "i.id, i.serial, i.kind, i.keys, i.until, i.issued, i.issued_by, i.note, i.code, " CODE_STATE " as state", .from =
		"licence_issue i left join licence l on l.tenant = i.account and l.serial = i.serial", .id = "i.id", .sorts = code_sorts, .searches =
		code_searches, .filters = code_filters,
};

int licence_issued(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &code_spec, query, page);
}

#define SHARE "case when l.keys > 0 then (coalesce(u.used, 0) * 100 / l.keys) else 100 end"
#define LEVEL_KEYS "coalesce(licence_level_keys(u.used, l.keys), 3)"
#define LEVEL_END "coalesce(licence_level_end(l.until, l.kind, now()), 4)"
#define COLUMNS "t.id, t.slug, t.name, t.state, l.kind, l.keys, coalesce(u.used, 0) as used, " SHARE " as share, l.until, l.serial, " \
	LEVEL_KEYS " as level_keys, " LEVEL_END " as level_end, u.at"
#define FROM "tenant t left join licence l on l.tenant = t.id and l.replaced is null left join licence_use u on u.tenant = t.id"

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("t.name"), "text", 0 },
	{ "keys", "coalesce(l.keys, 0)::bigint", "bigint", 1 },
	{ "used", "coalesce(u.used, 0)", "bigint", 1 },
	{ "share", "(" SHARE ")::bigint", "bigint", 1 },
	{ "until", "coalesce(l.until, 'epoch')", "timestamptz", 0 },
	{ NULL },
};
static const char *const searches[] = { "t.name", "t.slug", "t.id::text", NULL };
static const struct list_filter filters[] = {
	{ "state", "t.state = $" },
	{ "kind", "l.kind = $" },
	{ "near", "$ = 'limit' and " LEVEL_KEYS " > 0", "limit" },
	{ "near", "$ = 'end' and " LEVEL_END " > 0", "end" },
	{ "near", "$ = 'none' and " LEVEL_KEYS " = 0 and " LEVEL_END " = 0", "none" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = FROM, .where = "t.state <> 'closed'", .id = "t.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int licence_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int licence_of(struct db *db, const struct uuid *account, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from " FROM " where t.id = $1", DB_ARGS(db_uuid_arg(account)));
}

int licence_near(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select count(*) filter (where keys in (1, 2)) as limit, count(*) filter (where ends between 1 and 3) as end,"
		" count(*) filter (where keys = 3 or ends = 4) as over from (select " LEVEL_KEYS " as keys, " LEVEL_END " as ends from " FROM
		" where t.state in ('active', 'suspended')) n", DB_NONE);
}

int licence_trial(struct db *db, int64_t *keys, int64_t *days)
{
	json_t *value = NULL;
	int rc = setting_get(db, TRIAL_SETTING, &value);

	*keys = *days = 0;
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc == 0) {
		*keys = json_integer_value(json_object_get(value, "keys"));
		*days = json_integer_value(json_object_get(value, "days"));
	}
	json_decref(value);
	return rc;
}

int licence_set_trial(struct db *db, int64_t keys, int64_t days)
{
	json_t *value = json_pack("{s:I, s:I}", "keys", (json_int_t)keys, "days", (json_int_t)days);
	int rc = setting_set(db, TRIAL_SETTING, value, 0);

	json_decref(value);
	return rc;
}

/* jobd */

int licence_count(struct db *db)
{
	int rc = db_run(db, "select licence_count()", DB_NONE);

	return rc < 0 ? rc : 0;
}

int licence_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from licence_tenants()", DB_NONE);
}

static json_t *warning_detail(enum licence_warning w, const struct licence_state *s, const char *comment)
{
	char until[CLOCK_TEXT_SIZE];

	clock_text(s->until, until);
	return json_pack("{s:s, s:s, s:I, s:I, s:s}", "warning", licence_warning_name(w), "comment", comment, "used", (json_int_t)s->used, "keys",
		(json_int_t)s->keys, "until", until);
}

/* In the operator's words too: whose licence it is. */
static int log_warning_of(struct db *db, enum licence_warning w, const struct licence_state *s)
{
	char *comment = mem_printf("%s In use: %lld of %lld keys.", licence_warning_text(w), (long long)s->used, (long long)s->keys);
	json_t *label = NULL;
	int rc = tenant_label(db, &label);

	if (rc == 0)
		rc = audit_log_above(db, AUDIT_LICENCE_WARNING, &(struct audit_object){ "tenant", db_tenant(db), json_string_value(json_object_get(label, "name")) },
			warning_detail(w, s, comment));
	if (rc == 0)
		rc = audit_log(db, AUDIT_LICENCE_WARNING, &(struct audit_object){ "licence", NULL, NULL }, warning_detail(w, s, licence_warning_text(w)));
	json_decref(label);
	free(comment);
	return rc;
}

int licence_tell(struct db *db)
{
	enum licence_warning warnings[2] = { LICENCE_WARNING_NONE, LICENCE_WARNING_NONE };
	struct licence_state state;
	struct db_result *r;
	int told[2], rc = db_query(db, &r, "select case when u.serial = l.serial then u.told_keys else 0 end, case when u.serial = l.serial then"
		" u.told_end else 0 end from licence_use u join licence l on l.tenant = u.tenant and l.replaced is null where u.tenant ="
		" current_tenant() for update of u", DB_NONE);

	if (rc < 0)
		return rc;
	if (db_rows(r) == 0) {
		db_result_free(r);
		return 0;
	}
	told[0] = (int)db_int(r, 0, 0);
	told[1] = (int)db_int(r, 0, 1);
	db_result_free(r);
	rc = licence_get(db, &state);
	if (rc == 0 && state.level_keys > told[0])
		warnings[0] = licence_warn_of("keys", state.level_keys);
	if (rc == 0 && state.level_end > told[1])
		warnings[1] = licence_warn_of("end", state.level_end);
	if (rc == 0)
		rc = db_queue(db, "update licence_use set serial = $1, told_keys = greatest($2, $3), told_end = greatest($4, $5) where tenant ="
			" current_tenant()", DB_ARGS(db_int_arg(state.serial), db_int_arg(told[0]), db_int_arg(state.level_keys), db_int_arg(told[1]),
			db_int_arg(state.level_end)));
	for (int i = 0; rc == 0 && i < 2; i++)
		if (warnings[i] != LICENCE_WARNING_NONE)
			rc = log_warning_of(db, warnings[i], &state);
	return rc;
}
