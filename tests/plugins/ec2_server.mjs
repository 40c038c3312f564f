/* A stand-in for EC2 in tests: its metadata service (version 2) and the four actions of its API that Keyward uses, as their
 * documentation describes them, with the checks that the real ones make: tokens, signatures (made again by the npm package aws4 and
 * compared), clock, expired and foreign keys, the policy of the keys, states of volumes, zones, throttling. An attached volume appears
 * as a link in a folder, as udev would make one.
 *
 *     node ec2_server.mjs FOLDER       prints {"port": N}; GET and POST /_test show and change the state
 */
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import aws4 from "aws4";

const folder = process.argv[2];
const state = {
  instance: "i-0a1b2c3d4e5f60718", image: "ami-00aa11bb22cc33dd4", region: "eu-west-1", zone: "eu-west-1a", account: "123456789012",
  user_data: null, role: null, metadata: "v2", metadata_failures: 0,
  keys: {},                       /* id -> {secret, token, policy, expired} */
  volumes: {},                    /* id -> {zone, state, attached_to, device, file} */
  throttle: 0, failures: 0, skew: 0, attach_polls: 0, serials: true,
  log: [],
};
const tokens = new Map();
const versions = ["2016-11-15", "2013-10-15"];

const link = (id) => path.join(folder, "by-id", `nvme-Amazon_Elastic_Block_Store_${id.replace("-", "")}`);

function appear(id) {
  const v = state.volumes[id];
  if (v.file && state.serials) {
    fs.rmSync(link(id), { force: true });
    fs.symlinkSync(v.file, link(id));
  }
}

class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/* The metadata service. */
function metadata(req, res, at) {
  const say = (status, text = "") => res.writeHead(status, { "content-type": "text/plain" }).end(text);
  state.log.push(`${req.method} ${at}`);
  if (state.metadata_failures > 0) {
    state.metadata_failures--;
    return say(503);
  }
  if (state.metadata === "off") return say(403);
  if (req.headers["x-forwarded-for"] || req.headers.via) return say(403);
  if (at === "api/token") {
    if (state.metadata === "v1") return say(404);
    const ttl = Number(req.headers["x-aws-ec2-metadata-token-ttl-seconds"]);
    if (req.method !== "PUT") return say(405);
    if (!(ttl >= 1 && ttl <= 21600)) return say(400);
    const token = crypto.randomBytes(40).toString("base64");
    tokens.set(token, Date.now() + ttl * 1000);
    return say(200, token);
  }
  if (state.metadata !== "v1" && !(tokens.get(req.headers["x-aws-ec2-metadata-token"]) > Date.now())) return say(401);
  const role = state.role && state.keys[state.role];
  const values = {
    "meta-data/instance-id": state.instance, "meta-data/ami-id": state.image, "meta-data/placement/availability-zone": state.zone,
    "meta-data/placement/region": state.metadata === "v1" ? undefined : state.region, "user-data": state.user_data ?? undefined,
    "meta-data/iam/security-credentials/": role ? "volumes-role" : undefined,
    "meta-data/iam/security-credentials/volumes-role": role && JSON.stringify({
      Code: "Success", Type: "AWS-HMAC", AccessKeyId: state.role, SecretAccessKey: role.secret, Token: role.token,
      Expiration: new Date(Date.now() + 3600000).toISOString() }),
  };
  const value = values[at];
  return value === undefined ? say(404) : say(200, value);
}

/* The API: who asks? */
function authenticate(req, body) {
  const given = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/ec2\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    .exec(req.headers.authorization ?? "");
  if (!given) throw new Refused(400, "AuthFailure", "AWS was not able to validate the provided access credentials");
  const [, id, , region, names] = given;
  const key = state.keys[id];
  if (!key) throw new Refused(401, "AuthFailure", "AWS was not able to validate the provided access credentials");
  const date = req.headers["x-amz-date"] ?? "";
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(Date.now() + state.skew * 1000 - at) < 300000))
    throw new Refused(400, "RequestExpired", "Request has expired");
  const headers = {};
  for (const name of names.split(";")) headers[name] = req.headers[name];
  for (const needed of ["host", "x-amz-date", ...(key.token ? ["x-amz-security-token"] : [])])
    if (!headers[needed]) throw new Refused(400, "SignatureDoesNotMatch", `${needed} is not signed`);
  if (key.token && req.headers["x-amz-security-token"] !== key.token)
    throw new Refused(401, "AuthFailure", "The security token is not valid");
  const again = aws4.sign({ method: req.method, path: req.url, service: "ec2", region, headers, body,
    extraHeadersToIgnore: { "content-length": true } }, { accessKeyId: id, secretAccessKey: key.secret });
  if (again.headers.Authorization !== req.headers.authorization)
    throw new Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided");
  if (key.expired) throw new Refused(400, "RequestExpired", "The security token has expired");
  if (region !== state.region) throw new Refused(400, "AuthFailure", "Credential should be scoped to another region");
  return key;
}

const glob = (pattern, text) => new RegExp(`^${pattern.split("*").map((s) => s.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(text);

function authorise(key, action, resources) {
  const allows = (resource) => (key.policy?.Statement ?? []).some((s) => s.Effect === "Allow"
    && [s.Action].flat().some((a) => glob(a, `ec2:${action}`)) && [s.Resource].flat().some((r) => glob(r, resource)));
  if (!resources.every(allows)) throw new Refused(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
}

const arn = (kind, id) => `arn:aws:ec2:${state.region}:${state.account}:${kind}/${id}`;

function volume(id) {
  if (!/^vol-[0-9a-f]{8,17}$/.test(id)) throw new Refused(400, "InvalidParameterValue", `Value (${id}) for parameter volumeId is invalid.`);
  if (!state.volumes[id]) throw new Refused(400, "InvalidVolume.NotFound", `The volume '${id}' does not exist.`);
  return state.volumes[id];
}

/* What is under way goes on by being looked at. */
function settle(id) {
  const v = state.volumes[id];
  if (v.attachment === "attaching" && v.polls-- <= 0) {
    v.attachment = "attached";
    appear(id);
  } else if (v.attachment === "detaching" && v.polls-- <= 0) {
    fs.rmSync(link(id), { force: true });
    Object.assign(v, { state: "available", attached_to: null, device: null, attachment: null });
  }
}

function own(id) {
  if (id !== state.instance && !/^i-other/.test(id)) throw new Refused(400, "InvalidInstanceID.NotFound", `The instance ID '${id}' does not exist`);
}

const actions = {
  DescribeInstances: {
    resources: () => ["*"],
    run(p) {
      own(p.get("InstanceId.1"));
      const mine = Object.entries(state.volumes).filter(([, v]) => v.attached_to === state.instance);
      return `<reservationSet><item><reservationId>r-1</reservationId><ownerId>${state.account}</ownerId><instancesSet><item>
<instanceId>${state.instance}</instanceId><imageId>${state.image}</imageId><blockDeviceMapping>${mine.map(([id, v]) =>
  `<item><deviceName>${v.device}</deviceName><ebs><volumeId>${id}</volumeId><status>${v.attachment ?? "attached"}</status></ebs></item>`).join("")}
</blockDeviceMapping></item></instancesSet></item></reservationSet>`;
    },
  },
  DescribeVolumes: {
    resources: () => ["*"],
    run(p) {
      const id = p.get("VolumeId.1");
      volume(id);
      settle(id);
      const v = state.volumes[id];
      return `<volumeSet><item><volumeId>${id}</volumeId><size>1</size><availabilityZone>${v.zone}</availabilityZone><status>${v.state}</status>
<attachmentSet>${v.attached_to ? `<item><volumeId>${id}</volumeId><instanceId>${v.attached_to}</instanceId><device>${v.device}</device>
<status>${v.attachment ?? "attached"}</status></item>` : ""}</attachmentSet></item></volumeSet>`;
    },
  },
  AttachVolume: {
    resources: (p) => [arn("volume", p.get("VolumeId")), arn("instance", p.get("InstanceId"))],
    run(p) {
      const v = volume(p.get("VolumeId"));
      own(p.get("InstanceId"));
      if (!/^\/dev\/(sd[b-z]|xvd[b-z][a-z]?)$/.test(p.get("Device") ?? ""))
        throw new Refused(400, "InvalidParameterValue", "Value for parameter device is invalid");
      if (v.attached_to) throw new Refused(400, "VolumeInUse", `${p.get("VolumeId")} is already attached to an instance`);
      if (v.zone !== state.zone) throw new Refused(400, "InvalidVolume.ZoneMismatch", "The volume is not in the same availability zone as the instance");
      if (Object.values(state.volumes).some((o) => o.attached_to === state.instance && o.device === p.get("Device")))
        throw new Refused(400, "InvalidParameterValue", `Invalid value '${p.get("Device")}' for unixDevice. Attachment point is already in use`);
      Object.assign(v, { state: "in-use", attached_to: p.get("InstanceId"), device: p.get("Device"), attachment: "attaching", polls: state.attach_polls });
      return `<volumeId>${p.get("VolumeId")}</volumeId><status>attaching</status>`;
    },
  },
  DetachVolume: {
    resources: (p) => [arn("volume", p.get("VolumeId")), arn("instance", p.get("InstanceId"))],
    run(p) {
      const v = volume(p.get("VolumeId"));
      if (v.attached_to !== p.get("InstanceId")) throw new Refused(400, "IncorrectState", `Volume '${p.get("VolumeId")}' is in the 'available' state.`);
      Object.assign(v, { attachment: "detaching", polls: state.attach_polls });
      return `<volumeId>${p.get("VolumeId")}</volumeId><status>detaching</status>`;
    },
  },
};

function api(req, res, body) {
  let action = "Unknown";
  const say = (status, text) => res.writeHead(status, { "content-type": "text/xml;charset=UTF-8",
    date: new Date(Date.now() + state.skew * 1000).toUTCString() }).end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  try {
    if (state.failures > 0) {
      state.failures--;
      throw new Refused(500, "InternalError", "An internal error has occurred");
    }
    if (req.method !== "POST" || !/^application\/x-www-form-urlencoded/.test(req.headers["content-type"] ?? ""))
      throw new Refused(400, "InvalidRequest", "a form is expected");
    const p = new URLSearchParams(body);
    action = p.get("Action");
    if (state.throttle > 0) {
      state.throttle--;
      throw new Refused(503, "RequestLimitExceeded", "Request limit exceeded.");
    }
    const key = authenticate(req, body);
    if (!Object.hasOwn(actions, action)) throw new Refused(400, "InvalidAction", `The action ${action} is not valid for this web service.`);
    if (!versions.includes(p.get("Version"))) throw new Refused(400, "InvalidParameterValue", "unknown version");
    state.log.push(`${action}${p.get("DryRun") ? " dry" : ""}`);
    authorise(key, action, actions[action].resources(p));
    if (p.get("DryRun") === "true") throw new Refused(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
    say(200, `<${action}Response xmlns="http://ec2.amazonaws.com/doc/${p.get("Version")}/"><requestId>1</requestId>${actions[action].run(p)}</${action}Response>`);
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    state.log.push(`${action} refused: ${e.code}`);
    say(e.status, `<Response><Errors><Error><Code>${e.code}</Code><Message>${e.message}</Message></Error></Errors><RequestID>1</RequestID></Response>`);
  }
}

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on("data", (c) => chunks.push(c));
  req.on("end", () => {
    const body = Buffer.concat(chunks).toString();
    if (req.url === "/_test") {
      if (req.method === "POST") {
        Object.assign(state, JSON.parse(body));
        Object.entries(state.volumes).forEach(([id, v]) => v.attached_to === state.instance && v.attachment !== "attaching" && appear(id));
      }
      return res.end(JSON.stringify(state));
    }
    const at = /^\/latest\/(.*)$/.exec(req.url);
    return at ? metadata(req, res, at[1]) : api(req, res, body);
  });
});
fs.mkdirSync(path.join(folder, "by-id"), { recursive: true });
server.listen(0, process.argv[3] ?? "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
