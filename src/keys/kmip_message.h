/* kmip_message.h - what is said to a KMIP server and what it answers, as bytes. Pure: the connection is kmip.c.
 *
 * One operation to a message, KMIP 1.2 to 2.1 (OASIS standards). Requests replace OUT's content and answers may hold keys: both are
 * buffers of message.h, which the caller wipes. */
#ifndef KEYS_KMIP_MESSAGE_H
#define KEYS_KMIP_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/wire.h"

#define KMIP_MESSAGE_MAX 32768
#define KMIP_ID_MAX 255          /* bytes of a server's unique identifier for an object */
#define KMIP_NAME_MAX 255
#define KMIP_VENDOR_MAX 128
#define KMIP_IDS_MAX 16          /* of an answer to Locate that are looked at */

struct kmip_version {
	uint32_t major, minor;
};

enum kmip_operation {
	KMIP_CREATE = 0x01, KMIP_LOCATE = 0x08, KMIP_GET = 0x0a, KMIP_ACTIVATE = 0x12, KMIP_REVOKE = 0x13,
	KMIP_DESTROY = 0x14, KMIP_QUERY = 0x18, KMIP_DISCOVER = 0x1e, KMIP_ENCRYPT = 0x1f, KMIP_DECRYPT = 0x20,
};

enum kmip_use { KMIP_USE_ENCRYPT = 0x4, KMIP_USE_DECRYPT = 0x8, KMIP_USE_EXPORT = 0x40 };

enum kmip_reason { KMIP_CESSATION = 6 };

/* AES-256-GCM with a tag of 16 bytes. */
struct kmip_gcm {
	const char *id;
	struct wire_view nonce, data, associated, tag;   /* tag: to decrypt alone */
};

int kmip_compare(struct kmip_version a, struct kmip_version b);      /* <0, 0, >0 */

/* Offers 1.2 to 2.1, newest first. */
void kmip_put_discover(struct buf *out, struct kmip_version v);
void kmip_put_query(struct buf *out, struct kmip_version v);
/* A new AES-256 key called NAME, for USE. */
void kmip_put_create(struct buf *out, struct kmip_version v, const char *name, unsigned use);
/* Symmetric keys called NAME. */
void kmip_put_locate(struct buf *out, struct kmip_version v, const char *name);
/* Get, Activate, Destroy: what needs but the object's ID. */
void kmip_put_plain(struct buf *out, struct kmip_version v, enum kmip_operation op, const char *id);
void kmip_put_revoke(struct buf *out, struct kmip_version v, const char *id, enum kmip_reason reason);
/* KMIP_ENCRYPT or KMIP_DECRYPT; only from version 1.4 on, which brought associated data. */
void kmip_put_gcm(struct buf *out, struct kmip_version v, enum kmip_operation op, const struct kmip_gcm *gcm);

/* The payload of the answer to OP. Errors: ERR_INVALID (no such answer), and for what the server said: ERR_NOT_FOUND, ERR_FORBIDDEN,
 * ERR_UNSUPPORTED, ERR_CONFLICT, ERR_CRYPTO, ERR_UNAVAILABLE, ERR_VERSION with its words. */
int kmip_answer(const struct buf *in, enum kmip_operation op, struct wire_view *payload);

/* Of payloads. All: 0 or ERR_INVALID, or as said. */
int kmip_get_id(struct wire_view payload, char id[static KMIP_ID_MAX + 1]);
/* The first COUNT ids; *COUNT becomes how many there are, at most KMIP_IDS_MAX. */
int kmip_get_ids(struct wire_view payload, char ids[static KMIP_IDS_MAX][KMIP_ID_MAX + 1], size_t *count);
/* The newest version of both; ERR_VERSION: there is none. */
int kmip_get_version(struct wire_view payload, struct kmip_version *out);
/* VENDOR is made printable. */
int kmip_get_query(struct wire_view payload, char vendor[static KMIP_VENDOR_MAX + 1], int *can_encrypt);
/* The bytes of an unwrapped symmetric key. *OUT is the caller's. */
int kmip_get_key(struct wire_view payload, struct secret **out);
/* Data, and in an answer to Encrypt the tag. */
int kmip_get_data(struct wire_view payload, struct wire_view *data);
int kmip_get_tag(struct wire_view payload, struct wire_view *tag);

#endif
