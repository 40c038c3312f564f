/* licence.c - warnings of licences, to the operators. */
#include "jobs/licence.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "jobs/notice.h"
#include "store/licence.h"
#include "store/mail.h"
#include "store/tenant.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static int tell_operators(struct db *db, const json_t *tenant, const struct licence_state *s, enum licence_warning w)
{
	char until[CLOCK_TEXT_SIZE];
	struct buf text = BUF_INIT;
	json_t *people = NULL, *doc;
	char *subject;
	int rc = licence_operators(db, &people);

	if (rc < 0)
		return rc;
	clock_text(s->until, until);
	subject = mem_printf("%s: %s", notice_text("Licence"), text_of(tenant, "name"));
	doc = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "tenant", text_of(tenant, "name"), "account", text_of(tenant, "slug"), "warning",
		notice_text(licence_warning_text(w)), "until", until, "used", (json_int_t)s->used, "keys", (json_int_t)s->keys);
	rc = notice_render("mail/licence_operator", doc, &text);
	if (rc == 0)
		rc = mail_add_all(db, people, subject, buf_str(&text));
	json_decref(doc);
	json_decref(people);
	free(subject);
	buf_free(&text);
	return rc;
}

int licence_tell(struct db *db, clock_us now)
{
	enum licence_warning warnings[2];
	struct licence_state s;
	json_t *tenant = NULL;
	int rc = licence_take_warnings(db, &s, warnings), can;

	(void)now;
	if (rc < 0 || (warnings[0] == LICENCE_WARNING_NONE && warnings[1] == LICENCE_WARNING_NONE))
		return rc;
	can = notice_can_mail(db);
	rc = can < 0 ? can : tenant_label(db, &tenant);
	for (int i = 0; can > 0 && rc == 0 && i < 2; i++)
		if (warnings[i] != LICENCE_WARNING_NONE)
			rc = tell_operators(db, tenant, &s, warnings[i]);
	json_decref(tenant);
	return rc;
}
