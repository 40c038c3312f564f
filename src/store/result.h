/* result.h - inside a db_result; for db.c and result.c only. */
#ifndef STORE_RESULT_H
#define STORE_RESULT_H

#include <libpq-fe.h>

#include "store/db.h"

struct db_result {
	PGresult *pg;
	unsigned char **owned;       /* what db_bytes decoded */
	size_t owned_count;
};

struct db_result *db_result_new(PGresult *pg);               /* takes PG over */

#endif
