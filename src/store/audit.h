/* audit.h - the log (LOG-1 to LOG-3): the table of events, appending inside the caller's transaction, queries, verification.
 *
 * Every function of the store that changes something appends its entry itself; other code appends only for what is no change
 * in the database (a server's start, a key handed out). Details never hold a secret. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

struct audit_entry;              /* audit/chain.h */

/* LOG-1: name in the database, what pages call it; whether the installation's own log has such, which knows nothing of machines and policies */
#define AUDIT_CATEGORIES(X) \
	X(AGENT, "agent", "Agent events", 0) \
	X(KEY, "key", "Key actions", 1) \
	X(POLICY, "policy", "Policy events", 0) \
	X(USER, "user", "User events", 1) \
	X(DEVICE, "device", "Device events", 0) \
	X(REPORT, "report", "Report events", 1) \
	X(SYSTEM, "system", "System events", 1)

/* id, name in the database, category, what pages call it */
#define AUDIT_EVENTS(X) \
	X(SERVER_STARTED, "server.started", SYSTEM, "Server started") \
	X(SERVER_STOPPED, "server.stopped", SYSTEM, "Server stopped") \
	X(LOG_ALTERED, "log.altered", SYSTEM, "Entries of the log are not as they were written: they are not archived") \
	X(LOG_ARCHIVED, "log.archived", SYSTEM, "Month of the log put into the archive") \
	X(LOG_ARCHIVE_READ, "log.archive-downloaded", SYSTEM, "Archived month of the log downloaded") \
	X(LOG_ARCHIVE_DELETED, "log.archive-deleted", SYSTEM, "Archived month of the log deleted") \
	X(LOG_ARCHIVE_EXPIRED, "log.archive-expired", SYSTEM, "Archived month of the log removed, its time was over") \
	X(SETUP_DONE, "setup.done", SYSTEM, "Installation set up") \
	X(SETUP_REFUSED, "setup.refused", SYSTEM, "Set-up code refused") \
	X(JOB_RETRIED, "job.retried", SYSTEM, "Job tried again by the operator") \
	X(JOB_DROPPED, "job.removed", SYSTEM, "Job removed by the operator") \
	X(SETTING_CHANGED, "setting.changed", SYSTEM, "Setting changed") \
	X(BRAND_CHANGED, "brand.changed", SYSTEM, "Appearance changed") \
	X(DIRECTORY, "directory.changed", SYSTEM, "Directory changed") \
	X(DEEP_SECURITY, "deep-security.changed", SYSTEM, "Deep Security connection changed") \
	X(LOG_FORWARD_CHANGED, "log-forward.changed", SYSTEM, "Forwarding of the log changed") \
	X(LOG_FORWARD_REMOVED, "log-forward.removed", SYSTEM, "Forwarding of the log ended") \
	X(LOG_FORWARD_AWAY, "log-forward.away", SYSTEM, "Receiver of the log is away") \
	X(LOG_FORWARD_LOST, "log-forward.lost", SYSTEM, "Entries went before the receiver of the log had them") \
	X(LOG_FORWARD_BACK, "log-forward.back", SYSTEM, "Receiver of the log is back") \
	X(KEY_SERVER_CHANGED, "key-server.changed", SYSTEM, "Key server changed") \
	X(KEY_SERVER_REMOVED, "key-server.removed", SYSTEM, "Key server removed") \
	X(KEY_SERVER_AWAY, "key-server.away", SYSTEM, "Key server is away") \
	X(KEY_SERVER_BACK, "key-server.back", SYSTEM, "Key server is back") \
	X(CERTIFICATE_ENDS, "certificate.ends", SYSTEM, "Certificate of a setting ends") \
	X(KEY_PLACE, "key-place.changed", SYSTEM, "Where keys of new devices are kept changed") \
	X(TENANT_CREATED, "tenant.created", SYSTEM, "Account created") \
	X(TENANT_CHANGED, "tenant.changed", SYSTEM, "Account changed") \
	X(TENANT_SUSPENDED, "tenant.suspended", SYSTEM, "Account suspended") \
	X(TENANT_RESUMED, "tenant.resumed", SYSTEM, "Account resumed") \
	X(TENANT_CLOSING, "tenant.closing", SYSTEM, "Account is being closed") \
	X(TENANT_KEPT, "tenant.kept", SYSTEM, "Announced closing of the account cancelled") \
	X(DATA_EXPORT, "data.export", SYSTEM, "Export of the account's data asked for") \
	X(DATA_EXPORTED, "data.exported", SYSTEM, "Export of the account's data downloaded") \
	X(TENANT_CLOSED, "tenant.closed", SYSTEM, "Account closed") \
	X(TENANT_ADMIN_INVITED, "tenant.admin-invited", SYSTEM, "First administrator invited") \
	X(ACCOUNT_CHANGED, "account.changed", SYSTEM, "Account settings changed") \
	X(API_TOKEN, "api-token.made", SYSTEM, "API token made") \
	X(API_TOKEN_REVOKED, "api-token.revoked", SYSTEM, "API token revoked") \
	X(QUOTA_CHANGED, "quota.changed", SYSTEM, "Quotas of the account changed") \
	X(SIGNING_KEY, "signing-key.made", SYSTEM, "Key made that the installation signs with") \
	X(LICENCE_ISSUED, "licence.issued", SYSTEM, "Activation code issued") \
	X(LICENCE_ASSIGNED, "licence.assigned", SYSTEM, "Licence put into force by the operator") \
	X(LICENCE_ENTERED, "licence.entered", SYSTEM, "Activation code entered") \
	X(LICENCE_WARNING, "licence.warning", SYSTEM, "Licence is near its limit or its end") \
	X(NOTICE_GROUP_CREATED, "notice-group.created", SYSTEM, "Notification group created") \
	X(NOTICE_GROUP_CHANGED, "notice-group.changed", SYSTEM, "Notification group changed") \
	X(NOTICE_GROUP_DELETED, "notice-group.deleted", SYSTEM, "Notification group deleted") \
	X(NOTICE_GROUP_TESTED, "notice-group.tested", SYSTEM, "Test of a notification group sent") \
	X(WEBHOOK_CREATED, "webhook.created", SYSTEM, "Webhook created") \
	X(WEBHOOK_CHANGED, "webhook.changed", SYSTEM, "Webhook changed") \
	X(WEBHOOK_DELETED, "webhook.deleted", SYSTEM, "Webhook deleted") \
	X(WEBHOOK_SECRET, "webhook.secret", SYSTEM, "New secret made for a webhook") \
	X(WEBHOOK_TESTED, "webhook.tested", SYSTEM, "Test of a webhook sent") \
	X(WEBHOOK_STOPPED, "webhook.stopped", SYSTEM, "Webhook switched off after failures") \
	X(HEALTH_LOST, "health.lost", SYSTEM, "A part of the server is in trouble") \
	X(HEALTH_BACK, "health.back", SYSTEM, "A part of the server is well again") \
	X(GIVEN_UP, "health.given-up", SYSTEM, "Mails, deliveries or jobs were given up") \
	X(PASSPHRASE_SET, "passphrase.set", SYSTEM, "Provisioning passphrase set") \
	X(PASSPHRASE_SHOWN, "passphrase.shown", SYSTEM, "Provisioning passphrase shown") \
	X(USER_CREATED, "user.created", USER, "User created") \
	X(USER_INVITED, "user.invited", USER, "User invited") \
	X(USER_ACCEPTED, "user.accepted", USER, "Invitation accepted") \
	X(USER_CHANGED, "user.changed", USER, "User changed") \
	X(USER_DELETED, "user.deleted", USER, "User deleted") \
	X(USER_SIGNED_IN, "user.signed-in", USER, "Signed in") \
	X(USER_SIGN_IN_FAILED, "user.sign-in-failed", USER, "Sign-in failed") \
	X(USER_LOCKED, "user.locked", USER, "User locked after failed sign-ins") \
	X(USER_SIGNED_OUT, "user.signed-out", USER, "Signed out") \
	X(SESSION_REVOKED, "session.revoked", USER, "Session ended by its owner") \
	X(SESSION_WALL_MADE, "session.wall", USER, "Browser left as a display") \
	X(PASSWORD_RESET_SENT, "password.reset-sent", USER, "Password link sent") \
	X(PASSWORD_RESET_ASKED, "password.reset-asked", USER, "Link for a forgotten password asked for") \
	X(PASSWORD_CHANGED, "password.changed", USER, "Password changed") \
	X(USER_LINKED, "user.linked", USER, "User linked to the identity provider") \
	X(SSO_REFUSED, "sso.refused", USER, "Message of the identity provider refused") \
	X(SSO_SIGNED_OUT, "sso.signed-out", USER, "Signed out by the identity provider") \
	X(SSO_KEY, "sso.key", SYSTEM, "Key for single sign-on made") \
	X(SSO_KEY_NEXT, "sso.key-next", SYSTEM, "Next key for single sign-on made") \
	X(SSO_KEY_USED, "sso.key-used", SYSTEM, "Other key for single sign-on taken into use") \
	X(SSO_KEY_REMOVED, "sso.key-removed", SYSTEM, "Second key for single sign-on removed") \
	X(SSO_REMOVED, "sso.removed", SYSTEM, "Single sign-on removed") \
	X(SSO_PROVIDER, "sso.provider", SYSTEM, "Identity provider changed") \
	X(SSO_CHANGED, "sso.changed", SYSTEM, "Single sign-on changed") \
	X(USER_NEW_PLACE, "user.new-place", USER, "Signed in with a browser that was not known") \
	X(FACTOR_ADDED, "factor.added", USER, "Second factor set up") \
	X(FACTOR_REMOVED, "factor.removed", USER, "Second factor removed") \
	X(FACTOR_CODES, "factor.codes", USER, "New recovery codes made") \
	X(FACTOR_FAILED, "factor.failed", USER, "Code of the second factor refused") \
	X(AGENT_REGISTERED, "agent.registered", AGENT, "Agent registered") \
	X(AGENT_REFUSED, "agent.refused", AGENT, "Agent registration refused") \
	X(AGENT_REMOVED, "agent.removed", AGENT, "Agent removed") \
	X(AGENT_BOOTED, "agent.booted", AGENT, "Agent started") \
	X(AGENT_SHUT_DOWN, "agent.shut-down", AGENT, "Agent shut down") \
	X(AGENT_INSECURE_TLS, "agent.insecure-tls", AGENT, "Agent's certificate checks are switched off") \
	X(AGENT_SECURE_TLS, "agent.secure-tls", AGENT, "Agent's certificate checks are on again") \
	X(AGENT_ORDERED, "agent.ordered", AGENT, "Order given to an agent") \
	X(AGENT_ORDER_DONE, "agent.order-done", AGENT, "Agent carried out an order") \
	X(AGENT_ORDER_FAILED, "agent.order-failed", AGENT, "Agent could not carry out an order") \
	X(INSTANCE_CREATED, "instance.created", AGENT, "Instance seen for the first time") \
	X(INSTANCE_MISSING, "instance.missing", AGENT, "Instance is missing") \
	X(INSTANCE_BACK, "instance.back", AGENT, "Instance is back") \
	X(INSTANCE_DELETED, "instance.deleted", AGENT, "Instance removed from the list") \
	X(INSTANCE_NOT_CHECKED, "instance.not-checked", AGENT, "Instance was not checked") \
	X(INTEGRITY_RUN, "integrity.run", POLICY, "Scheduled integrity checks started") \
	X(INTEGRITY_SCHEDULE, "integrity.schedule", POLICY, "Schedule of integrity checks changed") \
	X(IMAGE_CREATED, "image.created", DEVICE, "Image seen for the first time") \
	X(IMAGE_CHANGED, "image.changed", DEVICE, "Image changed") \
	X(CREDENTIALS_SET, "credentials.set", DEVICE, "Provider's credentials given to an image") \
	X(CREDENTIALS_REPLACED, "credentials.replaced", DEVICE, "Provider's credentials of an image replaced") \
	X(CREDENTIALS_REMOVED, "credentials.removed", DEVICE, "Provider's credentials of an image removed") \
	X(DEVICE_CREATED, "device.created", DEVICE, "Device registered") \
	X(DEVICE_CHANGED, "device.changed", DEVICE, "Device changed") \
	X(DEVICE_PROPOSED, "device.proposed", DEVICE, "Machine proposed how its device is to be encrypted") \
	X(DEVICE_PROPOSAL_REJECTED, "device.proposal-rejected", DEVICE, "Machine's proposal rejected") \
	X(DEVICE_CONFIGURED, "device.configured", DEVICE, "Device configured") \
	X(DEVICE_UNCONFIGURED, "device.unconfigured", DEVICE, "Device unconfigured") \
	X(DEVICE_REASSIGNED, "device.reassigned", DEVICE, "Device assigned to another image") \
	X(DEVICE_CLONED, "device.cloned", DEVICE, "Configuration copied from another device") \
	X(DEVICE_ENCRYPT, "device.encrypt", DEVICE, "Encryption requested") \
	X(DEVICE_CANCELLED, "device.cancelled", DEVICE, "Encryption cancelled") \
	X(DEVICE_STARTED, "device.started", DEVICE, "Encryption started") \
	X(DEVICE_ENCRYPTED, "device.encrypted", DEVICE, "Device encrypted") \
	X(DEVICE_FAILED, "device.failed", DEVICE, "Encryption failed") \
	X(DEVICE_IDLE, "device.idle", DEVICE, "Encryption does not get on") \
	X(DEVICE_OPENED, "device.opened", DEVICE, "Volume opened") \
	X(DEVICE_CLOSED, "device.closed", DEVICE, "Volume closed") \
	X(DEVICE_LOST, "device.lost", DEVICE, "Device is no longer detected") \
	X(DEVICE_FOUND, "device.found", DEVICE, "Device is detected again") \
	X(DEVICE_DELETED, "device.deleted", DEVICE, "Device deleted") \
	X(RAID_CREATED, "raid.created", DEVICE, "RAID created") \
	X(RAID_CHANGED, "raid.changed", DEVICE, "RAID changed") \
	X(RAID_DISSOLVED, "raid.dissolved", DEVICE, "RAID taken apart") \
	X(DEVICE_ADOPT, "device.adopt", DEVICE, "Taking over a volume started") \
	X(DEVICE_ADOPTED, "device.adopted", DEVICE, "Volume taken over") \
	X(DEVICE_RELEASE, "device.release", DEVICE, "Release of a volume allowed") \
	X(DEVICE_RELEASE_CANCELLED, "device.release-cancelled", DEVICE, "Release of a volume no longer allowed") \
	X(DEVICE_RELEASE_KEY, "device.release-key", DEVICE, "Key given for the release of a volume") \
	X(DEVICE_DECRYPTING, "device.decrypting", DEVICE, "Decryption started") \
	X(DEVICE_RELEASED, "device.released", DEVICE, "Volume released to its owner") \
	X(DEVICE_REPAIRED, "device.repaired", DEVICE, "File system repaired when it was opened") \
	X(DEVICE_COPY, "device.copy", DEVICE, "Another device's volume was found on it") \
	X(DEVICE_FOREIGN, "device.foreign", DEVICE, "Another account's volume was found on it") \
	X(KEY_CREATED, "key.created", KEY, "Device key created") \
	X(KEY_COPIED, "key.copied", KEY, "Device key copied from another device") \
	X(KEY_DESTROYED, "key.destroyed", KEY, "Device keys destroyed") \
	X(KEY_ROTATE, "key.rotate", KEY, "Rotation of a device key requested") \
	X(KEY_ROTATE_MANY, "key.rotate-many", KEY, "Rotation of many device keys requested") \
	X(KEY_ROTATE_CANCELLED, "key.rotate-cancelled", KEY, "Rotation of a device key cancelled") \
	X(KEY_ROTATING, "key.rotating", KEY, "Old and new device key given for a rotation") \
	X(KEY_ROTATED, "key.rotated", KEY, "Device key rotated") \
	X(KEY_OLD_REMOVED, "key.old-removed", KEY, "Former device key no longer opens the volume") \
	X(KEY_BOTH_GIVEN, "key.both-given", KEY, "Both keys given while a rotation is under way") \
	X(KEY_REENCRYPT, "key.reencrypt", KEY, "New volume key requested") \
	X(KEY_REENCRYPTING, "key.reencrypting", KEY, "Key given for encrypting a volume anew") \
	X(KEY_REENCRYPTED, "key.reencrypted", KEY, "Volume encrypted anew with a new volume key") \
	X(KEY_AGE, "key.age", KEY, "Maximum key age changed") \
	X(KEY_DESTROY, "key.destroy", KEY, "Destruction of device keys asked for") \
	X(KEY_DESTROY_CONFIRMED, "key.destroy-confirmed", KEY, "Destruction of device keys confirmed") \
	X(KEY_DESTROY_CANCELLED, "key.destroy-cancelled", KEY, "Destruction of device keys cancelled") \
	X(KEY_DESTROY_RULE, "key.destroy-rule", KEY, "Rule for the destruction of keys changed") \
	X(KEY_SERVER_DESTROYED, "key.server-destroyed", KEY, "Device key destroyed on the key server") \
	X(KEY_EXPORT, "key.export", KEY, "Keys exported") \
	X(KEY_EXPORTED, "key.exported", KEY, "Device key exported") \
	X(KEY_EXPORT_FAILED, "key.export-failed", KEY, "Export of keys came to nothing") \
	X(ROOT_ROTATE, "root-key.rotate", KEY, "Replacing the root key started") \
	X(ROOT_ROTATED, "root-key.rotated", KEY, "Root key replaced") \
	X(ROOT_RETIRED, "root-key.retired", KEY, "Former root key retired") \
	X(TENANT_KEY_ROTATE, "tenant-key.rotate", KEY, "Replacing the account's key started") \
	X(TENANT_KEY_ROTATED, "tenant-key.rotated", KEY, "Account's key replaced") \
	X(KEY_REQUESTED, "key.requested", KEY, "Key requested") \
	X(KEY_PENDING, "key.pending", KEY, "Key request waits for a decision") \
	X(KEY_APPROVED, "key.approved", KEY, "Key request approved") \
	X(KEY_APPROVED_AUTOMATICALLY, "key.approved-automatically", KEY, "Key request approved automatically") \
	X(KEY_VOTED, "key.voted", KEY, "Key request approved by one of several people") \
	X(KEY_VOTES_EXPIRED, "key.votes-expired", KEY, "Approvals expired before there were enough") \
	X(KEY_NOT_AUTOMATIC, "key.not-automatic", KEY, "Key request not approved automatically") \
	X(KEY_BULK, "key.bulk", KEY, "Many key requests decided at once") \
	X(KEY_DENIED, "key.denied", KEY, "Key request denied") \
	X(KEY_DENIED_AUTOMATICALLY, "key.denied-automatically", KEY, "Key request denied automatically") \
	X(KEY_DELIVERED, "key.delivered", KEY, "Key delivered") \
	X(KEY_REVOKE_ANNOUNCED, "key.revoke-announced", KEY, "Key revocation announced") \
	X(KEY_REVOKE, "key.revoke", KEY, "Key revocation ordered") \
	X(KEY_REVOKE_UNANSWERED, "key.revoke-unanswered", KEY, "Agent does not answer to a revocation") \
	X(KEY_REVOKED, "key.revoked", KEY, "Key revoked") \
	X(KEY_RESTORED, "key.restored", KEY, "Key revocation cancelled") \
	X(KEY_GRANTED_AGAIN, "key.granted-again", KEY, "Revoked key may be asked for again") \
	X(KEY_REOPENED, "key.reopened", KEY, "Key request open again: its agent is back") \
	X(KEY_CLOSED, "key.closed", KEY, "Key request closed") \
	X(KEY_INTEGRITY, "key.integrity", KEY, "Integrity changed") \
	X(KEY_POLICY, "key.policy", KEY, "Policy assigned to a key request") \
	X(REPORT_TEMPLATE_CREATED, "report.template-created", REPORT, "Report template created") \
	X(REPORT_TEMPLATE_CHANGED, "report.template-changed", REPORT, "Report template changed") \
	X(REPORT_TEMPLATE_DELETED, "report.template-deleted", REPORT, "Report template deleted") \
	X(REPORT_ASKED, "report.asked", REPORT, "Report asked for") \
	X(REPORT_MADE, "report.made", REPORT, "Report made") \
	X(REPORT_FAILED, "report.failed", REPORT, "Report could not be made") \
	X(REPORT_STORAGE, "report.storage", REPORT, "Storage of reports is nearly used up") \
	X(REPORT_STOPPED, "report.stopped", REPORT, "Report is no longer made: its owner may not have it") \
	X(REPORT_DOWNLOADED, "report.downloaded", REPORT, "Report downloaded") \
	X(REPORT_DELETED, "report.deleted", REPORT, "Report deleted") \
	X(POLICY_CREATED, "policy.created", POLICY, "Policy created") \
	X(POLICY_CHANGED, "policy.changed", POLICY, "Policy changed") \
	X(POLICY_DELETED, "policy.deleted", POLICY, "Policy deleted") \
	X(POLICY_WHAT_IF, "policy.what-if", POLICY, "Policy tried on former requests") \
	X(POLICY_IMAGES, "policy.images", POLICY, "Images of a policy changed") \
	X(POLICY_DEVICES, "policy.devices", POLICY, "Devices of a policy changed")

enum audit_category {
#define X(id, name, label, installation) AUDIT_CATEGORY_##id,
	AUDIT_CATEGORIES(X)
#undef X
	AUDIT_CATEGORY_COUNT
};

enum audit_event {
#define X(id, name, category, label) AUDIT_##id,
	AUDIT_EVENTS(X)
#undef X
	AUDIT_EVENT_COUNT
};

const char *audit_category_name(enum audit_category c);
const char *audit_category_label(enum audit_category c);
int audit_category_of_installation(enum audit_category c);
/* What pages call an event, by its name; the name itself when this build does not know it. */
const char *audit_label(const char *event_name);

/* What an entry is about: {"device", &id, "data"}; ID and NAME may be NULL. */
struct audit_object {
	const char *kind;
	const struct uuid *id;
	const char *name;
};

/* Sent with the commit, so it costs no round trip; its failure is the commit's. OBJECT may be NULL. DETAIL is taken over, NULL: none. */
int audit_log(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail);
/* The operator's side, about the tenant OBJECT: the same entry in the installation's log and in the tenant's own, so that a tenant sees what its
 * operator did to it. */
int audit_log_both(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail);
/* jobd, bound to the tenant OBJECT: in the installation's log alone, for the operator. Before entries of the tenant's own log: of two chains the
 * installation's comes first, as above, so that two transactions cannot wait for each other. */
int audit_log_above(struct db *db, enum audit_event event, const struct audit_object *object, json_t *detail);
/* In a transaction of its own, in the installation's log: PROCESS ("keyward-jobd") of the machine HOST has started, or ends. */
int audit_server(struct db *db, const char *process, const char *host, int started);
/* {"changes": {name: {"old": ..., "new": ...}}} for the members of AFTER that differ in BEFORE; NULL when none does. */
json_t *audit_changes(const json_t *before, const json_t *after);

/* Sorted by "seq"; filters "from" and "to" (RFC 3339; to is exclusive), "category", "event", "object"; search in names, events
 * and details. A row: seq, at, category, event, label, actor, object, detail, address. "partial": true where the log database is away, so that entries may
 * be missing that only it has. */
int audit_list(struct db *db, const struct list_query *query, json_t **page);

/* Calls EACH for every entry of the bound chain behind number AFTER (0: from the first that is at hand) up to number LAST (0: all) in order, in
 * steps that hold little memory; a negative result ends it. Needs a role that sees the chain: console, jobs, central for the installation's, owner for
 * any. */
int audit_each(struct db *db, int64_t after, int64_t last, int (*each)(void *ctx, const struct audit_entry *e), void *ctx);
/* The number of the first entry behind number AFTER that is at hand; 0: there is none. */
int audit_first(struct db *db, int64_t after, int64_t *seq);
/* Number and hash of the bound chain's last entry; 0 when nothing was logged. ERR_TAMPERED: there are entries beyond it. */
int audit_head(struct db *db, int64_t *seq, uint8_t hash[static 32]);
/* The whole proof of the bound chain (audit_keep.h has it in parts). *COUNT: good entries. */
int audit_check(struct db *db, int64_t *count);

#endif
