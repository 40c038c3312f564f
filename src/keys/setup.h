/* setup.h - what is done to key files before keyd runs, by root: making them, another passphrase. */
#ifndef KEYS_SETUP_H
#define KEYS_SETUP_H

/* Passphrases come as lines of standard input, without an echo on a terminal. Both say what they did, or why not, and return 0 or an
 * ERR_ code. */
int setup_create(const char *provider, const char *root_key, const char *identity);
int setup_change_passphrase(const char *root_key);

#endif
