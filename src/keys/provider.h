/* provider.h - where the root key lives. A backend is one struct in one file; only keyd links them; provider.c lists them.
 *
 * A provider wraps and unwraps tenant keys and the installation's own secrets; it gives the root key to nobody. */
#ifndef KEYS_PROVIDER_H
#define KEYS_PROVIDER_H

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "keys/blob.h"
#include "keys/cause.h"

#define PROVIDER_PASSPHRASE_MIN 12   /* bytes */
#define PROVIDER_PASSPHRASE_MAX 1024
#define PROVIDER_WHY_SIZE 256

struct provider_options {
	const char *location;        /* the provider's own words for where: a path, a URI */
	const struct secret *file;   /* what is in the file at LOCATION, where who opens may not read it; NULL: it is read */
	int may_create;              /* 1 at an installation's first start: nothing was ever wrapped */
	int by_person;               /* 1: somebody has asked for it and sees what comes of it, so a PIN may be tried that a start must not try */
	struct uuid wanted;          /* the root key's id, where that is known: another one is not opened (ERR_CONFLICT). nil: any */
	const struct secret *passphrase;     /* to create with; NULL: none */
};

struct provider_root;                /* an opened root key; what is inside is the provider's */

struct provider {
	const char *name;
	int apart;                   /* its calls leave the process: it runs in a child of keyd (keeper.h) */
	int (*prepare)(const struct provider_options *options);  /* as root, before open; may be NULL */
	/* Reads what is on disk: afterwards the process is locked in. ERR_SEALED: the root key is not at hand now, keyd may start
	 * without it. Any other error: it must not start. */
	int (*open)(const struct provider_options *options, struct provider_root **out);

	/* Where people hold the key; all NULL elsewhere. Until unseal has succeeded wrap and unwrap fail with ERR_SEALED. */
	int (*is_sealed)(struct provider_root *root);
	const char *(*why)(const struct provider_root *root);    /* what keeps it sealed, in words, as far as it knows; may be NULL */
	enum keys_cause (*cause)(const struct provider_root *root);      /* the same for programs; NULL where it is never sealed */
	int (*unseal)(struct provider_root *root, const struct secret *passphrase);      /* ERR_FORBIDDEN: it is the wrong one */
	void (*seal)(struct provider_root *root);        /* wipes */
	void (*retry)(struct provider_root *root);       /* now and then: looks whether what was away is back; may be NULL */
	/* Of an unsealed root, before the process is locked in. */
	int (*change)(struct provider_root *root, const char *location, const struct secret *passphrase);

	/* blob.h's form, with the root key's id. ERR_CRYPTO, ERR_UNAVAILABLE, ERR_TIMEOUT. OUT's content is replaced. */
	int (*wrap)(struct provider_root *root, const struct blob_label *label, const struct secret *plain, struct buf *out);
	/* As wrap, and ERR_TAMPERED. *PLAIN is the caller's. */
	int (*unwrap)(struct provider_root *root, const struct blob_label *label, struct wire_view blob, struct secret **plain);
	int (*is_gone)(const struct provider_root *root);        /* 1: it will never come back to this process; may be NULL */
	/* The root key's id, which never changes and tells nothing about the key. */
	void (*describe)(const struct provider_root *root, struct uuid *id);
	void (*close)(struct provider_root *root);   /* wipes; NULL is fine */
};

extern const struct provider provider_file, provider_passphrase, provider_pkcs11, provider_kmip;

/* ERR_CONFLICT unless FOUND is the root key that is WANTED (nil: any). */
int provider_check(const struct uuid *wanted, const struct uuid *found);
/* ERR_NOT_FOUND names those that there are. */
int provider_find(const char *name, const struct provider **out);

#endif
