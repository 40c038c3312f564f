/* audit.c - appends to the log, queries it, streams it for verification. All writing is in SQL's audit_append. */
#include "store/audit.h"

#include <string.h>

#include "audit/chain.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit_part.h"

#define EACH_STEP 500            /* entries in memory at a time */

static const char *const category_names[] = {
#define X(id, name, label, installation) name,
	AUDIT_CATEGORIES(X)
#undef X
};
static const char *const category_labels[] = {
#define X(id, name, label, installation) label,
	AUDIT_CATEGORIES(X)
#undef X
};
static const int category_of_installation[] = {
#define X(id, name, label, installation) installation,
	AUDIT_CATEGORIES(X)
#undef X
};

static const struct {
	const char *name, *label;
	enum audit_category category;
} events[] = {
#define X(id, name, category, label) { name, label, AUDIT_CATEGORY_##category },
	AUDIT_EVENTS(X)
#undef X
};

const char *audit_category_name(enum audit_category c)
{
	return category_names[c];
}

const char *audit_category_label(enum audit_category c)
{
	return category_labels[c];
}

int audit_category_of_installation(enum audit_category c)
{
	return category_of_installation[c];
}

const char *audit_label(const char *event_name)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (strcmp(events[i].name, event_name) == 0)
			return events[i].label;
	return event_name;
}

int audit_log(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail)
{
	const struct db_actor *a = db_actor(db);
	const struct audit_object none = { NULL, NULL, NULL };
	const struct audit_object *o = object ? object : &none;
	/* At the very end: the lock on the chain's head is held for the shortest time, and always taken after all other locks, so
	 * that two transactions cannot wait for each other. */
	int rc = db_at_commit(db, "select audit_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
		DB_ARGS(db_text_arg(category_names[events[event].category]), db_text_arg(events[event].name),
			db_text_arg(db_actor_kind_name(a->kind)), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id), db_text_arg(a->name),
			db_text_arg(o->kind), db_uuid_arg(o->id), db_text_arg(o->name), db_json_arg(detail), db_text_arg(a->address),
			db_text_arg(a->request)));

	json_decref(detail);
	return rc;
}

/* For what follows at the commit; NULL: to none. */
static int bind_to(struct db *db, const struct uuid *tenant)
{
	char text[UUID_TEXT_SIZE] = "";

	if (tenant)
		uuid_text(tenant, text);
	return db_at_commit(db, "select set_config('keyward.tenant', $1, true)", DB_ARGS(db_text_arg(text)));
}

int audit_log_both(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail)
{
	int rc = audit_log(db, event, object, json_incref(detail));

	if (rc == 0)
		rc = bind_to(db, object->id);
	if (rc == 0)
		rc = audit_log(db, event, object, json_incref(detail));
	if (rc == 0)
		rc = bind_to(db, NULL);
	json_decref(detail);
	return rc;
}

int audit_log_above(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail)
{
	int rc = bind_to(db, NULL);

	if (rc == 0)
		rc = audit_log(db, event, object, json_incref(detail));
	if (rc == 0)
		rc = bind_to(db, object->id);
	json_decref(detail);
	return rc;
}

int audit_server(struct db *db, const char *process, const char *host, int started)
{
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = process });

	if (rc == 0)
		rc = audit_log(db, started ? AUDIT_SERVER_STARTED : AUDIT_SERVER_STOPPED, &(struct audit_object){ "server", NULL, process },
			json_pack("{s:s}", "host", host));
	return db_end(db, rc);
}

json_t *audit_changes(const json_t *before, const json_t *after)
{
	json_t *changes = json_object(), *detail = NULL;
	void *at = json_object_iter((json_t *)(uintptr_t)after);

	for (; at; at = json_object_iter_next((json_t *)(uintptr_t)after, at)) {
		const char *name = json_object_iter_key(at);
		json_t *now = json_object_iter_value(at), *then = json_object_get(before, name);

		if (then != NULL && json_equal(then, now))
			continue;
		json_object_set_new(changes, name, json_pack("{s:O?,s:O}", "old", then, "new", now));
	}
	if (json_object_size(changes))
		detail = json_pack("{s:O}", "changes", changes);
	json_decref(changes);
	return detail;
}

/* The chain is named besides what row security shows: a role that sees more than one must not mix them. */
static struct uuid chain_of(const struct db *db)
{
	return db_tenant(db) ? *db_tenant(db) : (struct uuid) { { 0 } };
}

int audit_copied(struct db *db, int64_t *seq)
{
	struct uuid tenant = chain_of(db);
	struct db_result *r;
	int rc;

	*seq = 0;
	if (!db_has_log(db))
		return 0;
	rc = db_query_row(db, &r, "select coalesce((select seq from audit_copied where tenant = $1), 0)", DB_ARGS(db_uuid_arg(&tenant)));
	if (rc < 0)
		return rc;
	*seq = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

static int take_hash(struct db_result *r, size_t row, int column, uint8_t out[static AUDIT_HASH_SIZE])
{
	struct wire_view v = db_bytes(r, row, column);

	if (v.len != AUDIT_HASH_SIZE)
		return err_set(ERR_TAMPERED, "a hash of %zu bytes", v.len);
	memcpy(out, v.data, AUDIT_HASH_SIZE);
	return 0;
}

static int take_entry(struct db_result *r, size_t i, struct audit_entry *e)
{
	*e = (struct audit_entry) {
		.tenant = db_uuid(r, i, 0), .seq = db_int(r, i, 1), .at = db_time(r, i, 2), .category = db_text(r, i, 3),
		.event = db_text(r, i, 4), .actor_kind = db_text(r, i, 5), .has_actor_id = !db_is_null(r, i, 6),
		.actor_id = db_uuid(r, i, 6), .actor_name = db_text(r, i, 7), .object_kind = db_text(r, i, 8),
		.has_object_id = !db_is_null(r, i, 9), .object_id = db_uuid(r, i, 9), .object_name = db_text(r, i, 10),
		.detail = db_text(r, i, 11), .address = db_text(r, i, 12), .request = db_text(r, i, 13),
		.written_by = db_text(r, i, 14),
	};
	return take_hash(r, i, 15, e->previous) < 0 ? ERR_TAMPERED : take_hash(r, i, 16, e->hash);
}

int audit_each_in(struct db *db, int64_t after, int64_t last, int (*each)(void *ctx, const struct audit_entry *e), void *ctx)
{
	struct uuid tenant = chain_of(db);
	struct audit_entry e;
	struct db_result *r;
	size_t count = EACH_STEP;
	int rc = 0;

	while (rc >= 0 && count == EACH_STEP) {
		rc = db_query(db, &r, "select tenant, seq, at, category, event, actor_kind, actor_id, actor_name, object_kind,"
			" object_id, object_name, detail::text, address, request, written_by, previous, hash from audit_entry"
			" where tenant = $1 and seq > $2 and seq <= $3 order by seq limit $4",
			DB_ARGS(db_uuid_arg(&tenant), db_int_arg(after), db_int_arg(last ? last : INT64_MAX), db_int_arg(EACH_STEP)));
		if (rc < 0)
			return rc;
		count = db_rows(r);
		for (size_t i = 0; rc >= 0 && i < count; i++) {
			rc = take_entry(r, i, &e);
			if (rc == 0)
				rc = each(ctx, &e);
			after = e.seq;
		}
		db_result_free(r);
	}
	return rc < 0 ? rc : 0;
}

int audit_each(struct db *db, int64_t after, int64_t last, int (*each)(void *ctx, const struct audit_entry *e), void *ctx)
{
	int64_t copied = 0, until;
	struct db *log = NULL;
	int rc = audit_copied(db, &copied);

	until = last && last < copied ? last : copied;
	if (rc == 0 && until > after) {
		rc = db_log(db, &log);
		if (rc == 0)
			rc = audit_each_in(log, after, until, each, ctx);
		after = until;
	}
	return rc < 0 || (last && after >= last) ? rc : audit_each_in(db, after, last, each, ctx);
}

static int first_in(struct db *db, int64_t after, int64_t *seq)
{
	struct uuid tenant = chain_of(db);
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce((select seq from audit_entry where tenant = $1 and seq > $2 order by seq limit 1), 0)", DB_ARGS(
		db_uuid_arg(&tenant), db_int_arg(after)));

	if (rc < 0)
		return rc;
	*seq = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int audit_first(struct db *db, int64_t after, int64_t *seq)
{
	int64_t copied = 0;
	struct db *log;
	int rc = audit_copied(db, &copied);

	*seq = 0;
	if (rc == 0 && copied > after) {
		rc = db_log(db, &log);
		if (rc == 0)
			rc = first_in(log, after, seq);
	}
	return rc < 0 || *seq ? rc : first_in(db, after, seq);
}

/* The head, and whether there are entries beyond it, in one snapshot: what is written meanwhile is not looked at. */
int audit_head(struct db *db, int64_t *seq, uint8_t hash[static AUDIT_HASH_SIZE])
{
	struct uuid tenant = chain_of(db);
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(h.seq, 0), coalesce(h.hash, decode(repeat('00', 32), 'hex')), exists ("
		"select 1 from audit_entry e where e.tenant = $1 and e.seq > coalesce(h.seq, 0))"
		" from (select 1) one left join audit_head h on h.tenant = $1", DB_ARGS(db_uuid_arg(&tenant)));

	if (rc < 0)
		return rc;
	*seq = db_int(r, 0, 0);
	rc = take_hash(r, 0, 1, hash);
	if (rc == 0 && db_bool(r, 0, 2))
		rc = err_set(ERR_TAMPERED, "there are entries beyond the head, %lld", (long long)*seq);
	db_result_free(r);
	return rc;
}
