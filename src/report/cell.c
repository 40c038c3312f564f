/* cell.c - cells as text. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/phrase.h"
#include "base/say.h"
#include "render/words.h"
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

/* PHRASE, taken over, of numbers alone: it is short. */
static void put_phrase(const struct words *w, json_t *phrase, char *out)
{
	char *text = words_phrase_text(w, phrase);

	put_text(text, out);
	free(text);
	json_decref(phrase);
}

static void put_time(clock_us at, char *out)
{
	time_t s = (time_t)(at / CLOCK_SECOND - (at % CLOCK_SECOND < 0));
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
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
		put_time(cell->number, out);
		break;
	case COLUMN_DURATION:
		put_phrase(w, duration(cell->number), out);
		break;
	case COLUMN_BYTES:
		put_phrase(w, phrase_size(cell->number), out);
		break;
	}
}
