/* rewrap.c - a few blobs per transaction: read, wrapped again by keyd, which proves that they open to the same, and written only where
 * nobody has changed them meanwhile. No state but the rows themselves. */
#include "jobs/rewrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/rewrap.h"

#define TENANTS 50                       /* that the root key's job asks for at a time */
#define CHUNK 250                        /* of a tenant's blobs per transaction */
#define TURN (20 * CLOCK_SECOND)         /* then another job gets the thread */

static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };
static const struct uuid nil;

static struct uuid key_of(const struct buf *blob)
{
	struct uuid id = nil;

	if (blob->len > sizeof id.bytes)
		memcpy(id.bytes, blob->data + 1, sizeof id.bytes);
	return id;
}

/* The root key */

struct root_run {
	struct uuid id, root;
	json_t *row;
	size_t failures;             /* tenants' keys that could not be wrapped again this turn, and why the first of them */
	int failed;
	char *why;
};

/* What keyd has wrapped is under the root key that this rotation is for, or the key service has another list than the database. */
static int check_root(const struct root_run *run, const struct buf *blob)
{
	struct uuid has = key_of(blob);

	return uuid_equal(&has, &run->root) ? 0 : err_set(ERR_CONFLICT, "the key service does not wrap under the new root key: `keyward rotate "
		"root` goes on");
}

static int move_tenant(struct work *w, const struct root_run *run, const struct uuid *tenant)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct uuid former;
	int rc = db_begin(w->db, tenant, &actor);

	if (rc == 0)
		rc = tenant_keys_get(w->db, &before, &former);
	if (rc == 0)
		rc = keys_tenant_rewrap(w->keys, &run->id, tenant, wire_view_of(&before), &after);
	if (rc == 0)
		rc = check_root(run, &after);
	if (rc == 0)
		rc = tenant_key_rewrapped(w->db, &before, &after);
	if (rc >= 0)
		rc = db_commit(w->db);
	db_rollback(w->db);
	buf_free(&before);
	buf_free(&after);
	/* Gone meanwhile. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int move_secret(struct work *w, const struct root_run *run, size_t i, int *more)
{
	struct buf before = BUF_INIT, after = BUF_INIT;
	char purpose[SYSTEM_PURPOSE_SIZE] = "";
	struct uuid has;
	int rc = db_begin(w->db, NULL, &actor);

	if (rc == 0)
		rc = system_secret_get(w->db, i, purpose, &before);
	*more = rc != ERR_NOT_FOUND;
	if (rc == ERR_NOT_FOUND)
		rc = 0;
	has = key_of(&before);
	if (rc == 0 && before.len && !uuid_equal(&has, &run->root)) {
		rc = keys_system_rewrap(w->keys, &run->id, purpose, wire_view_of(&before), &after);
		if (rc == 0)
			rc = check_root(run, &after);
		if (rc == 0)
			rc = system_secret_rewrapped(w->db, i, &before, &after);
	}
	rc = db_end(w->db, rc);
	buf_free(&before);
	buf_free(&after);
	return rc;
}

/* Says how far it is; *LEFT: secrets that are under another root key still. DONE: if there are none, it is finished. */
static int note_root(struct work *w, const struct root_run *run, int64_t *left, const char *error)
{
	int64_t all;
	int rc = db_begin(w->db, NULL, &actor);

	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, ROTATION_LEASE);
	if (rc == 0)
		rc = root_rotation_left(w->db, &run->root, left, &all);
	if (rc == 0)
		rc = root_rotation_note(w->db, &run->id, all - *left, all, error);
	return db_end(w->db, rc);
}

static int list_tenants(struct work *w, const struct root_run *run, const struct uuid *after, json_t **out)
{
	int rc = db_begin(w->db, NULL, &actor);

	if (rc == 0)
		rc = root_rotation_next(w->db, &run->root, after, TENANTS, out);
	db_rollback(w->db);
	return rc;
}

static int is_for_all(int rc)
{
	return rc == ERR_UNAVAILABLE || rc == ERR_SEALED || rc == ERR_TIMEOUT || rc == ERR_CONFLICT;
}

/* The text of an error lasts until the next one. */
static void note_failure(struct root_run *run, int rc)
{
	if (run->failures++)
		return;
	run->failed = rc;
	run->why = mem_strdup(err_text());
}

/* One line for all of them: they can be as many as there are tenants. */
static int tell_failures(const struct root_run *run)
{
	char count[24];

	if (run->failures == 0)
		return 0;
	snprintf(count, sizeof count, "%zu", run->failures);
	log_warning("tenants' keys cannot be wrapped again", "count", count, "why", run->why, NULL);
	return err_set(run->failed, "%s", run->why);
}

/* One tenant's key that does not open is not in the others' way; its reason is what the job fails with in the end. */
static int move_tenants(struct work *w, struct root_run *run, clock_us end, int *more)
{
	struct uuid after = nil;
	int rc = 0;
	size_t count = 1;

	while (rc == 0 && count && clock_ticks() < end) {
		json_t *rows = NULL;
		const json_t *row;
		int64_t left;
		size_t i;

		rc = list_tenants(w, run, &after, &rows);
		count = json_array_size(rows);
		json_array_foreach(rows, i, row) {
			int one = json_get_uuid(row, "id", &after);

			if (one == 0)
				one = move_tenant(w, run, &after);
			if (one < 0)
				note_failure(run, one);
			if (is_for_all(one)) {
				rc = one;
				break;
			}
		}
		json_decref(rows);
		if (rc == 0)
			rc = note_root(w, run, &left, run->why);
	}
	*more = count > 0;
	return rc < 0 ? rc : tell_failures(run);
}

static int open_root_run(struct work *w, struct root_run *run)
{
	struct uuid asked;
	int rc = json_get_uuid(w->job->payload, "rotation", &asked);

	if (rc == 0)
		rc = db_begin(w->db, NULL, &actor);
	if (rc == 0)
		rc = root_rotation_last(w->db, &run->row);
	db_rollback(w->db);
	if (rc == 0 && (json_get_uuid(run->row, "id", &run->id) < 0 || !uuid_equal(&run->id, &asked)
			|| strcmp(json_string_value(json_object_get(run->row, "state")), "running") != 0))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = json_get_uuid(run->row, "root", &run->root);
	return rc;
}

static int finish_root(struct work *w, const struct root_run *run)
{
	int64_t left;
	int rc = note_root(w, run, &left, NULL);

	if (rc == 0 && left > 0)
		return work_again(w);
	if (rc == 0)
		rc = db_begin(w->db, NULL, &actor);
	if (rc == 0)
		rc = root_rotation_done(w->db, &run->id, &run->root);
	return db_end(w->db, rc);
}

int rotation_job_root(struct work *w)
{
	clock_us end = clock_ticks() + TURN;
	struct root_run run = { .row = NULL };
	int more = 1, rc = open_root_run(w, &run);
	char *why = NULL;
	int64_t left;

	for (size_t i = 0; rc == 0 && more; i++)
		rc = move_secret(w, &run, i, &more);
	if (rc == 0)
		rc = move_tenants(w, &run, end, &more);
	if (rc == 0)
		rc = more ? work_again(w) : finish_root(w, &run);
	else if (rc != ERR_NOT_FOUND) {
		why = mem_strdup(err_text());
		note_root(w, &run, &left, why);
		err_set(rc, "%s", why);
		free(why);
	}
	json_decref(run.row);
	free(run.why);
	/* Done by another jobd. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* A tenant's key */

struct tenant_run {
	struct uuid id, former;
	struct buf keys;             /* wrapped, both */
	size_t kind;                 /* of blobs */
	struct uuid after;           /* the last one looked at of that kind, and its version */
	int64_t version;
};

/* The new key, made once; a run that was broken off finds it. */
static int begin_run(struct work *w, struct tenant_run *run)
{
	struct buf both = BUF_INIT;
	int64_t total = -1;
	struct uuid key, newer;
	int rc = work_begin(w);

	if (rc == 0)
		rc = tenant_keys_lock(w->db, &run->keys, &key, &run->former);
	if (rc == 0 && uuid_is_nil(&run->former)) {
		rc = keys_tenant_rotate(w->keys, &run->id, &w->job->tenant, wire_view_of(&run->keys), &newer, &run->former, &both);
		if (rc == 0)
			rc = tenant_keys_set(w->db, &both, &newer, &run->former);
		if (rc == 0)
			rc = tenant_blob_left(w->db, &run->former, &total);
		if (rc == 0)
			rc = tenant_rotation_note(w->db, &run->id, 0, total, NULL);
	}
	rc = db_end(w->db, rc);
	if (rc == 0 && both.len) {
		buf_free(&run->keys);
		run->keys = both;
	} else {
		buf_free(&both);
	}
	return rc;
}

/* Reads the rows R, and the last of them, into ITEMS. */
static size_t take_rows(struct tenant_run *run, struct db_result *r, struct keys_rewrap *items)
{
	size_t count = db_rows(r);

	for (size_t i = 0; i < count; i++) {
		items[i].object = run->after = db_uuid(r, i, 0);
		run->version = db_int(r, i, 1);
		items[i].version = (uint32_t)run->version;
		items[i].blob = db_bytes(r, i, 2);
	}
	return count;
}

static json_t *pairs(const struct keys_rewrap *items, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char *before = encode_hex(items[i].blob.data, items[i].blob.len), *after = encode_hex(items[i].out.data, items[i].out.len);
		json_t *one = json_pack("{s:I, s:s, s:s}", "v", (json_int_t)items[i].version, "b", before, "a", after);

		json_set_uuid(one, "o", &items[i].object);
		json_array_append_new(list, one);
		free(before);
		free(after);
	}
	return list;
}

/* Of one kind, after the last; how many there were, 0: no more of that kind. */
static int wrap_some(struct work *w, struct tenant_run *run)
{
	static _Thread_local struct keys_rewrap items[CHUNK];
	struct db_result *r = NULL;
	json_t *list = NULL;
	size_t count = 0;
	int rc = tenant_blob_next(w->db, run->kind, &run->former, &run->after, run->version, CHUNK, &r);

	if (rc == 0)
		count = take_rows(run, r, items);
	if (rc == 0 && count)
		rc = keys_rewrap(w->keys, &run->id, &w->job->tenant, wire_view_of(&run->keys), tenant_blob_purpose(run->kind), items, count);
	if (rc == 0 && count) {
		list = pairs(items, count);
		rc = tenant_blob_rewrapped(w->db, run->kind, list);
	}
	if (rc >= 0)
		rc = tenant_rotation_note(w->db, &run->id, rc, -1, NULL);
	json_decref(list);
	for (size_t i = 0; i < count; i++)
		buf_free(&items[i].out);
	db_result_free(r);
	return rc < 0 ? rc : (int)count;
}

static int step(struct work *w, struct tenant_run *run)
{
	int rc = work_begin(w), count;

	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, ROTATION_LEASE);
	count = db_end(w->db, rc < 0 ? rc : wrap_some(w, run));
	if (count < 0)
		return count;
	if (count == 0) {
		run->kind++;
		run->after = nil;
		run->version = 0;
	}
	return 0;
}

/* The former key is dropped in the transaction that has seen that nothing is under it: the row's lock keeps all writers out, and those who
 * come later find that it is gone (sql/0029). *MORE: there was something, written meanwhile by somebody who had the former key. */
static int finish_tenant(struct work *w, struct tenant_run *run, int *more)
{
	struct buf one = BUF_INIT;
	struct uuid key, former;
	int64_t left = 0;
	int rc = work_begin(w);

	if (rc == 0)
		rc = tenant_keys_lock(w->db, &run->keys, &key, &former);
	if (rc == 0 && !uuid_is_nil(&former)) {
		rc = keys_tenant_trim(w->keys, &run->id, &w->job->tenant, wire_view_of(&run->keys), &key, &one);
		if (rc == 0)
			rc = tenant_blob_left(w->db, &former, &left);
		if (rc == 0 && left == 0)
			rc = tenant_keys_set(w->db, &one, &key, NULL);
	}
	if (rc == 0 && left == 0)
		rc = tenant_rotation_done(w->db, &run->id);
	if (rc == 0 && left == 0)
		rc = db_commit(w->db);
	db_rollback(w->db);
	buf_free(&one);
	*more = left > 0;
	return rc;
}

static int is_running(struct work *w, struct tenant_run *run)
{
	json_t *row = NULL;
	struct uuid asked;
	int rc = json_get_uuid(w->job->payload, "rotation", &asked);

	if (rc == 0)
		rc = work_begin(w);
	if (rc == 0)
		rc = tenant_rotation_last(w->db, &row);
	db_rollback(w->db);
	if (rc == 0 && (json_get_uuid(row, "id", &run->id) < 0 || !uuid_equal(&run->id, &asked)
			|| strcmp(json_string_value(json_object_get(row, "state")), "running") != 0))
		rc = ERR_NOT_FOUND;
	json_decref(row);
	return rc;
}

static void note_error(struct work *w, const struct tenant_run *run, int rc)
{
	char *why = mem_strdup(err_text());

	if (work_begin(w) == 0 && tenant_rotation_note(w->db, &run->id, 0, -1, why) == 0)
		db_commit(w->db);
	db_rollback(w->db);
	err_set(rc, "%s", why);
	free(why);
}

int rotation_job_tenant(struct work *w)
{
	clock_us end = clock_ticks() + TURN;
	struct tenant_run run = { .kind = 0 };
	int more = 1, rc = is_running(w, &run);

	if (rc == 0)
		rc = begin_run(w, &run);
	while (rc == 0 && more && clock_ticks() < end) {
		if (tenant_blob_purpose(run.kind)) {
			rc = step(w, &run);
			continue;
		}
		rc = finish_tenant(w, &run, &more);
		run.kind = 0;
	}
	if (rc == 0 && more)
		rc = work_again(w);
	else if (rc < 0 && rc != ERR_NOT_FOUND)
		note_error(w, &run, rc);
	buf_free(&run.keys);
	/* Done by another jobd, or the account has no key any more. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
