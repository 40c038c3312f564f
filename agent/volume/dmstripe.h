/* dmstripe.h - a RAID 0 of block devices by the kernel's device mapper: the target "striped", without metadata of its own. */
#ifndef AGENT_VOLUME_DMSTRIPE_H
#define AGENT_VOLUME_DMSTRIPE_H

#include <stddef.h>
#include <stdint.h>

/* What its device mapper UUID begins with: by that the inventory knows what is ours. */
#define DMSTRIPE_UUID "KEYWARD-"

/* Makes /dev/mapper/NAME of the COUNT block devices at PATHS, each as large as the smallest of them, in chunks of CHUNK bytes. ERR_IO,
 * ERR_UNSUPPORTED. */
int dmstripe_open(const char *name, const char *const *paths, size_t count, uint32_t chunk, int read_only);
/* FORCE: its members are let go now; who still uses it gets I/O errors. Without one nothing happens. ERR_BUSY. */
int dmstripe_close(const char *name, int force);
int dmstripe_is_open(const char *name);

#endif
