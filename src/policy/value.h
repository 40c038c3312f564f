/* value.h - typed values: facts and operands out of JSON, and how they compare. */
#ifndef POLICY_VALUE_H
#define POLICY_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "policy/catalogue.h"

#define VALUE_NUMBER_MAX INT64_C(9007199254740991)  /* what every JSON implementation keeps exactly */
#define VALUE_VERSION_MAX 255
#define VALUE_TEXT_SIZE 64                          /* holds the text of what is not text itself */

/* Every address is 16 bytes; IPv4 ones, mapped ones too, are ::ffff:a.b.c.d. */
struct network {
	uint8_t bytes[16];
	uint8_t prefix;              /* of 128; an address has 128 */
};

#define PORT_TCP 1
#define PORT_UDP 2
struct port_range {
	uint8_t protocols;
	uint16_t from, to;
};

struct value {
	enum policy_data data;
	const char *text;            /* STRING, VERSION: borrowed */
	size_t len;
	int64_t number;              /* NUMBER; DATE: clock_us */
	int whole_day;               /* DATE: NUMBER is that day's midnight as if the time zone were UTC */
	int pattern;                 /* STRING: has wildcards */
	int plain;                   /* VERSION: without epoch and revision */
	struct network network;      /* IP, CIDR */
	struct port_range port;
};

/* Weekdays as bits, Monday 1; minutes of the day, TO behind FROM or, over midnight, before it. */
struct window {
	unsigned days;
	int from, to;
};

/* A fact as it was reported: 0, or ERR_INVALID without a text when it is not of that type. */
int value_read(enum policy_data data, const json_t *j, struct value *out);
/* A member of a set, by its name. */
int value_read_text(enum policy_data data, const char *text, size_t len, struct value *out);
/* A condition's value: ERR_INVALID with a text for the person who wrote it. Numbers may be given as text, ports as numbers, days for
 * dates, addresses for networks. PATTERN: wildcards are allowed. A text is borrowed from J. */
int operand_read(enum policy_data data, const json_t *j, int pattern, struct value *out);
json_t *value_json(const struct value *v);                   /* canonical; the caller's */
/* "tcp/8000-8099", "10.0.0.0/8": a text of the value, in OUT or its own. */
const char *value_text(const struct value *v, char out[static VALUE_TEXT_SIZE]);

/* "tcp/22": how a set names one port; its length. */
#define PORT_NAME_SIZE 10
size_t port_name(unsigned protocol, uint16_t port, char out[static PORT_NAME_SIZE]);

/* -1, 0, 1 of two numbers or versions. */
int value_compare(const struct value *a, const struct value *b);
/* The first and the last microsecond of a date operand. */
void value_span(const struct value *v, int64_t utc_offset_s, clock_us *first, clock_us *last);
/* Whether MEMBER, of a set, fits OPERAND: equal, in the network, in the range of ports, fitting the pattern. */
int value_fits(const struct value *member, const struct value *operand);

int duration_read(const char *text, clock_us *out);          /* "7d"; ERR_INVALID with a text */
int window_read(const json_t *j, struct window *out);        /* ERR_INVALID with a text */
json_t *window_json(const struct window *w);                 /* canonical */
int window_holds(const struct window *w, clock_us at, int64_t utc_offset_s);
json_t *window_phrase(const struct window *w);               /* "Mon, Tue from 08:00 to 18:00"; the caller's (base/phrase.h) */

/* value_text.c */
int text_equal(const char *a, const char *b, int fold);
int text_contains(const char *in, const char *what, int fold);
int text_starts(const char *in, const char *with, int fold);
/* * and ?, a backslash before what is meant as it is. In time that grows with the product of the lengths at most. */
int text_matches(const char *text, const char *pattern, int fold);
/* A JSON string of TEXT; where a cut went through a character, with ? for all that is not ASCII. */
json_t *text_json(const char *text);
int text_check(const char *text, size_t len, const char **why);      /* 1: short enough, no control characters */

/* value_version.c: as dpkg compares (epoch, upstream, revision; ~ before the end) */
int version_valid(const char *text, size_t len);
int version_compare(const char *a, const char *b, int plain);         /* PLAIN: the whole of it is the upstream part */
int version_starts(const char *version, const char *with);

/* value_network.c */
int network_read(const char *text, size_t len, int prefix_needed, struct network *out);     /* host bits are kept */
int network_mask(struct network *n);                         /* clears host bits; 1 when there were any */
int network_is_v4(const struct network *n);
int network_contains(const struct network *outer, const struct network *inner);
int network_is_loopback(const struct network *n);
void network_text(const struct network *n, int with_prefix, char out[static VALUE_TEXT_SIZE]);

/* set.c: 1 when every member's name can be read as ELEMENT */
int set_is_sound(const json_t *set, enum policy_data element);

#endif
