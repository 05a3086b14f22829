// An app on @slack/socket-mode and @slack/web-api. It prints one JSON line for each thing that happened, and ends when its
// standard input does.
import { SocketModeClient } from "@slack/socket-mode";
import { WebClient } from "@slack/web-api";

const { api, botToken, appToken } = JSON.parse(process.env.WORKSPACE);
const tell = (what, data = {}) => console.log(JSON.stringify({ what, ...data }));
const web = new WebClient(botToken, { slackApiUrl: api, retryConfig: { retries: 3, minTimeout: 10 } });
const socket = new SocketModeClient({ appToken, clientOptions: { slackApiUrl: api }, pingPongLoggingEnabled: false });

const modal = {
  type: "modal",
  callback_id: "why",
  title: { type: "plain_text", text: "Why?" },
  submit: { type: "plain_text", text: "Send" },
  blocks: [
    {
      type: "input",
      block_id: "reason",
      label: { type: "plain_text", text: "Reason" },
      element: { type: "plain_text_input", action_id: "text" },
    },
  ],
};

socket.on("connected", () => tell("connected"));
socket.on("slash_commands", async ({ body, ack }) => {
  await ack();
  const { ts, message } = await web.chat.postMessage({
    channel: body.channel_id,
    text: "Plan",
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: "*Plan 3*" } },
      {
        type: "actions",
        block_id: "plan",
        elements: [
          { type: "button", action_id: "apply", value: "3", style: "primary", text: { type: "plain_text", text: "Apply …" } },
        ],
      },
    ],
  });
  tell("command", { text: body.text, ts, blocks: message.blocks.length });
});
socket.on("interactive", async ({ body, ack }) => {
  if (body.type === "view_submission") {
    const reason = body.view.state.values.reason.text.value;
    await ack(reason === "no" ? { response_action: "errors", errors: { reason: "Say more." } } : undefined);
    tell("submission", { reason });
    return;
  }
  await ack();
  const { view } = await web.views.open({ trigger_id: body.trigger_id, view: modal });
  await web.chat.update({ channel: body.channel.id, ts: body.message.ts, text: "Applied" });
  await web.filesUploadV2({ channel_id: body.channel.id, thread_ts: body.message.ts, filename: "a.log", title: "A", content: "it fails" });
  tell("click", { action: body.actions[0].action_id, value: body.actions[0].value, view: view.id });
});
socket.on("app_mention", async ({ event, ack }) => {
  await ack();
  try {
    await web.chat.postMessage({ channel: event.channel, blocks: [{ type: "section" }] });
    tell("mention", { error: "none" });
  } catch (err) {
    tell("mention", { text: event.text, error: err.data.error, messages: err.data.response_metadata.messages });
  }
});

const { bot_id } = await web.auth.test();
const members = [];
for await (const page of web.paginate("users.list", { limit: 2 })) members.push(...page.members);
tell("hello", { bot: bot_id, members: members.length });
await socket.start();
process.stdin.resume();
process.stdin.on("end", async () => {
  await socket.disconnect();
  process.exit(0);
});
