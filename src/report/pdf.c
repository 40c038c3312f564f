/* pdf.c - libharu, with text that is split by what each font has. */
#include "report/pdf.h"

#include <hpdf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "report/line.h"

#define FONTS "/usr/share/fonts/truetype/"
#define UTF8 "UTF-8"
#define ELLIPSIS "…"
#define RUN_MAX 1024                     /* bytes drawn at once; libharu has a limit of its own */

/* Characters that the two faces lack; a font that is not installed leaves them as empty boxes. */
static const struct {
	const char *file;
	struct { unsigned from, to; } ranges[6];
} scripts[] = {
	{ FONTS "unfonts-core/UnDotum.ttf", { { 0x1100, 0x11ff }, { 0x3130, 0x318f }, { 0xac00, 0xd7af } } },
	{ FONTS "wqy/wqy-zenhei.ttc", { { 0x2e80, 0x312f }, { 0x3190, 0xa4cf }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe4f }, { 0xff00, 0xffef } } },
};
#define SCRIPTS ARRAY_LEN(scripts)

/* libharu embeds the glyphs that are asked for and those that they are made of, but not what these are made of in turn: the two faces' "ї" has
 * no dots then, "ế" and half of the Arabic letters lack a part. Among these characters and what they are made of is every such part, but for those of
 * Canada's syllables and hexagrams; tests/report looks for glyphs that lack one. */
static const uint16_t with_parts[] = {
	0x0385, 0x1fcd, 0x1fde, 0x1e1c, 0x1e64, 0x02cd, 0x0391, 0x0397, 0x0399, 0x039f, 0x03a5, 0x03bf, 0x1fc0, 0x00d9, 0x00e0, 0x00e9, 0x00ee, 0x0108,
	0x010b, 0x0158, 0x0159, 0x0161, 0x016d, 0x06af, 0x1e37, 0x1e99, 0x1f03, 0x1f14, 0x1f26, 0x1f37, 0x1ff3, 0xfb90, 0xfb91, 0x042b, 0x0050, 0x005a,
	0x005f, 0x007a, 0x018f, 0x019f, 0x0259, 0x0275, 0x02db, 0x0309, 0x031b, 0x03a9, 0x03c5, 0x044c, 0x05d9, 0x0674, 0x2019, 0xfb8f, 0xfbe8, 0xfbe9,
	0x0395, 0x00c3, 0x00c4, 0xfb6c, 0xfb6d, 0x0186,
};
#define SIMPLE 0x100                     /* below no glyph of theirs is made so */

/* Characters that nobody sees: they join, part and turn others, or say how those look. */
static const struct { unsigned from, to; } unseen[] = {
	{ 0xad, 0xad }, { 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe0fff },
};

struct pdf {
	HPDF_Doc doc;
	HPDF_Font faces[2], others[SCRIPTS];     /* others: when the first character of theirs comes */
	int whole[2];                            /* the face has the parts of all its glyphs */
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
	/* Of title and author. */
	HPDF_SetCurrentEncoder(p->doc, UTF8);
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

static int is_unseen(unsigned code)
{
	for (size_t i = 0; code >= unseen[0].from && i < ARRAY_LEN(unseen); i++)
		if (code >= unseen[i].from && code <= unseen[i].to)
			return 1;
	return 0;
}

static HPDF_Font face_for(struct pdf *p, enum pdf_face face, unsigned code)
{
	if (code >= SIMPLE && !p->whole[face]) {
		p->whole[face] = 1;
		for (size_t i = 0; i < ARRAY_LEN(with_parts); i++)
			HPDF_Font_GetUnicodeWidth(p->faces[face], with_parts[i]);
	}
	return p->faces[face];
}

static HPDF_Font font_for(struct pdf *p, enum pdf_face face, unsigned code)
{
	size_t i = code < 0x1100 ? SCRIPTS : script_of(code);

	if (i < SCRIPTS && p->others[i] == NULL)
		p->others[i] = load(p, scripts[i].file);
	return i < SCRIPTS && p->others[i] ? p->others[i] : face_for(p, face, code);
}

static double char_width(struct pdf *p, const struct pdf_style *style, unsigned code)
{
	HPDF_Font font = font_for(p, style->face, code);

	return is_unseen(code) ? 0 : HPDF_Font_GetUnicodeWidth(font, (HPDF_UNICODE)(code > 0xffff ? 0xfffd : code)) * style->size / 1000;
}

/* Of what stands in the order in which it is drawn. */
static double drawn_width(struct pdf *p, const struct pdf_style *style, const char *drawn)
{
	double width = 0;
	size_t n;

	for (; *drawn; drawn += n)
		width += char_width(p, style, take(drawn, &n));
	return width;
}

double pdf_width(struct pdf *p, const struct pdf_style *style, const char *text)
{
	char *drawn = line_drawn(text, line_from_right(text));
	double width = drawn_width(p, style, drawn ? drawn : text);

	free(drawn);
	return width;
}

/* A line may end behind a space, and between any two characters of a script that knows none. */
static int may_break_after(unsigned code)
{
	return code == ' ' || code == '-' || code == '/' || (code >= 0x2e80 && code < 0xac00);
}

/* Of East Asia's punctuation. */
static int may_not_begin(const char *text)
{
	static const char *const marks[] = { "、", "。", "，", "．", "：", "；", "！", "？", "）", "」", "』", "】", "ー" };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strncmp(text, marks[i], strlen(marks[i])) == 0)
			return 1;
	return 0;
}

size_t pdf_fit(struct pdf *p, const struct pdf_style *style, const char *text, double width)
{
	size_t at = 0, space = 0, n;

	while (text[at]) {
		unsigned code = take(text + at, &n);
		double more = char_width(p, style, code);

		/* A space at the end of a line takes none. */
		if (at > 0 && more > width && code != ' ')
			return space ? space : at;
		width -= more;
		at += n;
		if (at > n && may_break_after(code) && !may_not_begin(text + at))
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
		HPDF_Font next = is_unseen(code) && font ? font : font_for(p, style->face, code);

		if (len && (next != font || len + n > RUN_MAX)) {
			run[len] = '\0';
			show(p, font, style->size, run);
			len = 0;
		}
		font = next;
		if (is_unseen(code))
			continue;
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

/* A line of a text that as a whole runs FROM_RIGHT or not; X: its left edge, or its right one. */
static void draw_line(struct pdf *p, double x, double y, int at_right, const struct pdf_style *style, const char *line, int from_right)
{
	char *drawn = line_drawn(line, from_right);
	const char *text = drawn ? drawn : line;

	draw(p, at_right ? x - drawn_width(p, style, text) : x, y, style, text);
	free(drawn);
}

void pdf_text(struct pdf *p, double x, double y, const struct pdf_style *style, const char *text)
{
	draw_line(p, x, y, 0, style, text, line_from_right(text));
}

void pdf_text_right(struct pdf *p, double right, double y, const struct pdf_style *style, const char *text)
{
	draw_line(p, right, y, 1, style, text, line_from_right(text));
}

/* Line number N, from 0, of TEXT: its bytes; *CUT: it is the last that may stand, and there is more. */
static size_t line_length(struct pdf *p, const struct pdf_block *b, const struct pdf_style *style, const char *text, int n, int *cut)
{
	size_t len = pdf_fit(p, style, text, b->width);

	*cut = b->most && n + 1 == b->most && text[len];
	return *cut ? pdf_fit(p, style, text, b->width - pdf_width(p, style, ELLIPSIS)) : len;
}

int pdf_lines(struct pdf *p, const struct pdf_block *b, const struct pdf_style *style, const char *text, int *cut)
{
	int n = 0, more = 0;

	for (; *text && (b->most == 0 || n < b->most); n++)
		text += line_length(p, b, style, text, n, &more);
	if (cut && more)
		*cut = 1;
	return n ? n : 1;
}

double pdf_write(struct pdf *p, const struct pdf_block *b, double y, const struct pdf_style *style, const char *text)
{
	int from_right = line_from_right(text), right = b->right || (from_right && text[pdf_fit(p, style, text, b->width)]), cut;

	for (int n = 0; *text && (b->most == 0 || n < b->most); n++, y += b->lead) {
		size_t len = line_length(p, b, style, text, n, &cut), shown = len;
		char *line;

		while (shown && text[shown - 1] == ' ')
			shown--;
		line = mem_printf("%.*s%s", (int)shown, text, cut ? ELLIPSIS : "");
		draw_line(p, right ? b->x + b->width : b->x, y, right, style, line, from_right);
		free(line);
		text += len;
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

double pdf_picture(struct pdf *p, double x, double y, double width, double height, const void *png, size_t len)
{
	HPDF_Image image = pdf_status(p) == 0 ? HPDF_LoadPngImageFromMem(p->doc, png, (HPDF_UINT)len) : NULL;
	double wide, high, scale;

	/* A report without the picture is better than none. */
	if (image == NULL) {
		HPDF_ResetError(p->doc);
		return 0;
	}
	wide = HPDF_Image_GetWidth(image);
	high = HPDF_Image_GetHeight(image);
	scale = width / wide < height / high ? width / wide : height / high;
	HPDF_Page_DrawImage(p->page, image, (float)x, (float)(PDF_HEIGHT - y - (height + high * scale) / 2), (float)(wide * scale), (float)(high * scale));
	return wide * scale;
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
