/* totp.c - one-time codes, by liboath. */
#include "identity/totp.h"

#include <ctype.h>
#include <liboath/oath.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "identity/token.h"

#define DIGITS 6
#define RECOVERY_CHARACTERS 20   /* of token_code */

_Static_assert(TOTP_CODE_HASH == TOKEN_HASH_SIZE, "recovery codes are hashed as tokens are");

struct secret *totp_secret_new(void)
{
	struct secret *s = secret_new(TOTP_SECRET_SIZE);

	randombytes_buf(s->data, s->len);
	return s;
}

int totp_text(const struct secret *s, char out[static TOTP_TEXT_SIZE])
{
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	if (oath_base32_encode((const char *)s->data, s->len, &text, &len) != OATH_OK || len >= TOTP_TEXT_SIZE)
		rc = err_set(ERR_CRYPTO, "base32");
	if (rc == 0)
		snprintf(out, TOTP_TEXT_SIZE, "%s", text);
	if (text)
		secret_wipe(text, len);
	free(text);
	return rc;
}

/* Appends TEXT percent-encoded at AT; 0 when there is no room before END. A colon, even encoded, ends the issuer for the apps (Key Uri Format): it is left
 * out. */
static int put_encoded(char **at, const char *end, const char *text)
{
	for (; *text; text++) {
		unsigned char b = (unsigned char)*text;

		if (b == ':')
			continue;
		if (end - *at < 4)
			return 0;
		if (isalnum(b) || strchr("-._~@", b))
			*(*at)++ = (char)b;
		else
			*at += snprintf(*at, 4, "%%%02X", b);
	}
	**at = '\0';
	return 1;
}

int totp_address(const struct secret *s, const char *issuer, const char *account, struct secret **out)
{
	struct secret *address = secret_new(64 + TOTP_TEXT_SIZE + 6 * strlen(issuer) + 3 * strlen(account) + 64);
	char *at = (char *)address->data, text[TOTP_TEXT_SIZE];
	const char *end = at + address->len;
	int rc = totp_text(s, text);

	at += snprintf(at, address->len, "otpauth://totp/");
	if (rc == 0 && put_encoded(&at, end, issuer) && end - at > 1 && (*at++ = ':', put_encoded(&at, end, account))) {
		at += snprintf(at, (size_t)(end - at), "?secret=%s&issuer=", text);
		if (!put_encoded(&at, end, issuer))
			rc = ERR_TOO_LARGE;
	}
	secret_wipe(text, sizeof text);
	if (rc < 0) {
		secret_free(address);
		return rc;
	}
	*out = address;
	return 0;
}

/* What stands between the digits where people copy a code: bytes to leave out, or 0. */
static size_t blank(const char *at)
{
	static const char *const blanks[] = { " ", "-", "\t", "\xc2\xa0" };

	for (size_t i = 0; i < ARRAY_LEN(blanks); i++)
		if (strncmp(at, blanks[i], strlen(blanks[i])) == 0)
			return strlen(blanks[i]);
	return 0;
}

int totp_check(const struct secret *s, const char *code, clock_us now, int64_t after, int64_t *step)
{
	char digits[DIGITS + 1] = "";
	uint64_t counter = 0;
	size_t n = 0;
	int found;

	for (size_t skip; *code; code += skip ? skip : 1) {
		skip = blank(code);
		if (skip)
			continue;
		if (!isdigit((unsigned char)*code) || n == DIGITS)
			return 0;
		digits[n++] = *code;
	}
	if (n != DIGITS)
		return 0;
	found = oath_totp_validate3((const char *)s->data, s->len, (time_t)(now / CLOCK_SECOND), TOTP_STEP / CLOCK_SECOND, 0, TOTP_WINDOW, NULL,
		&counter, digits);
	if (found < 0 || (int64_t)counter <= after)
		return 0;
	*step = (int64_t)counter;
	return 1;
}

int totp_recovery_hash(const char *typed, uint8_t hash[static TOTP_CODE_HASH])
{
	char plain[RECOVERY_CHARACTERS + 1] = "";
	size_t n = 0;

	for (size_t skip; *typed; typed += skip ? skip : 1) {
		skip = blank(typed);
		if (skip)
			continue;
		if (!isalnum((unsigned char)*typed) || n == RECOVERY_CHARACTERS)
			return 0;
		plain[n++] = (char)toupper((unsigned char)*typed);
	}
	if (n == RECOVERY_CHARACTERS)
		token_hash(plain, hash);
	secret_wipe(plain, sizeof plain);
	return n == RECOVERY_CHARACTERS;
}
