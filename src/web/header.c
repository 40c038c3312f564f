/* header.c - the security headers that every answer bears. HSTS comes from the server itself. */
#include <string.h>

#include "base/mem.h"
#include "web/web.h"

/* No inline script or style, no plug-ins, no frames, forms only to ourselves. What a page may load is ours alone. */
#define PAGE_POLICY "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " \
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
#define OTHER_POLICY "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

static const struct {
	const char *name, *value;
} always[] = {
	{ "x-content-type-options", "nosniff" },
	{ "x-frame-options", "DENY" },
	/* Not no-referrer: browsers would then send "Origin: null" with forms, and guard_origin could not tell whose they are. */
	{ "referrer-policy", "same-origin" },
	{ "cross-origin-opener-policy", "same-origin" },
	{ "cross-origin-resource-policy", "same-origin" },
	{ "cross-origin-embedder-policy", "require-corp" },
	{ "permissions-policy", "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
		"microphone=(), midi=(), payment=(), usb=()" },
	{ "x-permitted-cross-domain-policies", "none" },
};

static const char *header_of(const struct web_response *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}

void web_security_headers(struct web_response *out)
{
	const char *type = header_of(out, "content-type");
	int html = type && strncmp(type, "text/html", 9) == 0;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		web_response_header(out, always[i].name, always[i].value);
	web_response_header(out, "content-security-policy", html ? PAGE_POLICY : OTHER_POLICY);
	if (header_of(out, "cache-control") == NULL)
		web_response_header(out, "cache-control", "no-store");
}
