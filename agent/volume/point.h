/* point.h - the folder that a volume is mounted on. */
#ifndef AGENT_VOLUME_POINT_H
#define AGENT_VOLUME_POINT_H

/* Opens (O_PATH) the folder at the absolute path POINT; what is missing of it is made, for everybody to enter. Links on the way are followed
 * where they are root's: anybody else's could lead a volume over what the system runs from. Nor may root's lead there. What is mounted on
 * /proc/self/fd/N of the result is mounted on just that folder, whatever becomes of its name meanwhile. ERR_FORBIDDEN, ERR_INVALID, ERR_IO. */
int point_open(const char *point, int *fd);

#endif
