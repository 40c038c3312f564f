/* imds.h - the metadata service of EC2 and its like, version 2: a token by PUT, then paths by GET. Never through a proxy. */
#ifndef AGENT_PLUGIN_IMDS_H
#define AGENT_PLUGIN_IMDS_H

#include "base/buf.h"

struct imds;

/* URL: of the service; "": where EC2 has it, by IPv4 or IPv6. MAY_BE_OLD: a service that knows no tokens is asked without (version 1).
 * ERR_INVALID for a URL that is not near. */
int imds_open(const char *url, int may_be_old, struct imds **out);
void imds_close(struct imds *m);
/* The text at PATH (below /latest/) appended to OUT. ERR_NOT_FOUND, ERR_UNAVAILABLE, ERR_FORBIDDEN (switched off). */
int imds_get(struct imds *m, const char *path, struct buf *out);
/* The same into OUT, cut at SIZE; what is not there is "". */
int imds_text(struct imds *m, const char *path, char *out, size_t size);

#endif
