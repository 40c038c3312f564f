/* export_file.h - the files of an export (KEY-5): XML of one key each, in a zip that is built in memory. */
#ifndef CONSOLE_EXPORT_FILE_H
#define CONSOLE_EXPORT_FILE_H

#include "base/exported.h"

struct export_zip;

/* ERR_CRYPTO when there is no memory for one; such are the errors of the others too. */
int export_zip_new(struct export_zip **out);
/* Adds FIELDS[EXPORTED_DEVICE].xml with SEALED in it. */
int export_zip_add(struct export_zip *z, const char *const fields[static EXPORTED_FIELD_COUNT], const struct buf *sealed);
/* What export_zip_new made ends here, whatever becomes of it. */
int export_zip_finish(struct export_zip *z, struct buf *out);
void export_zip_free(struct export_zip *z);                  /* NULL is fine */

#endif
