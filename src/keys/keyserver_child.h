/* keyserver_child.h - the child of keyd that speaks to key servers: some threads, each with one question at a time. It holds no key but the one
 * that it has just fetched. */
#ifndef KEYS_KEYSERVER_CHILD_H
#define KEYS_KEYSERVER_CHILD_H

#include "keys/keyserver.h"

/* Starts it for S; before keyd opens its keys, so that it never has any. ERR_IO. */
int keyserver_start(struct keyserver *s, const char *user);

#endif
