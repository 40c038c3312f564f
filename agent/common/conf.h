/* conf.h - the guest's configuration file, /etc/keyward/agent.conf: "name = value" lines, # comments. Every setting is
 * a row of one table; names that are not in it and values out of range are refused. */
#ifndef AGENT_COMMON_CONF_H
#define AGENT_COMMON_CONF_H

#include <stddef.h>

#include "base/buf.h"

#define AGENT_CONF_PATH "/etc/keyward/agent.conf"
#define AGENT_STATE_PATH "/var/lib/keyward"
/* Of whoever offers agents of this build as part of a hosted service (meson option saas_url). */
#ifndef KEYWARD_SAAS_URL
#define KEYWARD_SAAS_URL ""
#endif

/* name, kind, default, least, most (numbers), help. LIST: may be given several times. */
#define AGENT_SETTINGS(X) \
	X(URL, "url", TEXT, "", 0, 0, "Web Service URL of the tenant; taken at registration") \
	X(SAAS_URL, "saas_url", TEXT, KEYWARD_SAAS_URL, 0, 0, \
		"Web Service URL of the hosted service, which keyward-config --saas registers with") \
	X(ACCOUNT, "account", ACCOUNT, "", 0, 0, "account ID of the tenant; taken at registration") \
	X(CA_FILE, "ca_file", PATH, "", 0, 0, "PEM file of certificates to trust instead of the system's") \
	X(IGNORE_SSL_ERRORS, "ignore_ssl_errors", FLAG, "no", 0, 0, \
		"yes: do not check the server's certificate (the console shows it)") \
	X(PROVIDER, "provider", TEXT, "", 0, 0, "provider plug-in; empty: the one of the registration, else native") \
	X(PROVIDER_SETTING, "provider_setting", SETTING, "", 0, 0, \
		"NAME=VALUE for the provider plug-in; keyward-config --list-plugins names them") \
	X(PLUGINS, "plugins", PATH, "", 0, 0, "folder of the provider plug-ins; empty: the installed one") \
	X(INSTANCE_ID, "instance_id", TEXT, "", 0, 0, "id of this machine, when the provider's shall not be used") \
	X(CONTAINER, "container", CONTAINER, "", 0, 0, \
		"PATH,SIZE[,sparse]: a file to be made for a volume, on NFS for example; SIZE 10G, or rest: what is free") \
	X(DEVICES, "devices", LIST, "", 0, 0, \
		"path of a container file or block device to publish besides the disks found") \
	X(MOUNT, "mount", MOUNT, "", 0, 0, \
		"DEVICE-ID,ACCESS,MOUNT-POINT: wanted where the server does not say (read-only or read-write)") \
	X(RUN, "run", PATH, "/run/keyward", 0, 0, "folder that does not outlive the boot") \
	X(MOUNT_COMPLETE, "mount_complete", PATH, "", 0, 0, "program to run once all volumes are mounted") \
	X(TEARDOWN, "teardown", PATH, "", 0, 0, "program to run before volumes are closed") \
	X(SCRIPT_SECONDS, "script_seconds", NUMBER, "60", 1, 3600, "time that either program has") \
	X(STOP_SECONDS, "stop_seconds", NUMBER, "30", 0, 3600, "how long a stop waits for volumes that are in use") \
	X(READY_SECONDS, "ready_seconds", NUMBER, "90", 0, 3600, \
		"how long services that start after the agent wait for the volumes") \
	X(HEARTBEAT, "heartbeat", NUMBER, "0", 0, 3600, "seconds between heartbeats; 0: as the server says") \
	X(ENGINE, "engine", TEXT, "", 0, 0, "dm-crypt or userspace; empty: the best that this kernel supports") \
	X(VOLUME_PROGRAM, "volume_program", PATH, "", 0, 0, "program of the user-space engine; empty: the installed one") \
	X(FACTS_PROGRAM, "facts_program", PATH, "", 0, 0, "program that gathers the facts; empty: the installed one") \
	X(WIPE, "wipe", FLAG, "no", 0, 0, "yes: overwrite a device with random bytes before it is encrypted") \
	X(LOG_FILE, "log_file", PATH, "", 0, 0, \
		"file that keyward-agent logs into instead of standard error (the journal); opened again at SIGHUP") \
	X(LOG_LEVEL, "log_level", LEVEL, "info", 0, 0, "debug, info, warning or error")

enum agent_setting {
#define X(id, name, kind, standard, least, most, help) AGENT_##id,
	AGENT_SETTINGS(X)
#undef X
	AGENT_SETTING_COUNT
};

struct agent_conf {
	char *values[AGENT_SETTING_COUNT];       /* lists: one item per line */
};

/* Defaults only. */
void agent_conf_init(struct agent_conf *c);
/* Reads PATH over the defaults. ERR_NOT_FOUND, ERR_INVALID naming the line, ERR_IO. OUT is written only on success. */
int agent_conf_load(const char *path, struct agent_conf *out);
/* One setting, as if the file had it (replaces, also lists). ERR_INVALID. */
int agent_conf_set(struct agent_conf *c, const char *name, const char *value);
void agent_conf_free(struct agent_conf *c);

const char *agent_conf_text(const struct agent_conf *c, enum agent_setting s);      /* "" when not set */
long agent_conf_number(const struct agent_conf *c, enum agent_setting s);
int agent_conf_flag(const struct agent_conf *c, enum agent_setting s);
/* Next item of a list: *CURSOR begins as 0. 1 and the item in OUT, or 0 at the end. */
int agent_conf_item(const struct agent_conf *c, enum agent_setting s, size_t *cursor, char *out, size_t size);
/* Next "mount" line: *CURSOR begins as 0. 1 with id (PROTO_ID_MAX + 1 bytes), access (enum proto_access) and mount point
 * (PROTO_PATH_MAX + 1), or 0 at the end. */
int agent_conf_next_mount(const struct agent_conf *c, size_t *cursor, char *id, int *access, char *point);
/* The table, for the manual and the example file. */
void agent_conf_help(struct buf *out);

#endif
