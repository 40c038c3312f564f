/* kinds.c - the table of kinds of jobs. */
#include "jobs/bulk.h"
#include "jobs/deep_security.h"
#include "jobs/mail.h"
#include "jobs/what_if.h"
#include "jobs/work.h"
#include "store/bulk.h"
#include "store/deep_security.h"
#include "store/what_if.h"

const struct work_kind work_kinds[] = {
	{ DEEP_SECURITY_JOB_TEST, CLOCK_MINUTE, 1, CLOCK_SECOND, deep_security_job_test },
	{ DEEP_SECURITY_JOB_ASK, CLOCK_MINUTE, 3, 5 * CLOCK_SECOND, deep_security_job_ask },
	{ BULK_JOB, CLOCK_MINUTE, 5, CLOCK_SECOND, bulk_job },
	{ WHAT_IF_JOB, CLOCK_MINUTE, 20, CLOCK_SECOND, what_if_job },
	/* For about a day and a half. */
	{ "mail", 2 * CLOCK_MINUTE, 40, 30 * CLOCK_SECOND, mail_job, 1 },
	{ "mail-test", 2 * CLOCK_MINUTE, 1, CLOCK_SECOND, mail_job_test },
	{ NULL },
};
