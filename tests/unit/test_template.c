/* test_template.c - templates: the public mustache behaviours, our additions, escaping, limits, errors at load. */
#include "render/template.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "render/words.h"

struct source {
	const char *name, *text;
};

#define HEAD "\"\":{\"name\":\"Deutsch\",\"decimal\":\",\",\"group\":\".\",\"forms\":\"" FORMS "\"}"
#define TEN "1111111111"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define FORMS "1011111111" TEN TEN TEN TEN TEN TEN TEN TEN TEN HUNDRED

/* TEXTS: members of a catalogue. */
static struct words *german(const char *texts)
{
	char *json = mem_printf("{" HEAD ",%s}", texts);
	struct words *w = NULL;

	CHECK_INT(words_parse(json, strlen(json), &w), 0);
	free(json);
	return w;
}

static struct template_set *make(struct words *texts, enum template_kind kind, const struct source *s, size_t count)
{
	struct template_set *set = template_set_new(texts);

	for (size_t i = 0; i < count; i++)
		if (template_set_add(set, s[i].name, kind, s[i].text, strlen(s[i].text)) < 0) {
			template_set_free(set);
			return NULL;
		}
	if (template_set_link(set) < 0) {
		template_set_free(set);
		return NULL;
	}
	return set;
}

/* Renders the first of the sources over the JSON text; "ERROR code" when that fails. The caller frees. */
static char *render_all(enum template_kind kind, const struct source *s, size_t count, const char *json)
{
	struct template_set *set = make(NULL, kind, s, count);
	json_t *doc = json_loads(json, JSON_DECODE_ANY, NULL);
	struct buf out = BUF_INIT;
	int rc = set ? template_render(set, s[0].name, doc, &out) : ERR_INVALID;

	if (rc < 0) {
		buf_reset(&out);
		buf_printf(&out, "ERROR %s", err_name(rc));
	}
	json_decref(doc);
	template_set_free(set);
	return buf_take(&out);
}

#define GIVES(json, want, ...) \
	do { \
		const struct source sources_[] = { __VA_ARGS__ }; \
		char *got_text = render_all(TEMPLATE_HTML, sources_, ARRAY_LEN(sources_), json); \
		CHECK_STR(got_text, want); \
		free(got_text); \
	} while (0)

#define ONE(text, json, want) GIVES(json, want, { "t", text })

TEST(variables_as_in_mustache, "WEB-1")
{
	ONE("Hello", "{}", "Hello");
	ONE("Hello, {{subject}}!", "{\"subject\":\"world\"}", "Hello, world!");
	ONE("{{ s }}|{{  s\n}}", "{\"s\":\"x\"}", "x|x");
	ONE("{{n}} {{m}} {{r}}", "{\"n\":85,\"m\":-3,\"r\":1.21}", "85 -3 1.21");
	ONE("{{yes}} {{no}}", "{\"yes\":true,\"no\":false}", "true false");
	ONE("({{none}}{{missing}}{{o}}{{a}})", "{\"none\":null,\"o\":{},\"a\":[1]}", "()");
	ONE("{{a.b.c}}|{{a.x.c}}|{{a.b}}", "{\"a\":{\"b\":{\"c\":\"deep\"}}}", "deep||");
	ONE("{{#a}}{{b.c}}{{/a}}", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"ERROR\"}}", "");
	ONE("{{a}}", "{\"a\":\"{{b}}\",\"b\":\"ERROR\"}", "{{b}}");
	ONE("{ {a} } }}", "{}", "{ {a} } }}");
}

TEST(html_is_escaped_and_text_is_not, "WEB-1,SEC-5")
{
	const struct source s = { "t", "{{x}}" };
	char *text = render_all(TEMPLATE_TEXT, &s, 1, "{\"x\":\"<a href='x'>\\\"&\"}");

	ONE("{{x}}", "{\"x\":\"<a href='x'>\\\"&\"}", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
	CHECK_STR(text, "<a href='x'>\"&");
	free(text);
}

TEST(raw_needs_a_marked_value, "WEB-1,SEC-5")
{
	struct source s = { "t", "{{{svg}}}{{{user}}}{{&user}}{{svg}}{{{list}}}" };
	struct template_set *set = make(NULL, TEMPLATE_HTML, &s, 1);
	json_t *doc = json_pack("{so ss s[]}", "svg", template_safe("<svg/>"), "user", "<b>", "list");
	struct buf out = BUF_INIT;

	CHECK_INT(template_render(set, "t", doc, &out), 0);
	CHECK_STR(buf_str(&out), "<svg/>&lt;b&gt;&lt;b&gt;");
	buf_free(&out);
	json_decref(doc);
	template_set_free(set);
}

TEST(sections_as_in_mustache, "WEB-1")
{
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":true}", "yes");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":false}", "no");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{}", "no");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":null}", "no");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":[]}", "no");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":0}", "no");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":0.5}", "yes");
	ONE("{{#b}}yes{{/b}}{{^b}}no{{/b}}", "{\"b\":\"\"}", "no");
	ONE("{{#b}}yes{{/b}}", "{\"b\":{}}", "yes");
	ONE("{{#c}}Hi {{name}}{{/c}}", "{\"c\":{\"name\":\"Joe\"}}", "Hi Joe");
	ONE("{{#l}}{{i}}{{/l}}", "{\"l\":[{\"i\":1},{\"i\":2},{\"i\":3}]}", "123");
	ONE("{{#l}}({{.}}){{/l}}", "{\"l\":[1,\"<\",2.5]}", "(1)(&lt;)(2.5)");
	ONE("{{#l}}({{#.}}{{.}}{{/.}}){{/l}}", "{\"l\":[[1,2],[3]]}", "(12)(3)");
	ONE("{{#s}}{{.}}{{/s}}", "{\"s\":\"here\"}", "here");
	ONE("{{#.}}{{v}}{{/.}}", "[{\"v\":1},{\"v\":2}]", "12");
	ONE("{{#a}}{{one}}{{#b}}{{one}}{{two}}{{/b}}{{/a}}", "{\"a\":{\"one\":1},\"b\":{\"two\":2}}", "112");
	ONE("{{#a}}{{x}}{{/a}}{{x}}", "{\"x\":\"o\",\"a\":{\"x\":\"i\"}}", "io");
	ONE("{{#a.b}}y{{/a.b}}{{^a.c}}n{{/a.c}}", "{\"a\":{\"b\":1}}", "yn");
	ONE("{{#a}}A{{#a}}B{{/a}}C{{/a}}", "{\"a\":true}", "ABC");
}

TEST(tags_alone_on_a_line_take_it_along, "WEB-1")
{
	ONE("| This\n{{#b}}\n|\n{{/b}}\n| End", "{\"b\":1}", "| This\n|\n| End");
	ONE("| This\n  {{#b}}  \n|\n\t{{/b}}\t\n| End", "{\"b\":1}", "| This\n|\n| End");
	ONE("|\r\n{{#b}}\r\n{{/b}}\r\n|", "{\"b\":1}", "|\r\n|");
	ONE("  {{#b}}\n#{{/b}}\n/", "{\"b\":1}", "#\n/");
	ONE("#{{#b}}\n/\n  {{/b}}", "{\"b\":1}", "#\n/\n");
	ONE("a\n  {{! gone }}\nb {{! kept line }}\n", "{}", "a\nb \n");
	ONE("a\n{{!\n two lines\n}}\nb", "{}", "a\nb");
	ONE(" {{x}} \n", "{\"x\":1}", " 1 \n");
}

TEST(partials_as_in_mustache, "WEB-1")
{
	GIVES("{\"x\":\"v\"}", "[v]", { "t", "[{{>p/q}}]" }, { "p/q", "{{x}}" });
	GIVES("{}", ">\n", { "t", "  {{>p}}\n" }, { "p", ">\n" });
	GIVES("{\"c\":\"X\",\"n\":[{\"c\":\"Y\",\"n\":[]}]}", "X<Y<>>", { "t", "{{>n}}" }, { "n", "{{c}}<{{#n}}{{>n}}{{/n}}>" });
	GIVES("{}", "ERROR too-large", { "t", "{{>t}}" });
	GIVES("{}", "ERROR invalid", { "t", "{{>nowhere}}" });
}

TEST(partials_take_parameters, "WEB-1,WEB-3")
{
	GIVES("{\"form\":{\"mail\":{\"value\":\"a<b\",\"error\":\"No.\"}},\"error\":\"outer\"}",
		"E-mail:email:a&lt;b:No.;Name:text::;",
		{ "t", "{{>f label=\"E-mail\" type='email' f=form.mail}}{{>f\n  label=\"Name\"\n  type='text' f=form.name}}" },
		{ "f", "{{label}}:{{type}}:{{f.value}}:{{f.error}};" });
	/* What leads nowhere hides an outer member; a parameter reaches through partials; paths see the caller's names. */
	GIVES("{\"f\":{\"v\":\"outer\"}}", "", { "t", "{{>p f=none}}" }, { "p", "{{f.v}}" });
	GIVES("{\"a\":1}", "12", { "t", "{{>p x=a y='2'}}" }, { "p", "{{>q x=x}}" }, { "q", "{{x}}{{y}}" });
	GIVES("{\"l\":[{\"n\":\"r\"}]}", "r", { "t", "{{#l}}{{>p it=.}}{{/l}}" }, { "p", "{{it.n}}" });
	GIVES("{\"x\":\"doc\",\"y\":\"doc\"}", "1||doc|1", { "t", "{{>p x='1'}}" }, { "p", "{{@x}}|{{@y}}|{{y}}|{{#@x}}{{>q z=@x}}{{/@x}}" },
		{ "q", "{{@z}}{{@x}}" });
	GIVES("{\"a\":\"v\"}", "v", { "t", "{{#a}}{{>p x='1'}}{{/a}}" }, { "p", "{{.}}" });
	GIVES("{}", "}} &lt;", { "t", "{{>p x=\"}} <\"}}" }, { "p", "{{x}}" });
	GIVES("{}", "no", { "t", "{{>p x=''}}" }, { "p", "{{#x}}yes{{/x}}{{^x}}no{{/x}}" });
}

TEST(frames_are_given_pieces, "WEB-1,WEB-3")
{
	static const struct source list = { "l", "{{#@list}}<{{$row}}-{{/row}}>{{/@list}}{{$end}}{{^@list}}none{{/@list}}{{/end}}" };

	/* A piece sees the row that the frame has opened and what stands around the frame; what is not given is as the frame has it. */
	GIVES("{\"rows\":[{\"n\":1},{\"n\":2}],\"x\":\"d\"}", "<1d><2d>", { "t", "{{+l list=rows}}\n{{$row}}{{n}}{{x}}{{/row}}\n{{! . }}\n{{/l}}\n" }, list);
	GIVES("{\"rows\":[]}", "none", { "t", "{{+l list=rows}}{{/l}}" }, list);
	GIVES("{\"rows\":[1]}", "<->end", { "t", "{{+l list=rows}}{{$end}}end{{/end}}{{/l}}" }, list);
	/* Not the frame's parameters: by neither way of naming them; partials within see their own. */
	GIVES("{\"rows\":[1],\"list\":\"mine\"}", "<mine||7>", { "t", "{{+l list=rows}}{{$row}}{{list}}|{{@list}}|{{>p list='7'}}{{/row}}{{/l}}" }, list,
		{ "p", "{{@list}}" });
	GIVES("{\"rows\":[1]}", "<A>", { "t", "{{>q a='A' rows=rows}}" }, { "q", "{{+l list=@rows}}{{$row}}{{@a}}{{/row}}{{/l}}" }, list);
	/* A frame in a frame: by pieces, and by a template that hands its own on. */
	GIVES("{\"a\":[1,2],\"b\":[3]}", "<<3>><<3>>", { "t", "{{+l list=a}}{{$row}}{{+l list=b}}{{$row}}{{.}}{{/row}}{{/l}}{{/row}}{{/l}}" }, list);
	GIVES("{\"a\":[{\"n\":5}]}", "[<5>]", { "t", "{{+o of=a}}{{$what}}{{n}}{{/what}}{{/o}}" },
		{ "o", "[{{+l list=@of}}{{$row}}{{$what}}{{/what}}{{/row}}{{/l}}]" }, list);
	GIVES("{}", "def", { "t", "{{$x}}d{{y}}ef{{/x}}" });
	GIVES("{}", "ERROR too-large", { "t", "{{+p}}{{$x}}{{>t}}{{/x}}{{/p}}" }, { "p", "{{$x}}{{/x}}" });
}

TEST(page_is_put_into_its_layout, "WEB-1")
{
	GIVES("{\"x\":1}", "<1>", { "t", "{{! role }}\n{{<l}}\n{{x}}" }, { "l", "<{{>body}}>" });
	GIVES("{\"x\":1}", "<A 1 [?]1A>", { "t", "{{<l a=\"A\" b=x}}\n{{x}}{{a}}" }, { "l", "<{{a}} {{b}} [{{>help}}]{{>body}}>" },
		{ "help/t", "?" });
	GIVES("{}", "ERROR invalid", { "t", "{{<l}}" }, { "l", "{{>help}}" });
	GIVES("{}", "<>", { "l", "<{{>body}}>" });
	GIVES("{}", "ERROR invalid", { "t", "x{{<l}}" }, { "l", "" });
	GIVES("{}", "ERROR invalid", { "t", "{{<l}}" }, { "l", "{{<m}}" }, { "m", "" });
}

TEST(texts_are_translated_then_escaped, "WEB-1")
{
	struct source s[] = { { "t", "{{\"Save\n  all\"}} {{\"Hi %{name}!\"}} {{\"a & b\"}} {{>p l=\"Save all\" m='Save all'}}" },
		{ "p", "{{l}}/{{m}}" } };
	struct words *texts = german("\"Save all\":\"Alles \\\"sichern\\\"\",\"Hi %{name}!\":\"%{name}, hallo\",\"unused\":\"x\"");
	struct template_set *set = make(texts, TEMPLATE_HTML, s, 2);
	json_t *doc = json_pack("{ss}", "name", "<Jo>");
	struct buf out = BUF_INIT;

	CHECK_INT(template_render(set, "t", doc, &out), 0);
	CHECK_STR(buf_str(&out), "Alles &quot;sichern&quot; &lt;Jo&gt;, hallo a &amp; b Alles &quot;sichern&quot;/Save all");
	CHECK_STR(template_text(set, "Save all"), "Alles \"sichern\"");
	CHECK_STR(template_text(set, "Nothing"), "Nothing");
	ONE("{{\"Hi %{name}!\"}}", "{\"name\":\"<Jo>\"}", "Hi &lt;Jo&gt;!");
	buf_free(&out);
	json_decref(doc);
	template_set_free(set);
}

/* TEXT as German shows it, whose catalogue has TEXTS. */
static void says(const char *texts, const char *text, const char *json, const char *want)
{
	struct template_set *set = make(german(texts), TEMPLATE_HTML, &(struct source){ "t", text }, 1);
	json_t *doc = json_loads(json, 0, NULL);
	struct buf out = BUF_INIT;

	CHECK_INT(set ? template_render(set, "t", doc, &out) : ERR_INVALID, 0);
	CHECK_STR(buf_str(&out), want);
	buf_free(&out);
	json_decref(doc);
	template_set_free(set);
}

TEST(what_stands_outside_of_tags_is_translated_by_block, "WEB-1")
{
	const char *texts = "\"One <em>two</em> three.\":\"<em>Zwei</em> eins drei.\",\"More {{n}}\":\"{{n}} mehr\",\"Yes\":\"Ja\",\"code\":\"WRONG\"";

	says(texts, "<p>One\n <em>two</em>  three.</p>\n<p>Yes</p>", "{}", "<p><em>Zwei</em> eins drei.</p>\n<p>Ja</p>");
	says(texts, "<dl><dt>Yes</dt><dd>More {{n}}</dd></dl>", "{\"n\":3}", "<dl><dt>Ja</dt><dd>3 mehr</dd></dl>");
	/* Not what is for machines, nor tags' insides, nor what no letters make. */
	says(texts, "<p><code>code</code></p><p translate=\"no\">Yes</p><i title=\"{{\"Yes\"}}\">&nbsp;</i><pre>Yes</pre>", "{}",
		"<p><code>code</code></p><p translate=\"no\">Yes</p><i title=\"Ja\">&nbsp;</i><pre>Yes</pre>");
	says(texts, "{{#a}} hx-get=\"{{b}}\" yes=\"Yes\"{{/a}}", "{}", "");
	says(texts, "{{! Yes }}<p>{{#a}}No{{/a}}</p><!-- Yes --><div{{#a}} class=\"x>\"{{/a}}>Yes</div>", "{\"a\":true}",
		"<p>No</p><!-- Yes --><div class=\"x>\">Ja</div>");
}

TEST(the_form_of_a_number_is_the_languages, "WEB-1")
{
	const char *texts = "\"%{a.n} key\":[\"%{a.n} Schlüssel (einer)\",\"%{a.n} Schlüssel\"]";
	const char *text = "{{\"%{a.n} key\" \"%{a.n} keys\"}}.";

	ONE(text, "{\"a\":{\"n\":1}}", "1 key.");
	ONE(text, "{\"a\":{\"n\":0}}", "0 keys.");
	ONE(text, "{}", " keys.");
	says(texts, text, "{\"a\":{\"n\":1}}", "1 Schlüssel (einer).");
	says(texts, text, "{\"a\":{\"n\":1001}}", "1.001 Schlüssel.");
	/* What is not translated keeps English's forms. */
	says("\"x\":\"y\"", text, "{\"a\":{\"n\":1}}", "1 key.");
}

static void writes(const struct words *w, int64_t n, const char *number, const char *size, const char *ago)
{
	struct buf b = BUF_INIT;

	words_number(w, n, &b);
	CHECK_STR(buf_str(&b), number);
	buf_reset(&b);
	words_size(w, n, &b);
	CHECK_STR(buf_str(&b), size);
	buf_reset(&b);
	words_relative(w, 1000000 * CLOCK_SECOND - n * CLOCK_SECOND, 1000000 * CLOCK_SECOND, &b);
	CHECK_STR(buf_str(&b), ago);
	buf_free(&b);
}

TEST(numbers_sizes_and_times_by_language, "WEB-1")
{
	struct words *w = german("\"%{n} hour ago\":[\"vor %{n} Stunde\",\"vor %{n} Stunden\"],\"%{day} %{month} %{year}\":\"%{day}. %{month} %{year}\","
		"\"May\":\"Mai\"");
	struct buf b = BUF_INIT;

	writes(NULL, 5400, "5,400", "5.3 KiB", "1 hour ago");
	writes(w, 5400, "5.400", "5,3 KiB", "vor 1 Stunde");
	writes(w, 7200, "7.200", "7 KiB", "vor 2 Stunden");
	writes(w, -61, "-61", "-61 bytes", "in 1 minute");
	writes(NULL, 0, "0", "0 bytes", "just now");
	writes(NULL, -1234567, "-1,234,567", "-1234567 bytes", "in 14 days");
	words_date(w, 1778840000 * CLOCK_SECOND, 0, 0, &b);
	CHECK_STR(buf_str(&b), "15. Mai 2026");
	buf_reset(&b);
	words_date(NULL, 1778840000 * CLOCK_SECOND, -12600, 1, &b);
	CHECK_STR(buf_str(&b), "15 May 2026, 06:43:20 UTC-3:30");
	buf_free(&b);
	words_free(w);
}

/* One way for all that shows a day: of a time, and of what was kept as text. */
TEST(days_are_written_as_they_are_chosen, "WEB-1,RPT-3,ADM-1")
{
	static const struct { const char *name, *english, *german; } rows[] = {
		{ "YYYY-MM-DD", "2026-05-28", "2026-05-28" }, { "DD.MM.YYYY", "28.05.2026", "28.05.2026" }, { "DD/MM/YYYY", "28/05/2026", "28/05/2026" },
		{ "MM/DD/YYYY", "05/28/2026", "05/28/2026" }, { "D MMM YYYY", "28 May 2026", "28. Mai 2026" },
	};
	struct words *w = german("\"%{day} %{month} %{year}\":\"%{day}. %{month} %{year}\",\"May\":\"Mai\",\"%{n} key\":[\"%{n} Schlüssel\",\"%{n} Schlüssel\"]");

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct words *english = words_dated(NULL, date_format_of(rows[i].name)), *other = words_dated(w, date_format_of(rows[i].name));
		char *one = words_local(english, "2026-05-28"), *two = words_local(other, "2026-05-28 04:05 (UTC)"), *whole = mem_printf("%s 04:05 (UTC)", rows[i].german);
		struct buf b = BUF_INIT;

		CHECK_STR(one, rows[i].english);
		CHECK_STR(two, whole);
		words_date(other, 1779940800 * CLOCK_SECOND, 0, 0, &b);
		CHECK_STR(buf_str(&b), rows[i].german);
		CHECK_STR(words_count(english, 1, "%{n} key", "%{n} keys"), "%{n} key");
		CHECK_STR(words_count(other, 2, "%{n} key", "%{n} keys"), "%{n} Schlüssel");
		buf_free(&b);
		free(one);
		free(two);
		free(whole);
		words_free(english);
		words_free(other);
	}
	/* What is no day stays, and all where nothing is chosen. */
	for (size_t i = 0; i < 2; i++) {
		static const char *const kept[] = { "", "2026-11", "2026-11-281", "2026-11-28T04:05:06Z", "an hour ago", "2026-1a-28 x" };
		struct words *dated = words_dated(w, i ? DATES_DOTS : DATES_USUAL);

		for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++) {
			char *text = words_local(dated, kept[k]);

			CHECK_STR(text, kept[k]);
			free(text);
		}
		words_free(dated);
	}
	CHECK_INT(date_format_of("nonsense"), DATES_USUAL);
	CHECK_INT(date_format_of(NULL), DATES_USUAL);
	words_free(w);
}

/* In what people read; not in tags, nor in what is for machines. */
TEST(numbers_are_the_languages_where_people_read_them, "WEB-1")
{
	const char *doc = "{\"n\":12345,\"s\":\"12345\"}";

	ONE("<p>{{n}} {{s}}</p>", doc, "<p>12,345 12345</p>");
	ONE("<p class=\"a{{n}}\" title='{{n}}' data-n={{n}}>{{n}}</p>", doc, "<p class=\"a12345\" title='12345' data-n=12345>12,345</p>");
	ONE("<td><code class=\"x\">{{n}} <b>{{n}}</b></code> {{n}}<textarea>{{n}}</textarea>{{n}}", doc,
		"<td><code class=\"x\">12345 <b>12345</b></code> 12,345<textarea>12345</textarea>12,345");
	ONE("<span translate=\"no\">{{n}}</span>{{n}}", doc, "<span translate=\"no\">12345</span>12,345");
	/* A partial of attributes alone. */
	ONE("value=\"{{n}}\" {{n}}", doc, "value=\"12345\" 12,345");
	ONE("<p title=\"{{\"%{n} of them\"}}\">", doc, "<p title=\"12,345 of them\">");
	says("\"x\":\"y\"", "<b>{{n}}</b>", doc, "<b>12.345</b>");
}

/* Behind slashes and @, before dots; nowhere where a browser would show it, or take it for a part of a value. */
TEST(long_paths_and_addresses_are_broken_at_their_parts, "WEB-1")
{
	const char *doc = "{\"p\":\"/srv/customers/hamburg/a&b\",\"m\":\"mail ada.andersen@harbour.example.\",\"u\":\"https://hooks.example.com/x\",\"s\":\"/srv/data 1.2\"}";

	ONE("<p>{{p}} {{s}}</p>", doc, "<p>/srv/<wbr>customers/<wbr>hamburg/<wbr>a&amp;b /srv/data 1.2</p>");
	ONE("<code>{{m}}</code>", doc, "<code>mail ada<wbr>.andersen@<wbr>harbour<wbr>.example.</code>");
	ONE("<td title=\"{{u}}\">{{u}}</td>", doc, "<td title=\"https://hooks.example.com/x\">https://<wbr>hooks<wbr>.example<wbr>.com/<wbr>x</td>");
	ONE("<title>{{p}}</title><textarea>{{p}}</textarea><select><option>{{p}}</option></select><pre>{{p}}</pre>", doc, "<title>/srv/customers/hamburg/a&amp;b</title>"
		"<textarea>/srv/customers/hamburg/a&amp;b</textarea><select><option>/srv/customers/hamburg/a&amp;b</option></select><pre>/srv/customers/hamburg/a&amp;b</pre>");
	ONE("value=\"{{p}}\"", doc, "value=\"/srv/customers/hamburg/a&amp;b\"");
	ONE("<p>{{\"Sent to %{u}.\"}}</p>", doc, "<p>Sent to https://<wbr>hooks<wbr>.example<wbr>.com/<wbr>x.</p>");
}

static void phrase_says(const struct words *w, const char *json, const char *want)
{
	json_t *p = json_loads(json, JSON_DECODE_ANY, NULL);
	char *text = words_phrase_text(w, p);

	CHECK_STR(text, want);
	free(text);
	json_decref(p);
}

TEST(phrases_are_put_into_words, "WEB-1")
{
	struct words *w = german("\"%{what} is not there\":\"%{what} fehlt\",\"%{n} key\":[\"%{n} Schlüssel (einer)\",\"%{n} Schlüssel\"],\" and \":\" und \","
		"\"%{n} day ago\":[\"vor %{n} Tag\",\"vor %{n} Tagen\"]");
	json_t *p;

	phrase_says(w, "{\"say\":\"%{what} is not there\",\"what\":\"openssl\"}", "openssl fehlt");
	phrase_says(NULL, "{\"say\":\"%{what} is not there\",\"what\":{\"list\":[\"a\",{\"say\":\"b\"}],\"by\":\" and \"}}", "a and b is not there");
	phrase_says(w, "{\"list\":[\"a\",1200],\"by\":\" and \"}", "a und 1.200");
	phrase_says(w, "[\"a\",2.5]", "a, 2,500");
	phrase_says(w, "{\"say\":\"%{n} key\",\"many\":\"%{n} keys\",\"n\":1}", "1 Schlüssel (einer)");
	phrase_says(NULL, "{\"say\":\"%{n} key\",\"many\":\"%{n} keys\",\"n\":1000}", "1,000 keys");
	phrase_says(w, "{\"when\":0,\"seen\":172800000000}", "vor 2 Tagen");
	/* A hole may be called as another kind's member is. */
	phrase_says(NULL, "{\"say\":\"%{list} it was %{when}\",\"list\":[\"a\",\"b\"],\"when\":\"x\"}", "a, b it was x");
	/* A hole that nothing is given for stays, as does a text of before; null says nothing. */
	phrase_says(w, "{\"say\":\"%{x} is\"}", "%{x} is");
	phrase_says(w, "\"it is 11\"", "it is 11");
	phrase_says(w, "null", "");
	phrase_says(w, "{}", "");
	p = phrase_say("%{a} of %{b}", "a", phrase_span(7300), "b", phrase_span_exact(5400), NULL);
	words_free(w);
	w = german("\"%{a} of %{b}\":\"%{b}: %{a}\"");
	{
		char *text = words_phrase_text(w, p);

		CHECK_STR(text, "90 minutes: 2 hours");
		free(text);
	}
	json_decref(p);
	ONE("<i>{{p}}</i>", "{\"p\":{\"say\":\"<%{x}>\",\"x\":\"&\"}}", "<i>&lt;&amp;&gt;</i>");
	words_free(w);
}

TEST(catalogues_without_their_head_are_refused, "WEB-1,SEC-5")
{
	struct words *w;

	CHECK_INT(words_parse("{\"a\":\"b\"}", 9, &w), ERR_INVALID);
	CHECK_INT(words_parse("{\"\":{\"name\":\"x\",\"decimal\":\",\",\"group\":\".\",\"forms\":\"01\"}}", 57, &w), ERR_INVALID);
	CHECK_INT(words_parse("[]", 2, &w), ERR_INVALID);
}

static void refuses(const char *text, const char *reason)
{
	struct template_set *set = template_set_new(NULL);
	int rc = template_set_add(set, "t", TEMPLATE_HTML, text, strlen(text));

	if (rc == 0)
		rc = template_set_link(set);
	CHECK_INT(rc, ERR_INVALID);
	CHECK_STR(err_text(), reason);
	template_set_free(set);
}

TEST(errors_name_file_and_line, "WEB-1,SEC-5")
{
	refuses("a\nb {{x", "t.html:2: tag does not end");
	refuses("{{#a}}\n\n", "t.html:1: section does not end");
	refuses("\n{{#a}}\n{{/b}}", "t.html:3: {{/b}} closes the section of line 2");
	refuses("{{/b}}", "t.html:1: {{/b}} closes nothing");
	refuses("\n{{a b}}", "t.html:2: bad name \"a b\"");
	refuses("{{a..b}}", "t.html:1: bad name \"a..b\"");
	refuses("{{}}", "t.html:1: bad name \"\"");
	refuses("{{=<% %>=}}", "t.html:1: delimiters cannot be changed");
	refuses("\n\n{{>no/where}}", "t.html:3: there is no template \"no/where\"");
	refuses("{{>p a}}", "t.html:1: parameters are name=\"text\", name='word' or name=path");
	refuses("{{>p a='b}}", "t.html:1: tag does not end");
	refuses("{{>../p}}", "t.html:1: bad name of a partial");
	refuses("{{+t}}\n{{$a}}{{/a}}\n", "t.html:1: section does not end");
	refuses("{{+t}}\n{{/u}}", "t.html:2: {{/u}} closes the section of line 1");
	refuses("{{+t}}x{{/t}}", "t.html:1: in a frame only pieces stand: {{$name}}...{{/name}}");
	refuses("{{+t}}{{#a}}{{$b}}{{/b}}{{/a}}{{/t}}", "t.html:1: in a frame only pieces stand: {{$name}}...{{/name}}");
	refuses("{{+t}}\n{{$a}}{{/a}}\n{{/t}}", "t.html:2: \"t\" has no place for \"a\"");
	refuses("{{$a.b}}{{/a.b}}", "t.html:1: bad name of a piece");
	refuses("{{$}}{{/}}", "t.html:1: bad name of a piece");
	refuses("{{+../p}}", "t.html:1: bad name of a partial");
	refuses("{{\"%{x\"}}", "t.html:1: %{ without }");
	refuses("{{a.b.c.d.e.f.g.h.i}}", "t.html:1: name of more than 8 parts");
}

TEST(limits_hold, "WEB-1,SEC-5")
{
	struct buf deep = BUF_INIT;
	struct source s = { "t", "{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}x{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}" };
	struct template_set *set = make(NULL, TEMPLATE_HTML, &s, 1);
	json_t *list = json_array(), *doc = json_pack("{so}", "l", list);
	struct buf out = BUF_INIT;

	for (int i = 0; i < 40; i++)
		json_array_append_new(list, json_integer(i));
	buf_puts(&out, "before");
	CHECK_INT(template_render(set, "t", doc, &out), ERR_TOO_LARGE);
	CHECK_STR(buf_str(&out), "before");
	CHECK_INT(template_render(set, "u", doc, &out), ERR_NOT_FOUND);
	for (int i = 0; i <= TEMPLATE_NEST_MAX; i++)
		buf_puts(&deep, "{{#a}}");
	refuses(buf_str(&deep), "t.html:1: sections nested deeper than 32");
	buf_free(&deep);
	buf_free(&out);
	json_decref(doc);
	template_set_free(set);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char *path = mem_printf("%s/%s", dir, name);

	CHECK_INT(file_write(path, text, strlen(text), 0600), 0);
	free(path);
}

static char *load_and_render(const char *dir, const char *language, const char *name)
{
	struct template_set *set;
	struct buf out = BUF_INIT;

	if (template_set_load(dir, language, &set) < 0)
		return mem_strdup(err_text());
	if (template_render(set, name, NULL, &out) < 0)
		buf_puts(&out, err_text());
	template_set_free(set);
	return buf_take(&out);
}

static void loads(const char *dir, const char *language, const char *name, const char *want)
{
	char *got = load_and_render(dir, language, name);

	CHECK_STR(got, want);
	free(got);
}

TEST(folder_is_loaded_in_a_language, "WEB-1")
{
	char dir[] = "/tmp/keyward-templates-XXXXXX";
	char *command, *want;

	CHECK(mkdtemp(dir) != NULL);
	command = mem_printf("mkdir %s/a %s/texts", dir, dir);
	CHECK_INT(system(command), 0);
	free(command);
	write_file(dir, "a/page.html", "{{\"Yes\"}} {{>a/help}}");
	write_file(dir, "a/help.html", "help");
	write_file(dir, "a/mail.txt", "{{\"Yes\"}} & more");
	write_file(dir, "texts/de.json", "{" HEAD ",\"Yes\":\"Ja\",\"help\":\"Hilfe\"}");
	loads(dir, NULL, "a/page", "Yes help");
	loads(dir, "en", "a/mail", "Yes & more");
	loads(dir, "de", "a/page", "Ja Hilfe");
	CHECK(template_set_load(dir, "../x", &(struct template_set *){ NULL }) == ERR_INVALID);
	write_file(dir, "a/bad.html", "\n{{>a/mail}}");
	want = mem_printf("templates in %s: a/bad.html:2: \"a/mail\" is of the other kind, which escapes differently", dir);
	loads(dir, NULL, "a/page", want);
	free(want);
	command = mem_printf("rm -r %s", dir);
	CHECK_INT(system(command), 0);
	free(command);
}

TEST_MAIN
