/* message.h - what client and keyd say to each other, in base/wire.h encoding over base/ipc.h.
 *
 *     request  u8 MESSAGE_VERSION, u8 type, uuid request, then the type's fields
 *     answer   u8 MESSAGE_VERSION, u8 status, uuid request, then the type's results (status 0) or string reason
 *
 * A status is an ERR_ code without its sign. */
#ifndef KEYS_MESSAGE_H
#define KEYS_MESSAGE_H

#include "base/buf.h"
#include "base/uuid.h"

#define MESSAGE_VERSION 1

/* name, type, fields -> results */
#define MESSAGES(X) \
	X(status, 1)              /* -> u8 sealed, string provider, uuid root, 6 x u64 and 2 x u32 counts, u32 generation of proofs,
	                           * u8 n, n x (string message, u64 done, u64 failed, u64 refused as too many), then who
	                           * answers: u64 start, u32 process, string version, string what keeps it sealed, u8 cause.h of that */ \
	X(tenant_create, 2)       /* uuid tenant -> bytes wrapped */ \
	X(device_create, 3)       /* DEVICE, u16 bytes -> bytes wrapped */ \
	X(device_seal, 4)         /* DEVICE, bytes wrapped, uuid agent, raw 65 recipient, PROOF -> bytes jwe */ \
	X(protect, 5)             /* OBJECT, bytes plain -> bytes blob */ \
	X(reveal, 6)              /* OBJECT, bytes blob -> bytes plain */ \
	X(system_protect, 7)      /* string purpose, bytes plain -> bytes blob */ \
	X(system_reveal, 8)       /* string purpose, bytes blob -> bytes plain */ \
	X(identity_public, 9)     /* -> raw 65 point */ \
	X(identity_sign, 10)      /* raw 32 digest -> raw 64 signature */ \
	X(unseal, 11)             /* bytes passphrase -> nothing; root alone may */ \
	X(seal, 12)               /* -> nothing; root alone may */ \
	X(credentials_seal, 13)   /* OBJECT, u32 version, bytes blob, uuid agent, raw 65 recipient, PROOF -> bytes jwe */ \
	X(device_rewrap, 14)      /* DEVICE, bytes wrapped, uuid clone, u32 its version, ASKED -> bytes wrapped for the clone */ \
	X(device_export, 15)      /* DEVICE, bytes wrapped, raw 32 export key, bytes fields, ASKED -> bytes sealed (base/exported.h) */ \
	X(roots, 20)              /* -> u8 count, count x ROOT; uuid of the one that the identity is under */ \
	X(roots_reload, 21)       /* bytes passphrase, may be empty -> nothing; root alone may */ \
	X(tenant_rewrap, 22)      /* uuid tenant, bytes wrapped -> bytes wrapped under the active root key */ \
	X(system_rewrap, 23)      /* string purpose, bytes blob -> bytes blob under the active root key */ \
	X(tenant_rotate, 24)      /* uuid tenant, bytes wrapped -> uuid key, uuid former key, bytes wrapped: both keys */ \
	X(tenant_trim, 25)        /* uuid tenant, bytes wrapped -> uuid key, bytes wrapped: the newer key alone */ \
	X(rewrap, 26)             /* uuid tenant, bytes wrapped tenant, string purpose as in the label, u16 count, count x (uuid object, */ \
	                          /* u32 version, bytes blob) -> u16 count, count x bytes blob under the tenant's newest key */ \
	X(recipient_check, 60)    /* uuid account, uuid agent, string device, raw 65 recipient, raw 65 the agent's key, raw 64 signature -> nothing */ \
	X(ticket_key, 35)         /* u32 generation, u8 final -> raw 32 key of its proofs; root alone may. Final: earlier ones are refused then */ \
	X(keyserver_protect, 40)  /* uuid owner, bytes wrapped tenant, string host, u32 port, string ca, string certificate, bytes key, bytes */ \
	                          /* former settings' key, bytes former settings -> bytes wrapped key of the settings, bytes settings */ \
	X(keyserver_tell, 41)     /* SERVER -> nothing */ \
	X(keyserver_test, 42)     /* SERVER -> string vendor, u32 major, u32 minor */ \
	X(keyserver_create, 43)   /* SERVER, DEVICE -> bytes wrapped, string id */ \
	X(keyserver_destroy, 44)  /* SERVER, DEVICE, bytes wrapped -> nothing */ \
	X(signing_create, 120)    /* string purpose -> bytes blob, raw 32 public key (Ed25519) */ \
	X(signing_sign, 121)      /* string purpose, bytes blob, bytes text -> raw 64 signature */
/* DEVICE: uuid tenant, bytes wrapped tenant, uuid device, u32 version
 * SERVER: uuid owner (nil: the installation), bytes wrapped tenant, bytes wrapped key of the settings, bytes settings, u8 local
 * OBJECT: uuid tenant, bytes wrapped tenant, string purpose, uuid object
 * ROOT: uuid, string provider, u8 active, u8 sealed
 * ASKED:  uuid user, bytes ticket
 * PROOF:  bytes ticket (ticket.h), string device as in the agent's message, raw 64 its signature over the recipient (proto/evidence.h) */

enum message_type {
#define X(name, type) MESSAGE_##name = (type),
	MESSAGES(X)
#undef X
};

/* Wipes B and makes room for a whole message, so that it does not move while it is filled and leaves no copy behind. */
void message_begin(struct buf *b);
/* Wipes what B holds, and empties it: a message must never be made shorter otherwise. */
void message_wipe(struct buf *b);

#endif
