/* updates.h - counting the updates that wait, as a process of its own. */
#ifndef AGENT_INTEGRITY_UPDATES_H
#define AGENT_INTEGRITY_UPDATES_H

#define UPDATES_OPTION "--count-updates"

/* What keyward-facts does with that option: asks apt, and keeps the answer in FOLDER, unless it is there already or another does
 * so. Takes seconds. ERR_IO, ERR_TIMEOUT. */
int updates_count(const char *folder);

#endif
