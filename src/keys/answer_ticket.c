/* answer_ticket.c - proofs of approval: their key, for the database; and whether one holds. Everything that seals a key to an agent asks here
 * first (act_prove), and so does what gives a key out for a person (act_prove_asked). */
#include "keys/act.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "keys/client.h"
#include "proto/evidence.h"

_Static_assert(TICKET_SIZE <= KEYS_TICKET_MAX, "a message has room for a ticket");

/* Earlier ones are worth nothing any more: that is what their key was changed for. */
static void raise_floor(struct act *a, uint32_t generation)
{
	char text[16];

	if (generation <= a->service->ticket_floor)
		return;
	snprintf(text, sizeof text, "%u", (unsigned)generation);
	log_info("proofs of approval", "generation", text, NULL);
	a->service->ticket_floor = generation;
}

int answer_ticket_key(struct act *a)
{
	uint32_t generation = wire_get_u32(&a->in);
	int final = wire_get_u8(&a->in);
	const uint8_t *key;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_root(a);
	if (rc == 0)
		rc = act_need_signer(a);
	if (rc == 0 && generation == 0)
		rc = err_set(ERR_INVALID, "proofs of approval have generations from 1");
	if (rc == 0 && final && generation < a->service->ticket_floor)
		rc = err_set(ERR_CONFLICT, "proofs of approval are of generation %u already", (unsigned)a->service->ticket_floor);
	if (rc == 0)
		rc = signer_ticket_key(a->service->signer, generation, &key);
	if (rc < 0)
		return rc;
	if (final)
		raise_floor(a, generation);
	wire_put_raw(a->out, key, SIGNER_TICKET_KEY_SIZE);
	return 0;
}

struct act_proof act_proof(struct act *a)
{
	struct act_proof p = { .ticket = wire_get_bytes(&a->in, KEYS_TICKET_MAX) };

	p.device = wire_get_string(&a->in, KEYS_AGENT_DEVICE_MAX);
	p.signature = wire_get_raw(&a->in, KEYS_SIGNATURE_SIZE);
	return p;
}

static int check_ticket(struct act *a, struct wire_view ticket, const struct ticket_claims *claims, struct ticket *t)
{
	const uint8_t *key;
	int rc = ticket_read(ticket, t);

	if (rc == 0)
		rc = act_need_signer(a);
	if (rc == 0 && (t->generation == 0 || t->generation < a->service->ticket_floor))
		rc = err_set(ERR_FORBIDDEN, "a proof of approval of a former generation");
	if (rc == 0)
		rc = signer_ticket_key(a->service->signer, t->generation, &key);
	if (rc == 0)
		rc = ticket_check(t, key, claims, clock_now());
	if (rc == 0)
		raise_floor(a, t->generation);
	return rc;
}

/* Whoever may write into the database could put a one-time key of his own there; he has no agent's signature over it. */
static int check_recipient(struct act *a, const struct act_proof *proof, const struct ticket *t, const struct ticket_claims *claims)
{
	const struct proto_recipient r = { .account = claims->tenant, .agent = claims->agent, .device = proof->device, .key = claims->recipient };
	int rc = seen_recipient(&a->service->seen, &r, t->agent_key, proof->signature.data);

	return rc == ERR_TAMPERED ? err_set(rc, "the agent has not signed the key that this is to be sealed to") : rc;
}

int act_prove(struct act *a, int rc, struct act_proof *proof, const struct ticket_claims *claims)
{
	struct ticket t;

	if (rc == 0)
		rc = check_ticket(a, proof->ticket, claims, &t);
	if (rc == 0)
		rc = check_recipient(a, proof, &t, claims);
	free(proof->device);
	return rc;
}

struct act_asked act_asked(struct act *a)
{
	struct act_asked asked = { .by = wire_get_uuid(&a->in) };

	asked.ticket = wire_get_bytes(&a->in, KEYS_TICKET_MAX);
	a->by = asked.by;
	return asked;
}

int act_prove_asked(struct act *a, int rc, const struct act_asked *asked, struct ticket_claims *claims)
{
	struct ticket t;

	claims->agent = asked->by;
	return rc < 0 ? rc : check_ticket(a, asked->ticket, claims, &t);
}
