/* test_appearance.c - colours that white text can be read on, and pictures as they are typed in. */
#include "check.h"

#include "central/colour.h"
#include "central/logo.h"

static unsigned colour(const char *text)
{
	unsigned out = 1;

	return colour_parse(text, &out) < 0 ? 0xffffffff : out;
}

TEST(contrast_is_that_of_wcag, "WEB-4,WEB-2")
{
	/* Known values: black and white, and the greys on both sides of the line. */
	CHECK(colour_contrast(0x000000) > 20.99 && colour_contrast(0x000000) < 21.01);
	CHECK(colour_contrast(0xffffff) > 0.99 && colour_contrast(0xffffff) < 1.01);
	CHECK(colour_contrast(0x767676) >= 4.5 && colour_contrast(0x777777) < 4.5);
	CHECK(colour_contrast(0xff0000) > 3.99 && colour_contrast(0xff0000) < 4.0);
	CHECK(colour_contrast(0x0000ff) > 8.58 && colour_contrast(0x0000ff) < 8.6);
}

TEST(a_colour_is_not_taken_for_the_red_of_danger, "WEB-4")
{
	static const unsigned alike[] = { 0xc2261d, 0xc93a30, 0xc2261e, 0xd5001c, 0xe2001a, 0xc8102e, 0xda291c, 0xb01e16 };
	static const unsigned others[] = { 0x3f57d6, 0x1f7a5c, 0xb84700, 0xa3195b, 0x7a0c14, 0x7a1f5c, 0x000000, 0x7d6b69, 0x0057c2 };

	for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
		CHECK(colour_is_danger(alike[i]));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(!colour_is_danger(others[i]));
}

TEST(the_nearest_shade_will_do, "WEB-4,WEB-2")
{
	static const unsigned tried[] = { 0xffffff, 0xff0000, 0xffd24d, 0x00ff00, 0x00ffff, 0x7f7fff, 0x777777 };

	for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
		unsigned shade = colour_legible(tried[i]);

		CHECK(colour_contrast(shade) >= COLOUR_LEGIBLE);
		/* Not darker than it must be. */
		CHECK(colour_contrast(shade) < COLOUR_LEGIBLE + 0.1);
		for (int shift = 0; shift < 24; shift += 8)
			CHECK((shade >> shift & 0xff) <= (tried[i] >> shift & 0xff));
	}
	/* What is dark enough stays. */
	CHECK_INT(colour_legible(0x3f57d6), 0x3f57d6);
	CHECK_INT(colour_legible(0), 0);
}

TEST(colours_are_six_digits, "WEB-4")
{
	static const char *const wrong[] = { "", "#", "#fff", "3f57d6", "#3f57d", "#3f57d6 ", "#3f57d60", "#3g57d6", "red", "#-f57d6", "# f57d6", "\xc3\xa9#3f57d6" };
	char text[COLOUR_SIZE];

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(colour(wrong[i]) == 0xffffffff);
	CHECK_INT(colour("#3F57d6"), 0x3f57d6);
	colour_text(0x00000a, text);
	CHECK(strcmp(text, "#00000a") == 0);
}

TEST(pictures_are_typed_in_base64, "WEB-4,WEB-3")
{
	static const struct { const char *text, *bytes; } good[] = { { "aGVsbG8=", "hello" }, { "aGVs\nbG8 =\n", "hello" }, { "aGVsbA", "hell" }, { "aGVsbA==", "hell" },
		{ "data:image/png;base64,aGVs", "hel" } };
	static const char *const wrong[] = { "aGVsbG8=x", "a-_b", "data:image/png;base64;aGVs", "<svg>", "a\x01" };
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		CHECK_INT(logo_text(good[i].text, &out), 0);
		CHECK(strcmp(buf_str(&out), good[i].bytes) == 0);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK(logo_text(wrong[i], &out) < 0);
	CHECK(logo_take("", 0, &out) < 0 && logo_take("hello", 5, &out) < 0);
	buf_free(&out);
}

TEST_MAIN
