/* deep_security.c - one search per question; what the manager says of each module becomes one word. */
#include "outside/deep_security.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define HOST_MAX 255
/* More of one name than this are several, whatever the rest is. */
#define SEARCH_MAX 10

/* The answer holds only what is asked for; a whole computer can be a megabyte. */
#define SEARCH "/api/computers/search?expand=computerStatus&expand=antiMalware&expand=webReputation&expand=firewall" \
	"&expand=intrusionPrevention&expand=integrityMonitoring&expand=logInspection"

static const char *const headers[] = { "api-version: v1", "Content-Type: application/json", "Accept: application/json", NULL };

static const struct { const char *member, *fact; } modules[] = {
	{ "antiMalware", "deep_security.anti_malware" },
	{ "webReputation", "deep_security.web_reputation" },
	{ "firewall", "deep_security.firewall" },
	{ "intrusionPrevention", "deep_security.intrusion_prevention" },
	{ "integrityMonitoring", "deep_security.integrity_monitoring" },
	{ "logInspection", "deep_security.log_inspection" },
};

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

/* "state" is what was configured, moduleStatus.agentStatus what the agent makes of it. */
static const char *module_word(const json_t *module)
{
	const char *state = text_of(module, "state"), *agent = text_of(json_object_get(module, "moduleStatus"), "agentStatus");

	if (strcasecmp(agent, "warning") == 0)
		return "warning";
	if (strcasecmp(agent, "error") == 0)
		return "error";
	if (strcasecmp(state, "off") == 0 || strcasecmp(agent, "inactive") == 0)
		return "off";
	if (strcasecmp(agent, "active") == 0)
		return "on";
	return NULL;
}

static const char *status_word(const json_t *status)
{
	static const char *const known[] = { "active", "inactive", "warning", "error" };
	const char *agent = text_of(status, "agentStatus");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(agent, known[i]) == 0)
			return known[i];
	return NULL;
}

/* What the manager does not say stays out: a rule about it is Unknown. */
static json_t *facts_of(const json_t *computer)
{
	const char *word = status_word(json_object_get(computer, "computerStatus"));
	json_t *out = json_object();

	if (word)
		json_set_string(out, "deep_security.status", word);
	for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
		word = module_word(json_object_get(computer, modules[i].member));
		if (word)
			json_set_string(out, modules[i].fact, word);
	}
	return out;
}

static int search(const struct https_server *server, const struct secret *api_key, json_t *question, json_t **computers)
{
	const struct https_secret secret = { "api-secret-key", api_key };
	json_t *answer = NULL, *list = NULL;
	int rc = https_post(server, SEARCH, headers, &secret, question, &answer);

	json_decref(question);
	if (rc == 0)
		rc = json_get_array(answer, "computers", SEARCH_MAX, &list);
	if (rc == 0)
		*computers = json_incref(list);
	else if (answer)
		rc = err_set(ERR_INVALID, "the answer is not that of a Deep Security Manager");
	json_decref(answer);
	return rc;
}

/* The search is the manager's; that the name is the one asked for is checked here: a wildcard in a name must find nobody else. */
static int pick(const json_t *computers, const char *host_name, const json_t **out)
{
	const json_t *computer;
	size_t i;
	int found = 0;

	json_array_foreach(computers, i, computer) {
		if (strcasecmp(text_of(computer, "hostName"), host_name) != 0)
			continue;
		*out = computer;
		found++;
	}
	if (found == 0)
		return err_set(ERR_NOT_FOUND, "Deep Security knows no computer named %s", host_name);
	return found == 1 ? 0 : err_set(ERR_CONFLICT, "Deep Security knows several computers named %s", host_name);
}

int deep_security_look_up(const struct https_server *server, const struct secret *api_key, const char *host_name, json_t **facts)
{
	const json_t *computer = NULL;
	json_t *computers = NULL;
	int rc;

	if (*host_name == '\0' || strlen(host_name) > HOST_MAX)
		return err_set(ERR_NOT_FOUND, "the machine has not told its host name");
	rc = search(server, api_key, json_pack("{s:i, s:[{s:s, s:s, s:s}]}", "maxItems", SEARCH_MAX, "searchCriteria", "fieldName",
		"hostName", "stringTest", "equal", "stringValue", host_name), &computers);
	if (rc == 0)
		rc = pick(computers, host_name, &computer);
	if (rc == 0)
		*facts = facts_of(computer);
	json_decref(computers);
	return rc;
}

int deep_security_test(const struct https_server *server, const struct secret *api_key)
{
	json_t *computers = NULL;
	int rc = search(server, api_key, json_pack("{s:i}", "maxItems", 1), &computers);

	json_decref(computers);
	return rc;
}
