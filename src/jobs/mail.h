/* mail.h - jobs that send mail: one to one recipient, {to, subject, text}; a test mail, {to, subject, text, test}. */
#ifndef JOBS_MAIL_H
#define JOBS_MAIL_H

#include "jobs/work.h"

int mail_job(struct work *w);
int mail_job_test(struct work *w);

#endif
