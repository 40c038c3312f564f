/* loop.h - loop devices: attaching a file as a block device, finding it again, and letting go of it. */
#ifndef AGENT_VOLUME_LOOP_H
#define AGENT_VOLUME_LOOP_H

#include <stdint.h>

#include "agent/volume/volume.h"

/* FD is the file; it may be closed afterwards. Direct I/O where file and kernel allow it. ERR_IO, ERR_BUSY when no loop device
 * can be had, ERR_UNSUPPORTED without the driver. */
int loop_attach(int fd, uint32_t sector, int read_only, char device[static VOLUME_TEXT_MAX]);
/* Whether DEVICE is a loop device whose file is called FILE. */
int loop_has_file(const char *device, const char *file);
/* The first loop device whose file is called FILE, in whatever folder; also when that file's server is dead. ERR_NOT_FOUND. */
int loop_find(const char *file, char device[static VOLUME_TEXT_MAX]);
/* Syncs, then lets go, at the latest when the last user closes it. ERR_IO: something could not be written any more. */
int loop_detach(const char *device);

#endif
