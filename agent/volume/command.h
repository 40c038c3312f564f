/* command.h - running a program of the system, without a shell, and waiting for it. */
#ifndef AGENT_VOLUME_COMMAND_H
#define AGENT_VOLUME_COMMAND_H

#define COMMAND_TEXT_MAX 512

/* ARGV[0] is looked up in the system's folders; environment empty but for PATH and LC_ALL=C; input from /dev/null. The last
 * bytes of its output go to TEXT, on one line. Returns its exit status (0-255), ERR_NOT_FOUND when there is no such program,
 * ERR_IO when it could not run or a signal ended it. */
int command_run(char *const argv[], char text[static COMMAND_TEXT_MAX]);

#endif
