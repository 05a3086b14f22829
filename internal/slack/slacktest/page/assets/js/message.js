// message.js draws one message: who, when, what, its files, and the way into its thread.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { blocks } from "./blocks.js";
import { filePreview } from "./files.js";
import { mrkdwn } from "./mrkdwn.js";
import { dayTitle, moment, shortTime, time, when } from "./dates.js";

/**
 * message draws a row.
 * @param {Object} data Slack's message object
 * @param {Surface} surface where its elements live
 * @param {{compact: boolean, inThread: boolean}} look compact: the author stands above already
 */
export function message(data, surface, { compact, inThread }) {
  const { ctx } = surface;
  const author = ctx.directory.author(data);
  const at = moment(data.ts);
  const row = h("article", {
    class: `message${compact ? " compact" : ""}${data.is_ephemeral ? " ephemeral" : ""}`,
    data: { ts: data.ts }, "aria-label": `${author.name} at ${time(at)}`,
  });
  const stamp = h("time", { class: "stamp", datetime: at.toISOString(), title: `${dayTitle(at)} at ${time(at)}` }, compact ? shortTime(at) : time(at));
  row.append(h("div", { class: "gutter" }, compact ? stamp : ctx.directory.face(author.id)));
  const body = h("div", { class: "message-main" });
  if (data.is_ephemeral) body.append(h("div", { class: "only-you" }, icon("eye", 14), "Only visible to you"));
  if (!compact) {
    body.append(h("div", { class: "message-head" },
      h("span", { class: "author" }, author.name), author.app ? h("span", { class: "app-badge" }, "APP") : null, stamp));
  }
  body.append(...content(data, surface));
  if (surface.trouble) body.append(h("div", { class: "trouble", role: "alert" }, icon("warning", 14), surface.trouble));
  if (!inThread && data.reply_count > 0) body.append(threadBar(data, ctx));
  row.append(body);
  if (!inThread && !data.is_ephemeral) row.append(hoverBar(data, ctx));
  return row;
}

function content(data, surface) {
  surface.files = data.files ?? [];
  const out = [];
  const edited = data.edited ? h("span", { class: "edited", title: when(moment(data.edited.ts)) }, "(edited)") : null;
  if (data.blocks?.length > 0) {
    out.push(blocks(data.blocks, surface));
    if (edited) out.push(edited);
  } else if (data.text) {
    out.push(h("div", { class: "text" }, mrkdwn(data.text, surface.ctx), edited ? " " : null, edited));
  }
  for (const attachment of data.attachments ?? []) out.push(legacy(attachment, surface));
  for (const file of surface.files) out.push(filePreview(file, surface));
  return out;
}

// legacy draws an attachment: blocks or text beside a coloured bar.
function legacy(attachment, surface) {
  const node = h("div", { class: "attachment" },
    attachment.blocks ? blocks(attachment.blocks, surface) : h("div", { class: "text" }, mrkdwn(attachment.text ?? attachment.fallback ?? "", surface.ctx)));
  if (/^#?[0-9a-f]{6}$/i.test(attachment.color ?? "")) node.style.setProperty("--bar", `#${attachment.color.replace("#", "")}`);
  return node;
}

function threadBar(data, ctx) {
  const replies = `${data.reply_count} ${data.reply_count === 1 ? "reply" : "replies"}`;
  const faces = data.reply_users ?? [ctx.directory.author(data).id];
  return h("button", { class: "thread-bar", type: "button", "aria-label": replies, onclick: () => ctx.openThread(data.ts) },
    faces.slice(0, 5).map((id) => ctx.directory.face(id, 24)),
    h("span", { class: "thread-count" }, replies),
    h("span", { class: "thread-last" }, data.latest_reply ? `Last reply ${when(moment(data.latest_reply))}` : "View thread"),
    h("span", { class: "thread-view" }, "View thread"), icon("right", 16));
}

function hoverBar(data, ctx) {
  return h("div", { class: "hover-bar" }, h("button", {
    class: "icon-btn", type: "button", "aria-label": "Reply in thread", title: "Reply in thread", onclick: () => ctx.openThread(data.ts),
  }, icon("reply")));
}
