/* device_proposal.c - what a machine proposes for a device of its own (CFG-2): shown with the device, accepted or rejected by a person;
 * and the account's choice of what is done without one. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/device.h"
#include "store/proposal.h"
#include "web/doc.h"

static const struct {
	const char *name, *title, *text;
} rules[] = {
#define X(id, name, title, text) { name, title, text },
	PROPOSAL_RULES(X)
#undef X
};

static const char *const rule_values[] = {
#define X(id, name, title, text) name,
	PROPOSAL_RULES(X)
#undef X
	NULL
};

const struct route_param account_proposals_fields[] = {
	{ "proposals", "Proposals of machines", PARAM_ENUM, PARAM_REQUIRED, 0, 0, rule_values },
	PARAM_END
};

/* Into the account page's form. */
int account_proposals_offer(struct call *c)
{
	enum proposal_rule chosen = PROPOSAL_EMPTY;
	int rc = proposal_rule(c->db, &chosen);

	if (rc < 0)
		return rc;
	call_form(c, "proposals", json_string(rules[chosen].name));
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		call_form_option(c, "proposals", rules[i].name, call_translate(c, rules[i].title), call_translate(c, rules[i].text),
			i == chosen);
	return 0;
}

int account_proposals(struct call *c)
{
	int rc = ERR_INVALID;

	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (strcmp(rules[i].name, call_text(c, "proposals")) == 0)
			rc = proposal_rule_set(c->db, (enum proposal_rule)i);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The choice for proposals of machines is saved.");
	call_redirect(c, "/account");
	return 0;
}

static json_t *words(const struct call *c, const json_t *o)
{
	int read_only = strcmp(doc_text(o, "access"), "read-only") == 0;
	json_t *out = json_array(), *encryption = device_encryption(c, o);

	json_array_append_new(out, json_sprintf("%s, %s", doc_text(o, "filesystem"), doc_text(o, "mount_point")));
	json_array_append_new(out, json_sprintf("%s; %s", call_translate(c, read_only ? "Read only" : "Read and write"),
		json_string_value(encryption)));
	json_decref(encryption);
	return out;
}

int device_proposal_member(struct call *c, const struct uuid *device)
{
	json_t *o = NULL, *points;
	int rc = proposal_get(c->db, device, &o);

	if (rc < 0) {
		call_set(c, "proposal", json_null());
		return rc == ERR_NOT_FOUND ? 0 : rc;
	}
	points = words(c, o);
	call_set(c, "proposal", json_pack("{s:o, s:o, s:b}", "points", points, "proposed", doc_when(c, o, "proposed"), "overwrite",
		json_is_true(json_object_get(o, "overwrite"))));
	json_decref(o);
	return 0;
}

int device_proposal_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *o = NULL;
	int rc = device_get(c->db, &id, &row), occupied;

	if (rc == 0)
		rc = proposal_get(c->db, &id, &o);
	if (rc == 0) {
		occupied = *doc_text(row, "found_filesystem") != '\0';
		doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = "proposal", .title = "Accept and encrypt",
			.name = doc_text(row, "name"), .icon = "shield-lock", .colour = "red", .danger = 1, .points = words(c, o),
			.text = call_translate(c, "The machine's agent encrypts the device as proposed, makes a file system on it and mounts it."),
			.button = occupied ? "Encrypt and destroy its content" : "Accept and encrypt",
			.typed = occupied ? doc_text(row, "name") : NULL, .warning = occupied ?
			"Everything that is on the device now will be destroyed. This cannot be undone." : NULL });
	}
	json_decref(o);
	json_decref(row);
	return rc;
}

int device_proposal_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = device_get(c->db, &id, &row), occupied = 0;

	if (rc == 0) {
		occupied = *doc_text(row, "found_filesystem") != '\0';
		if (occupied && strcmp(doc_text(row, "name"), call_text(c, "typed")) != 0)
			rc = call_field_error(c, "typed", "This is not the device's name.");
	}
	if (rc == 0)
		rc = licence_room(c, &id);
	if (rc == 0)
		rc = proposal_accept(c->db, &id, occupied);
	json_decref(row);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The device cannot be encrypted in its present status.");
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "Encryption is requested. The agent begins as soon as it looks.");
}

int device_proposal_reject(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = proposal_reject(c->db, &id);

	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The proposal was rejected. Nothing was changed.");
}
