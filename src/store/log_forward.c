/* log_forward.c - the row that says where to and how far. */
#include "store/log_forward.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"
#include "store/setting.h"

/* SQL: whose chain it is. Named besides what row security shows, for roles that see more than one. */
#define CHAIN "coalesce(current_tenant(), '00000000-0000-0000-0000-000000000000')"

/* Settings as the log has them: of the certificate, which one it is. */
static json_t *settings(const char *host, int64_t port, const char *format, const char *certificate)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char *print;
	json_t *out;

	if (certificate && *certificate && EVP_Digest(certificate, strlen(certificate), hash, &len, EVP_sha256(), NULL) != 1)
		fatal("log forwarding: no SHA-256");
	print = encode_hex(hash, len);
	out = json_pack("{s:s, s:I, s:s, s:s}", "host", host, "port", (json_int_t)port, "format", format, "client_certificate", print);
	free(print);
	return out;
}

static json_t *former_settings(struct db *db)
{
	json_t *row = NULL, *out = NULL;

	if (log_forward_show(db, &row) == 0)
		out = settings(json_string_value(json_object_get(row, "host")), json_integer_value(json_object_get(row, "port")),
			json_string_value(json_object_get(row, "format")), json_string_value(json_object_get(row, "certificate")));
	json_decref(row);
	return out;
}

/* The bound account's is in its row. */
static int set_key(struct db *db, const struct log_forward_change *c)
{
	static const struct buf none;
	const struct buf *key = *c->certificate ? c->key : &none;

	if (key == NULL)
		return 0;
	return db_tenant(db) ? db_run_one(db, "update log_forward set client_key = $1 where tenant = " CHAIN, DB_ARGS(db_bytes_arg(key->len ? key->data : NULL,
		key->len))) : setting_set_blob(db, LOG_FORWARD_KEY_SETTING, key);
}

static int get_key(struct db *db, struct db_result *r, int column, struct buf *out)
{
	struct wire_view blob = db_tenant(db) ? db_bytes(r, 0, column) : (struct wire_view){ NULL, 0 };

	if (db_tenant(db) == NULL)
		return setting_get_blob(db, LOG_FORWARD_KEY_SETTING, out);
	buf_add(out, blob.data, blob.len);
	return 0;
}

int log_forward_set(struct db *db, const struct log_forward_change *c)
{
	json_t *before = former_settings(db), *after = settings(c->host, c->port, c->format, c->certificate);
	json_t *detail = before ? audit_changes(before, after) : json_incref(after);
	int rc = db_run(db, "insert into log_forward as f (tenant, host, port, ca, format, changed_by, certificate, seq) select " CHAIN ", $1, $2::int, $3, $4, $5, $7,"
		" case when $6 then 0 else coalesce((select seq from audit_head where tenant = " CHAIN "), 0) end"
		" on conflict (tenant) do update set host = excluded.host, port = excluded.port, ca = excluded.ca, format = excluded.format, certificate = excluded.certificate, changed = now(),"
		" changed_by = excluded.changed_by, version = f.version + 1, test = true, next_try = now(), away_since = null, failures = 0, error = null,"
		" sent = null, goodbye = false, seq = case when $6 then 0 when (f.host, f.port) = (excluded.host, excluded.port) then f.seq else excluded.seq end",
		DB_ARGS(db_text_arg(c->host), db_int_arg(c->port), db_text_arg(c->ca), db_text_arg(c->format), db_text_arg(db_actor(db)->name),
			db_bool_arg(c->from_first), db_text_arg(c->certificate)));

	if (rc >= 0)
		rc = set_key(db, c);
	json_decref(before);
	json_decref(after);
	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	rc = audit_log(db, AUDIT_LOG_FORWARD_CHANGED, NULL, detail);
	return rc < 0 ? rc : job_add(db, LOG_FORWARD_JOB, NULL, 0, LOG_FORWARD_JOB);
}

int log_forward_remove(struct db *db)
{
	static const struct buf none;
	int rc = db_run_one(db, "delete from log_forward where tenant = " CHAIN, DB_NONE);

	if (rc == 0 && db_tenant(db) == NULL)
		rc = setting_set_blob(db, LOG_FORWARD_KEY_SETTING, &none);
	return rc < 0 ? rc : audit_log(db, AUDIT_LOG_FORWARD_REMOVED, NULL, NULL);
}

int log_forward_show(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select f.host, f.port, f.ca, f.format, f.certificate, f.changed, f.sent, f.away_since, f.error, f.goodbye, f.test as testing,"
		" greatest(coalesce(h.seq, 0) - f.seq, 0) as waiting from log_forward f left join audit_head h on h.tenant = f.tenant"
		" where f.tenant = " CHAIN, DB_NONE);
}

int log_forward_try(struct db *db)
{
	int rc = db_run_one(db, "update log_forward set test = true, next_try = now() where tenant = " CHAIN, DB_NONE);

	return rc < 0 ? rc : job_add(db, LOG_FORWARD_JOB, NULL, 0, LOG_FORWARD_JOB);
}

/* jobd */

void log_forward_free(struct log_forward *f)
{
	free(f->host);
	free(f->ca);
	free(f->format);
	free(f->certificate);
	buf_free(&f->key);
	memset(f, 0, sizeof *f);
}

int log_forward_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from log_forward_due() where id <> '00000000-0000-0000-0000-000000000000'", DB_NONE);
}

int log_forward_run(struct db *db)
{
	struct db_result *r;
	int due, away, rc = db_query(db, &r, "select f.failures > 0 from log_forward_due() d join log_forward f on f.tenant = d.id where d.id = " CHAIN, DB_NONE);

	if (rc < 0)
		return rc;
	due = db_rows(r) > 0;
	away = due && db_bool(r, 0, 0);
	db_result_free(r);
	rc = due ? job_add_outside(db, LOG_FORWARD_JOB, NULL, LOG_FORWARD_JOB, away) : 0;
	return rc < 0 ? rc : due;
}

int log_forward_claim(struct db *db, struct log_forward *out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update log_forward f set next_try = now() + interval '1 minute' where f.tenant = " CHAIN " and f.next_try <= now()"
		" and (f.test or f.seq < (select h.seq from audit_head h where h.tenant = f.tenant))"
		" returning host, port, ca, format, version, seq, test, certificate, goodbye, client_key", DB_NONE);
	int due;

	if (rc < 0)
		return rc;
	due = db_rows(r) > 0;
	rc = 0;
	if (due)
		*out = (struct log_forward){ .host = mem_strdup(db_text(r, 0, 0)), .port = db_int(r, 0, 1), .ca = mem_strdup(db_text(r, 0, 2)),
			.format = mem_strdup(db_text(r, 0, 3)), .version = db_int(r, 0, 4), .seq = db_int(r, 0, 5), .test = db_bool(r, 0, 6),
			.certificate = mem_strdup(db_text(r, 0, 7)), .goodbye = db_bool(r, 0, 8) };
	if (due && *out->certificate)
		rc = get_key(db, r, 9, &out->key);
	db_result_free(r);
	return rc < 0 ? rc : due;
}

/* Updates that return whether what they note is news, and for how many seconds the receiver was away; of other settings they find none. */
#define WAS "with was as (select away_since from log_forward where tenant = " CHAIN " and version = $1 for update) update log_forward f set "
#define WHERE " from was where f.tenant = " CHAIN " and f.version = $1 returning "

/* R is freed. */
static int tell(struct db *db, struct db_result *r, const char *error)
{
	int news = db_rows(r) && db_bool(r, 0, 0);
	int64_t seconds = news ? db_int(r, 0, 1) : 0;

	db_result_free(r);
	if (!news)
		return 0;
	return error ? audit_log(db, AUDIT_LOG_FORWARD_AWAY, NULL, json_pack("{s:s}", "reason", error))
		: audit_log(db, AUDIT_LOG_FORWARD_BACK, NULL, json_pack("{s:I}", "seconds", (json_int_t)seconds));
}

int log_forward_sent(struct db *db, const struct log_forward *f, int64_t seq, int goodbye)
{
	struct db_result *r;
	int rc = db_query(db, &r, WAS "seq = greatest(f.seq, $2), test = false, next_try = now(), sent = now(), away_since = null, failures = 0,"
		" error = null, goodbye = f.goodbye or $3" WHERE "was.away_since is not null, extract(epoch from now() - was.away_since)::bigint",
		DB_ARGS(db_int_arg(f->version), db_int_arg(seq), db_bool_arg(goodbye)));

	return rc < 0 ? rc : tell(db, r, NULL);
}

int log_forward_skip(struct db *db, const struct log_forward *f, int64_t first)
{
	int rc = db_run(db, "update log_forward f set seq = $3 - 1, next_try = now() where f.tenant = " CHAIN " and f.version = $1 and f.seq = $2", DB_ARGS(
		db_int_arg(f->version), db_int_arg(f->seq), db_int_arg(first)));

	return rc <= 0 ? rc : audit_log(db, AUDIT_LOG_FORWARD_LOST, NULL, json_pack("{s:I, s:I}", "first", (json_int_t)f->seq + 1, "last", (json_int_t)first - 1));
}

int log_forward_failed(struct db *db, const struct log_forward *f, const char *error)
{
	struct db_result *r;
	int rc = db_query(db, &r, WAS "away_since = coalesce(f.away_since, now()), error = $2, failures = f.failures + 1, test = false,"
		" next_try = now() + least($3, power(2, least(f.failures, 10))) * interval '1 second'" WHERE "was.away_since is null, 0",
		DB_ARGS(db_int_arg(f->version), db_text_arg(error), db_int_arg(LOG_FORWARD_PAUSE_MOST_S)));

	return rc < 0 ? rc : tell(db, r, error);
}
