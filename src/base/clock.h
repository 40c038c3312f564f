/* clock.h - time as microseconds since 1970-01-01T00:00:00Z. Decisions take a time as a parameter; only callers read the clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t clock_us;

#define CLOCK_SECOND ((clock_us)1000000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)
#define CLOCK_HOUR (60 * CLOCK_MINUTE)
#define CLOCK_DAY (24 * CLOCK_HOUR)
#define CLOCK_TEXT_SIZE 32

clock_us clock_now(void);                                    /* wall clock */
clock_us clock_ticks(void);                                  /* monotonic: only differences mean something */
/* "2026-11-21T09:30:00.000Z" (RFC 3339, UTC, milliseconds). */
void clock_text(clock_us at, char out[static CLOCK_TEXT_SIZE]);
/* Reads RFC 3339 with Z or an offset, with or without a fraction, in the years 1 to 9999; else ERR_INVALID. */
int clock_parse(const char *text, clock_us *out);
/* Whether TEXT is hours and minutes of a day, "00:00" to "23:59". */
int clock_is_time_of_day(const char *text);

#endif
