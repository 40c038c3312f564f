/* key_server.h - jobs about key servers (KEY-3). */
#ifndef JOBS_KEY_SERVER_H
#define JOBS_KEY_SERVER_H

#include "jobs/work.h"

/* How the tenant's own key server does, or the installation's; then keys that are to be destroyed, on either. */
int key_server_job(struct work *w);

#endif
