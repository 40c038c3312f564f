/* instance_agent.c - taking the agent of an instance its registration away: it gets nothing more until somebody registers the machine anew. */
#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/agent.h"
#include "store/instance.h"
#include "web/doc.h"

int instance_agent_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	json_t *name = NULL;
	int rc = instance_name(c->db, &id, &name);

	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	doc_confirm(c, &(struct doc_confirm){ .folder = "/instances", .id = text, .act = "remove-agent", .title = "Remove the agent of", .name =
		json_string_value(name), .icon = "trash", .colour = "red", .danger = 1, .button = "Remove agent", .text = call_translate(c,
		"For machines that are gone or not yours any more. It may be registered again with the provisioning passphrase."),
		.points = json_pack("[s, s, s]", call_translate(c, "It gets no keys any more, and its requests end when it is missing"),
			call_translate(c, "A volume that is open stays open until the machine closes it: revoke its key first"),
			call_translate(c, "Its devices, their keys and its history stay")) });
	json_decref(name);
	return 0;
}

int instance_agent_remove(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *name = NULL;
	int rc = instance_name(c->db, &id, &name);

	json_decref(name);
	if (rc < 0)
		return rc;
	rc = agent_remove(c->db, &id);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "No agent answers for this instance.");
	return rc < 0 ? rc : doc_done(c, "/instances", &id, "The agent is removed.");
}
