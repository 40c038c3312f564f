/* beat.h - a process of ours says every few seconds that it is here, and how the services do that it asks: rows of the table `process`, which
 * all pages, /metrics and `keyward status` read. A thread with a connection of its own, so that nobody waits for it. */
#ifndef HEALTH_BEAT_H
#define HEALTH_BEAT_H

#include <jansson.h>

struct keys_status;              /* keys/client.h */
struct sso_status;               /* sso/client.h */

/* Strings are copied. */
struct beat_how {
	const char *kind;                /* "web", "jobd" */
	const char *host;                /* beat_host */
	const char *conninfo;            /* role central or jobs */
	const char *keyd_socket, *sso_socket;    /* as this process sees them; NULL or "": not asked */
	const char *state;               /* folder of the installation's state, whose disk is looked at, and the machine's clock; NULL: not by this one */
};

#define BEAT_HOST_SIZE 256

/* This machine's name into OUT, of BEAT_HOST_SIZE. Before the process is locked in. */
void beat_host(char *out);

/* What a service that was asked says of itself: `detail` of its row, the caller's. */
json_t *beat_keyd_says(const struct keys_status *s);
json_t *beat_sso_says(const struct sso_status *s);

struct beat;

/* Ends the process where there is no thread. */
struct beat *beat_start(const struct beat_how *how);
/* VALUE, taken over, is part of what it says from now on, as NAME. */
void beat_note(struct beat *b, const char *name, json_t *value);
/* Takes the process' row away. NULL is fine. */
void beat_stop(struct beat *b);

#endif
