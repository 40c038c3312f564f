/* log.c - one line per event on stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

static const char *process = "keyward";
static enum log_level threshold = LOG_LEVEL_INFO;
static const char *const level_names[] = { "debug", "info", "warning", "error" };
/* As syslog(3) and the journal count them. */
static const char level_numbers[] = { '7', '6', '4', '3' };
static int to_journal, to_people;
static void (*before_line)(void);

/* systemd says which stream is the journal's: standard error may have gone elsewhere since (systemd.exec(5)). */
static int is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0
		&& st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *name, enum log_level least)
{
	process = name;
	threshold = least;
	to_journal = is_journal();
	to_people = 0;
}

void log_open_for_people(const char *name, enum log_level least, void (*before)(void))
{
	log_open(name, least);
	to_people = 1;
	before_line = before;
}

void log_set_level(enum log_level least)
{
	threshold = least;
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (int i = 0; i <= LOG_LEVEL_ERROR; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "log level is debug, info, warning or error");
}

/* True where VALUE can stand without quotes. */
static int is_plain(const char *value)
{
	if (*value == '\0')
		return 0;
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("\"=\\", *c))
			return 0;
	}
	return 1;
}

static void add_value(struct buf *line, const char *value)
{
	if (value == NULL) {
		buf_putc(line, '-');
		return;
	}
	if (is_plain(value)) {
		buf_puts(line, value);
		return;
	}
	buf_putc(line, '"');
	for (const char *c = value; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_printf(line, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buf_printf(line, "\\x%02x", (unsigned char)*c);
		else
			buf_putc(line, *c);
	}
	buf_putc(line, '"');
}

static void add_members(struct buf *line, va_list ap)
{
	const char *between = to_people ? " (" : " ", *name;

	while ((name = va_arg(ap, const char *)) != NULL) {
		buf_printf(line, "%s%s%c", between, name, to_people ? ' ' : '=');
		add_value(line, va_arg(ap, const char *));
		between = to_people ? ", " : " ";
	}
	if (strcmp(between, ", ") == 0)
		buf_putc(line, ')');
}

static void write_line(enum log_level level, const char *event, va_list ap)
{
	struct buf line = BUF_INIT;
	char now[CLOCK_TEXT_SIZE];

	clock_text(clock_now(), now);
	/* The journal keeps time and level by itself. */
	if (to_people)
		buf_printf(&line, "%s: %s", process, event);
	else if (to_journal)
		buf_printf(&line, "<%c>%s %s", level_numbers[level], process, event);
	else
		buf_printf(&line, "%s %s %s %s", now, process, level_names[level], event);
	add_members(&line, ap);
	buf_putc(&line, '\n');
	if (to_people && before_line)
		before_line();
	/* One write per line keeps lines whole when several processes share the pipe. Nobody is left to tell if it fails. */
	ssize_t ignored = write(STDERR_FILENO, line.data, line.len);

	(void)ignored;
	buf_free(&line);
}

#define LOG_FUNCTION(name, level) \
	void name(const char *event, ...) \
	{ \
		va_list ap; \
		if (level < threshold) \
			return; \
		va_start(ap, event); \
		write_line(level, event, ap); \
		va_end(ap); \
	}

LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
