/* pages.h - handlers of a tenant's console, for the route table. */
#ifndef CONSOLE_PAGES_H
#define CONSOLE_PAGES_H

#include "policy/device_state.h"
#include "policy/request_state.h"
#include "web/call.h"
#include "web/list.h"

/* devices.c */
int devices_page(struct call *c), devices_csv(struct call *c);
extern const struct route_param devices_query[];
int device_release_page(struct call *c), device_release_run(struct call *c), device_release_cancel(struct call *c);
extern const struct route_param device_release_fields[];
/* Sets `notes`: what the page of device ROW says beyond its fields, each { title, text, colour, icon, link }. */
int device_notices(struct call *c, const struct uuid *id, const json_t *row);
json_t *device_badge(const struct call *c, const char *status);

/* device.c */
int device_page(struct call *c), device_edit_page(struct call *c), device_edit(struct call *c);
int device_delete_ask(struct call *c), device_delete_run(struct call *c);
extern const struct route_param device_edit_fields[], device_typed[];
#define DEVICE_REFRESH_S 3
/* The device of the path, for a page that asks before EVENT: *ROW, the caller's, is of device_get. ERR_CONFLICT, said, where that is
 * not legal now. */
int device_ask(struct call *c, enum device_event event, json_t **row);
const char *device_word(const char *name);               /* "Linux" for "linux", "XFS", ...; NULL for "" */
/* "AES-XTS, 256 bits", as a device or a proposal ROW is or is to be encrypted. The caller's. */
json_t *device_encryption(const struct call *c, const json_t *row);
/* {percent, since, begun, text, label} of a row of device_list while its device waits for encryption, is encrypted or decrypted; else
 * null. */
json_t *device_progress_member(const struct call *c, const json_t *row);

/* device_configure.c */
int device_configure_page(struct call *c), device_configure_run(struct call *c);
int device_unconfigure_ask(struct call *c), device_unconfigure_run(struct call *c);
extern const struct route_param device_configure_query[], device_configure_fields[];
/* What devices and arrays are configured by, but for the mount point. */
extern const char *const device_systems[], *const device_filesystems[], *const device_accesses[], *const device_modes[],
	*const device_key_sizes[];
#define DEVICE_CONFIGURATION_PARAMS \
	{ "os", "Operating system", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_systems }, \
	{ "filesystem", "File system", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_filesystems }, \
	{ "access", "Write access", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_accesses }, \
	{ "mode", "Cipher mode", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_modes }, \
	{ "key_size", "Key size", PARAM_ENUM, PARAM_REQUIRED, 0, 0, device_key_sizes }
struct device_configuration;
void device_offer(struct call *c, const json_t *row);                /* these fields and `mount`, as ROW has them */
/* What was typed, borrowed from C, without an image. ERR_INVALID: said at the fields. */
int device_typed_configuration(struct call *c, struct device_configuration *out);

/* raid.c */
int raid_new_page(struct call *c), raid_new(struct call *c), raid_edit_page(struct call *c), raid_edit(struct call *c);
extern const struct route_param raid_query[], raid_new_fields[], raid_edit_fields[];
/* What a page shows of an array's members: rows of raid_members, null for other devices; the caller's. */
int raid_shown(struct call *c, const json_t *device, json_t **out);
/* Parts of forms: the field `access`, and what a value of it is in the store; images of PROVIDER that the field `search` finds, the chosen or
 * PRESENT one first, with the member `pick` for part/pick; a field "mount". */
void device_offer_access(struct call *c, const char *present);
const char *device_access(const char *value);
/* What part/pick sends: rows of a route's parameters; whether its search was pressed: then the page is drawn again (call_again). */
extern const char *const device_pick_gos[];
#define DEVICE_PICK_PARAMS \
	{ "search", "Search", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL }, \
	{ "go", NULL, PARAM_ENUM, 0, 0, 0, device_pick_gos }
int device_pick_searches(const struct call *c);
/* The member `pick`: COUNT are there, at most MOST of them shown. */
void device_pick_set(struct call *c, size_t count, size_t most);
/* The choice that the form has now: what was sent, else PRESENT. */
void device_pick_chosen(const struct call *c, const char *field, const char *present, char out[static UUID_TEXT_SIZE]);
int device_offer_images(struct call *c, const char *provider, const char *present);
int device_check_mount(struct call *c, const char *path);       /* ERR_INVALID, said at the field */

/* device_move.c */
int device_reassign_page(struct call *c), device_reassign_run(struct call *c);
int device_copy_page(struct call *c), device_copy_run(struct call *c);
extern const struct route_param device_reassign_query[], device_reassign_fields[], device_copy_query[], device_copy_fields[];


/* device_proposal.c: what a machine proposes for a device, into `proposal` of the page; what is done at once, into the account's form. */
int device_proposal_member(struct call *c, const struct uuid *device);
int device_proposal_ask(struct call *c), device_proposal_run(struct call *c), device_proposal_reject(struct call *c);
int account_proposals_offer(struct call *c), account_proposals(struct call *c);

/* account_clock.c: fields of the account page's form, and what they are saved by */
int account_clock_offer(struct call *c), account_clock(struct call *c);

/* device_rotate.c */
int device_rotate_ask(struct call *c), device_rotate_run(struct call *c), device_rotate_cancel(struct call *c),
	device_reencrypt_ask(struct call *c), device_reencrypt_run(struct call *c);
/* Sets `rotations`, and of `can` and `live` what depends on them, after those; DEVICE: a row of device_get. */
int device_rotation_member(struct call *c, const struct uuid *id, const json_t *device);

/* rotation.c */
int rotation_select_page(struct call *c), rotation_select_run(struct call *c), key_age_page(struct call *c), key_age_save(struct call *c);
int account_key_rotate(struct call *c);
extern const struct route_param rotation_query[], rotation_fields[], key_age_fields[];

/* device_encrypt.c */
int device_encrypt_ask(struct call *c), device_encrypt_run(struct call *c), device_cancel_run(struct call *c);

/* account.c: the member `commands` of a list's page, { id, title, text }: what to do while the list is empty; else null. Beside it `no_passphrase`:
 * none is set, so they come to nothing yet. After list_show. */
int account_first_steps(struct call *c);
/* The same where WANTED. */
int account_commands(struct call *c, int wanted);

/* instances.c */
int instances_page(struct call *c), instances_csv(struct call *c);
json_t *request_counts(const json_t *totals);           /* {instances, pending, approved} of request_totals, to be shown */
int64_t instances_pending(struct call *c);               /* for the menu */
extern const struct route_param instances_query[];
json_t *request_badge(const struct call *c, const char *status);
json_t *integrity_badge(const struct call *c, const char *integrity);
/* {label, at, announced} of a row of request_list whose key is being or was revoked: "Revokes" in 12 minutes; else null. */
json_t *request_revocation(const struct call *c, const json_t *row);
/* A row of request_list as lists show it. */
json_t *request_row(struct call *c, json_t *row);

/* request.c */
int request_page(struct call *c);
extern const struct route_param request_query[];

/* request_rules.c: members chips, counts, has_rules, has_rows, rules */
struct request_case;
void request_set_rules(struct call *c, const struct request_case *k, const json_t *verdict);
extern const char *const request_shows[];

/* request_act.c */
int request_decision(struct call *c), request_assign(struct call *c), request_reevaluate(struct call *c), request_again(struct call *c);
int request_revoke_ask(struct call *c), request_revoke_run(struct call *c);
extern const struct route_param request_decision_fields[], request_comment[], request_policy_fields[];
char *request_version(const struct request_case *k);     /* what the page shows, in short; the caller frees */
json_t *request_deciders(void);                          /* names of the roles that may decide; the caller's */
int request_is_unassigned(const struct request_case *k); /* pending, and no policy with rules judges it (RUN-4) */

/* bulk.c */
int bulk_select_page(struct call *c), bulk_choose(struct call *c), bulk_page(struct call *c), bulk_confirm(struct call *c),
	bulk_list_page(struct call *c);
extern const struct route_param bulk_query[], bulk_choose_fields[], bulk_confirm_fields[], bulk_list_query[];

/* instance.c */
int instance_page(struct call *c), instance_check(struct call *c);

/* instance_orders.c */
int instance_orders_page(struct call *c), instance_inventory(struct call *c), instance_log_level(struct call *c),
	instance_settings(struct call *c);
extern const struct route_param instance_orders_query[], instance_log_level_fields[], instance_settings_fields[];

/* instance_agent.c */
int instance_agent_ask(struct call *c), instance_agent_remove(struct call *c);

/* instance_facts.c */
int instance_facts_page(struct call *c);
extern const struct route_param instance_facts_query[];
/* Members `has_facts` and `groups`, from a row of instance_get. */
void instance_facts(struct call *c, const json_t *row);
/* "Kernel" for "os.kernel", translated; the name itself where there are no words for it. */
const char *fact_label(const struct call *c, const char *fact);
/* A fact's value, or the detail of a set's member, as text; the caller's. */
json_t *fact_text(const struct call *c, const char *fact, const json_t *value);
json_t *fact_member_text(const struct call *c, const char *fact, const json_t *detail);

/* instance_history.c */
int instance_changes_page(struct call *c), instance_requests_page(struct call *c), instance_checks_page(struct call *c);
extern const struct route_param instance_changes_query[], instance_requests_query[], instance_checks_query[];
/* Member `tabs`; ACTIVE: the last part of the tab's path, "" for the overview. */
void instance_tabs(struct call *c, const char *id, const char *active);
/* A page of LIST for the instance that the path names; sets the members `instance` and `tabs` too. */
struct list_query;
int instance_fetch(struct call *c, const struct list_query *q, const char *tab,
	int (*list)(struct db *db, const struct list_query *query, json_t **page), json_t **page);

/* images.c */
int images_page(struct call *c), images_csv(struct call *c), image_page(struct call *c), image_edit(struct call *c),
	image_credentials_ask(struct call *c), image_credentials_run(struct call *c);
extern const struct route_param images_query[], image_fields[];

/* policies.c */
json_t *policy_link(const struct call *c, const json_t *row); /* of a ROW with policy and policy_name */
int policies_page(struct call *c), policies_csv(struct call *c), policy_page(struct call *c);
int policy_delete_ask(struct call *c), policy_delete_run(struct call *c);
extern const struct route_param policies_query[], policy_delete_fields[];

/* policy_begin.c */
int policy_new_page(struct call *c), policy_edit_page(struct call *c), policy_discard_ask(struct call *c), policy_discard_run(struct call *c);
extern const struct route_param policy_begin_query[];

/* policy_edit.c */
int policy_general_page(struct call *c), policy_general_run(struct call *c);
extern const struct route_param policy_edit_query[], policy_general_fields[];

/* policy_pick.c */
int policy_images_page(struct call *c), policy_images_run(struct call *c), policy_devices_page(struct call *c),
	policy_devices_run(struct call *c);
extern const struct route_param policy_pick_query[], policy_pick_fields[];

/* policy_rules.c */
int policy_rules_page(struct call *c), policy_rules_run(struct call *c), policy_types_page(struct call *c), policy_types_run(struct call *c);
int policy_json_page(struct call *c), policy_json_run(struct call *c);
extern const struct route_param policy_rules_query[], policy_rules_fields[], policy_types_query[], policy_types_fields[],
	policy_json_fields[];

/* policy_actions.c */
int policy_actions_page(struct call *c), policy_actions_run(struct call *c);
extern const struct route_param policy_actions_fields[];

/* policy_versions.c */
int policy_versions_page(struct call *c), policy_version_page(struct call *c), policy_restore_ask(struct call *c),
	policy_restore_run(struct call *c);
extern const struct route_param policy_versions_query[], policy_version_path[], policy_restore_fields[];

/* policy_transfer.c */
int policy_export(struct call *c), policy_import_page(struct call *c), policy_import_run(struct call *c), policy_catalogue(struct call *c);
int policy_create_run(struct call *c), policy_change_run(struct call *c), policy_members_run(struct call *c);
extern const struct route_param policy_import_fields[], policy_members_fields[];

/* destruction.c */
int destruction_ask_page(struct call *c), destruction_ask_run(struct call *c), destructions_page(struct call *c), destructions_csv(struct call *c);
int destruction_confirm_page(struct call *c), destruction_confirm_run(struct call *c), destruction_cancel_page(struct call *c),
	destruction_cancel_run(struct call *c), destruction_rule_save(struct call *c);
extern const struct route_param destruction_ask_fields[], destructions_query[], destruction_confirm_fields[], destruction_cancel_fields[],
	destruction_rule_fields[];
/* Members `destruction` of a device's page (what waits for it, or null) and can.destroy. */
int destruction_member(struct call *c, const struct uuid *device, const json_t *row, enum device_state state);

/* export.c */
int export_page(struct call *c), export_run(struct call *c), export_one_page(struct call *c), export_one_run(struct call *c);
extern const struct route_param export_query[], export_fields[], export_one_fields[];

/* dashboard.c */
int dashboard_page(struct call *c);

/* integrity.c */
int integrity_page(struct call *c), integrity_save(struct call *c);
extern const struct route_param integrity_fields[];

/* data_export.c */
int data_export_page(struct call *c), data_export_ask(struct call *c), data_export_download(struct call *c);

/* licence.c */
int licence_page(struct call *c), licence_enter_run(struct call *c);
extern const struct route_param licence_query[], licence_fields[];
/* 0 where the licence has keys for DEVICE (an array: for its members); else ERR_INVALID, and the page says why. */
int licence_room(struct call *c, const struct uuid *device);

/* account.c */
int account_page(struct call *c), account_reveal(struct call *c), account_set(struct call *c);
/* The first administrator joins: agents can enrol at once, with a passphrase that is made now. */
int account_joined(struct call *c);
int tenant_invitation(struct call *c);
extern const struct route_param account_passphrase_fields[], account_proposals_fields[], account_clock_fields[];

/* policies.c: the badge of an action by its name, e.g. "deny" */
json_t *policy_action_badge(const struct call *c, const char *name);

/* what_if.c */
int what_if_policy_page(struct call *c), what_if_policy_run(struct call *c), what_if_draft_page(struct call *c);
int what_if_draft_run(struct call *c), what_if_stop_run(struct call *c);
extern const struct route_param what_if_fields[];

/* what_if_page.c */
int what_if_page(struct call *c), what_if_save_run(struct call *c);
extern const struct route_param what_if_query[];

/* deep_security.c */
int deep_security_page(struct call *c), deep_security_save(struct call *c), deep_security_test_run(struct call *c);
extern const struct route_param deep_security_fields[];

/* key_server.c */
int key_server_page(struct call *c), key_place_save(struct call *c);
extern const struct route_param key_place_fields[];
/* "In this installation's database": English, of a value of device_key.key_server ("" too) or key_place_now(). */
const char *key_place_label(const char *place);

#endif
