/* confine.h - the steps by which keyd gives up what it does not need, in the order in which main takes them.
 * Each ends the process when it fails: a key service that is less confined than it says must not run. */
#ifndef KEYS_CONFINE_H
#define KEYS_CONFINE_H

/* No core dumps, no tracing by the same user, all memory locked against swap. */
void confine_memory(void);
/* To USER with its groups, for good; a process that is USER already only makes sure of that. No new privileges. */
void confine_user(const char *user);
/* To the system calls of a server that has everything open. */
void confine_calls(void);

#endif
