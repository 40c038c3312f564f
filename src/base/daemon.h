/* daemon.h - how our services that others ask at a Unix socket begin: who may ask, where they listen, what tells them to stop. Each ends the
 * process when it fails. */
#ifndef BASE_DAEMON_H
#define BASE_DAEMON_H

#include <stddef.h>
#include <sys/types.h>

#define DAEMON_USERS_MAX 16

/* Users whose questions are answered. */
struct daemon_users {
	uid_t ids[DAEMON_USERS_MAX];
	size_t count;
};

/* Adds those whose NAMES --allow gives, between commas. */
void daemon_allow(struct daemon_users *u, const char *names);
int daemon_allows(const struct daemon_users *u, uid_t id);
/* A listening socket at PATH that only its owner and GROUP (NULL: the owner's) can open. Sets the umask. */
int daemon_listen(const char *path, const char *group);
/* Root becomes USER with its own group alone, for good; a process that is USER already only makes sure of that. NULL: who it is, as long as
 * that is not root. No core dumps, no tracing, no new privileges. */
void daemon_become(const char *user);
/* SIGTERM and SIGINT as something to poll for. */
int daemon_signals(void);

#endif
