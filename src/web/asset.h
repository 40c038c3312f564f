/* asset.h - what browsers load: files under names that carry a hash of their content, held in memory, never changed. */
#ifndef WEB_ASSET_H
#define WEB_ASSET_H

#include <jansson.h>

#include "web/request.h"

#define ASSET_PREFIX "/assets/"
#define ASSET_SIZE_MAX (4 * 1024 * 1024)

struct assets;

/* Reads DIR/manifest.json ("keyward.css": { "file", "gzip" or null, "type", "sha256" }) and every file that it names. */
int assets_load(const char *dir, struct assets **out);
void assets_free(struct assets *a);
/* Addresses for pages: { "keyward_css": "/assets/keyward.1f2e3d4c5b6a.css", ... }; borrowed. */
json_t *assets_addresses(const struct assets *a);

/* For a path below ASSET_PREFIX: fills *OUT, all but the body, and gives the body's place (NULL: none), which lives as long as
 * the assets. */
void assets_answer(const struct assets *a, const struct web_request *r, struct web_response *out, const struct buf **body);

#endif
