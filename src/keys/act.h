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

#define ACT_PURPOSE_SIZE (KEYS_PURPOSE_MAX + 16)

struct act {
	struct service *service;
	const struct service_peer *peer;
	struct wire_reader in;
	struct buf *out;
	struct uuid request;
	struct uuid tenant, object, clone;     /* for the log; nil where there is none */
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
/* The key of LABEL's device, wherever it is kept: whoever uses a device's key takes it from here. *OUT is the caller's. */
int act_device_key(struct act *a, const struct hierarchy_tenant *tenant, struct blob_label *label, struct wire_view wrapped,
	struct secret **out);
/* A copy of V; the caller's. */
struct secret *act_lend(struct wire_view v);

/* 0. */
int act_put(struct act *a, const struct buf *b);
/* Whoever may ask for keys may not therefore decide that keys can be asked for. */
int act_need_root(const struct act *a);

#endif
