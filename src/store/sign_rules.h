/* sign_rules.h - what a tenant, or the operator for its own people, asks of those who sign in (IDN-5, IDN-6): roles that must have a second
 * factor, and when sessions end. The configuration's times are the most that can be set. */
#ifndef STORE_SIGN_RULES_H
#define STORE_SIGN_RULES_H

#include <jansson.h>

#include "store/user.h"

#define SIGN_RULES_SETTING "sign-in"
#define SIGN_RULES_IDLE_LEAST 5          /* minutes */
#define SIGN_RULES_HOURS_LEAST 1

struct sign_rules {
	json_t *factor;                      /* array of names of roles */
	int64_t idle_minutes, hours;         /* 0: as the configuration says */
};

void sign_rules_release(struct sign_rules *r);
int sign_rules_get(struct db *db, enum store_side side, struct sign_rules *out);
/* Logged with what was and what is. */
int sign_rules_set(struct db *db, enum store_side side, const struct sign_rules *r);
/* 1 or 0: ROLE must have a second factor. */
int sign_rules_factor(const struct sign_rules *r, const char *role);

#endif
