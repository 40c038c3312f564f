/* value_time.c - lengths of time, and windows: weekdays and times of the day. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/phrase.h"
#include "policy/value.h"

#define DURATION_MAX_S (INT64_C(3650) * 86400)
#define ALL_DAYS 0x7f
#define DAY_MINUTES (24 * 60)

static const char *const day_names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

int duration_read(const char *text, clock_us *out)
{
	static const struct { char unit; int64_t seconds; } units[] = { { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 },
		{ 's', 1 } };
	char *end = NULL;
	long long n = text && *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;

	for (size_t i = 0; n > 0 && i < sizeof units / sizeof units[0]; i++) {
		if (end[0] != units[i].unit || end[1] != '\0')
			continue;
		if (n > DURATION_MAX_S / units[i].seconds)
			return err_set(ERR_INVALID, "at most 3650d");
		*out = n * units[i].seconds * CLOCK_SECOND;
		return 0;
	}
	return err_set(ERR_INVALID, "a time such as 7d, 12h, 30m or 90s is needed");
}

static int read_days(const json_t *list, unsigned *out)
{
	const json_t *day;
	size_t i;

	*out = list ? 0 : ALL_DAYS;
	if (list && (!json_is_array(list) || json_array_size(list) == 0))
		return err_set(ERR_INVALID, "weekdays is a list such as [\"mon\", \"tue\"]");
	json_array_foreach(list, i, day) {
		unsigned before = *out;

		for (unsigned d = 0; d < 7 && json_is_string(day); d++)
			if (strcmp(day_names[d], json_string_value(day)) == 0)
				*out |= 1u << d;
		if (*out == before)
			return err_set(ERR_INVALID, "weekdays are mon, tue, wed, thu, fri, sat, sun, each once");
	}
	return 0;
}

static int read_minutes(const json_t *time, int otherwise, int *out)
{
	const char *t = json_string_value(time);
	int n;

	*out = otherwise;
	if (time == NULL)
		return 0;
	if (t == NULL || strlen(t) != 5 || t[2] != ':' || strspn(t, "0123456789") != 2 || strspn(t + 3, "0123456789") != 2)
		return err_set(ERR_INVALID, "a time of the day such as 08:00 is needed");
	n = ((t[0] - '0') * 10 + t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0';
	if (n > DAY_MINUTES || t[3] > '5')
		return err_set(ERR_INVALID, "times of the day are 00:00 to 24:00");
	*out = n;
	return 0;
}

int window_read(const json_t *j, struct window *out)
{
	struct window w;
	const char *name;
	json_t *value, *o = (json_t *)(uintptr_t)j;
	int rc = 0;

	if (!json_is_object(j) || json_object_size(j) == 0)
		rc = err_set(ERR_INVALID, "an object with weekdays, from and to is needed");
	json_object_foreach(o, name, value)
		if (rc == 0 && strcmp(name, "weekdays") != 0 && strcmp(name, "from") != 0 && strcmp(name, "to") != 0)
			rc = err_set(ERR_INVALID, "%.40s: only weekdays, from and to", name);
	if (rc == 0)
		rc = read_days(json_object_get(j, "weekdays"), &w.days);
	if (rc == 0)
		rc = read_minutes(json_object_get(j, "from"), 0, &w.from);
	if (rc == 0)
		rc = read_minutes(json_object_get(j, "to"), DAY_MINUTES, &w.to);
	if (rc == 0 && w.to == 0)
		w.to = DAY_MINUTES;
	if (rc == 0 && (w.from == w.to || w.from == DAY_MINUTES))
		rc = err_set(ERR_INVALID, "from and to need some time between them (a whole day is 00:00 to 24:00)");
	if (rc == 0)
		*out = w;
	return rc;
}

json_t *window_json(const struct window *w)
{
	json_t *out = json_object(), *days = json_array();

	for (unsigned d = 0; d < 7; d++)
		if (w->days & 1u << d)
			json_array_append_new(days, json_string(day_names[d]));
	json_object_set_new(out, "weekdays", days);
	json_object_set_new(out, "from", json_sprintf("%02d:%02d", w->from / 60, w->from % 60));
	json_object_set_new(out, "to", json_sprintf("%02d:%02d", w->to / 60, w->to % 60));
	return out;
}

/* A window over midnight belongs to the day on which it begins. */
int window_holds(const struct window *w, clock_us at, int64_t utc_offset_s)
{
	int64_t minute = at / CLOCK_SECOND + utc_offset_s, day;

	minute = minute >= 0 ? minute / 60 : -((59 - minute) / 60);
	day = minute >= 0 ? minute / DAY_MINUTES : -((DAY_MINUTES - 1 - minute) / DAY_MINUTES);
	minute -= day * DAY_MINUTES;
	day = ((day + 3) % 7 + 7) % 7;     /* 1970-01-01 was a Thursday; Monday is 0 */
	if (w->from < w->to)
		return (w->days >> day & 1) && minute >= w->from && minute < w->to;
	return ((w->days >> day & 1) && minute >= w->from) || ((w->days >> (day + 6) % 7 & 1) && minute < w->to);
}

json_t *window_phrase(const struct window *w)
{
	static const char *const names[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };
	json_t *days = json_array();

	for (unsigned d = 0; d < 7; d++)
		if (w->days & 1u << d)
			json_array_append_new(days, phrase(names[d]));
	if (w->days == ALL_DAYS) {
		json_decref(days);
		days = phrase("every day");
	}
	if (w->from == 0 && w->to == DAY_MINUTES)
		return days;
	return phrase_say("%{days} from %{from} to %{to}", "days", days, "from", json_sprintf("%02d:%02d", w->from / 60, w->from % 60), "to",
		json_sprintf("%02d:%02d", w->to / 60, w->to % 60), NULL);
}
