/* config_custody.h - what keyward-config's actions on a volume that changes hands share: the device, its passphrase, its key. */
#ifndef AGENT_TOOL_CONFIG_CUSTODY_H
#define AGENT_TOOL_CONFIG_CUSTODY_H

#include "agent/tool/tool.h"
#include "agent/volume/custody.h"

struct custody {
	const struct proto_device *device;
	struct custody_look look;
	struct secret *key;              /* the server's, once it has given it */
	struct uuid id;                  /* of the device, as the server has it */
	uint32_t version;
	int lock;                        /* so that nobody else works on devices; -1 */
};

/* Links, scans, takes the lock and finds the device that NAME means: an id, or a path by any name. The caller ends it with
 * custody_end in any case. */
enum tool_exit custody_begin(struct tool *t, const char *name, struct custody *c);
void custody_end(struct custody *c);
/* The volume's own passphrase: --key-file (its bytes as they are, like cryptsetup's), else KEYWARD_VOLUME_PASSPHRASE, else asked for, NEW
 * twice. *OUT is the caller's. */
int custody_passphrase(struct tool *t, const char *prompt, int new, struct secret **out);
/* taskkey_fetch for the device: key, id and version of C. */
int custody_fetch_key(struct tool *t, struct custody *c, enum proto_message type, void *request, uint8_t *public_key, uint8_t *signature);
/* Says WHAT went wrong on this machine, and why; the server has nothing to do with it. */
enum tool_exit custody_complain(struct tool *t, int rc, const char *what);
/* Tells the server that it did not work out, and says so. */
enum tool_exit custody_failed(struct tool *t, const struct custody *c, int rc, const char *what);

#endif
