/* close.c - an account is destroyed in steps, each in a transaction of its own that can be the last for a time: what it has on key servers
 * (jobs/key_server.c destroys it there, as ever); its key; then the rows, some thousand at a time; then the certificate. What is left to do is
 * read from the rows. */
#include "jobs/close.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "audit/chain.h"
#include "base/csv.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/certificate.h"
#include "jobs/scratch.h"
#include "store/audit.h"
#include "store/audit_copy.h"
#include "store/brand.h"
#include "store/closing.h"
#include "store/signing.h"

#define ROWS 2000                /* of each table in one transaction */
#define LEASE CLOCK_MINUTE
#define EXPORT_ROWS 500          /* asked for at a time */

static int begin(struct work *w, const struct uuid *closure)
{
	int rc, some;

	do {
		rc = work_begin(w);
		if (rc == 0)
			rc = job_keep(w->db, &w->job->id, LEASE);
		if (rc == 0)
			rc = closing_begin(w->db, closure, ROWS);
		some = rc > 0;
		rc = db_end(w->db, rc < 0 ? rc : 0);
	} while (rc == 0 && some);
	return rc;
}

static int shred(struct work *w, const struct uuid *closure)
{
	int rc = work_begin(w);

	return db_end(w->db, rc < 0 ? rc : closing_shred(w->db, closure));
}

static int remove_rows(struct work *w, const struct uuid *closure)
{
	int64_t gone = 1;
	int rc = 0;

	while (rc == 0 && gone > 0) {
		rc = work_begin(w);
		if (rc == 0)
			rc = job_keep(w->db, &w->job->id, LEASE);
		if (rc == 0)
			rc = closing_remove(w->db, closure, ROWS, &gone);
		rc = db_end(w->db, rc);
	}
	return rc;
}

/* Where the log has a database of its own. */
static int forget_log(struct work *w, const struct uuid *closure)
{
	static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };
	struct uuid account;
	json_t *facts = NULL;
	int rc = work_begin(w);

	if (rc == 0)
		rc = closing_facts(w->db, closure, &facts);
	if (rc == 0)
		rc = json_get_uuid(facts, "account", &account);
	rc = db_end(w->db, rc);
	json_decref(facts);
	if (rc == 0)
		rc = db_begin(w->db, &account, &actor);
	return db_end(w->db, rc < 0 ? rc : audit_copy_forget(w->db));
}

/* What says whose key it is, in the certificate and beside it. */
static int sign(struct work *w, const json_t *facts, struct buf *pdf, uint8_t signature[static SIGNING_SIZE])
{
	struct keys_signer signer = { w->keys, w->job->id };
	const struct signing_by by = { &signer, keys_signer_make, keys_signer_sign };
	uint8_t public_key[SIGNING_PUBLIC_SIZE];
	char installation[UUID_TEXT_SIZE];
	struct buf statement = BUF_INIT;
	struct brand brand;
	struct uuid id;
	int rc = installation_id(w->db, &id);

	if (rc == 0)
		rc = brand_get(w->db, &brand);
	/* So that there is a key to be named. */
	if (rc == 0)
		rc = signing_sign(w->db, &by, SIGNING_CERTIFICATE, &statement, signature);
	if (rc == 0)
		rc = signing_public(w->db, SIGNING_CERTIFICATE, public_key);
	if (rc == 0) {
		uuid_text(&id, installation);
		rc = certificate_make(facts, &(struct certificate_issuer){ brand.name, installation, public_key }, clock_now(), pdf);
	}
	if (rc == 0) {
		certificate_statement(pdf, &statement);
		rc = signing_sign(w->db, &by, SIGNING_CERTIFICATE, &statement, signature);
	}
	buf_free(&statement);
	return rc;
}

static int certify(struct work *w, const struct uuid *closure)
{
	uint8_t signature[SIGNING_SIZE];
	struct buf pdf = BUF_INIT;
	struct uuid account;
	json_t *facts = NULL;
	int rc = work_begin(w);

	if (rc == 0)
		rc = closing_facts(w->db, closure, &facts);
	if (rc == 0)
		rc = json_get_uuid(facts, "account", &account);
	if (rc == 0)
		rc = sign(w, facts, &pdf, signature);
	if (rc == 0)
		rc = closing_done(w->db, closure, &account, json_string_value(json_object_get(facts, "name")), &pdf, signature);
	rc = db_end(w->db, rc);
	json_decref(facts);
	buf_free(&pdf);
	return rc;
}

int close_job(struct work *w)
{
	struct uuid closure;
	int rc = json_get_uuid(w->job->payload, "closure", &closure);

	if (rc == 0)
		rc = begin(w, &closure);
	if (rc == 0)
		rc = shred(w, &closure);
	/* Cancelled, or done. */
	if (rc <= 0)
		return rc;
	rc = remove_rows(w, &closure);
	if (rc == 0)
		rc = forget_log(w, &closure);
	if (rc == 0)
		rc = certify(w, &closure);
	/* Done already, by a run whose last word was lost. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The export */

struct export_run {
	struct work *w;
	struct uuid id;
	struct scratch scratch;
	FILE *file;
	int64_t rows;
};

static char *path_of(const struct export_run *x, const char *name, const char *suffix)
{
	return mem_printf("%s/%s%s", x->scratch.path, name, suffix);
}

static int open_file(struct export_run *x, const char *name, const char *suffix)
{
	char *path = path_of(x, name, suffix);

	x->file = fopen(path, "wx");
	free(path);
	return x->file ? 0 : err_set(ERR_IO, "cannot write: %s", strerror(errno));
}

static int close_file(struct export_run *x, int rc)
{
	int failed = ferror(x->file);

	if (fclose(x->file) != 0 || failed)
		rc = rc < 0 ? rc : err_set(ERR_IO, "cannot write: %s", strerror(errno));
	x->file = NULL;
	return rc;
}

/* In transactions of its own: an account of a million rows must not hold one open. */
static int write_some(struct export_run *x, size_t i, char **after, int *count)
{
	struct db_result *r = NULL;
	int rc = work_begin(x->w);

	*count = 0;
	if (rc == 0)
		rc = job_keep(x->w->db, &x->w->job->id, LEASE);
	if (rc == 0)
		rc = closing_export_rows(x->w->db, i, *after, EXPORT_ROWS, &r);
	if (rc == 0) {
		for (size_t n = 0; n < db_rows(r); n++)
			fprintf(x->file, "%s%s", *after || n ? ",\n" : "", db_text(r, n, 1));
		*count = (int)db_rows(r);
		if (*count) {
			free(*after);
			*after = mem_strdup(db_text(r, db_rows(r) - 1, 0));
		}
	}
	db_result_free(r);
	return db_end(x->w->db, rc);
}

static int write_table(struct export_run *x, size_t i)
{
	char *after = NULL;
	int count = EXPORT_ROWS, rc = open_file(x, closing_export_file(i), ".json");

	if (rc < 0)
		return rc;
	fputs("[\n", x->file);
	while (rc == 0 && count == EXPORT_ROWS) {
		rc = write_some(x, i, &after, &count);
		x->rows += count;
	}
	fputs("\n]\n", x->file);
	free(after);
	return close_file(x, rc);
}

static int write_entry(void *ctx, const struct audit_entry *e)
{
	char at[CLOCK_TEXT_SIZE], object[UUID_TEXT_SIZE] = "", *hash = encode_hex(e->hash, sizeof e->hash);
	const char *cells[] = { at, e->category, e->event, e->actor_kind, e->actor_name, e->object_kind, object, e->object_name, e->detail, e->address, hash };
	struct export_run *x = ctx;
	struct buf line = BUF_INIT;

	clock_text(e->at, at);
	if (e->has_object_id)
		uuid_text(&e->object_id, object);
	buf_printf(&line, "%lld", (long long)e->seq);
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		buf_putc(&line, ',');
		csv_cell(&line, cells[i] ? cells[i] : "");
	}
	buf_puts(&line, "\r\n");
	fwrite(line.data, 1, line.len, x->file);
	buf_free(&line);
	free(hash);
	x->rows++;
	return ferror(x->file) ? err_set(ERR_IO, "cannot write: %s", strerror(errno)) : 0;
}

static int write_log(struct export_run *x)
{
	int rc = open_file(x, "log", ".csv");

	if (rc < 0)
		return rc;
	fputs("number,at,category,event,actor kind,actor,object kind,object id,object,detail,address,hash\r\n", x->file);
	rc = work_begin(x->w);
	if (rc == 0)
		rc = audit_each(x->w->db, 0, 0, write_entry, x);
	db_rollback(x->w->db);
	return close_file(x, rc);
}

/* Files of the folder into FOLDER/export.zip. */
static int pack(struct export_run *x)
{
	char *target = path_of(x, "export", ".zip");
	int code = 0, ok = 1;
	zip_t *z = zip_open(target, ZIP_CREATE | ZIP_EXCL, &code);

	free(target);
	if (z == NULL)
		return err_set(ERR_IO, "cannot make a zip");
	for (size_t i = 0; ok; i++) {
		const char *name = closing_export_file(i), *suffix = name ? ".json" : ".csv";
		char *path = path_of(x, name ? name : "log", suffix), *inside = mem_printf("%s%s", name ? name : "log", suffix);
		zip_source_t *s = zip_source_file(z, path, 0, -1);

		ok = s && zip_file_add(z, inside, s, ZIP_FL_ENC_UTF_8) >= 0;
		if (!ok)
			zip_source_free(s);
		free(path);
		free(inside);
		if (name == NULL)
			break;
	}
	if (ok && zip_close(z) == 0)
		return 0;
	zip_discard(z);
	return err_set(ERR_IO, "cannot make a zip");
}

static int keep_parts(struct export_run *x, int64_t *bytes)
{
	char *path = path_of(x, "export", ".zip"), *data = mem_alloc(CLOSING_PART_SIZE);
	FILE *f = fopen(path, "r");
	size_t n = 1;
	int rc = f ? 0 : err_set(ERR_IO, "cannot read: %s", strerror(errno));

	*bytes = 0;
	for (int part = 0; rc == 0 && n > 0; part++) {
		n = fread(data, 1, CLOSING_PART_SIZE, f);
		*bytes += (int64_t)n;
		if (ferror(f))
			rc = err_set(ERR_IO, "the packed export cannot be read");
		else if (*bytes > CLOSING_EXPORT_MOST)
			rc = err_set(ERR_TOO_LARGE, "the account's data are more than 16 GiB even when packed: take them by the API, list by list");
		if (rc == 0 && n > 0) {
			rc = work_begin(x->w);
			if (rc == 0)
				rc = job_keep(x->w->db, &x->w->job->id, LEASE);
			if (rc == 0)
				rc = closing_export_keep_part(x->w->db, &x->id, part, data, n);
			rc = db_end(x->w->db, rc);
		}
	}
	if (f)
		fclose(f);
	free(data);
	free(path);
	return rc;
}

static int make_export(struct export_run *x)
{
	int64_t bytes = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && closing_export_file(i); i++)
		rc = write_table(x, i);
	if (rc == 0)
		rc = write_log(x);
	if (rc == 0)
		rc = pack(x);
	if (rc == 0)
		rc = keep_parts(x, &bytes);
	if (rc == 0)
		rc = work_begin(x->w);
	if (rc == 0)
		rc = db_end(x->w->db, closing_export_done(x->w->db, &x->id, bytes, x->rows));
	return rc;
}

static void note_failure(struct export_run *x, int rc)
{
	char *why = mem_strdup(err_text());

	if (work_begin(x->w) == 0)
		db_end(x->w->db, closing_export_failed(x->w->db, &x->id, why));
	err_set(rc, "%s", why);
	free(why);
}

int close_job_export(struct work *w)
{
	struct export_run x = { .w = w, .scratch = { .lock = -1 } };
	int rc = json_get_uuid(w->job->payload, "export", &x.id);

	if (rc == 0)
		rc = work_begin(w);
	if (rc == 0)
		rc = db_end(w->db, closing_export_running(w->db, &x.id));
	if (rc < 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	/* Whatever becomes of it nothing of the account stays on this disk. */
	rc = scratch_make(&x.scratch);
	if (rc == 0)
		rc = make_export(&x);
	scratch_remove(&x.scratch);
	/* Tried again where that may help; the last failure is shown. */
	if (rc < 0 && (rc == ERR_TOO_LARGE || rc == ERR_IO || w->job->attempts >= 5))
		note_failure(&x, rc);
	return rc == ERR_TOO_LARGE ? 0 : rc;
}
