/* set.c - what is in a set, and what is not.
 *
 * A member that cannot be read could be anything: where the answer hangs on it, the answer is Unknown. */
#include <stdio.h>
#include <string.h>

#include "policy/parts.h"

static void *first(const json_t *set)
{
	return json_object_iter((json_t *)(uintptr_t)set);
}

static void *next(const json_t *set, void *at)
{
	return json_object_iter_next((json_t *)(uintptr_t)set, at);
}

/* FAILED: the member does not count. */
static enum rule_status counts(const struct rule_type *type, const json_t *detail)
{
	int answer = type->filter ? type->filter(detail) : 1;

	return answer > 0 ? RULE_PASSED : answer == 0 ? RULE_FAILED : RULE_UNKNOWN;
}

static int read_member(const struct rule_type *type, void *at, struct value *out)
{
	return value_read_text(type->element, json_object_iter_key(at), json_object_iter_key_len(at), out);
}

int set_is_sound(const json_t *set, enum policy_data element)
{
	struct value v;

	for (void *at = element == DATA_STRING ? NULL : first(set); at; at = next(set, at))
		if (value_read_text(element, json_object_iter_key(at), json_object_iter_key_len(at), &v) < 0)
			return 0;
	return 1;
}

static enum rule_status unknown(struct moment *m, enum why why)
{
	m->why = why;
	return RULE_UNKNOWN;
}

static enum rule_status look_up(const struct rule_type *type, const json_t *set, const char *key, size_t len)
{
	const json_t *detail = json_object_getn(set, key, len);

	return detail ? counts(type, detail) : RULE_FAILED;
}

/* Where one look or two tell: a name without wildcards, a single port. */
static int is_exact(const struct value *v)
{
	return (v->data == DATA_STRING && !v->pattern) || (v->data == DATA_PORT && v->port.from == v->port.to);
}

static enum rule_status find_exact(const struct rule_type *type, const struct value *v, const json_t *set, struct moment *m)
{
	enum rule_status found = RULE_FAILED;
	char key[PORT_NAME_SIZE];

	m->work -= 2;
	if (v->data == DATA_STRING)
		return look_up(type, set, v->text, v->len);
	for (unsigned protocol = PORT_TCP; protocol <= PORT_UDP; protocol++) {
		if (v->port.protocols & protocol)
			found = status_or(found, look_up(type, set, key, port_name(protocol, v->port.from, key)));
	}
	return found;
}

/* A pattern is tried from every character at worst. */
static long cost(const struct value *member, const struct value *operand)
{
	return operand->pattern ? 1 + (long)(member->len * operand->len) / 16 : 1;
}

static enum rule_status find_walking(const struct rule_type *type, const struct value *v, const json_t *set, struct moment *m)
{
	enum rule_status found = RULE_FAILED;
	struct value member;

	for (void *at = first(set); at && found != RULE_PASSED; at = next(set, at)) {
		if (m->work < 0)
			return unknown(m, WHY_WORK);
		if (read_member(type, at, &member) < 0) {
			found = RULE_UNKNOWN;
			continue;
		}
		m->work -= cost(&member, v);
		if (value_fits(&member, v))
			found = status_or(found, counts(type, json_object_iter_value(at)));
	}
	return found == RULE_UNKNOWN ? unknown(m, WHY_MALFORMED) : found;
}

/* Is there a member that counts and fits? */
static enum rule_status find(const struct rule_type *type, const struct value *v, const json_t *set, struct moment *m)
{
	enum rule_status found;

	if (m->work < 0)
		return unknown(m, WHY_WORK);
	if (!is_exact(v))
		return find_walking(type, v, set, m);
	found = find_exact(type, v, set, m);
	if (found == RULE_FAILED && type->element != DATA_STRING && !m->sound)
		return find_walking(type, v, set, m);
	return found == RULE_UNKNOWN ? unknown(m, WHY_MALFORMED) : found;
}

static enum rule_status contains(const struct rule_type *type, const struct condition *c, const json_t *set, struct moment *m)
{
	enum rule_status all = RULE_PASSED;

	for (size_t i = 0; i < c->count && all != RULE_FAILED; i++)
		all = status_and(all, find(type, &c->values[i], set, m));
	return all;
}

static enum rule_status contains_any(const struct rule_type *type, const struct condition *c, const json_t *set, struct moment *m)
{
	enum rule_status one = RULE_FAILED;

	for (size_t i = 0; i < c->count && one != RULE_PASSED; i++)
		one = status_or(one, find(type, &c->values[i], set, m));
	return one;
}

static int fits_any(const struct condition *c, const struct value *member, struct moment *m)
{
	for (size_t i = 0; i < c->count; i++) {
		m->work -= cost(member, &c->values[i]);
		if (value_fits(member, &c->values[i]))
			return 1;
	}
	return 0;
}

/* Is every member that counts one of the values? */
static enum rule_status within(const struct rule_type *type, const struct condition *c, const json_t *set, struct moment *m)
{
	enum rule_status all = RULE_PASSED;
	struct value member;

	for (void *at = first(set); at && all != RULE_FAILED; at = next(set, at)) {
		if (m->work < 0)
			return unknown(m, WHY_WORK);
		if (read_member(type, at, &member) < 0)
			all = RULE_UNKNOWN;
		else if (!fits_any(c, &member, m))
			all = status_and(all, status_not(counts(type, json_object_iter_value(at))));
	}
	return all == RULE_UNKNOWN ? unknown(m, WHY_MALFORMED) : all;
}

static enum rule_status empty(const struct rule_type *type, const json_t *set, struct moment *m)
{
	enum rule_status none = RULE_PASSED;

	for (void *at = first(set); at && none != RULE_FAILED; at = next(set, at))
		none = status_and(none, status_not(counts(type, json_object_iter_value(at))));
	return none == RULE_UNKNOWN ? unknown(m, WHY_MALFORMED) : none;
}

enum rule_status set_test(const struct rule_type *type, const struct condition *c, const json_t *set, struct moment *m)
{
	enum rule_status in;

	switch (c->op->base) {
	case OPERATOR_CONTAINS:
		return contains(type, c, set, m);
	case OPERATOR_CONTAINS_ANY:
		return contains_any(type, c, set, m);
	case OPERATOR_IN:
		return within(type, c, set, m);
	case OPERATOR_EQUALS:
		in = within(type, c, set, m);
		return status_and(in, contains(type, c, set, m));
	default:
		return empty(type, set, m);
	}
}

const char *set_example(const struct rule_type *type, const struct condition *c, const struct value *value, const json_t *set)
{
	struct moment m = { .work = EVALUATE_WORK_MAX };
	struct value member;

	for (void *at = first(set); at; at = next(set, at)) {
		if (read_member(type, at, &member) < 0 || counts(type, json_object_iter_value(at)) != RULE_PASSED)
			continue;
		if (value ? value_fits(&member, value) : !fits_any(c, &member, &m))
			return json_object_iter_key(at);
	}
	return NULL;
}
