/* fs.c - file systems on an open volume: making, checking, mounting. A table says what each kind needs. */
#include "agent/volume/volume.h"

#include <blkid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volume/command.h"
#include "agent/volume/point.h"
#include "base/err.h"
#include "base/mem.h"

static const struct fs_kind {
	const char *name;
	const char *make[6];      /* program and options; label and device follow */
	size_t label_max;
	const char *check[3];     /* program and options; empty: mounting does it */
	const char *no_replay;    /* mount option for a read-only device whose journal is not clean */
} kinds[] = {
	{ "ext3", { "mkfs.ext3", "-q", "-F" }, 16, { "e2fsck", "-p" }, "noload" },
	{ "ext4", { "mkfs.ext4", "-q", "-F" }, 16, { "e2fsck", "-p" }, "noload" },
	{ "xfs", { "mkfs.xfs", "-q", "-f" }, 12, { NULL }, "norecovery" },
};

#define ARGS_MAX 12

static const struct fs_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (name && strcmp(name, kinds[i].name) == 0)
			return &kinds[i];
	return NULL;
}

/* Copies WORDS up to its NULL; command_run takes what execve takes, which is not const. */
static size_t add_words(char **argv, size_t n, const char *const *words, size_t most)
{
	for (size_t i = 0; i < most && words[i]; i++)
		argv[n++] = mem_strdup(words[i]);
	return n;
}

static int run_words(char **argv, size_t n, char text[static COMMAND_TEXT_MAX])
{
	int rc = command_run(argv, text);

	for (size_t i = 0; i < n; i++)
		free(argv[i]);
	return rc;
}

void volume_label(const char *fstype, const char *name, char label[static VOLUME_LABEL_SIZE])
{
	const struct fs_kind *kind = find_kind(fstype);
	size_t most = kind ? kind->label_max : 0, n = 0;

	for (; *name && n < most; name++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *name))
			label[n++] = *name;
	label[n] = '\0';
}

int volume_mkfs(const char *device, const char *fstype, const char *label)
{
	const struct fs_kind *kind = find_kind(fstype);
	const char *tail[4] = { "-L", label, device };
	char *argv[ARGS_MAX] = { NULL };
	char text[COMMAND_TEXT_MAX];
	size_t n;
	int rc;

	if (kind == NULL)
		return err_set(ERR_UNSUPPORTED, "file system %s", fstype ? fstype : "?");
	if (label && (label[0] == '\0' || strlen(label) > kind->label_max))
		return err_set(ERR_INVALID, "a label of %s has 1 to %zu bytes", kind->name, kind->label_max);
	n = add_words(argv, 0, kind->make, ARRAY_LEN(kind->make));
	n = add_words(argv, n, label ? tail : tail + 2, label ? 3 : 1);
	rc = run_words(argv, n, text);
	if (rc > 0)
		rc = err_set(ERR_IO, "making %s on %s failed (status %d): %s", kind->name, device, rc, text);
	return rc;
}

static int probe_kind(const char *device, const struct fs_kind **out)
{
	blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *type = NULL;
	int rc;

	if (probe == NULL)
		return err_set(ERR_NOT_FOUND, "%s: %s", device, strerror(errno));
	blkid_probe_enable_superblocks(probe, 1);
	rc = blkid_do_safeprobe(probe);
	if (rc == 0)
		blkid_probe_lookup_value(probe, "TYPE", &type, NULL);
	*out = find_kind(type);
	if (*out)
		rc = 0;
	else
		rc = err_set(type ? ERR_UNSUPPORTED : ERR_NOT_FOUND, "%s: %s", device, type ? type : "no file system");
	blkid_free_probe(probe);
	return rc;
}

int volume_check(const char *device, char found[static VOLUME_TEXT_MAX])
{
	const struct fs_kind *kind;
	char *argv[ARGS_MAX] = { NULL };
	char text[COMMAND_TEXT_MAX];
	const char *tail[2] = { device };
	int rc = probe_kind(device, &kind);
	size_t n;

	found[0] = '\0';
	if (rc < 0 || kind->check[0] == NULL)
		return rc;
	n = add_words(argv, 0, kind->check, ARRAY_LEN(kind->check));
	n = add_words(argv, n, tail, 1);
	rc = run_words(argv, n, text);
	/* fsck(8): 1 means all errors were corrected; 2 asks for a reboot, which is meant for a mounted root. */
	if (rc == 1 || rc == 2)
		snprintf(found, VOLUME_TEXT_MAX, "%.*s", VOLUME_TEXT_MAX - 1, text);
	if (rc > 2)
		rc = err_set(ERR_IO, "%s needs a person to repair it (status %d): %s", device, rc, text);
	return rc < 0 ? rc : 0;
}

int volume_mount(const char *device, const char *point, int read_only)
{
	unsigned long flags = MS_NOATIME | (read_only ? MS_RDONLY : 0);
	const struct fs_kind *kind;
	int failed, fd = -1, rc = probe_kind(device, &kind);
	char target[32];

	if (rc == 0)
		rc = point_open(point, &fd);
	if (rc < 0)
		return rc;
	snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
	failed = mount(device, target, kind->name, flags, NULL);
	if (failed && read_only && (errno == EROFS || errno == EACCES))
		failed = mount(device, target, kind->name, flags, kind->no_replay);
	if (failed)
		rc = err_set(errno == EBUSY ? ERR_BUSY : ERR_IO, "mounting %s on %s: %s", device, point, strerror(errno));
	close(fd);
	return rc;
}

int volume_unmount(const char *point, int force)
{
	if (umount2(point, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (force && errno == EBUSY && umount2(point, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
		return 0;
	return err_set(errno == EBUSY ? ERR_BUSY : errno == EINVAL ? ERR_NOT_FOUND : ERR_IO, "unmounting %s: %s", point,
		strerror(errno));
}
