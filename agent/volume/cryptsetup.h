/* cryptsetup.h - what libcryptsetup says, as errors of ours. */
#ifndef AGENT_VOLUME_CRYPTSETUP_H
#define AGENT_VOLUME_CRYPTSETUP_H

#include <libcryptsetup.h>

/* From now on its messages about CD, or (NULL) about no context, go to cryptsetup_error. */
void cryptsetup_listen(struct crypt_device *cd);
/* A negative result of its calls as ours, with WHAT and its last message as text. */
int cryptsetup_error(int result, const char *what);

#endif
