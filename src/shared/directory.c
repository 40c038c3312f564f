/* directory.c - a directory's settings on their way from the database into a question. */
#include "shared/directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/directory.h"
#include "web/sign.h"
#include "web/vault.h"

void directory_release(struct directory_kept *k)
{
	json_decref(k->settings);
	buf_free(&k->password);
	*k = (struct directory_kept){ .settings = NULL };
}

/* Only whole ones are saved. Others, of whatever origin, are no directory until they are saved anew: its page says what is missing. */
static int read_kept(struct directory_kept *k)
{
	const char *member;

	if (directory_read(k->settings, &k->d, &member) == 0)
		return 0;
	log_warning("settings of a directory are incomplete, so it is not used", "member", member, "why", err_text(), NULL);
	return err_wrap(ERR_NOT_FOUND, "settings of the directory");
}

int directory_kept(struct call *c, int enabled, struct directory_kept *out)
{
	struct directory_kept k = { .settings = NULL };
	int rc = directory_load(c->db, sign_side(c), &k.settings, &k.password);

	if (rc == 0)
		rc = read_kept(&k);
	if (rc == 0 && enabled && !k.d.enabled)
		rc = err_set(ERR_NOT_FOUND, "the directory is switched off");
	if (rc < 0) {
		directory_release(&k);
		return rc;
	}
	*out = k;
	return 0;
}

int directory_used(struct call *c)
{
	struct directory_kept k = { .settings = NULL };
	int rc = directory_kept(c, 1, &k);

	directory_release(&k);
	return rc == 0 ? 1 : rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The kept password in the clear; an empty secret where there is none. */
static int reveal(struct call *c, const struct buf *kept, struct secret **out)
{
	if (kept->len == 0) {
		*out = secret_new(0);
		return 0;
	}
	if (c->site == WEB_CONSOLE)
		return vault_reveal(c, DIRECTORY_PURPOSE, kept, out);
	return keys_system_reveal(c->keys, &c->id, DIRECTORY_SYSTEM_PURPOSE, wire_view_of(kept), out);
}

int directory_question(struct call *c, enum sso_type type, const json_t *settings, const struct buf *kept, const char *typed, struct buf *out)
{
	struct secret *password = NULL;
	char *text = json_text(settings);
	int rc = typed ? 0 : reveal(c, kept, &password);

	if (rc == 0) {
		sso_begin(out, type, &c->id, db_tenant(c->db));
		wire_put_bytes(out, text, strlen(text));
		if (typed)
			wire_put_string(out, typed);
		else
			wire_put_bytes(out, password->data, password->len);
	}
	secret_free(password);
	free(text);
	return rc;
}

const char *directory_role_of(const struct call *c, const struct directory *d, const struct directory_person *p, const json_t **by)
{
	const char *name = directory_role(d, p->groups, by);
	enum role role;

	return *name && role_parse(name, c->site == WEB_CENTRAL, &role) == 0 ? name : "";
}
