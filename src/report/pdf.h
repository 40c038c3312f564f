/* pdf.h - pages of a PDF by libharu, with fonts embedded: A4, lying; points; from the left edge and from the top down.
 *
 * Text is UTF-8. The fonts have Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic letters, and Chinese, Japanese and Korean ones
 * where the machine has a font of them. Of the scripts of India and South-East Asia letters are not put together, and what lies beyond the
 * first plane (emoji) is a sign that something stood there; XLSX and CSV hold it as it is. */
#ifndef REPORT_PDF_H
#define REPORT_PDF_H

#include <stddef.h>

#define PDF_WIDTH 842.0
#define PDF_HEIGHT 595.0
#define PDF_MARGIN 42.0
#define PDF_INK 0x1b2436u
#define PDF_GREY 0x5b6678u
#define PDF_RULE 0xd9dee7u
#define PDF_BRAND 0x3f57d6u
#define PDF_WHITE 0xffffffu

struct pdf;
struct pdf_place;                        /* a page, to be pointed at */

enum pdf_face { PDF_REGULAR, PDF_BOLD };

struct pdf_style {
	enum pdf_face face;
	double size;
	unsigned colour;                 /* 0xrrggbb */
};

/* ERR_UNAVAILABLE: the fonts are not there. */
int pdf_new(const char *title, const char *author, struct pdf **out);
void pdf_free(struct pdf *p);                    /* NULL is fine */
/* ERR_IO, also for whatever failed before. */
int pdf_save(struct pdf *p, const char *path);
int pdf_status(struct pdf *p);                   /* 0, or ERR_ for what has failed already */

void pdf_page(struct pdf *p);                    /* a new one, on which everything goes from now on */
int pdf_number(const struct pdf *p);             /* of it, from 1 */
struct pdf_place *pdf_place(struct pdf *p);      /* this page; valid as long as P */
void pdf_turn_to(struct pdf *p, struct pdf_place *place);        /* that page once more */

/* Y is the line on which the letters stand. */
void pdf_text(struct pdf *p, double x, double y, const struct pdf_style *style, const char *text);
void pdf_text_right(struct pdf *p, double right, double y, const struct pdf_style *style, const char *text);
double pdf_width(struct pdf *p, const struct pdf_style *style, const char *text);
/* How many bytes of TEXT go into a line of WIDTH: up to a space where there is one, at least one character. */
size_t pdf_fit(struct pdf *p, const struct pdf_style *style, const char *text, double width);

/* Where lines of text stand, LEAD apart. */
struct pdf_block {
	double x, width, lead;
	int most;                        /* lines; 0: as many as it takes */
	int right;                       /* at its right edge, where several lines of a script that runs from the right stand anyhow */
};

/* TEXT in lines of BLOCK, the first one standing on Y; what is more ends with an ellipsis. Where the next line would stand. */
double pdf_write(struct pdf *p, const struct pdf_block *block, double y, const struct pdf_style *style, const char *text);
/* How many lines that takes, at least one; *CUT, where it is not NULL, is set when it is more. */
int pdf_lines(struct pdf *p, const struct pdf_block *block, const struct pdf_style *style, const char *text, int *cut);
void pdf_box(struct pdf *p, double x, double y, double width, double height, unsigned colour);   /* filled; X, Y: upper left */
void pdf_line(struct pdf *p, double x1, double y1, double x2, double y2, unsigned colour);
/* A PNG, as large as goes into WIDTH and HEIGHT, from X on and in the middle of the height below Y; nothing where libharu cannot read it. How wide it is. */
double pdf_picture(struct pdf *p, double x, double y, double width, double height, const void *png, size_t len);
void pdf_link(struct pdf *p, double x, double y, double width, double height, struct pdf_place *to);
void pdf_outline(struct pdf *p, const char *title, struct pdf_place *to);

#endif
