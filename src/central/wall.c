/* wall.c - the overview for a screen that nobody sits at (ADM-2): numbers and lights, no names, no links.
 *
 * Whoever is signed in leaves a browser as a display: its session is exchanged for one that opens this page and nothing else, is never idle, and lasts
 * as long as SIGN_WALL_LIFE says. It stands among the operator's own sessions and is ended there, or by whatever ends all of them. */
#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/audit.h"
#include "store/session.h"
#include "web/doc.h"
#include "web/sign.h"

/* Where a display leads it cannot come back from by itself. */
static void without_links(json_t *list)
{
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
		json_object_set_new(row, "url", json_null());
}

int wall_page(struct call *c)
{
	int rc = overview_numbers(c, "/wall");

	if (rc < 0)
		return rc;
	without_links(json_object_get(c->doc, "states"));
	without_links(json_object_get(c->doc, "areas"));
	json_object_del(c->doc, "steps");
	return 0;
}

int wall_ask(struct call *c)
{
	json_t *confirm = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:n, s:n, s:n, s:n, s:s, s:s, s:s}", "title", call_translate(c, "Leave this browser as a display?"), "text",
		call_translate(c, "It shows the overview, as numbers without names, and keeps it up to date."), "icon", "device-desktop", "colour", "blue", "danger", 0,
		"comment", 0, "warning", "choice", "typed", "fields", "button", call_translate(c, "Leave as a display"), "action", "/wall/start", "cancel", "/");

	json_object_set_new(confirm, "points", json_pack("{s:[s, s, s]}", "items", call_translate(c, "You are signed out in this browser; it opens nothing but that page"),
		call_translate(c, "It stays for 90 days, also when nobody touches it or the browser is closed"),
		call_translate(c, "End it at any time, from another browser, on the page My sessions")));
	call_set(c, "confirm", confirm);
	return 0;
}

int wall_start(struct call *c)
{
	const struct uuid former = c->session;
	int rc = audit_log(c->db, AUDIT_SESSION_WALL_MADE, &(struct audit_object) { "user", &c->user, c->user_email }, NULL);

	if (rc == 0)
		rc = sign_start_step(c, &c->tenant, &c->user, SESSION_WALL);
	if (rc == 0)
		rc = session_end(c->db, STORE_OPERATOR, &former);
	if (rc == 0)
		call_redirect(c, "/wall");
	return rc;
}
