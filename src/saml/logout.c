/* logout.c - single logout: messages to the identity provider and from it, signed both ways. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "saml/xml.h"

#define AGE_MAX (10 * CLOCK_MINUTE)      /* of a message, by its own say */

void saml_logout_release(struct saml_logout *l)
{
	free(l->id);
	free(l->request);
	free(l->name_id);
	free(l->format);
	json_decref(l->sessions);
	memset(l, 0, sizeof *l);
}

/* Ours */

static void put_element(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "<%s>", name);
	xml_escape(out, text);
	buf_printf(out, "</%s>", name);
}

static void put_message(struct buf *out, const struct saml_sp *sp, const struct saml_logout_ask *ask, const char *to)
{
	char at[CLOCK_TEXT_SIZE];
	const char *name = ask->request ? "LogoutResponse" : "LogoutRequest";

	clock_text(ask->now, at);
	buf_printf(out, "<samlp:%s xmlns:samlp=\"" NS_PROTOCOL "\" xmlns:saml=\"" NS_ASSERTION "\" ID=\"%s\" Version=\"2.0\" IssueInstant=\"%s\""
		" Destination=\"", name, ask->id, at);
	xml_escape(out, to);
	if (ask->request) {
		buf_puts(out, "\" InResponseTo=\"");
		xml_escape(out, ask->request);
	}
	buf_puts(out, "\">");
	put_element(out, "saml:Issuer", sp->entity);
	if (ask->request) {
		buf_printf(out, "<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:%s\"/></samlp:Status>",
			ask->success ? "Success" : "Requester");
	} else {
		buf_puts(out, "<saml:NameID");
		if (ask->format && strcmp(ask->format, FORMAT_UNSPECIFIED) != 0) {
			buf_puts(out, " Format=\"");
			xml_escape(out, ask->format);
			buf_putc(out, '"');
		}
		buf_putc(out, '>');
		xml_escape(out, ask->name_id);
		buf_puts(out, "</saml:NameID>");
		if (ask->session)
			put_element(out, "samlp:SessionIndex", ask->session);
	}
	buf_printf(out, "</samlp:%s>", name);
}

int saml_logout_url(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_logout_ask *ask, struct buf *url,
	struct buf *field)
{
	const char *to = ask->request && idp->slo_answer_url ? idp->slo_answer_url : idp->slo_url;
	struct buf xml = BUF_INIT, done = BUF_INIT;
	int rc = 0;

	if (to == NULL)
		return err_set(ERR_INVALID, "the identity provider has no single logout");
	if (!xml_is_id(ask->id) || (ask->request && !xml_is_id(ask->request)))
		return err_set(ERR_INVALID, "not an id of a message");
	put_message(&xml, sp, ask, to);
	buf_reset(field);
	if (idp->slo_post)
		rc = sign_document(buf_str(&xml), sp, &done);
	else
		rc = redirect_url(to, ask->request ? "SAMLResponse" : "SAMLRequest", buf_str(&xml), ask->relay, sp->key, url);
	if (rc == 0 && idp->slo_post) {
		buf_reset(url);
		buf_puts(url, to);
		base64_write(done.data, done.len, field);
	}
	buf_free(&xml);
	buf_free(&done);
	return rc;
}

/* Theirs */

static int check_head(const struct saml_sp *sp, const struct saml_idp *idp, const xmlNode *root, clock_us now, int skew, struct saml_verdict *v)
{
	const char *to = xml_attribute(root, "Destination"), *at_text = xml_attribute(root, "IssueInstant");
	const xmlNode *issuer = xml_first(root);
	clock_us at = 0;

	if (strcmp(xml_attribute(root, "Version"), "2.0") != 0 || !xml_is_id(xml_attribute(root, "ID")) || clock_parse(at_text, &at) < 0)
		return saml_refuse(v, SAML_XML, "this is no SAML 2.0 message");
	if (strcmp(to, sp->slo_url) != 0)
		return saml_refuse(v, SAML_DESTINATION, "the message was made for %.200s", *to ? to : "nobody");
	if (at > now + skew * CLOCK_SECOND)
		return saml_refuse(v, SAML_NOT_YET, "the message was made at %.40s", at_text);
	if (at < now - AGE_MAX - skew * CLOCK_SECOND)
		return saml_refuse(v, SAML_EXPIRED, "the message was made at %.40s", at_text);
	if (!xml_is(issuer, NS_ASSERTION, "Issuer"))
		return saml_refuse(v, SAML_ISSUER, "the message has no issuer");
	return message_check_issuer(issuer, idp, v);
}

/* All of them: who ends two sessions and finds one open afterwards was not signed out. */
static int take_sessions(const xmlNode *root, struct saml_logout *out, struct saml_verdict *v)
{
	out->sessions = json_array();
	for (const xmlNode *n = xml_first(root); n; n = xml_next(n)) {
		char *index = xml_is(n, NS_PROTOCOL, "SessionIndex") ? xml_text(n, SAML_ID_MAX) : NULL;

		if (index)
			json_array_append_new(out->sessions, json_string(index));
		else if (xml_is(n, NS_PROTOCOL, "SessionIndex"))
			return saml_refuse(v, SAML_SUBJECT, "the request names a session of more than %d bytes", SAML_ID_MAX);
		free(index);
	}
	return json_array_size(out->sessions) > SAML_SESSIONS_MAX ? saml_refuse(v, SAML_TOO_LARGE, "the request names more than %d sessions",
		SAML_SESSIONS_MAX) : 0;
}

static int take_name(const struct saml_sp *sp, const xmlNode *root, struct saml_logout *out, struct saml_verdict *v)
{
	xmlNode *encrypted = xml_child(root, NS_ASSERTION, "EncryptedID");
	const xmlNode *name = xml_child(root, NS_ASSERTION, "NameID");
	xmlDocPtr doc = NULL;
	int rc = encrypted ? message_open_name(encrypted, sp, &doc, &name, v) : 0;

	if (rc == 0) {
		out->name_id = name ? xml_text(name, SAML_ID_MAX) : NULL;
		if (out->name_id == NULL || *out->name_id == '\0')
			rc = saml_refuse(v, SAML_SUBJECT, "the request does not say who signs out");
		else
			out->format = mem_strdup(xml_attribute(name, "Format"));
	}
	xmlFreeDoc(doc);
	return rc;
}

static int take_request(const struct saml_sp *sp, const xmlNode *root, clock_us now, int skew, struct saml_logout *out, struct saml_verdict *v)
{
	const char *until = xml_attribute(root, "NotOnOrAfter");
	clock_us end = 0;
	int rc;

	if (*until && (clock_parse(until, &end) < 0 || end <= now - skew * CLOCK_SECOND))
		return saml_refuse(v, SAML_EXPIRED, "the request was good until %.40s", until);
	rc = take_name(sp, root, out, v);
	return rc == 0 ? take_sessions(root, out, v) : rc;
}

static int take_answer(const xmlNode *root, struct saml_logout *out, struct saml_verdict *v)
{
	const xmlNode *status = xml_child(root, NS_PROTOCOL, "Status"), *code = status ? xml_child(status, NS_PROTOCOL, "StatusCode") : NULL;

	if (!xml_is_id(xml_attribute(root, "InResponseTo")))
		return saml_refuse(v, SAML_UNSOLICITED, "the answer answers no request");
	out->request = mem_strdup(xml_attribute(root, "InResponseTo"));
	out->success = code && strcmp(xml_attribute(code, "Value"), STATUS_SUCCESS) == 0;
	return 0;
}

static int take(const struct saml_sp *sp, const struct saml_idp *idp, const xmlNode *root, clock_us now, int skew, struct saml_logout *out,
	struct saml_verdict *v)
{
	int rc = check_head(sp, idp, root, now, skew, v);

	if (rc < 0)
		return rc;
	out->id = mem_strdup(xml_attribute(root, "ID"));
	if (xml_is(root, NS_PROTOCOL, "LogoutRequest"))
		return take_request(sp, root, now, skew, out, v);
	if (xml_is(root, NS_PROTOCOL, "LogoutResponse"))
		return take_answer(root, out, v);
	return saml_refuse(v, SAML_XML, "neither a request to sign out nor an answer to one: %.60s", (const char *)root->name);
}

int saml_logout_query(const struct saml_sp *sp, const struct saml_idp *idp, const char *query, clock_us now, int skew,
	struct saml_logout *out, struct saml_verdict *v)
{
	struct saml_logout l = { .id = NULL };
	struct buf xml = BUF_INIT;
	xmlDocPtr doc = NULL;
	int is_answer = 0, rc;

	*v = (struct saml_verdict){ SAML_NONE, "" };
	rc = redirect_read(query, idp, &xml, &is_answer, v);
	if (rc == 0)
		rc = xml_parse(xml.data, xml.len, SAML_MESSAGE_MAX, 0, &doc, v);
	if (rc == 0)
		rc = take(sp, idp, xmlDocGetRootElement(doc), now, skew, &l, v);
	if (rc == 0 && is_answer != (l.request != NULL))
		rc = saml_refuse(v, SAML_XML, "the message stands in the wrong field");
	if (rc == 0)
		*out = l;
	else
		saml_logout_release(&l);
	xmlFreeDoc(doc);
	buf_free(&xml);
	return rc;
}

/* The signature stands behind the issuer and nowhere else. */
static int verify_post(xmlNode *root, const struct saml_idp *idp, struct saml_verdict *v)
{
	xmlNode *signature = xml_child(root, NS_SIGNATURE, "Signature");
	int rc = message_check_ids(root, v);

	if (rc == 0 && (signature == NULL || xml_next(xml_first(root)) != signature))
		rc = saml_refuse(v, SAML_UNSIGNED, "the message is not signed");
	return rc == 0 ? sign_verify(root, signature, idp, v) : rc;
}

int saml_logout_post(const struct saml_sp *sp, const struct saml_idp *idp, const char *field, size_t len, clock_us now, int skew,
	struct saml_logout *out, struct saml_verdict *v)
{
	struct saml_logout l = { .id = NULL };
	struct buf xml = BUF_INIT;
	xmlDocPtr doc = NULL;
	int rc = 0;

	*v = (struct saml_verdict){ SAML_NONE, "" };
	if (base64_read(field, len, SAML_MESSAGE_MAX, &xml) < 0)
		rc = saml_refuse(v, SAML_ENCODING, "the message is not base64, or too large");
	if (rc == 0)
		rc = xml_parse(xml.data, xml.len, SAML_MESSAGE_MAX, 0, &doc, v);
	if (rc == 0)
		rc = verify_post(xmlDocGetRootElement(doc), idp, v);
	if (rc == 0)
		rc = take(sp, idp, xmlDocGetRootElement(doc), now, skew, &l, v);
	if (rc == 0)
		*out = l;
	else
		saml_logout_release(&l);
	xmlFreeDoc(doc);
	buf_free(&xml);
	return rc;
}
