/* guest.h - what both programs stand on: configuration, identity, connection, devices. One per process. */
#ifndef AGENT_GUEST_GUEST_H
#define AGENT_GUEST_GUEST_H

#include "agent/common/conf.h"
#include "agent/common/registration.h"
#include "agent/guest/device.h"
#include "agent/guest/link.h"
#include "agent/guest/wants.h"
#include "agent/provider/provider.h"
#include "agent/volume/volume.h"
#include "proto/client.h"

#define GUEST_BACKOFF_LEAST CLOCK_SECOND
#define GUEST_BACKOFF_MOST (60 * CLOCK_SECOND)

/* What keyward-config's options say of the provider; members may be NULL. */
struct guest_wish {
	const char *csp;                         /* name of the plug-in */
	const char *options;                     /* its settings, "name=value,name=value" */
	int anew;                    /* there will be another registration: one that cannot be read is as none */
};

struct guest {
	struct agent_conf conf;
	const char *conf_path, *state_dir;       /* borrowed from the command line */
	int copied;                              /* the registration on disk is another machine's: not registered */
	int registered;
	uint64_t stamp, proxy_stamp;             /* of the registration that is loaded, of the proxy in use */
	struct registration reg;
	struct guest_wish wish;
	struct provider *provider;
	struct provider_identity who;
	struct secret *credentials;              /* of the provider, as a JSON object's text; NULL while none are known */
	int64_t credentials_version;             /* as the server counts; 0: none */
	char credentials_label[PROTO_TEXT_MAX + 1];      /* what of them is no secret */
	struct wants wants;                      /* devices by user data and file */
	char *user_data;                         /* of the provider; NULL: none, or not known */
	struct link *link;
	struct proto_client client;
	int unchecked;                           /* the link does not check certificates, and that was said */
	int has_client;                          /* the link has been opened for the registration, not for enrolment */
	int wake_fd;                             /* a signal has come when it can be read; -1 for none */
	struct volume_env env;
	const struct volume_engine *engine;      /* NULL: the best */
	struct device devices[PROTO_DEVICES_MAX];
	int devices_count;
	struct proto_inventory *found;           /* as last looked at */
	struct volume_place places[PROTO_DEVICES_MAX];   /* of each of its devices in an array of ours; array "": in none */
	struct proto_watch watch[PROTO_WATCH_MAX];       /* files whose hashes the server wants with the facts */
	int watch_count;
	int scanned;                             /* at least once: what cannot be looked at has been said */
	int look_soon;                           /* a volume was found in use by somebody else, who may have it for a moment only */
	int tends;                               /* it is this process that opens volumes here, and so closes what was left half open */
	int offline;                             /* the last call did not reach the server */
	unsigned outages;                        /* how often that has begun */
	clock_us backoff, next_try;              /* no call before next_try (clock_ticks) while offline */
};

/* Reads configuration (CONF_PATH NULL: the standard one, which may be missing) and, where there is one, the
 * registration. Makes state and run folders. ERR_ as the parts say. The caller ends G with guest_close. */
int guest_open(struct guest *g, const char *conf_path, const char *state_dir, const struct guest_wish *wish);
void guest_close(struct guest *g);
/* Reads the registration again when it has changed, and begins a new session: 1 if so, 0, or an error. */
int guest_refresh(struct guest *g);
/* 1 when guest_refresh has something to do. */
int guest_has_changed(const struct guest *g);
/* Opens the link to URL by the proxy that is set, whoever answers there. CA_FILE "": the system's. ERR_INVALID. */
int guest_connect(struct guest *g, const char *url, const char *ca_file, int insecure);
/* Only the configuration file (PATH NULL: the standard one), for what needs no more. */
int guest_conf(struct guest *g, const char *path);
/* What the provider's functions want to know. */
struct provider_context guest_provider_context(const struct guest *g);
/* The plug-in NAME in place of the present one, and who this machine is to it. On failure all stays as it was. */
int guest_provider(struct guest *g, const char *name);
/* Opens the link and the client for the loaded registration. ERR_INVALID. */
int guest_link(struct guest *g);
void guest_unlink(struct guest *g);

/* A one-time key pair for what the server is to seal, the caller's in *ONE_TIME also after an error: PUBLIC_KEY, and SIGNATURE by which this
 * agent binds it to DEVICE, go into the message. */
int guest_recipient(const struct guest *g, const char *device, struct sealed **one_time, uint8_t public_key[static PROTO_POINT_SIZE],
	uint8_t signature[static PROTO_SIGNATURE_SIZE]);
/* proto_call, with back-off: at once ERR_UNAVAILABLE while it is not yet time to try again. Counts as offline only what
 * went wrong on the way; a refusal is an answer. */
int guest_call(struct guest *g, enum proto_message type, const void *request, void *answer);
/* guest_call for messages that an ack answers; a warning in it is logged. *CANCEL may be NULL. */
int guest_tell(struct guest *g, enum proto_message type, const void *request, int *cancel);
/* 0 while the server could not be reached and it is not yet time to try again. */
int guest_may_call(const struct guest *g);
/* Seconds after which to try again what was just refused: the server's wish, else STANDARD. */
int64_t guest_retry_after(const struct guest *g, int64_t standard);
/* The device with this id, or NULL. */
struct device *guest_device(struct guest *g, const char *id);
/* What the last look at this machine found of the device with this id, or NULL. */
const struct proto_device *guest_found(const struct guest *g, const char *id);
/* The one with this id, made when missing; NULL when there are too many. */
struct device *guest_device_add(struct guest *g, const char *id, const char *path);
/* Held by whoever formats devices: the daemon or keyward-config. A descriptor to close, or ERR_BUSY. */
int guest_lock(const struct guest *g, const char *name);
/* 1 while another process has that lock. Who only looks keeps nobody else who looks from it, and who wants it for a moment. */
int guest_is_locked(const struct guest *g, const char *name);
/* The files to watch from now on. */
void guest_watch(struct guest *g, const struct proto_watch *files, int count);
/* The facts of this machine, as the server wants them; a new reference. */
json_t *guest_facts(const struct guest *g);
/* Next wait of a series that doubles up to GUEST_BACKOFF_MOST, with jitter taken off (up to half). */
clock_us guest_backoff(clock_us *step);

#endif
