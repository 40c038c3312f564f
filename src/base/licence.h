/* licence.h - activation codes (LIC-1): what one grants, as bytes that are signed and as text that a person pastes; whether it fits; and how
 * near its end or its limit an account is. Pure: no database, no clock. docs/licences.md describes every byte.
 *
 *     text     "KWL1." and base64url of payload and signature; white space in it is ignored
 *     payload  u8 version 1, u8 kind, uuid installation, uuid account, u32 serial, u32 keys, u64 issued, u64 until (seconds since 1970)
 *     signed   LICENCE_CONTEXT and the payload, by Ed25519 (RFC 8032) */
#ifndef BASE_LICENCE_H
#define BASE_LICENCE_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"

#define LICENCE_PREFIX "KWL1."
#define LICENCE_CONTEXT "keyward licence 1\n"
#define LICENCE_PAYLOAD_SIZE 58
#define LICENCE_SIGNATURE_SIZE 64
#define LICENCE_PUBLIC_SIZE 32
#define LICENCE_TEXT_MAX 400     /* of what is pasted, line breaks included */
#define LICENCE_KEYS_MAX 100000000

#define LICENCE_KINDS(X) \
	X(TRIAL, 1, "trial", "Trial") \
	X(FULL, 2, "full", "Full")

enum licence_kind {
#define X(id, number, name, label) LICENCE_##id = (number),
	LICENCE_KINDS(X)
#undef X
};

const char *licence_kind_name(enum licence_kind k);
const char *licence_kind_label(enum licence_kind k);
int licence_kind_parse(const char *name, enum licence_kind *out);    /* ERR_INVALID */

struct licence {
	enum licence_kind kind;
	struct uuid installation, account;
	uint32_t serial;             /* of the account, from 1: a later code takes the place of an earlier one */
	uint32_t keys;               /* that may be in use at once */
	clock_us issued, until;      /* whole seconds */
};

/* What is signed: LICENCE_CONTEXT and the payload, appended to OUT. */
void licence_signed(const struct licence *l, struct buf *out);
/* The code; the caller frees. */
char *licence_text(const struct licence *l, const uint8_t signature[static LICENCE_SIGNATURE_SIZE]);
/* Takes TEXT apart, whoever has signed it. ERR_INVALID: it is no code, or not whole; ERR_VERSION: of a later form. */
int licence_read(const char *text, struct licence *out, uint8_t signature[static LICENCE_SIGNATURE_SIZE]);
/* 1 when SIGNATURE is that of the key PUBLIC. */
int licence_is_signed(const struct licence *l, const uint8_t signature[static LICENCE_SIGNATURE_SIZE],
	const uint8_t public_key[static LICENCE_PUBLIC_SIZE]);

/* What can be wrong with a code, in the order in which it is looked for: what its reader is told. */
#define LICENCE_FAULTS(X) \
	X(NONE, "") \
	X(NO_CODE, "This is not an activation code, or a part of it is missing. It begins with KWL1.") \
	X(LATER, "This activation code is of a later form than this installation knows. Update the installation.") \
	X(FOREIGN, "This activation code was made for another installation.") \
	X(BAD, "This activation code was altered or mistyped: its signature does not fit.") \
	X(OTHER, "This activation code was made for another account.") \
	X(EXPIRED, "This activation code has expired. Ask your provider for a new one.") \
	X(SAME, "This activation code is in force already.") \
	X(REPLACED, "This activation code was in force before and has been replaced by a later one.") \
	X(OLDER, "This activation code is older than the one in force.")

enum licence_fault {
#define X(id, text) LICENCE_FAULT_##id,
	LICENCE_FAULTS(X)
#undef X
};

/* PRESENT: serial of the code in force, 0: none but the trial that accounts begin with. HAD: this very serial was entered before. */
enum licence_fault licence_judge(const struct licence *l, int is_signed, const struct uuid *installation, const struct uuid *account,
	uint32_t present, int had, clock_us now);
const char *licence_fault_text(enum licence_fault f);

/* How near to the limit and to the end, in the order of their weight: name, of what ("keys", "end"), level, notice's kind, what everybody is
 * told. Which level holds is said by licence_level_keys and licence_level_end (sql/0034), for lists and for one account alike. */
#define LICENCE_WARNINGS(X) \
	X(NONE, "", "", 0, "", "") \
	X(KEYS_80, "keys-80", "keys", 1, "warning", "80 % or more of the licensed keys are in use.") \
	X(DAYS_30, "days-30", "end", 1, "warning", "The licence ends within 30 days.") \
	X(KEYS_95, "keys-95", "keys", 2, "warning", "95 % or more of the licensed keys are in use.") \
	X(DAYS_7, "days-7", "end", 2, "warning", "The licence ends within 7 days.") \
	X(DAYS_1, "days-1", "end", 3, "danger", "The licence ends within one day.") \
	X(FULL, "full", "keys", 3, "danger", "All licensed keys are in use: no further device can be encrypted. Keys of encrypted devices are delivered as ever.") \
	X(ENDED, "ended", "end", 4, "danger", "The licence has ended: no further device can be encrypted. Keys of encrypted devices are delivered as ever.") \
	X(MISSING, "missing", "none", 0, "danger", "There is no licence: no device can be encrypted.")

enum licence_warning {
#define X(id, ...) LICENCE_WARNING_##id,
	LICENCE_WARNINGS(X)
#undef X
};

/* What an account has and uses. */
struct licence_state {
	int has;                     /* 0: no licence at all */
	enum licence_kind kind;
	int64_t serial, keys;
	clock_us until;
	int64_t used;                /* keys in use: docs/licences.md says which these are */
	int64_t pending;             /* devices whose encryption is asked for and has not begun */
	int level_keys, level_end;
};

enum licence_warning licence_warn_of(const char *what, int level);       /* "keys" or "end" */
enum licence_warning licence_warn(const struct licence_state *s);        /* the weightier of the two */
const char *licence_warning_name(enum licence_warning w);
const char *licence_warning_kind(enum licence_warning w);        /* "warning" or "danger" */
const char *licence_warning_text(enum licence_warning w);
/* NULL where WANT more keys may come into use; else what to say to whoever asked. */
const char *licence_refusal(const struct licence_state *s, int64_t want, clock_us now);

#endif
