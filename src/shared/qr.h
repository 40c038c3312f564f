/* qr.h - QR codes as drawings. */
#ifndef SHARED_QR_H
#define SHARED_QR_H

#include <jansson.h>

/* TEXT, at most some 300 bytes, as an SVG that {{{...}}} puts out; dark on light whatever the page's colours are, as cameras want it. LABEL: in
 * words, for who cannot see it. The caller's reference. */
int qr_svg(const char *text, const char *label, json_t **out);

#endif
