// The same kind of app on @slack/bolt: its acknowledgements carry what is said, and response URLs carry the rest.
import bolt from "@slack/bolt";

const { api, botToken, appToken } = JSON.parse(process.env.WORKSPACE);
const tell = (what, data = {}) => console.log(JSON.stringify({ what, ...data }));
const app = new bolt.App({
  token: botToken,
  socketMode: true,
  appToken,
  clientOptions: { slackApiUrl: api },
  logLevel: bolt.LogLevel.ERROR,
});

app.command("/redis-session", async ({ command, ack, respond }) => {
  await ack({ response_type: "ephemeral", text: "On it." });
  await respond({
    response_type: "in_channel",
    text: "Done",
    blocks: [
      {
        type: "actions",
        elements: [
          {
            type: "static_select",
            action_id: "revision",
            placeholder: { type: "plain_text", text: "Revision" },
            options: ["1", "2"].map((n) => ({ text: { type: "plain_text", text: `Revision ${n}` }, value: n })),
          },
        ],
      },
    ],
  });
  tell("command", { text: command.text });
});
app.action("revision", async ({ action, ack, respond, body }) => {
  await ack();
  await respond({ replace_original: true, text: `Revision ${action.selected_option.value}` });
  tell("action", { value: action.selected_option.value, user: body.user.id });
});
app.event("app_mention", async ({ event, say }) => {
  await say({ text: `<@${event.user}> here`, thread_ts: event.thread_ts ?? event.ts });
  tell("mention", { text: event.text });
});

await app.start();
tell("connected");
process.stdin.resume();
process.stdin.on("end", async () => {
  await app.stop();
  process.exit(0);
});
