/* ec2_eucalyptus.c - the plug-in eucalyptus: EC2's dialect at an endpoint of one's own, with a metadata service of either version. */
#include "agent/common/host.h"
#include "agent/plugin/ec2.h"
#include "agent/plugin/ec2_fields.h"

static const struct plugin_description about = {
	.name = "eucalyptus", .title = "Eucalyptus and other clouds with the EC2 interface", .version = HOST_AGENT_VERSION, .location = 1,
	.user_data = 1, .attach = 1, .settings_count = 6,
	.settings = {
		{ .name = "endpoint", .help = "URL of the compute API, https://compute.CLOUD:8773/services/compute/", .required = 1 },
		{ .name = "region", .help = "region in signatures; empty: as the metadata service says, else us-east-1" },
		EC2_METADATA("http://169.254.169.254"), EC2_LINKS, EC2_CA_FILE, EC2_PROXY
	},
	.credentials_count = EC2_CREDENTIALS_COUNT, .credentials = { EC2_CREDENTIALS }
};

int main(void)
{
	static const struct ec2_dialect dialect = { &about, 1, "2013-10-15", 1 };

	return ec2_main(&dialect);
}
