/* state.h - what the run directory remembers of an open volume: NAME.json says what it is, a lock on NAME.lock says that the
 * process serving it lives. No secrets. Used by the agent's side and by keyward-volume. */
#ifndef AGENT_VOLUME_STATE_H
#define AGENT_VOLUME_STATE_H

#include <sys/types.h>

#include "agent/volume/volume.h"

/* ERR_INVALID for a name that may not be part of a path. */
int state_check_name(const char *name);
/* Makes the run directory (0700, root's) when missing; ERR_FORBIDDEN when others could write to it. */
int state_folder(const char *run_dir);
int state_save(const char *run_dir, const struct volume_state *state);
/* NAME, PATH, PARTS, ENGINE, READ_ONLY, KEPT_DEVICE and KEPT_FILE only. ERR_NOT_FOUND. */
int state_load(const char *run_dir, const char *name, struct volume_state *out);
void state_remove(const char *run_dir, const char *name);
/* Where keyward-volume mounts for a moment. */
void state_mount_point(const char *run_dir, const char *name, char out[static VOLUME_PATH_MAX]);
/* The plaintext file's name there: unmistakable, since its loop device is found by it, and all containers of a machine see all loop devices.
 * So it says which run directory the volume is of. */
#define STATE_FILE_MAX (VOLUME_NAME_MAX + 48)
void state_file_name(const char *run_dir, const char *name, char out[static STATE_FILE_MAX]);

/* Held until this process ends. ERR_BUSY when another has it. */
int state_lock(const char *run_dir, const char *name);
/* The process that holds the lock; 0 when none does. */
pid_t state_holder(const char *run_dir, const char *name);

#endif
