/* config_options.c - the options of keyward-config: what parsing, --help, the manual page and completion are made of. */
#include "agent/tool/tool.h"
#include "base/mem.h"

#define AT(member) offsetof(struct tool_options, member)
#define FLAG(member) OPTION_FLAG, AT(member), NULL
#define TEXT(member, argument) OPTION_TEXT, AT(member), argument
#define SECRET(member, argument) OPTION_SECRET, AT(member), argument

static const struct option_row rows[] = {
	{ .kind = OPTION_GROUP, .help = "What to do; several are done in this order" },
	{ 'l', "list-plugins", FLAG(list_plugins), "list the provider plug-ins" },
	{ 'y', "proxy-settings", SECRET(proxy, "WHAT"),
		"the proxy on the way to the server: show, test or remove it; or its URL, to set it", .values = "show test remove" },
	{ 'r', "register", FLAG(register_), "register this machine with the server" },
	{ 'z', "update-credentials", FLAG(update_credentials), "replace the image's credentials by --new-credentials" },
	{ 'i', "publish-inventory", FLAG(publish), "tell the server which devices there are" },
	{ 'd', "devices", TEXT(devices, "FILE"),
		"have the devices that FILE names encrypted as it says ([deviceN]: id, mountpoint, ...); with -w wait for it",
		.values = OPTION_FILES },
	{ 'w', "with-provisioning", FLAG(with_provisioning), "wait for devices to be encrypted, and encrypt them" },
	{ 0, "mount", FLAG(mount), "ask for the keys and mount the volumes here" },
	{ 'k', "get-device-list", FLAG(device_list), "list the devices of this machine" },
	{ 0, "status", FLAG(status), "show the registration, the server's answer and the volumes" },
	{ 0, "adopt", TEXT(adopt, "DEVICE"), "take a LUKS2 volume over with the data on it, by id or path", .values = OPTION_FILES },
	{ 0, "hand-over", TEXT(hand_over, "DEVICE"), "give a volume to its owner with a passphrase of his own, once the console allows it",
		.values = OPTION_FILES },
	{ 0, "decrypt", TEXT(decrypt, "DEVICE"), "decrypt a volume in place, once the console allows it; going on where it was",
		.values = OPTION_FILES },
	{ 'h', "help", FLAG(help), "show this and end" },
	{ 'V', "version", FLAG(version), "show the version and end" },

	{ .kind = OPTION_GROUP, .help = "Server and account" },
	{ 'u', "url", TEXT(url, "URL"), "Web Service URL, as the console shows it" },
	{ 's', "saas", FLAG(saas), "the hosted service (saas_url in agent.conf): no --url is needed" },
	{ 'g', "guid", TEXT(account, "ACCOUNT"), "account ID, as the console shows it" },
	{ 'x', "passphrase", SECRET(passphrase, "PW"),
		"provisioning passphrase; others may see it with ps for a moment: prefer the next" },
	{ 0, "passphrase-file", TEXT(passphrase_file, "FILE"),
		"read it from FILE (- for standard input), or set KEYWARD_PASSPHRASE", .values = OPTION_FILES },
	{ 0, "force", FLAG(force), "with --register: a new identity although this machine is registered; with --decrypt: do not"
		" ask" },

	{ .kind = OPTION_GROUP, .help = "Volumes that change hands" },
	{ 0, "key-file", TEXT(key_file, "FILE"), "with --adopt: what opens the volume; with --hand-over: what is to open it; all of FILE (- for"
		" standard input), as cryptsetup takes it; or set KEYWARD_VOLUME_PASSPHRASE", .values = OPTION_FILES },
	{ 0, "mount-point", TEXT(mount_point, "DIR"), "with --adopt: where to mount it, unless the console says", .values = OPTION_FOLDERS },
	{ 0, "remove-old-slots", FLAG(remove_old_slots), "with --adopt: once it is done, take away all that opened the volume before" },

	{ .kind = OPTION_GROUP, .help = "Provider" },
	{ 'c', "csp", TEXT(csp, "ID"), "provider plug-in (see --list-plugins)" },
	{ 'o', "options", TEXT(options, "K=V,..."), "its settings, kept for the agent (see --list-plugins)" },
	{ 'n', "new-credentials", SECRET(new_credentials, "K=V,..."),
		"the provider's credentials for this image; checked, kept by the server, used by all its guests" },
	{ 0, "new-credentials-file", TEXT(new_credentials_file, "FILE"),
		"read them from FILE (- for standard input), or set KEYWARD_CREDENTIALS", .values = OPTION_FILES },
	{ 'm', "original-credentials", SECRET(original_credentials, "K=V,..."),
		"with --update-credentials: those to replace; others are left alone" },
	{ 0, "original-credentials-file", TEXT(original_credentials_file, "FILE"),
		"read them from FILE, or set KEYWARD_ORIGINAL_CREDENTIALS", .values = OPTION_FILES },
	{ 'p', "plugin", TEXT(plugin, "FILE"), "install the provider plug-in in FILE", .values = OPTION_FILES },

	{ .kind = OPTION_GROUP, .help = "Trust and proxy" },
	{ 0, "ca-file", TEXT(ca_file, "FILE"), "trust the certificates in FILE (PEM) instead of the system's",
		.values = OPTION_FILES },
	{ 'e', "ignore-ssl-error", FLAG(ignore_ssl_error), "do not check the server's certificate; the console shows it" },
	{ 0, "proxy-user", TEXT(proxy_user, "NAME"), "with --proxy-settings URL: the proxy's login; its password is asked for" },
	{ 0, "proxy-password-file", TEXT(proxy_password_file, "FILE"),
		"read the password from FILE (- for standard input), or set KEYWARD_PROXY_PASSWORD", .values = OPTION_FILES },

	{ .kind = OPTION_GROUP, .help = "How" },
	{ 't', "timeout", OPTION_NUMBER, AT(timeout), "MIN", "wait no longer than so many minutes (720)", 1, 525600 },
	{ 'q', "quiet", FLAG(quiet), "say nothing but errors" },
	{ 0, "json", FLAG(json), "for scripts: one JSON object with all results, or the error, and nothing else" },
	{ 0, "conf", TEXT(conf, "FILE"), "configuration file (" AGENT_CONF_PATH ")", .values = OPTION_FILES },
	{ 0, "state", TEXT(state, "DIR"), "folder of the registration (" AGENT_STATE_PATH ")", .values = OPTION_FOLDERS },
};

static const struct option_rule rules[] = {
	{ OPTION_EXCLUDES, "url", "saas" },
	{ OPTION_EXCLUDES, "passphrase", "passphrase-file" },
	{ OPTION_EXCLUDES, "new-credentials", "new-credentials-file" },
	{ OPTION_EXCLUDES, "original-credentials", "original-credentials-file" },
	{ OPTION_NEEDS, "original-credentials", "update-credentials" },
	{ OPTION_NEEDS, "original-credentials-file", "update-credentials" },
	{ OPTION_EXCLUDES, "ca-file", "ignore-ssl-error" },
	{ OPTION_EXCLUDES, "adopt", "hand-over" },
	{ OPTION_EXCLUDES, "adopt", "decrypt" },
	{ OPTION_EXCLUDES, "hand-over", "decrypt" },
	{ OPTION_NEEDS, "mount-point", "adopt" },
	{ OPTION_NEEDS, "remove-old-slots", "adopt" },
	{ OPTION_NEEDS, "proxy-user", "proxy-settings" },
	{ OPTION_NEEDS, "proxy-password-file", "proxy-settings" },
};

const struct option_table tool_table = {
	"keyward-config",
	"Registers this machine with a Keyward server and prepares its devices. Without options, on a terminal, it asks.",
	rows, ARRAY_LEN(rows), rules, ARRAY_LEN(rules)
};
