/* command.h - running a program of the system, without a shell, and waiting for it. */
#ifndef AGENT_VOLUME_COMMAND_H
#define AGENT_VOLUME_COMMAND_H

#include <stddef.h>

#include "base/buf.h"

#define COMMAND_TEXT_MAX 512

/* ARGV[0] is looked up in the system's folders; environment empty but for PATH and LC_ALL=C; input from /dev/null. The last
 * bytes of its output go to TEXT, on one line. Returns its exit status (0-255), ERR_NOT_FOUND when there is no such program,
 * ERR_IO when it could not run or a signal ended it. */
int command_run(char *const argv[], char text[static COMMAND_TEXT_MAX]);
/* The same for a program that is asked something: its output is appended to OUT. ERR_TIMEOUT after LIMIT_MS, ERR_TOO_LARGE over MAX
 * bytes: it is killed. What it says on its standard error is dropped. */
int command_output(char *const argv[], int limit_ms, size_t max, struct buf *out);

#endif
