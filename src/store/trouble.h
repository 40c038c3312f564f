/* trouble.h - parts of the server that jobd has found in trouble: what operators are told of once it has lasted (NTF-2). Bound to none. */
#ifndef STORE_TROUBLE_H
#define STORE_TROUBLE_H

#include "store/db.h"

#define TROUBLE_LASTS_S 30               /* before anybody is told */

/* PART ("mail") is in trouble because of REASON, or well (NULL). Logged when that has lasted, once, and when it is over. LABEL is what people
 * are told it is called. */
int trouble_note(struct db *db, const char *part, const char *label, const char *reason);

#endif
