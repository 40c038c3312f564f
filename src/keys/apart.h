/* apart.h - a child of keyd that does what keyd itself may not: load a token's module, use the network. It is keyd's user without
 * capabilities but the one for locked memory (keyd-opener alone stays root), and ends with keyd. What the two say to each other over their
 * socket pair is the callers'. */
#ifndef KEYS_APART_H
#define KEYS_APART_H

/* NAME: of the process, at most 15 bytes. Forks before keyd is locked in. In the child BODY runs with its end of the pair and CTX; it becomes
 * USER by confine_user when it has read what only root can, and its return ends the process. In keyd *FD is the other end. ERR_IO. */
int apart_start(const char *name, void (*body)(int fd, void *ctx, const char *user), void *ctx, const char *user, int *fd);

#endif
