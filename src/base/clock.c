/* clock.c - reading, printing and parsing points in time. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"

/* Years of four digits: no other time is printed as it is read, and databases have no year 0. */
#define FIRST (-719162 * CLOCK_DAY)
#define END (2932897 * CLOCK_DAY)

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
	n = (size_t)snprintf(out, CLOCK_TEXT_SIZE, "%04d", tm.tm_year + 1900);
	n += strftime(out + n, CLOCK_TEXT_SIZE - n, "-%m-%dT%H:%M:%S", &tm);
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

/* N digits at AT, which need not be that long. */
static int digits(const char *at, int n, int *out)
{
	*out = 0;
	for (; n > 0; n--, at++) {
		if (*at < '0' || *at > '9')
			return ERR_INVALID;
		*out = *out * 10 + *at - '0';
	}
	return 0;
}

/* Two or more numbers of fixed widths with MARK between them, from *AT on; *AT is moved behind them. */
static int fields(const char **at, char mark, const int *widths, int count, int *out)
{
	for (int i = 0; i < count; i++) {
		if (i && *(*at)++ != mark)
			return ERR_INVALID;
		if (digits(*at, widths[i], &out[i]) < 0)
			return ERR_INVALID;
		*at += widths[i];
	}
	return 0;
}

/* Days since 1970-01-01 of a day that exists, in the calendar of today; years begin with March, so that leap days come last. */
static int days(const int *date, clock_us *out)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = date[0], month = date[1], day = date[2];
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0, era, of_era;

	if (month < 1 || month > 12 || day < 1 || day > lengths[month - 1] + (month == 2 && leap))
		return ERR_INVALID;
	year += 400 - (month <= 2);
	era = year / 400;
	of_era = year % 400;
	*out = (clock_us)(era - 1) * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day
		- 1 - 719468;
	return 0;
}

int clock_parse(const char *text, clock_us *out)
{
	static const int day_widths[] = { 4, 2, 2 }, time_widths[] = { 2, 2, 2 };
	int date[3], time[3];
	const char *at = text;
	clock_us us, east, day, moment;

	if (at == NULL || fields(&at, '-', day_widths, 3, date) < 0 || days(date, &day) < 0 || (*at != 'T' && *at != ' '))
		return err_set(ERR_INVALID, "not a time");
	at++;
	if (fields(&at, ':', time_widths, 3, time) < 0 || time[0] > 23 || time[1] > 59 || time[2] > 60)
		return err_set(ERR_INVALID, "not a time");
	us = fraction(&at);
	if (offset(at, &east) < 0)
		return err_set(ERR_INVALID, "not a time");
	moment = day * CLOCK_DAY + time[0] * CLOCK_HOUR + time[1] * CLOCK_MINUTE + time[2] * CLOCK_SECOND + us - east;
	if (moment < FIRST || moment >= END)
		return err_set(ERR_INVALID, "not a time");
	*out = moment;
	return 0;
}

int clock_is_time_of_day(const char *at)
{
	return strlen(at) == 5 && at[2] == ':' && strspn(at, "0123456789:") == 5 && (at[0] < '2' || (at[0] == '2' && at[1] < '4'))
		&& at[0] <= '2' && at[3] <= '5' && at[1] != ':' && at[3] != ':' && at[4] != ':';
}
