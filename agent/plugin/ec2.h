/* ec2.h - EC2 and clouds that speak its dialect: what the parts of their plug-ins share. ec2.c answers the questions, ec2_api.c asks
 * the cloud, ec2_node.c finds devices. A plug-in is one struct ec2_dialect and a main of one line. */
#ifndef AGENT_PLUGIN_EC2_H
#define AGENT_PLUGIN_EC2_H

#include "agent/plugin/http.h"
#include "agent/plugin/imds.h"
#include "agent/plugin/kit.h"
#include "agent/plugin/xml.h"

#define EC2_ID_MAX 31                    /* vol-0123456789abcdef0, i-..., with room */
#define EC2_DEVICES_MAX 64

struct ec2_dialect {
	const struct plugin_description *about;
	int needs_endpoint;              /* by setting; else it follows from the region */
	const char *api_version;
	int old_metadata;                /* the metadata service may know no tokens */
};

int ec2_main(const struct ec2_dialect *dialect);

/* ec2_api.c: signed questions to the cloud. */
struct ec2_api;

/* Credentials of the question, else the instance's role by METADATA. ERR_UNAUTHENTICATED where there are neither. */
int ec2_api_open(const struct ec2_dialect *dialect, struct kit_question *q, struct imds *metadata, const char *region,
	struct ec2_api **out);
void ec2_api_close(struct ec2_api *a);
/* ACTION with parameters "Name", "value", ..., NULL. Throttled questions are repeated for a while. Q->advice is set where something can
 * be done. The caller frees *OUT. */
int ec2_api_ask(struct ec2_api *a, struct kit_question *q, const char *action, const char *const *parameters, struct xml **out);
/* Whether the keys may do it: asked with DryRun. 0, ERR_FORBIDDEN, ERR_UNAUTHENTICATED ... */
int ec2_api_may(struct ec2_api *a, struct kit_question *q, const char *action, const char *const *parameters);

/* ec2_node.c: devices of this machine and the volumes behind them. */
/* 1 and "vol-..." when TEXT names a volume as NVMe and virtio disks do in their serial numbers. */
int ec2_volume_of(const char *text, char volume[static EC2_ID_MAX + 1]);
/* 1 for an id of a volume. */
int ec2_is_volume(const char *text);
/* 1 when the kernel's NAME ("xvdf") is how the device that the cloud calls DEVICE ("/dev/sdf") may appear. */
int ec2_same_device(const char *name, const char *device);
/* Volume behind the disk called NAME by what the kernel tells of it: 1, or 0 where it tells nothing. */
int ec2_volume_of_disk(const char *name, char volume[static EC2_ID_MAX + 1]);
/* The path to VOLUME by a link in FOLDER (as udev makes them) whose name bears its id: 1, or 0. */
int ec2_volume_by_link(const char *folder, const char *volume, char path[static PROTO_TEXT_MAX + 1]);
/* Devices that only such links show (container files, loop devices), appended to OUT of COUNT entries; the new count. */
int ec2_list_links(const char *folder, struct proto_device *out, int count, int max);

#endif
