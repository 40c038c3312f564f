/* sign_rules.c - the page about rules of signing in, of both consoles (IDN-5, IDN-6): who must have a second factor, when sessions end. */
#include <string.h>

#include "shared/sign_rules.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/sign_rules.h"
#include "web/sign.h"
#include "web/web.h"

#define ROLES_MOST 16

/* The times are also at most what the configuration says. */
const struct route_param sign_rules_fields[] = {
	{ "factor", "Roles", PARAM_TEXTS, 0, 0, ROLES_MOST, NULL },
	{ "idle_minutes", "Minutes", PARAM_INT, PARAM_REQUIRED, SIGN_RULES_IDLE_LEAST, 7 * 24 * 60, NULL },
	{ "hours", "Hours", PARAM_INT, PARAM_REQUIRED, SIGN_RULES_HOURS_LEAST, 31 * 24, NULL },
	PARAM_END
};

static int64_t most_minutes(const struct call *c)
{
	return call_web(c)->idle / CLOCK_MINUTE;
}

static int64_t most_hours(const struct call *c)
{
	return call_web(c)->absolute / CLOCK_HOUR;
}

static int64_t least_of(int64_t set, int64_t most)
{
	return set && set < most ? set : most;
}

int sign_rules_page(struct call *c)
{
	struct sign_rules rules;
	int rc = sign_rules_get(c->db, sign_side(c), &rules);

	if (rc < 0)
		return rc;
	for (enum role r = ROLE_NONE + 1; r < ROLE_COUNT; r++)
		if (role_is_operator(r) == (c->site == WEB_CENTRAL))
			call_form_option(c, "factor", role_name(r), call_translate(c, role_label(r)), NULL, sign_rules_factor(&rules, role_name(r)));
	call_form(c, "idle_minutes", json_integer(least_of(rules.idle_minutes, most_minutes(c))));
	call_form(c, "hours", json_integer(least_of(rules.hours, most_hours(c))));
	call_set(c, "limits", json_pack("{s:i, s:I, s:i, s:I}", "least_minutes", SIGN_RULES_IDLE_LEAST, "most_minutes",
		(json_int_t)most_minutes(c), "least_hours", SIGN_RULES_HOURS_LEAST, "most_hours", (json_int_t)most_hours(c)));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT)));
	sign_rules_release(&rules);
	return 0;
}

static int take_roles(struct call *c, json_t *out)
{
	enum role r;

	for (size_t i = 0; i < call_count(c, "factor"); i++) {
		const char *name = call_text_at(c, "factor", i);

		if (*name == '\0')
			continue;
		if (role_parse(name, c->site == WEB_CENTRAL, &r) < 0)
			return call_field_error(c, "factor", "There is no such role.");
		json_array_append_new(out, json_string(role_name(r)));
	}
	return 0;
}

int sign_rules_save(struct call *c)
{
	struct sign_rules rules = { .factor = json_array(), .idle_minutes = call_int(c, "idle_minutes", 0), .hours = call_int(c, "hours", 0) };
	int rc = take_roles(c, rules.factor);

	if (rules.idle_minutes > most_minutes(c))
		rc = call_field_error(c, "idle_minutes", "This is more than the server allows.");
	if (rules.hours > most_hours(c))
		rc = call_field_error(c, "hours", "This is more than the server allows.");
	if (rc == 0)
		rc = sign_rules_set(c->db, sign_side(c), &rules);
	sign_rules_release(&rules);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The rules are saved. They hold from the next sign-in on; idle times at once.");
	call_redirect(c, "/sign-in-rules");
	return 0;
}
