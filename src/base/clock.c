/* clock.c - reading, printing and parsing points in time. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

static clock_us read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (clock_us)ts.tv_sec * CLOCK_SECOND + ts.tv_nsec / 1000;
}

clock_us clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

clock_us clock_ticks(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void clock_text(clock_us at, char out[static CLOCK_TEXT_SIZE])
{
	clock_us whole = at / CLOCK_SECOND - (at % CLOCK_SECOND < 0);
	int ms = (int)((at - whole * CLOCK_SECOND) / 1000);
	time_t seconds = (time_t)whole;
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT_SIZE - n, ".%03dZ", ms);
}

/* Reads ".ddd..." at *AT into microseconds and moves *AT behind it. */
static clock_us fraction(const char **at)
{
	clock_us us = 0, unit = 100000;

	if (**at != '.')
		return 0;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		us += (**at - '0') * unit;
	return us;
}

/* "Z", "+hh", "+hh:mm" or "-hh:mm" to its end; the offset east of UTC. */
static int offset(const char *at, clock_us *out)
{
	int hours, minutes = 0, used = 0;
	char sign = *at;

	if (strcmp(at, "Z") == 0) {
		*out = 0;
		return 0;
	}
	if ((sign != '+' && sign != '-') || sscanf(at + 1, "%2d%n", &hours, &used) != 1)
		return ERR_INVALID;
	at += 1 + used;
	if (*at == ':' && (sscanf(at + 1, "%2d%n", &minutes, &used) != 1 || at[1 + used] != '\0'))
		return ERR_INVALID;
	if ((*at != ':' && *at != '\0') || hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
		return ERR_INVALID;
	*out = (hours * CLOCK_HOUR + minutes * CLOCK_MINUTE) * (sign == '-' ? -1 : 1);
	return 0;
}

int clock_parse(const char *text, clock_us *out)
{
	struct tm tm = { 0 };
	clock_us us, east;
	const char *rest = text ? strptime(text, "%Y-%m-%d", &tm) : NULL;

	if (rest == NULL || (*rest != 'T' && *rest != ' ') || (rest = strptime(rest + 1, "%H:%M:%S", &tm)) == NULL)
		return err_set(ERR_INVALID, "not a time");
	us = fraction(&rest);
	if (offset(rest, &east) < 0)
		return err_set(ERR_INVALID, "not a time");
	*out = (clock_us)timegm(&tm) * CLOCK_SECOND + us - east;
	return 0;
}

void clock_relative(clock_us at, clock_us now, char *out, size_t size)
{
	static const struct { clock_us unit; const char *name; } units[] = {
		{ 365 * CLOCK_DAY, "year" }, { 30 * CLOCK_DAY, "month" }, { CLOCK_DAY, "day" },
		{ CLOCK_HOUR, "hour" }, { CLOCK_MINUTE, "minute" }, { CLOCK_SECOND, "second" },
	};
	clock_us distance = at > now ? at - now : now - at;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		long n = (long)(distance / units[i].unit);

		if (n == 0)
			continue;
		snprintf(out, size, at > now ? "in %ld %s%s" : "%ld %s%s ago", n, units[i].name, n == 1 ? "" : "s");
		return;
	}
	snprintf(out, size, "just now");
}
