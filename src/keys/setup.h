/* setup.h - what is done to key files before keyd runs, by root: making them, another passphrase. */
#ifndef KEYS_SETUP_H
#define KEYS_SETUP_H

/* Passphrases come as lines of standard input, without an echo on a terminal. Both say what they did, or why not, and return 0 or an
 * ERR_ code. USER is keyd's: keys in tokens are made by whom they will be used by; NULL: by root. */
int setup_create(const char *provider, const char *root_key, const char *identity, const char *user);
int setup_change_passphrase(const char *root_key);

/* A further root key, made and put at the end of the list ROOTS (roots.h), durable before it returns. While there is no list, PRESENT
 * ("PROVIDER:ID") at PRESENT_LOCATION is the first of it. Its passphrase or PIN, where it takes one, is a line of standard input. */
struct setup_root {
	const char *roots, *provider, *location, *present_location, *present;
	const char *user;            /* keyd's: keys in tokens are made by whom they will be used by; NULL: by root */
};
int setup_new_root(const struct setup_root *s);
/* Out of the list; DESTROY: its file is overwritten and removed, before. ERR_CONFLICT for the one in use. What is not in the list is done. */
int setup_drop_root(const char *roots, const char *id, int destroy);

#endif
