/* zone.c - time zones of tenants, as far as this process has met them: read from the database once, kept until it ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "web/state.h"

#define ZONES_MAX 600            /* there are some 450; of one more times are shown in UTC */

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

/* Another thread may have been quicker. Takes FRESH over. */
static const struct zone *keep(struct zone *fresh)
{
	const struct zone *zone;

	pthread_mutex_lock(&lock);
	zone = find(fresh->name);
	if (zone == NULL && known_count < ZONES_MAX) {
		struct zone *kept = mem_alloc(sizeof *kept);

		*kept = *fresh;
		*fresh = (struct zone){ .name = NULL };
		known[known_count++] = kept;
		zone = kept;
	}
	pthread_mutex_unlock(&lock);
	zone_release(fresh);
	return zone;
}

int zone_find(struct db *db, const char *name, clock_us now, const struct zone **out)
{
	struct zone fresh;
	int rc;

	*out = NULL;
	if (name == NULL || strcmp(name, "UTC") == 0)
		return 0;
	pthread_mutex_lock(&lock);
	*out = find(name);
	pthread_mutex_unlock(&lock);
	if (*out)
		return 0;
	rc = zone_load(db, name, now, &fresh);
	if (rc == 0)
		*out = keep(&fresh);
	return rc;
}
