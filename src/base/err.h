/* err.h - the one error idiom of Keyward.
 *
 * A function that can fail returns int: 0 (or a count) on success, one of the negative codes below on failure. Outputs
 * are written only on success. Where the code alone would not help, the failing function says what happened:
 *
 *     return err_set(ERR_DB, "insert device: %s", PQerrorMessage(conn));
 *
 * The text belongs to the calling thread and lasts until its next err_set. It is for logs and administrators; pages
 * shown to users have texts of their own. It never holds a secret. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* code, name on the wire and in logs */
#define ERR_CODES(X) \
	X(INVALID, -1, "invalid")           /* input that breaks its syntax or a limit */ \
	X(NOT_FOUND, -2, "not-found")       /* no such thing, or not one that the caller may know of */ \
	X(FORBIDDEN, -3, "forbidden")       /* known caller, act not allowed */ \
	X(UNAUTHENTICATED, -4, "unauthenticated") \
	X(CONFLICT, -5, "conflict")         /* state has moved on: not legal now, or already there */ \
	X(TOO_LARGE, -6, "too-large") \
	X(TOO_MANY, -7, "too-many")         /* rate or lock-out: later */ \
	X(UNAVAILABLE, -8, "unavailable")   /* a peer (database, keyd, disk) does not answer */ \
	X(TIMEOUT, -9, "timeout") \
	X(IO, -10, "io") \
	X(DB, -11, "database") \
	X(CRYPTO, -12, "crypto") \
	X(TAMPERED, -13, "tampered")        /* authentication of data failed */ \
	X(REPLAYED, -14, "replayed") \
	X(REORDERED, -15, "reordered") \
	X(TRUNCATED, -16, "truncated") \
	X(VERSION, -17, "version") \
	X(EXPIRED, -18, "expired") \
	X(SUSPENDED, -19, "suspended") \
	X(SEALED, -20, "sealed")            /* key service has no root key yet */ \
	X(UNSUPPORTED, -21, "unsupported") \
	X(BUSY, -22, "busy")                /* in use, mounted, locked by another */ \
	X(INTERNAL, -99, "internal")

enum err_code {
#define X(name, value, text) ERR_##name = (value),
	ERR_CODES(X)
#undef X
};

/* Remembers the text for this thread and returns CODE. */
int err_set(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts "context: " before the remembered text and returns CODE: for callers that know what it was about. */
int err_wrap(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text of this thread's last failure; "" when there was none. */
const char *err_text(void);
/* "not-found" for ERR_NOT_FOUND; "unknown" for what is not a code. */
const char *err_name(int code);
/* The code for a name; 0 when there is none. */
int err_code(const char *name);
/* For start-up and broken invariants only: says so on stderr and exits with status 1. */
void fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
