/* language.c - in which language one is spoken to: one's own choice and, for who may change it, everybody's: of the account, or of the installation. */
#include "shared/language.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/say.h"
#include "render/languages.h"
#include "render/template.h"
#include "render/words.h"
#include "store/language.h"
#include "web/sign.h"
#include "web/web.h"

const struct route_param language_fields[] = {
	{ "language", "Language", PARAM_TEXT, 0, 0, LANGUAGE_MAX - 1, NULL },
	PARAM_END
};
const struct route_param language_everybody_fields[] = {
	{ "everybody", "Language", PARAM_TEXT, 0, 0, LANGUAGE_MAX - 1, NULL },
	PARAM_END
};

const struct route_param language_dates_fields[] = {
	LANGUAGE_DATES_PARAM,
	PARAM_END
};

/* Each by the name that its speakers have for it. */
static void offer(struct call *c, const char *field, const char *none, const char *chosen)
{
	const struct languages *l = call_web(c)->languages;

	call_form_option(c, field, "", none, NULL, *chosen == '\0');
	for (size_t i = 0; i < l->count; i++)
		call_form_option(c, field, l->all[i].code, language_name(&l->all[i]), NULL, strcmp(l->all[i].code, chosen) == 0);
}

/* A day in that format, which shows which number is the month. */
static char *sample(struct call *c, enum date_format dates)
{
	return words_local(template_words(language_set(languages_find(call_web(c)->languages, call_language(c)), dates)), "2026-11-28");
}

json_t *language_say_dates(struct call *c, const char *name)
{
	enum date_format dates = date_format_of(name);
	char *here = sample(c, dates == DATES_USUAL ? DATES_WORDS : dates), *elsewhere = sample(c, DATES_ISO);
	json_t *out = dates == DATES_USUAL ? call_say(c, "As usual: %{pages} on pages, %{elsewhere} in reports and mails",
		CALL_VALUES({ "pages", here }, { "elsewhere", elsewhere })) : json_string(here);

	free(here);
	free(elsewhere);
	return out;
}

void language_offer_dates(struct call *c, const char *chosen)
{
	enum date_format now = date_format_of(chosen);

	call_form(c, "date_format", json_string(date_format_names[now]));
	for (size_t i = 0; i < DATE_FORMATS; i++) {
		json_t *text = language_say_dates(c, date_format_names[i]);

		call_form_option(c, "date_format", date_format_names[i], json_string_value(text), NULL, i == (size_t)now);
		json_decref(text);
	}
}

const char *language_dates(const struct call *c)
{
	enum date_format dates = date_format_of(call_text(c, "date_format"));

	return !call_has(c, "date_format") ? NULL : dates == DATES_USUAL ? "" : date_format_names[dates];
}

static int offer_installation(struct call *c)
{
	char dates[DATE_FORMAT_MAX];
	int rc = date_format_of_installation(c->db, dates);

	if (rc == 0)
		language_offer_dates(c, dates);
	return rc;
}

int language_save_dates(struct call *c)
{
	const char *dates = language_dates(c);
	int rc = dates ? date_format_choose_for_installation(c->db, dates) : 0;

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The date format is saved.");
	call_redirect(c, "/language");
	return 0;
}

int language_page(struct call *c)
{
	char own[LANGUAGE_MAX] = "", everybody[LANGUAGE_MAX] = "";
	int central = c->site == WEB_CENTRAL, rc = language_own(c->db, sign_side(c), &c->user, own);

	if (rc == 0)
		rc = language_of_everybody(c->db, sign_side(c), everybody);
	if (rc == 0 && central)
		rc = offer_installation(c);
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

	return *wanted == '\0' || languages_has(call_web(c)->languages, wanted) ? 0 : call_field_error(c, field, "Please choose one of the list.");
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
