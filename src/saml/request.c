/* request.c - the request with which a browser is sent to the identity provider. */
#include "base/err.h"
#include "saml/xml.h"

/* Name of the element, id, time, destination, issuer: what every message of ours begins with. */
static void put_head(struct buf *out, const struct saml_sp *sp, const struct saml_ask *ask, const char *to)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(ask->now, at);
	buf_printf(out, "<samlp:AuthnRequest xmlns:samlp=\"" NS_PROTOCOL "\" xmlns:saml=\"" NS_ASSERTION "\" ID=\"%s\" Version=\"2.0\""
		" IssueInstant=\"%s\" ProtocolBinding=\"" BINDING_POST "\" Destination=\"", ask->id, at);
	xml_escape(out, to);
	buf_puts(out, "\" AssertionConsumerServiceURL=\"");
	xml_escape(out, sp->acs_url);
	buf_puts(out, ask->again ? "\" ForceAuthn=\"true\">" : "\">");
	buf_puts(out, "<saml:Issuer>");
	xml_escape(out, sp->entity);
	buf_puts(out, "</saml:Issuer>");
}

int saml_request_url(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_ask *ask, struct buf *url)
{
	struct buf xml = BUF_INIT;
	int rc;

	if (!xml_is_id(ask->id))
		return err_set(ERR_INVALID, "not an id of a message: %s", ask->id);
	put_head(&xml, sp, ask, idp->sso_url);
	if (ask->format && *ask->format) {
		buf_puts(&xml, "<samlp:NameIDPolicy AllowCreate=\"true\" Format=\"");
		xml_escape(&xml, ask->format);
		buf_puts(&xml, "\"/>");
	}
	buf_puts(&xml, "</samlp:AuthnRequest>");
	rc = redirect_url(idp->sso_url, "SAMLRequest", buf_str(&xml), ask->relay, sp->key, url);
	buf_free(&xml);
	return rc;
}
