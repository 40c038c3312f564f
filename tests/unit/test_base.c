/* test_base.c - the foundations: encodings, messages, time, identifiers, limits. */
#include "check.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/say.h"
#include "base/secret.h"
#include "base/size.h"
#include "base/uuid.h"
#include "base/word.h"
#include "base/wire.h"

TEST(uuids_made_later_sort_later, "")
{
	struct uuid before = uuid_new();

	for (int i = 0; i < 10000; i++) {
		struct uuid id = uuid_new();

		CHECK(memcmp(before.bytes, id.bytes, sizeof id.bytes) < 0);
		CHECK_INT(id.bytes[6] >> 4, 7);
		before = id;
	}
}

TEST(uuid_round_trip, "")
{
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new(), back;

	uuid_text(&id, text);
	CHECK_INT(uuid_parse(text, &back), 0);
	CHECK(uuid_equal(&id, &back));
	CHECK(text[14] == '7');
	CHECK_INT(uuid_parse("not", &back), ERR_INVALID);
	CHECK_INT(uuid_parse("0193-0000-0000-0000-000000000000-000", &back), ERR_INVALID);
	CHECK_INT(uuid_parse("g193f2d0-1111-7222-8333-444455556666", &back), ERR_INVALID);
}

TEST(time_round_trip, "LOG-1")
{
	clock_us at;
	char text[CLOCK_TEXT_SIZE];

	CHECK_INT(clock_parse("2026-11-21T09:30:00.250+02:00", &at), 0);
	clock_text(at, text);
	CHECK_STR(text, "2026-11-21T07:30:00.250Z");
	CHECK_INT(clock_parse("2026-11-21 07:30:00.25+00", &at), 0);
	clock_text(at, text);
	CHECK_STR(text, "2026-11-21T07:30:00.250Z");
	CHECK_INT(clock_parse("2026-11-21", &at), ERR_INVALID);
	CHECK_INT(clock_parse("2026-11-21T09:30:00", &at), ERR_INVALID);
	CHECK_INT(clock_parse("2026-11-21T09:30:00+25:00", &at), ERR_INVALID);
	clock_text(-1, text);
	CHECK_STR(text, "1969-12-31T23:59:59.999Z");
}

/* Every day of four centuries, and none that is not. */
TEST(days_as_the_calendar_has_them, "LOG-1,RUL-4")
{
	static const char *const none[] = { "2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "2026-01-00", "26-01-01",
		"2026-1-01", " 2026-01-01" };
	static const char *const edges[] = { "0001-01-01T00:00:00.000Z", "0026-11-21T09:30:00.000Z", "0999-12-31T00:00:00.000Z", "9999-12-31T23:59:59.999Z" };
	static const char *const beyond[] = { "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01" };
	clock_us at;
	char text[CLOCK_TEXT_SIZE], moment[64];

	for (clock_us day = -135140 * CLOCK_DAY; day < 47482 * CLOCK_DAY; day += CLOCK_DAY) {
		clock_text(day, text);
		if (clock_parse(text, &at) < 0 || at != day) {
			CHECK_STR(text, "read as it was printed");
			break;
		}
	}
	CHECK_INT(clock_parse("2000-02-29T00:00:00Z", &at), 0);
	for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
		CHECK_INT(clock_parse(edges[i], &at), 0);
		clock_text(at, text);
		CHECK_STR(text, edges[i]);
	}
	for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++)
		CHECK_INT(clock_parse(beyond[i], &at), ERR_INVALID);
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		snprintf(moment, sizeof moment, "%sT12:00:00Z", none[i]);
		CHECK_INT(clock_parse(moment, &at), ERR_INVALID);
	}
	CHECK_INT(clock_parse("2026-11-21T24:00:00Z", &at), ERR_INVALID);
	CHECK_INT(clock_parse("2026-11-21T12:60:00Z", &at), ERR_INVALID);
}

TEST(times_of_a_day, "")
{
	static const char *const good[] = { "00:00", "09:30", "19:59", "23:59" }, *const bad[] = { "", "24:00", "3:15", "03:60", "0315", "03:15:00",
		"+1:15", "03:1 ", "0a:15", ":3:15", "03::5" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK(clock_is_time_of_day(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(!clock_is_time_of_day(bad[i]));
}

TEST(base64url_and_hex, "")
{
	struct buf out = BUF_INIT;
	char *text = encode_base64url("\xff\xfe\x00\x01", 4);

	CHECK_STR(text, "__4AAQ");
	free(text);
	text = encode_base64("\xff\xfe\x00\x01", 4);
	CHECK_STR(text, "//4AAQ==");
	free(text);
	text = encode_base64url("\xff\xfe\x00\x01", 4);
	CHECK_INT(decode_base64url(text, &out), 0);
	CHECK(out.len == 4 && memcmp(out.data, "\xff\xfe\x00\x01", 4) == 0);
	CHECK_INT(decode_base64url("a+/=", &out), ERR_INVALID);
	CHECK_INT(out.len, 4);
	CHECK_INT(decode_hex("0g", &out), ERR_INVALID);
	CHECK_INT(decode_hex("0a", &out), 0);
	CHECK_INT(out.len, 5);
	free(text);
	buf_free(&out);
}

TEST(wire_refuses_what_is_short_long_or_left_over, "SEC-5")
{
	struct buf b = BUF_INIT;
	struct wire_reader r;
	char *s;

	wire_put_u16(&b, 0x1234);
	wire_put_string(&b, "name");
	wire_put_u64(&b, 7);
	r = wire_read(b.data, b.len);
	CHECK_INT(wire_get_u16(&r), 0x1234);
	s = wire_get_string(&r, 10);
	CHECK_STR(s, "name");
	CHECK_INT(wire_get_u64(&r), 7);
	CHECK_INT(wire_end(&r), 0);
	free(s);
	r = wire_read(b.data, b.len);
	wire_get_u16(&r);
	CHECK(wire_get_string(&r, 3) == NULL);
	CHECK_INT(wire_end(&r), ERR_TOO_LARGE);
	r = wire_read(b.data, b.len - 1);
	wire_get_u16(&r);
	free(wire_get_string(&r, 10));
	CHECK_INT(wire_get_u64(&r), 0);
	CHECK_INT(wire_end(&r), ERR_TRUNCATED);
	r = wire_read(b.data, b.len);
	wire_get_u16(&r);
	CHECK_INT(wire_end(&r), ERR_INVALID);
	r = wire_read("\xff\xff\xff\xff", 4);
	wire_get_bytes(&r, SIZE_MAX);
	CHECK_INT(wire_end(&r), ERR_TRUNCATED);
	buf_free(&b);
}

TEST(json_names_the_member_that_is_wrong, "WEB-3")
{
	json_t *o = NULL;
	const char *text = NULL;
	int64_t n = 5;

	static const char good[] = "{\"a\":\"x\",\"n\":3}", zero[] = "{\"z\":\"a\\u0000b\"}";

	CHECK_INT(json_parse_object(zero, strlen(zero), 100, &o), ERR_INVALID);
	CHECK_INT(json_parse_object(good, strlen(good), 100, &o), 0);
	CHECK_INT(json_get_string(o, "a", 1, &text), 0);
	CHECK_INT(json_get_string(o, "n", 1, &text), ERR_INVALID);
	CHECK_STR(err_text(), "n: a text is needed");
	CHECK_INT(json_get_int(o, "n", 4, 9, &n), ERR_INVALID);
	CHECK_INT(n, 5);
	CHECK_INT(json_get_int_opt(o, "absent", 4, 9, &n), 0);
	json_decref(o);
	CHECK_INT(json_parse_object("{\"a\":1,\"a\":2}", 13, 100, &o), ERR_INVALID);
	CHECK_INT(json_parse_object("[]", 2, 100, &o), ERR_INVALID);
	CHECK_INT(json_parse_object("{}", 2, 1, &o), ERR_TOO_LARGE);
}

TEST(secret_compares_and_takes, "KEY-4")
{
	unsigned char raw[4] = { 1, 2, 3, 4 };
	struct secret *a, *b;

	secret_init();
	a = secret_take(raw, sizeof raw);
	CHECK(raw[0] == 0 && raw[3] == 0);
	b = secret_new(4);
	CHECK(!secret_equal(a, b));
	memcpy(b->data, a->data, 4);
	CHECK(secret_equal(a, b));
	secret_free(a);
	secret_free(b);
}

TEST(file_write_replaces_whole, "")
{
	char path[] = "/tmp/keyward-base-XXXXXX";
	struct buf b = BUF_INIT;
	int fd = mkstemp(path);

	close(fd);
	CHECK_INT(file_write(path, "second", 6, 0600), 0);
	CHECK_INT(file_read(path, 100, &b), 0);
	CHECK_STR(buf_str(&b), "second");
	CHECK_INT(file_read(path, 3, &b), ERR_TOO_LARGE);
	CHECK_STR(buf_str(&b), "second");
	unlink(path);
	CHECK_INT(file_read(path, 3, &b), ERR_NOT_FOUND);
	buf_free(&b);
}

TEST(conf_refuses_what_it_does_not_know, "OPS-5")
{
	char path[] = "/tmp/keyward-conf-XXXXXX";
	struct conf c = { { NULL } };
	const char *unknown = "mode = msp\n# comment\ncolour = red\n";

	close(mkstemp(path));
	CHECK_INT(file_write(path, unknown, strlen(unknown), 0600), 0);
	CHECK_INT(conf_load(path, &c), ERR_INVALID);
	CHECK(strstr(err_text(), "line 3") && strstr(err_text(), "colour"));
	CHECK_INT(file_write(path, "mode = msp", 10, 0600), 0);
	CHECK_INT(conf_load(path, &c), ERR_INVALID);
	CHECK(strstr(err_text(), "is not set"));
	unlink(path);
	CHECK_INT(conf_load(path, &c), ERR_NOT_FOUND);
}

TEST(sizes_are_read_as_people_say_them, "DEV-1")
{
	static const struct { int64_t bytes; const char *text; } cases[] = { { 0, "0 bytes" }, { 1023, "1023 bytes" }, { 1024, "1 KiB" },
		{ 1536, "1.5 KiB" }, { 268435456, "256 MiB" }, { 1649267441664, "1.5 TiB" }, { INT64_MAX, "8 EiB" } };
	char text[SIZE_TEXT_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_text(cases[i].bytes, text);
		CHECK_STR(text, cases[i].text);
	}
}

static const char *backwards(const void *ctx, const char *english)
{
	(void)ctx;
	return strcmp(english, "The password must have %d to %d characters.") == 0 ? "Zeichen: %d bis %d." :
		strcmp(english, "Only %zu %s may.") == 0 ? "100 %% von %zu %s." : english;
}

static void says(const char *want)
{
	struct buf out = BUF_INIT;

	err_say(backwards, NULL, &out);
	CHECK_STR(buf_str(&out), want);
	buf_free(&out);
}

TEST(what_is_no_text_becomes_readable, "SEC-5,VOL-4")
{
	static const struct { const char *before, *after; } rows[] = {
		{ "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x94\x91\n\tx", "Z\xc3\xbcrich \xe2\x82\xac \xf0\x9f\x94\x91\n\tx" },
		{ "a\xff" "b", "a?b" }, { "cut \xe2\x82", "cut ??" }, { "\xc0\x80", "??" }, { "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" }, { "\x1b[1m\x7f", "?[1m?" }, { "\xc2\x9b" "1m", "??1m" }, { "", "" },
	};
	char text[64];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(text, sizeof text, "%s", rows[i].before);
		word_readable(text);
		CHECK_STR(text, rows[i].after);
		CHECK(json_is_text(text, strlen(text)));
	}
	err_set(ERR_IO, "it holds: %s", "ext4 \"\xff\"");
	CHECK_STR(err_text(), "it holds: ext4 \"?\"");
	CHECK(!json_is_text("\xff", 1) && !json_is_text("a\0b", 3));
}

TEST(a_list_is_searched_for_a_text, "")
{
	json_t *list = json_pack("[s, i, n, s]", "eu-west-1", 7, "eu-west-10");

	CHECK(json_has_string(list, "eu-west-1") && json_has_string(list, "eu-west-10"));
	CHECK(!json_has_string(list, "eu-west") && !json_has_string(list, "7") && !json_has_string(list, "") && !json_has_string(NULL, "7"));
	json_decref(list);
}

TEST(an_errors_text_is_translated_before_its_values_come_in, "WEB-1")
{
	CHECK_INT(err_set(ERR_INVALID, "The password must have %d to %d characters.", 8, 128), ERR_INVALID);
	CHECK_STR(err_text(), "The password must have 8 to 128 characters.");
	says("Zeichen: 8 bis 128.");
	err_set(ERR_INVALID, "Only %zu %s may.", (size_t)7, "people with a %");
	says("100 % von 7 people with a %.");
	/* What is not known, what is for logs, what has values of other kinds, and what was wrapped: as it is. */
	err_set(ERR_INVALID, "Nobody knows %.*s, %lld%%.", 3, "these", 5000000000ll);
	says("Nobody knows the, 5000000000%.");
	err_set(ERR_INVALID, "insert %s: %d%%", "device", 3);
	says("insert device: 3%");
	err_set(ERR_INVALID, "About %.1f of %s", 2.5, "it");
	says("About 2.5 of it");
	err_set(ERR_INVALID, "The password must have %d to %d characters.", 8, 128);
	err_wrap(ERR_INVALID, "form");
	says("form: The password must have 8 to 128 characters.");
}

TEST_MAIN
