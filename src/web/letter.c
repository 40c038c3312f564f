/* letter.c - mails to one person. A link that lets somebody in must not lie readable in the queue: it is a blob of keyd, which jobd puts into
 * the text's place for it when the mail goes out. */
#include "web/letter.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "render/template.h"
#include "store/mail.h"
#include "web/state.h"

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

static json_t *document_of(struct call *c, const struct user *u, const char *tenant)
{
	json_t *at = call_when(c, c->now), *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "name", u->name, "email", u->email, "at",
		json_string_value(json_object_get(at, "text")), "address", c->address, "browser", call_browser(c), "system", call_system(c),
		"link", MAIL_LINK_MARK, "self", uuid_equal(&c->user, &u->id));
	char *console = call_address(c, c->site, "");

	json_set_string(doc, "tenant", tenant);
	json_set_string(doc, "by", uuid_is_nil(&c->user) ? NULL : c->user_name);
	json_set_string(doc, "console", console);
	free(console);
	json_decref(at);
	return doc;
}

static int seal(struct call *c, const char *path, struct buf *blob)
{
	char *address = call_address(c, c->site, path);
	struct secret *link = secret_take(address, strlen(address));
	int rc = keys_system_protect(c->keys, &c->id, MAIL_LINK_PURPOSE, link, blob);

	secret_free(link);
	free(address);
	return rc;
}

int letter_send(struct call *c, enum letter kind, const struct user *u, const char *tenant, const char *link)
{
	struct buf text = BUF_INIT, blob = BUF_INIT;
	int possible = letter_possible(c), rc = possible;
	json_t *doc;

	if (possible <= 0)
		return rc;
	doc = document_of(c, u, tenant);
	rc = template_render(c->state->templates, letters[kind].template, doc, &text);
	if (rc == 0 && link)
		rc = seal(c, link, &blob);
	if (rc == 0)
		rc = mail_add_link(c->db, u->email, call_translate(c, letters[kind].subject), buf_str(&text), &blob);
	json_decref(doc);
	buf_free(&text);
	buf_free(&blob);
	return rc < 0 ? rc : 1;
}
