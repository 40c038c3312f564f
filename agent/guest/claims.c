/* claims.c - the protected header of a flattened JWE (RFC 7516, section 7.2.2). */
#include "agent/guest/claims.h"

#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"

int claims_read(const char *jwe, struct sealed_expected *out)
{
	json_t *o = NULL, *header = NULL;
	struct buf text = BUF_INIT;
	struct uuid device, request;
	const char *encoded;
	int rc = json_parse_object(jwe, strlen(jwe), SEALED_JWE_MAX, &o);

	if (rc == 0)
		rc = json_get_string(o, "protected", SEALED_JWE_MAX, &encoded);
	if (rc == 0)
		rc = decode_base64url(encoded, &text);
	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, SEALED_JWE_MAX, &header);
	if (rc == 0)
		rc = json_get_uuid(header, "device", &device);
	if (rc == 0)
		rc = json_get_uuid(header, "request", &request);
	if (rc == 0) {
		out->device = device;
		out->request = request;
	}
	json_decref(header);
	json_decref(o);
	buf_free(&text);
	return rc < 0 ? err_wrap(rc, "sealed key") : 0;
}
