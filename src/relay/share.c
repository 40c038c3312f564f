/* share.c - places counted by name. */
#include "relay/share.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned own, common;                     /* places kept for each name; and for whoever comes first */
static unsigned taken[SHARE_NAMES_MOST], beyond; /* by each name; of the common ones */

void share_init(unsigned places, unsigned count)
{
	own = places / 2 / count;
	common = places - own * count;
}

int share_take(unsigned which)
{
	int may;

	pthread_mutex_lock(&lock);
	may = taken[which] < own || beyond < common;
	if (may)
		beyond += taken[which]++ >= own;
	pthread_mutex_unlock(&lock);
	return may;
}

void share_leave(unsigned which)
{
	pthread_mutex_lock(&lock);
	beyond -= taken[which]-- > own;
	pthread_mutex_unlock(&lock);
}
