/* act.h - one message while keyd handles it, and the fields that messages share. A handler is answer_NAME for a row of MESSAGES
 * (message.h); those of one family are in one answer_*.c. */
#ifndef KEYS_ACT_H
#define KEYS_ACT_H

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "keys/blob.h"
#include "keys/client.h"
#include "keys/hierarchy.h"
#include "keys/message.h"
#include "keys/service.h"
#include "keys/ticket.h"

#define ACT_PURPOSE_SIZE (KEYS_PURPOSE_MAX + 16)

struct act {
	struct service *service;
	const struct service_peer *peer;
	struct wire_reader in;
	struct buf *out;
	struct uuid request;
	struct uuid tenant, object, clone, by; /* for the log; nil where there is none */
	/* Of a key server (answer_keyserver.c). */
	const struct keyserver_reply *reply;   /* NULL: the message is handled for the first time */
	uint32_t parked;                       /* the number of the reply that it waits for; 0: it does not */
	struct uuid parked_for;
};

/* Reads the message's fields, answers into OUT; 0 or the error that becomes the answer. */
#define X(name, type) int answer_##name(struct act *a);
MESSAGES(X)
#undef X

/* Fields. What is wrong with one is the reader's error, which wire_end tells; they note for the log whose it is. */
struct hierarchy_tenant act_tenant(struct act *a);
struct blob_label act_device(struct act *a, struct hierarchy_tenant *tenant);
/* PREFIX keeps what callers name apart from keyd's own purposes. */
void act_purpose(struct act *a, const char *prefix, char out[static ACT_PURPOSE_SIZE]);
/* LABEL lends PURPOSE. */
void act_object(struct act *a, struct hierarchy_tenant *tenant, struct blob_label *label, char purpose[static ACT_PURPOSE_SIZE]);
/* The key of LABEL's device, wherever it is kept: whoever uses a device's key takes it from here. *OUT is the caller's. Where the
 * key is on a key server the first call fails, and the message is handled once more when it has come: nothing may have been done before. */
int act_device_key(struct act *a, const struct hierarchy_tenant *tenant, struct blob_label *label, struct wire_view wrapped,
	struct secret **out);
/* A copy of V; the caller's. */
struct secret *act_lend(struct wire_view v);

/* PROOF: that the database lets this key go to this agent, and that the agent itself has made the one-time key. */
struct act_proof {
	struct wire_view ticket, signature;
	char *device;                          /* freed by act_prove */
};
struct act_proof act_proof(struct act *a);
/* 0, or why nothing may be sealed: ERR_FORBIDDEN, ERR_EXPIRED, ERR_TAMPERED (the signature), ERR_INVALID (no point), ERR_SEALED. RC: what
 * was wrong before; then nothing is looked at. */
int act_prove(struct act *a, int rc, struct act_proof *proof, const struct ticket_claims *claims);

/* That a person has asked for it: who, and the database's word for that. */
struct act_asked {
	struct uuid by;
	struct wire_view ticket;
};
struct act_asked act_asked(struct act *a);
/* 0, or why it is not done: as act_prove. CLAIMS without its agent, which is the person here. */
int act_prove_asked(struct act *a, int rc, const struct act_asked *asked, struct ticket_claims *claims);

/* 1 for purposes of signing keys ("system/signing-..."), which are opened for nobody. */
int act_is_signing(const char *purpose);

/* 0. */
int act_put(struct act *a, const struct buf *b);
/* Whoever may ask for keys may not therefore decide that keys can be asked for. */
int act_need_root(const struct act *a);
/* ERR_SEALED while what the root key opens is not there. */
int act_need_signer(const struct act *a);

#endif
