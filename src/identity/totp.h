/* totp.h - one-time codes by the clock (RFC 6238: SHA-1, 6 digits, 30 seconds, which every app has), and recovery codes (IDN-5). */
#ifndef IDENTITY_TOTP_H
#define IDENTITY_TOTP_H

#include <stdint.h>

#include "base/clock.h"
#include "base/secret.h"

#define TOTP_SECRET_SIZE 20
#define TOTP_TEXT_SIZE 33        /* of the secret for people: base32, and the zero byte */
#define TOTP_STEP (30 * CLOCK_SECOND)
#define TOTP_WINDOW 1            /* steps before and after that count too: clocks differ, people type slowly */
#define TOTP_CODE_HASH 32

/* A new random secret; the caller frees. */
struct secret *totp_secret_new(void);
/* The secret as one types it into an app; wipe it. */
int totp_text(const struct secret *s, char out[static TOTP_TEXT_SIZE]);
/* What the QR code says: "otpauth://totp/ISSUER:ACCOUNT?secret=...". Any UTF-8 in both. The caller frees the secret (a text, ended by a zero
 * byte within its length). */
int totp_address(const struct secret *s, const char *issuer, const char *account, struct secret **out);
/* 1 when CODE, 6 digits with or without spaces, is one of about NOW, and of a later step than AFTER: *STEP is its own; else 0. */
int totp_check(const struct secret *s, const char *code, clock_us now, int64_t after, int64_t *step);
/* The hash of a recovery code (token_code makes them) however it is typed: case, blanks and hyphens do not matter. 1; 0 when it cannot be one. */
int totp_recovery_hash(const char *typed, uint8_t hash[static TOTP_CODE_HASH]);

#endif
