/* saml.c - what was agreed with the identity provider, and what waits for it. */
#include "store/saml.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"

/* The same statement for a tenant and for the operator. */
#define TWO(before, after) { before "saml" after, before "operator_saml" after }
#define BOTH(before, tenants, operators, after) { before tenants after, before operators after }

static const char *const administrators[] = { "account-administrator", "msp-administrator" };

int saml_get(struct db *db, enum store_side side, json_t **out)
{
	static const char *const sql[] = TWO("select coalesce(s.mode, 'off') as mode, s.certificate, s.idp, s.proposed, s.source, s.proposed_source,"
		" coalesce(s.settings, '{}') as settings, s.break_glass, s.test, s.tested, s.second_certificate, s.second_is, s.second_until from (select 1) one left join ", " s on true");

	return db_get_row(db, out, sql[side], DB_NONE);
}

char *saml_digest(const json_t *idp)
{
	char *text = json_text(idp), *out;
	unsigned char hash[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, strlen(text), hash);
	out = encode_hex(hash, sizeof hash);
	free(text);
	return out;
}

int saml_propose(struct db *db, enum store_side side, const json_t *idp, const json_t *source)
{
	static const char *const sql[] = TWO("update ", " set proposed = $1, proposed_source = $2");

	return db_run_one(db, sql[side], DB_ARGS(db_json_arg(idp), db_json_arg(source)));
}

int saml_fetched(struct db *db, enum store_side side, const json_t *source)
{
	static const char *const sql[] = TWO("update ", " set source = $1, proposed = null, proposed_source = null");

	return db_run_one(db, sql[side], DB_ARGS(db_json_arg(source)));
}

int saml_ends(struct db *db, enum store_side side, clock_us *at)
{
	static const char *const sql[] = TWO("select max(nullif(c ->> 'not_after', '')::timestamptz) from ",
		" s, jsonb_array_elements(s.idp -> 'certificates') c where s.mode <> 'off'");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_NONE);

	if (rc < 0)
		return rc;
	*at = db_is_null(r, 0, 0) ? 0 : db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* What differs, without the certificates' text. */
static json_t *brief(const json_t *kept, const char *name, const char *source)
{
	const json_t *idp = json_object_get(kept, name);
	json_t *out, *prints = json_array(), *row;
	size_t i;

	if (!json_is_object(idp)) {
		json_decref(prints);
		return json_object();
	}
	out = json_copy((json_t *)(uintptr_t)idp);
	json_array_foreach(json_object_get(idp, "certificates"), i, row)
		json_array_append(prints, json_object_get(row, "sha256"));
	json_object_set_new(out, "certificates", prints);
	json_set_string(out, "url", json_string_value(json_object_get(json_object_get(kept, source), "url")));
	return out;
}

static int log_changes(struct db *db, enum audit_event event, json_t *before, json_t *after)
{
	json_t *detail = audit_changes(before, after);

	json_decref(before);
	json_decref(after);
	return detail ? audit_log(db, event, NULL, detail) : 0;
}

int saml_confirm(struct db *db, enum store_side side, const char *digest)
{
	static const char *const sql[] = TWO("update ", " set idp = proposed, proposed = null, source = proposed_source, proposed_source = null, test = null, tested = null");
	json_t *now = NULL;
	const json_t *proposed;
	char *is;
	int rc = saml_get(db, side, &now);

	if (rc < 0)
		return rc;
	proposed = json_object_get(now, "proposed");
	is = saml_digest(proposed);
	if (!json_is_object(proposed) || strcmp(is, digest) != 0)
		rc = err_set(ERR_CONFLICT, "something else was imported meanwhile");
	if (rc == 0)
		rc = db_run_one(db, sql[side], DB_NONE);
	if (rc == 0)
		rc = log_changes(db, AUDIT_SSO_PROVIDER, brief(now, "idp", "source"), brief(now, "proposed", "proposed_source"));
	free(is);
	json_decref(now);
	return rc;
}

int saml_administrators(struct db *db, enum store_side side, json_t **out)
{
	static const char *const sql[] = BOTH("select id, name, email from ", "app_user", "operator_user",
		" where state = 'active' and password is not null and role = $1 order by name collate \"und-x-icu\", id limit 200");

	return db_get_rows(db, out, sql[side], DB_ARGS(db_text_arg(administrators[side])));
}

static int is_administrator(struct db *db, enum store_side side, const struct uuid *user)
{
	static const char *const sql[] = BOTH("select 1 from ", "app_user", "operator_user",
		" where id = $2 and state = 'active' and password is not null and role = $1 for no key update");

	/* Locked: whoever would disable the user meanwhile waits, and then sees what the user is for. */
	return db_has(db, sql[side], DB_ARGS(db_text_arg(administrators[side]), db_uuid_arg(user)));
}

static json_t *visible(const char *mode, const json_t *settings, const char *break_glass)
{
	json_t *o = json_copy((json_t *)(uintptr_t)settings);

	json_set_string(o, "mode", mode);
	json_set_string(o, "break_glass", break_glass);
	return o;
}

int saml_set(struct db *db, enum store_side side, const char *mode, const json_t *settings, const struct uuid *break_glass)
{
	static const char *const sql[] = TWO("update ", " set mode = $1, settings = $2, break_glass = $3");
	json_t *before = NULL;
	char id[UUID_TEXT_SIZE];
	int good, rc = saml_get(db, side, &before);

	if (rc < 0)
		return rc;
	good = break_glass ? is_administrator(db, side, break_glass) : strcmp(mode, "required") != 0;
	if (good < 0)
		rc = good;
	else if (!good)
		rc = err_set(ERR_CONFLICT, "a local administrator who can sign in is needed");
	else if (strcmp(mode, "off") != 0 && !json_is_object(json_object_get(before, "idp")))
		rc = err_set(ERR_CONFLICT, "there is no identity provider yet");
	if (rc == 0)
		rc = db_run_one(db, sql[side], DB_ARGS(db_text_arg(mode), db_json_arg(settings), db_uuid_arg(break_glass)));
	if (rc == 0) {
		if (break_glass)
			uuid_text(break_glass, id);
		rc = log_changes(db, AUDIT_SSO_CHANGED, visible(json_string_value(json_object_get(before, "mode")),
			json_object_get(before, "settings"), json_string_value(json_object_get(before, "break_glass"))),
			visible(mode, settings, break_glass ? id : NULL));
	}
	json_decref(before);
	return rc;
}

int saml_set_test(struct db *db, enum store_side side, const json_t *test)
{
	static const char *const sql[] = TWO("update ", " set test = $1, tested = now()");

	return db_run_one(db, sql[side], DB_ARGS(db_json_arg(test)));
}

int saml_password_allowed(struct db *db, enum store_side side, const struct uuid *user)
{
	static const char *const sql[] = TWO("select 1 from ", " where mode = 'required' and break_glass is distinct from $1");
	int rc = db_has(db, sql[side], DB_ARGS(db_uuid_arg(user)));

	return rc < 0 ? rc : !rc;
}

/* Requests */

void saml_request_release(struct saml_request *r)
{
	free(r->id);
	free(r->purpose);
	free(r->return_to);
	memset(r, 0, sizeof *r);
}

static const char *const clean[] = TWO("delete from ", "_request where expires < now()");

int saml_request_add(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], const char *purpose,
	const struct uuid *user, const struct uuid *session, const char *return_to, clock_us expires)
{
	static const char *const sql[] = {
		"insert into saml_request (tenant, id, browser, purpose, user_id, return_to, expires, session) values (current_tenant(), $1, $2, $3, $4, $5, $6, $7)",
		"insert into operator_saml_request (id, browser, purpose, user_id, return_to, expires, session) values ($1, $2, $3, $4, $5, $6, $7)",
	};
	int rc = db_queue(db, clean[side], DB_NONE);

	return rc < 0 ? rc : db_queue(db, sql[side], DB_ARGS(db_text_arg(id), db_bytes_arg(browser, USER_TOKEN_HASH), db_text_arg(purpose),
		db_uuid_arg(user), db_text_arg(return_to), db_time_arg(expires), db_uuid_arg(session)));
}

int saml_request_find(struct db *db, enum store_side side, const char *id, const uint8_t browser[static USER_TOKEN_HASH], int use,
	struct saml_request *out)
{
#define WHERE "_request where id = $1 and browser = $2 and expires > now() and purpose <> 'sign-out'"
#define WHAT "id, purpose, return_to, user_id, session, expires"
	static const char *const look[] = TWO("select " WHAT " from ", WHERE);
	static const char *const take[] = TWO("delete from ", WHERE " returning " WHAT);
	struct db_result *r;
	int rc = db_query_row(db, &r, (use ? take : look)[side], DB_ARGS(db_text_arg(id), db_bytes_arg(browser, USER_TOKEN_HASH)));

	if (rc < 0)
		return rc;
	*out = (struct saml_request){ .id = mem_strdup(db_text(r, 0, 0)), .purpose = mem_strdup(db_text(r, 0, 1)),
		.return_to = mem_strdup(db_text(r, 0, 2)), .expires = db_time(r, 0, 5) };
	if (!db_is_null(r, 0, 3))
		out->user = db_uuid(r, 0, 3);
	if (!db_is_null(r, 0, 4))
		out->session = db_uuid(r, 0, 4);
	db_result_free(r);
	return 0;
}

/* In the same table as requests of our own, which nobody can mistake it for: its purpose is another. */
int saml_told_once(struct db *db, enum store_side side, const char *issuer, const char *id)
{
	static const char *const sql[] = {
		"insert into saml_request (tenant, id, browser, purpose, expires) values (current_tenant(), $1, $2, 'sign-out', $3) on conflict do nothing",
		"insert into operator_saml_request (id, browser, purpose, expires) values ($1, $2, 'sign-out', $3) on conflict do nothing",
	};
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char *text = mem_printf("%s\n%s", issuer, id), *name;
	int rc = db_queue(db, clean[side], DB_NONE);

	SHA256((const unsigned char *)text, strlen(text), hash);
	name = encode_hex(hash, sizeof hash);
	if (rc == 0)
		rc = db_run(db, sql[side], DB_ARGS(db_text_arg(name), db_bytes_arg(hash, sizeof hash), db_time_arg(clock_now() + SAML_TOLD_LIFE)));
	free(name);
	free(text);
	return rc < 0 ? rc : rc ? 0 : err_set(ERR_CONFLICT, "this request to sign out came before");
}

int saml_log_refused(struct db *db, const char *what, const char *reason, const char *text)
{
	return audit_log(db, AUDIT_SSO_REFUSED, NULL, json_pack("{s:s,s:s,s:s}", "act", what, "reason", reason, "text", text));
}

/* Sessions */

int saml_session_add(struct db *db, enum store_side side, const struct uuid *session, const struct saml_name *name)
{
	static const char *const sql[] = {
		"insert into saml_session (tenant, session, issuer, name_id, format, index) values (current_tenant(), $1, $2, $3, $4, $5)",
		"insert into operator_saml_session (session, issuer, name_id, format, index) values ($1, $2, $3, $4, $5)",
	};

	return db_queue(db, sql[side], DB_ARGS(db_uuid_arg(session), db_text_arg(name->issuer), db_text_arg(name->name_id), db_text_arg(name->format),
		db_text_arg(name->index)));
}

int saml_session_carry(struct db *db, enum store_side side, const struct uuid *from, const struct uuid *to)
{
	static const char *const sql[] = {
		"insert into saml_session (tenant, session, issuer, name_id, format, index) select tenant, $2, issuer, name_id, format, index"
			" from saml_session where session = $1",
		"insert into operator_saml_session (session, issuer, name_id, format, index) select $2, issuer, name_id, format, index"
			" from operator_saml_session where session = $1",
	};

	return db_queue(db, sql[side], DB_ARGS(db_uuid_arg(from), db_uuid_arg(to)));
}

int saml_session_get(struct db *db, enum store_side side, const struct uuid *session, json_t **out)
{
	static const char *const sql[] = TWO("select issuer, name_id, format, index from ", "_session where session = $1");

	return db_get_row(db, out, sql[side], DB_ARGS(db_uuid_arg(session)));
}

int saml_session_prove(struct db *db, enum store_side side, const struct uuid *session, const struct uuid *user)
{
	static const char *const sql[] = {
		"update saml_session s set proven = now() from user_session u where u.tenant = s.tenant and u.id = s.session and s.session = $1 and u.user_id = $2"
			" and u.expires > now()",
		"update operator_saml_session s set proven = now() from operator_session u where u.id = s.session and s.session = $1 and u.user_id = $2"
			" and u.expires > now()",
	};

	return db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(session), db_uuid_arg(user)));
}

int saml_session_proven(struct db *db, enum store_side side, const struct uuid *session, clock_us *at)
{
	static const char *const sql[] = TWO("select proven from ", "_session where session = $1");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(session)));

	if (rc < 0)
		return rc;
	*at = db_is_null(r, 0, 0) ? 0 : db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

int saml_session_end(struct db *db, enum store_side side, const char *issuer, const char *name_id, const json_t *indexes, int *count)
{
	static const char *const sql[] = {
		"delete from user_session u using saml_session s where u.tenant = s.tenant and u.id = s.session and s.issuer = $1 and s.name_id = $2"
			" and ($3::jsonb = '[]' or $3::jsonb ? s.index)",
		"delete from operator_session u using operator_saml_session s where u.id = s.session and s.issuer = $1 and s.name_id = $2"
			" and ($3::jsonb = '[]' or $3::jsonb ? s.index)",
	};
	int rc = db_run(db, sql[side], DB_ARGS(db_text_arg(issuer), db_text_arg(name_id), db_json_arg(indexes)));

	if (rc < 0)
		return rc;
	*count = rc;
	return audit_log(db, AUDIT_SSO_SIGNED_OUT, NULL, json_pack("{s:s,s:i}", "name_id", name_id, "sessions", rc));
}
