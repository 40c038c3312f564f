/* test_store_policy.c - policies in the database: versions, members, drafts, and what two people do at once. */
#include "base/json.h"
#include "machine.h"
#include "store/image.h"
#include "store/policy.h"
#include "store/policy_draft.h"

static const char *const roles[] = { "account-administrator", "key-approver", NULL };

static struct uuid add_user(const struct uuid *tenant, const char *email, const char *role)
{
	struct db *db = as("keyward_console", tenant);
	struct uuid id = strcmp(email, user_actor.name) == 0 ? user_actor.id : uuid_new();

	CHECK_INT(db_run_one(db, "insert into app_user (tenant, id, email, name, role) values (current_tenant(), $1, $2, $2, $3)",
		DB_ARGS(db_uuid_arg(&id), db_text_arg(email), db_text_arg(role))), 0);
	finish(db);
	return id;
}

/* Of the policies that have the tenant's one image. */
static struct uuid only_image(struct db *db)
{
	struct list_query q = { 0 };
	struct uuid image = { { 0 } };
	json_t *doc = NULL;

	CHECK_INT(image_list(db, &q, &doc), 0);
	CHECK_INT(json_get_uuid(json_array_get(json_object_get(doc, "rows"), 0), "id", &image), 0);
	json_decref(doc);
	return image;
}

static int64_t member_of(struct db *db, const struct uuid *policy, const char *member)
{
	json_t *doc = NULL;
	int64_t n;

	CHECK_INT(policy_get(db, policy, &doc), 0);
	n = json_integer_value(json_object_get(doc, member));
	json_decref(doc);
	return n;
}

TEST(policies, "POL-1,POL-3,POL-4,POL-6")
{
	struct uuid tenant = make_tenant("policies"), def = default_policy(&tenant), id = uuid_new(), twin = uuid_new(), image;
	struct machine m = make_machine(&tenant, "i-1", 2);
	struct device d = device_of(&m, "vol-1");
	json_t *doc = NULL, *first = policy_document("Web servers", "approve", NULL), *second = policy_document("Web servers", "manual", NULL);
	struct list_query q = { .filters = { { "policy", NULL } } };
	char text[UUID_TEXT_SIZE];
	struct db *db = as("keyward_console", &tenant);

	uuid_text(&id, text);
	q.filters[0].value = text;
	image = only_image(db);
	CHECK_INT(policy_create(db, &id, first, "new servers"), 0);
	CHECK_INT(policy_set_members(db, &id, POLICY_DEVICE, &d.id, 1), 0);
	CHECK_INT(policy_set_members(db, &id, POLICY_IMAGE, &image, 1), 0);
	CHECK_INT(member_of(db, &id, "image_count"), 1);
	CHECK_INT(member_of(db, &id, "device_count"), 1);
	/* Its image is no longer in the default policy. */
	CHECK_INT(member_of(db, &def, "image_count"), 0);
	/* Nothing differs: no version. */
	CHECK_INT(policy_change(db, &id, first, "", 1), 0);
	CHECK_INT(member_of(db, &id, "version"), 1);
	CHECK_INT(policy_change(db, &id, second, "safer", 1), 0);
	CHECK_INT(member_of(db, &id, "version"), 2);
	CHECK_INT(policy_versions(db, &q, &doc), 0);
	CHECK_INT(json_array_size(json_object_get(doc, "rows")), 2);
	CHECK_STR(json_string_value(json_object_get(json_array_get(json_object_get(doc, "rows"), 0), "why")), "safer");
	CHECK_STR(json_string_value(json_object_get(json_array_get(json_object_get(doc, "rows"), 1), "changed_by")), "admin@example.com");
	json_decref(doc);
	/* What goes in comes out, and a version is as it was. */
	CHECK_INT(policy_version_get(db, &id, 1, &doc), 0);
	CHECK(json_equal(json_object_get(doc, "document"), first));
	json_decref(doc);
	CHECK_INT(policy_get(db, &id, &doc), 0);
	CHECK(json_equal(json_object_get(doc, "document"), second));
	json_decref(doc);
	CHECK_INT(policy_version_get(db, &id, 3, &doc), ERR_NOT_FOUND);
	finish(db);

	db = as("keyward_console", &tenant);
	CHECK_INT(policy_create(db, &twin, first, ""), ERR_CONFLICT);
	undo(db);
	db = as("keyward_console", &tenant);
	json_set_string(first, "name", "Other");
	json_set_string(json_object_get(first, "action"), "on_match", "deny");
	CHECK_INT(policy_create(db, &twin, first, ""), ERR_INVALID);
	undo(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(policy_change(db, &id, second, "", 1), ERR_CONFLICT);
	CHECK_INT(policy_delete(db, &def, &id), ERR_CONFLICT);
	CHECK_INT(policy_set_members(db, &def, POLICY_DEVICE, &d.id, 1), ERR_CONFLICT);
	CHECK_INT(policy_set_members(db, &def, POLICY_IMAGE, &image, 1), ERR_CONFLICT);
	CHECK_INT(policy_delete(db, &id, NULL), ERR_CONFLICT);
	undo(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(policy_delete(db, &id, &twin), ERR_CONFLICT);
	undo(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(policy_set_members(db, &id, POLICY_IMAGE, NULL, 0), 0);
	CHECK_INT(member_of(db, &def, "image_count"), 1);
	CHECK_INT(policy_delete(db, &id, &def), 0);
	CHECK_INT(policy_get(db, &id, &doc), ERR_NOT_FOUND);
	finish(db);
	CHECK_INT(logged(&tenant, "policy.deleted"), 1);
	CHECK_INT(logged(&tenant, "policy.changed"), 1);
	CHECK_INT(logged(&tenant, "policy.images"), 2);
	CHECK_INT(logged(&tenant, "policy.devices"), 1);
	device_release(&d);
	json_decref(first);
	json_decref(second);
}

static int faults_of(struct db *db, const struct uuid *id, const json_t *document, const char *at)
{
	json_t *faults = json_array(), *f;
	size_t i;
	int found = 0;

	CHECK_INT(policy_faults(db, id, document, roles, faults), 0);
	json_array_foreach(faults, i, f)
		found += strcmp(json_string_value(json_object_get(f, "at")), at) == 0;
	CHECK_INT(json_array_size(faults), found);
	json_decref(faults);
	return found;
}

TEST(approvers_are_people, "RUN-8,SEC-7")
{
	struct uuid tenant = make_tenant("approvers"), id = uuid_new(), def = default_policy(&tenant), ann;
	json_t *document = policy_document("Vault", "manual", NULL), *approvals = json_object_get(document, "approvals"), *doc = NULL;
	struct db *db;

	add_user(&tenant, "admin@example.com", "account-administrator");
	ann = add_user(&tenant, "ann@example.com", "key-approver");
	add_user(&tenant, "audit@example.com", "auditor");
	db = as("keyward_console", &tenant);
	CHECK_INT(faults_of(db, NULL, document, ""), 0);
	json_set_int(approvals, "needed", 3);
	CHECK_INT(faults_of(db, NULL, document, "approvals/needed"), 1);
	json_set_int(approvals, "needed", 2);
	CHECK_INT(faults_of(db, NULL, document, ""), 0);
	json_object_set_new(approvals, "of", json_pack("[s]", "ann@example.com"));
	CHECK_INT(faults_of(db, NULL, document, "approvals/needed"), 1);
	json_object_set_new(approvals, "of", json_pack("[s, s]", "ann@example.com", "audit@example.com"));
	CHECK_INT(faults_of(db, NULL, document, "approvals/of/1"), 1);
	json_object_set_new(approvals, "of", json_pack("[s, s]", "admin@example.com", "ann@example.com"));
	CHECK_INT(faults_of(db, NULL, document, ""), 0);
	CHECK_INT(policy_create(db, &id, document, ""), 0);
	/* The name is its own; for any other policy it is taken, in small letters too. */
	CHECK_INT(faults_of(db, &id, document, ""), 0);
	json_set_string(document, "name", "vault");
	CHECK_INT(faults_of(db, &def, document, "name"), 1);
	/* Whoever is renamed stays an approver: people are ids. */
	CHECK_INT(db_run_one(db, "update app_user set email = 'ann.b@example.com' where id = $1", DB_ARGS(db_uuid_arg(&ann))), 0);
	CHECK_INT(policy_version_get(db, &id, 1, &doc), 0);
	CHECK_STR(json_string_value(json_array_get(json_object_get(json_object_get(json_object_get(doc, "document"), "approvals"), "of"), 1)),
		"ann.b@example.com");
	json_decref(doc);
	finish(db);
	json_decref(document);
}

static json_t *id_list(const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	return json_pack("[s]", text);
}

TEST(drafts, "POL-2")
{
	struct uuid tenant = make_tenant("drafts"), a, b, id = uuid_new(), image, edit, def = default_policy(&tenant);
	struct machine m = make_machine(&tenant, "i-1", 3);
	struct device d = device_of(&m, "vol-1"), root = device_of(&m, "root");
	json_t *document = policy_document("", "manual", NULL), *doc = NULL, *add, *remove, *ids;
	struct list_query q = { .filters = { { "draft", NULL }, { "show", "chosen" } } };
	struct db_actor other = user_actor;
	char text[UUID_TEXT_SIZE];
	struct db *db;

	add_user(&tenant, "admin@example.com", "account-administrator");
	other.id = add_user(&tenant, "ann@example.com", "account-administrator");
	db = as("keyward_console", &tenant);
	image = only_image(db);
	CHECK_INT(policy_draft_new(db, document, &a), 0);
	/* One that was never touched is as good as a new one. */
	CHECK_INT(policy_draft_new(db, document, &b), 0);
	CHECK(uuid_equal(&a, &b));
	CHECK_INT(policy_draft_list(db, &doc), 0);
	CHECK_INT(json_array_size(doc), 0);
	json_decref(doc);
	json_set_string(document, "name", "Mine");
	CHECK_INT(policy_draft_save(db, &a, document, "because"), 0);
	CHECK_INT(policy_draft_new(db, document, &b), 0);
	CHECK(!uuid_equal(&a, &b));
	CHECK_INT(policy_draft_list(db, &doc), 0);
	CHECK_INT(json_array_size(doc), 1);
	json_decref(doc);
	/* Chosen are just the differences; what is chosen and taken back is none. */
	ids = id_list(&d.id);
	uuid_text(&root.id, text);
	json_array_append_new(ids, json_string(text));
	CHECK_INT(policy_draft_choose(db, &a, POLICY_DEVICE, ids, NULL), 0);
	CHECK_INT(policy_draft_choose_all(db, &a, POLICY_IMAGE, "", 1), 0);
	CHECK_INT(policy_draft_choose_all(db, &a, POLICY_IMAGE, "no such", 0), 0);
	CHECK_INT(policy_draft_moves(db, &a, POLICY_DEVICE, &add, &remove), 0);
	/* Never the root disk. */
	CHECK_INT(json_array_size(add), 1);
	CHECK_INT(json_array_size(remove), 0);
	json_decref(add);
	json_decref(remove);
	CHECK_INT(policy_draft_get(db, &a, 1, &doc), 0);
	CHECK_INT(json_integer_value(json_object_get(doc, "images")), 1);
	CHECK_INT(json_integer_value(json_object_get(doc, "devices")), 1);
	CHECK_STR(json_string_value(json_object_get(doc, "why")), "because");
	CHECK(json_is_null(json_object_get(doc, "saved")));
	json_decref(doc);
	uuid_text(&a, text);
	q.filters[0].value = text;
	CHECK_INT(policy_draft_pick(db, POLICY_DEVICE, &q, &doc), 0);
	CHECK_INT(json_array_size(json_object_get(doc, "rows")), 1);
	json_decref(doc);
	q.filters[1].value = "others";
	CHECK_INT(policy_draft_pick(db, POLICY_DEVICE, &q, &doc), 0);
	CHECK_INT(json_array_size(json_object_get(doc, "rows")), 1);
	json_decref(doc);
	CHECK_INT(policy_draft_choose(db, &a, POLICY_DEVICE, NULL, ids), 0);
	CHECK_INT(policy_draft_moves(db, &a, POLICY_DEVICE, &add, &remove), 0);
	CHECK_INT(json_array_size(add) + json_array_size(remove), 0);
	json_decref(add);
	json_decref(remove);
	/* A draft of a policy begins as the policy is. */
	CHECK_INT(policy_create(db, &id, document, ""), 0);
	CHECK_INT(policy_set_members(db, &id, POLICY_IMAGE, &image, 1), 0);
	CHECK_INT(policy_draft_open(db, &id, &edit), 0);
	CHECK_INT(policy_draft_open(db, &id, &b), 0);
	CHECK(uuid_equal(&edit, &b));
	CHECK_INT(policy_draft_get(db, &edit, 0, &doc), 0);
	CHECK(json_equal(json_object_get(doc, "document"), json_object_get(doc, "saved")));
	CHECK_INT(json_integer_value(json_object_get(doc, "base_version")), 1);
	CHECK_INT(json_integer_value(json_object_get(doc, "images")), 1);
	json_decref(doc);
	CHECK_INT(policy_draft_open(db, &d.id, &b), ERR_NOT_FOUND);
	finish(db);

	/* Nobody else's business, even of the same tenant. */
	db = pg_db("keyward_console");
	CHECK_INT(db_begin(db, &tenant, &other), 0);
	CHECK_INT(policy_draft_get(db, &a, 0, &doc), ERR_NOT_FOUND);
	CHECK_INT(policy_draft_save(db, &a, document, NULL), ERR_NOT_FOUND);
	CHECK_INT(policy_draft_delete(db, &a), ERR_NOT_FOUND);
	CHECK_INT(policy_draft_choose(db, &a, POLICY_DEVICE, ids, NULL), 0);
	finish(db);
	db = as("keyward_console", &tenant);
	CHECK_INT(policy_draft_moves(db, &a, POLICY_DEVICE, &add, &remove), 0);
	CHECK_INT(json_array_size(add), 0);
	json_decref(add);
	json_decref(remove);
	/* The draft goes with its policy. */
	CHECK_INT(policy_delete(db, &id, &def), 0);
	CHECK_INT(policy_draft_get(db, &edit, 0, &doc), ERR_NOT_FOUND);
	finish(db);
	json_decref(ids);
	json_decref(document);
	device_release(&d);
	device_release(&root);
}

TEST(names_of_members, "POL-8")
{
	struct uuid tenant = make_tenant("member-names"), id = uuid_new();
	struct machine m = make_machine(&tenant, "i-1", 2), n = make_machine_of(&tenant, "native", "host-1", 1),
		o = make_machine_of(&tenant, "native", "host-2", 1);
	json_t *document = policy_document("Named", "manual", NULL), *names, *ids, *unknown;
	struct device d = device_of(&m, "vol-1");
	struct db *db = as("keyward_console", &tenant);

	names = json_pack("[s, s, s, s]", "ec2:vol-1", "ec2:nothing", "native:vol-1", "vol-1");
	CHECK_INT(policy_member_find(db, POLICY_DEVICE, names, &ids, &unknown), 0);
	CHECK_INT(json_array_size(ids), 1);
	/* "native:vol-1" is on two machines: nobody knows which is meant. */
	CHECK_INT(json_array_size(unknown), 3);
	json_decref(unknown);
	CHECK_INT(policy_create(db, &id, document, ""), 0);
	CHECK_INT(policy_move(db, &id, POLICY_DEVICE, ids, NULL), 0);
	json_decref(ids);
	json_decref(names);
	CHECK_INT(policy_member_names(db, &id, POLICY_DEVICE, 10, &names), 0);
	CHECK_STR(json_string_value(json_array_get(names, 0)), "ec2:vol-1");
	CHECK_INT(policy_member_names(db, &id, POLICY_DEVICE, 0, &ids), ERR_TOO_LARGE);
	json_decref(names);
	names = json_pack("[s, s]", "ec2:ami-1", "ec2:ami-2");
	CHECK_INT(policy_member_find(db, POLICY_IMAGE, names, &ids, &unknown), 0);
	CHECK_INT(json_array_size(ids), 1);
	CHECK_STR(json_string_value(json_array_get(unknown, 0)), "ec2:ami-2");
	json_decref(ids);
	json_decref(unknown);
	json_decref(names);
	finish(db);
	json_decref(document);
	device_release(&d);
	settle(&n);
	settle(&o);
}

PG_TEST_MAIN
