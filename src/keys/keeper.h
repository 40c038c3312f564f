/* keeper.h - a provider whose calls leave the process (a token's module, a key server) runs in a child of keyd, over a socket pair: keyd
 * itself keeps its few system calls, and a module that hangs costs a time limit instead of keyd.
 *
 * The child is keyd's user without capabilities but the one for locked memory. It finds lost tokens again by itself. */
#ifndef KEYS_KEEPER_H
#define KEYS_KEEPER_H

#include "keys/provider.h"

/* Starts the child and waits until INNER is open there; *OUT and the provider for it are for hierarchy.h. Before keyd is locked in. Errors
 * as provider.open's. */
int keeper_open(const struct provider *inner, const struct provider_options *options, const char *user,
	const struct provider **provider, struct provider_root **out);
/* The two halves of that: starts the child, whose other end is *FD; and waits, at that end, until INNER is open there. FD becomes the
 * root's, or is closed. */
int keeper_start(const struct provider *inner, const struct provider_options *options, const char *user, int *fd);
int keeper_attach(const struct provider *inner, int fd, const struct provider **provider, struct provider_root **out);
#endif
