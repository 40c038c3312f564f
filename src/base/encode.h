/* encode.h - bytes as text: hexadecimal, base64 and base64url without padding (RFC 4648, sections 8, 4 and 5). Not for secrets. */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stddef.h>

#include "base/buf.h"

char *encode_hex(const void *data, size_t len);              /* the caller frees */
char *encode_base64(const void *data, size_t len);           /* the caller frees */
char *encode_base64url(const void *data, size_t len);        /* the caller frees */
/* The decoded bytes are appended to OUT; ERR_INVALID leaves it as it was. */
int decode_hex(const char *text, struct buf *out);
int decode_base64url(const char *text, struct buf *out);

#endif
