/* saml_key.c - second keys of single sign-on whose time is over. */
#include "jobs/saml_key.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "identity/certificate.h"
#include "store/saml.h"

int saml_key_due(struct db *db, clock_us now)
{
	enum store_side side = db_tenant(db) ? STORE_TENANT : STORE_OPERATOR;
	struct certificate c;
	char *pem = NULL;
	int next, rc = saml_second_due(db, side, &pem, &next);

	(void)now;
	if (rc == 0)
		rc = certificate_read(pem, strlen(pem), &c);
	if (rc == 0)
		rc = next ? saml_second_use(db, side, pem, c.fingerprint) : saml_second_drop(db, side, pem, c.fingerprint);
	free(pem);
	/* Nothing is due, or somebody was faster. */
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
