/* ec2_aws.c - the plug-in ec2: Amazon's own. */
#include "agent/common/host.h"
#include "agent/plugin/ec2.h"
#include "agent/plugin/ec2_fields.h"

static const struct plugin_description about = {
	.name = "ec2", .title = "Amazon EC2", .version = HOST_AGENT_VERSION, .location = 1, .user_data = 1, .attach = 1,
	.settings_count = 6,
	.settings = {
		{ .name = "region", .help = "region; empty: as the metadata service says" },
		{ .name = "endpoint", .help = "URL of the API; empty: the region's own" },
		EC2_METADATA("http://169.254.169.254, then http://[fd00:ec2::254]"), EC2_LINKS, EC2_CA_FILE, EC2_PROXY
	},
	.credentials_count = EC2_CREDENTIALS_COUNT, .credentials = { EC2_CREDENTIALS }
};

int main(void)
{
	static const struct ec2_dialect dialect = { &about, 0, "2016-11-15", 0 };

	return ec2_main(&dialect);
}
