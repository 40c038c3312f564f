/* block.h - the block devices of this machine as sysfs shows them, with ids that outlive a reboot. Works without udev. */
#ifndef AGENT_PROVIDER_BLOCK_H
#define AGENT_PROVIDER_BLOCK_H

#include "proto/message.h"

/* Disks, partitions, MD arrays and logical volumes; no loop, RAM, optical or crypt devices. The count, or ERR_IO. */
int block_list(struct proto_device *out, size_t max);
/* One by PATH, block device of any kind or regular file. ERR_NOT_FOUND, ERR_INVALID. */
int block_describe(const char *path, struct proto_device *out);

/* The serial number in LEN bytes of a SCSI disk's page 0x80, as printable text: 1; 0 when there is none. */
int block_serial_page(const unsigned char *page, size_t len, char *out, size_t size);
/* PART of a device's path in sysfs as it is the same after each boot; "" where it says nothing that is. */
const char *block_bus_part(const char *part);

#endif
