/* limits.h - what the header of a volume may ask for before a key is tried on it. Nobody vouches for a header: whoever had the disk can
 * have written it, so that stretching takes days or all memory, or so that what we write lands on the disk in the clear. */
#ifndef AGENT_VOLUME_LIMITS_H
#define AGENT_VOLUME_LIMITS_H

#include <libcryptsetup.h>

/* What is to open a slot. A device key is random: the slots that are made for it are stretched a little, by pbkdf2. What a person has
 * chosen is stretched as cryptsetup does it. */
enum limits_secret { LIMITS_DEVICE_KEY, LIMITS_PASSPHRASE };

struct limits;

/* What CD's header says, in memory as libcryptsetup will use it; freed by limits_free. ERR_UNSUPPORTED with the reason where nothing of it may
 * be used: a segment that is not encrypted, a check value that takes for ever. */
int limits_read(struct crypt_device *cd, struct limits **out);
/* The same of the metadata's text. */
int limits_parse(const char *text, size_t len, struct limits **out);
void limits_free(struct limits *l);

/* 0 where SECRET may be tried on SLOT; else ERR_UNSUPPORTED with the reason; ERR_NOT_FOUND where there is no such slot. */
int limits_slot(const struct limits *l, int slot, enum limits_secret secret);
/* 0 where a secret may be tried on all slots, as libcryptsetup does by itself while a volume is encrypted anew. */
int limits_all(const struct limits *l);

#endif
