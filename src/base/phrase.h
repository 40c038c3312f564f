/* phrase.h - something for people to read, kept in no language: JSON that the store can hold, put into words where it is shown
 * (words_phrase in render/words.h). A phrase is one of
 *
 *     "db-1", 1200                    a value: as it is; a number as the language writes it
 *     {"say": "%{what} is not there", "what": phrase}           a text of the catalogues, with phrases in its holes
 *     {"say": "%{n} key", "many": "%{n} keys", "n": 3}          the same of a number
 *     ["a", "b"]                      a list: a, b
 *     {"list": [phrase, ...], "by": " and "}                    the same with another text between its members
 *     {"when": microseconds, "seen": microseconds}              a time, from another one: 3 days ago
 *     {"at": microseconds}                                      a time: 21 Nov 2026, 09:30:00 UTC
 *     {"size": bytes}                                           1.5 GiB
 *
 * What was kept before there were phrases is English text, and so a value. tools/texts finds the texts that stand as arguments here; a text in
 * a table is marked (base/say.h), unless it begins with a capital letter. All references that are given out are the caller's; those that
 * are given are taken over. */
#ifndef BASE_PHRASE_H
#define BASE_PHRASE_H

#include <jansson.h>
#include <stdint.h>

#include "base/clock.h"

json_t *phrase(const char *text);
/* TEXT, then pairs of a hole's name and its phrase, then NULL: phrase_say("%{a} of %{b}", "a", json_string("x"), "b", y, NULL). */
json_t *phrase_say(const char *text, ...) __attribute__((sentinel));
json_t *phrase_count(const char *one, const char *many, int64_t n);
json_t *phrase_list(json_t *list, const char *by);
json_t *phrase_when(clock_us at, clock_us now);
json_t *phrase_at(clock_us at);
/* "27 Nov": MONTH is the month's English name in three letters. */
json_t *phrase_day(int day, const char *month);
json_t *phrase_size(int64_t bytes);
/* "3 hours": of weeks, days, hours, minutes or seconds, by their first letter. */
json_t *phrase_units(int64_t n, char unit);
/* "4 minutes": in the greatest unit from days to seconds of which there is one, the rest left out; exact: in the greatest that leaves none. */
json_t *phrase_span(int64_t seconds);
json_t *phrase_span_exact(int64_t seconds);

#endif
