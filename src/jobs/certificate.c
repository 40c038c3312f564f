/* certificate.c - one page. Its signature stands beside it, not in it. */
#include "jobs/certificate.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "jobs/scratch.h"
#include "report/pdf.h"

#define LABELS 170.0             /* points from the margin to the values */
#define HALF 400.0               /* of the width, for the second column */
#define WHOLE (PDF_WIDTH - 2 * PDF_MARGIN)
#define LINE 14.0
#define VALUE_LINES 8            /* the longest name has seven, in wide letters */
#define TEXT_MAX 2000
#define PDF_MAX (16 * 1024 * 1024)
#define CONTEXT "keyward certificate of destruction 1\n"

static const struct pdf_style heading = { PDF_BOLD, 20, PDF_INK }, title_style = { PDF_BOLD, 11, PDF_BRAND }, label_style = { PDF_REGULAR, 9, PDF_GREY },
	value_style = { PDF_BOLD, 9, PDF_INK }, text_style = { PDF_REGULAR, 9.5, PDF_INK };

struct at {
	struct pdf *pdf;
	double x, y, width;
};

static void row(struct at *p, const char *label, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void row(struct at *p, const char *label, const char *fmt, ...)
{
	const struct pdf_block values = { p->x + LABELS - 30, p->width - LABELS + 30, LINE - 2, VALUE_LINES, 0 };
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	pdf_text(p->pdf, p->x, p->y, &label_style, label);
	p->y = pdf_write(p->pdf, &values, p->y, &value_style, text) + 2;
}

static void paragraph(struct at *p, const char *text)
{
	p->y = pdf_write(p->pdf, &(struct pdf_block){ p->x, p->width, 13, 0, 0 }, p->y, &text_style, text);
}

static void title(struct at *p, const char *text)
{
	p->y += 12;
	pdf_text(p->pdf, p->x, p->y, &title_style, text);
	pdf_line(p->pdf, p->x, p->y + 5, p->x + p->width, p->y + 5, PDF_RULE);
	p->y += LINE + 6;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "-";
}

static long long number_of(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

static void write_left(struct at *p, const json_t *facts, const char *now)
{
	title(p, "Account");
	row(p, "Name", "%s", text_of(facts, "name"));
	row(p, "Account name", "%s", text_of(facts, "slug"));
	row(p, "Account ID", "%s", text_of(facts, "account"));
	row(p, "Created", "%s", text_of(facts, "created"));
	title(p, "Closing");
	row(p, "Asked for", "%s", text_of(facts, "requested"));
	row(p, "Asked for by", "%s", text_of(facts, "requested_by"));
	row(p, "Announced for", "%s", text_of(facts, "close_at"));
	row(p, "Key destroyed", "%s", text_of(facts, "shredded"));
	row(p, "Certificate made", "%s", now);
}

/* Those that were destroyed there, and those that a server, being away too long, still has. */
static void write_server_keys(struct at *p, const json_t *n)
{
	long long left = number_of(n, "server_keys_left"), all = number_of(n, "server_keys");

	if (left)
		row(p, "Keys on key servers", "%lld of %lld destroyed; left on %s", all - left, all, text_of(n, "servers_left"));
	else if (all)
		row(p, "Keys on key servers", "%lld, destroyed there", all);
}

static void write_right(struct at *p, const json_t *facts, const struct certificate_issuer *by)
{
	const json_t *n = json_object_get(facts, "facts");

	title(p, "What was destroyed");
	row(p, "The account's key", "all wrapped copies of it");
	row(p, "Device keys under it", "%lld, of %lld devices", number_of(n, "device_keys"), number_of(n, "devices"));
	write_server_keys(p, n);
	row(p, "Users; policies", "%lld; %lld", number_of(n, "users"), number_of(n, "policies"));
	row(p, "Machines; key requests", "%lld; %lld", number_of(n, "instances"), number_of(n, "requests"));
	row(p, "Entries of the log", "%lld", number_of(n, "entries"));
	row(p, "Rows deleted in all", "%lld", number_of(facts, "removed"));
	title(p, "Installation");
	row(p, "Name", "%s", by->name);
	row(p, "Installation ID", "%s", by->installation);
}

static void write_all(struct pdf *pdf, const json_t *facts, const struct certificate_issuer *by, const char *key, const char *now)
{
	struct at p = { pdf, PDF_MARGIN, PDF_MARGIN + 20, WHOLE }, left, right;

	pdf_page(pdf);
	pdf_text(pdf, p.x, p.y, &heading, "Certificate of Destruction");
	p.y += 24;
	paragraph(&p, "This certifies that the key of the account below was destroyed, so that "
		"nothing that was encrypted under it on this installation can be opened any more, and that the account's rows were deleted from the "
		"installation's database.");
	left = (struct at){ pdf, PDF_MARGIN, p.y, HALF - 30 };
	right = (struct at){ pdf, PDF_MARGIN + HALF, p.y, WHOLE - HALF };
	write_left(&left, facts, now);
	write_right(&right, facts, by);
	p.y = left.y > right.y ? left.y : right.y;
	title(&p, "What this does not reach");
	paragraph(&p, "Backups from before hold the account's key wrapped under the root key of the "
		"installation until they are removed, or until that root key is destroyed. Keys that are named above as left on a key server are there "
		"until who runs it destroys them; nothing here points to them. Keys that the account's people have exported, and data that are "
		"in the clear elsewhere, are theirs.");
	title(&p, "Log and signature");
	row(&p, "Last entry of the log", "%s", text_of(json_object_get(facts, "facts"), "log"));
	row(&p, "Key of the signature", "Ed25519 %s", key);
	paragraph(&p, "The signature is in a file of its own. docs/closing.md of Keyward has the command that checks it.");
}

/* The library writes files alone. */
static int save(struct pdf *pdf, struct buf *out)
{
	struct scratch scratch;
	char *path;
	int rc = scratch_make(&scratch);

	if (rc < 0)
		return rc;
	path = mem_printf("%s/certificate.pdf", scratch.path);
	rc = pdf_save(pdf, path);
	if (rc == 0)
		rc = file_read(path, PDF_MAX, out);
	scratch_remove(&scratch);
	free(path);
	return rc;
}

int certificate_make(const json_t *facts, const struct certificate_issuer *by, clock_us now, struct buf *out)
{
	char at[CLOCK_TEXT_SIZE], *key = encode_hex(by->public_key, 32);
	struct pdf *pdf = NULL;
	int rc = pdf_new("Certificate of Destruction", by->name, &pdf);

	if (rc == 0) {
		clock_text(now, at);
		write_all(pdf, facts, by, key, at);
		rc = save(pdf, out);
	}
	pdf_free(pdf);
	free(key);
	return rc;
}

void certificate_statement(const struct buf *pdf, struct buf *out)
{
	uint8_t hash[crypto_hash_sha256_BYTES];
	char *text;

	crypto_hash_sha256(hash, (const uint8_t *)pdf->data, pdf->len);
	text = encode_hex(hash, sizeof hash);
	buf_printf(out, CONTEXT "%s\n", text);
	free(text);
}
