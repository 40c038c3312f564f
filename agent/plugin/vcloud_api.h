/* vcloud_api.h - a session with VMware Cloud Director and what is asked in it. vcloud.c answers the questions of the agent. */
#ifndef AGENT_PLUGIN_VCLOUD_API_H
#define AGENT_PLUGIN_VCLOUD_API_H

#include "agent/plugin/kit.h"
#include "agent/plugin/xml.h"

#define VCLOUD_URL_MAX 511
#define VCLOUD_VM_MAX 63                 /* "vm-" and a UUID */

struct vcloud;

/* Signs in with the question's credentials: an API token, or user and password. ERR_UNAUTHENTICATED, ERR_UNAVAILABLE ... Each session ends
 * with vcloud_close. */
int vcloud_open(struct kit_question *q, struct vcloud **out);
void vcloud_close(struct vcloud *v);
/* Who has signed in: "user@organization". */
const char *vcloud_user(const struct vcloud *v);
/* The document of this machine: the VM of the setting, else the one that has this machine's network addresses. ERR_NOT_FOUND. */
int vcloud_find_vm(struct vcloud *v, struct kit_question *q, struct xml **out);
/* "vm-UUID" of a setting or URL ("vm-...", "urn:vcloud:vm:...", ".../vApp/vm-..."): 1, or 0 when it is none. */
int vcloud_vm_id(const char *text, char out[static VCLOUD_VM_MAX + 1]);

#endif
