/* xml.h - XML from a provider's server: parsed with limits, no document types, no entities, nothing fetched; then looked up by local
 * names. libxml2 inside. */
#ifndef AGENT_PLUGIN_XML_H
#define AGENT_PLUGIN_XML_H

#include <stddef.h>

#define XML_MAX (1 << 20)

struct xml;              /* a document, owned */
struct xml_node;         /* an element of one */

/* ERR_INVALID for what is no XML or has a document type, ERR_TOO_LARGE. */
int xml_parse(const char *text, size_t len, struct xml **out);
void xml_free(struct xml *x);
const struct xml_node *xml_root(const struct xml *x);
/* The first element at PATH of local names ("a/b/c") below NODE, or NULL. NODE may be NULL. */
const struct xml_node *xml_find(const struct xml_node *node, const char *path);
/* The next sibling of the same local name, or NULL. */
const struct xml_node *xml_next(const struct xml_node *node);
/* The next element below ROOT in document order that is called NAME, after AT (NULL: the first); or NULL. */
const struct xml_node *xml_walk(const struct xml_node *root, const struct xml_node *at, const char *name);
/* 1 when it is called so. */
int xml_is(const struct xml_node *node, const char *name);
/* Text of the element at PATH ("" for NODE itself) without blanks around it, cut at SIZE; "" when it is not there. Returns OUT. */
const char *xml_text(const struct xml_node *node, const char *path, char *out, size_t size);
/* The same for an attribute of NODE, by local name. */
const char *xml_attribute(const struct xml_node *node, const char *name, char *out, size_t size);

#endif
