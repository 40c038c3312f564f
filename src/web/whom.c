/* whom.c - whom to ask for what one may not do oneself: the roles that may, and people who hold them now. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/user.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/state.h"

#define NAMED_MOST 5

static void add(struct buf *out, const char *text)
{
	buf_printf(out, "%s%s", out->len ? ", " : "", text);
}

/* Adds up to NAMED_MOST names of active people of ROLE to OUT, which has COUNT already. */
static int add_people(struct call *c, enum role role, struct buf *out, int *count)
{
	struct list_query q = { .limit = NAMED_MOST, .sort = "name", .filters = { { "role", role_name(role) }, { "state", "active" } } };
	json_t *page = NULL, *row;
	size_t i;
	int rc = user_list(c->db, sign_side(c), &q, &page);

	json_array_foreach(json_object_get(page, "rows"), i, row)
		if ((*count)++ < NAMED_MOST)
			add(out, doc_optional(row, "name") ? doc_text(row, "name") : doc_text(row, "email"));
	json_decref(page);
	return rc;
}

static json_t *holders(struct call *c, enum permission p, int changes)
{
	struct buf roles = BUF_INIT, people = BUF_INIT;
	int count = 0, rc = 0;
	json_t *out;

	for (enum role r = ROLE_NONE + 1; rc == 0 && r < ROLE_COUNT; r++)
		if (role_may(r, p)) {
			add(&roles, call_translate(c, role_label(r)));
			rc = add_people(c, r, &people, &count);
		}
	out = rc < 0 ? json_null() : json_pack("{s:s, s:s, s:s?, s:b}", "roles", buf_str(&roles), "role", call_translate(c, role_label(c->role)), "people",
		people.len ? buf_str(&people) : NULL, "changes", changes);
	if (rc < 0)
		log_warning("whom to ask is not known", "why", err_text(), NULL);
	buf_free(&roles);
	buf_free(&people);
	return out;
}

json_t *whom_member(struct call *c)
{
	const struct route *row = c->route;

	/* A part that renews itself every few seconds does not show it. */
	if (row == NULL || c->role == ROLE_NONE || *c->state->step || !db_is_open(c->db) || (row->fragment && call_is_part(c)))
		return json_null();
	if (!role_may(c->role, row->permission))
		return holders(c, row->permission, 0);
	return row->change == PERMISSION_PUBLIC || role_may(c->role, row->change) ? json_null() : holders(c, row->change, 1);
}
