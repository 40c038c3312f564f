/* prompt.c - see prompt.h. */
#include "base/prompt.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"

int prompt_is_person(void)
{
	return isatty(STDIN_FILENO);
}

/* Byte by byte, so that nothing of it stays in a buffer of the library. */
static size_t read_line(struct secret *line)
{
	size_t len = 0;

	while (len < line->len && read(STDIN_FILENO, line->data + len, 1) == 1 && line->data[len] != '\n')
		len++;
	return len;
}

int prompt_secret(const char *question, size_t max, struct secret **out)
{
	struct secret *line = secret_new(max + 1);
	struct termios shown, hidden;
	int asks = tcgetattr(STDIN_FILENO, &shown) == 0;
	size_t len;

	if (asks) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		fputs(question, stderr);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	len = read_line(line);
	if (asks) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (len <= max)
		*out = secret_take(line->data, len);
	secret_free(line);
	return len <= max ? 0 : err_set(ERR_TOO_LARGE, "more than %zu bytes", max);
}
