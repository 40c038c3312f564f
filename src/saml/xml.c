/* xml.c - bytes to a tree, with everything refused that SAML does not need; and how a tree is read. */
#include "saml/xml.h"

#include <libxml/parser.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* What the parser met and must not have. */
struct met {
	enum saml_reason reason;
	const char *what;
};

static void stop(void *ctx, enum saml_reason reason, const char *what)
{
	xmlParserCtxtPtr parser = ctx;
	struct met *met = parser->_private;

	if (met->reason == SAML_NONE)
		*met = (struct met){ reason, what };
	xmlStopParser(parser);
}

static void on_dtd(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
	stop(ctx, SAML_DTD, "a document type definition");
}

static void on_comment(void *ctx, const xmlChar *text)
{
	stop(ctx, SAML_COMMENT, "a comment");
}

static void on_instruction(void *ctx, const xmlChar *target, const xmlChar *data)
{
	stop(ctx, SAML_COMMENT, "a processing instruction");
}

static void on_cdata(void *ctx, const xmlChar *text, int len)
{
	stop(ctx, SAML_COMMENT, "a CDATA section");
}

static void set_wall(xmlParserCtxtPtr parser, int lenient)
{
	parser->sax->internalSubset = on_dtd;
	parser->sax->externalSubset = on_dtd;
	parser->sax->comment = lenient ? NULL : on_comment;
	parser->sax->processingInstruction = lenient ? NULL : on_instruction;
	parser->sax->cdataBlock = lenient ? parser->sax->characters : on_cdata;
}

int xml_parse(const char *bytes, size_t len, size_t max, int lenient, xmlDocPtr *out, struct saml_verdict *v)
{
	struct met met = { SAML_NONE, NULL };
	xmlParserCtxtPtr parser;
	xmlDocPtr doc;
	int whole;

	if (len == 0 || len > max)
		return saml_refuse(v, len ? SAML_TOO_LARGE : SAML_XML, "%zu bytes of XML; at most %zu are read", len, max);
	parser = xmlNewParserCtxt();
	if (parser == NULL)
		fatal("out of memory");
	parser->_private = &met;
	set_wall(parser, lenient);
	/* The encoding is given, so that none that the document declares can hide anything from this wall. */
	doc = xmlCtxtReadMemory(parser, bytes, (int)len, NULL, "UTF-8", XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	whole = parser->wellFormed && parser->nsWellFormed;
	xmlFreeParserCtxt(parser);
	if (doc && whole && met.reason == SAML_NONE && xmlDocGetRootElement(doc)) {
		*out = doc;
		return 0;
	}
	xmlFreeDoc(doc);
	return met.reason ? saml_refuse(v, met.reason, "%s is inside", met.what) : saml_refuse(v, SAML_XML, "this is not well-formed XML in UTF-8");
}

int xml_is(const xmlNode *n, const char *ns, const char *name)
{
	return n && n->type == XML_ELEMENT_NODE && n->ns && strcmp((const char *)n->ns->href, ns) == 0
		&& strcmp((const char *)n->name, name) == 0;
}

static xmlNode *element_from(xmlNode *n)
{
	while (n && n->type != XML_ELEMENT_NODE)
		n = n->next;
	return n;
}

xmlNode *xml_first(const xmlNode *parent)
{
	return element_from(parent->children);
}

xmlNode *xml_next(const xmlNode *n)
{
	return element_from(n->next);
}

xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name)
{
	xmlNode *n = parent ? xml_first(parent) : NULL;

	while (n && !xml_is(n, ns, name))
		n = xml_next(n);
	return n;
}

const char *xml_attribute(const xmlNode *n, const char *name)
{
	for (const xmlAttr *a = n->properties; a; a = a->next)
		if (a->ns == NULL && strcmp((const char *)a->name, name) == 0)
			/* No entities: the value is one text, or nothing. */
			return a->children && a->children->type == XML_TEXT_NODE && a->children->next == NULL ? (const char *)a->children->content : "";
	return "";
}

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char *xml_text(const xmlNode *n, size_t max)
{
	struct buf text = BUF_INIT;
	const char *begin, *end;
	char *out = NULL;

	for (const xmlNode *c = n->children; c; c = c->next) {
		if (c->type != XML_TEXT_NODE) {
			buf_free(&text);
			return NULL;
		}
		buf_puts(&text, (const char *)c->content);
	}
	begin = buf_str(&text);
	end = begin + strlen(begin);
	while (begin < end && is_space(*begin))
		begin++;
	while (end > begin && is_space(end[-1]))
		end--;
	if ((size_t)(end - begin) <= max)
		out = mem_printf("%.*s", (int)(end - begin), begin);
	buf_free(&text);
	return out;
}

void xml_escape(struct buf *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': buf_puts(out, "&amp;"); break;
		case '<': buf_puts(out, "&lt;"); break;
		case '>': buf_puts(out, "&gt;"); break;
		case '"': buf_puts(out, "&quot;"); break;
		case '\t': case '\n': case '\r': buf_printf(out, "&#%d;", *text); break;
		default:
			if ((unsigned char)*text >= ' ')
				buf_putc(out, *text);
		}
	}
}

int xml_is_id(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > SAML_ID_MAX || strchr("0123456789-.", *s))
		return 0;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == len;
}

int base64_read(const char *text, size_t len, size_t max, struct buf *out)
{
	struct buf packed = BUF_INIT;
	size_t pad = 0;
	int n = -1;

	for (size_t i = 0; i < len; i++)
		if (!is_space(text[i]))
			buf_putc(&packed, text[i]);
	while (pad < packed.len && pad < 2 && packed.data[packed.len - 1 - pad] == '=')
		pad++;
	if (packed.len && packed.len % 4 == 0 && packed.len / 4 * 3 <= max + 2) {
		buf_reset(out);
		n = EVP_DecodeBlock(buf_extend(out, packed.len / 4 * 3), (const unsigned char *)packed.data, (int)packed.len);
	}
	buf_free(&packed);
	if (n < 0 || (size_t)n < pad)
		return err_set(ERR_INVALID, "not base64");
	out->len = (size_t)n - pad;
	out->data[out->len] = '\0';
	return 0;
}

void base64_write(const void *data, size_t len, struct buf *out)
{
	int n = EVP_EncodeBlock(buf_extend(out, (len + 2) / 3 * 4 + 1), data, (int)len);

	out->len = out->len - ((len + 2) / 3 * 4 + 1) + (size_t)n;
}
