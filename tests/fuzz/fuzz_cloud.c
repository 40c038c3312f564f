/* fuzz_cloud.c - what clouds answer to plug-ins: XML, and texts in which ids of volumes and names of devices are looked for. */
#include <stdlib.h>
#include <string.h>

#include "agent/plugin/ec2.h"
#include "base/err.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size), volume[EC2_ID_MAX + 1], out[64];
	struct xml *x;

	if (ec2_volume_of(text, volume) && !ec2_is_volume(volume))
		fatal("a volume that is none: %s", volume);
	ec2_same_device(text, "/dev/sdf");
	ec2_same_device("xvdf", text);
	http_check_near(text);
	http_check_secure(text);
	if (xml_parse(text, size, &x) == 0) {
		const struct xml_node *n = NULL;

		xml_text(xml_root(x), "reservationSet/item/ownerId", out, sizeof out);
		while ((n = xml_walk(xml_root(x), n, "item")) != NULL) {
			xml_text(n, "volumeId", out, sizeof out);
			xml_attribute(n, "href", out, sizeof out);
			xml_next(n);
		}
		xml_free(x);
	}
	free(text);
	return 0;
}
