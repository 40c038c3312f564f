/* share.c - the table of shares. */
#include "sso/share.h"

#include <stddef.h>

#include "base/mem.h"

/* Up to so many of all, one tenant may have so many. A few whose servers keep their questions for ten seconds each would have all places otherwise: what
 * takes nearly as long as it may is not late. The last row is for all there is. A web worker has 256 questions on their way at most (web/pool.c): they end
 * above what is nobody's in particular. */
static const struct share { unsigned long all, one; } waiting[] = { { 128, SHARE_RUNNING + SHARE_WAITING }, { 192, SHARE_RUNNING }, { 0, 2 } },
	running[] = { { SHARE_RUNNING_MAX / 2, SHARE_RUNNING }, { SHARE_RUNNING_MAX / 4 * 3, 2 }, { 0, 1 } };

static unsigned long share_of(const struct share *row, unsigned long all)
{
	while (row->all && all >= row->all)
		row++;
	return row->one;
}

int share_may_wait(unsigned long of_all, unsigned long of_one)
{
	return of_one < share_of(waiting, of_all);
}

int share_may_run(unsigned long of_all, unsigned long of_one, int slow)
{
	return of_all < SHARE_RUNNING_MAX && of_one < (slow ? 1 : share_of(running, of_all));
}
