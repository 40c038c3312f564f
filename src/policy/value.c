/* value.c - typed values out of JSON: facts as they were reported, operands as somebody wrote them. */
#include "policy/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"

#define DAY_LENGTH 10            /* "2026-11-21" */

/* Times and days */

static int read_date(const char *text, size_t len, int day_alone, struct value *out)
{
	char whole[CLOCK_TEXT_SIZE];

	out->whole_day = len == DAY_LENGTH;
	if (!out->whole_day)
		return clock_parse(text, &out->number) < 0 ? ERR_INVALID : 0;
	snprintf(whole, sizeof whole, "%.*sT00:00:00Z", DAY_LENGTH, text);
	return day_alone && clock_parse(whole, &out->number) == 0 ? 0 : ERR_INVALID;
}

void value_span(const struct value *v, int64_t utc_offset_s, clock_us *first, clock_us *last)
{
	*first = v->whole_day ? v->number - utc_offset_s * CLOCK_SECOND : v->number;
	*last = v->whole_day ? *first + CLOCK_DAY - 1 : *first;
}

/* Ports */

/* A port number at *AT; *AT is moved behind it. */
static int read_port(const char **at, const char *end, uint16_t *out)
{
	const char *begin = *at;
	unsigned n = 0;

	for (; *at < end && **at >= '0' && **at <= '9' && n <= UINT16_MAX; (*at)++)
		n = n * 10 + (unsigned)(**at - '0');
	if (*at == begin || *begin == '0' || n > UINT16_MAX)
		return ERR_INVALID;
	*out = (uint16_t)n;
	return 0;
}

/* "22", "tcp/22", "tcp/8000-8099". */
static int read_ports(const char *text, size_t len, struct port_range *out)
{
	const char *end = text + len;

	out->protocols = PORT_TCP | PORT_UDP;
	if (len > 4 && memcmp(text, "tcp/", 4) == 0)
		out->protocols = PORT_TCP;
	else if (len > 4 && memcmp(text, "udp/", 4) == 0)
		out->protocols = PORT_UDP;
	text += out->protocols == (PORT_TCP | PORT_UDP) ? 0 : 4;
	if (read_port(&text, end, &out->from) < 0)
		return ERR_INVALID;
	out->to = out->from;
	if (text < end && *text == '-') {
		text++;
		if (read_port(&text, end, &out->to) < 0)
			return ERR_INVALID;
	}
	return text == end && out->from <= out->to ? 0 : ERR_INVALID;
}

/* A member of a set: one port of one protocol. Nothing is read more often. */
static int read_member_port(const char *text, size_t len, struct port_range *out)
{
	unsigned n = 0;

	if (len < 5 || len > 9 || text[4] == '0' || (memcmp(text, "tcp/", 4) != 0 && memcmp(text, "udp/", 4) != 0))
		return ERR_INVALID;
	for (size_t i = 4; i < len; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (digit > 9)
			return ERR_INVALID;
		n = n * 10 + digit;
	}
	*out = (struct port_range){ *text == 't' ? PORT_TCP : PORT_UDP, (uint16_t)n, (uint16_t)n };
	return n <= UINT16_MAX ? 0 : ERR_INVALID;
}

size_t port_name(unsigned protocol, uint16_t port, char out[static PORT_NAME_SIZE])
{
	char digits[5];
	size_t n = 0, len = 4;

	memcpy(out, protocol == PORT_TCP ? "tcp/" : "udp/", len);
	do
		digits[n++] = (char)('0' + port % 10);
	while ((port = port / 10));
	while (n)
		out[len++] = digits[--n];
	out[len] = '\0';
	return len;
}

static void ports_text(const struct port_range *p, char out[static VALUE_TEXT_SIZE])
{
	const char *protocol = p->protocols == PORT_TCP ? "tcp/" : p->protocols == PORT_UDP ? "udp/" : "";

	if (p->from == p->to)
		snprintf(out, VALUE_TEXT_SIZE, "%s%u", protocol, p->from);
	else
		snprintf(out, VALUE_TEXT_SIZE, "%s%u-%u", protocol, p->from, p->to);
}

/* Facts */

int value_read_text(enum policy_data data, const char *text, size_t len, struct value *out)
{
	const char *zone;

	out->data = data;
	out->text = text;
	out->len = len;
	out->plain = 0;
	switch (data) {
	case DATA_STRING:
		return 0;
	case DATA_VERSION:
		return version_valid(text, len) ? 0 : ERR_INVALID;
	case DATA_DATE:
		return read_date(text, len, 0, out);
	case DATA_IP:
		/* An interface behind a link-local address says nothing about the address. */
		zone = memchr(text, '%', len);
		len = zone ? (size_t)(zone - text) : len;
		return memchr(text, '/', len) ? ERR_INVALID : network_read(text, len, 0, &out->network);
	case DATA_CIDR:
		if (network_read(text, len, 1, &out->network) < 0)
			return ERR_INVALID;
		network_mask(&out->network);
		return 0;
	case DATA_PORT:
		return read_member_port(text, len, &out->port);
	default:
		return ERR_INVALID;
	}
}

/* The least of all numbers has no llabs. */
static int in_range(int64_t n)
{
	return n >= -VALUE_NUMBER_MAX && n <= VALUE_NUMBER_MAX;
}

int value_read(enum policy_data data, const json_t *j, struct value *out)
{
	if (data == DATA_NUMBER) {
		out->data = data;
		out->number = json_integer_value(j);
		return json_is_integer(j) && in_range(out->number) ? 0 : ERR_INVALID;
	}
	return json_is_string(j) ? value_read_text(data, json_string_value(j), json_string_length(j), out) : ERR_INVALID;
}

/* Operands */

static int operand_number(const json_t *j, struct value *out)
{
	char *end = NULL;
	long long n = json_is_integer(j) ? json_integer_value(j) : json_is_string(j) ? strtoll(json_string_value(j), &end, 10) : 0;

	if (!json_is_integer(j) && (end == NULL || end == json_string_value(j) || *end != '\0'))
		return err_set(ERR_INVALID, "a whole number is needed");
	if (!in_range(n))
		return err_set(ERR_INVALID, "the number is too large");
	*out = (struct value){ .data = DATA_NUMBER, .number = n };
	return 0;
}

static int operand_string(const char *text, size_t len, int pattern, struct value *out)
{
	size_t slashes = 0;

	while (slashes < len && text[len - slashes - 1] == '\\')
		slashes++;
	if (len == 0)
		return err_set(ERR_INVALID, "a text is needed");
	if (pattern && slashes % 2)
		return err_set(ERR_INVALID, "the last backslash has nothing behind it");
	out->pattern = pattern && strpbrk(text, "*?\\") != NULL;
	return 0;
}

static int operand_network(enum policy_data data, const char *text, size_t len, struct value *out)
{
	char proper[VALUE_TEXT_SIZE];

	if (network_read(text, len, 0, &out->network) < 0)
		return err_set(ERR_INVALID, data == DATA_IP ? "an address such as 10.0.0.5 or 2001:db8::5 is needed"
			: "a network such as 10.0.0.0/24 or 2001:db8::/32 is needed");
	if (network_mask(&out->network)) {
		network_text(&out->network, 1, proper);
		return err_set(ERR_INVALID, "%.*s is an address within %s; write the network", (int)len, text, proper);
	}
	return 0;
}

int operand_read(enum policy_data data, const json_t *j, int pattern, struct value *out)
{
	const char *text = json_string_value(j), *why = NULL;
	size_t len = json_string_length(j);
	struct value v = { .data = data, .text = text, .len = len };
	int rc = 0;

	if (data == DATA_NUMBER)
		return operand_number(j, out);
	if (data == DATA_PORT && json_is_integer(j) && json_integer_value(j) > 0 && json_integer_value(j) <= UINT16_MAX)
		v.port = (struct port_range){ PORT_TCP | PORT_UDP, (uint16_t)json_integer_value(j), (uint16_t)json_integer_value(j) };
	else if (!json_is_string(j))
		return err_set(ERR_INVALID, data == DATA_PORT ? "a port such as 22, \"tcp/22\" or \"tcp/8000-8099\" is needed" :
			"a text is needed");
	else if (!text_check(text, len, &why))
		return err_set(ERR_INVALID, "%s", why);
	else if (data == DATA_STRING)
		rc = operand_string(text, len, pattern, &v);
	else if (data == DATA_VERSION && !version_valid(text, len))
		rc = err_set(ERR_INVALID, "a version such as 1.2.3 or 1:3.0.11-1~deb12u2 is needed");
	else if (data == DATA_DATE && read_date(text, len, 1, &v) < 0)
		rc = err_set(ERR_INVALID, "a day such as 2026-11-21 or a time such as 2026-11-21T08:00:00Z is needed");
	else if (data == DATA_IP || data == DATA_CIDR)
		rc = operand_network(data, text, len, &v);
	else if (data == DATA_PORT && read_ports(text, len, &v.port) < 0)
		rc = err_set(ERR_INVALID, "a port such as 22, tcp/22 or tcp/8000-8099 is needed: 1 to 65535");
	if (rc == 0)
		*out = v;
	return rc;
}

const char *value_text(const struct value *v, char out[static VALUE_TEXT_SIZE])
{
	switch (v->data) {
	case DATA_NUMBER:
		snprintf(out, VALUE_TEXT_SIZE, "%lld", (long long)v->number);
		return out;
	case DATA_IP:
	case DATA_CIDR:
		network_text(&v->network, v->data == DATA_CIDR || v->network.prefix < 128, out);
		return out;
	case DATA_PORT:
		ports_text(&v->port, out);
		return out;
	default:
		return v->text;
	}
}

json_t *value_json(const struct value *v)
{
	char text[VALUE_TEXT_SIZE];

	return v->data == DATA_NUMBER ? json_integer(v->number) : json_string(value_text(v, text));
}

/* Comparing */

int value_compare(const struct value *a, const struct value *b)
{
	if (a->data == DATA_VERSION)
		return version_compare(a->text, b->text, a->plain);
	return (a->number > b->number) - (a->number < b->number);
}

int value_fits(const struct value *member, const struct value *operand)
{
	switch (operand->data) {
	case DATA_STRING:
		return operand->pattern ? text_matches(member->text, operand->text, 0) : strcmp(member->text, operand->text) == 0;
	case DATA_IP:
	case DATA_CIDR:
		return network_contains(&operand->network, &member->network);
	case DATA_PORT:
		return (operand->port.protocols & member->port.protocols) && member->port.from >= operand->port.from
			&& member->port.to <= operand->port.to;
	default:
		return value_compare(member, operand) == 0;
	}
}
