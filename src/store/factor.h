/* factor.h - second factors (IDN-5): one TOTP secret per user, as a blob of keyd, and recovery codes, as SHA-256. */
#ifndef STORE_FACTOR_H
#define STORE_FACTOR_H

#include "base/buf.h"
#include "store/user.h"

#define FACTOR_PURPOSE "totp-secret"     /* of keyd's blob, whose object is the user */
#define FACTOR_PURPOSE_SIZE 64
#define FACTOR_CODES 10                  /* recovery codes of a user */
#define FACTOR_CODE_HASH 32

struct factor {
	struct buf secret;
	clock_us confirmed;                  /* 0: its first code was not typed yet */
	int64_t last_step;                   /* of the last code that was taken */
};

/* An operator's has no object: the purpose names the user. */
void factor_system_purpose(const struct uuid *user, char out[static FACTOR_PURPOSE_SIZE]);
void factor_release(struct factor *f);                       /* zeroed is fine */
/* Locks the row, so that of two who type the same code one comes second. ERR_NOT_FOUND: there is none. */
int factor_get(struct db *db, enum store_side side, const struct uuid *user, struct factor *out);
/* 1 or 0: there is one that is confirmed. */
int factor_has(struct db *db, enum store_side side, const struct uuid *user);
/* {since, codes: how many are left}; null when there is none that is confirmed. */
int factor_show(struct db *db, enum store_side side, const struct uuid *user, json_t **out);
/* A new secret that is not confirmed. ERR_CONFLICT: there is one that is. */
int factor_begin(struct db *db, enum store_side side, const struct uuid *user, struct wire_view secret);
/* The code of STEP was right: none of it or before counts again. The first one confirms, and is logged. */
int factor_used(struct db *db, enum store_side side, const struct user *u, const struct factor *f, int64_t step);
/* Replaces all codes; HASHES: FACTOR_CODES of FACTOR_CODE_HASH bytes. ANEW: not the first ones; logged. */
int factor_codes_set(struct db *db, enum store_side side, const struct user *u, const uint8_t (*hashes)[FACTOR_CODE_HASH], int anew);
/* 1: it was one that is left, and is used up; 0. */
int factor_code_use(struct db *db, enum store_side side, const struct uuid *user, const uint8_t hash[static FACTOR_CODE_HASH]);
/* By the user, or by an administrator; logged. ERR_NOT_FOUND: there is none. */
int factor_remove(struct db *db, enum store_side side, const struct user *u);

#endif
