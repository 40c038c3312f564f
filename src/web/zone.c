/* zone.c - time zones of tenants, as far as this process has met them: read from the database once, kept until it ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "web/state.h"

#define ZONES_MAX 600            /* there are some 450; of one more times are shown in UTC */
#define YEARS_BACK 15
#define YEARS_ON 15

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *known[ZONES_MAX];
static size_t known_count;

static const struct zone *find(const char *name)
{
	for (size_t i = 0; i < known_count; i++)
		if (strcmp(known[i]->name, name) == 0)
			return known[i];
	return NULL;
}

/* Another thread may have been quicker. */
static const struct zone *keep(const char *name, struct zone_step *steps, size_t count)
{
	const struct zone *zone;

	pthread_mutex_lock(&lock);
	zone = find(name);
	if (zone == NULL && known_count < ZONES_MAX) {
		struct zone *fresh = mem_alloc(sizeof *fresh);

		*fresh = (struct zone){ mem_strdup(name), steps, count };
		known[known_count++] = fresh;
		zone = fresh;
		steps = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(steps);
	return zone;
}

int zone_find(struct db *db, const char *name, clock_us now, const struct zone **out)
{
	/* From midnight, so that steps of a quarter of an hour meet the changes. */
	const clock_us day = now - now % CLOCK_DAY, year = 365 * CLOCK_DAY;
	struct zone_step *steps = NULL;
	size_t count = 0;
	int rc;

	*out = NULL;
	if (name == NULL || strcmp(name, "UTC") == 0)
		return 0;
	pthread_mutex_lock(&lock);
	*out = find(name);
	pthread_mutex_unlock(&lock);
	if (*out)
		return 0;
	rc = zone_steps(db, name, day - YEARS_BACK * year, day + YEARS_ON * year, &steps, &count);
	if (rc == 0)
		*out = keep(name, steps, count);
	return rc;
}
