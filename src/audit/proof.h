/* proof.h - that a chain is whole, for whoever has the public key of the log (LOG-3). Pure.
 *
 * Three things are held together: the entries at hand, which hang together by their hashes (chain.h); checkpoints, the chain's head as it was at some
 * time, signed by the key service; and records of months that retention has put into the archive, signed too, which stay when the archived file is
 * gone. Entries are missing unless a record covers them, and the chain must reach as far as its last checkpoint. */
#ifndef AUDIT_PROOF_H
#define AUDIT_PROOF_H

#include "audit/chain.h"

#define AUDIT_KEY_SIZE 32        /* Ed25519 */
#define AUDIT_SIGNATURE_SIZE 64
#define AUDIT_MONTH_SIZE 8       /* "2025-11" */

/* Whose log it is: what is signed for one account of one installation is of no use elsewhere. */
struct audit_scope {
	struct uuid installation, account;       /* account nil: the installation's own chain */
};

struct audit_checkpoint {
	int64_t seq;
	uint8_t hash[AUDIT_HASH_SIZE];
	clock_us at;
	uint8_t signature[AUDIT_SIGNATURE_SIZE];
};

struct audit_archive {
	char month[AUDIT_MONTH_SIZE];
	int64_t first, last;
	uint8_t before[AUDIT_HASH_SIZE], after[AUDIT_HASH_SIZE];     /* of the entry before the first; of the last */
	int64_t bytes;                   /* of the archived file */
	uint8_t digest[AUDIT_HASH_SIZE]; /* its SHA-256 */
	clock_us made;
	uint8_t signature[AUDIT_SIGNATURE_SIZE];
	int removed;                     /* not signed: whether the file is there still */
};

/* The bytes that are signed, appended to OUT: lines of text, the first of which says what it is. */
void audit_checkpoint_text(const struct audit_scope *s, const struct audit_checkpoint *c, struct buf *out);
void audit_archive_text(const struct audit_scope *s, const struct audit_archive *a, struct buf *out);
int audit_is_signed(const struct buf *text, const uint8_t signature[static AUDIT_SIGNATURE_SIZE], const uint8_t key[static AUDIT_KEY_SIZE]);

struct audit_proof {
	struct audit_scope scope;
	const uint8_t *key;              /* borrowed; NULL: the log has none, so nothing can be signed */
	struct audit_checkpoint *points;
	struct audit_archive *archives;
	size_t point_count, archive_count;
	int64_t entries;                 /* good ones */
	size_t removed;                  /* archives whose file is gone */
	/* below: its own */
	struct audit_verify chain;
	size_t point, archive;           /* the next to be passed */
	int begun;
};

/* Zeroed, with scope and key set; then all checkpoints and archives, each by rising numbers; begin; all entries by seq; end. Errors as in chain.h;
 * the first stays. */
void audit_proof_add_checkpoint(struct audit_proof *p, const struct audit_checkpoint *c);
void audit_proof_add_archive(struct audit_proof *p, const struct audit_archive *a);
int audit_proof_begin(struct audit_proof *p);
int audit_proof_entry(struct audit_proof *p, const struct audit_entry *e);
/* SEQ and HASH of the head, as for audit_verify_end. */
int audit_proof_end(struct audit_proof *p, int64_t seq, const uint8_t hash[static AUDIT_HASH_SIZE]);
void audit_proof_release(struct audit_proof *p);

#endif
