/* xml.c - see xml.h. A struct xml_node is libxml2's xmlNode under another name, so that nobody else needs its headers. */
#include "agent/plugin/xml.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static void silent(void *ctx, const char *fmt, ...)
{
}

static const xmlNode *of(const struct xml_node *n)
{
	return (const xmlNode *)(const void *)n;
}

static const struct xml_node *as(const xmlNode *n)
{
	return (const struct xml_node *)(const void *)n;
}

int xml_parse(const char *text, size_t len, struct xml **out)
{
	xmlDoc *doc;

	if (len > XML_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d bytes of XML", XML_MAX);
	xmlSetGenericErrorFunc(NULL, silent);
	doc = xmlReadMemory(text, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	if (doc && xmlGetIntSubset(doc) == NULL && xmlDocGetRootElement(doc)) {
		*out = (struct xml *)(void *)doc;
		return 0;
	}
	if (doc == NULL)
		return err_set(ERR_INVALID, "the answer is no XML");
	xmlFreeDoc(doc);
	return err_set(ERR_INVALID, "XML with a document type is not accepted");
}

void xml_free(struct xml *x)
{
	if (x)
		xmlFreeDoc((xmlDoc *)(void *)x);
}

const struct xml_node *xml_root(const struct xml *x)
{
	return as(xmlDocGetRootElement((const xmlDoc *)(const void *)x));
}

static int is_called(const xmlNode *n, const char *name, size_t len)
{
	return n->type == XML_ELEMENT_NODE && strlen((const char *)n->name) == len && strncmp((const char *)n->name, name, len) == 0;
}

int xml_is(const struct xml_node *node, const char *name)
{
	return node && is_called(of(node), name, strlen(name));
}

const struct xml_node *xml_find(const struct xml_node *node, const char *path)
{
	const xmlNode *at = node ? of(node) : NULL;

	while (at && *path) {
		size_t len = strcspn(path, "/");

		for (at = at->children; at && !is_called(at, path, len); at = at->next)
			continue;
		path += len + (path[len] == '/');
	}
	return as(at);
}

const struct xml_node *xml_next(const struct xml_node *node)
{
	const xmlNode *first = of(node), *at = first->next;

	while (at && !is_called(at, (const char *)first->name, strlen((const char *)first->name)))
		at = at->next;
	return as(at);
}

static const xmlNode *following(const xmlNode *root, const xmlNode *at)
{
	if (at->children)
		return at->children;
	while (at != root && at->next == NULL)
		at = at->parent;
	return at == root ? NULL : at->next;
}

const struct xml_node *xml_walk(const struct xml_node *root, const struct xml_node *at, const char *name)
{
	const xmlNode *n = following(of(root), at ? of(at) : of(root));

	while (n && !is_called(n, name, strlen(name)))
		n = following(of(root), n);
	return as(n);
}

static const char *keep(xmlChar *text, char *out, size_t size)
{
	const char *from = text ? (const char *)text : "";
	size_t len;

	from += strspn(from, " \t\r\n");
	len = strlen(from);
	while (len > 0 && strchr(" \t\r\n", from[len - 1]))
		len--;
	snprintf(out, size, "%.*s", (int)len, from);
	xmlFree(text);
	return out;
}

const char *xml_text(const struct xml_node *node, const char *path, char *out, size_t size)
{
	const struct xml_node *found = xml_find(node, path);

	return keep(found ? xmlNodeGetContent(of(found)) : NULL, out, size);
}

const char *xml_attribute(const struct xml_node *node, const char *name, char *out, size_t size)
{
	return keep(node ? xmlGetProp(of(node), (const xmlChar *)name) : NULL, out, size);
}
