/* holders.h - who keeps a file system busy. */
#ifndef AGENT_GUEST_HOLDERS_H
#define AGENT_GUEST_HOLDERS_H

#include <stddef.h>

/* "bash (123), postgres (456) and 3 more": processes with an open file, working folder, root or program on the file
 * system mounted at POINT; "" when none is found. Never waits for the file system itself. */
void holders_find(const char *point, char *out, size_t size);

#endif
