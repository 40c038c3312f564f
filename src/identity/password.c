/* password.c - rules and hashing of local passwords. */
#include "identity/password.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

#include "base/err.h"

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_STRBYTES, "libsodium's text form");

int password_length(const char *utf8)
{
	int n = 0;

	for (; *utf8; utf8++)
		n += ((unsigned char)*utf8 & 0xc0) != 0x80;
	return n;
}

int password_check(const char *password)
{
	int upper = 0, lower = 0, digit = 0, special = 0, length = password_length(password);

	for (const char *c = password; *c; c++) {
		unsigned char b = (unsigned char)*c;

		if (b < 0x20 || b == 0x7f)
			return err_set(ERR_INVALID, "The password must not contain control characters.");
		upper |= isupper(b);
		lower |= islower(b);
		digit |= isdigit(b);
		special |= b >= 0x80 || ispunct(b) || b == ' ';
	}
	if (length < PASSWORD_LEAST || length > PASSWORD_MOST)
		return err_set(ERR_INVALID, "The password must have %d to %d characters.", PASSWORD_LEAST, PASSWORD_MOST);
	if (!upper || !lower || !digit || !special)
		return err_set(ERR_INVALID, "The password needs %s.", !upper ? "an upper case letter" : !lower ? "a lower case letter" :
			!digit ? "a numeral" : "a special character");
	return 0;
}

int password_hash(const char *password, char out[static PASSWORD_HASH_SIZE])
{
	if (crypto_pwhash_str_alg(out, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
			crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(ERR_CRYPTO, "argon2id: out of memory");
	return 0;
}

/* A hash that no password has, made once per process, for users that do not exist. */
static const char *decoy(void)
{
	static _Thread_local char hash[PASSWORD_HASH_SIZE];
	char password[33];

	if (hash[0] == '\0') {
		randombytes_buf(password, sizeof password - 1);
		if (crypto_pwhash_str_alg(hash, password, sizeof password - 1, crypto_pwhash_OPSLIMIT_INTERACTIVE,
				crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13) != 0)
			fatal("argon2id: out of memory");
	}
	return hash;
}

int password_verify(const char *hash, const char *password)
{
	int matches = crypto_pwhash_str_verify(hash ? hash : decoy(), password, strlen(password)) == 0;

	return hash != NULL && matches;
}
