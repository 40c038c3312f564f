/* expiry.c - warnings of certificates, to operators. */
#include "jobs/expiry.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "health/certificates.h"
#include "jobs/notice.h"
#include "store/certificate.h"
#include "store/mail.h"

/* Days that are left; -1: it has ended. The fewest first. */
static const int thresholds[] = { -1, 1, 7, 14, CERTIFICATE_SOON };

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static int tell(struct db *db, const json_t *one, const json_t *people)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:O}", "what", notice_text(text_of(one, "what")), "where", text_of(one, "where"), "subject", text_of(one, "subject"),
		"until", text_of(one, "not_after"), "renew", notice_text(text_of(one, "renew")), "ended", json_integer_value(json_object_get(one, "days")) < 0, "days",
		json_object_get(one, "days"));
	char *subject = mem_printf("%s: %s", notice_text("A certificate ends"), text_of(one, "subject"));
	struct buf text = BUF_INIT;
	int rc = notice_render("mail/certificate_operator", doc, &text);

	if (rc == 0)
		rc = mail_add_all(db, people, subject, buf_str(&text));
	json_decref(doc);
	free(subject);
	buf_free(&text);
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
			return rc <= 0 ? rc : tell(db, one, people);
		}
	return 0;
}

int expiry_tell(struct db *db, clock_us now)
{
	json_t *all = NULL, *people = NULL, *one;
	size_t i;
	int rc = notice_can_mail(db);

	/* Without a mail server nobody is told, and it is not noted as told. */
	if (rc <= 0)
		return rc;
	rc = health_certificates(db, now, &all);
	if (rc == 0)
		rc = system_operators(db, &people);
	json_array_foreach(all, i, one)
		if (rc >= 0)
			rc = look_at(db, one, people);
	json_decref(all);
	json_decref(people);
	return rc < 0 ? rc : 0;
}
