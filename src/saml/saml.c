/* saml.c - verdicts, and what the libraries need once. */
#include "saml/saml.h"

#include <libxml/parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/xmlsec.h>

#include "base/err.h"

static const char *const names[] = {
#define X(id, name) name,
	SAML_REASONS(X)
#undef X
};

const char *saml_reason_name(enum saml_reason r)
{
	return r < SAML_REASON_COUNT ? names[r] : "";
}

int saml_refuse(struct saml_verdict *v, enum saml_reason r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	v->reason = r;
	vsnprintf(v->text, sizeof v->text, fmt, args);
	va_end(args);
	/* What was sent may be quoted: nothing in a log line may end it. */
	for (char *s = v->text; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
	return err_set(ERR_FORBIDDEN, "%s: %s", names[r], v->text);
}

/* xmlsec would write to stderr whatever is sent to us. */
static void say_nothing(const char *file, int line, const char *func, const char *object, const char *subject, int reason, const char *msg)
{
}

void saml_init(void)
{
	xmlInitParser();
	if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0)
		fatal("xmlsec cannot start");
	xmlSecErrorsSetCallback(say_nothing);
}
