/* image.h - machine images: seen through the agents, named by people (IMG-1). */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include "store/db.h"
#include "store/list.h"

/* Sorts: name, provider, provider_image, instances, devices, created; filters: provider, policy. Rows: id, name, description,
 * provider, provider_image, instances, devices (numbers), policies [{id, name}], created. */
int image_list(struct db *db, const struct list_query *query, json_t **page);
int image_get(struct db *db, const struct uuid *id, json_t **out);
/* NULL leaves a thing as it is. */
int image_change(struct db *db, const struct uuid *id, const char *name, const char *description);

#endif
