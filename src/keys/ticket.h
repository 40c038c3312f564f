/* ticket.h - proofs of approval. The database gives one out where its rows say that a key may go to an agent (sql/0025_ticket.sql), or that a
 * person has asked for one to be exported or copied (sql/0033_ticket_act.sql); the key service, which cannot look into the database, lets no key out without one (docs/keys.md "Proofs of approval").
 *
 *     ticket   u32 generation, u64 expires, raw 65 agent's key, raw 32 MAC
 *     MAC      HMAC-SHA-256 under the generation's key over: "keyward ticket 1", u8 kind, uuid tenant, uuid object, u32 version,
 *              uuid request, uuid agent, raw 65 recipient, then the ticket's first three fields
 *
 * EXPIRES is in seconds since 1970. Whoever has a generation's key can approve: only keyd and the owner of the database's functions do. */
#ifndef KEYS_TICKET_H
#define KEYS_TICKET_H

#include <stdint.h>

#include "base/clock.h"
#include "base/exported.h"
#include "base/uuid.h"
#include "base/wire.h"

#define TICKET_KEY_SIZE 32
#define TICKET_POINT_SIZE 65
#define TICKET_SIZE (4 + 8 + TICKET_POINT_SIZE + 32)
#define TICKET_LIFE_S 120            /* what the database gives; clocks of two machines may differ by as much */

enum ticket_kind {
	TICKET_DEVICE = 1,           /* object: the device, version: of its key */
	TICKET_CREDENTIALS = 2,      /* object: the image, version: of its credentials */
	/* What a person asks for, who stands in place of the agent. There is no agent's key then (zeros), and no recipient but what the
	 * functions below put there. */
	TICKET_EXPORT = 3,
	TICKET_COPY = 4,
};

struct ticket_claims {
	enum ticket_kind kind;
	struct uuid tenant, object, request, agent;
	uint32_t version;
	const uint8_t *recipient;    /* TICKET_POINT_SIZE bytes: whom it is sealed to */
};

struct ticket {
	uint32_t generation;
	clock_us expires;
	uint8_t agent_key[TICKET_POINT_SIZE];        /* the agent's signing key, as the database knows it */
	uint8_t mac[32];
};

/* ERR_FORBIDDEN unless it has a ticket's form; says nothing of what is in it. */
int ticket_read(struct wire_view bytes, struct ticket *out);
/* 0 when T, whose generation KEY is of, is for CLAIMS and not over; ERR_FORBIDDEN: for something else; ERR_EXPIRED. */
int ticket_check(const struct ticket *t, const uint8_t key[static TICKET_KEY_SIZE], const struct ticket_claims *claims, clock_us now);
/* What the database does; for tests and measurements. */
int ticket_make(const uint8_t key[static TICKET_KEY_SIZE], uint32_t generation, const struct ticket_claims *claims, clock_us expires,
	const uint8_t agent_key[static TICKET_POINT_SIZE], uint8_t out[static TICKET_SIZE]);

/* In place of a recipient: SHA-256 of the export key, or the clone and its key's version; then zeros. */
void ticket_export(const uint8_t export_key[static EXPORTED_KEY_SIZE], uint8_t out[static TICKET_POINT_SIZE]);
void ticket_copy(const struct uuid *clone, uint32_t version, uint8_t out[static TICKET_POINT_SIZE]);

#endif
