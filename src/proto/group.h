/* group.h - OpenSSL's P-256, made once per process: making it costs more than most of what is done with it. */
#ifndef PROTO_GROUP_H
#define PROTO_GROUP_H

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "proto/crypto.h"

/* Never NULL, never released, only read, so all threads share it. */
const EC_GROUP *proto_group(void);
/* The same as parameters to make keys with. */
EVP_PKEY *proto_curve(void);
/* The caller's; NULL when POINT is none of the curve. */
EVP_PKEY *proto_public_key(const uint8_t point[static PROTO_POINT_SIZE]);

#endif
