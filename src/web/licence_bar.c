/* licence_bar.c - notices about licences: of the tenant in its console; of how many tenants in the operator's. */
#include "web/licence_bar.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/closing.h"
#include "store/licence.h"
#include "store/saml.h"
#include "web/state.h"

#define NEAR_FOR (10 * CLOCK_SECOND)

static void add(json_t *list, const char *colour, const char *icon, const char *title, json_t *text, const char *url, const char *url_text)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:o, s:s, s:s}", "colour", colour, "icon", icon, "title", title, "text", text,
		"url", url, "url_text", url_text));
}

static void of_tenant(struct call *c, json_t *list)
{
	struct licence_state s;
	enum licence_warning w;
	int danger;

	if (!call_may(c, PERMISSION_ACCOUNT_VIEW) || licence_glance(c->db, &s) < 0)
		return;
	w = licence_warn(&s);
	danger = strcmp(licence_warning_kind(w), "danger") == 0;
	if (w != LICENCE_WARNING_NONE)
		add(list, danger ? "red" : "orange", danger ? "alert-circle" : "alert-triangle", call_translate(c, licence_warning_text(w)),
			json_string(call_translate(c, danger ? "Ask your service provider for an activation code, and enter it." : "Enter a new activation code in time.")), "/licence", call_translate(c, "Product License"));
}

static void count(struct call *c, json_t *list, const json_t *row, const char *name, const char *text, const char *url, const char *colour)
{
	json_int_t n = json_integer_value(json_object_get(row, name));

	if (n > 0)
		add(list, colour, "certificate", NULL, json_sprintf("%s: %lld", call_translate(c, text), (long long)n), url,
			call_translate(c, "Show"));
}

/* Counting looks at every tenant: not for every page. NULL: the operator may not see it, or it cannot be had. */
static const json_t *near_now(struct call *c)
{
	struct web_thread *t = c->state->thread;
	json_t *row = NULL;

	if (!call_may(c, PERMISSION_LICENCES_VIEW))
		return NULL;
	if (t->licences && clock_ticks() - t->licences_seen < NEAR_FOR)
		return t->licences;
	if (licence_near(c->db, &row) < 0)
		return NULL;
	json_decref(t->licences);
	t->licences = row;
	t->licences_seen = clock_ticks();
	return row;
}

static void of_operator(struct call *c, json_t *list)
{
	const json_t *row = near_now(c);

	if (row == NULL)
		return;
	count(c, list, row, "over", "Tenants that can encrypt no further device, at the limit or after the end of their licence", "/licences?sort=-share", "red");
	count(c, list, row, "limit", "Tenants that use 80 % or more of their licence", "/licences?near=limit", "orange");
	count(c, list, row, "end", "Tenants whose licence ends soon", "/licences?near=end", "orange");
}

/* Once it has ended, or was replaced there, nobody signs in by the identity provider (IDN-3). */
static void of_identity_provider(struct call *c, json_t *list)
{
	enum store_side side = c->site == WEB_CENTRAL ? STORE_OPERATOR : STORE_TENANT;
	clock_us at = 0;

	if (!call_may(c, side == STORE_OPERATOR ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT) || saml_ends(c->db, side, &at) < 0 || at == 0
		|| at - c->now > SAML_ENDS_SOON)
		return;
	add(list, at < c->now ? "red" : "orange", "alert-triangle", call_translate(c, at < c->now ? "The identity provider's certificate has ended" :
		"The identity provider's certificate ends soon"), json_string(call_translate(c, "Fetch or import its present metadata, so that people can sign in.")),
		"/single-sign-on", call_translate(c, "Single Sign-On"));
}

/* When the account is to be destroyed, everybody in it is to know (TEN-7). */
static void of_closing(struct call *c, json_t *list)
{
	clock_us at = 0;
	json_t *when;

	if (closing_when(c->db, &at) < 0 || at == 0)
		return;
	when = call_when(c, at);
	json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:s?, s:s?}", "colour", "red", "icon", "alert-triangle", "title",
		json_sprintf("%s: %s", call_translate(c, "This account is closed on"), json_string_value(json_object_get(when, "text"))), "text",
		call_translate(c, "Then its keys and data are destroyed. Move what is encrypted in time."), "url", call_may(c, PERMISSION_ACCOUNT_EDIT) ?
		"/account/data" : NULL, "url_text", call_may(c, PERMISSION_ACCOUNT_EDIT) ? call_translate(c, "Take the data with you") : NULL));
	json_decref(when);
}

void licence_bar(struct call *c, json_t *list)
{
	if (uuid_is_nil(&c->user) || !db_is_open(c->db))
		return;
	if (c->site == WEB_CENTRAL)
		of_operator(c, list);
	if (c->site == WEB_CONSOLE && !uuid_is_nil(&c->tenant)) {
		of_closing(c, list);
		of_tenant(c, list);
	}
	of_identity_provider(c, list);
}
