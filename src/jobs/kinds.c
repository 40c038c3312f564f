/* kinds.c - the table of kinds of jobs. */
#include "jobs/bulk.h"
#include "jobs/close.h"
#include "jobs/deep_security.h"
#include "jobs/key_server.h"
#include "jobs/log_forward.h"
#include "jobs/log_keep.h"
#include "jobs/mail.h"
#include "jobs/report.h"
#include "jobs/rewrap.h"
#include "jobs/webhook.h"
#include "jobs/what_if.h"
#include "jobs/work.h"
#include "store/bulk.h"
#include "store/closing.h"
#include "store/deep_security.h"
#include "store/key_server.h"
#include "store/log_forward.h"
#include "store/report.h"
#include "store/rewrap.h"
#include "store/webhook.h"
#include "store/what_if.h"

const struct work_kind work_kinds[] = {
	{ DEEP_SECURITY_JOB_TEST, CLOCK_MINUTE, 1, CLOCK_SECOND, deep_security_job_test },
	{ DEEP_SECURITY_JOB_ASK, CLOCK_MINUTE, 3, 5 * CLOCK_SECOND, deep_security_job_ask },
	{ BULK_JOB, CLOCK_MINUTE, 5, CLOCK_SECOND, bulk_job },
	{ REPORT_JOB, CLOCK_MINUTE, REPORT_ATTEMPTS, 5 * CLOCK_SECOND, report_job },
	{ WHAT_IF_JOB, CLOCK_MINUTE, 20, CLOCK_SECOND, what_if_job },
	/* Until it is done: an account whose key is gone must not stay half there. */
	{ CLOSING_JOB, CLOCK_MINUTE, 100000, CLOCK_SECOND, close_job },
	{ CLOSING_EXPORT_JOB, CLOCK_MINUTE, 5, 5 * CLOCK_SECOND, close_job_export },
	/* Until it is done: entries that were altered stay where they are until somebody has looked at them. */
	{ AUDIT_KEEP_JOB, CLOCK_MINUTE, 100000, 5 * CLOCK_SECOND, log_keep_job },
	{ KEY_SERVER_JOB, CLOCK_MINUTE, 1, CLOCK_SECOND, key_server_job, 1 },
	{ LOG_FORWARD_JOB, 2 * CLOCK_MINUTE, 1, CLOCK_SECOND, log_forward_job, 1 },
	/* Until it is done: keys that nobody wraps again would keep the former one in use. */
	{ ROTATION_ROOT_JOB, CLOCK_MINUTE, 1000, CLOCK_SECOND, rotation_job_root },
	{ ROTATION_TENANT_JOB, CLOCK_MINUTE, 1000, CLOCK_SECOND, rotation_job_tenant },
	/* For about half an hour; then the next event is worth more. */
	{ WEBHOOK_JOB, CLOCK_MINUTE, WEBHOOK_ATTEMPTS, 10 * CLOCK_SECOND, webhook_job, 1 },
	/* For about a day and a half. */
	{ "mail", 2 * CLOCK_MINUTE, 40, 30 * CLOCK_SECOND, mail_job, 1 },
	{ "mail-test", 2 * CLOCK_MINUTE, 1, CLOCK_SECOND, mail_job_test },
	{ NULL },
};
