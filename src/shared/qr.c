/* qr.c - QR codes by libqrencode, as one path of squares. */
#include "shared/qr.h"

#include <qrencode.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "render/template.h"

#define QUIET 4                  /* modules of margin that the standard asks for */

int qr_svg(const char *text, const char *label, json_t **out)
{
	QRcode *qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	struct buf svg = BUF_INIT;
	int size;

	if (qr == NULL)
		return err_set(ERR_TOO_LARGE, "too much for a QR code");
	size = qr->width + 2 * QUIET;
	buf_printf(&svg, "<svg class=\"kw-qr\" role=\"img\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\" aria-label=\"", size, size);
	template_escape(label, strlen(label), &svg);
	buf_printf(&svg, "\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"", size, size);
	for (int y = 0; y < qr->width; y++)
		for (int x = 0; x < qr->width; x++)
			if (qr->data[y * qr->width + x] & 1)
				buf_printf(&svg, "M%d %dh1v1h-1z", x + QUIET, y + QUIET);
	buf_puts(&svg, "\"/></svg>");
	*out = template_safe(buf_str(&svg));
	secret_wipe(qr->data, (size_t)qr->width * (size_t)qr->width);
	QRcode_free(qr);
	secret_wipe(svg.data, svg.len);
	buf_free(&svg);
	return 0;
}
