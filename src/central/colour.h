/* colour.h - a colour as the ground of white text: how well that can be read (WCAG 2.2, 1.4.3), the next one that will do, and whether it is told from
 * the red of what destroys. Pure. */
#ifndef CENTRAL_COLOUR_H
#define CENTRAL_COLOUR_H

#define COLOUR_LEGIBLE 4.5               /* to 1: what text needs */
#define COLOUR_SIZE 8                    /* "#rrggbb" */

/* "#RRGGBB" in either case. ERR_INVALID. */
int colour_parse(const char *text, unsigned *out);
void colour_text(unsigned colour, char out[static COLOUR_SIZE]);
/* Of white text on it: 1 (white) to 21 (black). */
double colour_contrast(unsigned colour);
/* Whoever sees a button of it may take it for one that destroys something (assets/css, --tblr-danger). */
int colour_is_danger(unsigned colour);
/* The same colour, or the nearest darker shade of it on which white text has COLOUR_LEGIBLE. */
unsigned colour_legible(unsigned colour);

#endif
