/* cell.c - cells as text. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/phrase.h"
#include "base/say.h"
#include "base/word.h"
#include "render/words.h"
#include "report/report.h"

/* Of LEN bytes: what may stand in its place. Control characters move what they stand in, U+FFFE and U+FFFF break a workbook's XML. */
static const char *safe(const char *c, size_t len)
{
	if (len == 0)
		return "?";
	if (len == 1 ? (unsigned char)*c < ' ' || *c == 0x7f : len == 2 && *c == '\xc2' && (unsigned char)c[1] < 0xa0)
		return " ";
	return len == 3 && c[0] == '\xef' && c[1] == '\xbf' && (unsigned char)c[2] >= 0xbe ? "\ufffd" : NULL;
}

static void put_text(const char *text, char *out)
{
	size_t left = strlen(text), len = 0;

	while (left) {
		size_t n = word_character(text, left), add = n;
		const char *put = safe(text, n);

		if (put)
			add = strlen(put);
		if (len + add > REPORT_CELL_MAX) {
			memcpy(out + len, "…", sizeof "…" - 1);
			len += sizeof "…" - 1;
			break;
		}
		memcpy(out + len, put ? put : text, add);
		len += add;
		text += n ? n : 1;
		left -= n ? n : 1;
	}
	out[len] = '\0';
}

/* PHRASE, taken over, of numbers alone: it is short. */
static void put_phrase(const struct words *w, json_t *phrase, char *out)
{
	char *text = words_phrase_text(w, phrase);

	put_text(text, out);
	free(text);
	json_decref(phrase);
}

static void put_time(const struct words *w, clock_us at, char *out)
{
	time_t s = (time_t)(at / CLOCK_SECOND - (at % CLOCK_SECOND < 0));
	char iso[32], *local;
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(iso, sizeof iso, "%Y-%m-%d %H:%M:%S", &tm);
	local = words_local(w, iso);
	put_text(local, out);
	free(local);
}

static json_t *duration(int64_t us)
{
	static const struct { int64_t unit, part; const char *text; } looks[] = { { 86400, 3600, N_("%{a} d %{b} h") }, { 3600, 60, N_("%{a} h %{b} min") },
		{ 60, 1, N_("%{a} min %{b} s") } };
	int64_t s = us / CLOCK_SECOND;

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (s >= looks[i].unit)
			return phrase_say(looks[i].text, "a", json_integer(s / looks[i].unit), "b", json_integer(s % looks[i].unit / looks[i].part), NULL);
	return phrase_say("%{a} s", "a", json_integer(s), NULL);
}

void report_cell_text(const struct words *w, enum column_kind kind, const struct report_cell *cell, char *out)
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
		put_phrase(w, json_integer(cell->number), out);
		break;
	case COLUMN_TIME:
		put_time(w, cell->number, out);
		break;
	case COLUMN_DURATION:
		put_phrase(w, duration(cell->number), out);
		break;
	case COLUMN_BYTES:
		put_phrase(w, phrase_size(cell->number), out);
		break;
	}
}
