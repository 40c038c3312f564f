/* client.h - the key service as its callers see it: one function per message.
 *
 * A client belongs to one thread. REQUEST is the id under which keyd logs the call: the id of the key request or of the web
 * request that causes it. Wrapped keys and blobs are opaque bytes for the database; inputs are lent for the call, outputs
 * are written only on success (a struct buf's former content is replaced). Functions return 0 or
 *   ERR_UNAVAILABLE  keyd does not run or has closed the connection      ERR_TIMEOUT   it has not answered in time
 *   ERR_TOO_MANY     this process' user asks for too many of these (docs/keys.md)
 *   ERR_SEALED       it has no root key                                  ERR_FORBIDDEN this process' user is not allowed
 *   ERR_TAMPERED     a blob is altered, or belongs to another tenant, object, version, purpose or root key
 *   ERR_INVALID, ERR_TOO_LARGE  an argument breaks a limit below         ERR_CRYPTO    a library failed
 * with keyd's words in err_text(). Any failure means: no key. */
#ifndef KEYS_CLIENT_H
#define KEYS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ipc.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "keys/cause.h"

#define KEYS_POINT_SIZE 65       /* P-256 point, uncompressed: 04, x, y (SEC 1, 2.3.3) */
#define KEYS_DIGEST_SIZE 32
#define KEYS_SIGNATURE_SIZE 64   /* ECDSA r, then s, 32 bytes each, big-endian */
#define KEYS_DEVICE_KEY_MIN 16
#define KEYS_DEVICE_KEY_MAX 64
#define KEYS_DEVICE_KEY_SIZE 32  /* what new devices get */
#define KEYS_PURPOSE_MAX 64      /* bytes: a-z, 0-9 and '-' */
#define KEYS_PURPOSE_CREDENTIALS "credentials"   /* given to agents alone: keys_reveal refuses it */
#define KEYS_PLAIN_MAX 4096
#define KEYS_BLOB_MAX (KEYS_PLAIN_MAX + 64)
#define KEYS_JWE_MAX 4096
#define KEYS_TICKET_MAX 256
#define KEYS_TICKET_KEY_SIZE 32
#define KEYS_AGENT_DEVICE_MAX 127        /* bytes: how an agent names a device (proto/message.h) */

struct keys_client {
	struct ipc_client ipc;
	struct buf request, answer;  /* wiped after each call */
};

#define KEYS_KINDS_MAX 64

/* How often a kind of message was asked for since keyd started. */
struct keys_count {
	char name[32];
	uint64_t done, failed, limited;      /* LIMITED: refused because a user asked too often */
};

struct keys_status {
	int sealed;                  /* 1: no root key, everything but status fails with ERR_SEALED */
	char provider[32];           /* "file", "passphrase" */
	struct uuid root;            /* id of the root key; nil while it is not there */
	uint64_t wraps, unwraps;     /* since keyd started, root and tenant keys together */
	uint64_t seals, signatures;
	uint64_t failures;           /* requests that were answered with an error */
	uint64_t tenant_hits;        /* tenant keys found already unwrapped */
	uint32_t tenants;            /* unwrapped tenant keys in memory now */
	uint32_t clients;            /* connections now */
	struct keys_count counts[KEYS_KINDS_MAX];
	int kinds;
	clock_us started;            /* 0: it does not say */
	int pid;
	char version[32];
	char why[256];               /* while it is sealed: what keeps it so, in words, and for programs */
	enum keys_cause cause;
	uint32_t ticket_generation;  /* the latest of proofs of approval that it has seen since it started; 0: none */
};

struct keys_device {
	struct uuid tenant;
	struct wire_view wrapped_tenant;   /* from keys_tenant_create */
	struct uuid device;
	uint32_t version;                  /* of the device's key, from 1 */
};

/* That a key may go to an agent: the TICKET that the database gives for it (docs/keys.md "Proofs of approval"), and the agent's own
 * SIGNATURE (64 bytes) over the recipient, made for DEVICE, as its message names it. Without: ERR_FORBIDDEN, ERR_EXPIRED, ERR_TAMPERED. */
struct keys_proof {
	struct wire_view ticket;
	const char *device;
	const uint8_t *signature;
};

/* That a person, BY, has asked for it: the TICKET that the database gives where its log says so. Without: ERR_FORBIDDEN, ERR_EXPIRED. */
struct keys_asked {
	struct uuid by;
	struct wire_view ticket;
};

struct keys_recipient {
	struct uuid account, agent;
	const char *device;
	const uint8_t *key, *agent_key;    /* KEYS_POINT_SIZE each */
	const uint8_t *signature;          /* KEYS_SIGNATURE_SIZE */
};

struct keys_object {
	struct uuid tenant;
	struct wire_view wrapped_tenant;
	const char *purpose;               /* "spake2-verifier": a blob made for one purpose opens for no other */
	struct uuid object;
};

/* PATH is keyd's socket. */
void keys_client_init(struct keys_client *c, const char *path, int timeout_ms);
void keys_client_close(struct keys_client *c);

int keys_status(struct keys_client *c, struct keys_status *out);

/* Gives keyd the passphrase that its root key is under; takes about a second of its time. ERR_FORBIDDEN: it is wrong, or the caller is
 * not root; ERR_UNSUPPORTED: its root key is under none. */
int keys_unseal(struct keys_client *c, const struct uuid *request, const struct secret *passphrase);
/* Makes it forget all keys until it is unsealed again. ERR_FORBIDDEN, ERR_UNSUPPORTED. */
int keys_seal(struct keys_client *c, const struct uuid *request);

/* A new tenant key; WRAPPED (93 bytes with the file provider) goes into the database. */
int keys_tenant_create(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct buf *wrapped);

/* A new device key of BYTES random bytes (KEYS_DEVICE_KEY_MIN to _MAX). */
int keys_device_create(struct keys_client *c, const struct uuid *request, const struct keys_device *device, size_t bytes,
	struct buf *wrapped);

/* The device's key once more, wrapped for CLONE, another device of the same tenant, as its VERSION (DEV-5). */
int keys_device_rewrap(struct keys_client *c, const struct uuid *request, const struct keys_device *device,
	struct wire_view wrapped_device, const struct uuid *clone, uint32_t version, const struct keys_asked *asked, struct buf *wrapped);

/* The device key, encrypted to RECIPIENT, the agent's one-time public key. JWE is text: a flattened JSON serialization
 * (RFC 7516, 7.2.2; ECDH-ES, A256GCM) whose protected header names tenant, device, version, request and agent.
 * The sealed key must not leave the caller before decision and log entry are committed. */
int keys_device_seal(struct keys_client *c, const struct uuid *request, const struct keys_device *device,
	struct wire_view wrapped_device, const struct uuid *agent, const uint8_t recipient[static KEYS_POINT_SIZE],
	const struct keys_proof *proof, struct buf *jwe);

/* Whether AGENT_KEY has signed RECIPIENT for DEVICE, as its agent names it (proto/evidence.h): 0 or ERR_TAMPERED. Works while sealed. keyd
 * remembers, and does not verify it once more when the key is sealed. */
int keys_recipient_check(struct keys_client *c, const struct uuid *request, const struct keys_recipient *r);

/* Other secrets of a tenant, at most KEYS_PLAIN_MAX bytes. *PLAIN is the caller's to free. */
int keys_protect(struct keys_client *c, const struct uuid *request, const struct keys_object *object,
	const struct secret *plain, struct buf *blob);
int keys_reveal(struct keys_client *c, const struct uuid *request, const struct keys_object *object, struct wire_view blob,
	struct secret **plain);

/* A tenant's secret of the purpose KEYS_PURPOSE_CREDENTIALS, sealed to RECIPIENT as a device key is; its claims name OBJECT's id as device
 * and VERSION. */
int keys_credentials_seal(struct keys_client *c, const struct uuid *request, const struct keys_object *object, uint32_t version,
	struct wire_view blob, const struct uuid *agent, const uint8_t recipient[static KEYS_POINT_SIZE], const struct keys_proof *proof,
	struct buf *jwe);

/* The installation's own secrets, under the root key. */
int keys_system_protect(struct keys_client *c, const struct uuid *request, const char *purpose, const struct secret *plain,
	struct buf *blob);
int keys_system_reveal(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob,
	struct secret **plain);

/* The server's identity towards agents: a P-256 key that never leaves keyd. DIGEST is SHA-256 of what is signed. */
int keys_identity_public(struct keys_client *c, uint8_t point[static KEYS_POINT_SIZE]);
int keys_identity_sign(struct keys_client *c, const struct uuid *request, const uint8_t digest[static KEYS_DIGEST_SIZE],
	uint8_t signature[static KEYS_SIGNATURE_SIZE]);

/* The device key, encrypted under EXPORT_KEY (32 bytes: exported_derive) and bound to FIELDS (exported_put_fields). SEALED is for the file of
 * an export alone, and must not leave the caller before its log entry is committed. */
int keys_device_export(struct keys_client *c, const struct uuid *request, const struct keys_device *device, struct wire_view wrapped_device,
	const struct secret *export_key, const struct buf *fields, const struct keys_asked *asked, struct buf *sealed);

/* The key of proofs of approval of GENERATION (from 1), which the database needs to give them; root alone may. FINAL: the database has it; from
 * now on keyd takes none of an earlier generation. ERR_CONFLICT: it takes only later ones already. */
int keys_ticket_key(struct keys_client *c, const struct uuid *request, uint32_t generation, int final,
	uint8_t key[static KEYS_TICKET_KEY_SIZE]);

/* client_sign.c: keys that the installation signs with (Ed25519), one for each purpose that begins with KEYS_SIGNING. BLOB goes into the
 * settings (store/signing.h); nothing opens it but keys_sign. TEXT is at most KEYS_SIGNED_MAX bytes and says of itself what it is. */
#define KEYS_SIGNING "signing-"
#define KEYS_SIGNING_LICENCE "signing-licence"
#define KEYS_SIGNING_CERTIFICATE "signing-certificate"
#define KEYS_SIGNING_LOG "signing-log"
#define KEYS_SIGNING_PUBLIC_SIZE 32
#define KEYS_SIGNED_MAX 49152
int keys_signing_create(struct keys_client *c, const struct uuid *request, const char *purpose, struct buf *blob,
	uint8_t public_key[static KEYS_SIGNING_PUBLIC_SIZE]);
int keys_sign(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob, struct wire_view text,
	uint8_t signature[static KEYS_SIGNATURE_SIZE]);

/* The same as callbacks for those who keep the blobs (store/signing.h): CTX is a struct keys_signer. */
struct keys_signer {
	struct keys_client *keys;
	struct uuid request;
};
int keys_signer_make(void *ctx, const char *purpose, struct buf *blob, uint8_t public_key[static KEYS_SIGNING_PUBLIC_SIZE]);
int keys_signer_sign(void *ctx, const char *purpose, const struct buf *blob, const struct buf *text,
	uint8_t signature[static KEYS_SIGNATURE_SIZE]);

/* client_rotate.c: wrapping again. */
#define KEYS_ROOTS_MAX 8
#define KEYS_REWRAP_MOST 256
struct keys_root {
	struct uuid id;
	char provider[32];
	int active, sealed;
};
struct keys_roots {
	struct keys_root roots[KEYS_ROOTS_MAX];
	size_t count;                      /* the active one is the last */
	struct uuid identity;              /* the root key that the server's identity is under */
};
int keys_roots(struct keys_client *c, struct keys_roots *out);
/* keyd reads its list of root keys anew; root alone may. PASSPHRASE (NULL: none) is for a new one. */
int keys_roots_reload(struct keys_client *c, const struct uuid *request, const struct secret *passphrase);
/* Under the active root key; proven to give the same. */
int keys_tenant_rewrap(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct buf *out);
int keys_system_rewrap(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob, struct buf *out);
/* A new key for the tenant beside the present one, whose id becomes *FORMER: both are in OUT, which takes the place of WRAPPED. */
int keys_tenant_rotate(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct uuid *key, struct uuid *former, struct buf *out);
/* The newer alone: what is still under the former is lost. */
int keys_tenant_trim(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct uuid *key, struct buf *out);
struct keys_rewrap {
	struct uuid object;
	uint32_t version;
	struct wire_view blob;
	struct buf out;                    /* the caller frees */
};
/* COUNT (at most KEYS_REWRAP_MOST) blobs of one purpose, as their label has it ("key/device", "data/..."), under the tenant's newest key. */
int keys_rewrap(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped_tenant,
	const char *purpose, struct keys_rewrap *items, size_t count);

#endif
