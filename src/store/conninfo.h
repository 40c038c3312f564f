/* conninfo.h - connection strings of libpq for a process that has another root folder. */
#ifndef STORE_CONNINFO_H
#define STORE_CONNINFO_H

/* GIVEN with each path in it (socket folders, certificates, keys, lists of revoked ones) as INSIDE says that this process sees it. What is no
 * connection string comes back as it is: connecting tells what is wrong with it. The caller frees. */
char *conninfo_inside(const char *given, const char *(*inside)(const void *ctx, const char *path), const void *ctx);

#endif
