/* syslog.h - an entry of the log as others' log systems read it: a syslog message (RFC 5424) in a frame of its own (RFC 5425, 4.3), whose text is
 * words and details, or CEF, or JSON. Pure. docs/operations.md has the fields. */
#ifndef AUDIT_SYSLOG_H
#define AUDIT_SYSLOG_H

#include "audit/chain.h"

#define SYSLOG_MESSAGE_MAX 8192  /* bytes that every receiver should take (RFC 5425, 4.3.1) */

enum syslog_format { SYSLOG_PLAIN, SYSLOG_CEF, SYSLOG_JSON, SYSLOG_FORMAT_COUNT };
/* -1: none is called that. */
int syslog_format_find(const char *name);

/* Appends one frame. HOST: what this installation is called; LABEL: what people call the event. Details that would make it longer than
 * SYSLOG_MESSAGE_MAX are left out, and the message says so. */
void syslog_write(const struct audit_entry *e, enum syslog_format f, const char *host, const char *label, struct buf *out);

#endif
