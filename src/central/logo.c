/* logo.c - PNGs from outside (W3C PNG, 5). What is in the file beside the picture is left out before libpng sees it, so that no chunk of text or profile is
 * ever unpacked. */
#include "central/logo.h"

#include <png.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define SIGNATURE "\x89PNG\r\n\x1a\n"
#define SIGNATURE_SIZE 8
#define AROUND 12                        /* length, name and checksum of a chunk */
#define HEADER_SIZE 13

/* What libpng is given. */
static const char *const kept[] = { "IHDR", "PLTE", "tRNS", "IDAT", "IEND" };

static int refuse(const char *why)
{
	return err_set(ERR_INVALID, "%s", why);
}

/* 0 to 63; 64: it does not count; -1: it has no place there. */
static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	if (at)
		return (int)(at - digits);
	return c == '\n' || c == '\r' || c == ' ' || c == '\t' ? 64 : -1;
}

int logo_text(const char *text, struct buf *out)
{
	const char *comma = strncmp(text, "data:", 5) == 0 ? strchr(text, ',') : NULL, *s = comma ? comma + 1 : text;
	unsigned bits = 0;
	int count = 0;

	buf_reset(out);
	for (; *s && *s != '='; s++) {
		int d = digit(*s);

		if (d < 0)
			return refuse("This is no picture in base64: choose the file anew.");
		if (d == 64)
			continue;
		bits = bits << 6 | (unsigned)d;
		if (count++ % 4)
			buf_putc(out, (char)(bits >> (6 - 2 * ((count - 1) % 4)) & 0xff));
	}
	return s[strspn(s, "= \r\n\t")] == '\0' ? 0 : refuse("This is no picture in base64: choose the file anew.");
}

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int is_named(const uint8_t *chunk, const char *name)
{
	return memcmp(chunk + 4, name, 4) == 0;
}

static int check_sides(const uint8_t *header)
{
	uint32_t width = number_at(header), height = number_at(header + 4);

	if (width < LOGO_SIDE_LEAST || height < LOGO_SIDE_LEAST || width > LOGO_SIDE_MAX || height > LOGO_SIDE_MAX)
		return err_set(ERR_INVALID, "It has %lu × %lu pixels: each side must have %d to %d.", (unsigned long)width, (unsigned long)height, LOGO_SIDE_LEAST,
			LOGO_SIDE_MAX);
	return 0;
}

static int is_kept(const uint8_t *chunk)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (is_named(chunk, kept[i]))
			return 1;
	return 0;
}

/* The chunk at AT, whose whole is *SIZE bytes: into OUT if it belongs to the picture. */
static int take_chunk(const uint8_t *at, size_t left, size_t *size, int first, struct buf *out)
{
	size_t len = left < AROUND ? SIZE_MAX : number_at(at);

	if (left < AROUND || len > left - AROUND)
		return refuse("The file ends before the picture does.");
	*size = len + AROUND;
	if (first && (!is_named(at, "IHDR") || len != HEADER_SIZE))
		return refuse("This is no PNG.");
	if (!first && is_named(at, "IHDR"))
		return refuse("This PNG is damaged.");
	if (is_named(at, "acTL") || is_named(at, "fcTL") || is_named(at, "fdAT"))
		return refuse("This picture moves: choose one that stands still.");
	if (is_kept(at))
		buf_add(out, at, *size);
	return first ? check_sides(at + 8) : 0;
}

/* The picture's own chunks, in order. */
static int take_chunks(const uint8_t *data, size_t len, struct buf *out)
{
	size_t at = SIGNATURE_SIZE, size = 0;
	int rc = 0, ended = 0;

	if (len < SIGNATURE_SIZE || memcmp(data, SIGNATURE, SIGNATURE_SIZE) != 0)
		return refuse("This is no PNG.");
	buf_add(out, data, SIGNATURE_SIZE);
	for (int first = 1; rc == 0 && !ended; first = 0) {
		rc = take_chunk(data + at, len - at, &size, first, out);
		ended = rc == 0 && is_named(data + at, "IEND");
		at += size;
	}
	if (rc == 0 && at != len)
		rc = refuse("Something else follows after the picture in this file.");
	return rc;
}

/* PIXELS as a PNG of 8 bits without interlacing, which everything can read that we give it to. */
static int write_anew(png_image *image, const void *pixels, struct buf *out)
{
	png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(*image);
	char *file = mem_alloc(size);
	int ok = png_image_write_to_memory(image, file, &size, 0, pixels, 0, NULL);

	if (ok && size <= LOGO_KEPT_MAX)
		buf_add(out, file, size);
	free(file);
	if (!ok)
		return err_set(ERR_INTERNAL, "libpng cannot write: %s", image->message);
	return size <= LOGO_KEPT_MAX ? 0 : refuse("The picture has too much detail to be kept: choose one with fewer pixels.");
}

/* The sides are within the limits: at most 4 MiB of pixels. */
static int decode(const struct buf *file, struct buf *out)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	void *pixels = NULL;
	int rc = 0;

	if (!png_image_begin_read_from_memory(&image, file->data, file->len))
		return refuse("This PNG is damaged.");
	image.format = image.format & PNG_FORMAT_FLAG_ALPHA ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
	pixels = mem_alloc(PNG_IMAGE_SIZE(image));
	if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
		rc = refuse("This PNG is damaged.");
	if (rc == 0)
		rc = write_anew(&image, pixels, out);
	free(pixels);
	png_image_free(&image);
	return rc;
}

int logo_take(const void *data, size_t len, struct buf *out)
{
	struct buf file = BUF_INIT;
	int rc = len > LOGO_BYTES_MAX ? err_set(ERR_INVALID, "It has more than %d KiB.", LOGO_BYTES_MAX / 1024) : take_chunks(data, len, &file);

	buf_reset(out);
	if (rc == 0)
		rc = decode(&file, out);
	buf_free(&file);
	return rc;
}
