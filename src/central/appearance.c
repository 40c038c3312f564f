/* appearance.c - the page Appearance (WEB-4): the operator's name, addresses, colour and logo in the place of Keyward's, and what tenants' users
 * will see of them. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/word.h"
#include "central/colour.h"
#include "central/logo.h"
#include "central/pages.h"
#include "store/brand.h"
#include "web/brand.h"
#include "web/doc.h"
#include "web/param.h"

#define HTTPS "https://"
#define KEYWARDS_COLOUR "#3f57d6"        /* of assets/css */

const struct route_param appearance_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, BRAND_NAME_MAX, NULL },
	{ "support", "Address for support", PARAM_TEXT, 0, 0, BRAND_ADDRESS_MAX, NULL },
	{ "agent_package", "Address of the agent's package", PARAM_TEXT, 0, 0, BRAND_ADDRESS_MAX, NULL },
	{ "colour", "Colour", PARAM_TEXT, PARAM_REQUIRED, 0, COLOUR_SIZE - 1, NULL },
	{ "logo", "Logo", PARAM_LINES, 0, 0, LOGO_TEXT_MAX, NULL },
	{ "no_logo", "Without a logo", PARAM_BOOL, 0, 0, 0, NULL },
	{ "basis", NULL, PARAM_TEXT, 0, 0, 40, NULL },
	PARAM_END
};

/* What a form of LAST was drawn from. */
static const char *basis_of(const json_t *last)
{
	return json_is_null(last) ? "none" : doc_text(last, "changed");
}

static int show_last(struct call *c)
{
	json_t *row = NULL;
	int rc = brand_last(c->db, &row);

	if (rc < 0)
		return rc;
	call_set(c, "basis", json_string(basis_of(row)));
	call_set(c, "last", json_is_null(row) ? json_null() : json_pack("{s:o, s:o}", "at", doc_when(c, row, "changed"), "by",
		json_incref(json_object_get(row, "changed_by"))));
	json_decref(row);
	return 0;
}

int appearance_page(struct call *c)
{
	struct brand_look look;
	const char *colour = look.is.colour;
	/* Who has just saved sees it at once. */
	int rc = brand_see(c);

	if (rc < 0)
		return rc;
	brand_look(&look);
	if (*colour == '\0')
		colour = KEYWARDS_COLOUR;
	call_form(c, "name", json_string(look.is.name));
	call_form(c, "support", json_string(look.is.support));
	call_form(c, "agent_package", json_string(look.is.package));
	call_form(c, "colour", json_string(colour));
	call_form(c, "logo", json_string(""));
	call_form(c, "no_logo", json_false());
	call_set(c, "saved", json_pack("{s:s}", "colour", colour));
	call_set(c, "has_logo", json_boolean(*look.is.logo));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_SYSTEM_EDIT)));
	return show_last(c);
}

static int check_name(struct call *c, const char *name)
{
	size_t len;

	return word_unseen(name, &len) ? call_field_error(c, "name", "There is a character in it that cannot be seen. Type the name anew.") : 0;
}

/* https://host[:port][/...], of what stands in an address as it is. */
static int is_https(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	const char *rest = text;

	if (strncmp(text, HTTPS, strlen(HTTPS)) != 0)
		return 0;
	rest += strlen(HTTPS);
	if (*rest == '\0' || strchr(letters, *rest) == NULL)
		return 0;
	while (*rest && (strchr(letters, *rest) || *rest == '.' || *rest == '-'))
		rest++;
	if (*rest == ':')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (*rest && strchr("/?#", *rest) == NULL)
		return 0;
	for (; *rest; rest++)
		if (*rest <= ' ' || *rest > '~' || strchr("\"<>\\^`{|}", *rest))
			return 0;
	return 1;
}

static int is_mailto(const char *text)
{
	return strncmp(text, "mailto:", 7) == 0 && param_email_fault(text + 7) == NULL && text[strcspn(text, "?&%#\"<>")] == '\0';
}

static int check_support(struct call *c, const char *support)
{
	if (*support == '\0' || is_https(support) || is_mailto(support))
		return 0;
	return call_field_error(c, "support", "An address such as https://support.example.net/ or mailto:help@example.net.");
}

/* It goes into a command for a shell, between single quotes. */
static int check_package(struct call *c, const char *package)
{
	if (*package == '\0' || (is_https(package) && strchr(package, '\'') == NULL))
		return 0;
	return call_field_error(c, "agent_package", "An address such as https://downloads.example.net/keyward-agent.deb.");
}

/* White text stands on it. COLOUR is written in small letters; Keyward's own is none. */
static int check_colour(struct call *c, char colour[static BRAND_COLOUR_SIZE])
{
	char shade[COLOUR_SIZE], contrast[16];
	unsigned typed;
	json_t *said;

	if (colour_parse(call_text(c, "colour"), &typed) < 0)
		return call_field_error(c, "colour", "A colour such as #2f6f4f: # and six digits, 0 to 9 and a to f.");
	colour_text(typed, colour);
	if (strcmp(colour, KEYWARDS_COLOUR) == 0)
		*colour = '\0';
	if (colour_is_danger(typed))
		return call_field_error(c, "colour", "It is so like the red of buttons that destroy something that one would be taken for the other. Take another hue, or a much "
			"darker shade.");
	if (colour_contrast(typed) >= COLOUR_LEGIBLE)
		return 0;
	/* Downwards: 4.49 is not called 4.5. */
	snprintf(contrast, sizeof contrast, "%.2f", (double)(int)(colour_contrast(typed) * 100) / 100);
	colour_text(colour_legible(typed), shade);
	said = call_say(c, "White text on it has a contrast of %{contrast} to 1 and needs 4.5 to 1. The nearest darker shade that will do is %{shade}.",
		CALL_VALUES({ "contrast", contrast }, { "shade", shade }));
	call_field_error(c, "colour", json_string_value(said));
	json_decref(said);
	return ERR_INVALID;
}

/* The picture that was handed in, and its hash. */
static int check_logo(struct call *c, const char *text, struct buf *png, char logo[static BRAND_LOGO_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	struct buf file = BUF_INIT;
	char *digits;
	int rc = logo_text(text, &file);

	if (rc == 0)
		rc = logo_take(file.data, file.len, png);
	buf_free(&file);
	if (rc == ERR_INVALID) {
		json_t *why = doc_reason(c, err_text());

		call_field_error(c, "logo", json_string_value(why));
		json_decref(why);
	}
	if (rc < 0)
		return rc;
	crypto_hash_sha256(hash, (const unsigned char *)png->data, png->len);
	digits = encode_hex(hash, sizeof hash);
	snprintf(logo, BRAND_LOGO_SIZE, "%s", digits);
	free(digits);
	return 0;
}

/* What was typed over what there is. All that is wrong is said at once. */
static int read_form(struct call *c, struct brand *b, struct buf *png)
{
	int name = check_name(c, call_text(c, "name")), support = check_support(c, call_text(c, "support")), colour = check_colour(c, b->colour);
	int package = check_package(c, call_text(c, "agent_package"));
	int rc = call_has(c, "logo") && !call_bool(c, "no_logo") ? check_logo(c, call_text(c, "logo"), png, b->logo) : 0;

	if (call_bool(c, "no_logo"))
		*b->logo = '\0';
	rc = rc < 0 ? rc : name < 0 ? name : support < 0 ? support : package < 0 ? package : colour;
	if (rc < 0)
		return rc;
	snprintf(b->name, sizeof b->name, "%s", call_text(c, "name"));
	snprintf(b->support, sizeof b->support, "%s", call_text(c, "support"));
	snprintf(b->package, sizeof b->package, "%s", call_text(c, "agent_package"));
	return 0;
}

static int is_same(const struct brand *a, const struct brand *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->support, b->support) == 0 && strcmp(a->package, b->package) == 0 && strcmp(a->colour, b->colour) == 0 && strcmp(a->logo, b->logo) == 0;
}

/* Nobody undoes unseen what somebody else has saved meanwhile. Programs that do not say what they have seen mean what they send. */
static int check_basis(struct call *c)
{
	json_t *last = NULL;
	int rc = brand_last(c->db, &last);

	if (rc == 0 && call_has(c, "basis") && strcmp(call_text(c, "basis"), basis_of(last)) != 0)
		rc = call_refuse(c, ERR_CONFLICT, "The appearance was changed since you opened this page. What you typed is still here: saved now, it takes the place of "
			"that change.");
	json_decref(last);
	return rc;
}

int appearance_save(struct call *c)
{
	struct buf png = BUF_INIT;
	struct brand was = { .name = BRAND_USUAL }, b;
	int rc = brand_hold(c->db, &was);

	b = was;
	if (rc == 0)
		rc = read_form(c, &b, &png);
	/* The same sent twice is no conflict. */
	if (rc == 0 && !is_same(&was, &b))
		rc = check_basis(c);
	if (rc == 0)
		rc = brand_set(c->db, &b, png.len ? &png : NULL);
	buf_free(&png);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The appearance is saved. Everybody sees it within seconds.");
	call_redirect(c, "/appearance");
	return 0;
}

int appearance_remove_ask(struct call *c)
{
	json_t *last = NULL;
	struct brand b;
	int rc = brand_get(c->db, &b);

	if (rc == 0)
		rc = brand_last(c->db, &last);
	if (rc == 0 && json_is_null(last))
		rc = err_set(ERR_NOT_FOUND, "nothing is set");
	json_decref(last);
	if (rc == 0)
		doc_ask_remove(c, "/appearance", "Show Keyward's own in place of “%{name}”?", b.name, "Name, addresses, colour and logo are forgotten. "
			"Everybody sees Keyward's own within seconds.", NULL, "Put back");
	return rc;
}

int appearance_remove(struct call *c)
{
	int rc = brand_reset(c->db);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "Keyward's own name, colour and logo are shown again.");
	call_redirect(c, "/appearance");
	return 0;
}
