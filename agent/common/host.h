/* host.h - what can be told of this machine cheaply: name, distribution, kernel, uptime. */
#ifndef AGENT_COMMON_HOST_H
#define AGENT_COMMON_HOST_H

#include <stdint.h>

#include "proto/message.h"

#define HOST_AGENT_VERSION "0.1.0"

void host_describe(struct proto_host *out);
int64_t host_uptime(void);                                   /* seconds */
/* Unix time in seconds, the same for the whole boot; 0: unknown */
int64_t host_booted(void);
/* Value of NAME in /etc/os-release without quotes, "" when it is not there. */
void host_release(const char *name, char *out, size_t size);
/* First line of a small file such as those of sysfs, trimmed; "" when it cannot be read. */
void host_read_line(const char *path, char *out, size_t size);

#endif
