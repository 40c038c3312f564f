/* chain.h - the hash chain of the log: what an entry's hash is made of, and whether a run of entries is whole. Pure.
 *
 * An entry's hash is SHA-256 over its fields and the previous entry's hash, each field behind its length as four bytes,
 * big-endian, a null as the length 0xffffffff; sql/0003_audit.sql computes the same bytes. Sequence numbers begin at 1 and
 * leave no gap; the first entry's previous hash is 32 zero bytes. The head (number and hash of the last entry) is kept apart
 * from the entries, so that a cut-off end shows. */
#ifndef AUDIT_CHAIN_H
#define AUDIT_CHAIN_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"

#define AUDIT_HASH_SIZE 32

/* Strings are borrowed; NULL and has_... 0 stand for null. */
struct audit_entry {
	struct uuid tenant;          /* nil: the installation's own chain */
	int64_t seq;
	clock_us at;
	const char *category, *event;
	const char *actor_kind;
	int has_actor_id;
	struct uuid actor_id;
	const char *actor_name;
	const char *object_kind;
	int has_object_id;
	struct uuid object_id;
	const char *object_name;
	const char *detail;          /* JSON, the very text that is stored */
	const char *address, *request, *written_by;
	uint8_t previous[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
};

/* Verification: begin, step over all entries by seq, end with the head. The first error stays. */
struct audit_verify {
	struct uuid tenant;
	int64_t seq;                 /* of the last good entry */
	uint8_t hash[AUDIT_HASH_SIZE];
	int error;
};

/* The bytes that are hashed are appended to OUT. */
void audit_encode(const struct audit_entry *e, struct buf *out);
void audit_hash(const struct audit_entry *e, uint8_t out[static AUDIT_HASH_SIZE]);

void audit_verify_begin(struct audit_verify *v, const struct uuid *tenant);
/* 0, or ERR_TAMPERED (altered, or of another chain), ERR_REORDERED, ERR_TRUNCATED (entries are missing) with a text that names the
 * entry. */
int audit_verify_step(struct audit_verify *v, const struct audit_entry *e);
/* SEQ 0: the chain has no head yet, so there must be no entry. */
int audit_verify_end(const struct audit_verify *v, int64_t seq, const uint8_t hash[static AUDIT_HASH_SIZE]);

#endif
