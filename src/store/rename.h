/* rename.h - the name and description that people give to what agents report: devices and images. */
#ifndef STORE_RENAME_H
#define STORE_RENAME_H

#include "store/audit.h"

/* What is renamed. SELECT locks the row $1 and gives name, description and the provider's id; UPDATE sets $2 and $3 in row $1. */
struct rename {
	const char *select, *update, *kind;
	enum audit_event event;
};

/* NULL leaves a thing as it is. Logged when anything differs; ERR_NOT_FOUND. */
int rename_row(struct db *db, const struct rename *what, const struct uuid *id, const char *name, const char *description);

#endif
