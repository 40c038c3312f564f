/* serve.h - what the agent's side and the process keyward-volume agree on.
 *
 * Arguments: run directory, name, path, access ("r" or "w", then "d" when discards are passed on). On descriptor SERVE_FD (a
 * SOCK_SEQPACKET socket) it receives one message, the device key, and sends one: "ok DEVICE" or "ERROR-NAME text". */
#ifndef AGENT_VOLUME_SERVE_H
#define AGENT_VOLUME_SERVE_H

#include <signal.h>

#include "agent/volume/volume.h"

#define SERVE_FD 3
#define SERVE_KEY_MAX 512                 /* bytes; as long as libcryptsetup's passphrases may be */
#define SERVE_SIGNAL_END SIGUSR2          /* wipe and end, though the volume may be in use */

#endif
