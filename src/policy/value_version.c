/* value_version.c - versions compared as dpkg does: epoch, then upstream part, then revision; each as runs of non-digits and digits,
 * where letters come before other characters and a tilde before everything, even the end. */
#include <string.h>

#include "policy/value.h"

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One part of a version: a piece of text that need not end with a zero byte. */
struct part {
	const char *at, *end;
};

static int order(const struct part *p)
{
	char c = p->at < p->end ? *p->at : '\0';

	if (c == '\0' || is_digit(c))
		return 0;
	if (c == '~')
		return -1;
	return is_letter(c) ? c : (unsigned char)c + 256;
}

static int at_digit(const struct part *p)
{
	return p->at < p->end && is_digit(*p->at);
}

static void skip_zeros(struct part *p)
{
	while (p->at < p->end && *p->at == '0')
		p->at++;
}

/* Numbers of any length: the longer one is greater, else the first digit that differs says. */
static int compare_digits(struct part *a, struct part *b)
{
	int first = 0;

	skip_zeros(a);
	skip_zeros(b);
	for (; at_digit(a) && at_digit(b); a->at++, b->at++)
		if (first == 0)
			first = *a->at - *b->at;
	if (at_digit(a))
		return 1;
	return at_digit(b) ? -1 : first;
}

static int compare_parts(struct part a, struct part b)
{
	while (a.at < a.end || b.at < b.end) {
		int d;

		while ((a.at < a.end && !is_digit(*a.at)) || (b.at < b.end && !is_digit(*b.at))) {
			d = order(&a) - order(&b);
			if (d)
				return d;
			a.at += a.at < a.end;
			b.at += b.at < b.end;
		}
		d = compare_digits(&a, &b);
		if (d)
			return d;
	}
	return 0;
}

struct version {
	struct part epoch, upstream, revision;
};

static struct version split(const char *text)
{
	const char *end = text + strlen(text), *colon = strchr(text, ':'), *upstream = colon ? colon + 1 : text;
	const char *dash = strrchr(upstream, '-');

	return (struct version){ { text, colon ? colon : text }, { upstream, dash ? dash : end }, { dash ? dash + 1 : end, end } };
}

int version_compare(const char *left, const char *right, int plain)
{
	struct version a = split(left), b = split(right);
	int d;

	if (plain)
		d = compare_parts((struct part){ left, a.revision.end }, (struct part){ right, b.revision.end });
	else if ((d = compare_parts(a.epoch, b.epoch)) == 0)
		d = compare_parts(a.upstream, b.upstream);
	if (d == 0 && !plain)
		d = compare_parts(a.revision, b.revision);
	return (d > 0) - (d < 0);
}

/* dpkg's characters, and two that other systems' versions have. Before a colon only digits: that is an epoch. */
int version_valid(const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len), *at = text;

	if (len == 0 || len > VALUE_VERSION_MAX)
		return 0;
	for (; colon && at < colon; at++)
		if (!is_digit(*at))
			return 0;
	if (colon && (at == text || ++at == text + len))
		return 0;
	if (!is_digit(*at) && !is_letter(*at))
		return 0;
	for (; at < text + len; at++)
		if (!is_digit(*at) && !is_letter(*at) && (*at == '\0' || strchr(".+-~:_^", *at) == NULL))
			return 0;
	return 1;
}

/* A number at the end of WITH has to be a whole number of VERSION. */
int version_starts(const char *version, const char *with)
{
	size_t len = strlen(with);

	return strncmp(version, with, len) == 0 && !(len && is_digit(with[len - 1]) && is_digit(version[len]));
}
