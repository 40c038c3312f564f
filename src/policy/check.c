/* check.c - what an integrity check's result does to a key that was handed out. */
#include "policy/check.h"

#include "base/word.h"

#define AGAIN_LEAST (15 * CLOCK_SECOND)
#define AGAIN_MOST (5 * CLOCK_MINUTE)

static const char *const failures[] = {
#define X(id, name, label) name,
	CHECK_FAILURES(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	CHECK_FAILURES(X)
#undef X
};

static enum check_act after_failure(const struct check_subject *s)
{
	if (s->status != REQUEST_DELIVERED || s->on_failure == CHECK_NOTIFY)
		return CHECK_NOTHING;
	return s->on_failure == CHECK_REVOKE_AFTER && s->grace > 0 ? CHECK_ANNOUNCE : CHECK_ORDER;
}

static enum check_act after_good(const struct check_subject *s, clock_us now)
{
	if (s->by_person)
		return CHECK_NOTHING;
	if (s->status == REQUEST_REVOKING)
		return s->ordered ? CHECK_NOTHING : CHECK_CANCEL;
	if (s->status == REQUEST_REVOKED && s->revoked && now < s->revoked + s->regrant)
		return CHECK_GRANT;
	return CHECK_NOTHING;
}

enum check_act check_decide(const struct check_subject *s, enum integrity result, clock_us now)
{
	switch (result) {
	case INTEGRITY_GOOD:
		return after_good(s, now);
	case INTEGRITY_BAD:
	case INTEGRITY_FAILED:
		return after_failure(s);
	default:
		return CHECK_NOTHING;
	}
}

clock_us check_again_in(clock_us span)
{
	return span / 4 < AGAIN_LEAST ? AGAIN_LEAST : span / 4 > AGAIN_MOST ? AGAIN_MOST : span / 4;
}

const char *check_failure_name(enum check_failure f)
{
	return failures[f];
}

const char *check_failure_label(enum check_failure f)
{
	return labels[f];
}

int check_failure_parse(const char *name, enum check_failure *out)
{
	int i = word_find(failures, CHECK_FAILURE_COUNT, name, "act on a failed check");

	if (i < 0)
		return i;
	*out = (enum check_failure)i;
	return 0;
}
