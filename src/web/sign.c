/* sign.c - sessions: found by the cookie, started, forgotten; passwords hashed a few at a time. */
#include "web/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "store/session.h"
#include "store/sign_rules.h"
#include "store/tenant.h"
#include "web/gate.h"
#include "web/state.h"

#define STEP_LIFE (10 * CLOCK_MINUTE)    /* of half a sign-in */

enum store_side sign_side(const struct call *c)
{
	return c->site == WEB_CENTRAL ? STORE_OPERATOR : STORE_TENANT;
}

int sign_begin(struct call *c, const struct uuid *tenant)
{
	return call_begin(c, sign_side(c) == STORE_TENANT ? tenant : NULL);
}

int sign_account(struct call *c, struct uuid *tenant, char **name)
{
	json_t *row = NULL;
	int rc;

	*tenant = (struct uuid){ { 0 } };
	if (sign_side(c) == STORE_OPERATOR)
		return 0;
	rc = call_begin(c, NULL);
	if (rc == 0)
		rc = tenant_by_slug(c->db, call_text(c, "account"), tenant, &row);
	db_rollback(c->db);
	if (rc == 0 && name)
		*name = mem_strdup(json_string_value(json_object_get(row, "name")));
	json_decref(row);
	return rc == ERR_INVALID ? ERR_NOT_FOUND : rc;
}

/* The strings of the call belong to it from here on. */
static int take_session(struct call *c, const struct session *s, const struct guard_cookie *cookie)
{
	enum role role;
	int rc = role_parse(s->role, c->site == WEB_CENTRAL, &role);

	if (rc < 0)
		return err_wrap(ERR_INTERNAL, "session");
	c->tenant = cookie->tenant;
	c->user = s->user;
	c->session = s->id;
	snprintf(c->state->step, sizeof c->state->step, "%s", s->step);
	c->state->kept = s->kept;
	/* Half a sign-in may nothing. */
	c->role = *s->step ? ROLE_NONE : role;
	c->user_name = call_keep(c, s->user_name);
	c->user_email = call_keep(c, s->user_email);
	c->state->csrf = mem_strdup(s->csrf);
	c->date_format = date_format_names[date_format_of(s->dates)];
	/* Programs read days as they always are. */
	if (c->api)
		return 0;
	c->state->dates = date_format_of(s->dates);
	call_speak(c, *s->language ? s->language : c->state->language);
	return 0;
}

static void take_tenant(struct call *c, const json_t *tenant, const char *own)
{
	const char *zone = json_string_value(json_object_get(tenant, "time_zone"));
	const char *language = json_string_value(json_object_get(json_object_get(tenant, "settings"), "language"));

	c->tenant_slug = call_keep(c, json_string_value(json_object_get(tenant, "slug")));
	c->tenant_name = call_keep(c, json_string_value(json_object_get(tenant, "name")));
	c->tenant_state = call_keep(c, json_string_value(json_object_get(tenant, "state")));
	c->state->rate = json_integer_value(json_object_get(tenant, "rate"));
	if (zone)
		c->time_zone = call_keep(c, zone);
	/* Where the user chose none. */
	if (language && *own == '\0' && !c->api)
		call_speak(c, language);
}

static int find(struct call *c, const struct guard_cookie *cookie, struct session *s, json_t **tenant)
{
	uint8_t hash[TOKEN_HASH_SIZE];
	int rc;

	token_hash(cookie->token, hash);
	rc = session_find(c->db, sign_side(c), hash, c->state->web->idle, s);
	if (rc == 0 && c->site == WEB_CONSOLE)
		rc = tenant_self(c->db, tenant);
	if (rc == 0 && c->site == WEB_CONSOLE)
		rc = zone_find(c->db, json_string_value(json_object_get(*tenant, "time_zone")), c->now, &c->zone);
	return rc == ERR_NOT_FOUND ? err_set(ERR_UNAUTHENTICATED, "the session has ended") : rc;
}

int sign_load(struct call *c)
{
	struct guard_cookie cookie;
	struct session s = { .user_name = NULL };
	json_t *tenant = NULL;
	int rc = guard_cookie_read(c->site, c->request->cookie, &cookie);

	if (rc < 0)
		return rc;
	rc = sign_begin(c, &cookie.tenant);
	if (rc == 0)
		rc = find(c, &cookie, &s, &tenant);
	/* Only the note of when it was last seen is written here; without one there is nothing to commit. */
	if (rc == 0 && c->route && (c->route->flags & ROUTE_QUIET || c->request->hx))
		db_rollback(c->db);
	else
		rc = call_end(c, rc);
	if (rc == 0)
		rc = take_session(c, &s, &cookie);
	if (rc == 0 && tenant)
		take_tenant(c, tenant, s.language);
	session_release(&s);
	json_decref(tenant);
	secret_wipe(&cookie, sizeof cookie);
	return rc;
}

/* When a session of this site ends in any case. */
static int life_of(struct call *c, const char *step, clock_us *expires)
{
	struct sign_rules rules;
	clock_us life = c->state->web->absolute;
	int rc = *step ? 0 : sign_rules_get(c->db, sign_side(c), &rules);

	if (rc < 0)
		return rc;
	if (*step) {
		life = strcmp(step, SESSION_WALL) == 0 ? SIGN_WALL_LIFE : STEP_LIFE;
	} else {
		if (rules.hours && rules.hours * CLOCK_HOUR < life)
			life = rules.hours * CLOCK_HOUR;
		sign_rules_release(&rules);
	}
	*expires = c->now + life;
	return 0;
}

/* Of the cookie that came with the request, whatever it is worth; NULL: none. */
static const uint8_t *former_token(const struct call *c, uint8_t hash[static TOKEN_HASH_SIZE])
{
	struct guard_cookie cookie;

	if (guard_cookie_read(c->site, c->request->cookie, &cookie) < 0)
		return NULL;
	token_hash(cookie.token, hash);
	secret_wipe(&cookie, sizeof cookie);
	return hash;
}

static void take_csrf(struct call *c, const char *csrf)
{
	free(c->state->csrf);
	c->state->csrf = mem_strdup(csrf);
}

/* What a browser proves from now on that it is still the same. */
struct proof {
	struct guard_cookie cookie;
	char csrf[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
};

static void make_proof(const struct uuid *tenant, struct proof *p)
{
	p->cookie.tenant = *tenant;
	token_new(p->cookie.token);
	token_new(p->csrf);
	token_hash(p->cookie.token, p->hash);
}

static void give_proof(struct call *c, const struct proof *p, long max_age)
{
	char text[GUARD_COOKIE_SIZE];

	guard_cookie_text(&p->cookie, text);
	call_set_cookie(c, GUARD_SESSION_COOKIE, text, max_age, "Lax");
	take_csrf(c, p->csrf);
	secret_wipe(text, sizeof text);
}

int sign_start_step(struct call *c, const struct uuid *tenant, const struct uuid *user, const char *step)
{
	struct proof p;
	struct uuid id = uuid_new();
	uint8_t former[TOKEN_HASH_SIZE];
	struct session_start start = { .token = p.hash, .id = &id, .user = user, .csrf = p.csrf, .step = step, .address = c->address,
		.agent = c->request->user_agent, .former = former_token(c, former) };
	int rc = life_of(c, step, &start.expires);

	make_proof(tenant, &p);
	if (rc == 0)
		rc = session_create(c->db, sign_side(c), &start);
	if (rc == 0) {
		/* A display is switched off at night. */
		give_proof(c, &p, strcmp(step, SESSION_WALL) == 0 ? SIGN_WALL_LIFE / CLOCK_SECOND : 0);
		c->session = id;
		snprintf(c->state->step, sizeof c->state->step, "%s", step);
	}
	secret_wipe(&p, sizeof p);
	return rc;
}

int sign_start(struct call *c, const struct uuid *tenant, const struct uuid *user)
{
	return sign_start_step(c, tenant, user, "");
}

int sign_renew(struct call *c, int rc)
{
	struct proof p;

	make_proof(&c->tenant, &p);
	if (rc == 0)
		rc = session_rotate(c->db, sign_side(c), &c->session, p.hash, p.csrf);
	rc = call_end(c, rc);
	if (rc == 0)
		give_proof(c, &p, 0);
	secret_wipe(&p, sizeof p);
	return rc;
}

const char *sign_csrf(const struct call *c)
{
	return c->state->csrf ? c->state->csrf : "";
}

const char *sign_awaits(const struct call *c)
{
	return c->state->step;
}

int sign_count(struct call *c)
{
	return rate_take(c->state->web->sign_ins, c->address, clock_ticks());
}

void sign_forgive(struct call *c)
{
	rate_give(c->state->web->sign_ins, c->address, clock_ticks());
}

void sign_forget(struct call *c)
{
	call_set_cookie(c, GUARD_SESSION_COOKIE, "", -1, "Lax");
	free(c->state->csrf);
	c->state->csrf = NULL;
}

int sign_verify(const char *hash, const char *password)
{
	int rc = gate_enter();

	if (rc < 0)
		return rc;
	rc = password_verify(hash, password);
	gate_leave();
	return rc;
}

int sign_new_password(struct call *c, const char *name, const char *email, char hash[static PASSWORD_HASH_SIZE])
{
	const char *password = call_text(c, "password");
	int rc = password_check_own(password, name, email);

	if (rc < 0)
		return call_field_error(c, "password", err_text());
	if (strcmp(password, call_text(c, "repeat")) != 0)
		return call_field_error(c, "repeat", "The two passwords are not the same.");
	rc = gate_enter();
	if (rc < 0)
		return rc;
	rc = password_hash(password, hash);
	gate_leave();
	return rc;
}
