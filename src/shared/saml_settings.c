/* saml_settings.c - the page Single Sign-On of both consoles: our side's addresses, the identity provider's metadata, what its statements
 * mean here, and a trial that shows it. Our own keys are saml_key.c's. Metadata are believed only when somebody has seen what they change. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/arrival.h"
#include "shared/saml.h"
#include "sso/client.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"

#define METADATA_MAX 90000
#define URL_MAX 1000
#define CA_MAX 30000
#define SKEW_MOST 300
#define PERSISTENT "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
#define MAIL_FORMAT "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"

static const char *const modes[] = { "off", "optional", "required", NULL };
static const char *const formats[] = { "", PERSISTENT, MAIL_FORMAT, NULL };

const struct route_param saml_fields[] = {
	{ "mode", "Single sign-on", PARAM_ENUM, PARAM_REQUIRED, 0, 0, modes },
	{ "break_glass", "Local administrator", PARAM_UUID, 0, 0, 0, NULL },
	{ "format", "Name identifier", PARAM_TEXT, 0, 0, 100, NULL },
	{ "subject", "Attribute that identifies people", PARAM_TEXT, 0, 0, 200, NULL },
	{ "name", "Attribute with the name", PARAM_TEXT, 0, 0, 200, NULL },
	{ "mail", "Attribute with the e-mail address", PARAM_TEXT, 0, 0, 200, NULL },
	{ "role", "Attribute with groups or roles", PARAM_TEXT, 0, 0, 200, NULL },
	{ "roles", "Roles", PARAM_LINES, 0, 0, 8000, NULL },
	{ "otherwise", "Role of everybody else", PARAM_TEXT, 0, 0, 60, NULL },
	{ "create", "Make users at their first sign-in", PARAM_BOOL, 0, 0, 0, NULL },
	{ "skew", "Clocks may differ by", PARAM_INT, PARAM_REQUIRED, 0, SKEW_MOST, NULL },
	PARAM_END
};

const struct route_param saml_import_fields[] = {
	{ "metadata", "Metadata", PARAM_LINES, PARAM_REQUIRED, 1, METADATA_MAX, NULL },
	PARAM_END
};

const struct route_param saml_fetch_fields[] = {
	{ "url", "Address", PARAM_TEXT, PARAM_REQUIRED, 9, URL_MAX, NULL },
	{ "ca", "Trusted certificates", PARAM_CERTIFICATES, 0, 0, CA_MAX, NULL },
	PARAM_END
};

const struct route_param saml_accept_fields[] = {
	{ "digest", NULL, PARAM_TEXT, PARAM_REQUIRED, 64, 64, NULL },
	PARAM_END
};

static int is_operator(const struct call *c)
{
	return c->site == WEB_CENTRAL;
}

/* The roles of this side: each name to EACH. */
static void each_role(const struct call *c, void (*each)(struct call *c, enum role r, void *ctx), void *ctx)
{
	for (int r = ROLE_NONE + 1; r < ROLE_COUNT; r++)
		if (role_is_operator((enum role)r) == is_operator(c))
			each((struct call *)(uintptr_t)c, (enum role)r, ctx);
}

/* Page */

static const char *text_or(const json_t *o, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : otherwise;
}

static json_t *certificates_of(const struct call *c, const json_t *idp)
{
	json_t *out = json_array(), *row;
	size_t i;

	json_array_foreach(json_object_get(idp, "certificates"), i, row) {
		clock_us until = 0;
		int known = clock_parse(doc_text(row, "not_after"), &until) == 0;

		json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:o, s:o}", "subject", doc_text(row, "subject"), "sha256", doc_text(row, "sha256"),
			"until", known ? call_when(c, until) : json_null(), "expired", json_boolean(known && until < c->now), "soon",
			json_boolean(known && until >= c->now && until - c->now < SAML_ENDS_SOON)));
	}
	return out;
}

static json_t *show_provider(const struct call *c, const json_t *idp)
{
	if (!json_is_object(idp))
		return json_null();
	return json_pack("{s:s, s:s, s:s?, s:b, s:o}", "entity", doc_text(idp, "entity"), "sso_url", doc_text(idp, "sso_url"), "slo_url",
		doc_optional(idp, "slo_url"), "slo_post", json_is_true(json_object_get(idp, "slo_post")), "certificates", certificates_of(c, idp));
}

static char *prints_of(const json_t *idp)
{
	struct buf out = BUF_INIT;
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(idp, "certificates"), i, row)
		buf_printf(&out, "%s%s", i ? ", " : "", doc_text(row, "sha256"));
	return out.len ? buf_take(&out) : mem_strdup("");
}

/* A row of what would change; WARNING where less is protected afterwards, or somebody else is believed. */
static void add_change(const struct call *c, json_t *rows, const char *label, const char *old, const char *now, const char *warning)
{
	if (strcmp(old, now) != 0)
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s?}", "label", call_translate(c, label), "old", *old ? old : "–", "new",
			*now ? now : "–", "warning", *old && warning ? call_translate(c, warning) : NULL));
}

/* Where it was fetched, and when. */
static json_t *show_source(const struct call *c, const json_t *source)
{
	return json_is_object(source) ? json_pack("{s:s, s:o}", "url", doc_text(source, "url"), "at", doc_when(c, source, "fetched")) : json_null();
}

static json_t *show_proposal(const struct call *c, const json_t *row)
{
	const json_t *idp = json_object_get(row, "idp"), *proposed = json_object_get(row, "proposed");
	json_t *rows, *out;
	char *old, *now, *digest;

	if (!json_is_object(proposed))
		return json_null();
	rows = json_array();
	add_change(c, rows, "Identity provider", doc_text(idp, "entity"), doc_text(proposed, "entity"),
		"Another identity provider: users who are known by the former one are not known by this one.");
	add_change(c, rows, "Sign-in address", doc_text(idp, "sso_url"), doc_text(proposed, "sso_url"), NULL);
	add_change(c, rows, "Sign-out address", doc_text(idp, "slo_url"), doc_text(proposed, "slo_url"),
		doc_optional(proposed, "slo_url") ? NULL : "Signing out here will not sign out there any more.");
	old = prints_of(idp);
	now = prints_of(proposed);
	add_change(c, rows, "Certificates (SHA-256)", old, now, "Whoever has the key of a new certificate can sign anybody in. Compare it with what the "
		"identity provider shows.");
	add_change(c, rows, "Address of the metadata", doc_text(json_object_get(row, "source"), "url"),
		doc_text(json_object_get(row, "proposed_source"), "url"), NULL);
	digest = saml_digest(proposed);
	out = json_pack("{s:s, s:b, s:o, s:b, s:o}", "digest", digest, "is_new", !json_is_object(idp), "has_changes", json_boolean(json_array_size(rows)),
		"same", json_array_size(rows) == 0, "changes", rows);
	free(old);
	free(now);
	free(digest);
	return out;
}

static json_t *attributes_of(const json_t *said)
{
	json_t *out = json_array(), *values, *value;
	const json_t *friendly = json_object_get(said, "friendly");
	const char *name;
	size_t i;

	json_object_foreach(json_object_get(said, "attributes"), name, values) {
		struct buf text = BUF_INIT;

		json_array_foreach(values, i, value)
			buf_printf(&text, "%s%s", i ? ", " : "", json_string_value(value));
		json_array_append_new(out, json_pack("{s:s, s:s?, s:s}", "name", name, "friendly", doc_optional(friendly, name), "values", buf_str(&text)));
		buf_free(&text);
	}
	return out;
}

static json_t *show_test(const struct call *c, const json_t *row)
{
	const json_t *test = json_object_get(row, "test"), *said = json_object_get(test, "said");
	json_t *at = doc_when(c, row, "tested");
	enum role role;

	if (!json_is_object(test)) {
		json_decref(at);
		return json_null();
	}
	if (doc_optional(test, "refused"))
		return json_pack("{s:o, s:o, s:o, s:n, s:n}", "at", at, "refused", doc_reason(c, doc_text(test, "refused")), "text", doc_reason(c, doc_text(test, "text")), "said",
			"gives");
	return json_pack("{s:o, s:n, s:n, s:{s:s, s:s, s:s, s:b, s:o}, s:{s:o, s:s, s:s, s:s, s:s?, s:s?, s:s?}}", "at", at, "refused", "text",
		"said", "issuer", doc_text(said, "issuer"), "name_id", doc_text(said, "name_id"), "format", doc_text(said, "format"), "encrypted",
		json_is_true(json_object_get(said, "encrypted")), "attributes", attributes_of(said), "gives", "problem", doc_reason(c, doc_text(test, "problem")),
		"subject", doc_text(test, "subject"), "name", doc_text(test, "name"), "mail", doc_text(test, "mail"), "role",
		role_parse(doc_text(test, "role"), is_operator(c), &role) == 0 ? call_translate(c, role_label(role)) : NULL, "value",
		doc_optional(test, "value"), "user", doc_optional(test, "user"));
}

static void offer_otherwise(struct call *c, enum role r, void *ctx)
{
	call_form_option(c, "otherwise", role_name(r), call_translate(c, role_label(r)), NULL, strcmp(ctx, role_name(r)) == 0);
}

static void add_role_name(struct call *c, enum role r, void *ctx)
{
	json_array_append_new(ctx, json_pack("{s:s, s:s}", "name", role_name(r), "label", call_translate(c, role_label(r))));
}

static char *lines_of(const json_t *roles)
{
	struct buf out = BUF_INIT;
	json_t *row;
	size_t i;

	json_array_foreach(roles, i, row)
		buf_printf(&out, "%s = %s\n", doc_text(row, "value"), doc_text(row, "role"));
	return out.len ? buf_take(&out) : mem_strdup("");
}

static int offer_break_glass(struct call *c, const struct saml_side *s)
{
	const char *chosen = text_or(s->row, "break_glass", "");
	json_t *rows = NULL, *row;
	size_t i;
	int rc = saml_administrators(c->db, s->side, &rows);

	call_form(c, "break_glass", json_string(chosen));
	call_form_option(c, "break_glass", "", call_translate(c, "Nobody"), NULL, *chosen == '\0');
	json_array_foreach(rows, i, row) {
		char *text = mem_printf("%s (%s)", doc_text(row, "name"), doc_text(row, "email"));

		call_form_option(c, "break_glass", doc_text(row, "id"), text, NULL, strcmp(chosen, doc_text(row, "id")) == 0);
		free(text);
	}
	json_decref(rows);
	return rc;
}

/* What was fetched last, confirmed or not. */
static const json_t *source_of(const struct saml_side *s)
{
	const json_t *proposed = json_object_get(s->row, "proposed_source");

	return json_is_object(proposed) ? proposed : json_object_get(s->row, "source");
}

static int set_form(struct call *c, const struct saml_side *s)
{
	static const char *const texts[] = { "subject", "name", "mail", "role" };
	static const struct { const char *name, *label, *hint; } offers[] = {
		{ "off", "Off", "People sign in with passwords of this console alone." },
		{ "optional", "Beside passwords", "People choose at the sign-in page." },
		{ "required", "In place of passwords", "Passwords of this console count no more, but for the one local administrator below." },
	};
	const json_t *settings = json_object_get(s->row, "settings");
	const char *mode = text_or(s->row, "mode", "off"), *format = text_or(settings, "format", PERSISTENT);
	json_t *create = json_object_get(settings, "create"), *names = json_array();
	char *lines = lines_of(json_object_get(settings, "roles"));

	call_form(c, "mode", json_string(mode));
	for (size_t i = 0; i < ARRAY_LEN(offers); i++)
		call_form_option(c, "mode", offers[i].name, call_translate(c, offers[i].label), call_translate(c, offers[i].hint),
			strcmp(mode, offers[i].name) == 0);
	call_form(c, "format", json_string(format));
	call_form_option(c, "format", PERSISTENT, call_translate(c, "Persistent"), NULL, strcmp(format, PERSISTENT) == 0);
	call_form_option(c, "format", MAIL_FORMAT, call_translate(c, "E-mail address"), NULL, strcmp(format, MAIL_FORMAT) == 0);
	call_form_option(c, "format", "", call_translate(c, "What the identity provider likes"), NULL, *format == '\0');
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		call_form(c, texts[i], json_string(text_or(settings, texts[i], "")));
	call_form(c, "roles", json_string(lines));
	call_form(c, "otherwise", json_string(text_or(settings, "otherwise", "")));
	call_form_option(c, "otherwise", "", call_translate(c, "None: they cannot sign in"), NULL, *text_or(settings, "otherwise", "") == '\0');
	each_role(c, offer_otherwise, (void *)(uintptr_t)text_or(settings, "otherwise", ""));
	call_form(c, "create", json_boolean(create == NULL || json_is_true(create)));
	call_form(c, "skew", json_integer(json_object_get(settings, "skew") ? json_integer_value(json_object_get(settings, "skew")) : ARRIVAL_SKEW));
	call_form(c, "metadata", json_string(""));
	call_form(c, "url", json_string(doc_text(source_of(s), "url")));
	call_form(c, "ca", json_string(doc_text(source_of(s), "ca")));
	each_role(c, add_role_name, names);
	call_set(c, "role_names", names);
	free(lines);
	return offer_break_glass(c, s);
}

static json_t *show_state(const struct call *c, const struct saml_side *s)
{
	if (!saml_side_ready(s))
		return doc_badge(c, "Not set up", "gray");
	if (saml_side_is(s, "off"))
		return doc_badge(c, "Off", "gray");
	return saml_side_is(s, "required") ? doc_badge(c, "In place of passwords", "green") : doc_badge(c, "Beside passwords", "green");
}

int saml_page(struct call *c)
{
	struct saml_side s = { .row = NULL };
	int edit = call_may(c, is_operator(c) ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT), rc = saml_side_load(c, &c->tenant, &s);
	const json_t *idp;

	if (rc < 0)
		return rc;
	idp = json_object_get(s.row, "idp");
	call_set(c, "state", show_state(c, &s));
	call_set(c, "begun", json_boolean(json_is_string(json_object_get(s.row, "certificate"))));
	call_set(c, "ready", json_boolean(saml_side_ready(&s)));
	call_set(c, "sp", json_pack("{s:s, s:s, s:s}", "entity", s.entity, "acs_url", s.acs_url, "slo_url", s.slo_url));
	call_set(c, "provider", show_provider(c, idp));
	call_set(c, "source", show_source(c, json_object_get(s.row, "source")));
	call_set(c, "proposal", show_proposal(c, s.row));
	call_set(c, "test", edit ? show_test(c, s.row) : json_null());
	call_set(c, "can", json_pack("{s:b}", "edit", edit));
	rc = saml_key_show(c, &s);
	if (rc == 0)
		rc = set_form(c, &s);
	saml_side_release(&s);
	return rc;
}

/* Metadata */

/* Proposed, or nothing to propose: 1. */
static int keep_import(struct call *c, enum store_side side, const json_t *idp, const json_t *source)
{
	json_t *row = NULL;
	int rc = saml_get(c->db, side, &row), same;

	if (rc < 0)
		return rc;
	same = source && json_equal(json_object_get(row, "idp"), idp)
		&& strcmp(doc_text(json_object_get(row, "source"), "url"), doc_text(source, "url")) == 0;
	rc = same ? saml_fetched(c->db, side, source) : saml_propose(c->db, side, idp, source);
	json_decref(row);
	return rc < 0 ? rc : same;
}

/* FIELD has what was read from; SOURCE as store/saml.h has it, NULL for a file. */
static int take_import(struct call *c, const char *field, const json_t *source)
{
	json_t *answer = NULL;
	int rc = call_answer(c, &answer);
	char *text = NULL;

	if (rc == 0 && doc_optional(answer, "refused"))
		text = mem_strdup(doc_text(answer, "text"));
	else if (source && rc == ERR_TIMEOUT)
		text = mem_strdup(err_text());
	if (text)
		rc = call_field_error(c, field, text);
	if (rc == 0)
		rc = keep_import(c, sign_side(c), json_object_get(answer, "idp"), source);
	free(text);
	json_decref(answer);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Begin with this side first.");
	if (rc < 0)
		return rc;
	call_notice(c, rc ? "success" : "info", rc ? "Fetched: the metadata say what is in force already." :
		"The metadata are read. Nothing is changed until you confirm it below.");
	call_redirect(c, "/single-sign-on");
	return 0;
}

int saml_fetch(struct call *c)
{
	struct buf question = BUF_INIT;
	char at[CLOCK_TEXT_SIZE];
	json_t *source;
	int rc;

	if (call_has_answer(c)) {
		clock_text(c->now, at);
		source = json_pack("{s:s, s:s, s:s}", "url", call_text(c, "url"), "ca", call_text(c, "ca"), "fetched", at);
		rc = take_import(c, "url", source);
		json_decref(source);
		return rc;
	}
	sso_begin(&question, SSO_saml_fetch, &c->id, is_operator(c) ? NULL : &c->tenant);
	wire_put_string(&question, call_text(c, "url"));
	wire_put_string(&question, call_text(c, "ca"));
	return call_ask(c, &question);
}

int saml_import(struct call *c)
{
	struct buf question = BUF_INIT;

	if (call_has_answer(c))
		return take_import(c, "metadata", NULL);
	sso_begin(&question, SSO_saml_metadata, &c->id, is_operator(c) ? NULL : &c->tenant);
	wire_put_string(&question, call_text(c, "metadata"));
	return call_ask(c, &question);
}

int saml_accept(struct call *c)
{
	int rc = saml_confirm(c->db, sign_side(c), call_text(c, "digest"));

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Something else was imported meanwhile. Look at it again.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The identity provider is trusted from now on. Try a sign-in before you switch it on.");
	call_redirect(c, "/single-sign-on");
	return 0;
}

int saml_discard(struct call *c)
{
	int rc = saml_propose(c->db, sign_side(c), NULL, NULL);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	call_redirect(c, "/single-sign-on");
	return 0;
}

/* Settings */

static json_t *wrong_line(struct call *c, const char *line, size_t len, const char *why)
{
	char *text = mem_printf("%.*s: %s", (int)(len > 80 ? 80 : len), line, call_translate(c, why));

	call_field_error(c, "roles", text);
	free(text);
	return NULL;
}

/* "value = role" to {value, role}; the last '=' parts them. */
static json_t *read_rule(struct call *c, const char *line, size_t len)
{
	const char *at = memrchr(line, '=', len);
	size_t value = at ? (size_t)(at - line) : 0, name, skip;
	json_t *rule;
	char *role_text;
	enum role role;

	while (value && strchr(" \t", line[value - 1]))
		value--;
	if (value == 0)
		return wrong_line(c, line, len, "write value = role");
	at++;
	skip = strspn(at, " \t");
	name = strcspn(at + skip, " \t\r\n");
	role_text = mem_printf("%.*s", (int)name, at + skip);
	rule = role_parse(role_text, is_operator(c), &role) < 0 ? NULL :
		json_pack("{s:s%, s:s}", "value", line, value, "role", role_text);
	free(role_text);
	return rule ? rule : wrong_line(c, line, len, "there is no such role");
}

static int read_rules(struct call *c, json_t *out)
{
	const char *s = call_text(c, "roles");

	while (*s) {
		size_t len = strcspn(s, "\n"), blank = strspn(s, " \t\r");
		json_t *rule = blank >= len ? NULL : read_rule(c, s + blank, len - blank - (s[len - 1] == '\r'));

		if (blank < len && rule == NULL)
			return ERR_INVALID;
		if (rule)
			json_array_append_new(out, rule);
		s += len + (s[len] == '\n');
	}
	if (json_array_size(out) > ARRIVAL_ROLES_MAX)
		return call_field_error(c, "roles", "At most 50 lines.");
	return json_array_size(out) && !call_has(c, "role") ?
		call_field_error(c, "role", "Without an attribute nobody gets one of the roles below.") : 0;
}

static int read_settings(struct call *c, json_t *out)
{
	static const char *const texts[] = { "subject", "name", "mail", "role", "otherwise", "format" };
	json_t *rules = json_array();
	enum role role;
	int known = 0, rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		json_set_string(out, texts[i], call_text(c, texts[i]));
	json_set_bool(out, "create", call_bool(c, "create"));
	json_set_int(out, "skew", call_int(c, "skew", ARRIVAL_SKEW));
	json_object_set_new(out, "roles", rules);
	for (size_t i = 0; formats[i]; i++)
		known |= strcmp(formats[i], call_text(c, "format")) == 0;
	if (!known)
		rc = call_field_error(c, "format", "Choose one of these.");
	if (call_has(c, "otherwise") && role_parse(call_text(c, "otherwise"), is_operator(c), &role) < 0)
		rc = call_field_error(c, "otherwise", "Choose one of these.");
	return read_rules(c, rules) < 0 ? ERR_INVALID : rc;
}

int saml_save(struct call *c)
{
	json_t *settings = json_object();
	struct uuid glass = call_uuid(c, "break_glass");
	int rc = read_settings(c, settings);

	if (rc == 0)
		rc = saml_set(c->db, sign_side(c), call_text(c, "mode"), settings, uuid_is_nil(&glass) ? NULL : &glass);
	json_decref(settings);
	if (rc == ERR_CONFLICT && strcmp(call_text(c, "mode"), "off") != 0 && strstr(err_text(), "provider"))
		return call_field_error(c, "mode", "There is no identity provider yet: import and confirm its metadata first.");
	if (rc == ERR_CONFLICT)
		return call_field_error(c, "break_glass", "Choose an active local administrator with a password: otherwise nobody could get in when the "
			"identity provider fails.");
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Begin with this side first.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Single sign-on is saved.");
	call_redirect(c, "/single-sign-on");
	return 0;
}
