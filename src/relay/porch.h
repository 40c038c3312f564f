/* porch.h - who stands before the far end's door and has not shown yet who it is. Anybody on the network can stand there; it must not keep those out who
 * are known. A machine whose certificate was good once has places of its own from then on, as long as this process lives. */
#ifndef RELAY_PORCH_H
#define RELAY_PORCH_H

#include <sys/socket.h>

#define PORCH_MOST 128               /* strangers at a time */
#define PORCH_EACH 64                /* of one address (IPv6: /64), known or not: as many as the threads of a web server that comes for the first time */

enum porch { PORCH_FULL, PORCH_STRANGER, PORCH_KNOWN };

/* Where FROM comes to stand, until porch_leave; PORCH_FULL: nowhere. */
enum porch porch_enter(const struct sockaddr_storage *from);
/* It goes from WHERE it stood, IS_GOOD when its certificate was. */
void porch_leave(const struct sockaddr_storage *from, enum porch where, int is_good);

#endif
