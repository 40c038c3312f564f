/* test_syslog.c - entries of the log as syslog messages: each form byte by byte, what must be escaped, what is too long. */
#include "audit/syslog.h"
#include "base/mem.h"
#include "check.h"

static struct audit_entry entry(void)
{
	struct audit_entry e = { .seq = 7, .at = 1700000000123000, .category = "user", .event = "user.signed-in", .actor_kind = "user",
		.actor_name = "Ann \"A\" [x]\\", .has_actor_id = 1, .object_kind = "user", .object_name = "a|b=c\nd", .detail = "{\"way\":\"a=b|c\"}",
		.address = "192.0.2.7" };

	uuid_parse("0193f2d0-1111-7222-8333-444455556666", &e.tenant);
	uuid_parse("0193f2d0-1111-7222-8333-444455557777", &e.actor_id);
	memset(e.hash, 0xab, sizeof e.hash);
	return e;
}

#define HASH "abababababababababababababababababababababababababababababababab"
#define ACCOUNT "0193f2d0-1111-7222-8333-444455556666"
#define HEADER "<109>1 2023-11-14T22:13:20.123Z c.example keyward - user.signed-in [keyward@32473 account=\"" ACCOUNT "\" number=\"7\""

/* The frame's length is taken off, and checked. */
static char *message(const struct audit_entry *e, enum syslog_format f, const char *host)
{
	struct buf out = BUF_INIT;
	char *end, *text;

	syslog_write(e, f, host, "User signed in", &out);
	CHECK_INT((long long)strtoul(out.data, &end, 10), (long long)(out.len - (size_t)(end + 1 - out.data)));
	text = mem_strdup(end + 1);
	buf_free(&out);
	return text;
}

static void check_message(enum syslog_format f, const char *wanted)
{
	struct audit_entry e = entry();
	char *text = message(&e, f, "c.example");

	CHECK_STR(text, wanted);
	free(text);
}

TEST(fields_of_syslog, "LOG-4")
{
	check_message(SYSLOG_PLAIN, HEADER " category=\"user\" actorKind=\"user\" actor=\"Ann \\\"A\\\" [x\\]\\\\\""
		" actorId=\"0193f2d0-1111-7222-8333-444455557777\" objectKind=\"user\" object=\"a|b=c\nd\" address=\"192.0.2.7\" hash=\"" HASH "\"] "
		"\xef\xbb\xbfUser signed in {\"way\":\"a=b|c\"}");
}

TEST(cef, "LOG-4")
{
	check_message(SYSLOG_CEF, HEADER "] CEF:0|Keyward|Keyward|1|user.signed-in|User signed in|3|rt=1700000000123 cs1Label=account cs1=" ACCOUNT
		" externalId=7 cat=user sproc=user suser=Ann \"A\" [x]\\\\ suid=0193f2d0-1111-7222-8333-444455557777 cs2Label=objectKind cs2=user"
		" cs3Label=object cs3=a|b\\=c\\nd src=192.0.2.7 cs6Label=hash cs6=" HASH " msg={\"way\":\"a\\=b|c\"}");
}

TEST(json, "LOG-4")
{
	check_message(SYSLOG_JSON, HEADER "] {\"account\":\"" ACCOUNT "\",\"actor\":\"Ann \\\"A\\\" [x]\\\\\","
		"\"actorId\":\"0193f2d0-1111-7222-8333-444455557777\",\"actorKind\":\"user\",\"address\":\"192.0.2.7\","
		"\"at\":\"2023-11-14T22:13:20.123Z\",\"category\":\"user\",\"detail\":{\"way\":\"a=b|c\"},\"event\":\"user.signed-in\",\"hash\":\"" HASH
		"\",\"label\":\"User signed in\",\"number\":7,\"object\":\"a|b=c\\nd\",\"objectKind\":\"user\"}");
}

TEST(what_is_too_long_is_left_out_and_said, "LOG-4")
{
	struct audit_entry e = entry();
	char *detail = mem_alloc(SYSLOG_MESSAGE_MAX + 3);

	memset(detail, 'x', SYSLOG_MESSAGE_MAX + 2);
	detail[0] = detail[SYSLOG_MESSAGE_MAX + 1] = '"';
	e.detail = detail;
	for (int f = 0; f < SYSLOG_FORMAT_COUNT; f++) {
		char *text = message(&e, (enum syslog_format)f, "c.example");

		CHECK(strlen(text) < 1024);
		CHECK(strstr(text, "cut=\"details\"") != NULL);
		CHECK(strstr(text, "xxx") == NULL);
		free(text);
	}
	free(detail);
}

TEST(names_are_words, "LOG-4")
{
	struct audit_entry e = entry();
	char *text = message(&e, SYSLOG_JSON, "a b\xc3\xa4");

	CHECK(strstr(text, "Z a_b__ keyward") != NULL);
	free(text);
	text = message(&e, SYSLOG_JSON, "");
	CHECK(strstr(text, "Z - keyward") != NULL);
	free(text);
}

TEST_MAIN
