/* mail.c - the mail server's settings, test mails, mails that wait. */
#include "store/mail.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "store/job.h"
#include "store/setting.h"

#define SERVER "mail.server"
#define FIRST 1                  /* a time long ago: before whatever waits already */
#define TEST_WITHIN "2 minutes"  /* a test that was not tried by then is lost: jobd does not run */

static const char *const names[] = {
#define X(id, name, label) name,
	MAIL_SECURITIES(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	MAIL_SECURITIES(X)
#undef X
};

const char *mail_security_name(enum mail_security s)
{
	return names[s];
}

const char *mail_security_label(enum mail_security s)
{
	return labels[s];
}

int mail_security_parse(const char *name, enum mail_security *out)
{
	int i = word_find(names, MAIL_SECURITY_COUNT, name, "protection of mail");

	if (i < 0)
		return i;
	*out = (enum mail_security)i;
	return 0;
}

void mail_server_release(struct mail_server *s)
{
	free(s->host);
	free(s->sender);
	free(s->user);
	free(s->ca);
	memset(s, 0, sizeof *s);
}

static char *text_member(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return mem_strdup(text ? text : "");
}

int mail_server_get(struct db *db, struct mail_server *out, struct buf *password)
{
	json_t *value = NULL;
	int rc = setting_get(db, SERVER, &value);

	if (rc == ERR_NOT_FOUND)
		return err_set(rc, "no mail server is set");
	if (rc < 0)
		return rc;
	*out = (struct mail_server){ .host = text_member(value, "host"), .port = json_integer_value(json_object_get(value, "port")),
		.sender = text_member(value, "sender"), .user = text_member(value, "user"), .ca = text_member(value, "ca") };
	rc = mail_security_parse(json_string_value(json_object_get(value, "security")), &out->security);
	json_decref(value);
	if (rc == 0)
		rc = setting_get_blob(db, MAIL_PASSWORD_SETTING, password);
	if (rc < 0)
		mail_server_release(out);
	return rc;
}

int mail_server_set(struct db *db, const struct mail_server *s, const struct buf *password)
{
	json_t *value = json_pack("{s:s,s:I,s:s,s:s,s:s,s:s}", "host", s->host, "port", (json_int_t)s->port, "security",
		names[s->security], "sender", s->sender, "user", s->user, "ca", s->ca);
	int rc = setting_set(db, SERVER, value, 0);

	json_decref(value);
	return rc < 0 || password == NULL ? rc : setting_set_blob(db, MAIL_PASSWORD_SETTING, password);
}

int mail_server_remove(struct db *db)
{
	int rc = setting_set(db, SERVER, NULL, 0);

	return rc < 0 ? rc : setting_set(db, MAIL_PASSWORD_SETTING, NULL, 1);
}

int mail_test(struct db *db, const char *recipient)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into mail_test (id, recipient, requested_by) select $1, $2, $3 where not exists (select 1 from mail_test"
		" where finished is null and requested > now() - interval '" TEST_WITHIN "')", DB_ARGS(db_uuid_arg(&id),
		db_text_arg(recipient), db_text_arg(db_actor(db)->name)));

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(ERR_CONFLICT, "a test mail is being sent");
	uuid_text(&id, text);
	rc = db_queue(db, "delete from mail_test where id not in (select id from mail_test order by requested desc limit 20)", DB_NONE);
	return rc < 0 ? rc : job_add(db, "mail-test", json_pack("{s:s,s:s,s:s,s:s}", "to", recipient, "test", text, "subject",
		"Keyward: test mail", "text", "This is a test mail of Keyward.\n\nIt shows that the mail server's settings in the Central"
		" Management Console work.\n"), FIRST, NULL);
}

int mail_test_last(struct db *db, json_t **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select recipient, requested, requested_by, coalesce(finished, case when requested < now() - interval '"
		TEST_WITHIN "' then requested + interval '" TEST_WITHIN "' end) as finished, case when finished is null and requested < now()"
		" - interval '" TEST_WITHIN "' then 'nobody has tried to send it: keyward-jobd does not run' else error end as error"
		" from mail_test order by requested desc, id desc limit 1", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_rows(r) ? db_row_json(r, 0) : json_null();
	db_result_free(r);
	return 0;
}

int mail_test_done(struct db *db, const struct uuid *id, const char *error)
{
	return db_queue(db, "update mail_test set finished = now(), error = $2 where id = $1 and finished is null",
		DB_ARGS(db_uuid_arg(id), db_text_arg(error)));
}

int mail_queue(struct db *db, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select waiting, failed, oldest, last_error from mail_queue()", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	db_result_free(r);
	return 0;
}

int mail_add(struct db *db, const char *to, const char *subject, const char *text, const char *unique)
{
	return job_add(db, "mail", json_pack("{s:s,s:s,s:s}", "to", to, "subject", subject, "text", text), 0, unique);
}

int mail_add_link(struct db *db, const char *to, const char *subject, const char *text, const struct buf *link)
{
	char *encoded = link->len ? encode_base64url(link->data, link->len) : NULL;
	json_t *payload = json_pack("{s:s,s:s,s:s,s:s*}", "to", to, "subject", subject, "text", text, "link", encoded);

	free(encoded);
	return job_add(db, "mail", payload, 0, NULL);
}

int mail_undelivered(struct db *db, const json_t *addresses, json_t **out)
{
	return db_get_rows(db, out, "select recipient, at, state from mail_undelivered(array(select json_array_elements_text($1)))", DB_ARGS(db_json_arg(addresses)));
}

int mail_is_set(struct db *db)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select mail_is_set()", DB_NONE);

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}
