/* password.h - local passwords (IDN-1): the rules, and argon2id. */
#ifndef IDENTITY_PASSWORD_H
#define IDENTITY_PASSWORD_H

#define PASSWORD_LEAST 8         /* characters */
#define PASSWORD_MOST 128
#define PASSWORD_HASH_SIZE 128   /* as libsodium prints it, with the zero byte */

/* 0, or ERR_INVALID with a text that names the rule which PASSWORD breaks. UTF-8; length counts characters. */
int password_check(const char *password);
/* The same of who has NAME and EMAIL: also not one of those that everybody tries first, dressed up with numerals ("Password1!"), or the name or
 * address itself. */
int password_check_own(const char *password, const char *name, const char *email);
/* Characters of UTF-8 text. */
int password_length(const char *utf8);
/* argon2id, 64 MiB, 2 passes (OWASP's and libsodium's interactive setting): about 0.1 s of one core. */
int password_hash(const char *password, char out[static PASSWORD_HASH_SIZE]);
/* 1 when it matches, 0 when not. A NULL hash costs the same time and never matches: an unknown user must not be told
 * apart from a wrong password. */
int password_verify(const char *hash, const char *password);

#endif
