/* test_notice.c - entries of the log in words: names and values of their details, sentences that were kept as reasons, in another language and in English. */
#include "check.h"

#include "base/json.h"
#include "base/mem.h"
#include "notice/entry.h"
#include "notice/message.h"
#include "render/words.h"

#define CATALOGUE "{\"\": {\"name\": \"Xx\", \"forms\": \"10\", \"decimal\": \",\", \"group\": \".\"}," \
	" \"it ends in %{n} day, on %{at}; %{label}\": [\"endet in %{n} Tag (%{at}): %{label}\", \"endet in %{n} Tagen (%{at}): %{label}\"]," \
	" \"Enter the new CA on the page Mail.\": \"Seite Mail.\", \"%{server} cannot be reached: %{why}\": \"%{why}: %{server}\"," \
	" \"Connection refused\": \"Abgelehnt\", \"%{n} wait, the oldest for %{time}\": \"%{n} warten seit %{time}\"," \
	" \"%{n} minute\": [\"%{n} Minute\", \"%{n} Minuten\"], \"Reason\": \"Grund\", \"shutdown\": \"heruntergefahren\", \"Keys\": \"Schlüssel\"," \
	" \"Grace period\": \"Schonfrist\", \"yes\": \"ja\", \"Again\": \"Nochmals\", \"Role\": \"Rolle\", \"Auditor\": \"Prüfer\", \"Good\": \"Gut\"," \
	" \"after the policy's time\": \"nach der Frist\", \"Comment\": \"Kommentar\", \"Rows\": \"Zeilen\", \"Waiting jobs\": \"Wartende Jobs\"}"

/* Takes PHRASE over; WORDS NULL: English. */
static void check_said(const struct words *words, json_t *phrase, const char *wanted)
{
	char *said = words_phrase_text(words, phrase);

	CHECK_STR(said, wanted);
	free(said);
	json_decref(phrase);
}

static struct words *language(void)
{
	/* Each form's number for 0 to 199 things. */
	struct buf text = BUF_INIT;
	const char *forms = strstr(CATALOGUE, "\"10\"") + 1;
	struct words *out = NULL;

	buf_add(&text, CATALOGUE, (size_t)(forms - CATALOGUE));
	for (int i = 0; i < 200; i++)
		buf_putc(&text, i == 1 ? '0' : '1');
	buf_puts(&text, forms + 2);
	CHECK_INT(words_parse(buf_str(&text), text.len, &out), 0);
	buf_free(&text);
	return out;
}

TEST(reasons_are_found_again, "WEB-1,LOG-1,NTF-2")
{
	struct words *w = language();
	static const struct { const char *kept, *said; } reasons[] = {
		{ "it ends in 3 days, on 2026-12-01; Enter the new CA on the page Mail.", "endet in 3 Tagen (2026-12-01): Seite Mail." },
		{ "it ends in 1 days, on 2026-12-01; x", "endet in 1 Tag (2026-12-01): x" },
		{ "ldaps://a.example cannot be reached: Connection refused", "Abgelehnt: ldaps://a.example" },
		{ "1234 wait, the oldest for 4 minutes", "1.234 warten seit 4 Minuten" },
		{ "many wait, the oldest for 4 minutes", "many wait, the oldest for 4 minutes" },
		{ "shutdown", "heruntergefahren" },
		{ "mkfs.ext4: no space", "mkfs.ext4: no space" },
		{ "%{name} of a stranger", "%{name} of a stranger" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		check_said(w, entry_reason(reasons[i].kept), reasons[i].said);
	check_said(NULL, entry_reason("ldaps://a.example cannot be reached: Connection refused"), "ldaps://a.example cannot be reached: Connection refused");
	/* What a page begins with a capital letter. */
	CHECK(entry_is_sentence("no connection: Connection refused"));
	CHECK(entry_is_sentence("shutdown"));
	CHECK(!entry_is_sentence("ldaps://a.example cannot be reached: Connection refused"));
	CHECK(!entry_is_sentence("mkfs.ext4 has no space"));
	CHECK(!entry_is_sentence(""));
	words_free(w);
}

TEST(people_are_not_translated, "WEB-1,LOG-1")
{
	struct words *w = language();

	check_said(w, entry_comment("Good"), "Good");
	check_said(w, entry_comment("shutdown"), "shutdown");
	check_said(w, entry_comment("after the policy's time"), "nach der Frist");
	check_said(w, entry_object("device", "Waiting jobs"), "Waiting jobs");
	check_said(w, entry_object("queue", "Waiting jobs"), "Wartende Jobs");
	words_free(w);
}

TEST(details_are_said, "WEB-1,LOG-1,LOG-2")
{
	struct words *w = language();
	json_t *detail = json_pack("{s:s, s:s, s:b, s:i, s:s, s:i, s:{s:i}, s:s, s:n, s:{s:{s:s}}}", "reason", "shutdown", "comment", "Good", "again", 1, "rows", 1234,
		"role", "auditor", "version", 1234, "check", "grace_s", 600, "oddity", "x", "raid", "changes", "name", "old", "a");

	check_said(w, entry_detail(detail), "Grund: heruntergefahren, Kommentar: Good, Nochmals: ja, Zeilen: 1.234, Rolle: Prüfer, Version: 1234, "
		"Integrity checks: Schonfrist: 10 Minuten, oddity: x");
	check_said(NULL, entry_detail(detail), "Reason: shutdown, Comment: Good, Again: yes, Rows: 1,234, Role: Auditor, Version: 1234, "
		"Integrity checks: Grace period: 10 minutes, oddity: x");
	json_decref(detail);
	/* The same word is another thing elsewhere. */
	detail = json_pack("{s:[s], s:s, s:s, s:s}", "criteria", "tenants", "scope", "tenants", "security", "starttls", "sender", "keyward@msp.example");
	check_said(NULL, entry_detail(detail), "Criteria: Tenants, Scope: The same, and create, rename, suspend and resume tenants, and set their quotas, "
		"Protection of the line: STARTTLS, required (port 587), Sender: keyward@msp.example");
	json_decref(detail);
	detail = json_pack("{s:{}}", "changes");
	CHECK(entry_detail(detail) == NULL);
	json_decref(detail);
	words_free(w);
}

TEST(notices_are_said, "NTF-2,NTF-3")
{
	struct words *w = language();
	json_t *item = json_pack("{s:s, s:s, s:s}", "event", "Good", "comment", "shutdown", "about", "Waiting jobs"), *said = entry_item(w, item);

	CHECK_STR(json_string_value(json_object_get(said, "event")), "Gut");
	CHECK_STR(json_string_value(json_object_get(said, "comment")), "heruntergefahren");
	CHECK_STR(json_string_value(json_object_get(said, "about")), "Waiting jobs");
	json_decref(said);
	json_object_set_new(item, "own", json_true());
	said = entry_item(w, item);
	CHECK_STR(json_string_value(json_object_get(said, "about")), "Wartende Jobs");
	json_decref(said);
	json_decref(item);
	words_free(w);
}

TEST_MAIN

/* COUNT events of two devices, with REASON. */
static json_t *events_with(size_t count, const char *reason)
{
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "event", "Key exported", "comment", reason, "device", i % 2 ? "odd" : "even"));
	return out;
}

static char *repeated(const char *what, size_t count)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < count; i++)
		buf_puts(&out, what);
	return buf_take(&out);
}

static int listed_in(const char *text)
{
	int n = 0;

	for (; (text = strstr(text, "\n\n")) != NULL; text += 2)
		n++;
	return n;
}

/* A longer mail than may be sent would be lost, with all that it tells of. */
TEST(no_words_and_no_events_make_a_message_too_long, "NTF-1,SEC-5")
{
	char *plain = repeated("x", MESSAGE_TEXT_MAX - 20), *wide = repeated("\xf0\x9f\x98\x80", MESSAGE_TEXT_MAX), *many = repeated("{{comment}}", 300),
		*reason = repeated("\xc3\xbc<b>{{event}}", 150);
	char *content = mem_printf("%s {{device}}", plain);
	const struct { struct message_texts texts; int counted, cut; } cases[] = {
		{ { "{{event}}", "", content, "" }, 1, 0 }, { { "{{event}}", wide, wide, wide }, 0, 0 }, { { many, many, many, many }, 0, 1 },
	};
	json_t *common = json_pack("{s:s, s:s}", "account", "A", "console", "https://c.example");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t n = 1; n <= MESSAGE_LISTED; n += MESSAGE_LISTED - 1) {
			json_t *items = events_with(n, reason), *valid;
			struct buf text = BUF_INIT;
			char *subject;
			const char *more;

			message_compose(&cases[i].texts, items, n + 7, common, NULL, &subject, &text);
			CHECK(text.len <= MESSAGE_MAX && strlen(buf_str(&text)) == text.len);
			CHECK(strlen(subject) <= 1010);
			valid = json_string(buf_str(&text));
			CHECK(valid != NULL);
			/* What there is no room for is counted. */
			more = strstr(buf_str(&text), "\nand ");
			CHECK(more != NULL);
			if (cases[i].counted && more)
				CHECK_INT(atoi(more + 5), (int)n + 7 - listed_in(buf_str(&text)));
			CHECK_INT(strstr(buf_str(&text), "…") != NULL, cases[i].cut);
			json_decref(valid);
			json_decref(items);
			buf_free(&text);
			free(subject);
		}
	}
	json_decref(common);
	free(content);
	free(reason);
	free(many);
	free(wide);
	free(plain);
}
