/* batch.h - the batch file of keyward-config --devices (CFG-2): which devices of this machine are to be encrypted, and how. Pure:
 * text in, typed values or all mistakes out.
 *
 *     [device1]
 *     id = serial:vol-0abc          # as --get-device-list shows it, or its path
 *     mountpoint = /srv/data
 */
#ifndef AGENT_TOOL_BATCH_H
#define AGENT_TOOL_BATCH_H

#include "base/buf.h"
#include "proto/message.h"

#define BATCH_FILE_MAX 65536
#define BATCH_SECTION_MAX 63

/* name, needed, what it is when it is missing, what it means */
#define BATCH_KEYS(X) \
	X("id", 1, "", "of the device, as --get-device-list shows it, or its path") \
	X("mountpoint", 1, "", "where it is mounted") \
	X("filesystem", 0, "ext4", "ext3, ext4 or xfs") \
	X("access", 0, "read-write", "read-write or read-only (rw, ro)") \
	X("os", 0, "linux", "linux") \
	X("keysize", 0, "256", "128, 192 or 256 bits; 192 only with mode cbc-essiv") \
	X("mode", 0, "xts", "xts or cbc-essiv") \
	X("label", 0, "", "what the console calls it") \
	X("overwrite", 0, "", "the id again: what is on the device may be destroyed")

struct batch_device {
	char section[BATCH_SECTION_MAX + 1];
	int line;                                /* of its heading */
	struct proto_proposal want;              /* want.device: id or path as written */
};

struct batch {
	int count;
	struct batch_device devices[PROTO_DEVICES_MAX];
};

/* ERR_INVALID: MISTAKES has a line for each, with line number and section. OUT is large: not for the stack. */
int batch_parse(const char *text, size_t len, struct batch *out, struct buf *mistakes);

#endif
