/* saml_tool.c - for tests that play an identity provider gone wrong: saml_tool KEY signs the document at standard input, whose
 * root is an element of SAML with an Issuer first, as the real one would. */
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "saml/xml.h"

static void read_all(FILE *f, struct buf *out)
{
	char part[4096];
	size_t n;

	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(out, part, n);
}

int main(int argc, char **argv)
{
	struct buf key = BUF_INIT, xml = BUF_INIT, out = BUF_INIT;
	struct saml_sp by = { .entity = "", .acs_url = "", .slo_url = "", .certificate = "" };
	struct secret *pem;
	FILE *f;
	int rc;

	if (argc != 2 || (f = fopen(argv[1], "r")) == NULL)
		fatal("usage: saml_tool KEY < XML");
	secret_init();
	saml_init();
	read_all(f, &key);
	fclose(f);
	read_all(stdin, &xml);
	pem = secret_take(key.data, key.len);
	by.key = pem;
	rc = sign_document(buf_str(&xml), &by, &out);
	if (rc < 0)
		fatal("%s", err_text());
	fwrite(out.data, 1, out.len, stdout);
	secret_free(pem);
	buf_free(&key);
	buf_free(&xml);
	buf_free(&out);
	return 0;
}
