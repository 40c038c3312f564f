/* group.h - OpenSSL's P-256, made once per process: making it costs more than most of what is done with it. */
#ifndef PROTO_GROUP_H
#define PROTO_GROUP_H

#include <openssl/ec.h>

/* Never NULL, never released, only read, so all threads share it. */
const EC_GROUP *proto_group(void);

#endif
