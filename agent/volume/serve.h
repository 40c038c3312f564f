/* serve.h - what the agent's side and the process keyward-volume agree on.
 *
 * Arguments: run directory, name, access ("r" or "w", then "d" when discards are passed on), chunk (bytes; 0: no array), encryption ("": whatever
 * the header says) and its bits, path; of an array the paths of all members in order. On descriptor SERVE_FD (a SOCK_SEQPACKET socket) it receives a message for each path, its
 * device key, and sends one: "ok DEVICE" or "ERROR-NAME text". */
#ifndef AGENT_VOLUME_SERVE_H
#define AGENT_VOLUME_SERVE_H

#include <signal.h>

#include "agent/volume/volume.h"

#define SERVE_FD 3
enum { SERVE_RUN_DIR = 1, SERVE_NAME, SERVE_ACCESS, SERVE_CHUNK, SERVE_ENCRYPTION, SERVE_KEY_BITS, SERVE_PATH };       /* of argv; more paths follow */
#define SERVE_KEY_MAX 512                 /* bytes; as long as libcryptsetup's passphrases may be */
#define SERVE_SIGNAL_END SIGUSR2          /* wipe and end, though the volume may be in use */

#endif
