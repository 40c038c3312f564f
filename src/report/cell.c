/* cell.c - cells as text. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/size.h"
#include "report/report.h"

static void put_text(const char *text, char *out)
{
	size_t len = strlen(text), cut = len;

	if (len > REPORT_CELL_MAX)
		for (cut = REPORT_CELL_MAX; cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80;)
			cut--;
	for (size_t i = 0; i < cut; i++)
		out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	memcpy(out + cut, "…", cut < len ? sizeof "…" : 0);
	if (cut == len)
		out[cut] = '\0';
}

static void put_number(int64_t n, char *out)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%lld", (long long)n);

	for (int i = 0; i < len; i++) {
		*out++ = digits[i];
		/* A narrow space that does not break, every three digits from the right. */
		if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0) {
			memcpy(out, "\u00a0", 2);
			out += 2;
		}
	}
	*out = '\0';
}

static void put_time(clock_us at, char *out)
{
	time_t s = (time_t)(at / CLOCK_SECOND - (at % CLOCK_SECOND < 0));
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static void put_duration(int64_t us, char *out)
{
	long long s = us / CLOCK_SECOND;

	if (s < 60)
		snprintf(out, 32, "%lld s", s);
	else if (s < 3600)
		snprintf(out, 32, "%lld min %lld s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, 32, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else
		snprintf(out, 48, "%lld d %lld h", s / 86400, s % 86400 / 3600);
}

void report_cell_text(enum column_kind kind, const struct report_cell *cell, char *out)
{
	if (cell->is_null || (kind == COLUMN_TEXT && (cell->text == NULL || *cell->text == '\0'))) {
		memcpy(out, "–", sizeof "–");
		return;
	}
	switch (kind) {
	case COLUMN_TEXT:
		put_text(cell->text, out);
		break;
	case COLUMN_NUMBER:
		put_number(cell->number, out);
		break;
	case COLUMN_TIME:
		put_time(cell->number, out);
		break;
	case COLUMN_DURATION:
		put_duration(cell->number, out);
		break;
	case COLUMN_BYTES:
		size_text(cell->number, out);
		break;
	}
}
