/* letter.c - mails to one person. A link that lets somebody in must not lie readable in the queue: it is a blob of keyd, which jobd puts into
 * the text's place for it when the mail goes out. */
#include "shared/letter.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "render/template.h"
#include "shared/user_agent.h"
#include "store/language.h"
#include "store/mail.h"
#include "web/brand.h"

static const struct {
	const char *template, *subject;
} letters[] = {
#define X(id, template, subject) { "mail/" template, subject },
	LETTERS(X)
#undef X
};

int letter_possible(struct call *c)
{
	return mail_is_set(c->db);
}

int letter_say(struct call *c)
{
	int set = letter_possible(c);

	if (set < 0)
		return set;
	call_set(c, "mail_set", json_boolean(set));
	return 0;
}

/* Whoever chooses a name does not choose where else somebody's link stands: a mark inside of it is none any more. */
static void set_name(json_t *doc, const char *member, const char *name)
{
	char *plain = name ? mem_strdup(name) : NULL, *mark;

	while (plain && (mark = strstr(plain, MAIL_LINK_MARK)) != NULL)
		*mark = '(';
	json_set_string(doc, member, plain);
	free(plain);
}

static json_t *document_of(struct call *c, enum web_site site, const struct user *u, const char *tenant)
{
	json_t *at = call_when(c, c->now), *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "at", json_string_value(json_object_get(at, "text")),
		"address", c->address, "browser", user_agent_browser(c->request->user_agent), "system", user_agent_system(c->request->user_agent), "link", MAIL_LINK_MARK, "self",
		uuid_equal(&c->user, &u->id));
	char *console = call_address(c, site, "");
	struct brand_look look;

	brand_look(&look);
	set_name(doc, "brand", look.is.name);
	set_name(doc, "name", u->name);
	set_name(doc, "email", u->email);
	set_name(doc, "tenant", tenant);
	set_name(doc, "by", uuid_is_nil(&c->user) ? NULL : c->user_name);
	json_set_string(doc, "console", console);
	free(console);
	json_decref(at);
	return doc;
}

static int seal(struct call *c, enum web_site site, const char *path, struct buf *blob)
{
	char *address = call_address(c, site, path);
	struct secret *link = secret_take(address, strlen(address));
	int rc = keys_system_protect(c->keys, &c->id, MAIL_LINK_PURPOSE, link, blob);

	secret_free(link);
	free(address);
	return rc;
}

/* What U chose, or U's account did; else as whoever causes the mail is spoken to. */
static int speak_to(struct call *c, const struct user *u)
{
	char code[LANGUAGE_MAX];
	int rc = language_of(c->db, c->site == WEB_CENTRAL ? STORE_OPERATOR : STORE_TENANT, &u->id, code);

	if (rc == 0 && *code)
		call_speak(c, code);
	return rc;
}

/* SITE: where U signs in. */
static int write_letter(struct call *c, enum web_site site, enum letter kind, const struct user *u, const char *tenant, const char *link)
{
	struct buf text = BUF_INIT, blob = BUF_INIT;
	json_t *doc = document_of(c, site, u, tenant);
	int rc = call_text_of(c, letters[kind].template, doc, &text);

	if (rc == 0 && link)
		rc = seal(c, site, link, &blob);
	if (rc == 0)
		rc = mail_add_link(c->db, u->email, call_translate(c, letters[kind].subject), buf_str(&text), &blob);
	json_decref(doc);
	buf_free(&text);
	buf_free(&blob);
	return rc;
}

int letter_send(struct call *c, enum letter kind, const struct user *u, const char *tenant, const char *link)
{
	const char *before = call_language(c);
	int possible = letter_possible(c), rc = possible;

	if (possible <= 0)
		return rc;
	rc = speak_to(c, u);
	if (rc == 0)
		rc = write_letter(c, c->site, kind, u, tenant, link);
	call_speak(c, before);
	return rc < 0 ? rc : 1;
}

int letter_invite_first(struct call *c, const struct user *u, const char *tenant, const char *link)
{
	int possible = letter_possible(c), rc = possible;

	if (possible > 0)
		rc = write_letter(c, WEB_CONSOLE, LETTER_INVITATION, u, tenant, link);
	return rc < 0 ? rc : possible;
}
