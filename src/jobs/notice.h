/* notice.h - keeps what the logs have gained as notices, and tells by mail who hears of it by default (notice/event.h). */
#ifndef JOBS_NOTICE_H
#define JOBS_NOTICE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "store/db.h"

/* Reads the templates; once, before any task runs. */
int notice_start(const struct conf *conf);
void notice_stop(void);
/* A task (table.h), for a tenant or, bound to none, the installation: notices of what the log has gained, and mails; several entries of one kind
 * become one mail. */
int notice_tell(struct db *db, clock_us now);
/* In the transaction that keeps it: a mail with a link, to each recipient of a report (REPORT as report_take gives it). */
int notice_report(struct db *db, const json_t *report, const char *period);

/* In which ROW is spoken to: its members language and date_format (store/language.h); "", or what there is not: English, and days as usual. */
struct words;
const struct words *notice_words(const json_t *row);
/* The same with days as usual in any case: for what programs read. */
const struct words *notice_words_usual(const json_t *row);
/* "https://console.example.net", of who is bound. */
const char *notice_console(struct db *db);
/* For mails of other tasks: one to each of PEOPLE ([{email, language, date_format}]), of a template of templates/mail; DOC and SUBJECT hold phrases, put into
 * words for each. */
int notice_mail(struct db *db, const json_t *people, const json_t *subject, const char *template, const json_t *doc);
/* Whether a mail server is set: 1, 0, or an error. */
int notice_can_mail(struct db *db);

#endif
