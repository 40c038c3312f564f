/* language.c - in which language one is spoken to: one's own choice and, for who may change it, everybody's: of the account, or of the installation. */
#include "web/language.h"

#include <string.h>

#include "base/err.h"
#include "base/say.h"
#include "store/language.h"
#include "web/sign.h"
#include "web/state.h"

const struct route_param language_fields[] = {
	{ "language", "Language", PARAM_TEXT, 0, 0, LANGUAGE_MAX - 1, NULL },
	PARAM_END
};
const struct route_param language_everybody_fields[] = {
	{ "everybody", "Language", PARAM_TEXT, 0, 0, LANGUAGE_MAX - 1, NULL },
	PARAM_END
};

/* Each by the name that its speakers have for it. */
static void offer(struct call *c, const char *field, const char *none, const char *chosen)
{
	const struct languages *l = c->state->web->languages;

	call_form_option(c, field, "", none, NULL, *chosen == '\0');
	for (size_t i = 0; i < l->count; i++)
		call_form_option(c, field, l->all[i].code, language_name(&l->all[i]), NULL, strcmp(l->all[i].code, chosen) == 0);
}

int language_page(struct call *c)
{
	char own[LANGUAGE_MAX] = "", everybody[LANGUAGE_MAX] = "";
	int central = c->site == WEB_CENTRAL, rc = language_own(c->db, sign_side(c), &c->user, own);

	if (rc == 0)
		rc = language_of_everybody(c->db, sign_side(c), everybody);
	if (rc < 0)
		return rc;
	offer(c, "language", call_translate(c, *everybody == '\0' ? "As the browser asks for it" : central ? "As the installation has it" : "As the account has it"), own);
	offer(c, "everybody", call_translate(c, "As each browser asks for it"), everybody);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, central ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT)));
	return 0;
}

static int check(struct call *c, const char *field)
{
	const char *wanted = call_text(c, field);

	return *wanted == '\0' || languages_has(c->state->web->languages, wanted) ? 0 : call_field_error(c, field, "Please choose one of the list.");
}

int language_save(struct call *c)
{
	int rc = check(c, "language");

	if (rc == 0)
		rc = language_choose(c->db, sign_side(c), &c->user, call_text(c, "language"));
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Your language is saved.");
	call_redirect(c, "/language");
	return 0;
}

int language_save_everybody(struct call *c)
{
	int rc = check(c, "everybody");

	if (rc == 0)
		rc = language_choose_for_everybody(c->db, sign_side(c), call_text(c, "everybody"));
	if (rc < 0)
		return rc;
	call_notice(c, "success", c->site == WEB_CENTRAL ? "The installation's language is saved." : "The account's language is saved.");
	call_redirect(c, "/language");
	return 0;
}
