/* share.h - how much of the sign-on service one tenant may have: less, the less is left for the others. Pure. */
#ifndef SSO_SHARE_H
#define SSO_SHARE_H

#define SHARE_RUNNING_MAX 128        /* processes for questions, of all tenants */
#define SHARE_RUNNING 8              /* of one, while there is room */
#define SHARE_WAITING 32             /* questions of one that wait for its others */

/* Whether one more question may come in, where OF_ALL of all tenants and OF_ONE of this one are being answered or wait. */
int share_may_wait(unsigned long of_all, unsigned long of_one);
/* Whether a process may be made for one that waits, where there are so many. SLOW: this tenant's server has just let one run out of time. */
int share_may_run(unsigned long of_all, unsigned long of_one, int slow);

#endif
