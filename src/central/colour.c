/* colour.c - contrast of white text, and shades. */
#include "central/colour.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define STEPS 1000

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
