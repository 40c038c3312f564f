/* address.h - network addresses that somebody else has chosen: may this machine connect to them? */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <sys/socket.h>

/* 1: loopback, link-local, unspecified, multicast, or one of the machine's own, whatever it is called outside. Also when that cannot be
 * told. */
int address_is_near(const struct sockaddr *a);

/* 1: an address of networks that are nobody's on the Internet (private, shared, reserved; also inside of one that translates to IPv4), or
 * one that is near. What is reached there is reached only by who stands where this machine does. */
int address_is_private(const struct sockaddr *a);

#endif
