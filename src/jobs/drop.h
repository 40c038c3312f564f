/* drop.h - from root to a user of one's own. */
#ifndef JOBS_DROP_H
#define JOBS_DROP_H

/* Takes the user's id, group and supplementary groups for good. ERR_NOT_FOUND for an unknown user, ERR_FORBIDDEN. */
int drop_to(const char *user);

#endif
