/* identity.c - people of an identity provider and users who were here before. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/saml.h"
#include "store/user_outside.h"

#define EXTERNAL_MAX 1000        /* as the column has it */

/* An issuer is an address without spaces (saml/metadata.c), so the two cannot be mistaken for another pair. */
char *identity_external(const char *issuer, const char *subject)
{
	return strlen(issuer) + 1 + strlen(subject) > EXTERNAL_MAX ? NULL : mem_printf("%s %s", issuer, subject);
}

#define LINKABLE "link and state = 'active' and source = 'local'"
#define FIND(table) "select id from " table " where lower(email) = lower($1) and " LINKABLE
#define LINK(table, settings) "update " table " u set link = false, source = 'saml', external_id = $2, role_fixed = false, password = null where id = $1" \
	" and " LINKABLE " and not exists (select 1 from " settings " s where s.break_glass = u.id)"

static int find_linkable(struct db *db, enum store_side side, const char *email, struct user *out)
{
	static const char *const sql[] = { FIND("app_user"), FIND("operator_user") };
	struct db_result *r;
	struct uuid id;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_text_arg(email)));

	if (rc < 0)
		return rc;
	id = db_uuid(r, 0, 0);
	db_result_free(r);
	return user_by_id(db, side, &id, out);
}

int identity_may_link(struct db *db, enum store_side side, const char *email)
{
	struct user u = { .email = NULL };
	int rc = find_linkable(db, side, email, &u);

	if (rc == 0)
		rc = user_may_go(db, side, &u);
	user_release(&u);
	return rc == 0 ? 1 : rc == ERR_NOT_FOUND || rc == ERR_CONFLICT ? 0 : rc;
}

int identity_link(struct db *db, enum store_side side, const char *external_id, const char *email, struct user *out)
{
	static const char *const sql[] = { LINK("app_user", "saml"), LINK("operator_user", "operator_saml") };
	struct user u = { .email = NULL };
	int rc = find_linkable(db, side, email, &u);

	if (rc == 0)
		rc = user_may_go(db, side, &u);
	/* Who must stay local is not linked, whatever was allowed. */
	if (rc == ERR_CONFLICT)
		rc = err_set(ERR_NOT_FOUND, "the user must stay local");
	if (rc == 0)
		rc = db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(&u.id), db_text_arg(external_id)));
	if (rc == 0)
		rc = audit_log(db, AUDIT_USER_LINKED, &(struct audit_object){ "user", &u.id, email }, json_pack("{s:s}", "external_id", external_id));
	if (rc == 0)
		rc = user_by_id(db, side, &u.id, out);
	user_release(&u);
	return rc;
}

#define MARK(table) "update " table " set link = $2 where id = $1 and link <> $2 and source = 'local' returning id"

int identity_allow_link(struct db *db, enum store_side side, const struct uuid *id, int allow)
{
	static const char *const sql[] = { MARK("app_user"), MARK("operator_user") };
	struct user u = { .email = NULL };
	struct db_result *r = NULL;
	int rc = user_by_id(db, side, id, &u);

	if (rc == 0)
		rc = db_query(db, &r, sql[side], DB_ARGS(db_uuid_arg(id), db_bool_arg(allow)));
	if (rc == 0 && db_rows(r))
		rc = audit_log(db, AUDIT_USER_CHANGED, &(struct audit_object){ "user", id, u.email },
			json_pack("{s:{s:{s:b,s:b}}}", "changes", "link", "old", !allow, "new", allow));
	db_result_free(r);
	user_release(&u);
	return rc;
}
