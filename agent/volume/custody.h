/* custody.h - volumes that change hands (VOL-7): a LUKS2 volume that somebody else made comes under management, and a managed one
 * goes to its owner, with a passphrase of his own or decrypted in place. The data stay where they are.
 *
 * Whatever is added is proven to open the volume, read anew from the disk, before anything is taken away; so a crash at any moment
 * leaves a volume that opens as before. Key slots can be changed while a volume is open and mounted. */
#ifndef AGENT_VOLUME_CUSTODY_H
#define AGENT_VOLUME_CUSTODY_H

#include "agent/volume/volume.h"

/* What the header says of itself. */
struct custody_look {
	char uuid[37], cipher[32], mode[32], hash[16];   /* "aes", "xts-plain64", "sha256" (of its digest) */
	unsigned key_bits;                               /* of the cipher: half of the volume key for XTS */
	uint32_t sector_size;
	int slots;                                       /* in use */
	int ours;                                        /* TOKEN is filled in */
	struct volume_token token;
};

/* Whether PATH holds a volume that can be managed: a LUKS2 header with its data behind it, which ENGINE (NULL: the best here) can
 * open. ERR_UNSUPPORTED (another format, detached header, integrity, half re-encrypted, foreign cipher), ERR_NOT_FOUND: no LUKS;
 * err_text() says what to do about it. */
int custody_look(const char *path, const struct volume_engine *engine, struct custody_look *out);

/* Whether SECRET opens PATH: 0 or ERR_FORBIDDEN. Takes seconds: its stretching. */
int custody_opens(const char *path, const struct secret *secret);
/* Adds KEY beside what opens the volume, proves it, and writes TOKEN (keyslot and mark are filled in). OLD is not needed (NULL) when
 * KEY is there already, from a run that was interrupted. ERR_FORBIDDEN: OLD does not open it. Takes seconds: OLD's stretching. */
int custody_adopt(const char *path, const struct secret *old, const struct secret *key, const struct volume_token *token);
/* Removes all key slots but the one that KEY opens. Returns how many. */
int custody_drop_others(const char *path, const struct secret *key);

/* Adds PASSPHRASE, stretched as a guessable one must be, and proves it; KEY (NULL: not at hand) or PASSPHRASE itself opens the volume
 * for that. Then removes every slot that KEY opens and the slot and the token that are ours. Can be repeated. ERR_FORBIDDEN. */
int custody_hand_over(const char *path, const struct secret *key, const struct secret *passphrase);

/* Turns PATH, whose volume is closed, into the plain file system that it holds, in place: data move to the device's beginning while
 * they are decrypted. HEADER is a file on another disk: from the first step on until the end the volume's header lives there
 * alone; interrupted at any moment, calling it again with both goes on. The file is removed at the end. ERR_BUSY, ERR_FORBIDDEN,
 * ERR_UNSUPPORTED; ERR_CONFLICT: PROGRESS ("decrypt", per cent) stopped it. Takes the disk's time. */
int custody_decrypt(const char *path, const char *header, const struct secret *key, volume_progress progress, void *ctx);
/* 1 when HEADER is there: a decryption has begun. */
int custody_decrypt_begun(const char *header);
/* Removes what a decryption that was killed at its very end has left beside HEADER; nothing while that is there. */
void custody_decrypt_tidy(const char *header);

#endif
