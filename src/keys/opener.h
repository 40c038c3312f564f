/* opener.h - the child of keyd that stays root, so that keyd, which does not, can be given root keys that were made while it runs.
 *
 * It has no key when it starts and keeps none: it reads the list of root keys (roots.h) when keyd asks and passes on what the files hold, or
 * the end of a socket to a keeper (keeper.h) that it starts; and it replaces the identity file. It opens nothing but what root has
 * written into that list, and writes nothing else. */
#ifndef KEYS_OPENER_H
#define KEYS_OPENER_H

#include "keys/hierarchy.h"

struct opener_files {
	const char *roots, *identity;
	const char *provider, *location;     /* of the only root key, while there is no list */
};
/* Starts it, before keyd has any key. FILES' texts must last. */
int opener_start(const struct opener_files *files, const char *user);
/* Makes H's roots those of the list: what is new is opened, and told PASSPHRASE (may be NULL) where it waits for one; what is not in it any more
 * is closed. On an error H is as it was. ERR_SEALED: the one that is to wrap is not at hand; ERR_NOT_FOUND: there is no list, and H has a
 * root; ERR_CONFLICT: another root key is where the one in use was; ERR_UNAVAILABLE. A H without a root takes one that waits for its word, too. */
int opener_reload(struct hierarchy *h, const struct secret *passphrase);
/* The identity file's bytes from now on. */
int opener_identity(const void *blob, size_t len);

#endif
