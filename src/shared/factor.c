/* factor.c - one's own second factor (IDN-5): set up with a QR code and a first code, recovery codes, removal. Its secret is shown until the
 * first code is typed, never after. */
#include "shared/factor.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "identity/totp.h"
#include "shared/letter.h"
#include "shared/qr.h"
#include "shared/sign_pages.h"
#include "shared/sign_step.h"
#include "store/factor.h"
#include "store/session.h"
#include "store/sign_rules.h"
#include "web/brand.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/vault.h"

const struct route_param factor_both_fields[] = {
	{ "current", "Present password", PARAM_PASSWORD, 0, 0, 0, NULL },
	SIGN_CODE_FIELD,
	PARAM_END
};

const struct route_param factor_code_fields[] = {
	{ "code", "Code", PARAM_TEXT, PARAM_REQUIRED, 1, 40, NULL },
	PARAM_END
};

static struct user self_of(const struct call *c)
{
	/* Only read by those who get it. */
	return (struct user){ .id = c->user, .email = (char *)(uintptr_t)c->user_email, .name = (char *)(uintptr_t)c->user_name };
}

/* Under the tenant's key, or for operators under the root key; in both cases it opens for USER alone. */

int factor_open(struct call *c, const struct uuid *user, const struct buf *blob, struct secret **out)
{
	char purpose[FACTOR_PURPOSE_SIZE];

	if (!uuid_is_nil(&c->tenant))
		return vault_reveal_of(c, FACTOR_PURPOSE, user, blob, out);
	factor_system_purpose(user, purpose);
	return keys_system_reveal(c->keys, &c->id, purpose, wire_view_of(blob), out);
}

static int protect(struct call *c, const struct uuid *user, const struct secret *secret, struct buf *blob)
{
	char purpose[FACTOR_PURPOSE_SIZE];

	if (!uuid_is_nil(&c->tenant))
		return vault_protect_of(c, FACTOR_PURPOSE, user, secret, blob);
	factor_system_purpose(user, purpose);
	return keys_system_protect(c->keys, &c->id, purpose, secret, blob);
}

int factor_prepare(struct call *c, const struct uuid *user)
{
	struct secret *secret = totp_secret_new();
	struct buf blob = BUF_INIT;
	int rc = protect(c, user, secret, &blob);

	if (rc == 0)
		rc = factor_begin(c->db, sign_side(c), user, wire_view_of(&blob));
	secret_free(secret);
	buf_free(&blob);
	return rc;
}

/* Whether the caller's role must have one. */
static int is_required(struct call *c)
{
	struct sign_rules rules;
	int rc = sign_rules_get(c->db, sign_side(c), &rules);

	if (rc < 0)
		return rc;
	rc = sign_rules_factor(&rules, role_name(c->role));
	sign_rules_release(&rules);
	return rc;
}

int factor_page(struct call *c)
{
	json_t *factor = NULL;
	int rc = factor_show(c->db, sign_side(c), &c->user, &factor), required = rc < 0 ? rc : is_required(c);

	if (required < 0) {
		json_decref(factor);
		return required;
	}
	if (!json_is_null(factor))
		json_object_set_new(factor, "since", doc_when(c, factor, "since"));
	call_set(c, "required", json_boolean(required));
	call_set(c, "factor", factor);
	return sign_confirm_ask(c);
}

/* Setting it up */

int factor_new(struct call *c)
{
	int rc = sign_confirm(c);

	if (rc == 0)
		rc = sign_begin(c, &c->tenant);
	if (rc == 0)
		rc = call_end(c, factor_prepare(c, &c->user));
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "You have a second factor already. Remove it first.");
	if (rc < 0)
		return rc;
	call_redirect(c, "/factor/new");
	return 0;
}

/* What the app shows beside the codes. */
static char *issuer_of(const struct call *c)
{
	struct brand_look look;

	brand_look(&look);
	return mem_printf("%s %s", look.is.name, c->tenant_name ? c->tenant_name : "CMC");
}

static int show_secret(struct call *c, const struct secret *secret)
{
	char text[TOTP_TEXT_SIZE], *issuer = issuer_of(c);
	struct secret *address = NULL;
	json_t *qr = NULL;
	int rc = totp_text(secret, text);

	if (rc == 0)
		rc = totp_address(secret, issuer, c->user_email, &address);
	if (rc == 0)
		rc = qr_svg((const char *)address->data, call_translate(c, "QR code of the secret. It can be typed instead: it stands below."), &qr);
	if (rc == 0) {
		struct buf groups = BUF_INIT;

		for (size_t i = 0; text[i]; i++)
			buf_printf(&groups, "%s%c", i && i % 4 == 0 ? " " : "", text[i]);
		call_set(c, "setup", json_pack("{s:o, s:s, s:s, s:s}", "qr", qr, "secret", buf_str(&groups), "issuer", issuer, "account",
			c->user_email));
		secret_wipe(groups.data, groups.len);
		buf_free(&groups);
	}
	secret_wipe(text, sizeof text);
	secret_free(address);
	free(issuer);
	return rc;
}

int factor_new_page(struct call *c)
{
	struct factor f = { .last_step = 0 };
	struct secret *secret = NULL;
	int rc = factor_get(c->db, sign_side(c), &c->user, &f);

	call_set(c, "enrol", json_boolean(*sign_awaits(c)));
	if (rc == ERR_NOT_FOUND || f.confirmed) {
		call_redirect(c, *sign_awaits(c) ? "/sign-in" : "/factor");
		rc = 0;
	} else if (rc == 0) {
		rc = factor_open(c, &c->user, &f.secret, &secret);
		if (rc == 0)
			rc = show_secret(c, secret);
		call_form(c, "code", json_string(""));
	}
	secret_free(secret);
	factor_release(&f);
	return rc;
}

/* Recovery codes, made and shown this once, in the open transaction. */
static int make_codes(struct call *c, const struct user *u, int anew)
{
	uint8_t hashes[FACTOR_CODES][FACTOR_CODE_HASH];
	char code[TOKEN_CODE_SIZE];
	json_t *codes = json_array();

	for (int i = 0; i < FACTOR_CODES; i++) {
		token_code(code);
		totp_recovery_hash(code, hashes[i]);
		json_array_append_new(codes, json_string(code));
	}
	secret_wipe(code, sizeof code);
	call_set(c, "codes", codes);
	call_set(c, "email", json_string(c->user_email));
	return factor_codes_set(c->db, sign_side(c), u, (const uint8_t (*)[FACTOR_CODE_HASH])hashes, anew);
}

static int confirmed(struct call *c, const struct user *u)
{
	int rc = sign_begin(c, &c->tenant);

	/* Whoever has begun to sign in before there was a factor is waited for, and out too. */
	if (rc == 0)
		rc = user_hold(c->db, sign_side(c), u);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(ERR_UNAUTHENTICATED, "the user was changed meanwhile");
	if (rc == 0)
		rc = make_codes(c, u, 0);
	/* Who had the password alone is out. */
	if (rc == 0)
		rc = session_revoke_others(c->db, sign_side(c), &c->user, &c->session);
	if (rc == 0)
		rc = letter_send(c, LETTER_FACTOR_ADDED, u, c->tenant_name, NULL);
	return call_end(c, rc);
}

int factor_confirm(struct call *c)
{
	struct user self = { .email = NULL };
	const char *how = "";
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = user_by_id(c->db, sign_side(c), &c->user, &self);
	if (rc == 0) {
		rc = factor_has(c->db, sign_side(c), &c->user);
		rc = rc > 0 ? call_refuse(c, ERR_CONFLICT, "You have a second factor already.") : rc;
	}
	db_rollback(c->db);
	if (rc == 0)
		rc = sign_code_check(c, call_text(c, "code"), &how);
	if (rc == 0)
		rc = call_field_error(c, "code", "This is not the app's present code. Check that its clock is right, or scan the QR code again.");
	if (rc > 0)
		rc = confirmed(c, &self);
	if (rc == 0 && *sign_awaits(c))
		rc = sign_complete(c, &self, "totp");
	user_release(&self);
	return rc;
}

int factor_codes(struct call *c)
{
	struct user u = self_of(c);
	int rc = sign_confirm(c), has = 0;

	if (rc == 0)
		rc = sign_begin(c, &c->tenant);
	if (rc == 0)
		rc = has = factor_has(c->db, sign_side(c), &c->user);
	if (rc >= 0 && db_is_open(c->db))
		rc = call_end(c, has ? make_codes(c, &u, 1) : call_refuse(c, ERR_CONFLICT, "You have no second factor."));
	return rc;
}

int factor_drop(struct call *c)
{
	struct user u = self_of(c);
	int rc = sign_confirm(c);

	if (rc == 0)
		rc = sign_begin(c, &c->tenant);
	if (rc == 0)
		rc = is_required(c);
	if (rc > 0)
		rc = call_refuse(c, ERR_CONFLICT, "Your role must have a second factor. Have an administrator remove it if you need another one.");
	if (rc == 0)
		rc = factor_remove(c->db, sign_side(c), &u);
	if (rc == 0)
		rc = letter_send(c, LETTER_FACTOR_REMOVED, &u, c->tenant_name, NULL);
	if (db_is_open(c->db))
		rc = call_end(c, rc);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "You have no second factor.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The second factor is removed.");
	call_redirect(c, "/factor");
	return 0;
}
