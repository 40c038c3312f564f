/* mount_point.h - where a data volume may be mounted: the one answer for console, agent service and guest. Pure. */
#ifndef BASE_MOUNT_POINT_H
#define BASE_MOUNT_POINT_H

/* NULL when PATH can be used; else a sentence that says what is wrong with it, of static storage. */
const char *mount_point_problem(const char *path);

#endif
