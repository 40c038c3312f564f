/* registration.h - what a registered guest keeps between boots, in a folder of mode 0700: who it is and whom it trusts.
 * No key of a device is ever in it. */
#ifndef AGENT_COMMON_REGISTRATION_H
#define AGENT_COMMON_REGISTRATION_H

#include <stdint.h>
#include <time.h>

#include "base/secret.h"
#include "base/uuid.h"
#include "proto/crypto.h"
#include "proto/message.h"

#define REGISTRATION_URL_MAX 511
#define REGISTRATION_PATH_MAX 1023

struct registration {
	char url[REGISTRATION_URL_MAX + 1];                     /* Web Service URL */
	struct uuid account, agent;
	uint8_t server_key[PROTO_POINT_SIZE];            /* pinned at registration */
	char ca_file[REGISTRATION_PATH_MAX + 1];                /* "" for the system's certificates */
	int ignore_ssl_errors;
	char provider[PROTO_WORD_MAX + 1];
	char instance_id[PROTO_ID_MAX + 1];              /* as registered */
	uint8_t public_key[PROTO_POINT_SIZE];
	struct secret *key;                              /* the agent's signing key; owned */
};

/* Makes the folder when missing. ERR_FORBIDDEN when others than its owner, which must be this user, may use it; ERR_IO. */
int registration_folder(const char *dir);
/* ERR_NOT_FOUND when the guest is not registered; ERR_INVALID when a file is broken. The caller ends OUT with
 * registration_clear. */
int registration_load(const char *dir, struct registration *out);
/* After this the guest is registered as S says; a crash leaves the old registration or the new one. */
int registration_save(const char *dir, const struct registration *s);
void registration_clear(struct registration *s);
/* Changes whenever registration_save has been called; 0 when the guest is not registered. */
uint64_t registration_stamp(const char *dir);
/* An id for a machine that has none, made at the first call and kept. */
int registration_instance_id(const char *dir, char out[static PROTO_ID_MAX + 1]);

#endif
