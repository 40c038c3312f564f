/* deep_security.h - jobs that ask a tenant's Deep Security Manager. */
#ifndef JOBS_DEEP_SECURITY_H
#define JOBS_DEEP_SECURITY_H

#include "jobs/work.h"

int deep_security_job_test(struct work *w);
int deep_security_job_ask(struct work *w);

#endif
