/* token.h - random tokens for sessions, invitations and forms: 256 bits as text to the user, their SHA-256 to the database, so
 * that who reads the database cannot use them. */
#ifndef IDENTITY_TOKEN_H
#define IDENTITY_TOKEN_H

#include <stdint.h>

#define TOKEN_TEXT_SIZE 44       /* 43 characters of base64url and the zero byte */
#define TOKEN_HASH_SIZE 32
#define API_TOKEN_PREFIX "kwo_"          /* of tokens of the operator's API, so that one that is lost is known for what it is */

void token_new(char out[static TOKEN_TEXT_SIZE]);
void token_hash(const char *text, uint8_t out[static TOKEN_HASH_SIZE]);
/* Compares two texts of equal length in constant time; 1 or 0. */
int token_equal(const char *a, const char *b);
/* A code for people: 4 groups of 5 characters that are not mistaken for each other ("7KQM2-..."), 100 bits. */
#define TOKEN_CODE_SIZE 24
void token_code(char out[static TOKEN_CODE_SIZE]);

#endif
