/* keytool.h - keyward-keytool taken apart: keytool.c is the command line and what it does with files, keytool_options.c its options,
 * keytool_volume.c finding, opening and closing volumes, keyfile.c the files themselves. No server is needed anywhere. */
#ifndef AGENT_KEYTOOL_KEYTOOL_H
#define AGENT_KEYTOOL_KEYTOOL_H

#include "agent/common/option.h"
#include "agent/keytool/keyfile.h"
#include "agent/volume/volume.h"

#define KEYTOOL_RUN "/run/keyward-keytool"       /* apart from the agent's: each closes what it has opened */

struct keytool_options {
	int help, version, list, no_mount, read_only, force;
	const char *inspect, *decrypt, *open, *close;
	const char *device, *disks, *output, *mount_point, *name, *engine, *passphrase_file, *run_dir, *program;
	struct secret *passphrase;       /* with a zero byte at the end */
};

extern const struct option_table keytool_table;

/* The keys of one volume: a device's, or those of all members of an array in their order. Borrowed from the files. */
struct keytool_volume {
	const struct keyfile *files[VOLUME_PARTS_MAX];
	struct secret *keys[VOLUME_PARTS_MAX];   /* the caller's */
	size_t count;
};

/* Opens V's volume and mounts it as O says. Says on stdout what it did; errors as text. */
int keytool_open(const struct keytool_options *o, const struct keytool_volume *v);
/* Closes what is called O->close: by its name, mount point or block device. */
int keytool_close(const struct keytool_options *o);
int keytool_list(const struct keytool_options *o);

#endif
