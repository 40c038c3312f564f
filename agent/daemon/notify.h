/* notify.h - a word to systemd, where it started us (sd_notify(3), the protocol under "Notes"). */
#ifndef AGENT_DAEMON_NOTIFY_H
#define AGENT_DAEMON_NOTIFY_H

/* "READY=1", ... Does nothing without NOTIFY_SOCKET. */
void notify(const char *text);

#endif
