/* expiry.c - warnings of certificates, to operators and to the administrators of accounts. */
#include "jobs/expiry.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "health/certificates.h"
#include "jobs/notice.h"
#include "store/certificate.h"

/* Days that are left; -1: it has ended. The fewest first. */
static const int thresholds[] = { -1, 1, 7, 14, CERTIFICATE_SOON };

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static int tell(struct db *db, const json_t *one, const json_t *people)
{
	json_t *doc = json_pack("{s:o, s:s, s:s, s:s, s:o, s:b, s:O}", "what", phrase(text_of(one, "what")), "where", text_of(one, "where"), "subject", text_of(one, "subject"),
		"until", text_of(one, "not_after"), "renew", phrase(text_of(one, "renew")), "ended", json_integer_value(json_object_get(one, "days")) < 0, "days",
		json_object_get(one, "days"));
	json_t *subject = phrase_say("A certificate ends: %{name}", "name", json_string(text_of(one, "subject")), NULL);
	int rc = notice_mail(db, people, subject, "mail/certificate_operator", doc);

	json_decref(subject);
	json_decref(doc);
	return rc;
}

/* By way of the log: mail, bell, groups and webhooks follow from there. */
static int tell_tenant(struct db *db, const json_t *one)
{
	json_int_t days = json_integer_value(json_object_get(one, "days"));
	char *reason = days < 0 ? mem_printf("it has ended, on %s; %s", text_of(one, "not_after"), text_of(one, "renew"))
		: mem_printf("it ends in %lld days, on %s; %s", (long long)days, text_of(one, "not_after"), text_of(one, "renew"));
	int rc = certificate_ends(db, text_of(one, "what"), text_of(one, "subject"), reason);

	free(reason);
	return rc;
}

/* 1: it was told of. */
static int look_at(struct db *db, const json_t *one, const json_t *people)
{
	json_int_t days = json_integer_value(json_object_get(one, "days"));
	int rc = 0;

	if (*text_of(one, "fingerprint") == '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(thresholds); i++)
		if (days <= thresholds[i]) {
			rc = certificate_tell(db, text_of(one, "fingerprint"), thresholds[i]);
			return rc <= 0 ? rc : people ? tell(db, one, people) : tell_tenant(db, one);
		}
	return 0;
}

/* PEOPLE to mail; NULL: a tenant's, by its log. */
static int look_at_all(struct db *db, clock_us now, const json_t *people)
{
	json_t *all = NULL, *one;
	size_t i;
	int rc = health_certificates(db, now, &all);

	json_array_foreach(all, i, one)
		if (rc >= 0)
			rc = look_at(db, one, people);
	json_decref(all);
	return rc < 0 ? rc : 0;
}

int expiry_tell_tenant(struct db *db, clock_us now)
{
	return look_at_all(db, now, NULL);
}

int expiry_tell(struct db *db, clock_us now)
{
	json_t *people = NULL;
	int rc = notice_can_mail(db);

	/* Without a mail server nobody is told, and it is not noted as told. */
	if (rc <= 0)
		return rc;
	rc = system_operators(db, &people);
	if (rc == 0)
		rc = look_at_all(db, now, people);
	json_decref(people);
	return rc;
}
