/* colour.c - contrast of white text, shades, and what is like the red of danger. */
#include "central/colour.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define STEPS 1000
#define DANGER 0xc2261d                  /* --tblr-danger of assets/css, on light ground and on dark */
#define DANGER_DARK 0xc93a30
#define ALIKE_LIGHTNESS 0.08
#define ALIKE_HUE 10.0                   /* degrees */
#define VIVID 0.12                       /* what has less chroma is brown or grey to the eye */

int colour_parse(const char *text, unsigned *out)
{
	size_t digits = 0;

	while (text[0] == '#' && isxdigit((unsigned char)text[1 + digits]))
		digits++;
	if (digits != 6 || text[7] != '\0')
		return err_set(ERR_INVALID, "this is no colour");
	*out = (unsigned)strtoul(text + 1, NULL, 16);
	return 0;
}

void colour_text(unsigned colour, char out[static COLOUR_SIZE])
{
	snprintf(out, COLOUR_SIZE, "#%06x", colour & 0xffffff);
}

/* How much light a share of 0 to 255 of one of the three gives, of 0 to 1 (IEC 61966-2-1). */
static double light(unsigned share)
{
	double v = (share & 0xff) / 255.0;

	return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

double colour_contrast(unsigned colour)
{
	double luminance = 0.2126 * light(colour >> 16) + 0.7152 * light(colour >> 8) + 0.0722 * light(colour);

	return 1.05 / (luminance + 0.05);
}

static unsigned darker(unsigned colour, unsigned step)
{
	unsigned out = 0;

	for (int shift = 16; shift >= 0; shift -= 8)
		out |= (colour >> shift & 0xff) * step / STEPS << shift;
	return out;
}

unsigned colour_legible(unsigned colour)
{
	unsigned step = STEPS;

	while (step > 0 && colour_contrast(darker(colour, step)) < COLOUR_LEGIBLE)
		step--;
	return darker(colour, step);
}

/* As the eye orders colours (OKLab, https://bottosson.github.io/posts/oklab/): how light, how vivid, which hue in degrees. */
struct seen {
	double lightness, chroma, hue;
};

static struct seen see(unsigned colour)
{
	double r = light(colour >> 16), g = light(colour >> 8), b = light(colour);
	double l = cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b), m = cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
	double s = cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
	double x = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s, y = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;

	return (struct seen){ 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s, hypot(x, y), atan2(y, x) * 180 / M_PI };
}

static int is_like(const struct seen *a, const struct seen *b)
{
	double hue = fabs(a->hue - b->hue);

	return fabs(a->lightness - b->lightness) < ALIKE_LIGHTNESS && (hue > 180 ? 360 - hue : hue) < ALIKE_HUE;
}

int colour_is_danger(unsigned colour)
{
	struct seen one = see(colour), danger = see(DANGER), dark = see(DANGER_DARK);

	return one.chroma > VIVID && (is_like(&one, &danger) || is_like(&one, &dark));
}
