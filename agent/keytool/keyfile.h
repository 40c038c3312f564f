/* keyfile.h - exported keys as files (KEY-5): read from an XML file or a zip of them, checked, and opened with their passphrase. What is in a
 * file is outside bytes until its key has opened: its fields are authenticated together with the key. base/exported.h has the format. */
#ifndef AGENT_KEYTOOL_KEYFILE_H
#define AGENT_KEYTOOL_KEYFILE_H

#include "base/exported.h"

struct keyfile {
	char *fields[EXPORTED_FIELD_COUNT];      /* all there, each at most as long as its row says; without control characters */
	struct buf sealed;
	struct exported_label label;
	struct exported_cost cost;
	struct uuid made_for;                    /* nil: none */
	int raid_index, raid_members;            /* members 0: no array */
};

struct keyfiles {
	struct keyfile *list;
	size_t count;
};

/* LEN bytes of an XML file, or of a zip: the one begins with '<', the other with "PK". ERR_INVALID: they are neither, or no exported keys, or two
 * files of one device; ERR_TOO_LARGE; ERR_VERSION: of a later format. */
int keyfiles_parse(const char *data, size_t len, struct keyfiles *out);
/* The same for a file. ERR_NOT_FOUND, ERR_IO. */
int keyfiles_read(const char *path, struct keyfiles *out);
void keyfiles_free(struct keyfiles *k);

/* One passphrase and what was made of it: files of one export share that. Zeroed at first. */
struct keyfile_opener {
	const struct secret *passphrase;
	struct exported_cost cost;
	struct secret *key;
};
/* The device key, the caller's. ERR_FORBIDDEN: the passphrase is wrong, or the file was altered; nothing tells which. */
int keyfile_open(const struct keyfile *f, struct keyfile_opener *o, struct secret **out);
void keyfile_opener_end(struct keyfile_opener *o);

#endif
