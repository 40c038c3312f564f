/* phrase.c - see phrase.h. */
#include "base/phrase.h"

#include <stdarg.h>

#include "base/mem.h"
#include "base/say.h"

json_t *phrase(const char *text)
{
	return json_pack("{s:s}", "say", text);
}

json_t *phrase_say(const char *text, ...)
{
	json_t *out = phrase(text), *value;
	const char *name;
	va_list ap;

	va_start(ap, text);
	while ((name = va_arg(ap, const char *))) {
		value = va_arg(ap, json_t *);
		json_object_set_new(out, name, value ? value : json_string(""));
	}
	va_end(ap);
	return out;
}

json_t *phrase_count(const char *one, const char *many, int64_t n)
{
	return json_pack("{s:s, s:s, s:I}", "say", one, "many", many, "n", (json_int_t)n);
}

json_t *phrase_list(json_t *list, const char *by)
{
	return json_pack("{s:o, s:s}", "list", list, "by", by);
}

json_t *phrase_when(clock_us at, clock_us now)
{
	return json_pack("{s:I, s:I}", "when", (json_int_t)at, "seen", (json_int_t)now);
}

json_t *phrase_at(clock_us at)
{
	return json_pack("{s:I}", "at", (json_int_t)at);
}

json_t *phrase_day(int day, const char *month)
{
	return phrase_say("%{day} %{month}", "day", json_integer(day), "month", phrase(month), NULL);
}

json_t *phrase_size(int64_t bytes)
{
	return json_pack("{s:I}", "size", (json_int_t)bytes);
}

json_t *phrase_units(int64_t n, char unit)
{
	static const struct { char unit; const char *one, *many; } units[] = { { 'w', N2_("%{n} week", "%{n} weeks") }, { 'd', N2_("%{n} day", "%{n} days") },
		{ 'h', N2_("%{n} hour", "%{n} hours") }, { 'm', N2_("%{n} minute", "%{n} minutes") }, { 's', N2_("%{n} second", "%{n} seconds") } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && units[i].unit != unit)
		i++;
	return phrase_count(units[i].one, units[i].many, n);
}

static const struct { int64_t s; char unit; } spans[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

json_t *phrase_span(int64_t seconds)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(spans) && seconds < spans[i].s)
		i++;
	return phrase_units(seconds / spans[i].s, spans[i].unit);
}

json_t *phrase_span_exact(int64_t seconds)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(spans) && (seconds == 0 || seconds % spans[i].s))
		i++;
	return phrase_units(seconds / spans[i].s, spans[i].unit);
}
