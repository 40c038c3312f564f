/* columns.c - a table of texts for people. */
#include "agent/tool/columns.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define GAP 2

/* Characters of UTF-8. */
static int width_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void columns_add(struct columns *c, const char *const cells[])
{
	c->cells = mem_grow(c->cells, (size_t)(c->rows + 1) * (size_t)c->count, sizeof *c->cells);
	for (int i = 0; i < c->count; i++) {
		int width = width_of(cells[i]);

		c->cells[c->rows * c->count + i] = mem_strdup(cells[i]);
		if (width > c->widths[i])
			c->widths[i] = width;
	}
	c->rows++;
}

int columns_width(const struct columns *c)
{
	int width = (c->count - 1) * GAP;

	for (int i = 0; i < c->count; i++)
		width += c->widths[i];
	return width;
}

static void print_row(const struct columns *c, char *const cells[])
{
	for (int i = 0; i < c->count; i++) {
		int space = c->widths[i] - width_of(cells[i]), right = c->right >> i & 1, last = i + 1 == c->count;

		printf("%*s%s%*s", right ? space : 0, "", cells[i], last ? 0 : GAP + (right ? 0 : space), "");
	}
	putchar('\n');
}

void columns_print(const struct columns *c)
{
	for (int i = 0; i < c->rows; i++)
		print_row(c, c->cells + i * c->count);
}

void columns_free(struct columns *c)
{
	for (int i = 0; i < c->rows * c->count; i++)
		free(c->cells[i]);
	free(c->cells);
	c->cells = NULL;
	c->rows = 0;
}
