/* kinds.c - the table of kinds of jobs. */
#include "jobs/bulk.h"
#include "jobs/close.h"
#include "jobs/deep_security.h"
#include "jobs/key_server.h"
#include "jobs/log_forward.h"
#include "jobs/log_keep.h"
#include "jobs/log_search.h"
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
	{ DEEP_SECURITY_JOB_TEST, WORK_DEEP_SECURITY, CLOCK_MINUTE, 1, CLOCK_SECOND, deep_security_job_test },
	{ DEEP_SECURITY_JOB_ASK, WORK_DEEP_SECURITY, CLOCK_MINUTE, 3, 5 * CLOCK_SECOND, deep_security_job_ask },
	{ BULK_JOB, WORK_OURS, CLOCK_MINUTE, 5, CLOCK_SECOND, bulk_job },
	{ REPORT_JOB, WORK_OURS, CLOCK_MINUTE, REPORT_ATTEMPTS, 5 * CLOCK_SECOND, report_job },
	{ WHAT_IF_JOB, WORK_OURS, CLOCK_MINUTE, 20, CLOCK_SECOND, what_if_job },
	/* Until it is done: an account whose key is gone must not stay half there. */
	{ CLOSING_JOB, WORK_OURS, CLOCK_MINUTE, 100000, CLOCK_SECOND, close_job },
	{ CLOSING_EXPORT_JOB, WORK_OURS, CLOCK_MINUTE, 5, 5 * CLOCK_SECOND, close_job_export },
	/* Until it is done: entries that were altered stay where they are until somebody has looked at them. */
	{ AUDIT_KEEP_JOB, WORK_OURS, CLOCK_MINUTE, 100000, 5 * CLOCK_SECOND, log_keep_job },
	{ LOG_SEARCH_JOB, WORK_OURS, CLOCK_MINUTE, 100000, 5 * CLOCK_SECOND, log_search_job },
	{ KEY_SERVER_JOB, WORK_KEY_SERVER, CLOCK_MINUTE, 1, CLOCK_SECOND, key_server_job },
	{ LOG_FORWARD_JOB, WORK_LOG, 2 * CLOCK_MINUTE, 1, CLOCK_SECOND, log_forward_job },
	/* Until it is done: keys that nobody wraps again would keep the former one in use. */
	{ ROTATION_ROOT_JOB, WORK_OURS, ROTATION_LEASE, 1000, CLOCK_SECOND, rotation_job_root },
	{ ROTATION_TENANT_JOB, WORK_OURS, ROTATION_LEASE, 1000, CLOCK_SECOND, rotation_job_tenant },
	/* For about half an hour; then the next event is worth more. */
	{ WEBHOOK_JOB, WORK_WEBHOOK, CLOCK_MINUTE, WEBHOOK_ATTEMPTS, 10 * CLOCK_SECOND, webhook_job },
	/* For about a day and a half. */
	{ "mail", WORK_MAIL, 2 * CLOCK_MINUTE, 40, 30 * CLOCK_SECOND, mail_job },
	/* For an operator who waits to see it, perhaps because mails do not get on. */
	{ "mail-test", WORK_OURS, 2 * CLOCK_MINUTE, 1, CLOCK_SECOND, mail_job_test },
	{ NULL },
};
