/* audit.c - `keyward audit verify`: recomputes a chain from its first entry to its head. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/command.h"
#include "base/err.h"
#include "store/audit.h"

int admin_audit_verify(struct admin *a, int argc, char **argv)
{
	struct uuid tenant;
	struct db *db;
	int64_t count = 0;
	int rc = argc ? admin_find_tenant(a, argv[0], &tenant) : 0;

	if (rc == 0)
		rc = admin_begin(a, argc ? CONF_DATABASE_CONSOLE : CONF_DATABASE_CENTRAL, argc ? &tenant : NULL, &db);
	if (rc < 0)
		return rc;
	/* A long chain takes longer than a page may. */
	db_limits(db, 0, 0);
	rc = admin_end(db, audit_check(db, &count));
	if (rc < 0)
		return err_wrap(rc, "after %" PRId64 " good entries", count);
	printf("%s: %" PRId64 " entries, none altered, none missing\n", argc ? argv[0] : "installation", count);
	return 0;
}
