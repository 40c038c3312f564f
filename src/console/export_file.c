/* export_file.c - the files of an export: libxml2 writes them, libzip packs them. */
#include "console/export_file.h"

#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"

struct export_zip {
	zip_source_t *source;
	zip_t *zip;
};

static int failed(void)
{
	return err_set(ERR_CRYPTO, "the file of the export cannot be made");
}

int export_zip_new(struct export_zip **out)
{
	struct export_zip *z = mem_alloc(sizeof *z);
	zip_error_t error;

	zip_error_init(&error);
	z->source = zip_source_buffer_create(NULL, 0, 0, &error);
	z->zip = z->source ? zip_open_from_source(z->source, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
	zip_error_fini(&error);
	if (z->zip == NULL) {
		zip_source_free(z->source);
		free(z);
		return failed();
	}
	/* It outlives the archive: what was written is read from it. */
	zip_source_keep(z->source);
	*out = z;
	return 0;
}

void export_zip_free(struct export_zip *z)
{
	if (z == NULL)
		return;
	if (z->zip)
		zip_discard(z->zip);
	zip_source_free(z->source);
	free(z);
}

/* Attributes of one element stand together in the table. */
static int write_fields(xmlTextWriterPtr w, const char *const fields[static EXPORTED_FIELD_COUNT])
{
	const char *open = NULL;
	int ok = 1;

	for (int i = 0; ok && i < EXPORTED_FIELD_COUNT; i++) {
		const struct exported_name *n = &exported_names[i];

		if (open == NULL || strcmp(open, n->element) != 0) {
			ok = (open == NULL || xmlTextWriterEndElement(w) >= 0) && xmlTextWriterStartElement(w, (const xmlChar *)n->element) >= 0;
			open = n->element;
		}
		ok = ok && xmlTextWriterWriteAttribute(w, (const xmlChar *)n->attribute, (const xmlChar *)(fields[i] ? fields[i] : "")) >= 0;
	}
	return ok && xmlTextWriterEndElement(w) >= 0;
}

static int write_document(xmlTextWriterPtr w, const char *const fields[static EXPORTED_FIELD_COUNT], const char *sealed)
{
	return xmlTextWriterSetIndent(w, 1) >= 0 && xmlTextWriterStartDocument(w, NULL, "UTF-8", NULL) >= 0
		&& xmlTextWriterStartElement(w, (const xmlChar *)EXPORTED_ROOT) >= 0
		&& xmlTextWriterWriteAttribute(w, (const xmlChar *)"format", (const xmlChar *)EXPORTED_FORMAT) >= 0 && write_fields(w, fields)
		&& xmlTextWriterWriteElement(w, (const xmlChar *)"sealed", (const xmlChar *)sealed) >= 0 && xmlTextWriterEndDocument(w) >= 0;
}

static xmlBufferPtr make_xml(const char *const fields[static EXPORTED_FIELD_COUNT], const struct buf *sealed)
{
	xmlBufferPtr xml = xmlBufferCreate();
	xmlTextWriterPtr w = xml ? xmlNewTextWriterMemory(xml, 0) : NULL;
	char *text = encode_base64url(sealed->data, sealed->len);
	int ok = w && write_document(w, fields, text);

	xmlFreeTextWriter(w);
	free(text);
	if (ok)
		return xml;
	xmlBufferFree(xml);
	return NULL;
}

int export_zip_add(struct export_zip *z, const char *const fields[static EXPORTED_FIELD_COUNT], const struct buf *sealed)
{
	xmlBufferPtr xml = make_xml(fields, sealed);
	size_t len = xml ? (size_t)xmlBufferLength(xml) : 0;
	char *name = mem_printf("%s.xml", fields[EXPORTED_DEVICE]);
	/* libzip frees what it was given. */
	void *copy = malloc(len + 1);
	zip_source_t *s = xml && copy && len <= EXPORTED_FILE_MAX ? zip_source_buffer(z->zip, memcpy(copy, xmlBufferContent(xml), len), len, 1) : NULL;
	int ok = s && zip_file_add(z->zip, name, s, ZIP_FL_ENC_UTF_8) >= 0;

	if (!ok && s)
		zip_source_free(s);
	else if (!ok)
		free(copy);
	xmlBufferFree(xml);
	free(name);
	return ok ? 0 : failed();
}

static int read_all(zip_source_t *s, struct buf *out)
{
	zip_stat_t stat;
	int ok = zip_source_stat(s, &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) && zip_source_open(s) == 0;

	if (!ok)
		return failed();
	ok = zip_source_read(s, buf_extend(out, stat.size), stat.size) == (zip_int64_t)stat.size;
	zip_source_close(s);
	return ok ? 0 : failed();
}

int export_zip_finish(struct export_zip *z, struct buf *out)
{
	int rc = zip_close(z->zip) == 0 ? 0 : failed();

	if (rc == 0) {
		z->zip = NULL;
		rc = read_all(z->source, out);
	}
	export_zip_free(z);
	return rc;
}
