/* large.c - the worker's book of large answers. */
#include "web/large.h"

#include <pthread.h>

#include "base/err.h"
#include "base/mem.h"

#define ACCOUNTS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct large held[ACCOUNTS];
static size_t all;

/* The account's row, or a free one; NULL: there is none. */
static struct large *row_of(const struct uuid *account)
{
	struct large *row = NULL;

	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i].bytes && uuid_equal(&held[i].account, account))
			return &held[i];
		if (held[i].bytes == 0 && row == NULL)
			row = &held[i];
	}
	return row;
}

int large_take(struct large *l, const struct uuid *account, size_t bytes)
{
	size_t more = bytes > l->bytes ? bytes - l->bytes : 0;
	struct large *row;
	int rc = 0;

	if (bytes < LARGE_LEAST || more == 0)
		return 0;
	pthread_mutex_lock(&lock);
	row = row_of(account);
	if (row == NULL || more > LARGE_MOST - all || more > LARGE_EACH - row->bytes) {
		rc = ERR_BUSY;
	} else {
		row->account = l->account = *account;
		row->bytes += more;
		l->bytes += more;
		all += more;
	}
	pthread_mutex_unlock(&lock);
	return rc < 0 ? err_set(rc, "large answers are being fetched already: %zu bytes more are too many", more) : 0;
}

void large_give(struct large *l)
{
	struct large *row;

	if (l->bytes == 0)
		return;
	pthread_mutex_lock(&lock);
	row = row_of(&l->account);
	row->bytes -= l->bytes;
	all -= l->bytes;
	pthread_mutex_unlock(&lock);
	l->bytes = 0;
}
