/* agent_options.c - the options of keyward-agent: what parsing, --help and the manual page are made of. */
#include "agent/daemon/daemon.h"
#include "base/mem.h"

#define AT(member) offsetof(struct daemon_options, member)

static const struct option_row rows[] = {
	{ 'h', "help", OPTION_FLAG, AT(help), NULL, "show this and end" },
	{ 'V', "version", OPTION_FLAG, AT(version), NULL, "show the version and end" },
	{ 0, "facts", OPTION_FLAG, AT(facts), NULL, "show the facts that are reported, and end" },
	{ 0, "conf", OPTION_TEXT, AT(conf), "FILE", "configuration file (" AGENT_CONF_PATH ")", .values = OPTION_FILES },
	{ 0, "state", OPTION_TEXT, AT(state), "DIR", "folder of the registration (" AGENT_STATE_PATH ")",
		.values = OPTION_FOLDERS },
	{ 0, "log-file", OPTION_TEXT, AT(log_file), "FILE", "log into FILE; goes over the file's log_file",
		.values = OPTION_FILES },
	{ 0, "log-level", OPTION_TEXT, AT(log_level), "LEVEL", "debug, info, warning or error; goes over the file's",
		.values = "debug info warning error" },
};

const struct option_table daemon_table = {
	"keyward-agent", "Opens this machine's encrypted volumes.", rows, ARRAY_LEN(rows), NULL, 0
};
