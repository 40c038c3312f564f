/* credential.h - a provider's credentials, one set per image (CFG-3). What is secret of them is a blob of the key service's; nobody here
 * can open it. */
#ifndef STORE_CREDENTIAL_H
#define STORE_CREDENTIAL_H

#include <jansson.h>

#include "store/key.h"

#define CREDENTIAL_PROVIDER_MAX 63
#define CREDENTIAL_LABEL_MAX 255

struct credential {
	struct uuid image, instance;             /* instance: from which they came */
	int64_t version;                         /* 0: there have never been any */
	char provider[CREDENTIAL_PROVIDER_MAX + 1];
	char label[CREDENTIAL_LABEL_MAX + 1];
	struct buf secret;                       /* empty: none now */
};

/* Agent: those of INSTANCE's image. ERR_NOT_FOUND when the instance has no image. End with credential_release. */
int credential_find(struct db *db, const struct uuid *instance, struct credential *out);
void credential_release(struct credential *c);
/* Agent: the proof that C may go to the acting agent, sealed to RECIPIENT, under WORK, as device_key_for_task; empty: it may not. */
int credential_ticket(struct db *db, const struct credential *c, const struct uuid *work, const uint8_t recipient[static KEY_POINT_SIZE],
	struct buf *out);
/* Agent: C replaces version REPLACES (0: none), logged, and all agents of the image are told. ERR_CONFLICT when the present version is
 * another. */
int credential_set(struct db *db, const struct credential *c, const struct uuid *instance, int64_t replaces);
/* Console: {provider, version, label, instance, host_name, changed} of IMAGE, or *OUT NULL when there are none. */
int credential_get(struct db *db, const struct uuid *image, json_t **out);
/* Console: they are gone, logged, and all agents of the image are told. ERR_NOT_FOUND. */
int credential_remove(struct db *db, const struct uuid *image);

#endif
