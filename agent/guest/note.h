/* note.h - what the agent must still know of an open volume after it was killed: under which request it was opened and
 * where it belongs. A file per volume in the run folder; nothing secret. */
#ifndef AGENT_GUEST_NOTE_H
#define AGENT_GUEST_NOTE_H

#include "agent/guest/device.h"
#include "agent/volume/volume.h"

int note_write(const struct volume_env *env, const struct device *d);
/* Fills request, mount point and access of D; leaves them when there is no note for this device. */
void note_read(const struct volume_env *env, struct device *d);
void note_remove(const struct volume_env *env, const struct device *d);

#endif
