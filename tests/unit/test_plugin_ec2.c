/* test_plugin_ec2.c - the pure parts of the plug-in ec2: signatures, names of volumes and devices, XML within limits, which URLs may be
 * asked. The whole against a server: tests/plugins/test_ec2.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plugin/ec2.h"
#include "agent/plugin/sigv4.h"
#include "base/err.h"
#include "check.h"

/* Made by the npm package aws4 1.13.2. */
TEST(signature_is_that_of_another_implementation, "CSP-2")
{
	struct sigv4_request r = { "POST", "ec2.eu-west-1.amazonaws.com", "/", "application/x-www-form-urlencoded; charset=utf-8",
		"Action=DescribeInstances&Version=2016-11-15", "eu-west-1", "ec2", 1440938160 };
	struct sigv4_keys keys = { "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "" };
	struct buf out = BUF_INIT;
	char date[SIGV4_DATE_SIZE];

	sigv4_date(r.at, date);
	CHECK_STR(date, "20150830T123600Z");
	CHECK_INT(sigv4_sign(&r, &keys, &out), 0);
	CHECK_STR(buf_str(&out), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/ec2/aws4_request,"
		" SignedHeaders=content-type;host;x-amz-date, Signature=b1b546eadec3ad7c4297a2e334d3a0f04e690663fcb4c113e52791e8ae20db95");
	buf_reset(&out);
	keys.session_token = "the-token//==";
	CHECK_INT(sigv4_sign(&r, &keys, &out), 0);
	CHECK_STR(strstr(buf_str(&out), "SignedHeaders"), "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"
		" Signature=1f8bd12e633258d1b53a7039b8d4e111d53f389141ec467f271031c58a339b21");
	buf_free(&out);
}

TEST(volumes_are_found_in_serial_numbers_and_links, "CSP-2")
{
	static const struct { const char *text, *volume; } cases[] = {
		{ "vol0a1b2c3d4e5f60718", "vol-0a1b2c3d4e5f60718" },
		{ "vol-12345678", "vol-12345678" },
		{ "nvme-Amazon_Elastic_Block_Store_vol0a1b2c3d4e5f60718", "vol-0a1b2c3d4e5f60718" },
		{ "virtio-vol-12345678-dev-vdb", "vol-12345678" },
		{ "volume vol0123456789", "vol-0123456789" },
		{ "vol1234567", NULL },
		{ "vol0123456789abcdef01", NULL },
		{ "vol-1234567g", NULL },
		{ "volvol", NULL },
		{ "AWS6AAAAAAAAAAAAAAAA", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char volume[EC2_ID_MAX + 1] = "none";

		CHECK_INT(ec2_volume_of(cases[i].text, volume), cases[i].volume != NULL);
		CHECK_STR(volume, cases[i].volume ? cases[i].volume : "none");
	}
	CHECK(ec2_is_volume("vol-0a1b2c3d4e5f60718") && ec2_is_volume("vol-12345678"));
	CHECK(!ec2_is_volume("vol-1234567") && !ec2_is_volume("vol-12345678 ") && !ec2_is_volume("vol-1234567G") && !ec2_is_volume("i-12345678"));
}

TEST(device_names_are_matched_as_kernels_change_them, "CSP-2")
{
	CHECK(ec2_same_device("xvdf", "/dev/sdf") && ec2_same_device("xvdf", "/dev/xvdf") && ec2_same_device("vdb", "/dev/sdb"));
	CHECK(ec2_same_device("xvdba", "/dev/xvdba") && ec2_same_device("sda1", "/dev/sda1"));
	CHECK(!ec2_same_device("xvdf", "/dev/sdg") && !ec2_same_device("xvdf", "/dev/sdf1") && !ec2_same_device("nvme1n1", "/dev/sdf"));
	CHECK(!ec2_same_device("xvd", "/dev/sd") && !ec2_same_device("", "") && !ec2_same_device("sdf", "f"));
}

static int parse(const char *text)
{
	struct xml *x = NULL;
	int rc = xml_parse(text, strlen(text), &x);

	if (rc == 0)
		xml_free(x);
	return rc;
}

TEST(xml_is_read_by_local_names, "CSP-2")
{
	static const char text[] = "<?xml version=\"1.0\"?><R xmlns=\"urn:x\" xmlns:b=\"urn:b\"><a><i>1</i><i> 2 </i></a>"
		"<b:c b:name=\"n\"><d/><i>3</i></b:c><a><i>4</i></a></R>";
	const struct xml_node *n;
	struct xml *x;
	char out[8];

	CHECK_INT(xml_parse(text, strlen(text), &x), 0);
	CHECK_STR(xml_text(xml_root(x), "a/i", out, sizeof out), "1");
	n = xml_next(xml_find(xml_root(x), "a/i"));
	CHECK_STR(xml_text(n, "", out, sizeof out), "2");
	CHECK(xml_next(n) == NULL);
	CHECK_STR(xml_attribute(xml_find(xml_root(x), "c"), "name", out, sizeof out), "n");
	CHECK_STR(xml_text(xml_root(x), "c/x/y", out, sizeof out), "");
	n = NULL;
	for (int i = 1; i <= 4; i++) {
		char want[2] = { (char)('0' + i), '\0' };

		n = xml_walk(xml_root(x), n, "i");
		CHECK_STR(xml_text(n, "", out, sizeof out), want);
	}
	CHECK(xml_walk(xml_root(x), n, "i") == NULL);
	xml_free(x);
}

TEST(xml_that_would_do_harm_is_refused, "CSP-2, SEC-5")
{
	char *deep = calloc(1, 20000), *big = calloc(1, XML_MAX + 2);

	CHECK_INT(parse("<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><r>&e;</r>"), ERR_INVALID);
	CHECK_INT(parse("<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><r>&b;</r>"), ERR_INVALID);
	CHECK_INT(parse("<!DOCTYPE r><r/>"), ERR_INVALID);
	CHECK_INT(parse("<r>"), ERR_INVALID);
	CHECK_INT(parse(""), ERR_INVALID);
	for (int i = 0; i < 1000; i++)
		strcat(deep + i * 3, "<a>");
	CHECK_INT(parse(deep), ERR_INVALID);
	memset(big, ' ', XML_MAX + 1);
	CHECK_INT(parse(big), ERR_TOO_LARGE);
	free(deep);
	free(big);
}

TEST(urls_that_may_be_asked, "CSP-2, SEC-4")
{
	CHECK_INT(http_check_near("http://169.254.169.254"), 0);
	CHECK_INT(http_check_near("http://[fd00:ec2::254]/"), 0);
	CHECK_INT(http_check_near("http://10.1.2.3:8775"), 0);
	CHECK_INT(http_check_near("https://metadata.example"), 0);
	CHECK_INT(http_check_near("http://169.254.169.254.example"), ERR_INVALID);
	CHECK_INT(http_check_near("http://172.32.0.1"), ERR_INVALID);
	CHECK_INT(http_check_near("http://[2001:db8::1]"), ERR_INVALID);
	CHECK_INT(http_check_secure("https://ec2.eu-west-1.amazonaws.com/"), 0);
	CHECK_INT(http_check_secure("http://127.0.0.1:9/"), 0);
	CHECK_INT(http_check_secure("http://127.0.0.1.example/"), ERR_INVALID);
	CHECK_INT(http_check_secure("http://10.1.2.3/"), ERR_INVALID);
	CHECK_INT(http_check_secure("https://user@ec2.example/"), ERR_INVALID);
}

TEST_MAIN
