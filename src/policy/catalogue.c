/* catalogue.c - the rows: rule types, and operators by data type. */
#include "policy/catalogue.h"

#include <string.h>

#include "base/mem.h"
#include "base/say.h"
#include "policy/value.h"

static const char *const access_types[] = { "read-only", "read-write", NULL };
static const char *const systems[] = { "linux", "windows", NULL };
static const char *const distributions[] = { "debian", "ubuntu", "rhel", "centos", "rocky", "almalinux", "fedora", "sles", "opensuse",
	"amzn", "ol", "arch", "alpine", NULL };
static const char *const architectures[] = { "x86_64", "aarch64", "i686", NULL };
static const char *const bits[] = { "32", "64", NULL };
static const char *const products[] = { "clamav", "wazuh", "ossec", "deep-security-agent", "serverprotect", "officescan", "aide", "falcon",
	"sentinelone", "defender", "osquery", "falco", "samhain", "tripwire", "rkhunter", NULL };
static const char *const ossec[] = { "wazuh", "ossec", NULL };
static const char *const states[] = { "on", "off", "warning", "error", "not-installed", NULL };
static const char *const on_off[] = { "on", "off", NULL };

/* A service that only this machine itself can reach does not count. */
static int reachable(const json_t *detail)
{
	const json_t *addresses = json_object_get(detail, "address"), *a;
	size_t i;

	if (!json_is_array(addresses))
		return -1;
	json_array_foreach(addresses, i, a) {
		struct value v;

		if (value_read(DATA_IP, a, &v) < 0)
			return -1;
		if (!network_is_loopback(&v.network))
			return 1;
	}
	return 0;
}

static int running(const json_t *detail)
{
	const json_t *r = json_object_get(detail, "running");

	return json_is_boolean(r) ? json_is_true(r) : -1;
}

#define SCALAR(fact, label, covers, group, data) fact, label, covers, group, data, DATA_STRING
#define SET_OF(name, label, covers, group, element) name, label, covers, group, DATA_SET, element
#define NO_SUBJECT NULL, NULL, NULL, NULL
#define AGENT(fact) fact, FACT_AGENT
#define SERVER(fact) fact, FACT_SERVER
#define DEEP_SECURITY(what, label, help) \
	{ SCALAR("deep_security." what, label, "RUL-16", "Deep Security", DATA_STRING), RULE_TYPE_SINGLE | RULE_TYPE_FOLD, NO_SUBJECT, \
		"deep_security." what, FACT_DEEP_SECURITY, states, help, "{\"operator\": \"equals\", \"value\": \"on\"}", \
		N_("antivirus, protection, Trend Micro, DSM") }

static const struct rule_type types[] = {
	{ SCALAR("device.access", "Device access type", "RUL-1", "Device", DATA_STRING), RULE_TYPE_SINGLE | RULE_TYPE_CLOSED, NO_SUBJECT,
		SERVER("device.access"), access_types, "How the device is to be opened.",
		"{\"operator\": \"equals\", \"value\": \"read-only\"}",
		N_("read, write, mode") },
	{ SCALAR("device.mount_point", "Device mount point", "RUL-2", "Device", DATA_STRING), 0, NO_SUBJECT, SERVER("device.mount_point"),
		NULL, "Where the device is to be mounted.", "{\"operator\": \"matches\", \"value\": \"/srv/*\"}",
		N_("path, folder, directory, file system") },

	{ SCALAR("os.system", "Operating system", "RUL-3", "Guest OS", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT, AGENT("os.system"),
		systems, "The kind of operating system.", "{\"operator\": \"equals\", \"value\": \"linux\"}",
		N_("OS, platform, Linux, Windows") },
	{ SCALAR("os.distribution", "Distribution", "RUL-3", "Guest OS", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT,
		AGENT("os.distribution"), distributions, "The ID in the guest's /etc/os-release.",
		"{\"operator\": \"in\", \"value\": [\"debian\", \"ubuntu\"]}",
		N_("OS, Linux, flavour, Debian, Ubuntu, Red Hat") },
	{ SCALAR("os.version", "OS version", "RUL-3", "Guest OS", DATA_VERSION), 0, NO_SUBJECT, AGENT("os.version"), NULL,
		"The VERSION_ID in the guest's /etc/os-release.", "{\"operator\": \"at-least\", \"value\": \"12\"}",
		N_("release, operating system") },
	{ SCALAR("os.arch", "Architecture", "RUL-3", "Guest OS", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT, AGENT("os.arch"), architectures,
		"The machine's architecture as its kernel names it.", "{\"operator\": \"equals\", \"value\": \"x86_64\"}",
		N_("processor, CPU, platform, x86, ARM") },
	{ SCALAR("os.bits", "Architecture, bits", "RUL-3", "Guest OS", DATA_NUMBER), 0, NO_SUBJECT, AGENT("os.bits"), bits,
		"Either 32 or 64.", "{\"operator\": \"equals\", \"value\": 64}",
		N_("processor, CPU, word size") },
	{ SCALAR("os.kernel", "Kernel version", "RUL-18", "Guest OS", DATA_VERSION), RULE_TYPE_PLAIN, NO_SUBJECT, AGENT("os.kernel"),
		NULL, "The release of the running kernel.", "{\"operator\": \"at-least\", \"value\": \"6.1.0-28\"}",
		N_("Linux, uname, release") },
	{ SCALAR("os.pending_security_updates", "Pending security updates", "RUL-18", "Guest OS", DATA_NUMBER), 0, NO_SUBJECT,
		AGENT("os.pending_security_updates"), NULL, "How many security updates (patches) the guest knows of and has not installed. It knows what there was"
		" when it last looked: add the rule Updates last looked for.",
		"{\"operator\": \"equals\", \"value\": 0}",
		N_("patched, unpatched, patch level, up to date, outdated, vulnerabilities, CVE, missing updates") },
	{ SCALAR("os.pending_updates", "Pending updates", "RUL-18", "Guest OS", DATA_NUMBER), 0, NO_SUBJECT, AGENT("os.pending_updates"),
		NULL, "How many updates of any kind the guest knows of and has not installed.", "{\"operator\": \"at-most\", \"value\": 20}",
		N_("patched, unpatched, patch level, up to date, outdated, upgrades") },
	{ SCALAR("os.updates_checked_at", "Updates last looked for", "RUL-18", "Guest OS", DATA_DATE), 0, NO_SUBJECT,
		AGENT("os.updates_checked_at"), NULL, "When the guest last fetched its lists of updates.",
		"{\"operator\": \"newer-than\", \"value\": \"7d\"}",
		N_("patched, up to date, fresh, apt, dnf") },
	{ SCALAR("os.booted_at", "Guest started", "RUL-3", "Guest OS", DATA_DATE), 0, NO_SUBJECT, AGENT("os.booted_at"), NULL,
		"When the guest was started.", "{\"operator\": \"newer-than\", \"value\": \"30d\"}",
		N_("boot, reboot, restart") },
	{ SCALAR("os.uptime_s", "Seconds since start", "RUL-3", "Guest OS", DATA_NUMBER), 0, NO_SUBJECT, AGENT("os.uptime_s"), NULL,
		"How long the guest has been running, in seconds.", "{\"operator\": \"less\", \"value\": 600}",
		N_("uptime, boot, reboot, restart") },
	{ SCALAR("host.name", "Host name", "RUL-17", "Guest OS", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT, AGENT("host.name"), NULL,
		"The guest's own name for itself.", "{\"operator\": \"matches\", \"value\": \"db-*\"}",
		N_("computer name, machine name, server name, FQDN") },
	{ SCALAR("agent.version", "Agent version", "RUL-3", "Guest OS", DATA_VERSION), 0, NO_SUBJECT, AGENT("agent.version"), NULL,
		"The version of the Runtime Agent.", "{\"operator\": \"at-least\", \"value\": \"0.1.0\"}",
		N_("Keyward, client, up to date") },

	{ SCALAR("request.at", "Key request date", "RUL-4", "Key request", DATA_DATE), 0, NO_SUBJECT, SERVER("request.at"), NULL,
		"When the key is asked for; weekdays and times of day are those of the account's time zone.",
		"{\"operator\": \"in-window\", \"value\": {\"weekdays\": [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], \"from\": \"08:00\","
		" \"to\": \"18:00\"}}",
		N_("time, hours, weekday, weekend, night, business hours, working hours, schedule") },
	{ SCALAR("request.address", "Request source address", "RUL-11, RUL-12", "Key request", DATA_IP), 0, NO_SUBJECT,
		SERVER("request.address"), NULL, "The IPv4 or IPv6 address that the request comes from, as the server sees it.",
		"{\"operator\": \"in\", \"value\": [\"10.20.0.0/16\", \"2001:db8:20::/48\"]}",
		N_("IP, network, where from, location") },

	{ SCALAR("instance.first_seen", "Instance first seen", "RUL-5", "Instance", DATA_DATE), 0, NO_SUBJECT,
		SERVER("instance.first_seen"), NULL, "When the instance first spoke to the server.",
		"{\"operator\": \"older-than\", \"value\": \"1d\"}",
		N_("new, age, unknown machine") },
	{ SCALAR("instance.last_seen", "Instance last seen", "RUL-6", "Instance", DATA_DATE), 0, NO_SUBJECT,
		SERVER("instance.last_seen"), NULL, "When the instance last spoke to the server before this request.",
		"{\"operator\": \"newer-than\", \"value\": \"30d\"}",
		N_("offline, silent, away, heartbeat") },
	{ SCALAR("instance.user_data", "Instance user data", "RUL-7", "Instance", DATA_STRING), 0, NO_SUBJECT,
		AGENT("instance.user_data"), NULL, "The user data that the provider gives to the instance.",
		"{\"operator\": \"contains\", \"value\": \"role=database\"}",
		N_("metadata, tags, cloud-init, labels, role") },
	{ SCALAR("instance.region", "Region", "RUL-8", "Instance", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT, AGENT("instance.region"), NULL,
		"The provider's region that the instance runs in.", "{\"operator\": \"in\", \"value\": [\"eu-central-1\", \"eu-west-1\"]}",
		N_("location, where, place, country, data centre, site, cloud, AWS") },
	{ SCALAR("instance.zone", "Zone", "RUL-8", "Instance", DATA_STRING), RULE_TYPE_FOLD, NO_SUBJECT, AGENT("instance.zone"), NULL,
		"The provider's zone that the instance runs in.", "{\"operator\": \"starts-with\", \"value\": \"eu-central-1\"}",
		N_("location, where, place, availability zone, data centre, cloud, AWS") },

	{ SET_OF("network.services", "Network services", "RUL-9", "Network", DATA_PORT), 0, NO_SUBJECT, AGENT("network.services"), NULL,
		"Every TCP and UDP port that the guest listens on. A port is 22 (TCP and UDP), tcp/22, udp/53 or tcp/8000-8099.",
		"{\"operator\": \"in\", \"value\": [\"tcp/22\", \"tcp/443\"]}",
		N_("open ports, listening, sockets, exposed, firewall") },
	{ "network.services.remote", "Network services reachable from outside", "RUL-9", "Network", DATA_SET, DATA_PORT, 0, NULL, NULL, NULL,
		reachable, AGENT("network.services"), NULL,
		"Every port that the guest listens on, without those that only the guest itself can reach (127.0.0.0/8, ::1).",
		"{\"operator\": \"contains-none\", \"value\": [8080]}",
		N_("open ports, listening, exposed, internet, firewall") },
	{ SET_OF("network.addresses", "Addresses of the guest", "RUL-9", "Network", DATA_IP), 0, NO_SUBJECT, AGENT("network.addresses"),
		NULL, "The addresses of the guest's own network interfaces.", "{\"operator\": \"in\", \"value\": [\"10.20.0.0/16\"]}",
		N_("IP, interface, subnet") },
	{ SET_OF("network.networks", "Networks of the guest", "RUL-9", "Network", DATA_CIDR), 0, NO_SUBJECT, AGENT("network.networks"),
		NULL, "The networks that the guest's interfaces are in. A network in the list stands for itself and all within it.",
		"{\"operator\": \"contains-none\", \"value\": [\"192.168.0.0/16\"]}",
		N_("IP, interface, subnet, VPC, LAN, location") },

	{ SET_OF("security.products", "Security products installed", "RUL-13", "Security software", DATA_STRING), RULE_TYPE_SINGLE,
		NO_SUBJECT, AGENT("security.products"), products, "Which of the products that the agent knows are installed.",
		"{\"operator\": \"contains-any\", \"value\": [\"clamav\", \"deep-security-agent\"]}",
		N_("antivirus, anti-malware, virus scanner, protection, EDR") },
	{ "security.running", "Security products running", "RUL-13", "Security software", DATA_SET, DATA_STRING, RULE_TYPE_SINGLE, NULL,
		NULL, NULL, running, AGENT("security.products"), products, "Which of the products that the agent knows are running.",
		"{\"operator\": \"contains\", \"value\": [\"clamav\"]}",
		N_("antivirus, anti-malware, virus scanner, protection, EDR, active") },
	{ "security.version", "Version of security software", "RUL-13", "Security software", DATA_VERSION, DATA_STRING, 0, "Product",
		products, "version", NULL, AGENT("security.products"), NULL, "The version of one product.",
		"{\"operator\": \"at-least\", \"value\": \"1.0\", \"subject\": \"clamav\"}",
		N_("antivirus, virus scanner, up to date") },
	{ "security.ossec_version", "OSSEC / Wazuh version", "RUL-10", "Security software", DATA_VERSION, DATA_STRING, 0, NULL, ossec,
		"version", NULL, AGENT("security.products"), NULL, "The version of Wazuh, or where that is not installed, of OSSEC.",
		"{\"operator\": \"at-least\", \"value\": \"4.7\"}",
		N_("intrusion detection, HIDS") },
	{ "security.engine_version", "Scan engine version", "RUL-14", "Security software", DATA_VERSION, DATA_STRING, RULE_TYPE_SINGLE,
		"Product", products, "engine", NULL, AGENT("security.products"), NULL, "The version of one product's scan engine.",
		"{\"operator\": \"at-least\", \"value\": \"1.0.3\", \"subject\": \"clamav\"}",
		N_("antivirus, virus scanner, up to date") },
	{ "security.pattern_version", "Scan pattern version", "RUL-15", "Security software", DATA_VERSION, DATA_STRING, RULE_TYPE_SINGLE,
		"Product", products, "pattern", NULL, AGENT("security.products"), NULL, "The version of one product's scan patterns.",
		"{\"operator\": \"at-least\", \"value\": \"27101\", \"subject\": \"clamav\"}",
		N_("antivirus, virus signatures, definitions, up to date") },
	{ "security.pattern_date", "Scan pattern age", "RUL-15", "Security software", DATA_DATE, DATA_STRING, RULE_TYPE_SINGLE, "Product",
		products, "pattern_date", NULL, AGENT("security.products"), NULL, "When one product's scan patterns were made.",
		"{\"operator\": \"newer-than\", \"value\": \"3d\", \"subject\": \"clamav\"}",
		N_("antivirus, virus signatures, definitions, up to date, fresh") },

	DEEP_SECURITY("status", "Deep Security overall status", "What Deep Security Manager says of the computer as a whole."),
	DEEP_SECURITY("anti_malware", "Deep Security anti-malware", "The state of the anti-malware module."),
	DEEP_SECURITY("web_reputation", "Deep Security web reputation", "The state of the web reputation module."),
	DEEP_SECURITY("firewall", "Deep Security firewall", "The state of the firewall module."),
	DEEP_SECURITY("intrusion_prevention", "Deep Security intrusion prevention (DPI)", "The state of the intrusion prevention module."),
	DEEP_SECURITY("integrity_monitoring", "Deep Security integrity monitoring", "The state of the integrity monitoring module."),
	DEEP_SECURITY("log_inspection", "Deep Security log inspection", "The state of the log inspection module."),

	{ "package.version", "Package", "RUL-19", "Software", DATA_VERSION, DATA_STRING, 0, "Package", NULL, NULL, NULL, AGENT("packages"),
		NULL, "Whether one package is installed, and its version.",
		"{\"operator\": \"at-least\", \"value\": \"3.0.11-1~deb12u2\", \"subject\": \"openssl\"}",
		N_("software, program, application, installed, patched") },
	{ SET_OF("packages", "Packages installed", "RUL-19", "Software", DATA_STRING), 0, NO_SUBJECT, AGENT("packages"), NULL,
		"The names of all installed packages.", "{\"operator\": \"contains-none\", \"value\": [\"telnetd\", \"*-dbgsym\"]}",
		N_("software, programs, applications") },
	{ SET_OF("processes", "Processes running", "RUL-20", "Software", DATA_STRING), 0, NO_SUBJECT, AGENT("processes"), NULL,
		"The names of running processes and services.", "{\"operator\": \"contains\", \"value\": [\"auditd\"]}",
		N_("programs, services, daemons, tasks") },
	{ "file.sha256", "File hash (SHA-256)", "RUL-21", "Software", DATA_STRING, DATA_STRING, RULE_TYPE_SHA256 | RULE_TYPE_FOLD | RULE_TYPE_PATH, "File",
		NULL, NULL, NULL, AGENT("files"), NULL, "Whether one file exists, and the SHA-256 of its content.",
		"{\"operator\": \"equals\", \"subject\": \"/etc/ssh/sshd_config\", \"value\":"
		" \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}",
		N_("checksum, digest, integrity, tampered, configuration") },

	{ SCALAR("secure_boot", "Secure boot", "RUL-22", "Hardware", DATA_STRING), RULE_TYPE_CLOSED, NO_SUBJECT,
		AGENT("secure_boot"), on_off, "Whether the firmware checked what it started, as the guest tells it.", "{\"operator\": \"equals\", \"value\": \"on\"}",
		N_("UEFI, firmware, trusted boot, verified boot") },
	{ "tpm.pcr", "TPM register", "RUL-22", "Hardware", DATA_STRING, DATA_STRING,
		RULE_TYPE_RESERVED | RULE_TYPE_SHA256 | RULE_TYPE_FOLD, "Register", NULL, NULL, NULL, AGENT("tpm.pcr"), NULL,
		"The value of one register (PCR) in a quote of the machine's TPM.", "{\"operator\": \"equals\", \"subject\": \"7\", \"value\":"
		" \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}",
		N_("measured boot, attestation") },
	{ SET_OF("ima.files", "Files measured by IMA", "RUL-22", "Hardware", DATA_STRING), RULE_TYPE_RESERVED, NO_SUBJECT,
		AGENT("ima.files"), NULL, "The files that the kernel has measured before it used them.",
		"{\"operator\": \"in\", \"value\": [\"/usr/*\"]}",
		N_("measured boot, attestation") },
	{ SCALAR("cloud.identity", "Signed cloud identity", "RUL-23", "Instance", DATA_STRING), RULE_TYPE_RESERVED, NO_SUBJECT,
		AGENT("cloud.identity"), NULL, "The account in the identity document that the provider has signed for the instance.",
		"{\"operator\": \"equals\", \"value\": \"123456789012\"}",
		N_("attestation, AWS, account") },
};

#define D(data, op, operand, label, help) { DATA_##data, OPERATOR_##op, OPERATOR_##op, OPERAND_##operand, label, help }
#define NOT(data, op, base, operand, label, help) { DATA_##data, OPERATOR_##op, OPERATOR_##base, OPERAND_##operand, label, help }
#define ORDERED(data) \
	D(data, EQUALS, ONE, "is", "It is exactly this."), \
	NOT(data, NOT_EQUALS, EQUALS, ONE, "is not", "It is anything else."), \
	D(data, LESS, ONE, "is less than", "It is smaller."), \
	D(data, GREATER, ONE, "is greater than", "It is greater."), \
	D(data, AT_LEAST, ONE, "is at least", "It is this or greater."), \
	D(data, AT_MOST, ONE, "is at most", "It is this or smaller."), \
	D(data, BETWEEN, PAIR, "is between", "It is one of the two or lies between them."), \
	D(data, IN, LIST, "is one of", "It is one of these."), \
	NOT(data, NOT_IN, IN, LIST, "is none of", "It is none of these.")

static const struct operator_row operators[] = {
	D(STRING, EQUALS, ONE, "is", "It is exactly this text."),
	NOT(STRING, NOT_EQUALS, EQUALS, ONE, "is not", "It is any other text."),
	D(STRING, CONTAINS, ONE, "contains", "This text is somewhere in it."),
	NOT(STRING, NOT_CONTAINS, CONTAINS, ONE, "does not contain", "This text is nowhere in it."),
	D(STRING, STARTS_WITH, ONE, "starts with", "It begins with this text."),
	D(STRING, MATCHES, PATTERN, "matches", "The whole of it fits the pattern; a backslash takes * ? and \\ as they are."),
	D(STRING, IN, LIST, "is one of", "It is one of these texts."),
	NOT(STRING, NOT_IN, IN, LIST, "is none of", "It is none of these texts."),
	ORDERED(NUMBER),
	ORDERED(VERSION),
	D(VERSION, STARTS_WITH, ONE, "starts with", "It begins with these parts: 3.1 fits 3.1 and 3.1.2 and not 3.10."),
	D(DATE, LESS, ONE, "is before", "It was before that moment or day."),
	D(DATE, GREATER, ONE, "is after", "It was after that moment or day."),
	D(DATE, BETWEEN, PAIR, "is between", "It was from the first moment or day to the second, both included."),
	D(DATE, NEWER_THAN, DURATION, "is newer than", "It was less than this long ago."),
	D(DATE, OLDER_THAN, DURATION, "is older than", "It was this long ago or longer."),
	D(DATE, IN_WINDOW, WINDOW, "is within", "It was on one of these weekdays and between these times of the account's time zone."),
	NOT(DATE, NOT_IN_WINDOW, IN_WINDOW, WINDOW, "is outside", "It was on another weekday or at another time."),
	D(IP, EQUALS, ONE, "is", "It is exactly this address."),
	NOT(IP, NOT_EQUALS, EQUALS, ONE, "is not", "It is any other address."),
	D(IP, IN_RANGE, RANGE, "is in", "It belongs to this network."),
	NOT(IP, NOT_IN_RANGE, IN_RANGE, RANGE, "is not in", "It does not belong to this network."),
	D(IP, IN, LIST, "is one of", "It is one of these addresses or belongs to one of these networks."),
	NOT(IP, NOT_IN, IN, LIST, "is none of", "It is none of these addresses and belongs to none of these networks."),
	D(CIDR, EQUALS, ONE, "is", "It is exactly this network."),
	NOT(CIDR, NOT_EQUALS, EQUALS, ONE, "is not", "It is any other network."),
	D(CIDR, CONTAINS, ONE, "contains", "This address or network belongs to it."),
	D(CIDR, IN_RANGE, RANGE, "is in", "It belongs to this network, or is this network."),
	D(SET, CONTAINS, LIST, "contain all of", "For each of these it has a member that fits."),
	D(SET, CONTAINS_ANY, LIST, "contain one of", "It has a member that fits one of these."),
	NOT(SET, CONTAINS_NONE, CONTAINS_ANY, LIST, "contain none of", "It has no member that fits one of these."),
	D(SET, IN, LIST, "are nothing but", "Each of its members fits one of these; some of these may be missing."),
	D(SET, EQUALS, LIST, "are exactly", "Each of its members fits one of these, and none of these is missing."),
	D(SET, EMPTY, NONE, "are empty", "It has no members."),
	NOT(SET, NOT_EMPTY, EMPTY, NONE, "are not empty", "It has at least one member."),
	D(SUBJECT, PRESENT, NONE, "is there", "What the subject names is there."),
	NOT(SUBJECT, ABSENT, PRESENT, NONE, "is not there", "What the subject names is not there."),
};

static const char *const data_names[] = {
#define X(id, name, label) name,
	POLICY_DATA_ROWS(X)
#undef X
};
static const char *const data_labels[] = {
#define X(id, name, label) label,
	POLICY_DATA_ROWS(X)
#undef X
};
static const char *const operator_names[] = {
#define X(id, name) name,
	POLICY_OPERATOR_ROWS(X)
#undef X
};
static const char *const operand_names[] = {
#define X(id, name, label) name,
	POLICY_OPERAND_ROWS(X)
#undef X
};
static const char *const operand_labels[] = {
#define X(id, name, label) label,
	POLICY_OPERAND_ROWS(X)
#undef X
};

const struct rule_type *rule_types(size_t *count)
{
	*count = ARRAY_LEN(types);
	return types;
}

int rule_type_offers(const struct rule_type *type, const char *choice)
{
	for (const char *const *c = type->choices; c && *c; c++)
		if (strcmp(*c, choice) == 0)
			return 1;
	return 0;
}

const struct rule_type *rule_type_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

const struct operator_row *policy_operators(size_t *count)
{
	*count = ARRAY_LEN(operators);
	return operators;
}

int rule_type_allows(const struct rule_type *type, const struct operator_row *row)
{
	if (row->data == DATA_SUBJECT)
		return type->subject != NULL;
	if (row->data != type->data)
		return 0;
	/* Of a hash, only all or nothing makes sense. */
	return !(type->flags & RULE_TYPE_SHA256) || row->operand == OPERAND_LIST || row->base == OPERATOR_EQUALS;
}

const struct operator_row *rule_type_operator(const struct rule_type *type, const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(operators); i++)
		if (rule_type_allows(type, &operators[i]) && strcmp(operator_names[operators[i].op], name) == 0)
			return &operators[i];
	return NULL;
}

const char *policy_data_name(enum policy_data d)
{
	return data_names[d];
}

const char *policy_data_label(enum policy_data d)
{
	return data_labels[d];
}

const char *policy_operator_name(enum policy_operator o)
{
	return operator_names[o];
}

const char *policy_operand_name(enum policy_operand o)
{
	return operand_names[o];
}

const char *policy_operand_label(enum policy_operand o)
{
	return operand_labels[o];
}
