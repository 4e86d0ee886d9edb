// client.mjs SESSION FOLDER -- COMMAND: a session of the TypeScript client. Prints all that it gets, whole.
//   everything  each kind of message with the everything server: its own requests, progress, a call that is cancelled and
//               never answered
//   steady      reads a file in FOLDER through the filesystem server, again and again, until somebody ends it
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The packages lie where `install` put them, not beside this file.
const from = createRequire(process.env.MCP_PACKAGES + "/package.json");
const load = (path) => import(pathToFileURL(from.resolve("@modelcontextprotocol/sdk/" + path)));
const { Client } = await load("client/index.js");
const { StdioClientTransport } = await load("client/stdio.js");
const types = await load("types.js");

const [session, folder, dashes, command, ...args] = process.argv.slice(2);
if (dashes !== "--" || !command) throw new Error("usage");
const show = (what, result) => console.log(what, JSON.stringify(result));

const client = new Client({ name: "session", version: "1.0.0" }, { capabilities: { sampling: {}, roots: { listChanged: true }, elicitation: { form: {}, url: {} } } });
client.setRequestHandler(types.CreateMessageRequestSchema, async () => ({ model: "stub", role: "assistant", stopReason: "endTurn", content: { type: "text", text: "A stub's words" } }));
client.setRequestHandler(types.ListRootsRequestSchema, async () => ({ roots: [{ uri: "file:///srv/payments", name: "payments" }] }));
client.setRequestHandler(types.ElicitRequestSchema, async () => ({ action: "accept", content: { name: "A. Auditor", check: true, email: "auditor@example.org" } }));
client.setNotificationHandler(types.LoggingMessageNotificationSchema, () => {});
client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, () => {});

await client.connect(new StdioClientTransport({ command, args, env: process.env }));
const ask = async (what, asking) => {
  try { show(what, await asking); } catch (e) { show(what, { exception: e.message }); }
};
const call = (name, given = {}, options) => ask(name, client.callTool({ name, arguments: given }, undefined, options));

if (session === "steady") {
  // The id of a request is its number: the first of all, that of `initialize`, is 0.
  const path = folder + "/2026-11-batch.csv";
  for (let id = 1; ; id++) show(id, await client.callTool({ name: "read_text_file", arguments: { path } }));
}
await ask("tools", client.listTools());
await ask("ping", client.ping());
await call("echo", { message: "wire transfer W-7781 released" });
await call("get-sum", { a: 1250, b: 410.1 });
await call("get-sum", { a: "x" });
await call("get-tiny-image");
await call("get-structured-content", { location: "New York" });
await call("get-annotated-message", { messageType: "error", includeImage: false });
const steps = [];
await call("trigger-long-running-operation", { duration: 0.2, steps: 4 }, { onprogress: (p) => steps.push(p) });
// Whether the last one is heard depends on whether the answer comes in the same piece: the library then drops it.
show("progress", steps.slice(0, 3));
await call("trigger-sampling-request", { prompt: "summarise the payment", maxTokens: 50 });
await call("trigger-elicitation-request");
await call("get-roots-list");
await ask("resources", client.listResources());
await ask("templates", client.listResourceTemplates());
await ask("prompts", client.listPrompts());
await ask("prompt", client.getPrompt({ name: "simple-prompt" }));
const cancelling = new AbortController();
const slow = call("trigger-long-running-operation", { duration: 60, steps: 2 }, { signal: cancelling.signal });
setTimeout(() => cancelling.abort("the operator cancelled"), 100);
await slow;
await call("no-such-tool");
await client.close();
process.exit(0);
