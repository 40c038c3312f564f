/* certificate.c - certificates as the database knows them. */
#include "store/certificate.h"

#include "store/audit.h"
#include "store/language.h"

int certificates_all(struct db *db, json_t **out)
{
	if (db_tenant(db))
		return db_get_rows(db, out, "select distinct place, '' as host, '' as name, pem from certificates_set() where pem is not null", DB_NONE);
	return db_get_rows(db, out, "select distinct on (place, host, name, pem) place, host, name, pem from ("
		" select c ->> 'place' as place, p.host, c ->> 'name' as name, c ->> 'pem' as pem from process p,"
		" jsonb_array_elements(case when jsonb_typeof(p.detail -> 'certificates') = 'array' then p.detail -> 'certificates' else '[]' end) as c"
		" where p.seen > now() - interval '10 minutes'"
		" union all select s.place, '', '', s.pem from certificates_set() s) as x where pem is not null", DB_NONE);
}

int certificate_tell(struct db *db, const char *fingerprint, int level)
{
	if (db_tenant(db))
		return db_run(db, "insert into tenant_certificate_told as t (tenant, fingerprint, level) values (current_tenant(), $1, $2::int)"
			" on conflict (tenant, fingerprint) do update set level = excluded.level, at = now() where t.level > excluded.level",
			DB_ARGS(db_text_arg(fingerprint), db_int_arg(level)));
	return db_run(db, "insert into certificate_told (fingerprint, level) values ($1, $2::int) on conflict (fingerprint) do update"
		" set level = excluded.level, at = now() where certificate_told.level > excluded.level", DB_ARGS(db_text_arg(fingerprint), db_int_arg(level)));
}

int certificate_ends(struct db *db, const char *what, const char *subject, const char *reason)
{
	return audit_log(db, AUDIT_CERTIFICATE_ENDS, &(struct audit_object){ "certificate", NULL, what }, json_pack("{s:s, s:s}", "subject", subject, "reason", reason));
}

int system_operators(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select email, coalesce(language, " LANGUAGE_OF_INSTALLATION ", '') as language, " DATE_FORMAT " as date_format from"
		" notice_operators('{msp-administrator,system-operator}')", DB_NONE);
}
