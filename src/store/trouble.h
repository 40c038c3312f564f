/* trouble.h - what is bad with the installation: operators are told of it once it has lasted (NTF-2). Bound to none. */
#ifndef STORE_TROUBLE_H
#define STORE_TROUBLE_H

#include <jansson.h>

#include "store/db.h"

#define TROUBLE_LASTS_S 30               /* before anybody is told */
#define GIVEN_UP_AGAIN_S 86400           /* a mail about mails that cannot be sent must not make more of them */

/* NAME, a part of AREA (health/judge.h), is bad because of REASON. Logged when that has lasted, once. */
int trouble_note(struct db *db, const char *area, const char *name, const char *reason);
/* All but BAD ([{area, name}]) are well: logged of those that were told of. */
int trouble_over(struct db *db, const json_t *bad);
/* So many of what NAME, a part of AREA, is about were given up, all in all: logged when there are more than were told of, at most daily. */
int trouble_given_up(struct db *db, const char *area, const char *name, int64_t count, const char *reason);

#endif
