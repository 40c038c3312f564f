/* param.h - fields become typed values, once, against the parameters that a route declares. */
#ifndef WEB_PARAM_H
#define WEB_PARAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "web/form.h"
#include "web/route.h"

struct param_value {
	struct route_param row;
	int given;
	char *text;                      /* TEXT, LINES, EMAIL, PASSWORD, ENUM; as typed for the others, for a form drawn again */
	int64_t number;                  /* INT, BOOL, TIME */
	struct uuid id;
	json_t *json;
	char **texts;                    /* TEXTS */
	struct uuid *ids;                /* UUIDS */
	size_t count;
	const char *error;               /* English, with %{least} and %{most}; NULL: well-formed */
};

struct params {
	struct param_value *values;
	size_t count;
	size_t errors;
};

/* Reads what ROW declares from the path's segments and the fields of F. Always fills P, the values that are wrong with their
 * errors. STRICT: ERR_INVALID naming a field of F that is not declared; "csrf" may always be there. ERR_NOT_FOUND when a segment
 * of the path is not of its type: no such page. ERR_INTERNAL: a row with too many. Otherwise 0, even with wrong values. */
int params_read(struct params *p, const struct route *row, const struct route_match *match, struct form *f, int strict);
void params_free(struct params *p);
/* NULL, or what is wrong with an e-mail address. Good enough to catch mistakes; only a mail that arrives proves an address. */
const char *param_email_fault(const char *text);
extern const char param_no_email[];      /* what is wrong with most of them */
struct param_value *params_find(const struct params *p, const char *name);   /* NULL: not declared */
/* Appends TEXT with %{least}, %{most} and %{label} of V replaced. */
void param_error_text(const struct param_value *v, const char *text, struct buf *out);

#endif
