/* export.h - devices whose keys are exported (KEY-5): found, handed out one by one, logged. */
#ifndef STORE_EXPORT_H
#define STORE_EXPORT_H

#include "base/exported.h"
#include "store/db.h"
#include "store/list.h"

/* One file of an export: a device, or a member of an array. Valid during the call. */
struct export_key {
	struct exported_label label;
	struct wire_view wrapped_tenant, wrapped;
	struct wire_view ticket;         /* the key service's proof that it was asked for; empty: nobody did, or too long ago */
	/* Those that the database knows; the export's own (EXPORT and after) are NULL. */
	const char *fields[EXPORTED_FIELD_COUNT];
};
typedef int export_each(void *ctx, const struct export_key *key);

/* Of all devices and arrays that can be exported, those that QUERY (device_list) leaves: a JSON array of ids, the caller's. ERR_TOO_LARGE:
 * more than EXPORTED_FILES_MAX. */
int export_choose(struct db *db, const struct list_query *query, json_t **ids);
/* Logs the keys of all devices and arrays in IDS, and EXPORT as a whole, under the name of its FILE, in the name of who acts. Only when that is committed does the database
 * let the keys out. ERR_CONFLICT: one of them is not Encrypted or In-use, is a member of an array, or has no key here; none is left out.
 * ERR_TOO_LARGE as above. */
int export_ask(struct db *db, const struct uuid *export, const char *file, const json_t *ids);
/* Then, in another transaction: calls EACH for the same keys, with tickets for what REQUEST (the web request's id) has asked for in the last
 * two minutes, under an export key whose digest (exported_digest) is DIGEST. Errors as export_ask, or EACH's. */
int export_keys(struct db *db, const struct uuid *request, const json_t *ids, const uint8_t digest[static EXPORTED_DIGEST_SIZE], export_each *each, void *ctx);
/* That it did not come to files after all. */
int export_failed(struct db *db, const struct uuid *export, const char *file, const char *why);

#endif
