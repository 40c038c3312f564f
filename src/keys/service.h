/* service.h - what keyd does with one message. Knows nothing of sockets; the loop around it is keyd.c. */
#ifndef KEYS_SERVICE_H
#define KEYS_SERVICE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/clock.h"
#include "keys/hierarchy.h"
#include "keys/keyserver.h"
#include "keys/limit.h"
#include "keys/seen.h"
#include "keys/signer.h"

/* How often a kind of message was asked for, by its place in the table. */
struct service_count {
	uint64_t done, failed, limited;      /* LIMITED: refused as too many, and not among the failed */
};

struct service {
	struct hierarchy keys;
	struct secret *identity;     /* the identity file's bytes; NULL: there is none */
	struct signer *signer;       /* NULL while sealed */
	uint64_t seals, signatures, failures;
	uint32_t clients;
	struct limits limits;
	struct seen seen;
	struct service_count counts[LIMIT_KINDS];
	clock_us started;            /* by service_rehearse */
	pid_t pid;
	uint32_t ticket_floor;       /* the latest generation of proofs that was seen: no earlier one counts */
	clock_us look_at;            /* the next look for root keys that are missing (clock_ticks) */
	int identity_said;           /* that it does not open has been logged */
	/* What needs a process that is not locked in (opener.h); NULL where there is none. */
	int (*reload)(struct hierarchy *h, const struct secret *passphrase);
	int (*keep_identity)(const void *blob, size_t len);
	struct keyserver servers;
	struct {
		uint32_t number;     /* of the reply that the last message waits for; 0: it was answered */
		struct uuid owner;
	} parked;
};

struct service_peer {
	uid_t uid;
	pid_t pid;
};

/* Answers IN, whatever it is: OUT is an answer, or an error answer. Both may hold secrets afterwards; the caller wipes. */
void service_answer(struct service *s, const struct service_peer *peer, const struct buf *in, struct buf *out);
/* The same once more for a message that waited (parked.number): REPLY is there, or is made by the caller to tell why there is none. */
void service_resume(struct service *s, const struct service_peer *peer, const struct buf *in, const struct keyserver_reply *reply,
	struct buf *out);
/* An answer for what cannot be read or must not be: CODE with the thread's error text, to no request in particular. */
void service_refuse(struct service *s, const struct service_peer *peer, int code, struct buf *out);
/* Does each kind of work once for nobody, so that libraries have loaded what they need before the process is locked in. */
int service_rehearse(struct service *s);
/* Opens what waits for the root key. */
int service_open(struct service *s);
/* Wraps the identity under the active root key where it is under an older one, in memory and on disk. */
int service_move_identity(struct service *s);
/* The same, if the root key has come back by itself meanwhile; looks for those that are missing. To be called often. */
void service_heal(struct service *s);
/* The name of the kind at PLACE, from 0; NULL at their end. */
const char *service_kind(int place);
void service_close(struct service *s);

#endif
