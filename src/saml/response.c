/* response.c - a response judged: first its form as a whole, then its signatures, then what it says, read from the signed assertion.
 *
 * The form is a grammar: what it does not name is refused, wherever it stands. So there is no place where a second assertion, a
 * signature over something else or a foreign element could wait to be taken for the real one (XSW). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "saml/xml.h"

#define METHOD_BEARER "urn:oasis:names:tc:SAML:2.0:cm:bearer"
#define DEPTH_MAX 64

struct judged {
	const struct saml_sp *sp;
	const struct saml_idp *idp;
	const struct saml_expected *e;
	struct saml_verdict *v;
	xmlDocPtr doc, inner, name;      /* INNER: of a decrypted assertion; NAME: of a decrypted name identifier */
	xmlNode *assertion;
	json_t *out;
};

/* What holds for every message */

static int count_assertions(const xmlNode *n)
{
	int count = xml_is(n, NS_ASSERTION, "Assertion") || xml_is(n, NS_ASSERTION, "EncryptedAssertion");

	for (const xmlNode *c = xml_first(n); c; c = xml_next(c))
		count += count_assertions(c);
	return count;
}

/* All attributes that could be an id, of all elements: each value once. */
static int add_ids(const xmlNode *n, int depth, json_t *seen, struct saml_verdict *v)
{
	int rc = depth > DEPTH_MAX ? saml_refuse(v, SAML_STRUCTURE, "elements inside of more than %d others", DEPTH_MAX) : 0;

	for (const xmlAttr *a = n->properties; a && rc == 0; a = a->next) {
		const char *name = (const char *)a->name, *value = xml_attribute(n, name);

		if (a->ns && strcmp((const char *)a->ns->href, "http://www.w3.org/XML/1998/namespace") == 0 && strcmp(name, "id") == 0)
			rc = saml_refuse(v, SAML_STRUCTURE, "xml:id");
		else if (a->ns || (strcmp(name, "ID") != 0 && strcmp(name, "Id") != 0 && strcmp(name, "id") != 0))
			continue;
		else if (!xml_is_id(value))
			rc = saml_refuse(v, SAML_STRUCTURE, "the id of %s", (const char *)n->name);
		else if (json_object_get(seen, value))
			rc = saml_refuse(v, SAML_STRUCTURE, "the id %s is there twice", value);
		else
			json_object_set_new(seen, value, json_true());
	}
	for (const xmlNode *c = xml_first(n); c && rc == 0; c = xml_next(c))
		rc = add_ids(c, depth + 1, seen, v);
	return rc;
}

int message_check_ids(const xmlNode *root, struct saml_verdict *v)
{
	json_t *seen = json_object();
	int rc = add_ids(root, 0, seen, v);

	json_decref(seen);
	return rc;
}

int message_check_issuer(const xmlNode *issuer, const struct saml_idp *idp, struct saml_verdict *v)
{
	const char *format = xml_attribute(issuer, "Format");
	char *name = xml_text(issuer, SAML_ENTITY_MAX);
	int rc = 0;

	if (name == NULL || strcmp(name, idp->entity) != 0)
		rc = saml_refuse(v, SAML_ISSUER, "the issuer is %.120s, not %.100s", name ? name : "something", idp->entity);
	else if (*format && strcmp(format, FORMAT_ENTITY) != 0)
		rc = saml_refuse(v, SAML_ISSUER, "an issuer of the format %.100s", format);
	free(name);
	return rc;
}

/* The form of the whole */

static int unexpected(const struct judged *j, const xmlNode *n, const xmlNode *parent)
{
	return saml_refuse(j->v, SAML_STRUCTURE, "%.60s inside of %.60s, where it does not belong", n ? (const char *)n->name : "nothing",
		(const char *)parent->name);
}

/* Issuer?, Signature?, Status, one assertion: *SIGNATURE and *CARRIER (the assertion or its cipher). */
static int check_response_form(const struct judged *j, const xmlNode *root, xmlNode **issuer, xmlNode **signature, xmlNode **status,
	xmlNode **carrier)
{
	xmlNode *n = xml_first(root);

	if (!xml_is(root, NS_PROTOCOL, "Response") || strcmp(xml_attribute(root, "Version"), "2.0") != 0)
		return saml_refuse(j->v, SAML_XML, "this is no SAML 2.0 response");
	*issuer = xml_is(n, NS_ASSERTION, "Issuer") ? n : NULL;
	n = *issuer ? xml_next(n) : n;
	*signature = xml_is(n, NS_SIGNATURE, "Signature") ? n : NULL;
	n = *signature ? xml_next(n) : n;
	if (!xml_is(n, NS_PROTOCOL, "Status"))
		return unexpected(j, n, root);
	*status = n;
	n = xml_next(n);
	*carrier = n;
	/* A refusal has no assertion: what it says is judged first. */
	if (n == NULL)
		return 0;
	if ((!xml_is(n, NS_ASSERTION, "Assertion") && !xml_is(n, NS_ASSERTION, "EncryptedAssertion")) || xml_next(n))
		return unexpected(j, xml_next(n) ? xml_next(n) : n, root);
	return count_assertions(root) == 1 ? 0 : saml_refuse(j->v, SAML_STRUCTURE, "more than one assertion");
}

/* Issuer, Signature, Subject, Conditions, then statements. */
static int check_assertion_form(const struct judged *j, const xmlNode *a, xmlNode *part[4])
{
	static const struct { const char *ns, *name; } wanted[4] = { { NS_ASSERTION, "Issuer" }, { NS_SIGNATURE, "Signature" },
		{ NS_ASSERTION, "Subject" }, { NS_ASSERTION, "Conditions" } };
	xmlNode *n = xml_first(a);

	if (strcmp(xml_attribute(a, "Version"), "2.0") != 0)
		return saml_refuse(j->v, SAML_XML, "this is no SAML 2.0 assertion");
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (!xml_is(n, wanted[i].ns, wanted[i].name))
			return i == 1 ? saml_refuse(j->v, SAML_UNSIGNED, "the assertion is not signed") : unexpected(j, n, a);
		part[i] = n;
		n = xml_next(n);
	}
	for (; n; n = xml_next(n))
		if (!xml_is(n, NS_ASSERTION, "AuthnStatement") && !xml_is(n, NS_ASSERTION, "AttributeStatement"))
			return unexpected(j, n, a);
	return 0;
}

static int check_status(const struct judged *j, const xmlNode *status)
{
	const xmlNode *code = xml_child(status, NS_PROTOCOL, "StatusCode"), *inner = code ? xml_child(code, NS_PROTOCOL, "StatusCode") : NULL;
	const char *value = code ? xml_attribute(code, "Value") : "", *more = inner ? xml_attribute(inner, "Value") : "";

	if (strcmp(value, STATUS_SUCCESS) == 0)
		return 0;
	return saml_refuse(j->v, SAML_STATUS, "the identity provider answers %.100s %.100s", value, more);
}

static int check_destination(const struct judged *j, const xmlNode *root)
{
	const char *to = xml_attribute(root, "Destination");

	return strcmp(to, j->sp->acs_url) == 0 ? 0 : saml_refuse(j->v, SAML_DESTINATION, "the response was made for %.200s", *to ? to : "nobody");
}

static int check_request(const struct judged *j, const xmlNode *n)
{
	const char *request = xml_attribute(n, "InResponseTo");

	if (*request == '\0')
		return saml_refuse(j->v, SAML_UNSOLICITED, "%.60s answers no request", (const char *)n->name);
	return strcmp(request, j->e->request) == 0 ? 0 : saml_refuse(j->v, SAML_REQUEST, "%.60s answers another request", (const char *)n->name);
}

/* What the assertion says */

/* The time in the attribute NAME: 0 when there is none. */
static int get_time(const struct judged *j, const xmlNode *n, const char *name, clock_us *out)
{
	const char *text = xml_attribute(n, name);

	*out = 0;
	if (xmlHasProp(n, (const xmlChar *)name) && clock_parse(text, out) < 0)
		return saml_refuse(j->v, SAML_XML, "%s %.40s is no time", name, text);
	return 0;
}

static int check_period(const struct judged *j, const xmlNode *n, const char *from_name, const char *until_name)
{
	clock_us from = 0, until = 0, skew = j->e->skew * CLOCK_SECOND;
	int rc = get_time(j, n, from_name, &from);

	if (rc == 0)
		rc = get_time(j, n, until_name, &until);
	if (rc == 0 && from > j->e->now + skew)
		rc = saml_refuse(j->v, SAML_NOT_YET, "%s %s: the clocks differ by more than %d seconds", (const char *)n->name,
			xml_attribute(n, from_name), j->e->skew);
	if (rc == 0 && until && until <= j->e->now - skew)
		rc = saml_refuse(j->v, SAML_EXPIRED, "%s was good until %s", (const char *)n->name, xml_attribute(n, until_name));
	return rc;
}

static int check_audience(const struct judged *j, const xmlNode *restriction)
{
	int ours = 0;

	for (const xmlNode *n = xml_first(restriction); n; n = xml_next(n)) {
		char *name = xml_is(n, NS_ASSERTION, "Audience") ? xml_text(n, SAML_ENTITY_MAX) : NULL;

		ours |= name && strcmp(name, j->sp->entity) == 0;
		free(name);
	}
	return ours ? 0 : saml_refuse(j->v, SAML_AUDIENCE, "the assertion is not for %.200s", j->sp->entity);
}

static int check_conditions(const struct judged *j, const xmlNode *conditions)
{
	int restricted = 0, rc = check_period(j, conditions, "NotBefore", "NotOnOrAfter");

	for (const xmlNode *n = xml_first(conditions); n && rc == 0; n = xml_next(n)) {
		if (xml_is(n, NS_ASSERTION, "AudienceRestriction")) {
			restricted = 1;
			rc = check_audience(j, n);
		} else if (!xml_is(n, NS_ASSERTION, "OneTimeUse") && !xml_is(n, NS_ASSERTION, "ProxyRestriction")) {
			rc = saml_refuse(j->v, SAML_STRUCTURE, "a condition that is not understood: %.60s", (const char *)n->name);
		}
	}
	return rc == 0 && !restricted ? saml_refuse(j->v, SAML_AUDIENCE, "the assertion does not say for whom it is") : rc;
}

static int check_bearer(const struct judged *j, const xmlNode *confirmation)
{
	const xmlNode *data = xml_child(confirmation, NS_ASSERTION, "SubjectConfirmationData");
	int rc;

	if (data == NULL || *xml_attribute(data, "NotOnOrAfter") == '\0')
		return saml_refuse(j->v, SAML_SUBJECT, "the confirmation of the subject has no end");
	if (strcmp(xml_attribute(data, "Recipient"), j->sp->acs_url) != 0)
		return saml_refuse(j->v, SAML_RECIPIENT, "the assertion was made for %.200s", xml_attribute(data, "Recipient"));
	rc = check_period(j, data, "NotBefore", "NotOnOrAfter");
	return rc == 0 ? check_request(j, data) : rc;
}

int message_open_name(xmlNode *encrypted, const struct saml_sp *sp, xmlDocPtr *doc, const xmlNode **name_id, struct saml_verdict *v)
{
	struct buf plain = BUF_INIT;
	int rc = sign_decrypt(encrypted, sp, &plain, v);

	if (rc == 0)
		rc = xml_parse(plain.data, plain.len, SAML_MESSAGE_MAX, 0, doc, v);
	if (rc == 0) {
		*name_id = xmlDocGetRootElement(*doc);
		if (!xml_is(*name_id, NS_ASSERTION, "NameID"))
			rc = saml_refuse(v, SAML_SUBJECT, "what is encrypted is not a NameID");
	}
	if (plain.data)
		secret_wipe(plain.data, plain.len);
	buf_free(&plain);
	return rc;
}

/* Whom the assertion is about. Encrypted by itself, too: it stands inside of the assertion, whose signature covers it. */
static int open_name(struct judged *j, xmlNode *n, const xmlNode **name_id)
{
	*name_id = n;
	if (xml_is(n, NS_ASSERTION, "EncryptedID"))
		return message_open_name(n, j->sp, &j->name, name_id, j->v);
	return xml_is(n, NS_ASSERTION, "NameID") ? 0 : saml_refuse(j->v, SAML_SUBJECT, "the subject has no NameID");
}

/* NameID and confirmations; at least one is of a bearer, and all of those are right. */
static int check_subject(struct judged *j, const xmlNode *subject, const xmlNode **name_id)
{
	xmlNode *n = xml_first(subject);
	int bearers = 0, rc = open_name(j, n, name_id);

	if (rc < 0)
		return rc;
	for (n = xml_next(n); n && rc == 0; n = xml_next(n)) {
		if (!xml_is(n, NS_ASSERTION, "SubjectConfirmation"))
			return unexpected(j, n, subject);
		if (strcmp(xml_attribute(n, "Method"), METHOD_BEARER) != 0)
			continue;
		bearers++;
		rc = check_bearer(j, n);
	}
	return rc == 0 && bearers == 0 ? saml_refuse(j->v, SAML_SUBJECT, "the subject is not confirmed for a bearer") : rc;
}

static int take_name_id(const struct judged *j, const xmlNode *n)
{
	const char *format = xml_attribute(n, "Format");
	char *name = xml_text(n, SAML_ID_MAX);
	int rc = 0;

	if (name == NULL || *name == '\0' || strcmp(format, FORMAT_ENTITY) == 0)
		rc = saml_refuse(j->v, SAML_SUBJECT, "the NameID is empty, longer than %d bytes or not a person's", SAML_ID_MAX);
	else if (strlen(format) > SAML_ENTITY_MAX)
		rc = saml_refuse(j->v, SAML_SUBJECT, "the NameID has a format that is too long");
	if (rc == 0) {
		json_set_string(j->out, "name_id", name);
		json_set_string(j->out, "format", *format ? format : FORMAT_UNSPECIFIED);
	}
	free(name);
	return rc;
}

static int take_session(const struct judged *j, const xmlNode *statement)
{
	const char *index = xml_attribute(statement, "SessionIndex");
	clock_us at = 0, end = 0, skew = j->e->skew * CLOCK_SECOND;
	int rc = get_time(j, statement, "AuthnInstant", &at);

	if (rc == 0)
		rc = get_time(j, statement, "SessionNotOnOrAfter", &end);
	if (rc == 0 && at > j->e->now + skew)
		rc = saml_refuse(j->v, SAML_NOT_YET, "signed in at %s: the clocks differ", xml_attribute(statement, "AuthnInstant"));
	if (rc == 0 && end && end <= j->e->now - skew)
		rc = saml_refuse(j->v, SAML_EXPIRED, "the session there ended at %s", xml_attribute(statement, "SessionNotOnOrAfter"));
	if (rc == 0 && strlen(index) > SAML_ID_MAX)
		rc = saml_refuse(j->v, SAML_TOO_LARGE, "a SessionIndex of more than %d bytes", SAML_ID_MAX);
	if (rc == 0) {
		json_set_string(j->out, "session", *index ? index : NULL);
		json_set_string(j->out, "signed_in", at ? xml_attribute(statement, "AuthnInstant") : NULL);
		json_set_string(j->out, "session_end", end ? xml_attribute(statement, "SessionNotOnOrAfter") : NULL);
	}
	return rc;
}

/* One attribute; values that are not plain text (a NameID inside, for instance) say nothing to us and are left out. */
static int take_attribute(const struct judged *j, const xmlNode *n, size_t *values)
{
	const char *name = xml_attribute(n, "Name"), *friendly = xml_attribute(n, "FriendlyName");
	json_t *all = json_object_get(j->out, "attributes"), *list = json_object_get(all, name);

	if (*name == '\0' || strlen(name) > SAML_ID_MAX || strlen(friendly) > SAML_ID_MAX)
		return saml_refuse(j->v, SAML_XML, "an attribute without a name, or with one of more than %d bytes", SAML_ID_MAX);
	if (list == NULL) {
		if (json_object_size(all) == SAML_ATTRIBUTES_MAX)
			return saml_refuse(j->v, SAML_TOO_LARGE, "more than %d attributes", SAML_ATTRIBUTES_MAX);
		list = json_array();
		json_object_set_new(all, name, list);
	}
	if (*friendly)
		json_set_string(json_object_get(j->out, "friendly"), name, friendly);
	for (const xmlNode *c = xml_first(n); c; c = xml_next(c)) {
		char *text = xml_is(c, NS_ASSERTION, "AttributeValue") ? xml_text(c, SAML_VALUE_MAX) : NULL;

		if (text && ++*values > SAML_VALUES_MAX) {
			free(text);
			return saml_refuse(j->v, SAML_TOO_LARGE, "more than %d values of attributes", SAML_VALUES_MAX);
		}
		if (text)
			json_array_append_new(list, json_string(text));
		free(text);
	}
	return 0;
}

static int take_statements(const struct judged *j)
{
	size_t values = 0;
	int signed_in = 0, rc = 0;

	for (const xmlNode *n = xml_first(j->assertion); n && rc == 0; n = xml_next(n)) {
		if (xml_is(n, NS_ASSERTION, "AuthnStatement")) {
			signed_in++;
			rc = take_session(j, n);
		} else if (xml_is(n, NS_ASSERTION, "AttributeStatement")) {
			for (const xmlNode *a = xml_first(n); a && rc == 0; a = xml_next(a))
				if (xml_is(a, NS_ASSERTION, "Attribute"))
					rc = take_attribute(j, a, &values);
		}
	}
	return rc == 0 && signed_in != 1 ? saml_refuse(j->v, SAML_SUBJECT, "%d statements that somebody signed in; one is wanted", signed_in) : rc;
}

static int judge_assertion(struct judged *j)
{
	const xmlNode *name_id = NULL;
	xmlNode *part[4];
	int rc = check_assertion_form(j, j->assertion, part);

	if (rc == 0)
		rc = sign_verify(j->assertion, part[1], j->idp, j->v);
	if (rc == 0)
		rc = message_check_issuer(part[0], j->idp, j->v);
	if (rc == 0)
		rc = check_subject(j, part[2], &name_id);
	if (rc == 0)
		rc = check_conditions(j, part[3]);
	if (rc == 0)
		rc = take_name_id(j, name_id);
	if (rc == 0)
		rc = take_statements(j);
	json_set_string(j->out, "issuer", j->idp->entity);
	json_set_string(j->out, "assertion", xml_attribute(j->assertion, "ID"));
	return rc;
}

/* The assertion itself, decrypted where it came encrypted: then it is a document of its own, and passes the same wall. */
static int open_carrier(struct judged *j, xmlNode *carrier)
{
	struct buf plain = BUF_INIT;
	int rc, encrypted = xml_is(carrier, NS_ASSERTION, "EncryptedAssertion");

	json_set_bool(j->out, "encrypted", encrypted);
	j->assertion = carrier;
	if (!encrypted)
		return 0;
	rc = sign_decrypt(carrier, j->sp, &plain, j->v);
	if (rc == 0)
		rc = xml_parse(plain.data, plain.len, SAML_MESSAGE_MAX, 0, &j->inner, j->v);
	if (rc == 0) {
		j->assertion = xmlDocGetRootElement(j->inner);
		if (!xml_is(j->assertion, NS_ASSERTION, "Assertion") || count_assertions(j->assertion) != 1)
			rc = saml_refuse(j->v, SAML_STRUCTURE, "what is encrypted is not one assertion");
	}
	if (rc == 0)
		rc = message_check_ids(j->assertion, j->v);
	secret_wipe(plain.data, plain.len);
	buf_free(&plain);
	return rc;
}

static int judge(struct judged *j)
{
	xmlNode *root = xmlDocGetRootElement(j->doc), *issuer = NULL, *signature = NULL, *status = NULL, *carrier = NULL;
	int rc = check_response_form(j, root, &issuer, &signature, &status, &carrier);

	if (rc == 0)
		rc = message_check_ids(root, j->v);
	if (rc == 0 && signature)
		rc = sign_verify(root, signature, j->idp, j->v);
	if (rc == 0 && issuer)
		rc = message_check_issuer(issuer, j->idp, j->v);
	if (rc == 0)
		rc = check_status(j, status);
	if (rc == 0 && carrier == NULL)
		rc = saml_refuse(j->v, SAML_STRUCTURE, "there is no assertion");
	if (rc == 0)
		rc = check_destination(j, root);
	if (rc == 0)
		rc = check_request(j, root);
	if (rc == 0)
		rc = open_carrier(j, carrier);
	return rc == 0 ? judge_assertion(j) : rc;
}

int saml_response_judge(const struct saml_sp *sp, const struct saml_idp *idp, const struct saml_expected *e, const char *bytes, size_t len,
	json_t **out, struct saml_verdict *v)
{
	struct judged j = { .sp = sp, .idp = idp, .e = e, .v = v };
	struct buf xml = BUF_INIT;
	int rc = 0;

	*v = (struct saml_verdict){ SAML_NONE, "" };
	if (len > SAML_MESSAGE_MAX / 3 * 4 + SAML_MESSAGE_MAX / 16)
		return saml_refuse(v, SAML_TOO_LARGE, "%zu bytes; at most %d of XML are read", len, SAML_MESSAGE_MAX);
	if (base64_read(bytes, len, SAML_MESSAGE_MAX, &xml) < 0)
		rc = saml_refuse(v, SAML_ENCODING, "the response is not base64, or too large");
	if (rc == 0)
		rc = xml_parse(xml.data, xml.len, SAML_MESSAGE_MAX, 0, &j.doc, v);
	buf_free(&xml);
	if (rc < 0)
		return rc;
	j.out = json_pack("{s:{}, s:{}}", "attributes", "friendly");
	rc = judge(&j);
	if (rc == 0)
		*out = json_incref(j.out);
	json_decref(j.out);
	xmlFreeDoc(j.name);
	xmlFreeDoc(j.inner);
	xmlFreeDoc(j.doc);
	return rc;
}
