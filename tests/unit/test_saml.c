/* test_saml.c - responses of an identity provider that the test plays itself, and the same attacked: each is refused for its own reason. */
#include "saml/saml.h"

#include "base/err.h"
#include "base/mem.h"
#include "check.h"
#include "identity/own_key.h"
#include "saml/xml.h"

#define ACS "https://console.example/saml/acs"
#define SLO "https://console.example/saml/slo"
#define SP "https://console.example/saml/metadata"
#define IDP "https://idp.example/metadata"
#define REQUEST "_request-1"
#define NOW ((clock_us)1795000000 * CLOCK_SECOND)

static struct secret *sp_key, *idp_key, *other_key;
static char *sp_certificate, *idp_certificate, *other_certificate;
static struct saml_sp sp, as_idp;
static struct saml_idp idp;

static void set_up(void)
{
	if (sp_key)
		return;
	secret_init();
	saml_init();
	CHECK(own_key_make("sp", NOW, &sp_key, &sp_certificate) == 0);
	CHECK(own_key_make("idp", NOW, &idp_key, &idp_certificate) == 0);
	CHECK(own_key_make("other", NOW, &other_key, &other_certificate) == 0);
	sp = (struct saml_sp){ SP, ACS, SLO, sp_certificate, sp_key, NULL, NULL };
	as_idp = (struct saml_sp){ IDP, "", "", idp_certificate, idp_key, NULL, NULL };
	idp = (struct saml_idp){ .entity = mem_strdup(IDP), .sso_url = mem_strdup("https://idp.example/sso"),
		.slo_url = mem_strdup("https://idp.example/slo"), .certificates = { mem_strdup(idp_certificate) }, .certificate_count = 1 };
}

/* What differs from a good response. NULL: as it should be. */
struct made {
	const char *id, *name, *issuer, *recipient, *audience, *request, *destination, *until, *from, *method, *status, *extra, *format;
	int unsigned_assertion;
	const struct secret *key;
};

#define OR(x, y) ((x) ? (x) : (y))

static char *time_at(clock_us at)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(at, text);
	return mem_strdup(text);
}

static char *assertion_of(const struct made *m)
{
	char *until = m->until ? mem_strdup(m->until) : time_at(NOW + 5 * CLOCK_MINUTE);
	char *from = m->from ? mem_strdup(m->from) : time_at(NOW - CLOCK_MINUTE);
	char *xml = mem_printf("<saml:Assertion xmlns:saml=\"" NS_ASSERTION "\" ID=\"%s\" Version=\"2.0\" IssueInstant=\"%s\"><saml:Issuer>%s</saml:Issuer>"
		"<saml:Subject><saml:NameID Format=\"%s\">%s</saml:NameID><saml:SubjectConfirmation Method=\"%s\"><saml:SubjectConfirmationData"
		" NotOnOrAfter=\"%s\" Recipient=\"%s\" InResponseTo=\"%s\"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore=\"%s\""
		" NotOnOrAfter=\"%s\"><saml:AudienceRestriction><saml:Audience>%s</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
		"<saml:AuthnStatement AuthnInstant=\"%s\" SessionIndex=\"s1\"><saml:AuthnContext><saml:AuthnContextClassRef>urn:x</saml:AuthnContextClassRef>"
		"</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute Name=\"groups\" FriendlyName=\"Groups\">"
		"<saml:AttributeValue>admins</saml:AttributeValue><saml:AttributeValue>%s</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
		"</saml:Assertion>", OR(m->id, "_a1"), from, OR(m->issuer, IDP), OR(m->format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
		OR(m->name, "alice"), OR(m->method, "urn:oasis:names:tc:SAML:2.0:cm:bearer"), until, OR(m->recipient, ACS), OR(m->request, REQUEST),
		from, until, OR(m->audience, SP), from, OR(m->extra, "staff"));
	struct saml_sp by = as_idp;
	struct buf out = BUF_INIT;
	char *body;

	free(until);
	free(from);
	if (m->unsigned_assertion)
		return xml;
	if (m->key)
		by.key = m->key;
	CHECK(sign_document(xml, &by, &out) == 0);
	free(xml);
	/* Without the declaration. */
	body = mem_strdup(strstr(buf_str(&out), "<saml:Assertion"));
	body[strcspn(body, "\n") ? strlen(body) - (body[strlen(body) - 1] == '\n') : 0] = '\0';
	buf_free(&out);
	return body;
}

static char *around(const struct made *m, const char *inside)
{
	return mem_printf("<samlp:Response xmlns:samlp=\"" NS_PROTOCOL "\" xmlns:saml=\"" NS_ASSERTION "\" ID=\"_r1\" Version=\"2.0\" IssueInstant=\""
		"2026-11-18T11:06:40Z\" Destination=\"%s\"%s%s%s><saml:Issuer>%s</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"%s\"/></samlp:Status>"
		"%s</samlp:Response>", OR(m->destination, ACS), m->request && !*m->request ? "" : " InResponseTo=\"", m->request ? m->request : REQUEST,
		m->request && !*m->request ? "" : "\"", OR(m->issuer, IDP), OR(m->status, STATUS_SUCCESS), inside);
}

static char *response_of(const struct made *m)
{
	char *a = assertion_of(m), *r = around(m, a);

	free(a);
	return r;
}

/* The reason's name; "" when it was accepted, with *OUT. */
static const char *judge(const char *xml, json_t **out)
{
	struct saml_expected e = { REQUEST, NOW, 60 };
	struct saml_verdict v;
	struct buf field = BUF_INIT;
	json_t *got = NULL;
	int rc;

	base64_write(xml, strlen(xml), &field);
	rc = saml_response_judge(&sp, &idp, &e, field.data, field.len, &got, &v);
	buf_free(&field);
	CHECK((rc == 0) == (v.reason == SAML_NONE) && (rc == 0) == (got != NULL));
	if (out)
		*out = got;
	else
		json_decref(got);
	return saml_reason_name(v.reason);
}

static const char *judge_made(const struct made *m)
{
	char *xml = response_of(m);
	const char *reason = judge(xml, NULL);

	free(xml);
	return reason;
}

/* The good response with FROM replaced by TO. */
static const char *judge_changed(const char *from, const char *to)
{
	struct made m = { NULL };
	char *xml = response_of(&m), *at = strstr(xml, from), *changed;
	const char *reason;

	CHECK(at != NULL);
	changed = mem_printf("%.*s%s%s", (int)(at - xml), xml, to, at + strlen(from));
	reason = judge(changed, NULL);
	free(changed);
	free(xml);
	return reason;
}

TEST(a_good_response_is_read, "IDN-3")
{
	struct made m = { NULL };
	json_t *out = NULL;
	char *xml;

	set_up();
	xml = response_of(&m);
	CHECK_STR(judge(xml, &out), "");
	CHECK_STR(json_string_value(json_object_get(out, "name_id")), "alice");
	CHECK_STR(json_string_value(json_object_get(out, "issuer")), IDP);
	CHECK_STR(json_string_value(json_object_get(out, "session")), "s1");
	CHECK_STR(json_string_value(json_array_get(json_object_get(json_object_get(out, "attributes"), "groups"), 1)), "staff");
	CHECK_STR(json_string_value(json_object_get(json_object_get(out, "friendly"), "groups")), "Groups");
	CHECK(json_is_false(json_object_get(out, "encrypted")));
	json_decref(out);
	free(xml);
}

TEST(what_a_response_says_is_checked, "IDN-3, SEC-3")
{
	set_up();
	CHECK_STR(judge_made(&(struct made){ .issuer = "https://evil.example/metadata" }), "issuer");
	CHECK_STR(judge_made(&(struct made){ .recipient = "https://other.example/saml/acs" }), "recipient");
	CHECK_STR(judge_made(&(struct made){ .audience = "https://other.example/saml/metadata" }), "audience");
	CHECK_STR(judge_made(&(struct made){ .destination = "https://other.example/saml/acs" }), "destination");
	CHECK_STR(judge_made(&(struct made){ .request = "_request-2" }), "in-response-to");
	CHECK_STR(judge_made(&(struct made){ .request = "" }), "unsolicited");
	CHECK_STR(judge_made(&(struct made){ .until = "2026-11-18T11:00:00Z" }), "expired");
	CHECK_STR(judge_made(&(struct made){ .from = "2027-11-18T11:00:00Z", .until = "2028-11-18T11:00:00Z" }), "not-yet-valid");
	CHECK_STR(judge_made(&(struct made){ .until = "tomorrow" }), "xml");
	CHECK_STR(judge_made(&(struct made){ .until = "" }), "subject");
	CHECK_STR(judge_made(&(struct made){ .name = "" }), "subject");
	CHECK_STR(judge_made(&(struct made){ .method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches" }), "subject");
	CHECK_STR(judge_made(&(struct made){ .format = FORMAT_ENTITY }), "subject");
	CHECK_STR(judge_made(&(struct made){ .status = "urn:oasis:names:tc:SAML:2.0:status:Responder" }), "status");
}

TEST(clocks_may_differ_by_the_skew, "IDN-3")
{
	char *late = time_at(NOW - 59 * CLOCK_SECOND), *later = time_at(NOW - 60 * CLOCK_SECOND);
	char *early = time_at(NOW + 60 * CLOCK_SECOND), *earlier = time_at(NOW + 61 * CLOCK_SECOND);

	set_up();
	CHECK_STR(judge_made(&(struct made){ .until = late }), "");
	CHECK_STR(judge_made(&(struct made){ .until = later }), "expired");
	CHECK_STR(judge_made(&(struct made){ .from = early }), "");
	CHECK_STR(judge_made(&(struct made){ .from = earlier }), "not-yet-valid");
	free(late);
	free(later);
	free(early);
	free(earlier);
}

TEST(signatures_are_wanted_and_verified, "IDN-3, SEC-3")
{
	set_up();
	CHECK_STR(judge_made(&(struct made){ .unsigned_assertion = 1 }), "unsigned");
	CHECK_STR(judge_made(&(struct made){ .key = other_key }), "signature");
	CHECK_STR(judge_changed(">alice<", ">admin<"), "signature");
	CHECK_STR(judge_changed("#rsa-sha256", "#rsa-sha384"), "signature");
	CHECK_STR(judge_changed(NS_SIGNATURE "enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116"), "algorithm");
	CHECK_STR(judge_changed("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", NS_SIGNATURE "rsa-sha1"), "algorithm");
	CHECK_STR(judge_changed("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", NS_SIGNATURE "hmac-sha1"), "algorithm");
	CHECK_STR(judge_changed("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"), "algorithm");
	CHECK_STR(judge_changed("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), "algorithm");
	CHECK_STR(judge_changed(NS_ENCRYPTION "sha256", NS_SIGNATURE "sha1"), "algorithm");
	CHECK_STR(judge_changed("<CanonicalizationMethod Algorithm=\"" NS_EXCLUSIVE, "<CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), "algorithm");
	CHECK_STR(judge_changed("URI=\"#_a1\"", "URI=\"\""), "structure");
	CHECK_STR(judge_changed("URI=\"#_a1\"", "URI=\"#_r1\""), "structure");
	CHECK_STR(judge_changed("URI=\"#_a1\"", "URI=\"#xpointer(id('_a1'))\""), "structure");
	CHECK_STR(judge_changed("</SignatureValue>", "</SignatureValue><Object/>"), "structure");
}

TEST(comments_instructions_and_types_are_refused, "SEC-3")
{
	set_up();
	CHECK_STR(judge_changed(">alice<", ">al<!---->ice<"), "comment");
	CHECK_STR(judge_changed(">alice<", ">al<?x y?>ice<"), "comment");
	CHECK_STR(judge_changed(">alice<", ">al<![CDATA[i]]>ce<"), "comment");
	CHECK_STR(judge_changed("<samlp:Response ", "<!DOCTYPE r [<!ENTITY e \"x\">]><samlp:Response "), "dtd");
	CHECK_STR(judge_changed("<samlp:Response ", "<!DOCTYPE r SYSTEM \"http://127.0.0.1:9/x.dtd\"><samlp:Response "), "dtd");
	CHECK_STR(judge_changed("<samlp:Response ", "<?xml version=\"1.0\" encoding=\"UTF-7\"?><samlp:Response "), "");
	CHECK_STR(judge_changed(">alice<", ">&alice;<"), "xml");
	CHECK_STR(judge_changed(">alice<", ">\xff<"), "xml");
	CHECK_STR(judge_changed(">alice<", "><b>alice</b><"), "signature");
	CHECK_STR(judge("", NULL), "encoding");
	CHECK_STR(judge("no XML", NULL), "xml");
}

/* Another assertion than the signed one, where it could be taken for it: XSW. */
static const char *judge_wrapped(const char *fmt, const char *signed_one, const char *evil)
{
	struct made m = { NULL };
	struct buf inside = BUF_INIT;
	char *xml;
	const char *reason;

	for (; *fmt; fmt++)
		if (*fmt == 'S')
			buf_puts(&inside, signed_one);
		else if (*fmt == 'E')
			buf_puts(&inside, evil);
		else if (*fmt == 'O')
			buf_printf(&inside, "<samlp:Extensions>%s</samlp:Extensions>", signed_one);
	xml = around(&m, buf_str(&inside));
	buf_free(&inside);
	reason = judge(xml, NULL);
	free(xml);
	return reason;
}

/* EVIL with INSIDE put before its part AT. */
static const char *judge_inside(const char *evil, const char *at, const char *inside)
{
	struct made m = { NULL };
	const char *place = strstr(evil, at), *reason;
	char *a, *xml;

	CHECK(place != NULL);
	a = mem_printf("%.*s%s%s", (int)(place - evil), evil, inside, place);
	xml = around(&m, a);
	reason = judge(xml, NULL);
	free(a);
	free(xml);
	return reason;
}

TEST(wrapped_signatures_are_refused, "SEC-3")
{
	char *good, *evil, *same, *signature, *stolen, *object;

	set_up();
	good = assertion_of(&(struct made){ NULL });
	evil = assertion_of(&(struct made){ .name = "admin", .id = "_evil", .unsigned_assertion = 1 });
	same = assertion_of(&(struct made){ .name = "admin", .unsigned_assertion = 1 });
	signature = mem_dup(strstr(good, "<Signature"), (size_t)(strstr(good, "</Signature>") + 12 - strstr(good, "<Signature")));
	CHECK_STR(judge_wrapped("SE", good, evil), "structure");
	CHECK_STR(judge_wrapped("ES", good, evil), "structure");
	CHECK_STR(judge_wrapped("OE", good, evil), "structure");
	CHECK_STR(judge_wrapped("EO", good, evil), "structure");
	CHECK_STR(judge_wrapped("SE", good, same), "structure");
	/* The signature moved into the evil one, the signed one elsewhere. */
	CHECK_STR(judge_inside(evil, "<saml:Subject>", signature), "structure");
	CHECK_STR(judge_inside(same, "<saml:Subject>", signature), "signature");
	stolen = mem_printf("%.*s<Object>%s</Object></Signature>", (int)strlen(signature) - 12, signature, good);
	CHECK_STR(judge_inside(evil, "<saml:Subject>", stolen), "structure");
	object = mem_printf("<saml:Advice>%s</saml:Advice>", good);
	CHECK_STR(judge_inside(evil, "<saml:AuthnStatement", object), "structure");
	free(good);
	free(evil);
	free(same);
	free(signature);
	free(stolen);
	free(object);
}

TEST(sizes_have_limits, "SEC-3, SEC-5")
{
	struct saml_expected e = { REQUEST, NOW, 60 };
	struct saml_verdict v;
	struct buf large = BUF_INIT;
	json_t *out = NULL;
	char *deep;

	set_up();
	memset(buf_extend(&large, 200000), 'A', 200000);
	CHECK(saml_response_judge(&sp, &idp, &e, large.data, large.len, &out, &v) == ERR_FORBIDDEN && v.reason == SAML_TOO_LARGE);
	buf_reset(&large);
	for (int i = 0; i < 100; i++)
		buf_puts(&large, "<a>");
	for (int i = 0; i < 100; i++)
		buf_puts(&large, "</a>");
	deep = mem_printf("<saml:Attribute>%s", buf_str(&large));
	CHECK_STR(judge_changed("<saml:Attribute ", "<saml:Attribute x:y=\"1\" "), "xml");
	free(deep);
	buf_free(&large);
}

static int times_in(const char *text, const char *part)
{
	int n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

TEST(metadata_are_read_and_written, "IDN-3, SEC-5")
{
	struct saml_verdict v;
	struct saml_idp got = { .entity = NULL }, again = { .entity = NULL };
	struct buf out = BUF_INIT, key = BUF_INIT;
	struct saml_sp renewed;
	json_t *o;
	char *xml;

	set_up();
	renewed = sp;
	for (const char *line = strchr(idp_certificate, '\n') + 1; *line != '-'; line = strchr(line, '\n') + 1)
		buf_add(&key, line, strcspn(line, "\n"));
	xml = mem_printf("<!-- by hand --><md:EntityDescriptor xmlns:md=\"" NS_METADATA "\" xmlns:ds=\"" NS_SIGNATURE "\" entityID=\"" IDP "\">"
		"<md:IDPSSODescriptor protocolSupportEnumeration=\"" NS_PROTOCOL "\"><md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n%s\n"
		"</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleLogoutService Binding=\"" BINDING_POST "\" Location=\""
		"https://idp.example/slo\" ResponseLocation=\"https://idp.example/slo2\"/><md:SingleSignOnService Binding=\"" BINDING_REDIRECT "\" Location=\""
		"https://idp.example/sso?a=1\"/></md:IDPSSODescriptor></md:EntityDescriptor>", buf_str(&key));
	CHECK(saml_metadata_read(xml, strlen(xml), NOW, &got, &v) == 0);
	CHECK_STR(got.entity, IDP);
	CHECK_STR(got.sso_url, "https://idp.example/sso?a=1");
	CHECK_STR(got.slo_answer_url, "https://idp.example/slo2");
	CHECK(got.slo_post && got.certificate_count == 1);
	o = saml_idp_json(&got);
	CHECK(saml_idp_read(o, &again) == 0);
	CHECK_STR(again.certificates[0], got.certificates[0]);
	json_decref(o);
	free(xml);
	saml_idp_release(&got);
	saml_idp_release(&again);
	saml_metadata_write(&sp, &out);
	CHECK(strstr(buf_str(&out), "WantAssertionsSigned=\"true\"") != NULL);
	CHECK_INT(times_in(buf_str(&out), "<ds:X509Certificate>"), 2);
	/* The one in use first: who takes one alone takes that. */
	renewed.second_certificate = other_certificate;
	saml_metadata_write(&renewed, &out);
	CHECK_INT(times_in(buf_str(&out), "use=\"signing\""), 2);
	CHECK_INT(times_in(buf_str(&out), "use=\"encryption\""), 2);
	CHECK(strncmp(strstr(buf_str(&out), "<ds:X509Certificate>") + 20, strchr(sp_certificate, '\n') + 1, 64) == 0);
	CHECK(saml_metadata_read(out.data, out.len, NOW, &got, &v) == ERR_FORBIDDEN && v.reason == SAML_SETTINGS);
	CHECK(saml_metadata_read("<!DOCTYPE x><x/>", 16, NOW, &got, &v) == ERR_FORBIDDEN && v.reason == SAML_DTD);
	buf_free(&out);
	buf_free(&key);
}

TEST(requests_and_logouts_go_both_ways, "IDN-3")
{
	struct buf url = BUF_INIT, field = BUF_INIT;
	struct saml_idp me = { .entity = mem_strdup(SP), .sso_url = mem_strdup("x"), .slo_url = mem_strdup(SLO),
		.certificates = { mem_strdup(sp_certificate) }, .certificate_count = 1 };
	struct saml_sp them;
	struct saml_logout l;
	struct saml_verdict v;
	char *query, *at;

	set_up();
	free(me.certificates[0]);
	me.certificates[0] = mem_strdup(sp_certificate);
	them = (struct saml_sp){ IDP, "", "https://idp.example/slo", idp_certificate, idp_key, NULL, NULL };
	CHECK(saml_request_url(&sp, &idp, &(struct saml_ask){ .id = REQUEST, .relay = "r/1", .now = NOW }, &url) == 0);
	CHECK(strncmp(buf_str(&url), "https://idp.example/sso?SAMLRequest=", 36) == 0);
	CHECK(strstr(buf_str(&url), "&RelayState=r%2F1&SigAlg=") != NULL);
	/* A request to sign out, as the other side reads it. */
	CHECK(saml_logout_url(&sp, &idp, &(struct saml_logout_ask){ .id = "_l1", .name_id = "al&ice", .session = "s1", .now = NOW }, &url, &field) == 0);
	CHECK(field.len == 0);
	query = mem_strdup(strchr(buf_str(&url), '?') + 1);
	CHECK(saml_logout_query(&them, &me, query, NOW, 60, &l, &v) == 0);
	CHECK_STR(l.name_id, "al&ice");
	CHECK(json_array_size(l.sessions) == 1);
	CHECK_STR(json_string_value(json_array_get(l.sessions, 0)), "s1");
	saml_logout_release(&l);
	CHECK(saml_logout_query(&them, &me, query, NOW + CLOCK_HOUR, 60, &l, &v) == ERR_FORBIDDEN && v.reason == SAML_EXPIRED);
	CHECK(saml_logout_query(&sp, &me, query, NOW, 60, &l, &v) == ERR_FORBIDDEN && v.reason == SAML_DESTINATION);
	CHECK(saml_logout_query(&them, &idp, query, NOW, 60, &l, &v) == ERR_FORBIDDEN && v.reason == SAML_SIGNATURE);
	at = strstr(query, "&SigAlg=");
	*at = '\0';
	CHECK(saml_logout_query(&them, &me, query, NOW, 60, &l, &v) == ERR_FORBIDDEN && v.reason == SAML_UNSIGNED);
	free(query);
	/* By POST, an answer. */
	idp.slo_post = 1;
	CHECK(saml_logout_url(&sp, &idp, &(struct saml_logout_ask){ .id = "_l2", .request = "_l1", .success = 1, .now = NOW }, &url, &field) == 0);
	idp.slo_post = 0;
	CHECK(saml_logout_post(&them, &me, field.data, field.len, NOW, 60, &l, &v) == 0);
	CHECK_STR(l.request, "_l1");
	CHECK(l.success);
	saml_logout_release(&l);
	CHECK(saml_logout_post(&them, &idp, field.data, field.len, NOW, 60, &l, &v) == ERR_FORBIDDEN && v.reason == SAML_SIGNATURE);
	saml_idp_release(&me);
	buf_free(&url);
	buf_free(&field);
}

TEST_MAIN
