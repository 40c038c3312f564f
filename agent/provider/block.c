/* block.c - sysfs (/sys/class/block) and, for partitions, their table's UUIDs (libblkid). */
#include "agent/provider/block.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/common/host.h"
#include "agent/volume/dmstripe.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/word.h"
#include "proto/crypto.h"

#define SYS "/sys/class/block"
#define PAGE_HEAD 4              /* of a page of vital product data (SPC-3, 7.6) */
#define PAGE_MAX 256
#define SERIAL_PAGE 0x80
#define SECTOR 512               /* of the "size" attribute, whatever the device's own */

static int attribute(const char *name, const char *what, char *out, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, SYS "/%s/%s", name, what);
	host_read_line(path, out, size);
	return out[0] != '\0';
}

static int has(const char *name, const char *what)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, SYS "/%s/%s", name, what);
	return access(path, F_OK) == 0;
}

static int begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

/* Names that no data volume has. What is ours when open (dm-crypt, its stripes, loop over FUSE) is among them. */
static int is_left_out(const char *name)
{
	static const char *const prefixes[] = { "loop", "ram", "zram", "sr", "fd", "nbd" };
	char uuid[PROTO_ID_MAX];

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (begins(name, prefixes[i]))
			return 1;
	return attribute(name, "dm/uuid", uuid, sizeof uuid) && (begins(uuid, "CRYPT-") || begins(uuid, DMSTRIPE_UUID));
}

static enum proto_device_kind kind_of(const char *name)
{
	if (has(name, "partition"))
		return PROTO_DEVICE_PARTITION;
	if (has(name, "md"))
		return PROTO_DEVICE_RAID;
	if (has(name, "dm"))
		return PROTO_DEVICE_LOGICAL;
	return begins(name, "loop") ? PROTO_DEVICE_OTHER : PROTO_DEVICE_DISK;
}

/* Ids that do not fit, or are no text, are named by their digest. Blanks inside serial numbers are not kept. */
static void set_id(char out[static PROTO_ID_MAX + 1], const char *scheme, const char *text)
{
	uint8_t digest[PROTO_DIGEST_SIZE];
	size_t n = (size_t)snprintf(out, PROTO_ID_MAX + 1, "%s:", scheme);
	const char *at = text;

	for (; *at && n < PROTO_ID_MAX; at++)
		if ((unsigned char)*at > ' ' && *at != ',')
			out[n++] = *at;
	out[n] = '\0';
	if ((*at || !json_is_text(text, strlen(text))) && proto_sha256(text, strlen(text), digest) == 0) {
		char *hex = encode_hex(digest, 16);

		snprintf(out, PROTO_ID_MAX + 1, "%s:sha256-%s", scheme, hex);
		free(hex);
	}
}

int block_serial_page(const unsigned char *page, size_t len, char *out, size_t size)
{
	size_t n = len >= PAGE_HEAD ? (size_t)(page[2] << 8 | page[3]) : 0, used = 0;

	if (len < PAGE_HEAD || page[1] != SERIAL_PAGE || n > len - PAGE_HEAD)
		return 0;
	for (size_t i = 0; i < n && used + 1 < size; i++)
		if (page[PAGE_HEAD + i] > ' ' && page[PAGE_HEAD + i] < 0x7f)
			out[used++] = (char)page[PAGE_HEAD + i];
	out[used] = '\0';
	return used > 0;
}

/* Where a SCSI disk has no name of its own for the kernel to tell, its serial number is still in its vital product data. */
static int scsi_serial(const char *name, char *out, size_t size)
{
	unsigned char page[PAGE_MAX];
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof path, SYS "/%s/device/vpd_pg80", name);
	f = fopen(path, "re");
	if (f) {
		n = fread(page, 1, sizeof page, f);
		fclose(f);
	}
	return block_serial_page(page, n, out, size);
}

/* SCSI hosts are numbered in order of discovery: of "host0", "target0:0:0" and "0:0:0:0" only the last one's end counts. */
const char *block_bus_part(const char *part)
{
	unsigned host, bus, target, lun;
	int end = 0;

	if (begins(part, "virtio") || sscanf(part, "target%u:%u:%u", &host, &bus, &target) == 3)
		return "";
	if (sscanf(part, "host%u%n", &host, &end) == 1 && part[end] == '\0')
		return "";
	if (sscanf(part, "%u:%u:%u:%u%n", &host, &bus, &target, &lun, &end) == 4 && part[end] == '\0')
		return strchr(part, ':') + 1;
	return part;
}

/* The device's place on the bus, without the parts that are numbered in order of discovery. */
static void place_on_bus(const char *name, char out[static PATH_MAX])
{
	char path[PATH_MAX], real[PATH_MAX];
	char *part, *rest = real;

	snprintf(path, sizeof path, SYS "/%s", name);
	out[0] = '\0';
	if (realpath(path, real) == NULL)
		return;
	while ((part = strsep(&rest, "/")) != NULL) {
		if (strcmp(part, "sys") == 0 || strcmp(part, "devices") == 0 || *block_bus_part(part) == '\0')
			continue;
		if (strcmp(part, "block") == 0)
			break;
		strcat(strcat(out, "/"), block_bus_part(part));
	}
}

static int id_of_partition(const char *path, char out[static PROTO_ID_MAX + 1])
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *uuid = NULL;

	if (probe) {
		blkid_probe_enable_superblocks(probe, 0);
		blkid_probe_enable_partitions(probe, 1);
		blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
		if (blkid_do_fullprobe(probe) == 0)
			blkid_probe_lookup_value(probe, "PART_ENTRY_UUID", &uuid, NULL);
		if (uuid)
			set_id(out, "partuuid", uuid);
		blkid_free_probe(probe);
	}
	return uuid != NULL;
}

static void id_of_disk(const char *name, char out[static PROTO_ID_MAX + 1])
{
	static const struct { const char *attribute, *scheme; } sources[] = {
		{ "wwid", "wwid" }, { "device/wwid", "wwid" }, { "serial", "serial" }, { "device/serial", "serial" },
		{ "md/uuid", "md" }, { "dm/uuid", "dm" },
	};
	char text[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (attribute(name, sources[i].attribute, text, 512)) {
			set_id(out, sources[i].scheme, text);
			return;
		}
	if (scsi_serial(name, text, sizeof text)) {
		set_id(out, "serial", text);
		return;
	}
	place_on_bus(name, text);
	if (text[0])
		set_id(out, "bus", text + 1);
	else
		set_id(out, "name", name);
}

static void id_of_numbered(const char *name, char out[static PROTO_ID_MAX + 1])
{
	char path[PATH_MAX], real[PATH_MAX], number[16], disk[PROTO_ID_MAX + 1], joined[2 * PROTO_ID_MAX];
	char *parent;

	snprintf(path, sizeof path, SYS "/%s/..", name);
	if (realpath(path, real) == NULL || !attribute(name, "partition", number, sizeof number)) {
		set_id(out, "name", name);
		return;
	}
	parent = strrchr(real, '/') + 1;
	id_of_disk(parent, disk);
	snprintf(joined, sizeof joined, "%s-part%s", disk, number);
	set_id(out, "on", joined);
}

static void describe(const char *name, const char *path, struct proto_device *out)
{
	char text[64];

	memset(out, 0, sizeof *out);
	snprintf(out->path, sizeof out->path, "%s", path);
	out->kind = kind_of(name);
	out->size_bytes = attribute(name, "size", text, sizeof text) ? strtoll(text, NULL, 10) * SECTOR : 0;
	if (!attribute(name, "dm/name", out->name, sizeof out->name)
		&& !attribute(name, "device/model", out->name, sizeof out->name))
		snprintf(out->name, sizeof out->name, "%s", name);
	word_readable(out->name);
	if (out->kind != PROTO_DEVICE_PARTITION)
		id_of_disk(name, out->id);
	else if (!id_of_partition(path, out->id))
		id_of_numbered(name, out->id);
}

/* Copied disks can bear the same ids; the second one is then told apart by its place. */
static void make_unique(struct proto_device *list, size_t count)
{
	const char *name = strrchr(list[count].path, '/') + 1;
	char joined[2 * PROTO_ID_MAX];

	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].id, list[count].id) == 0) {
			snprintf(joined, sizeof joined, "%s@%s", list[count].id, name);
			set_id(list[count].id, "copy", joined);
			return;
		}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

int block_list(struct proto_device *out, size_t max)
{
	struct dirent **names;
	int found = scandir(SYS, &names, NULL, by_name);
	size_t count = 0;

	if (found < 0)
		return err_set(ERR_IO, "%s: %s", SYS, strerror(errno));
	for (int i = 0; i < found; i++) {
		const char *name = names[i]->d_name;
		char path[PATH_MAX];

		snprintf(path, sizeof path, "/dev/%s", name);
		if (name[0] != '.' && count < max && !is_left_out(name) && access(path, F_OK) == 0) {
			describe(name, path, &out[count]);
			if (out[count].size_bytes > 0)
				make_unique(out, count++);
		}
		free(names[i]);
	}
	free(names);
	return (int)count;
}

static int describe_file(const char *path, const struct stat *st, struct proto_device *out)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL || strlen(real) > PROTO_TEXT_MAX || !json_is_text(real, strlen(real)))
		return err_set(ERR_INVALID, "%s: the path is too long, or no text (UTF-8)", path);
	memset(out, 0, sizeof *out);
	snprintf(out->path, sizeof out->path, "%s", real);
	snprintf(out->name, sizeof out->name, "%s", strrchr(real, '/') + 1);
	out->kind = PROTO_DEVICE_FILE;
	out->size_bytes = st->st_size;
	set_id(out->id, "file", real);
	return 0;
}

int block_describe(const char *path, struct proto_device *out)
{
	char link[64], real[PATH_MAX];
	struct stat st;
	const char *name;

	if (stat(path, &st) < 0)
		return err_set(ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode))
		return describe_file(path, &st, out);
	if (!S_ISBLK(st.st_mode))
		return err_set(ERR_INVALID, "%s: neither a block device nor a file", path);
	snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (realpath(link, real) == NULL)
		return err_set(ERR_NOT_FOUND, "%s: the kernel has no such device", path);
	name = strrchr(real, '/') + 1;
	describe(name, path, out);
	if (out->kind == PROTO_DEVICE_OTHER)
		set_id(out->id, "path", path);
	return 0;
}
