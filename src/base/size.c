/* size.c - see size.h. */
#include "base/size.h"

#include <stdio.h>

#include "base/mem.h"

void size_text(int64_t bytes, char out[static SIZE_TEXT_MAX])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 1024 && unit + 1 < ARRAY_LEN(units)) {
		n /= 1024;
		unit++;
	}
	snprintf(out, SIZE_TEXT_MAX, n - (double)(int64_t)n < 0.05 ? "%.0f %s" : "%.1f %s", n, units[unit]);
}
