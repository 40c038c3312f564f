/* log_forward.h - where the bound chain of the log is sent on to (LOG-4), the installation's where none is bound: settings, how far it has come,
 * and how the receiver does. */
#ifndef STORE_LOG_FORWARD_H
#define STORE_LOG_FORWARD_H

#include <jansson.h>

#include "store/db.h"

#define LOG_FORWARD_JOB "log-forward"
#define LOG_FORWARD_PURPOSE "log-forward"        /* of keyd's blob with the private key of our certificate */
#define LOG_FORWARD_KEY_SETTING "log-forward.key"        /* the installation's */
#define LOG_FORWARD_PAUSE_MOST_S 60      /* between two attempts while the receiver is away */

/* Consoles */

struct log_forward_change {
	const char *host;
	int64_t port;
	const char *ca, *format;
	const char *certificate;     /* that the receiver wants of us; "": none */
	const struct buf *key;       /* keyd's blob of its private key; NULL: as it is, or none where there is no certificate */
	int from_first;              /* entries that are there already are sent, too */
};
/* Entries that a former receiver has are not sent to a new one unless FROM_FIRST. */
int log_forward_set(struct db *db, const struct log_forward_change *c);
int log_forward_remove(struct db *db);                       /* ERR_NOT_FOUND */
/* {host, port, ca, format, certificate, changed, sent, away_since, error, goodbye, waiting (entries), testing}; ERR_NOT_FOUND: none is set. */
int log_forward_show(struct db *db, json_t **out);
/* At once, with a message of its own if there is no entry. ERR_NOT_FOUND. */
int log_forward_try(struct db *db);

/* jobd */

struct log_forward {
	char *host, *ca, *format, *certificate;
	struct buf key;              /* as above; empty: none */
	int64_t port, version;
	int64_t seq;                 /* after this */
	int test;
	int goodbye;                 /* it has said goodbye (log_forward_sent) since these settings were saved */
};
void log_forward_free(struct log_forward *f);                /* zeroed is fine */
/* [{id}] of tenants for whom there is something to do. */
int log_forward_tenants(struct db *db, json_t **out);
/* Queues it for whom the transaction is bound to, where it is due. How many. */
int log_forward_run(struct db *db);
/* 1: OUT is due, and for a minute nobody else sends for it; 0: nothing to do. */
int log_forward_claim(struct db *db, struct log_forward *out);
/* It has all up to SEQ now, and has ended the connection with TLS's goodbye or without. News of a receiver that was away is logged. */
int log_forward_sent(struct db *db, const struct log_forward *f, int64_t seq, int goodbye);
/* What followed its last entry is not at hand any more: it goes on with entry FIRST, which is; logged. */
int log_forward_skip(struct db *db, const struct log_forward *f, int64_t first);
/* It has not: tried again later. */
int log_forward_failed(struct db *db, const struct log_forward *f, const char *error);

#endif
