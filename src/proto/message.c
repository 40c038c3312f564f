/* message.c - the table of messages and of their fields. message_code.c turns it into JSON and back. */
#include "proto/message.h"

#include "base/mem.h"
#include "proto/rows.h"

#define X(id, name) name,
const char *const proto_access_names[] = { "unknown", PROTO_ACCESSES(X) NULL };
const char *const proto_device_kind_names[] = { "unknown", PROTO_DEVICE_KINDS(X) NULL };
const char *const proto_key_status_names[] = { "unknown", PROTO_KEY_STATUSES(X) NULL };
const char *const proto_volume_status_names[] = { "unknown", PROTO_VOLUME_STATUSES(X) NULL };
const char *const proto_order_names[] = { "unknown", PROTO_ORDERS(X) NULL };
const char *const proto_proposal_names[] = { "unknown", PROTO_PROPOSALS(X) NULL };
const char *const proto_reason_names[] = { "unknown", PROTO_REASONS(X) NULL };
#undef X

static const struct proto_fields empty_fields = { "empty", sizeof(struct proto_empty), NULL, 0 };

#define T struct proto_ack
static const struct proto_field ack_rows[] = {
	TEXT(T, warning, OPTIONAL),
	BOOL(T, cancel),
};
FIELDS(ack);
#undef T

#define T struct proto_credentials
static const struct proto_field credentials_rows[] = {
	BYTES(T, recipient_key),
	BYTES(T, signature),
};
FIELDS(credentials);
#undef T

#define T struct proto_credentials_answer
static const struct proto_field credentials_answer_rows[] = {
	INT(T, version, OPTIONAL, 0, INT32_MAX),
	TEXT(T, provider, OPTIONAL),
	TEXT(T, label, OPTIONAL),
	TEXT(T, sealed, OPTIONAL),
};
FIELDS(credentials_answer);
#undef T

#define T struct proto_credentials_set
static const struct proto_field credentials_set_rows[] = {
	TEXT(T, provider, REQUIRED),
	TEXT(T, label, REQUIRED),
	INT(T, replaces, OPTIONAL, 0, INT32_MAX),
	TEXT(T, values, REQUIRED),
};
FIELDS(credentials_set);
#undef T

#define T struct proto_refusal
static const struct proto_field refusal_rows[] = {
	TEXT(T, code, REQUIRED),
	TEXT(T, text, OPTIONAL),
	INT(T, retry_after_s, OPTIONAL, 0, SECONDS_MAX),
};
const struct proto_fields proto_refusal_fields = { "refusal", sizeof(T), refusal_rows, ARRAY_LEN(refusal_rows) };
#undef T

#define T struct proto_host
static const struct proto_field host_rows[] = {
	TEXT(T, name, REQUIRED),
	TEXT(T, system, REQUIRED),
	TEXT(T, distribution, OPTIONAL),
	TEXT(T, version, OPTIONAL),
	TEXT(T, kernel, OPTIONAL),
	TEXT(T, arch, OPTIONAL),
	TEXT(T, agent_version, REQUIRED),
};
FIELDS(host);
#undef T

#define T struct proto_description
static const struct proto_field description_rows[] = {
	TEXT(T, provider, REQUIRED),
	TEXT(T, instance_id, REQUIRED),
	TEXT(T, image_id, OPTIONAL),
	OBJECT(T, host, &host_fields),
};
const struct proto_fields proto_description_fields = {
	"description", sizeof(T), description_rows, ARRAY_LEN(description_rows)
};
#undef T

#define T struct proto_device
static const struct proto_field device_rows[] = {
	TEXT(T, id, REQUIRED),
	TEXT(T, name, OPTIONAL),
	TEXT(T, path, OPTIONAL),
	INT(T, size_bytes, OPTIONAL, 0, NUMBER_MAX),
	NAME(T, kind, OPTIONAL, proto_device_kind_names),
	BOOL(T, in_use),
	BOOL(T, system),
	TEXT(T, filesystem, OPTIONAL),
	TEXT(T, luks_uuid, OPTIONAL),
	TEXT(T, key_device, OPTIONAL),
	INT(T, key_version, OPTIONAL, 1, INT32_MAX),
	TEXT(T, key_account, OPTIONAL),
	TEXT(T, key_server, OPTIONAL),
	TEXT(T, unusable, OPTIONAL),
};
FIELDS(device);
#undef T

#define T struct proto_inventory
static const struct proto_field inventory_rows[] = {
	TEXT(T, provider, REQUIRED),
	TEXT(T, instance_id, REQUIRED),
	TEXT(T, image_id, OPTIONAL),
	TEXT(T, image_name, OPTIONAL),
	TEXT(T, region, OPTIONAL),
	TEXT(T, zone, OPTIONAL),
	OBJECT(T, host, &host_fields),
	LIST(T, devices, &device_fields),
};
FIELDS(inventory);
#undef T

#define T struct proto_watch
static const struct proto_field watch_rows[] = {
	TEXT(T, path, REQUIRED),
};
FIELDS(watch);
#undef T

#define T struct proto_inventory_answer
static const struct proto_field inventory_answer_rows[] = {
	TEXT(T, warning, OPTIONAL),
	LIST(T, watch_files, &watch_fields),
};
FIELDS(inventory_answer);
#undef T

#define T struct proto_task
static const struct proto_field task_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, label, OPTIONAL),
	TEXT(T, cipher, REQUIRED),
	TEXT(T, mode, REQUIRED),
	TEXT(T, hash, OPTIONAL),
	INT(T, key_bits, REQUIRED, 128, 256),
	TEXT(T, filesystem, OPTIONAL),
	TEXT(T, mount_point, OPTIONAL),
	NAME(T, access, OPTIONAL, proto_access_names),
	BOOL(T, overwrite),
	TEXT(T, raid_name, OPTIONAL),
	INT(T, raid_index, OPTIONAL, 0, PROTO_DEVICES_MAX - 1),
	INT(T, raid_members, OPTIONAL, 0, PROTO_DEVICES_MAX),
};
FIELDS(task);
#undef T

#define T struct proto_provisioning_answer
static const struct proto_field provisioning_answer_rows[] = {
	LIST(T, tasks, &task_fields),
};
FIELDS(provisioning_answer);
#undef T

#define T struct proto_proposal
static const struct proto_field proposal_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, label, OPTIONAL),
	TEXT(T, os, REQUIRED),
	TEXT(T, filesystem, REQUIRED),
	TEXT(T, mount_point, REQUIRED),
	NAME(T, access, REQUIRED, proto_access_names),
	TEXT(T, mode, REQUIRED),
	INT(T, key_bits, REQUIRED, 128, 256),
	BOOL(T, overwrite),
};
FIELDS(proposal);
#undef T

#define T struct proto_proposal_answer
static const struct proto_field proposal_answer_rows[] = {
	NAME(T, outcome, REQUIRED, proto_proposal_names),
	TEXT(T, status, OPTIONAL),
};
FIELDS(proposal_answer);
#undef T

#define T struct proto_provision_start
static const struct proto_field provision_start_rows[] = {
	TEXT(T, device, REQUIRED),
	BYTES(T, recipient_key),
	BYTES(T, signature),
};
FIELDS(provision_start);
#undef T

#define T struct proto_provision_start_answer
static const struct proto_field provision_start_answer_rows[] = {
	TEXT(T, sealed, REQUIRED),
	INT(T, key_version, REQUIRED, 1, INT32_MAX),
};
FIELDS(provision_start_answer);
#undef T

#define T struct proto_adopt_start
static const struct proto_field adopt_start_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, cipher, REQUIRED),
	TEXT(T, mode, REQUIRED),
	TEXT(T, hash, REQUIRED),
	INT(T, key_bits, REQUIRED, 64, 4096),
	TEXT(T, filesystem, OPTIONAL),
	TEXT(T, mount_point, OPTIONAL),
	NAME(T, access, OPTIONAL, proto_access_names),
	BYTES(T, recipient_key),
	BYTES(T, signature),
};
FIELDS(adopt_start);
#undef T

#define T struct proto_release_start
static const struct proto_field release_start_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, release, REQUIRED),
	BYTES(T, recipient_key),
	BYTES(T, signature),
};
FIELDS(release_start);
#undef T

#define T struct proto_rotate_start_answer
static const struct proto_field rotate_start_answer_rows[] = {
	TEXT(T, sealed, REQUIRED),
	INT(T, key_version, REQUIRED, 1, INT32_MAX),
	TEXT(T, next_sealed, REQUIRED),
	INT(T, next_version, REQUIRED, 1, INT32_MAX),
};
FIELDS(rotate_start_answer);
#undef T

#define T struct proto_rotate_step
static const struct proto_field rotate_step_rows[] = {
	TEXT(T, device, REQUIRED),
	INT(T, key_version, REQUIRED, 1, INT32_MAX),
};
FIELDS(rotate_step);
#undef T

#define T struct proto_release_done
static const struct proto_field release_done_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, luks_uuid, OPTIONAL),
};
FIELDS(release_done);
#undef T

#define T struct proto_provision_progress
static const struct proto_field provision_progress_rows[] = {
	TEXT(T, device, REQUIRED),
	INT(T, percent, REQUIRED, 0, 100),
};
FIELDS(provision_progress);
#undef T

#define T struct proto_provision_done
static const struct proto_field provision_done_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, luks_uuid, REQUIRED),
	INT(T, key_version, REQUIRED, 1, INT32_MAX),
};
FIELDS(provision_done);
#undef T

#define T struct proto_provision_failed
static const struct proto_field provision_failed_rows[] = {
	TEXT(T, device, REQUIRED),
	TEXT(T, reason, REQUIRED),
};
FIELDS(provision_failed);
#undef T

#define T struct proto_key_request
static const struct proto_field key_request_rows[] = {
	TEXT(T, device, REQUIRED),
	NAME(T, access, REQUIRED, proto_access_names),
	TEXT(T, mount_point, OPTIONAL),
	NAME(T, reason, OPTIONAL, proto_reason_names),
	BYTES(T, recipient_key),
	BYTES(T, signature),
	JSON(T, facts, REQUIRED, PROTO_FACTS_MAX),
};
FIELDS(key_request);
#undef T

#define T struct proto_key_poll
static const struct proto_field key_poll_rows[] = {
	UUID(T, request, REQUIRED),
};
FIELDS(key_poll);
#undef T

#define T struct proto_key_member
static const struct proto_field key_member_rows[] = {
	TEXT(T, device, REQUIRED),
	INT(T, index, OPTIONAL, 0, PROTO_RAID_MAX - 1),
	TEXT(T, sealed, REQUIRED),
	INT(T, key_version, REQUIRED, 1, INT32_MAX),
	TEXT(T, other_sealed, OPTIONAL),
	INT(T, other_version, OPTIONAL, 1, INT32_MAX),
};
FIELDS(key_member);
#undef T

#define T struct proto_key_answer
static const struct proto_field key_answer_rows[] = {
	UUID(T, request, REQUIRED),
	NAME(T, status, REQUIRED, proto_key_status_names),
	TEXT(T, reason, OPTIONAL),
	INT(T, retry_after_s, OPTIONAL, 0, SECONDS_MAX),
	TEXT(T, device, OPTIONAL),
	TEXT(T, sealed, OPTIONAL),
	INT(T, key_version, OPTIONAL, 1, INT32_MAX),
	TEXT(T, other_sealed, OPTIONAL),
	INT(T, other_version, OPTIONAL, 1, INT32_MAX),
	UUID(T, token_device, OPTIONAL),
	TEXT(T, mount_point, OPTIONAL),
	NAME(T, access, OPTIONAL, proto_access_names),
	TEXT(T, filesystem, OPTIONAL),
	TEXT(T, encryption, OPTIONAL),
	INT(T, key_bits, OPTIONAL, 8, 4096),
	LIST(T, members, &key_member_fields),
};
FIELDS(key_answer);
#undef T

#define T struct proto_opened
static const struct proto_field opened_rows[] = {
	UUID(T, request, REQUIRED),
	TEXT(T, device, REQUIRED),
	TEXT(T, repaired, OPTIONAL),
};
FIELDS(opened);
#undef T

#define T struct proto_closed
static const struct proto_field closed_rows[] = {
	TEXT(T, device, REQUIRED),
	NAME(T, reason, REQUIRED, proto_reason_names),
	TEXT(T, detail, OPTIONAL),
};
FIELDS(closed);
#undef T

#define T struct proto_volume
static const struct proto_field volume_rows[] = {
	TEXT(T, device, REQUIRED),
	NAME(T, status, REQUIRED, proto_volume_status_names),
	UUID(T, request, OPTIONAL),
	TEXT(T, detail, OPTIONAL),
	BOOL(T, pending),
};
FIELDS(volume);
#undef T

#define T struct proto_order_result
static const struct proto_field order_result_rows[] = {
	UUID(T, order, REQUIRED),
	BOOL(T, done),
	TEXT(T, detail, OPTIONAL),
};
FIELDS(order_result);
#undef T

#define T struct proto_order_begun
static const struct proto_field order_begun_rows[] = {
	UUID(T, order, REQUIRED),
};
FIELDS(order_begun);
#undef T

#define T struct proto_heartbeat
static const struct proto_field heartbeat_rows[] = {
	INT(T, uptime_s, REQUIRED, 0, NUMBER_MAX),
	INT(T, wait_s, OPTIONAL, 0, PROTO_WAIT_MAX),
	TEXT(T, log_level, OPTIONAL),
	TEXT(T, agent_version, OPTIONAL),
	BOOL(T, insecure_tls),
	LIST(T, volumes, &volume_fields),
	LIST(T, results, &order_result_fields),
	LIST(T, begun, &order_begun_fields),
};
FIELDS(heartbeat);
#undef T

#define T struct proto_order
static const struct proto_field order_rows[] = {
	UUID(T, id, REQUIRED),
	NAME(T, kind, REQUIRED, proto_order_names),
	TEXT(T, device, OPTIONAL),
	TEXT(T, argument, OPTIONAL),
};
FIELDS(order);
#undef T

#define T struct proto_heartbeat_answer
static const struct proto_field heartbeat_answer_rows[] = {
	INT(T, next_s, REQUIRED, 1, SECONDS_MAX),
	BOOL(T, held),
	BOOL(T, poll),
	LIST(T, orders, &order_fields),
	LIST(T, watch_files, &watch_fields),
};
FIELDS(heartbeat_answer);
#undef T

#define T struct proto_report
static const struct proto_field report_rows[] = {
	NAME(T, reason, OPTIONAL, proto_reason_names),
	UUID(T, order, OPTIONAL),
	JSON(T, facts, REQUIRED, PROTO_FACTS_MAX),
};
FIELDS(report);
#undef T

#define T struct proto_bye
static const struct proto_field bye_rows[] = {
	NAME(T, reason, REQUIRED, proto_reason_names),
};
FIELDS(bye);
#undef T

const struct proto_message_row proto_messages[PROTO_MESSAGE_COUNT] = {
#define X(id, name, request, answer) [PROTO_##id] = { name, &request##_fields, &answer##_fields },
	PROTO_MESSAGES(X)
#undef X
};
