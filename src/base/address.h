/* address.h - network addresses that somebody else has chosen: may this machine connect to them? */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <sys/socket.h>

/* 1: loopback, link-local, unspecified, multicast, or one of the machine's own, whatever it is called outside. Also when that cannot be
 * told. */
int address_is_near(const struct sockaddr *a);

#endif
