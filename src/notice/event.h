/* event.h - what people are told of (NTF-2): the one table of events. The log is where they come from: an entry that fits a row raises its
 * event. Mails, groups, the bell, webhooks and the consoles' pages all read these rows; docs/notifications.md lists them. */
#ifndef NOTICE_EVENT_H
#define NOTICE_EVENT_H

#include <jansson.h>

#include "identity/permission.h"

/* Who hears by default: roles as an array of SQL. */
#define NOTICE_SECURITY "{account-administrator,security-administrator}"
#define NOTICE_ADMINISTRATORS "{account-administrator}"
#define NOTICE_APPROVERS "{account-administrator,key-approver}"
#define NOTICE_OPERATORS "{msp-administrator,system-operator}"
#define NOTICE_MANAGERS "{msp-administrator,tenant-manager}"
#define NOTICE_NOBODY "{}"

/* name, heading, severity, who hears by mail by default, who may see it; label, help;
 * event of the log, member of its detail and what that must be (NULL: any; "": not there), template of the default mail (NULL: the general one) */
#define NOTICE_EVENTS(X) \
	X("key-pending", "Key requests", WARNING, NOTICE_APPROVERS, INSTANCES_VIEW, "Key waits for approval", \
		"A machine asks for a key, and somebody has to approve or deny it.", "key.pending", NULL, NULL, "mail/key_pending") \
	X("key-not-together", "Key requests", WARNING, NOTICE_NOBODY, INSTANCES_VIEW, "Device and image are not in one policy", \
		"A key waits because the machine's image does not belong to the policy of the device.", "key.pending", "image", "not in the policy", NULL) \
	X("key-approved", "Key requests", INFO, NOTICE_APPROVERS, INSTANCES_VIEW, "Key approved automatically", \
		"All rules of the policy held, and it approves automatically.", "key.approved-automatically", "comment", "", "mail/key_approved") \
	X("key-approved-late", "Key requests", INFO, NOTICE_APPROVERS, INSTANCES_VIEW, "Key approved after the policy's time", \
		"Nobody decided in the time that the policy gives, and its rules still held.", "key.approved-automatically", "comment", \
		"after the policy's time", "mail/key_approved") \
	X("key-not-automatic", "Key requests", WARNING, NOTICE_NOBODY, INSTANCES_VIEW, "Key not approved after the policy's time", \
		"The time is over, but something is in the way of the approval: the request goes on waiting.", "key.not-automatic", NULL, NULL, NULL) \
	X("key-denied", "Key requests", WARNING, NOTICE_APPROVERS, INSTANCES_VIEW, "Key denied automatically", \
		"A rule of the policy did not hold, and it denies automatically.", "key.denied-automatically", NULL, NULL, "mail/key_denied") \
	X("integrity-failed", "Integrity", CRITICAL, NOTICE_SECURITY, INSTANCES_VIEW, "Integrity check failed", \
		"A machine that has its key does not satisfy the rules any more.", "key.integrity", "integrity", "failed", "mail/integrity_failed") \
	X("not-checked", "Integrity", WARNING, NOTICE_SECURITY, INSTANCES_VIEW, "Machine was not checked", \
		"An integrity check was due, and the machine's agent did not answer.", "instance.not-checked", NULL, NULL, "mail/not_checked") \
	X("revocation-pending", "Revocation", WARNING, NOTICE_SECURITY, INSTANCES_VIEW, "Key is going to be revoked", \
		"Announced for a time at which the key is taken back, unless somebody cancels it.", "key.revoke-announced", NULL, NULL, \
		"mail/revocation_announced") \
	X("revocation-cancelled", "Revocation", INFO, NOTICE_SECURITY, INSTANCES_VIEW, "Key revocation cancelled", \
		"A revocation that was announced does not take place.", "key.restored", NULL, NULL, "mail/revocation_cancelled") \
	X("revocation-ordered", "Revocation", WARNING, NOTICE_SECURITY, INSTANCES_VIEW, "Key is being revoked", \
		"The machine's agent has been told to close the volume and forget the key.", "key.revoke", NULL, NULL, "mail/revocation_ordered") \
	X("revocation-unanswered", "Revocation", CRITICAL, NOTICE_SECURITY, INSTANCES_VIEW, "Agent does not answer to a revocation", \
		"The volume may still be open.", "key.revoke-unanswered", NULL, NULL, "mail/revocation_unanswered") \
	X("revocation-done", "Revocation", WARNING, NOTICE_SECURITY, INSTANCES_VIEW, "Key revoked", \
		"The volume is closed, and the machine has no key any more.", "key.revoked", NULL, NULL, "mail/key_revoked") \
	X("key-granted-again", "Revocation", INFO, NOTICE_SECURITY, INSTANCES_VIEW, "Revoked key may be given back", \
		"The machine satisfies the rules again and may ask anew.", "key.granted-again", NULL, NULL, "mail/key_granted_again") \
	X("key-exported", "Keys", CRITICAL, NOTICE_SECURITY, DEVICES_VIEW, "Key exported", \
		"A device key left the server in a file: whoever has file and passphrase can open the volume.", "key.exported", NULL, NULL, \
		"mail/key_exported") \
	X("destruction-asked", "Keys", WARNING, NOTICE_SECURITY, DEVICES_VIEW, "Destruction of keys asked for", \
		"It waits for a second person and for its time.", "key.destroy", NULL, NULL, "mail/destroy_asked") \
	X("destruction-confirmed", "Keys", WARNING, NOTICE_SECURITY, DEVICES_VIEW, "Destruction of keys confirmed", \
		"A second person has agreed; it takes place at its time unless somebody cancels it.", "key.destroy-confirmed", NULL, NULL, \
		"mail/destroy_confirmed") \
	X("destruction-cancelled", "Keys", INFO, NOTICE_SECURITY, DEVICES_VIEW, "Destruction of keys cancelled", \
		"The keys stay.", "key.destroy-cancelled", NULL, NULL, "mail/destroy_cancelled") \
	X("keys-destroyed", "Keys", CRITICAL, NOTICE_SECURITY, DEVICES_VIEW, "Keys destroyed", \
		"What is on the volume cannot be read by anybody any more.", "key.destroyed", NULL, NULL, "mail/key_destroyed") \
	X("provisioning-done", "Provisioning", INFO, NOTICE_NOBODY, DEVICES_VIEW, "Device encrypted", \
		"Encryption that was asked for is done.", "device.encrypted", NULL, NULL, NULL) \
	X("provisioning-error", "Provisioning", CRITICAL, NOTICE_ADMINISTRATORS, DEVICES_VIEW, "Encryption failed", \
		"Encryption of a device was begun and came to nothing; the reason is given.", "device.failed", NULL, NULL, NULL) \
	X("provisioning-idle", "Provisioning", WARNING, NOTICE_ADMINISTRATORS, DEVICES_VIEW, "Encryption does not get on", \
		"Encryption was asked for, and for an hour nothing has happened: the machine may be off or its agent away.", "device.idle", NULL, NULL, NULL) \
	X("report-ready", "Reports", INFO, NOTICE_NOBODY, REPORTS_USE, "Report ready", \
		"A report has been made. Recipients of the report itself are told in any case.", "report.made", "keys", "no", NULL) \
	X("key-report-ready", "Reports", INFO, NOTICE_NOBODY, REPORTS_KEYS, "Report with key information ready", \
		"As above, of reports for Security Administrators alone.", "report.made", "keys", "yes", NULL) \
	X("report-failed", "Reports", WARNING, NOTICE_NOBODY, REPORTS_USE, "Report could not be made", \
		"The reason stands beside the report in the archive.", "report.failed", NULL, NULL, NULL) \
	X("report-stopped", "Reports", WARNING, NOTICE_ADMINISTRATORS, REPORTS_USE, "Report is no longer made", \
		"Its owner may not have such reports any more; somebody who may has to save it anew.", "report.stopped", NULL, NULL, NULL) \
	X("report-storage", "Reports", WARNING, NOTICE_ADMINISTRATORS, REPORTS_USE, "Storage of reports is nearly used up", \
		"When it is full no further report is made. Those that are there stay until their time is over or somebody deletes them.", "report.storage", NULL, NULL, NULL) \
	X("licence", "Account", WARNING, NOTICE_ADMINISTRATORS, ACCOUNT_VIEW, "Licence near its limit or its end", \
		"Keys in use come near the licensed number, or the licence near its end.", "licence.warning", NULL, NULL, "mail/licence") \
	X("new-place", "Account", WARNING, NOTICE_NOBODY, USERS_VIEW, "Sign-in from a new place", \
		"A user signed in with a browser that was not known for that user, who is told in any case.", "user.new-place", NULL, NULL, NULL) \
	X("user-locked", "Account", WARNING, NOTICE_NOBODY, USERS_VIEW, "User locked", \
		"Too many sign-ins failed.", "user.locked", NULL, NULL, NULL) \
	X("log-altered", "Account", CRITICAL, NOTICE_SECURITY, LOGS_VIEW, "The log was altered", \
		"Entries that are to be archived are not as they were written, or are missing.", "log.altered", NULL, NULL, NULL) \
	X("webhook-stopped", "Account", WARNING, NOTICE_ADMINISTRATORS, ACCOUNT_VIEW, "Webhook switched off", \
		"Its receiver did not take what was sent, several times running.", "webhook.stopped", NULL, NULL, NULL) \
	X("key-server-away", "Servers", CRITICAL, NOTICE_ADMINISTRATORS, ACCOUNT_VIEW, "Key server is away", \
		"Keys that are kept there cannot be given out; open volumes stay open.", "key-server.away", NULL, NULL, NULL) \
	X("key-server-back", "Servers", INFO, NOTICE_ADMINISTRATORS, ACCOUNT_VIEW, "Key server is back", \
		"Requests that waited for it go on automatically.", "key-server.back", NULL, NULL, NULL) \
	X("certificate-ends", "Servers", WARNING, NOTICE_ADMINISTRATORS, ACCOUNT_VIEW, "Certificate ends", \
		"One that single sign-on, a directory, a key server or the log's receiver is known by. What needs it fails then.", "certificate.ends", NULL, NULL, NULL) \
	X("installation-key-server-away", "Servers", CRITICAL, NOTICE_OPERATORS, SYSTEM_VIEW, "Key server is away", \
		"Keys that are kept there cannot be given out; open volumes stay open.", "key-server.away", NULL, NULL, NULL) \
	X("installation-key-server-back", "Servers", INFO, NOTICE_OPERATORS, SYSTEM_VIEW, "Key server is back", \
		"Requests that waited for it go on automatically.", "key-server.back", NULL, NULL, NULL) \
	X("server-trouble", "Servers", CRITICAL, NOTICE_OPERATORS, SYSTEM_VIEW, "A part of the server is in trouble", \
		"Processes, job queue, disks, clocks, keys, mail or backups: which, why, and what to do is said.", "health.lost", NULL, NULL, NULL) \
	X("server-well", "Servers", INFO, NOTICE_OPERATORS, SYSTEM_VIEW, "A part of the server is well again", \
		"What was in trouble works again.", "health.back", NULL, NULL, NULL) \
	X("installation-log-altered", "Servers", CRITICAL, NOTICE_OPERATORS, SYSTEM_VIEW, "A log was altered", \
		"Entries of an account's log or of the system log are not as they were written, or are missing: keyward audit verify on the server says which.", \
		"log.altered", NULL, NULL, NULL) \
	X("operator-webhook-stopped", "Servers", WARNING, NOTICE_OPERATORS, SYSTEM_VIEW, "Webhook switched off", \
		"Its receiver did not take what was sent, several times running.", "webhook.stopped", NULL, NULL, NULL) \
	X("given-up", "Servers", WARNING, NOTICE_OPERATORS, SYSTEM_VIEW, "Something was given up", \
		"Mails, deliveries of webhooks or jobs that were tried as often as they may be. Told again daily while there are more.", "health.given-up", NULL, NULL, NULL) \
	X("server-started", "Servers", INFO, NOTICE_NOBODY, SYSTEM_VIEW, "Server started", \
		"The web service was started.", "server.started", NULL, NULL, NULL) \
	X("tenant-licence", "Tenants", WARNING, NOTICE_MANAGERS, LICENCES_VIEW, "Licence of a tenant near its limit or its end", \
		"Its keys in use come near the licensed number, or the licence near its end: a new activation code is issued under Licences.", \
		"licence.warning", NULL, NULL, NULL) \
	X("operator-new-place", "Operators", WARNING, NOTICE_NOBODY, OPERATORS_VIEW, "Operator signed in from a new place", \
		"With a browser that was not known for that operator, who is told in any case.", "user.new-place", NULL, NULL, NULL) \
	X("operator-report-ready", "Reports", INFO, NOTICE_NOBODY, SUMMARIES_USE, "Report ready", \
		"A report has been made. Recipients of the report itself are told in any case.", "report.made", NULL, NULL, NULL) \
	X("operator-report-failed", "Reports", WARNING, NOTICE_NOBODY, SUMMARIES_USE, "Report could not be made", \
		"The reason stands beside the report in the archive.", "report.failed", NULL, NULL, NULL) \
	X("operator-report-stopped", "Reports", WARNING, NOTICE_OPERATORS, SUMMARIES_USE, "Report is no longer made", \
		"Its owner may not have such reports any more; somebody who may has to save it anew.", "report.stopped", NULL, NULL, NULL)

/* name in the database and for webhooks, what pages call it, its colour there */
#define NOTICE_SEVERITIES(X) \
	X(INFO, "info", "Information", "blue") \
	X(WARNING, "warning", "Warning", "orange") \
	X(CRITICAL, "critical", "Critical", "red")

enum notice_severity {
#define X(id, ...) NOTICE_##id,
	NOTICE_SEVERITIES(X)
#undef X
};

struct notice_event {
	const char *name, *heading;
	enum notice_severity severity;
	const char *roles;
	enum permission sees;        /* its side, a tenant's or the operator's, is the event's side */
	const char *label, *help;    /* English */
	const char *entry, *only, *is, *template;
};

extern const struct notice_event notice_events[];        /* ends with a NULL name */

int notice_event_of_operator(const struct notice_event *e);
/* NULL: none of that name on that side. */
const struct notice_event *notice_event_find(const char *name, int operator_side);
/* Whether ENTRY ({event, detail} of a log) raises E. */
int notice_event_fits(const struct notice_event *e, const json_t *entry);
/* Names of what ENTRY raises on a side, the most particular first; an array, the caller's. */
json_t *notice_event_names(const json_t *entry, int operator_side);
/* Arrays of SQL ("{a,b}"), the caller's: the log's events that a side's rows name; the events that ROLE may see. */
char *notice_event_entries(int operator_side);
char *notice_event_visible(enum role role);
const char *notice_severity_name(enum notice_severity s);
const char *notice_severity_label(enum notice_severity s);
const char *notice_severity_colour(enum notice_severity s);
enum notice_severity notice_severity_of(const char *name);
/* Path of the page about an object of the log ("/devices/..."); the caller's. ID may be "". */
char *notice_path(const char *kind, const char *id);

#endif
