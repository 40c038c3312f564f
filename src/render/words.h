/* words.h - one language: its texts, how it writes numbers and counts things, and how days are written in it. Everything here takes NULL for English.
 *
 * A catalogue is a JSON object from the English text (white space collapsed) to the other; of a number, from the English singular to
 * an array with a text for each form that the language has. Its member "" is what there is to know of the language:
 *
 *     {"": {"name": "Deutsch", "forms": "1011...", "decimal": ",", "group": "."}, "Yes": "Ja", "%{n} key": ["%{n} Schlüssel", ...]}
 *
 * forms: the form's number for 0 to 199 things; of more, their last two digits and a hundred say it. tools/texts makes such files of
 * po/<language>.po and checks them. A language is read once and never changes. */
#ifndef RENDER_WORDS_H
#define RENDER_WORDS_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/phrase.h"
#include "base/say.h"

#define WORDS_FORMS_MAX 6
#define WORDS_FILE_MAX (8 * 1024 * 1024)

struct words;

/* How days are written, as an account or the installation chooses it. USUAL: nothing is chosen; pages have them in words, and what was kept as text,
 * mails and reports as ISO has them. */
enum date_format { DATES_USUAL, DATES_ISO, DATES_DOTS, DATES_SLASHES, DATES_MONTH_FIRST, DATES_WORDS };
#define DATE_FORMATS (DATES_WORDS + 1)
/* By that: "usual", "YYYY-MM-DD", ...; ends with NULL. */
extern const char *const date_format_names[];
/* USUAL for what is none of them, NULL too. */
enum date_format date_format_of(const char *name);

/* ERR_INVALID: not a catalogue, or one that names no language. */
int words_parse(const char *json, size_t len, struct words **out);
void words_free(struct words *w);
/* The same language, with days in that format. */
struct words *words_dated(const struct words *w, enum date_format dates);
enum date_format words_dates(const struct words *w);
/* What its speakers call it. */
const char *words_name(const struct words *w);
/* ENGLISH in the language; itself where it is not known. */
const char *words_text(const struct words *w, const char *english);
/* The form of N things: ONE and MANY are English ("%{n} key", "%{n} keys"). */
const char *words_count(const struct words *w, int64_t n, const char *one, const char *many);
/* Which form that is, and, for who compiles them all, form I of the text (NULL: there is none). */
unsigned words_form(const struct words *w, int64_t n);
const char *words_form_text(const struct words *w, unsigned i, const char *one, const char *many);
/* Appends 12,345 as the language writes it. */
void words_number(const struct words *w, int64_t n, struct buf *out);
/* Appends a size in binary units: "1.5 GiB". */
void words_size(const struct words *w, int64_t bytes, struct buf *out);
/* Appends TEXT with each %{name} replaced by its value: COUNT pairs of name and value. A name that is not given stays. */
void words_fill(const char *text, const struct say_value *values, size_t count, struct buf *out);
/* Appends a phrase (base/phrase.h); NULL and null are nothing. */
void words_phrase(const struct words *w, const json_t *phrase, struct buf *out);
/* The same as a text, "" for nothing; the caller frees. */
char *words_phrase_text(const struct words *w, const json_t *phrase);
/* Appends "3 minutes ago", "in 2 hours", "just now". */
void words_relative(const struct words *w, clock_us at, clock_us now, struct buf *out);
/* Appends "21 Nov 2026", and with TIME "21 Nov 2026, 10:30:00 UTC+1": of AT as it is EAST_S seconds east. */
void words_date(const struct words *w, clock_us at, int east_s, int time, struct buf *out);
/* TEXT, kept in no language, begins with a day as ISO has it ("2026-11-21 10:30:00 (Europe/Berlin)"): with that day in the chosen format; as it
 * stands where none is chosen, or it begins otherwise. The caller frees. */
char *words_local(const struct words *w, const char *text);

#endif
