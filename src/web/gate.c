/* gate.c - a counting gate with a bounded queue. */
#include "web/gate.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/err.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static int inside, waiting;

static struct timespec deadline(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += GATE_WAIT_MS / 1000;
	return t;
}

int gate_enter(void)
{
	struct timespec until = deadline();
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (inside >= GATE_AT_ONCE && waiting >= GATE_WAITING) {
		rc = ERR_BUSY;
	} else {
		waiting++;
		while (inside >= GATE_AT_ONCE && rc == 0)
			if (pthread_cond_timedwait(&left, &lock, &until) == ETIMEDOUT)
				rc = ERR_BUSY;
		waiting--;
		if (inside < GATE_AT_ONCE) {
			inside++;
			rc = 0;
		}
	}
	pthread_mutex_unlock(&lock);
	return rc < 0 ? err_set(rc, "too many sign-ins at once") : 0;
}

void gate_leave(void)
{
	pthread_mutex_lock(&lock);
	inside--;
	pthread_cond_signal(&left);
	pthread_mutex_unlock(&lock);
}
