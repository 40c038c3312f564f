/* A stand-in for VMware Cloud Director in tests: signing in by password or API token, the query of VMs by pages, a VM with its network
 * cards and disks, as its documentation describes them; versions, tokens and rights are checked as the real one does.
 *
 *     node vcloud_server.mjs FOLDER       prints {"port": N}; GET and POST /_test show and change the state
 */
import crypto from "node:crypto";
import http from "node:http";

const state = {
  organization: "acme", user: "reader", password: "p%:ss w\u00f6rd", api_token: "refresh-token-1", versions: ["35.0", "36.0", "37.0"],
  vms: [],                        /* {id, name, macs: [], disks: [{bus, unit, name}], template} */
  rights: true, failures: 0, sessions: 0, log: [],
};
const tokens = new Set();
const escape = (s) => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function sign_in(req, res, body, url) {
  const token = crypto.randomBytes(60).toString("base64url");
  if (req.method === "POST" && url.pathname === `/oauth/tenant/${state.organization}/token`) {
    const p = new URLSearchParams(body);
    if (p.get("grant_type") !== "refresh_token" || p.get("refresh_token") !== state.api_token)
      return res.writeHead(400, { "content-type": "application/json" }).end('{"error":"invalid_grant"}');
    tokens.add(token);
    return res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ access_token: token, token_type: "Bearer", expires_in: 3600 }));
  }
  if (req.method === "POST" && url.pathname === "/cloudapi/1.0.0/sessions") {
    const wanted = `Basic ${Buffer.from(`${state.user}@${state.organization}:${state.password}`).toString("base64")}`;
    if (req.headers.authorization !== wanted) return res.writeHead(401).end();
    tokens.add(token);
    state.sessions++;
    return res.writeHead(200, { "content-type": "application/json", "x-vmware-vcloud-access-token": token, "x-vmware-vcloud-token-type": "Bearer" })
      .end(JSON.stringify({ user: { name: state.user }, org: { name: state.organization } }));
  }
  return res.writeHead(404).end();
}

const vm_xml = (vm, base) => `<Vm xmlns="http://www.vmware.com/vcloud/v1.5" id="urn:vcloud:vm:${vm.id}" name="${escape(vm.name)}" href="${base}/api/vApp/vm-${vm.id}">
<VmSpecSection><DiskSection>${vm.disks.map((d, i) => `<DiskSettings><DiskId>${2000 + i}</DiskId><SizeMb>1024</SizeMb><UnitNumber>${d.unit}</UnitNumber>
<BusNumber>${d.bus}</BusNumber><AdapterType>4</AdapterType>${d.name ? `<Disk type="application/vnd.vmware.vcloud.disk+xml" name="${escape(d.name)}"
 href="${base}/api/disk/${i}"/>` : ""}</DiskSettings>`).join("")}</DiskSection></VmSpecSection>
<NetworkConnectionSection><PrimaryNetworkConnectionIndex>0</PrimaryNetworkConnectionIndex>${vm.macs.map((m, i) =>
  `<NetworkConnection network="net"><NetworkConnectionIndex>${i}</NetworkConnectionIndex><MACAddress>${m}</MACAddress></NetworkConnection>`).join("")}
</NetworkConnectionSection></Vm>`;

function answer(req, res, body) {
  const url = new URL(req.url, "http://x"), base = `http://${req.headers.host}`;
  state.log.push(`${req.method} ${url.pathname}`);
  if (state.failures > 0) {
    state.failures--;
    return res.writeHead(503).end();
  }
  const version = /version=([\d.]+)/.exec(req.headers.accept ?? "")?.[1];
  if (!url.pathname.startsWith("/oauth/") && !state.versions.includes(version)) return res.writeHead(406).end();
  if (req.method === "POST") return sign_in(req, res, body, url);
  const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? "")?.[1];
  if (!tokens.has(token)) return res.writeHead(401).end();
  if (req.method === "DELETE" && url.pathname === "/cloudapi/1.0.0/sessions/current") {
    tokens.delete(token);
    state.sessions--;
    return res.writeHead(204).end();
  }
  if (!/application\/\*\+xml/.test(req.headers.accept)) return res.writeHead(406).end();
  if (!state.rights) return res.writeHead(403).end();
  const say = (text) => res.writeHead(200, { "content-type": "application/vnd.vmware.vcloud.query.records+xml" })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
  if (url.pathname === "/api/query" && url.searchParams.get("type") === "vm") {
    const size = Number(url.searchParams.get("pageSize")), page = Number(url.searchParams.get("page"));
    if (!(size >= 1 && size <= 128 && page >= 1)) return res.writeHead(400).end();
    const rows = state.vms.slice((page - 1) * size, page * size);
    return say(`<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="${state.vms.length}" page="${page}" pageSize="${size}" name="vm">${
      rows.map((v) => `<VMRecord name="${escape(v.name)}" href="${base}/api/vApp/vm-${v.id}" isVAppTemplate="${!!v.template}" status="POWERED_ON"/>`).join("")
    }</QueryResultRecords>`);
  }
  const vm = state.vms.find((v) => url.pathname === `/api/vApp/vm-${v.id}`);
  return vm && !vm.deleted ? say(vm_xml(vm, base)) : res.writeHead(vm ? 403 : 404).end();
}

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on("data", (c) => chunks.push(c));
  req.on("end", () => {
    const body = Buffer.concat(chunks).toString();
    if (req.url !== "/_test") return answer(req, res, body);
    if (req.method === "POST") Object.assign(state, JSON.parse(body));
    return res.end(JSON.stringify(state));
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
