/* pdf.c - libharu, with text that is split by what each font has. */
#include "report/pdf.h"

#include <hpdf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/line.h"

#define FONTS "/usr/share/fonts/truetype/"
#define UTF8 "UTF-8"
#define RUN_MAX 1024                     /* bytes drawn at once; libharu has a limit of its own */

/* Characters that the two faces lack; a font that is not installed leaves them as empty boxes. libharu writes glyphs that are made of
 * others without those: not every font will do. */
static const struct {
	const char *file;
	struct { unsigned from, to; } ranges[6];
} scripts[] = {
	{ FONTS "unfonts-core/UnDotum.ttf", { { 0x1100, 0x11ff }, { 0x3130, 0x318f }, { 0xac00, 0xd7af } } },
	{ FONTS "wqy/wqy-zenhei.ttc", { { 0x2e80, 0x312f }, { 0x3190, 0xa4cf }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe4f }, { 0xff00, 0xffef } } },
};
#define SCRIPTS ARRAY_LEN(scripts)

struct pdf {
	HPDF_Doc doc;
	HPDF_Font faces[2], others[SCRIPTS];     /* others: when the first character of theirs comes */
	HPDF_Encoder encoder;
	HPDF_Page page;
	int number;
};

/* libharu keeps the first error itself and does nothing from then on. */
static void on_error(HPDF_STATUS status, HPDF_STATUS detail, void *ctx)
{
}

int pdf_status(struct pdf *p)
{
	HPDF_STATUS status = HPDF_GetError(p->doc);

	return status == HPDF_OK ? 0 : err_set(ERR_IO, "the PDF cannot be made: libharu says %04lx", (unsigned long)status);
}

static HPDF_Font load(struct pdf *p, const char *file)
{
	const char *name = NULL;

	if (access(file, R_OK) == 0)
		name = strcmp(file + strlen(file) - 4, ".ttc") == 0 ? HPDF_LoadTTFontFromFile2(p->doc, file, 0, HPDF_TRUE)
			: HPDF_LoadTTFontFromFile(p->doc, file, HPDF_TRUE);
	return name ? HPDF_GetFont(p->doc, name, UTF8) : NULL;
}

int pdf_new(const char *title, const char *author, struct pdf **out)
{
	struct pdf *p = mem_alloc(sizeof *p);

	p->doc = HPDF_New(on_error, NULL);
	if (p->doc == NULL) {
		free(p);
		return err_set(ERR_INTERNAL, "libharu cannot start");
	}
	HPDF_SetCompressionMode(p->doc, HPDF_COMP_ALL);
	HPDF_UseUTFEncodings(p->doc);
	p->encoder = HPDF_GetEncoder(p->doc, UTF8);
	p->faces[PDF_REGULAR] = load(p, FONTS "dejavu/DejaVuSans.ttf");
	p->faces[PDF_BOLD] = load(p, FONTS "dejavu/DejaVuSans-Bold.ttf");
	if (p->faces[PDF_REGULAR] == NULL || p->faces[PDF_BOLD] == NULL) {
		pdf_free(p);
		return err_set(ERR_UNAVAILABLE, "the fonts for PDF are missing: install fonts-dejavu-core");
	}
	HPDF_SetInfoAttr(p->doc, HPDF_INFO_TITLE, title);
	HPDF_SetInfoAttr(p->doc, HPDF_INFO_AUTHOR, author);
	HPDF_SetPageMode(p->doc, HPDF_PAGE_MODE_USE_OUTLINE);
	*out = p;
	return 0;
}

void pdf_free(struct pdf *p)
{
	if (p == NULL)
		return;
	HPDF_Free(p->doc);
	free(p);
}

int pdf_save(struct pdf *p, const char *path)
{
	HPDF_SaveToFile(p->doc, path);
	return pdf_status(p);
}

void pdf_page(struct pdf *p)
{
	p->page = HPDF_AddPage(p->doc);
	p->number++;
	HPDF_Page_SetSize(p->page, HPDF_PAGE_SIZE_A4, HPDF_PAGE_LANDSCAPE);
}

int pdf_number(const struct pdf *p)
{
	return p->number;
}

struct pdf_place *pdf_place(struct pdf *p)
{
	return (struct pdf_place *)p->page;
}

void pdf_turn_to(struct pdf *p, struct pdf_place *place)
{
	p->page = (HPDF_Page)place;
}

/* Text */

/* One character of UTF-8 and its length; what is none counts as one byte. */
static unsigned take(const char *text, size_t *len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned code = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*len = 1;
			return '?';
		}
		code = code << 6 | (s[i] & 0x3f);
	}
	*len = n;
	return code;
}

static size_t script_of(unsigned code)
{
	for (size_t i = 0; i < SCRIPTS; i++)
		for (size_t r = 0; scripts[i].ranges[r].to; r++)
			if (code >= scripts[i].ranges[r].from && code <= scripts[i].ranges[r].to)
				return i;
	return SCRIPTS;
}

static HPDF_Font font_for(struct pdf *p, enum pdf_face face, unsigned code)
{
	size_t i = code < 0x1100 ? SCRIPTS : script_of(code);

	if (i < SCRIPTS && p->others[i] == NULL)
		p->others[i] = load(p, scripts[i].file);
	return i < SCRIPTS && p->others[i] ? p->others[i] : p->faces[face];
}

static double char_width(struct pdf *p, const struct pdf_style *style, unsigned code)
{
	HPDF_Font font = font_for(p, style->face, code);

	return HPDF_Font_GetUnicodeWidth(font, (HPDF_UNICODE)(code > 0xffff ? 0xfffd : code)) * style->size / 1000;
}

double pdf_width(struct pdf *p, const struct pdf_style *style, const char *text, size_t len)
{
	double width = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n)
		width += char_width(p, style, take(text + i, &n));
	return width;
}

size_t pdf_fit(struct pdf *p, const struct pdf_style *style, const char *text, double width)
{
	size_t at = 0, space = 0, n;

	while (text[at]) {
		double more = char_width(p, style, take(text + at, &n));

		if (at > 0 && more > width)
			return space ? space : at;
		width -= more;
		at += n;
		if (text[at - 1] == ' ' || text[at - 1] == '-' || text[at - 1] == '/')
			space = at;
	}
	return at;
}

static void set_colour(struct pdf *p, unsigned colour)
{
	HPDF_Page_SetRGBFill(p->page, (float)(colour >> 16 & 255) / 255, (float)(colour >> 8 & 255) / 255, (float)(colour & 255) / 255);
}

/* RUN: bytes of one font. What lies beyond the first plane libharu cannot write. */
static void show(struct pdf *p, HPDF_Font font, double size, const char *run)
{
	HPDF_Page_SetFontAndSize(p->page, font, (float)size);
	HPDF_Page_ShowText(p->page, run);
}

static void draw(struct pdf *p, double x, double y, const struct pdf_style *style, const char *text)
{
	char run[RUN_MAX + 4];
	HPDF_Font font = NULL;
	size_t len = 0, n;

	set_colour(p, style->colour);
	HPDF_Page_BeginText(p->page);
	HPDF_Page_MoveTextPos(p->page, (float)x, (float)(PDF_HEIGHT - y));
	for (; *text; text += n) {
		unsigned code = take(text, &n);
		HPDF_Font next = font_for(p, style->face, code);

		if (len && (next != font || len + n > RUN_MAX)) {
			run[len] = '\0';
			show(p, font, style->size, run);
			len = 0;
		}
		font = next;
		if (code > 0xffff || (n == 1 && code == '?')) {
			memcpy(run + len, code > 0xffff ? "\ufffd" : "?", code > 0xffff ? 3 : 1);
			len += code > 0xffff ? 3 : 1;
		} else {
			memcpy(run + len, text, n);
			len += n;
		}
	}
	run[len] = '\0';
	if (len)
		show(p, font, style->size, run);
	HPDF_Page_EndText(p->page);
}

void pdf_text(struct pdf *p, double x, double y, const struct pdf_style *style, const char *text)
{
	char *drawn = line_drawn(text);

	draw(p, x, y, style, drawn ? drawn : text);
	free(drawn);
}

void pdf_text_right(struct pdf *p, double right, double y, const struct pdf_style *style, const char *text)
{
	pdf_text(p, right - pdf_width(p, style, text, strlen(text)), y, style, text);
}

double pdf_paragraph(struct pdf *p, double x, double y, double width, double lead, const struct pdf_style *style, const char *text)
{
	while (*text) {
		size_t len = pdf_fit(p, style, text, width);
		char *line = mem_dup(text, len);

		pdf_text(p, x, y, style, line);
		free(line);
		text += len;
		y += lead;
	}
	return y;
}

/* Shapes */

void pdf_box(struct pdf *p, double x, double y, double width, double height, unsigned colour)
{
	set_colour(p, colour);
	HPDF_Page_Rectangle(p->page, (float)x, (float)(PDF_HEIGHT - y - height), (float)width, (float)height);
	HPDF_Page_Fill(p->page);
}

void pdf_line(struct pdf *p, double x1, double y1, double x2, double y2, unsigned colour)
{
	HPDF_Page_SetRGBStroke(p->page, (float)(colour >> 16 & 255) / 255, (float)(colour >> 8 & 255) / 255, (float)(colour & 255) / 255);
	HPDF_Page_SetLineWidth(p->page, 0.5f);
	HPDF_Page_MoveTo(p->page, (float)x1, (float)(PDF_HEIGHT - y1));
	HPDF_Page_LineTo(p->page, (float)x2, (float)(PDF_HEIGHT - y2));
	HPDF_Page_Stroke(p->page);
}

void pdf_link(struct pdf *p, double x, double y, double width, double height, struct pdf_place *to)
{
	HPDF_Rect rect = { (float)x, (float)(PDF_HEIGHT - y - height), (float)(x + width), (float)(PDF_HEIGHT - y) };
	HPDF_Annotation link = HPDF_Page_CreateLinkAnnot(p->page, rect, HPDF_Page_CreateDestination((HPDF_Page)to));

	HPDF_LinkAnnot_SetBorderStyle(link, 0, 0, 0);
}

void pdf_outline(struct pdf *p, const char *title, struct pdf_place *to)
{
	HPDF_Outline entry = HPDF_CreateOutline(p->doc, NULL, title, p->encoder);

	HPDF_Outline_SetDestination(entry, HPDF_Page_CreateDestination((HPDF_Page)to));
}
