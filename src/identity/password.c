/* password.c - rules and hashing of local passwords. */
#include "identity/password.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

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
	if (!upper)
		return err_set(ERR_INVALID, "The password needs an upper case letter.");
	if (!lower)
		return err_set(ERR_INVALID, "The password needs a lower case letter.");
	if (!digit)
		return err_set(ERR_INVALID, "The password needs a numeral.");
	if (!special)
		return err_set(ERR_INVALID, "The password needs a special character.");
	return 0;
}

/* What lists of broken passwords begin with once numerals and special characters are off; the rules above let such pass. */
static const char *const common[] = { "password", "passwort", "passw", "pass", "welcome", "willkommen", "qwerty", "qwertz", "azerty", "asdf",
	"asdfgh", "letmein", "admin", "administrator", "changeme", "secret", "geheim", "hallo", "hello", "login", "master", "monkey", "dragon",
	"iloveyou", "sunshine", "princess", "football", "baseball", "summer", "winter", "spring", "autumn", "sommer", "keyward", "test", "user",
	"root", "default", "company", "abc", "abcd", "abcdef", "aaa", "xxx" };

/* The letters of TEXT alone, small, with the usual stand-ins read as what they stand for; at most SIZE. */
static void letters_of(const char *text, char *out, size_t size)
{
	static const char from[] = "@4310$5!7", to[] = "aaeiossit";
	size_t n = 0, last = 0;

	for (; *text && n < size - 1; text++) {
		const char *stand_in = n ? strchr(from, *text) : NULL;

		if (isalpha((unsigned char)*text) || stand_in)
			out[n++] = stand_in ? to[stand_in - from] : (char)tolower((unsigned char)*text);
		if (isalpha((unsigned char)*text))
			last = n;
	}
	/* Those at either end are numerals, not letters: "Password1!". */
	out[last] = '\0';
}

static int is_word(const char *letters, const char *word)
{
	char plain[PASSWORD_MOST];

	letters_of(word, plain, sizeof plain);
	return *plain && strcmp(letters, plain) == 0;
}

/* Of the address the part before the @, and the whole; of the name each word, and all. */
static int is_of(const char *letters, const char *text, const char *separators)
{
	char part[PASSWORD_MOST];

	if (is_word(letters, text))
		return 1;
	while (*text) {
		size_t len = strcspn(text, separators);

		if (len >= 3 && len < sizeof part) {
			memcpy(part, text, len);
			part[len] = '\0';
			if (is_word(letters, part))
				return 1;
		}
		text += len + (text[len] != '\0');
	}
	return 0;
}

int password_check_own(const char *password, const char *name, const char *email)
{
	char letters[PASSWORD_MOST + 1];
	int rc = password_check(password), found = 0;

	if (rc < 0)
		return rc;
	letters_of(password, letters, sizeof letters);
	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		found |= strcmp(letters, common[i]) == 0;
	found |= is_of(letters, name, " -") || is_of(letters, email, "@.") || is_of(letters, email, "@");
	secret_wipe(letters, sizeof letters);
	return found ? err_set(ERR_INVALID, "This is one of the first passwords that anybody tries. Choose several words that do not belong together, "
		"say.") : 0;
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
