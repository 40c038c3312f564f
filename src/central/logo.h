/* logo.h - a picture that somebody hands in becomes one of ours: a PNG that is decoded and written anew, so that nothing but pixels is ever served. Pure. */
#ifndef CENTRAL_LOGO_H
#define CENTRAL_LOGO_H

#include <stddef.h>

#include "base/buf.h"

#define LOGO_BYTES_MAX (256 * 1024)      /* as it comes */
#define LOGO_KEPT_MAX (1024 * 1024)      /* as it is written */
#define LOGO_SIDE_LEAST 16               /* pixels */
#define LOGO_SIDE_MAX 1024
#define LOGO_TEXT_MAX 700000             /* characters that are looked at: twice what LOGO_BYTES_MAX has in base64, so that what is too large is told so */

/* TEXT is base64 (RFC 4648, section 4), as it is or as a data: URL; spaces and line breaks do not count. OUT is replaced. ERR_INVALID, with the reason for
 * people in err_text. */
int logo_text(const char *text, struct buf *out);
/* OUT, replaced: the pixels of the PNG alone. ERR_INVALID, likewise. Nothing is decoded before the whole file is known to be one still picture within the
 * limits. */
int logo_take(const void *data, size_t len, struct buf *out);

#endif
