/* log.h - one line per event on stderr, for whatever gathers it (journald, `make run`). Libraries do not log; processes do.
 *
 *     log_info("agent registered", "tenant", tenant_text, "agent", agent_text, NULL);
 *     2026-11-21T09:30:00.000Z keyd info agent registered tenant=... agent="..."
 *
 * Where standard error is systemd's journal, which keeps time and level by itself: <6>keyd agent registered tenant=...
 *
 * Values are quoted where needed and control characters escaped, so a line is always one event. Never pass a secret. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* NAME of the process, shown in each line; it must live as long as the process. To be called again when standard error goes elsewhere. */
void log_open(const char *name, enum log_level least);
/* For a program that somebody has called by hand: "NAME: event (name value, name value)", without time and level. BEFORE is called before
 * each line, to end what the cursor stands behind; NULL: nothing. */
void log_open_for_people(const char *name, enum log_level least, void (*before)(void));
void log_set_level(enum log_level least);
int log_level_parse(const char *name, enum log_level *out);  /* "debug", "info", "warning", "error" */

/* EVENT, then pairs of name and value (const char *; a NULL value prints as -), then a NULL name. */
void log_debug(const char *event, ...) __attribute__((sentinel));
void log_info(const char *event, ...) __attribute__((sentinel));
void log_warning(const char *event, ...) __attribute__((sentinel));
void log_error(const char *event, ...) __attribute__((sentinel));

#endif
