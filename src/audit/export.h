/* export.h - a chain with its proofs as one file, so that it can be verified far from the installation: a JSON object a line, the first about the
 * whole, then the records of archived months, then checkpoints, then entries, each by rising numbers. Reading takes bytes from outside. */
#ifndef AUDIT_EXPORT_H
#define AUDIT_EXPORT_H

#include <jansson.h>

#include "audit/proof.h"

#define AUDIT_LINE_MAX (4u << 20)        /* bytes of one line */

enum audit_line_kind { AUDIT_LINE_HEAD, AUDIT_LINE_ARCHIVE, AUDIT_LINE_CHECKPOINT, AUDIT_LINE_ENTRY };

struct audit_line {
	enum audit_line_kind kind;
	union {
		struct {
			struct audit_scope scope;
			int64_t seq;             /* of the chain's head; 0: nothing was logged */
			uint8_t hash[AUDIT_HASH_SIZE];
		} head;
		struct audit_archive archive;
		struct audit_checkpoint checkpoint;
		struct audit_entry entry;        /* its strings are the line's */
	};
	json_t *json;
};

/* One line with its end, appended to OUT. */
void audit_line_put(const struct audit_line *line, struct buf *out);
/* *OUT is the caller's to release; ERR_INVALID, ERR_TOO_LARGE. */
int audit_line_read(const char *text, size_t len, struct audit_line *out);
void audit_line_release(struct audit_line *line);

#endif
