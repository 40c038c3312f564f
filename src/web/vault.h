/* vault.h - a tenant's own secrets (passphrases, API keys of other systems), kept as blobs of keyd under the tenant's key. */
#ifndef WEB_VAULT_H
#define WEB_VAULT_H

#include "base/secret.h"
#include "web/call.h"

/* PURPOSE as in keys/client.h: what was protected for one purpose opens for no other. BLOB is replaced. */
int vault_protect(struct call *c, const char *purpose, const struct secret *plain, struct buf *blob);
int vault_reveal(struct call *c, const char *purpose, const struct buf *blob, struct secret **plain);
/* The same for what belongs to the user OBJECT and opens for no other; also while the account is not active. */
int vault_protect_of(struct call *c, const char *purpose, const struct uuid *object, const struct secret *plain, struct buf *blob);
int vault_reveal_of(struct call *c, const char *purpose, const struct uuid *object, const struct buf *blob, struct secret **plain);
/* The parameter NAME as a secret; the caller frees. */
struct secret *vault_typed(const struct call *c, const char *name);

#endif
