/* door.h - the other end of link.h, for programs of ours: takes in those alone who prove by a certificate that they have one of the names it was
 * told. TLS 1.3 alone, as both ends are ours. What is said then is read and written as with any link. */
#ifndef TLS_DOOR_H
#define TLS_DOOR_H

#include "tls/link.h"

struct tls_door;

/* CA vouches for who may come; CERTIFICATE with KEY is ours; NAMES: names between commas, one of which a certificate must have as a subjectAltName. All
 * PEM and borrowed for the call. ERR_INVALID says what is wrong. OUT: the caller's. */
int tls_door_make(const char *ca, const char *certificate, const struct secret *key, const char *names, struct tls_door **out);
void tls_door_free(struct tls_door *d);              /* NULL is fine */
#define TLS_DOOR_NAMES_MAX 64
unsigned tls_door_names(const struct tls_door *d);   /* how many there are: 1 to TLS_DOOR_NAMES_MAX */
/* TLS on the connected socket FD, which is the link's then, or closed. NAME: as which of the door's names the other is known, and WHICH of them
 * that is, from 0; NAME lives as long as the door. ERR_FORBIDDEN: a certificate that is nobody's here, or none; ERR_TIMEOUT after LIMIT microseconds; ERR_CRYPTO, ERR_UNAVAILABLE. The door is not
 * changed by it: threads may share it. */
int tls_door_take(const struct tls_door *d, int fd, clock_us limit, struct tls_link **out, const char **name, unsigned *which);

#endif
