/* client.h - the sign-on service as its callers see it: questions built, answers taken apart.
 *
 * Pages never wait for an answer: they build a question with sso_begin and the functions below and hand it to the pipeline (web/ask.h),
 * which runs the page again when the answer is there. Only sso_status is asked and waited for, which the service answers at once. */
#ifndef SSO_CLIENT_H
#define SSO_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "sso/message.h"

struct sso_status {
	uint32_t running, waiting;               /* questions now */
	clock_us started;
	int pid;
	char version[32];
	uint64_t done, failed, late, refused;    /* since it was started; LATE and REFUSED are among FAILED */
};

/* ERR_UNAVAILABLE, ERR_TIMEOUT: it does not run, or hangs. */
int sso_status(const char *socket, int timeout_ms, struct sso_status *out);

/* Begins the question in OUT, which is made large enough not to move, as it may hold secrets: end with sso_wipe. TENANT NULL: the
 * operator's side. */
void sso_begin(struct buf *out, enum sso_type type, const struct uuid *request, const struct uuid *tenant);
void sso_wipe(struct buf *b);        /* and frees */
/* Milliseconds after which no answer to a question of this type will come any more. */
int sso_patience(const struct buf *question);
/* Puts R at the results of ANSWER to QUESTION. An error that ssod answered, with its reason as this thread's error text; ERR_INTERNAL:
 * what makes no sense. */
int sso_results(const struct buf *question, const struct buf *answer, struct wire_reader *r);
/* The one JSON object that many answers are; the caller's reference. */
int sso_result_json(const struct buf *question, const struct buf *answer, json_t **out);

#endif
