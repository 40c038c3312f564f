/* header.c - the security headers that every answer bears. HSTS comes from the server itself. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "web/web.h"

/* No inline script or style, no plug-ins, no frames, forms only to ourselves. What a page may load is ours alone. */
#define PAGE_POLICY "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " \
	"connect-src 'self'; form-action 'self'%s; frame-ancestors 'none'; base-uri 'none'"
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

static void add_page_policy(struct web_response *out, const char *forms_to)
{
	char *policy = mem_printf(PAGE_POLICY, forms_to);

	web_response_header(out, "content-security-policy", policy);
	free(policy);
}

void web_allow_form(struct web_response *out, const char *url)
{
	const char *host = strstr(url, "://");
	size_t len = host ? strspn(host + 3, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") : 0;
	char *origin;

	/* Anything else could end the directive. */
	if (len == 0 || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
		return;
	origin = mem_printf(" %.*s", (int)(host + 3 + len - url), url);
	add_page_policy(out, origin);
	free(origin);
}

void web_security_headers(struct web_response *out)
{
	const char *type = header_of(out, "content-type");
	int html = type && strncmp(type, "text/html", 9) == 0;

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		web_response_header(out, always[i].name, always[i].value);
	if (html && header_of(out, "content-security-policy") == NULL)
		add_page_policy(out, "");
	else if (!html)
		web_response_header(out, "content-security-policy", OTHER_POLICY);
	if (header_of(out, "cache-control") == NULL)
		web_response_header(out, "cache-control", "no-store");
}
