/* check.h - the frame of a unit test program: named tests, each with the SPEC lines that it covers.
 *
 *     TEST(uuid_sorts_by_time, "RUN-1") { CHECK(uuid_equal(&a, &a)); }
 *     TEST_MAIN
 *
 * Without arguments runs all and prints a line each; `--list` prints "name SPEC,LINES"; names as arguments run those. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_test {
	const char *name, *covers;
	void (*run)(void);
	struct check_test *next;
};

static struct check_test *check_tests;
static int check_failures;

#define TEST(name_, covers_) \
	static void test_##name_(void); \
	static struct check_test check_##name_ = { #name_, covers_, test_##name_, NULL }; \
	__attribute__((constructor)) static void check_add_##name_(void) \
	{ \
		struct check_test **at = &check_tests; \
		while (*at) \
			at = &(*at)->next; \
		*at = &check_##name_; \
	} \
	static void test_##name_(void)

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			printf("    %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			check_failures++; \
		} \
	} while (0)

#define CHECK_STR(got, want) \
	do { \
		const char *got_ = (got), *want_ = (want); \
		if (got_ == NULL || strcmp(got_, want_) != 0) { \
			printf("    %s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, got_ ? got_ : "(null)", want_); \
			check_failures++; \
		} \
	} while (0)

#define CHECK_INT(got, want) \
	do { \
		long long got_ = (got), want_ = (want); \
		if (got_ != want_) { \
			printf("    %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_); \
			check_failures++; \
		} \
	} while (0)

static inline int check_wanted(const struct check_test *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], t->name) == 0)
			return 1;
	return argc < 2;
}

static inline int check_main(int argc, char **argv)
{
	int failed = 0;

	/* The runner times the lines, and wants those before a crash. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct check_test *t = check_tests; t; t = t->next) {
		if (argc == 2 && strcmp(argv[1], "--list") == 0) {
			printf("%s %s\n", t->name, t->covers);
			continue;
		}
		if (!check_wanted(t, argc, argv))
			continue;
		check_failures = 0;
		t->run();
		printf("%s %s\n", check_failures ? "FAIL" : "ok", t->name);
		failed += check_failures != 0;
	}
	return failed != 0;
}

#define TEST_MAIN \
	int main(int argc, char **argv) \
	{ \
		return check_main(argc, argv); \
	}

#endif
