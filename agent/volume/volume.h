/* volume.h - the encrypted volumes of a guest: looking at a device, making a LUKS2 volume on it, opening, mounting, closing.
 *
 * On disk it is always plain LUKS2 (the specification "LUKS2 On-Disk Format", version 1.1), made and read by libcryptsetup.
 * How the plaintext becomes a block device is an engine's affair: one struct, one file (dmcrypt.c, userspace.c).
 *
 * The device key opens a key slot; the volume key is drawn in the guest and never leaves it. Nothing here keeps a key:
 * `const struct secret *` is lent for the call. All functions block (milliseconds, except where said) and are for root. */
#ifndef AGENT_VOLUME_VOLUME_H
#define AGENT_VOLUME_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/uuid.h"

#define VOLUME_NAME_MAX 48        /* letters, digits, '-', '_' and '.', not first */
#define VOLUME_PATH_MAX 4096
#define VOLUME_SERVER_MAX 256
#define VOLUME_TEXT_MAX 256
#define VOLUME_LABEL_SIZE 17
#define VOLUME_SIZE_LEAST (17 << 20)     /* bytes: the header has 16 MiB */
#define VOLUME_ARRAY_MAX 64
#define VOLUME_PARTS_MAX 16       /* members of an array */
#define VOLUME_CHUNK (256 * 1024) /* bytes of an array that lie on one member before the next one's turn comes */

/* Where this machine keeps what must survive the agent, and the program of the user-space engine. */
struct volume_env {
	const char *run_dir;      /* made with mode 0700 when missing; on a file system that does not outlive the boot */
	const char *program;      /* keyward-volume; NULL: the installed one */
	int brief;                /* a command that ends before its volumes: they keep nothing of its standard error, nor write to its terminal */
};

/* The place of a volume in a RAID 0 array: its plaintext is not a file system but one of COUNT parts of a larger one. */
struct volume_place {
	char array[VOLUME_ARRAY_MAX];     /* the array's id, as the server names it; "": none */
	uint32_t index, count, chunk;     /* CHUNK in bytes */
};

/* What the token on the volume says about whose it is: clones and moved disks are known by it. */
struct volume_token {
	char server[VOLUME_SERVER_MAX];   /* URL or id of the server, as the agent knows it */
	struct uuid account, device;
	uint32_t key_version;             /* of the device key that opens KEYSLOT */
	int keyslot;                      /* -1 while unknown */
	int provisioning;                 /* made, but not yet ready: may be made again without being named */
	uint64_t wiped;                   /* while provisioning: bytes of the data segment already overwritten */
	struct volume_place place;
};

enum volume_use { VOLUME_FREE, VOLUME_ROOT_DISK, VOLUME_MOUNTED, VOLUME_HELD };

enum volume_content {
	VOLUME_NOTHING,
	VOLUME_TABLE,             /* a partition table */
	VOLUME_SIGNATURE,         /* a file system, swap, RAID member, LUKS1, ... */
	VOLUME_LUKS_FOREIGN,      /* LUKS2 without our token */
	VOLUME_OURS,
};

struct volume_report {
	enum volume_use use;
	char use_text[VOLUME_TEXT_MAX];       /* "mounted on /srv"; empty when free */
	enum volume_content content;
	char content_text[VOLUME_TEXT_MAX];   /* "ext4 \"label\"", "partition table (gpt)"; empty when nothing */
	struct volume_token token;            /* when content is VOLUME_OURS */
	uint64_t size;                        /* bytes of the device or file */
	uint32_t logical_sector;              /* 512 for files */
	int read_only;                        /* the kernel refuses to write to the device */
};

/* Reads only. PATH is a block device or a regular file. ERR_NOT_FOUND, ERR_INVALID for other kinds of files, ERR_IO. */
int volume_inspect(const char *path, struct volume_report *out);
/* Same, while the caller itself has a claim on PATH, so that what it finds stays so. */
int volume_inspect_claimed(const char *path, struct volume_report *out);
/* Whether PATH may be overwritten: 0, ERR_BUSY (root disk, mounted, held: never), ERR_CONFLICT (something is on it and NAMED
 * is 0). The text says what was found. Our own volume that is still provisioning for DEVICE needs no name. */
int volume_may_overwrite(const struct volume_report *found, const struct uuid *device, int named);

enum volume_cipher { VOLUME_XTS, VOLUME_CBC_ESSIV };

struct volume_params {
	enum volume_cipher cipher;
	unsigned key_bits;        /* AES: 128, 192, 256; XTS has no 192. The volume key of XTS is twice as long */
	uint32_t sector_size;     /* 512 or 4096 bytes; 0: 4096 when the size allows it */
	const char *hash;         /* of key slot, anti-forensic stripes and digest: "sha256", "sha384", "sha512"; NULL: sha256 */
	struct volume_token token;
	int wipe;                 /* overwrite the whole data segment with random bytes first; takes the disk's time */
};

/* Called now and then with a stage ("header", "wipe", "mkfs", "ready") and its percentage; nonzero stops the work. */
typedef int (*volume_progress)(void *ctx, const char *stage, int percent);

/* Writes a new LUKS2 header with our token, marked "provisioning", then wipes if asked. Refuses as volume_may_overwrite does.
 * Interrupted at any moment it leaves what was there, nothing recognisable, or a volume with our token and the mark; run
 * again it starts anew, except that a wipe goes on where it was. volume_ready takes the mark away. */
int volume_format(const char *path, const struct volume_params *params, const struct secret *device_key, int named,
	volume_progress progress, void *ctx);
int volume_ready(const char *path);

struct volume_engine;
struct volume_open_params;
/* Opens what was just formatted, makes the file system on it, closes it. FSTYPE and LABEL as for volume_mkfs. */
int volume_make_fs(const struct volume_env *env, const struct volume_engine *engine, const struct volume_open_params *p,
	const struct secret *device_key, const char *fstype, const char *label);
/* All of it: format, open, make the file system, close, take the mark away. FSTYPE and LABEL as for volume_mkfs. */
int volume_provision(const struct volume_env *env, const char *path, const char *name, const struct volume_params *params,
	const struct secret *device_key, const char *fstype, const char *label, int named, volume_progress progress, void *ctx);

/* NEW in OLD's place; data are not touched, an open volume stays open. */
struct volume_rekey {
	const struct secret *old, *new;
	uint32_t version;         /* of NEW, for the token */
	struct uuid device;       /* for the token: whose key NEW is; nil: as it says already */
};

/* In two steps, so that whoever keeps the keys can make NEW the current one in between. First: NEW has a slot of its own, which was seen to
 * open by a header read anew from the disk, and the token names it; OLD still opens. Then: OLD's slots are gone, but never before NEW was seen
 * to open once more. Each can be repeated, and a crash leaves a volume that OLD opens, or both, or NEW. ERR_FORBIDDEN: neither opens it,
 * or, for the second, NEW does not; ERR_INVALID: they are the same. */
int volume_rekey_add(const char *path, const struct volume_rekey *r);
int volume_rekey_drop(const char *path, const struct volume_rekey *r);
/* While it is not certain which of two keys opens PATH: *KEY stays, unless it is OTHER alone that does. The one of both that it is not is
 * freed. */
void volume_rekey_choose(const char *path, struct secret **key, struct secret *other);

/* After a key of VERSION did not open PATH (the error is set): says so where the token names a later one, as after a server's database was restored from
 * before a rotation; else leaves the error as it is. ERR_FORBIDDEN. */
int volume_rekey_explain(const char *path, int64_t version);

/* Another volume key for the volume on PATH, which is open as the mapped device NAME (dm-crypt alone): all of its data are encrypted anew while
 * it is in use; it takes the disk's time. Interrupted, by PROGRESS ("reencrypt", per cent; ERR_CONFLICT then) or anything else, the volume
 * opens as it is, by the same device key, and calling this again goes on. Key slots that KEY does not open are gone at the end. */
int volume_reencrypt(const char *path, const char *name, const struct secret *key, volume_progress progress, void *ctx);

struct volume_part {
	const char *path;
	const struct secret *key;
};

/* How whoever keeps the keys knows the volume (each member of an array) to be encrypted. A header that says otherwise was changed by
 * somebody, and nothing is opened by it. */
struct volume_encryption {
	const char *name;         /* "aes-xts-plain64"; NULL or "": whatever the header says */
	unsigned key_bits;        /* of the cipher: half of the volume key for XTS */
};

/* An array's plaintext is one block device: PATH and the key given with it are of its first member, MORE are the others in order. */
struct volume_open_params {
	const char *path, *name;
	int read_only;
	int discards;             /* pass discards down: shows which blocks are unused to who sees the disk */
	const struct volume_part *more;
	size_t more_count;        /* at most VOLUME_PARTS_MAX - 1; 0: no array */
	uint32_t chunk;           /* bytes, whole sectors; of an array only */
	struct volume_encryption expected;
};

/* A volume that is open, as kept in the run directory. */
struct volume_state {
	char name[VOLUME_NAME_MAX + 1];
	char path[VOLUME_PATH_MAX];       /* what it lies on; the first member of an array */
	int parts;                        /* members; 1: no array */
	char device[VOLUME_TEXT_MAX];     /* the block device with the plaintext; empty when it is gone */
	char kept_device[VOLUME_TEXT_MAX];    /* what it was when the volume was opened; empty when the engine does not say */
	char kept_file[VOLUME_TEXT_MAX];      /* of the user-space engine: the file that it lies on (state.h) */
	char engine[32];
	int read_only;
	int alive;                        /* 0: its process is gone; volume_close cleans up */
	char mounted[VOLUME_PATH_MAX];    /* first mount point; empty when not mounted */
};

struct volume_engine {
	const char *name;
	int (*supported)(void);           /* 1 or 0, on this kernel */
	int (*open)(const struct volume_env *env, const struct volume_open_params *p, const struct secret *device_key,
		char device[static VOLUME_TEXT_MAX]);
	/* The block device is no longer mounted. FORCE: the key must go now, whatever is still in use. */
	int (*close)(const struct volume_env *env, const struct volume_state *state, int force);
	int (*alive)(const struct volume_env *env, const struct volume_state *state);
	/* The block device now, also of a dead volume: ERR_NOT_FOUND when there is none. */
	int (*find)(const struct volume_state *state, char device[static VOLUME_TEXT_MAX]);
};

extern const struct volume_engine volume_dmcrypt, volume_userspace;

/* The engine by NAME; NULL gives the best that this kernel supports. ERR_NOT_FOUND, ERR_UNSUPPORTED. */
int volume_engine_find(const char *name, const struct volume_engine **out);

/* Opens with the device key; the block device's path goes to DEVICE. ENGINE NULL: the best. What a killed predecessor of the
 * same name left behind is cleaned up first. ERR_FORBIDDEN: the key does not open it. ERR_BUSY: open already, or its disk
 * is in use. ERR_UNSUPPORTED: an engine or format that cannot be had here, or a header that is not to be trusted. */
int volume_open(const struct volume_env *env, const struct volume_engine *engine, const struct volume_open_params *p,
	const struct secret *device_key, char device[static VOLUME_TEXT_MAX]);
/* Takes the key out of memory. ERR_BUSY while it is mounted or held, unless FORCE: then mounts are detached and those who
 * still use it get I/O errors. ERR_NOT_FOUND when no such volume is open. */
int volume_close(const struct volume_env *env, const char *name, int force);
/* Finds open volumes again, without a key, also those that another process opened. ERR_NOT_FOUND. */
int volume_status(const struct volume_env *env, const char *name, struct volume_state *out);
/* All of them; *OUT is the caller's (free). Returns the count. */
int volume_list(const struct volume_env *env, struct volume_state **out);

/* FSTYPE "ext3", "ext4", "xfs"; LABEL may be NULL (at most 16 bytes, xfs 12). Overwrites DEVICE. Takes seconds. */
int volume_mkfs(const char *device, const char *fstype, const char *label);
/* Repairs what can be repaired without asking (ext: fsck -p; XFS replays its log at mount). ERR_IO: somebody must look. FOUND: what was
 * repaired, in the checker's words; empty when all was well. */
int volume_check(const char *device, char found[static VOLUME_TEXT_MAX]);
/* A label for FSTYPE made of NAME: what fits of it. */
void volume_label(const char *fstype, const char *name, char label[static VOLUME_LABEL_SIZE]);
/* Mounts the file system found on DEVICE at POINT, which is made when missing; noatime. Read-only also where the journal
 * cannot be replayed because DEVICE is read-only. */
int volume_mount(const char *device, const char *point, int read_only);
/* ERR_BUSY while in use, unless FORCE (detached now, gone when its last user is). */
int volume_unmount(const char *point, int force);

#endif
